package erasure_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"guildhall/internal/credential"
	"guildhall/internal/dialect/dialecttest"
	"guildhall/internal/directory"
	"guildhall/internal/erasure"
	"guildhall/internal/id"
	"guildhall/internal/project"
	"guildhall/internal/query"
	"guildhall/internal/sso"
)

func given[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func TestAPreviewNamesWhomItLeavesAlone(t *testing.T) {
	engines(t, func(t *testing.T, r *dialecttest.Rig) {
		ctx := t.Context()
		o, _ := acme(t, r)
		other := given[directory.Organization](t)(r.Directory.CreateOrganization(ctx, r.System, directory.Organization{Name: "Other"}))
		dying := given[directory.Organization](t)(r.Directory.CreateOrganization(ctx, r.System, directory.Organization{Name: "Dying"}))
		guests := map[string][]id.ID{"alone@x.example": nil, "both@x.example": {other.ID}, "gone@x.example": {dying.ID}}
		for mail, also := range guests {
			u := given[directory.User](t)(r.Directory.CreateUser(ctx, r.System, directory.NewUser{User: directory.User{Email: mail, Name: strings.ToUpper(mail)}}))
			for _, in := range append(also, o.ID) {
				given[directory.Member](t)(r.Directory.AddMember(ctx, r.System, directory.Member{Organization: in, User: u.ID}, nil))
			}
		}
		if _, err := r.Directory.DeleteOrganization(ctx, r.System, dying.ID, erasure.Options{Users: erasure.Erase, Grace: time.Hour}); err != nil {
			t.Fatal(err)
		}
		for users, want := range map[erasure.Users]int{erasure.Erase: 2, erasure.Detach: 3} { // ada stays only when detached
			p := given[erasure.Preview](t)(r.Erasure.Preview(ctx, r.System, o.ID, users))
			if p.Stranded != want || p.AtLeast {
				t.Errorf("%s: %d are stranded, want %d (%v)", users, p.Stranded, want, p.AtLeast)
			}
			seen := map[id.ID]bool{}
			for q := (query.Query{Limit: 1}); ; {
				page := given[query.Page[erasure.Stranded]](t)(r.Erasure.Stranded(ctx, r.System, o.ID, users, q))
				for _, s := range page.Items {
					if seen[s.User] || s.Email == "both@x.example" || s.Email == "" {
						t.Errorf("%s: %+v", users, s)
					}
					seen[s.User] = true
				}
				if q.After = page.Next; q.After == nil {
					break
				}
			}
			if len(seen) != want {
				t.Errorf("%s: the list has %d, want %d", users, len(seen), want)
			}
		}
	})
}

func TestAPreviewTellsWhatDiesAndWhomElseItTouches(t *testing.T) {
	engines(t, func(t *testing.T, r *dialecttest.Rig) {
		ctx := t.Context()
		o, u := acme(t, r)
		other := given[directory.Organization](t)(r.Directory.CreateOrganization(ctx, r.System, directory.Organization{Name: "Other"}))
		for n := range 120 {
			if _, err := r.Erasure.PlaceHold(ctx, r.System, erasure.Hold{Organization: o.ID, Reason: fmt.Sprint("case ", n)}); err != nil {
				t.Fatal(err)
			}
		}
		for _, owner := range []id.ID{o.ID, other.ID} {
			granted := o.ID + other.ID - owner
			p := given[project.Project](t)(r.Projects.CreateProject(ctx, r.System, project.Project{Organization: owner, Name: "Shop"}))
			given[project.Grant](t)(r.Projects.GrantProject(ctx, r.System, project.Grant{Project: p.ID, Granted: granted}))
			if _, _, err := r.Credentials.CreateApplication(ctx, r.System, credential.Application{Organization: owner, Project: p.ID, Scheme: "t", Name: "Till"}, ""); err != nil {
				t.Fatal(err)
			}
		}
		for _, k := range []credential.Key{{Organization: o.ID}, {User: u.ID}} {
			k.Scheme, k.Name = "t", "k"
			if _, _, err := r.Credentials.CreateKey(ctx, r.System, k, ""); err != nil {
				t.Fatal(err)
			}
		}
		d := given[directory.Domain](t)(r.Directory.AddDomain(ctx, r.System, directory.Domain{Organization: o.ID, Name: "acme.example", Verified: true}))
		for _, name := range []string{"okta", "entra"} {
			given[sso.Connection](t)(r.Connections.Create(ctx, r.System, sso.Connection{Organization: o.ID, Name: name, Provider: sso.OpenID, Issuer: "https://idp.example", ClientID: "c"}, ""))
		}
		for users, keys := range map[erasure.Users]int{erasure.Erase: 2, erasure.Detach: 1} {
			p := given[erasure.Preview](t)(r.Erasure.Preview(ctx, r.System, o.ID, users))
			dying := map[id.Kind]int{}
			for _, c := range p.Dying() {
				dying[c.Kind] = c.Rows
			}
			if dying[id.Key] != keys || dying[id.Application] != 1 {
				t.Errorf("%s: %v die", users, dying)
			}
			if len(p.Holds) != 120 {
				t.Errorf("%s: %d holds", users, len(p.Holds))
			}
			if p.Domains.Count != 1 || p.Domains.First[0] != d.Name {
				t.Errorf("%s: domains %+v", users, p.Domains)
			}
			if p.Connections.Count != 2 || p.Connections.First[0] != "okta" {
				t.Errorf("%s: connections %+v", users, p.Connections)
			}
			if p.Applications.Count != 1 || p.Applications.First[0].Organization != other.ID || p.Applications.First[0].Name != "Till" {
				t.Errorf("%s: applications %+v", users, p.Applications)
			}
			if p.Grantees.Count != 1 || p.Grantees.First[0].Organization != other.ID || p.Grantees.First[0].Name != "Other" {
				t.Errorf("%s: grantees %+v", users, p.Grantees)
			}
		}
	})
}
