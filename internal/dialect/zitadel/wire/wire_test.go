package wire_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/admin"
	authorization "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/authorization/v2"
	"github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/management"
	"github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/message"
	"github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/object"
	org "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/org/v2"
	user "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/user/v2"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/timestamppb"

	"guildhall/internal/dialect/zitadel/wire"
)

// services are those that the tests serve; most of their methods have no endpoint.
func services() []protoreflect.ServiceDescriptor {
	return []protoreflect.ServiceDescriptor{
		admin.File_zitadel_admin_proto.Services().Get(0),
		management.File_zitadel_management_proto.Services().Get(0),
		org.File_zitadel_org_v2_org_service_proto.Services().Get(0),
		user.File_zitadel_user_v2_user_service_proto.Services().Get(0),
		authorization.File_zitadel_authorization_v2_authorization_service_proto.Services().Get(0),
	}
}

type metadataKey struct{}

// notFound is a failure as a dialect writes it: a status with one detail.
func notFound() *status.Status {
	s, err := status.New(codes.NotFound, "Organisation not found (COMMA-aps2n)").
		WithDetails(&message.ErrorDetail{Id: "COMMA-aps2n", Message: "Organisation not found"})
	if err != nil {
		panic(err)
	}
	return s
}

type missing struct{}

func (missing) Error() string { return "missing" }

func endpoints() []wire.Endpoint {
	at := timestamppb.New(time.Date(2026, 11, 22, 1, 22, 30, 664885548, time.UTC))
	return []wire.Endpoint{
		wire.Unary(admin.AdminService_RemoveOrg_FullMethodName, func(_ context.Context, q *admin.RemoveOrgRequest) (*admin.RemoveOrgResponse, error) {
			switch q.OrgId {
			case "gone":
				return nil, missing{}
			case "ünknown":
				return nil, status.Error(codes.NotFound, "nö 100%")
			}
			return &admin.RemoveOrgResponse{Details: &object.ObjectDetails{Sequence: 2, ChangeDate: at, ResourceOwner: q.OrgId}}, nil
		}),
		wire.Unary(admin.AdminService_IsOrgUnique_FullMethodName, func(_ context.Context, q *admin.IsOrgUniqueRequest) (*admin.IsOrgUniqueResponse, error) {
			return &admin.IsOrgUniqueResponse{IsUnique: q.Name == "free" && q.Domain == "free.example"}, nil
		}),
		wire.Unary(admin.AdminService_ListOrgs_FullMethodName, func(_ context.Context, q *admin.ListOrgsRequest) (*admin.ListOrgsResponse, error) {
			return &admin.ListOrgsResponse{Details: &object.ListDetails{TotalResult: q.Query.GetOffset(), ProcessedSequence: uint64(q.Query.GetLimit())}, SortingColumn: q.SortingColumn}, nil
		}),
		wire.Unary(admin.AdminService_GetDefaultOrg_FullMethodName, func(ctx context.Context, _ *admin.GetDefaultOrgRequest) (*admin.GetDefaultOrgResponse, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}),
		wire.Unary(management.ManagementService_RemoveOrg_FullMethodName, func(ctx context.Context, _ *management.RemoveOrgRequest) (*management.RemoveOrgResponse, error) {
			owner := strings.Join(ctx.Value(metadataKey{}).([]string), ",")
			return &management.RemoveOrgResponse{Details: &object.ObjectDetails{ResourceOwner: owner}}, nil
		}),
		wire.Unary(management.ManagementService_GetOrgMetadata_FullMethodName, func(_ context.Context, q *management.GetOrgMetadataRequest) (*management.GetOrgMetadataResponse, error) {
			return nil, status.Error(codes.NotFound, "key "+q.Key)
		}),
		wire.Unary(management.ManagementService_BulkRemoveOrgMetadata_FullMethodName, func(_ context.Context, q *management.BulkRemoveOrgMetadataRequest) (*management.BulkRemoveOrgMetadataResponse, error) {
			return &management.BulkRemoveOrgMetadataResponse{Details: &object.ObjectDetails{ResourceOwner: strings.Join(q.Keys, ",")}}, nil
		}),
		wire.Unary(management.ManagementService_RemoveProjectRole_FullMethodName, func(_ context.Context, q *management.RemoveProjectRoleRequest) (*management.RemoveProjectRoleResponse, error) {
			return &management.RemoveProjectRoleResponse{Details: &object.ObjectDetails{ResourceOwner: q.ProjectId + "|" + q.RoleKey}}, nil
		}),
		wire.Unary(org.OrganizationService_AddOrganization_FullMethodName, func(_ context.Context, q *org.AddOrganizationRequest) (*org.AddOrganizationResponse, error) {
			return &org.AddOrganizationResponse{OrganizationId: q.Name}, nil
		}),
		wire.Unary(org.OrganizationService_DeleteOrganizationMetadata_FullMethodName, func(_ context.Context, q *org.DeleteOrganizationMetadataRequest) (*org.DeleteOrganizationMetadataResponse, error) {
			return nil, status.Error(codes.NotFound, q.OrganizationId+":"+strings.Join(q.Keys, "+"))
		}),
		wire.Unary(authorization.AuthorizationService_DeleteAuthorization_FullMethodName, func(context.Context, *authorization.DeleteAuthorizationRequest) (*authorization.DeleteAuthorizationResponse, error) {
			return &authorization.DeleteAuthorizationResponse{DeletionDate: at}, nil
		}),
	}
}

func newServer(t testing.TB) *wire.Server {
	t.Helper()
	s, err := wire.New(wire.Config{
		Admit: func(ctx context.Context, c *wire.Call, _ proto.Message) (context.Context, error) {
			if c.Metadata("Authorization") == nil && c.Method.Permission != "" {
				return ctx, status.Error(codes.Unauthenticated, "auth header missing")
			}
			return context.WithValue(ctx, metadataKey{}, c.Metadata("x-zitadel-orgid")), nil
		},
		Status: func(error) *status.Status { return notFound() },
		Limit:  1 << 16,
	}, services(), endpoints()...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// listen serves h over HTTP/1.1 and cleartext HTTP/2 on one loopback port.
func listen(t testing.TB, h http.Handler) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var p http.Protocols
	p.SetHTTP1(true)
	p.SetUnencryptedHTTP2(true)
	s := &http.Server{Handler: h, Protocols: &p}
	go func() { _ = s.Serve(l) }() // ends with the test
	t.Cleanup(func() { _ = s.Close() })
	return l.Addr().String()
}

func dial(t testing.TB) *grpc.ClientConn {
	t.Helper()
	c, err := grpc.NewClient(listen(t, newServer(t)), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// send runs one request through the server without a network.
func send(t testing.TB, s http.Handler, method, target, body string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer x")
	for i := 0; i < len(header); i += 2 {
		r.Header.Del(header[i])
		if header[i+1] != "" {
			r.Header.Set(header[i], header[i+1])
		}
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

func TestT_P08_APanicIsAnswered(t *testing.T) {
	boom := wire.Unary(admin.AdminService_RemoveOrg_FullMethodName, func(context.Context, *admin.RemoveOrgRequest) (*admin.RemoveOrgResponse, error) {
		panic("boom")
	})
	s, err := wire.New(wire.Config{Status: func(error) *status.Status { return status.New(codes.Internal, "An internal error occurred") }}, services(), boom)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		w := send(t, s, http.MethodDelete, "/admin/v1/orgs/1", "")
		if w.Code != http.StatusInternalServerError || strings.Contains(w.Body.String(), "boom") {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	}
}

func TestTableMistakesAreFound(t *testing.T) {
	wrong := wire.Unary(admin.AdminService_RemoveOrg_FullMethodName, func(context.Context, *admin.GetDefaultOrgRequest) (*admin.RemoveOrgResponse, error) { return nil, nil })
	right := endpoints()[0]
	stranger := wire.Unary("/zitadel.admin.v1.AdminService/Nothing", func(context.Context, *admin.RemoveOrgRequest) (*admin.RemoveOrgResponse, error) { return nil, nil })
	for name, e := range map[string][]wire.Endpoint{"wrong messages": {wrong}, "twice": {right, right}, "unknown method": {stranger}} {
		if _, err := wire.New(wire.Config{}, services(), e...); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestDescriptorsTellPermissionsAndRoutes(t *testing.T) {
	byName := map[string]*wire.Method{}
	for _, m := range newServer(t).Methods() {
		byName[m.Name] = m
	}
	for _, c := range []struct {
		name, permission, check string
		success                 int
		route                   wire.Route
	}{
		{admin.AdminService_RemoveOrg_FullMethodName, "iam.write", "", 200, wire.Route{Verb: "DELETE", Path: "/admin/v1/orgs/{org_id}"}},
		{management.ManagementService_RemoveOrg_FullMethodName, "org.delete", "", 200, wire.Route{Verb: "DELETE", Path: "/management/v1/orgs/me"}},
		{management.ManagementService_GetProjectByID_FullMethodName, "project.read", "Id", 200, wire.Route{Verb: "GET", Path: "/management/v1/projects/{id}"}},
		{org.OrganizationService_AddOrganization_FullMethodName, "authenticated", "", 201, wire.Route{Verb: "POST", Path: "/v2/organizations", Body: true}},
		{admin.AdminService_Healthz_FullMethodName, "", "", 200, wire.Route{Verb: "GET", Path: "/admin/v1/healthz"}},
	} {
		m := byName[c.name]
		if m == nil || m.Permission != c.permission || m.CheckField != c.check || m.Success != c.success || len(m.Routes) != 1 || m.Routes[0] != c.route {
			t.Errorf("%s: %+v", c.name, m)
		}
	}
	if m := byName[authorization.AuthorizationService_DeleteAuthorization_FullMethodName]; len(m.Routes) != 0 || !m.Served {
		t.Errorf("%+v", m)
	}
}
