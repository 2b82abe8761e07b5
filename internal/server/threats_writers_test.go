package server

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"guildhall/internal/credential"
	"guildhall/internal/directory"
	"guildhall/internal/id"
)

// intake are calls that write into an organization, in every dialect. {n} is a new
// number each time, {guest} somebody at home nowhere and {org} the organization.
var intake = []struct{ dialect, method, path, body string }{
	{"auth0", "POST", "/api/v2/organizations/{org}/members", `{"members":["{guest}"]}`},
	{"auth0", "POST", "/api/v2/organizations/{org}/invitations", `{"inviter":{"name":"A"},"invitee":{"email":"a{n}@w.example"},"client_id":"{client}","send_invitation_email":false}`},
	{"auth0", "POST", "/api/v2/organizations/{org}/discovery-domains", `{"domain":"a{n}.example"}`},
	{"auth0", "PATCH", "/api/v2/organizations/{org}", `{"display_name":"A {n}"}`},
	{"stytch", "POST", "/v1/b2b/organizations/{org}/members", `{"email_address":"s{n}@w.example"}`},
	{"stytch", "PUT", "/v1/b2b/organizations/{org}", `{"organization_name":"S {n}"}`},
	{"zitadel", "POST", "/management/v1/users/machine", `{"userName":"z{n}","name":"z"}`},
	{"zitadel", "POST", "/management/v1/projects", `{"name":"Z {n}"}`},
	{"zitadel", "POST", "/management/v1/metadata/z{n}", `{"value":"AAAA"}`},
	{"zitadel", "POST", "/management/v1/orgs/me/domains", `{"domain":"z{n}.example"}`},
	{"zitadel", "POST", "/v2/users/new", `{"organizationId":"{org}","username":"y{n}","machine":{"name":"m"}}`},
	{"ssojet", "POST", "/api/v1/tenants/{org}/users", `{"user_ids":["{guest}"]}`},
	{"ssojet", "PUT", "/api/v1/tenants/{org}", `{"display_name":"J {n}","domains":["j{n}.example"]}`},
	{"truto", "POST", "/unified/user-directory/users", `{"organizations":[{"id":"{org}"}],"emails":[{"email":"t{n}@w.example"}]}`},
	{"truto", "PATCH", "/unified/user-directory/organizations/{org}", `{"name":"T {n}"}`},
	{"native", "POST", "/guildhall/v1/users", `{"organization":"{org}","email":"n{n}@w.example","password":"` + strings.Repeat("long enough ", 2) + `{n}"}`},
	{"native", "POST", "/guildhall/v1/organizations/{org}/invitations", `{"email":"i{n}@w.example"}`},
	{"native", "POST", "/guildhall/v1/organizations/{org}/domains", `{"domain":"n{n}.example"}`},
	{"native", "POST", "/guildhall/v1/roles", `{"organization":"{org}","key":"r{n}","name":"R"}`},
	{"native", "POST", "/guildhall/v1/keys", `{"organization":"{org}","name":"k{n}","permissions":["organization:read"]}`},
	{"native", "PATCH", "/guildhall/v1/organizations/{org}", `{"display_name":"N {n}"}`},
}

// TestT_C10_SixtyFourWritersThroughEveryAPILose writes into an organization through
// the routes of every API, on every node, while one of them deletes it. Afterwards
// nothing of what they wrote is there, and nobody was answered with a fault.
func TestT_C10_SixtyFourWritersThroughEveryAPILose(t *testing.T) {
	for _, engine := range []string{"sqlite", "postgres"} {
		t.Run(engine, func(t *testing.T) {
			at, nodes := nodes(t, engine)
			app, _ := at.testClient(t, at.here, credential.Application{Scheme: "auth0", Claims: []string{"read:organizations"}})
			roots := map[string]caller{}
			for _, tb := range tables() {
				roots[tb.dialect] = at.root(t, tb.dialect, at.here)
			}
			for n, d := range deleting {
				o, err := at.Directory.CreateOrganization(t.Context(), at.here.by, directory.Organization{Name: fmt.Sprint("Written ", n), Slug: fmt.Sprint("written-", n)})
				if err != nil {
					t.Fatal(err)
				}
				w := &intakes{site: at, t: t, app: app, roots: roots, org: o.ID}
				w.open(nodes)
				time.Sleep(time.Duration(20+rand.IntN(100)) * time.Millisecond)
				c := roots[d.dialect].in(o.ID)
				r := c.request(d.method, strings.ReplaceAll(d.path, "{org}", c.spell(id.Organization, o.ID)), "")
				if a := answered(nodes[n%len(nodes)], r); a.Code >= 300 {
					t.Errorf("delete by %s: %s", d.path, told(a))
				}
				w.ended.Store(true)
				time.Sleep(50 * time.Millisecond)
				w.stop.Store(true)
				w.all.Wait()
				at.purged(t, o.ID)
				if t.Failed() {
					return
				}
			}
			found, err := at.DB.Doctor(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range found {
				t.Errorf("the doctor found %d rows of %s that %s: %v", f.Count, f.Table, f.What, f.Examples)
			}
		})
	}
}

// intakes write into one organization.
type intakes struct {
	*site
	t     *testing.T
	app   string
	roots map[string]caller
	org   id.ID

	all         sync.WaitGroup
	ended, stop atomic.Bool
}

var written atomic.Int64

// open begins to write, sixty-four at once, and returns when each succeeded once.
func (x *intakes) open(nodes []http.Handler) {
	x.t.Helper()
	var warm sync.WaitGroup
	for i := range 64 {
		call := intake[i%len(intake)]
		guest, err := x.Directory.CreateUser(x.t.Context(), x.here.by, directory.NewUser{User: directory.User{Email: fmt.Sprintf("g%d@w.example", written.Add(1))}})
		if err != nil {
			x.t.Fatal(err)
		}
		x.all.Add(1)
		warm.Add(1)
		c := x.roots[call.dialect].in(x.org)
		go func() {
			defer x.all.Done()
			for first := true; !x.stop.Load(); first = false {
				late := x.ended.Load()
				fill := strings.NewReplacer("{org}", c.spell(id.Organization, x.org), "{n}", fmt.Sprint(written.Add(1)), "{client}", x.app,
					"{guest}", strings.ReplaceAll(c.spell(id.User, guest.ID), "%7C", "|"))
				a := answered(nodes[i%len(nodes)], c.request(call.method, fill.Replace(call.path), fill.Replace(call.body)))
				if a.Code >= 500 || first && a.Code >= 300 || late && a.Code < 300 {
					x.t.Errorf("%s %s %s (first %v, after the end %v): %s", call.dialect, call.method, call.path, first, late, told(a))
				}
				if first {
					warm.Done()
				}
			}
		}()
	}
	warm.Wait()
}
