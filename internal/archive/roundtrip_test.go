package archive_test

import (
	"bytes"
	"fmt"
	"maps"
	"testing"

	"guildhall/internal/archive"
	"guildhall/internal/directory"
	"guildhall/internal/erasure"
	"guildhall/internal/id"
	"guildhall/internal/query"
	"guildhall/internal/store/storetest"
)

func TestARoundTripIntoAnEmptyRealmGivesTheSamePreview(t *testing.T) {
	onBothEngines(t, func(t *testing.T, address func(testing.TB) string) {
		from, to := storetest.Open(t, address(t)), storetest.Open(t, address(t))
		e := settle(t, from)
		// The realm knows the organization that a project is granted to, and the role.
		must(to.Directory.CreateRole(ctx, to.System, directory.Role{Key: "Auditor"}))(t)
		other, _ := export(t, from, e.other.ID, archive.ExportOptions{})
		imported(t, to, other, archive.ImportOptions{})
		file, _ := export(t, from, e.organization.ID, archive.ExportOptions{Credentials: true})
		r := imported(t, to, file, archive.ImportOptions{Credentials: true})
		if len(r.LeftOut) > 0 {
			t.Errorf("left out: %v", r.LeftOut)
		}
		for _, users := range []erasure.Users{erasure.Erase, erasure.Detach} {
			want, got := counts(t, from, e.organization.ID, users), counts(t, to, r.Organization, users)
			if !maps.Equal(got, want) {
				t.Errorf("%s: the preview counts %v, before the journey it was %v", users, got, want)
			}
		}
		to.Scan(t)
		again := imported(t, to, file, archive.ImportOptions{Credentials: true})
		if !again.Already || again.Organization != r.Organization {
			t.Errorf("the archive was imported again: %+v", again)
		}
		if n := to.Count(t, "organizations", "slug = 'acme'"); n != 1 {
			t.Errorf("there are %d organizations", n)
		}
	})
}

func TestWhatIsImportedIsWhatWasExported(t *testing.T) {
	from, to := storetest.Open(t, storetest.Folder(t)), storetest.Open(t, storetest.Folder(t))
	e := settle(t, from)
	file, _ := export(t, from, e.organization.ID, archive.ExportOptions{Credentials: true})
	r := imported(t, to, file, archive.ImportOptions{Credentials: true})
	to.View(t, func(tx storetest.Tx) error {
		o := find(t, tx.Organizations(), query.Is("id", r.Organization))
		if o.Name != "Äcme" || o.ExternalID != "crm-1" || o.Public["plan"] != "gold" || !o.Settings.MFARequired || !o.CreatedAt.Equal(e.organization.CreatedAt) {
			t.Errorf("the organization is %+v", o)
		}
		u := find(t, tx.Users(), query.Is("alias", "test:ada"))
		if u.Home != r.Organization || u.Scope != r.Organization || u.Email != "Ada@acme.example" || u.Private["desk"] != "4" || u.Phone != "+12025550123" {
			t.Errorf("the user is %+v", u)
		}
		m := find(t, tx.Members(), query.Is("user_id", u.ID))
		if m.Organization != r.Organization || !m.Breakglass || m.ExternalID != "m-1" {
			t.Errorf("the member is %+v", m)
		}
		entry := find(t, tx.Entries(), query.Is("user_id", id.None))
		if !bytes.Equal(entry.Value, []byte("\x00\xff")) {
			t.Errorf("the entry is %+v", entry)
		}
		d := find(t, tx.Domains(), query.Is("name", "acme.example"))
		if d.Verified || d.Token == "" {
			t.Errorf("the domain needs no proof: %+v", d)
		}
		return nil
	})
	p, err := to.Credentials.Key(ctx, e.key, "test")
	if err != nil || p.Realm != to.Realm.ID || p.Organization != r.Organization {
		t.Errorf("the key gives %+v, %v", p, err)
	}
	if _, err := to.Credentials.Client(ctx, "client-1", "s3cret", "test"); err != nil {
		t.Errorf("the client secret: %v", err)
	}
	if n := to.Count(t, "credentials", "kind = 'password'"); n != 1 {
		t.Errorf("%d passwords", n)
	}
}

func TestT_R07_AnExportHoldsItsOrganizationAloneAndNoSecretsUnlessAsked(t *testing.T) {
	w := storetest.Open(t, storetest.Folder(t))
	e := settle(t, w)
	for _, credentials := range []bool{false, true} {
		file, _ := export(t, w, e.organization.ID, archive.ExportOptions{Credentials: credentials})
		all := unpacked(t, file)
		for what, canary := range map[string]string{"the private data of a guest": "PRIVATE-OF-GUEST", "the phone of a guest": "+12025550199", "the key itself": e.key, "another organization": `"Other"`} {
			if bytes.Contains(all, []byte(canary)) {
				t.Errorf("credentials %v: %s is in the archive", credentials, what)
			}
		}
		for _, column := range []string{`"hash"`, `"secret_hash"`, `"ticket_hash"`, "$argon2id$"} {
			if got := bytes.Contains(all, []byte(column)); got != (credentials && column != `"ticket_hash"`) {
				t.Errorf("credentials %v: %s is in the archive: %v", credentials, column, got)
			}
		}
	}
}

// unpacked gives all lines of an archive.
func unpacked(t testing.TB, file []byte) []byte {
	t.Helper()
	var all lines
	if _, err := archive.Read(bytes.NewReader(file), archive.Limits{}, &all); err != nil {
		t.Fatal(err)
	}
	return all.text
}

type lines struct{ text []byte }

func (l *lines) Head(archive.Head) error { return nil }
func (l *lines) Line(kind string, _ int, text []byte) error {
	l.text = append(append(append(l.text, kind...), ' '), text...)
	l.text = append(l.text, '\n')
	return nil
}

// TestAnExportIsOfOneMoment exports while members come and go: whatever it holds
// fits together, so that all of it can be imported.
func TestAnExportIsOfOneMoment(t *testing.T) {
	onBothEngines(t, func(t *testing.T, address func(testing.TB) string) {
		from, to := storetest.Open(t, address(t)), storetest.Open(t, address(t))
		o := from.Organization(t, directory.Organization{Name: "Busy", Slug: "busy"})
		role := must(from.Directory.CreateRole(ctx, from.System, directory.Role{Organization: o.ID, Key: "r"}))(t)
		stop, done := make(chan struct{}), make(chan error, 1)
		go func() {
			for n := 0; ; n++ {
				u, err := from.Directory.CreateUser(ctx, from.System, directory.NewUser{User: directory.User{Home: o.ID, Username: fmt.Sprint("u", n)}, Roles: []id.ID{role.ID}})
				if err == nil && n%3 == 0 {
					err = from.Directory.RemoveMember(ctx, from.System, o.ID, u.ID, erasure.Options{})
				}
				select {
				case <-stop:
					done <- err
					return
				default:
				}
				if err != nil {
					done <- err
					return
				}
			}
		}()
		for n := range 5 {
			file, _ := export(t, from, o.ID, archive.ExportOptions{})
			r, err := load(to, file, archive.ImportOptions{DryRun: true, Slug: fmt.Sprint("busy-", n)})
			if err != nil || len(r.LeftOut) > 0 {
				t.Errorf("%v %v %v", err, r.Refused, r.LeftOut)
			}
		}
		close(stop)
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// TestOneOfManyImportsAtOnceIsMade imports one archive at the same time again and again.
func TestOneOfManyImportsAtOnceIsMade(t *testing.T) {
	onBothEngines(t, func(t *testing.T, address func(testing.TB) string) {
		from, to := storetest.Open(t, storetest.Folder(t)), storetest.Open(t, address(t))
		e := settle(t, from)
		file, _ := export(t, from, e.organization.ID, archive.ExportOptions{})
		results := make(chan error, 4)
		for range cap(results) {
			go func() {
				_, err := load(to, file, archive.ImportOptions{})
				results <- err
			}()
		}
		for range cap(results) {
			if err := <-results; err != nil && reason(err) != "archive_refused" {
				t.Errorf("%v", err)
			}
		}
		if n := to.Count(t, "organizations", "slug_key = 'acme'"); n != 1 {
			t.Errorf("%d organizations were made", n)
		}
		to.Scan(t)
		if r := imported(t, to, file, archive.ImportOptions{}); !r.Already {
			t.Errorf("%+v", r)
		}
	})
}
