package server

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"guildhall/internal/directory"
	"guildhall/internal/erasure"
	"guildhall/internal/id"
)

// A deleteCall is one way to ask for the end of an organization. {o} is its id.
type deleteCall struct{ dialect, method, path, body string }

// deleteCalls are all ways of all dialects.
var deleteCalls = []deleteCall{
	{"auth0", "DELETE", "/api/v2/organizations/{o}", ""},
	{"stytch", "DELETE", "/v1/b2b/organizations/{o}", ""},
	{"zitadel", "DELETE", "/admin/v1/orgs/{o}", ""},
	{"zitadel", "DELETE", "/management/v1/orgs/me", ""},
	{"zitadel", "DELETE", "/v2/organizations/{o}", ""},
	{"zitadel", "DELETE", "/v2beta/organizations/{o}", ""},
	{"zitadel", "POST", "/zitadel.admin.v1.AdminService/RemoveOrg", `{"orgId":"{o}"}`},
	{"zitadel", "POST", "/zitadel.management.v1.ManagementService/RemoveOrg", `{}`},
	{"zitadel", "POST", "/zitadel.org.v2.OrganizationService/DeleteOrganization", `{"organizationId":"{o}"}`},
	{"zitadel", "POST", "/zitadel.org.v2beta.OrganizationService/DeleteOrganization", `{"id":"{o}"}`},
	{"ssojet", "DELETE", "/api/account/organization/{o}", ""},
	{"ssojet", "DELETE", "/api/v1/organization/{o}", ""},
	{"ssojet", "DELETE", "/api/v1/tenants/{o}", ""},
	{"truto", "DELETE", "/unified/user-directory/organizations/{o}", ""},
	{"native", "DELETE", "/guildhall/v1/organizations/{o}", ""},
	{"native", "DELETE", "/guildhall/v1/organizations/{o}?users=erase&grace=0s", ""},
	{"native", "POST", "/guildhall/v1/organizations/{o}/deletion", `{"users":"erase","grace":"0s"}`},
}

// retried are the statuses on which the vendors' SDKs send a request again.
var retried = []int{http.StatusConflict, http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests}

// TestProtectedAndHeldOrganizationsOutliveEveryDeleteCall asks each dialect in each of its ways to delete what must not be
// deleted: the answer is one that lasts, and nothing changes. What stood in the way taken away, the same call works.
func TestProtectedAndHeldOrganizationsOutliveEveryDeleteCall(t *testing.T) {
	at := newSite(t)
	ctx, by := t.Context(), at.here.by
	protect := func(o id.ID, protected bool) error {
		_, err := at.Directory.UpdateOrganization(ctx, by, o, func(o *directory.Organization) error {
			o.Protected = protected
			return nil
		})
		return err
	}
	for _, obstacle := range []struct {
		name  string
		place func(t *testing.T, o id.ID) (lift func() error)
	}{
		{"protected", func(t *testing.T, o id.ID) func() error {
			if err := protect(o, true); err != nil {
				t.Fatal(err)
			}
			return func() error { return protect(o, false) }
		}},
		{"held", func(t *testing.T, o id.ID) func() error {
			h, err := at.Erasure.PlaceHold(ctx, by, erasure.Hold{Organization: o, Reason: "case 7 against Doe"})
			if err != nil {
				t.Fatal(err)
			}
			return func() error { _, err := at.Erasure.ReleaseHold(ctx, by, h.ID); return err }
		}},
		{"a user held", func(t *testing.T, o id.ID) func() error {
			u, err := at.Directory.CreateUser(ctx, by, directory.NewUser{User: directory.User{Home: o, Email: "doe@" + o.String() + ".example"}})
			if err != nil {
				t.Fatal(err)
			}
			h, err := at.Erasure.PlaceHold(ctx, by, erasure.Hold{Organization: o, User: u.ID, Reason: "case 8 against Doe"})
			if err != nil {
				t.Fatal(err)
			}
			return func() error { _, err := at.Erasure.ReleaseHold(ctx, by, h.ID); return err }
		}},
	} {
		t.Run(strings.ReplaceAll(obstacle.name, " ", "_"), func(t *testing.T) {
			for _, call := range deleteCalls {
				at.refuses(t, call, obstacle.place)
			}
		})
	}
}

func (at *site) refuses(t *testing.T, call deleteCall, place func(*testing.T, id.ID) func() error) {
	t.Helper()
	o, err := at.Directory.CreateOrganization(t.Context(), at.here.by, directory.Organization{Name: "Kept"})
	if err != nil {
		t.Fatal(err)
	}
	lift := place(t, o.ID)
	w := at.here
	w.ids = map[id.Kind]id.ID{id.Organization: o.ID}
	c := at.root(t, call.dialect, at.here).in(o.ID)
	fill := strings.NewReplacer("{o}", c.spell(id.Organization, o.ID)).Replace
	before := at.state(t, w)
	got := c.send(call.method, fill(call.path), fill(call.body))
	if got.Code < 400 || got.Code >= 500 || slices.Contains(retried, got.Code) || got.Code == http.StatusNotFound || got.Code == http.StatusUnauthorized {
		t.Errorf("%s %s: %s", call.method, call.path, told(got))
	}
	if call.dialect != "native" && strings.Contains(got.Body.String(), "Doe") {
		t.Errorf("%s %s tells why: %s", call.method, call.path, got.Body)
	}
	if after := at.state(t, w); after != before {
		t.Errorf("%s %s changed something:\n%s\n%s", call.method, call.path, before, after)
	}
	if err := lift(); err != nil {
		t.Fatal(err)
	}
	if got := c.send(call.method, fill(call.path), fill(call.body)); got.Code >= 300 {
		t.Errorf("%s %s, with nothing in the way: %s", call.method, call.path, told(got))
	}
}
