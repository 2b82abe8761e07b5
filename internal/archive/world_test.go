package archive_test

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"guildhall/internal/access"
	"guildhall/internal/archive"
	"guildhall/internal/credential"
	"guildhall/internal/directory"
	"guildhall/internal/erasure"
	"guildhall/internal/fault"
	"guildhall/internal/id"
	"guildhall/internal/project"
	"guildhall/internal/query"
	"guildhall/internal/store"
	"guildhall/internal/store/storetest"
)

var ctx = context.Background()

// onBothEngines runs a test on an empty database of each.
func onBothEngines(t *testing.T, test func(t *testing.T, address func(testing.TB) string)) {
	t.Run("sqlite", func(t *testing.T) { test(t, storetest.Folder) })
	t.Run("postgres", func(t *testing.T) { test(t, storetest.URL) })
}

func service(w *storetest.World) *archive.Service {
	return &archive.Service{Store: store.Archives{DB: w.DB}}
}

// An estate is an organization with one of everything, and what is around it.
type estate struct {
	organization, other         directory.Organization
	admin, machine, guest, away directory.User
	key                         string
	project                     project.Project
}

func must[T any](v T, err error) func(t testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// settle makes an estate. Every kind that an archive can hold is in it.
func settle(t testing.TB, w *storetest.World) (e estate) {
	t.Helper()
	e.organization = w.Organization(t, directory.Organization{
		Name: "Äcme", Slug: "acme", ExternalID: "crm-1", Public: directory.Metadata{"plan": "gold"}, Private: directory.Metadata{"n": 1.5},
		Settings: directory.Settings{EmailDomains: []string{"acme.example"}, MFARequired: true},
	})
	e.other = w.Organization(t, directory.Organization{Name: "Other", Slug: "other"})
	realmRole := must(w.Directory.CreateRole(ctx, w.System, directory.Role{Key: "auditor", Name: "Auditor"}))(t)
	role := must(w.Directory.CreateRole(ctx, w.System, directory.Role{
		Organization: e.organization.ID, Key: "admin", Name: "Admin", Permissions: []directory.Permission{{Resource: "doc", Actions: []string{"read", "*"}}},
	}))(t)
	hash := must(w.Credentials.HashPassword(ctx, "correct horse"))(t)
	e.admin = must(w.Directory.CreateUser(ctx, w.System, directory.NewUser{
		User: directory.User{Home: e.organization.ID, Email: "Ada@acme.example", EmailVerified: true, GivenName: "Ada", Phone: "+12025550123",
			Private: directory.Metadata{"desk": "4"}, Alias: "test:ada"},
		Member: directory.Member{State: directory.MemberActive, ExternalID: "m-1", Breakglass: true}, Roles: []id.ID{role.ID, realmRole.ID}, PasswordHash: hash,
	}))(t)
	e.machine = w.User(t, directory.User{Home: e.organization.ID, Kind: directory.Machine, Username: "robot"})
	e.guest = w.User(t, directory.User{Email: "guest@elsewhere.example", EmailVerified: true, Private: directory.Metadata{"canary": "PRIVATE-OF-GUEST"}})
	e.away = w.User(t, directory.User{Home: e.other.ID, Email: "bob@other.example", Phone: "+12025550199"})
	for _, u := range []directory.User{e.guest, e.away} {
		must(w.Directory.AddMember(ctx, w.System, directory.Member{Organization: e.organization.ID, User: u.ID, State: directory.MemberActive}, nil))(t)
	}
	must(w.Directory.Invite(ctx, w.System, directory.Invitation{Organization: e.organization.ID, Email: "new@acme.example", Roles: []id.ID{role.ID}}))(t)
	must(w.Directory.AddDomain(ctx, w.System, directory.Domain{Organization: e.organization.ID, Name: "acme.example", Verified: true}))(t)
	must(w.Directory.SetEntries(ctx, w.System, directory.Owner{Organization: e.organization.ID}, []directory.Entry{{Key: "k", Value: []byte("\x00\xff")}}))(t)
	must(w.Directory.SetEntries(ctx, w.System, directory.Owner{User: e.admin.ID}, []directory.Entry{{Key: "k", Value: []byte("v")}}))(t)
	w.Update(t, func(tx storetest.Tx) error {
		e.project = project.Project{Organization: e.organization.ID, Name: "App", Active: true, RoleCheck: true}
		if err := tx.Projects().Insert(ctx, &e.project); err != nil {
			return err
		}
		grant := project.Grant{Organization: e.organization.ID, Project: e.project.ID, Granted: e.other.ID, Roles: []string{"viewer"}, Active: true}
		administers := func(scope project.Scope, object id.ID) *project.Administrator {
			return &project.Administrator{Organization: e.organization.ID, User: e.admin.ID, Home: e.organization.ID, Scope: scope, Object: object, Roles: []string{"OWNER"}}
		}
		return errors.Join(
			tx.ProjectRoles().Insert(ctx, &project.Role{Organization: e.organization.ID, Project: e.project.ID, Key: "viewer", DisplayName: "Viewer"}),
			tx.ProjectGrants().Insert(ctx, &grant),
			tx.UserGrants().Insert(ctx, &project.UserGrant{Organization: e.organization.ID, User: e.admin.ID, Home: e.organization.ID,
				Project: e.project.ID, ProjectOrganization: e.organization.ID, Roles: []string{"viewer"}, Active: true}),
			tx.Administrators().Insert(ctx, administers(project.OfOrganization, e.organization.ID)),
			tx.Administrators().Insert(ctx, administers(project.OfProject, e.project.ID)),
			tx.IntegratedAccounts().Insert(ctx, &credential.IntegratedAccount{Organization: e.organization.ID, TenantKey: "tenant", Status: "active"}),
			tx.Applications().Insert(ctx, &credential.Application{Organization: e.organization.ID, Project: e.project.ID, Scheme: "test", Name: "web",
				ClientID: "client-1", SecretHash: credential.Hash("s3cret"), Claims: []string{"read"}}),
		)
	})
	_, secret, err := w.Credentials.CreateKey(ctx, w.System, credential.Key{User: e.machine.ID, Scheme: "test", Name: "pat"}, "k_")
	if err != nil {
		t.Fatal(err)
	}
	e.key = secret
	if _, _, err := w.Credentials.CreateKey(ctx, w.System, credential.Key{Organization: e.organization.ID, Scheme: "test", Name: "key",
		Grants: []access.Grant{{On: e.organization.ID, Permissions: []access.Permission{access.MemberRead}}}}, "k_"); err != nil {
		t.Fatal(err)
	}
	return e
}

func export(t testing.TB, w *storetest.World, organization id.ID, opts archive.ExportOptions) ([]byte, archive.Exported) {
	t.Helper()
	var out bytes.Buffer
	e, err := service(w).Export(ctx, w.System, organization, opts, &out)
	if err != nil {
		t.Fatalf("export: %v", err)
	}
	return out.Bytes(), e
}

func load(w *storetest.World, file []byte, opts archive.ImportOptions) (archive.Report, error) {
	return service(w).Import(ctx, w.System, bytes.NewReader(file), archive.Key{}, opts)
}

// imported fails the test unless everything of the archive was.
func imported(t testing.TB, w *storetest.World, file []byte, opts archive.ImportOptions) archive.Report {
	t.Helper()
	r, err := load(w, file, opts)
	if err != nil {
		t.Fatalf("import: %v\n%v", err, r.Refused)
	}
	return r
}

// counts is what a deletion would remove, unlink and hand over, by kind and effect.
// History, which stays with its realm, is left out.
func counts(t testing.TB, w *storetest.World, organization id.ID, users erasure.Users) map[string]int {
	t.Helper()
	p, err := w.Erasure.Preview(ctx, w.System, organization, users)
	if err != nil {
		t.Fatalf("preview: %v", err)
	}
	all := map[string]int{"guests": p.Guests}
	for _, c := range p.Counts {
		if c.Effect != erasure.Redact {
			all[c.Kind.String()+" "+string(c.Effect)] += c.Rows
		}
	}
	return all
}

func reason(err error) string {
	if err == nil {
		return ""
	}
	return fault.From(err).Reason
}

func find[T any](t testing.TB, from query.Objects[T], where ...query.Condition) T {
	t.Helper()
	v, err := from.Find(ctx, where...)
	if err != nil {
		t.Fatalf("find: %v", err)
	}
	return v
}
