package zitadel

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/admin"
	"github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/management"
	"github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/message"
	org "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/org/v2"
	"github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/session/v2"

	"guildhall/internal/directory"
)

// dial serves the world over cleartext HTTP/2 and connects to it.
func (w *world) dial(t *testing.T) *grpc.ClientConn {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var p http.Protocols
	p.SetHTTP1(true)
	p.SetUnencryptedHTTP2(true)
	s := &http.Server{Handler: w.handler, Protocols: &p}
	go func() { _ = s.Serve(l) }() // ends with the test
	t.Cleanup(func() { _ = s.Close() })
	c, err := grpc.NewClient(l.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func (w *world) as(who string, more ...string) context.Context {
	return metadata.AppendToOutgoingContext(context.Background(), append([]string{"authorization", "Bearer " + w.names[who]}, more...)...)
}

// organization makes an organization and gives its id.
func (w *world) organization(t *testing.T, name string) string {
	t.Helper()
	o, err := w.Directory.CreateOrganization(t.Context(), w.System, directory.Organization{Name: name, NameClaimed: true})
	if err != nil {
		t.Fatal(err)
	}
	return spell(w.Realm.ID, 2, o.ID, "")
}

func TestNativeGRPCRemovesAsItsEntryPointsPromise(t *testing.T) {
	w := newWorld(t)
	c := w.dial(t)
	first, second, third := w.organization(t, "One"), w.organization(t, "Two"), w.organization(t, "Three")

	a := admin.NewAdminServiceClient(c)
	out, err := a.RemoveOrg(w.as("owner"), &admin.RemoveOrgRequest{OrgId: first})
	if err != nil || out.Details.ResourceOwner != w.names["instance"] || out.Details.Sequence != 2 || out.Details.CreationDate != nil || out.Details.ChangeDate == nil {
		t.Errorf("%v, %v", out, err)
	}
	_, err = a.RemoveOrg(w.as("owner"), &admin.RemoveOrgRequest{OrgId: first})
	st := status.Convert(err)
	if st.Code() != codes.NotFound || st.Message() != "Organisation not found (COMMA-aps2n)" || len(st.Details()) != 1 ||
		!proto.Equal(st.Details()[0].(proto.Message), &message.ErrorDetail{Id: "COMMA-aps2n", Message: "Organisation not found"}) {
		t.Errorf("%v", err)
	}

	m := management.NewManagementServiceClient(c)
	there := w.as("owner", "x-zitadel-orgid", second)
	if _, err := m.RemoveOrg(there, &management.RemoveOrgRequest{}); err != nil {
		t.Error(err)
	}
	if _, err = m.RemoveOrg(there, &management.RemoveOrgRequest{}); status.Code(err) != codes.PermissionDenied {
		t.Errorf("%v", err)
	}

	o := org.NewOrganizationServiceClient(c)
	once, err := o.DeleteOrganization(w.as("owner"), &org.DeleteOrganizationRequest{OrganizationId: third})
	if err != nil || once.DeletionDate == nil {
		t.Errorf("%v, %v", once, err)
	}
	again, err := o.DeleteOrganization(w.as("owner"), &org.DeleteOrganizationRequest{OrganizationId: third})
	if err != nil || again.DeletionDate == nil || again.DeletionDate.AsTime().Sub(once.DeletionDate.AsTime()).Abs().Seconds() > 1 {
		t.Errorf("%v, %v", again, err)
	}
	if _, err := o.DeleteOrganization(w.as("stranger"), &org.DeleteOrganizationRequest{OrganizationId: w.names["default"]}); status.Code(err) != codes.NotFound || !strings.Contains(err.Error(), "membership not found") {
		t.Errorf("%v", err)
	}
}

func TestNativeGRPCAnswersUnimplemented(t *testing.T) {
	w := newWorld(t)
	c := w.dial(t)
	if _, err := session.NewSessionServiceClient(c).CreateSession(w.as("owner"), &session.CreateSessionRequest{}); status.Code(err) != codes.Unimplemented {
		t.Errorf("a service that is not served: %v", err)
	}
	if _, err := admin.NewAdminServiceClient(c).GetLoginPolicy(w.as("owner"), &admin.GetLoginPolicyRequest{}); status.Code(err) != codes.Unimplemented {
		t.Errorf("a method that is not served: %v", err)
	}
}

func TestDeactivatedOrganizationsHaveNoCallers(t *testing.T) {
	w := newWorld(t)
	c := management.NewManagementServiceClient(w.dial(t))
	if _, err := c.DeactivateOrg(w.as("stranger"), &management.DeactivateOrgRequest{}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.GetMyOrg(w.as("stranger"), &management.GetMyOrgRequest{}); status.Code(err) != codes.Unauthenticated {
		t.Errorf("who lives there: %v", err)
	}
	if _, err := c.GetMyOrg(w.as("owner", "x-zitadel-orgid", w.names["other"]), &management.GetMyOrgRequest{}); err != nil {
		t.Errorf("an instance owner: %v", err)
	}
}

func TestChosenIDsThatLookLikeOurOwn(t *testing.T) {
	w := newWorld(t)
	chosen := w.names["default"][:6] + "77" // digits, as ids of other servers are
	for n := range 100 {                    // some of these have the form of an id of ours
		id := chosen + string(rune('0'+n/10)) + string(rune('0'+n%10))
		rec := w.connect(org.OrganizationService_AddOrganization_FullMethodName, w.names["owner"], `{"name":"`+id+`","organizationId":"`+id+`"}`)
		if rec.Code != 200 {
			t.Fatalf("%s: %d %s", id, rec.Code, rec.Body)
		}
		w.api.names.aliases = nil // as on another node
		rec = httptest.NewRecorder()
		r := httptest.NewRequest("GET", "/admin/v1/orgs/"+id, nil)
		r.Header.Set("Authorization", "Bearer "+w.names["owner"])
		w.handler.ServeHTTP(rec, r)
		if rec.Code != 200 || !strings.Contains(rec.Body.String(), `"`+id+`"`) {
			t.Fatalf("%s: %d %s", id, rec.Code, rec.Body)
		}
	}
}
