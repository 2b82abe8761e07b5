package erasure_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"guildhall/internal/credential"
	"guildhall/internal/directory"
	"guildhall/internal/erasure"
	"guildhall/internal/id"
	"guildhall/internal/project"
	"guildhall/internal/query"
	"guildhall/internal/store/storetest"
)

// A model is what must be there, as a test that only adds and takes away would
// write it down. Numbers count what hangs on a living owner.
type model struct {
	*storetest.World
	n        int
	orgs     map[id.ID]bool
	users    map[id.ID]id.ID          // to their home
	members  map[[2]id.ID]bool        // organization and user
	owned    map[string]map[id.ID]int // by table: how many rows hang on an organization alone
	personal map[string]map[id.ID]int // by table: how many rows hang on a user alone
	projects map[id.ID]id.ID          // to their organization
	shared   map[[2]id.ID]bool        // project grants: project and organization
	admins   map[[2]id.ID]bool        // organization and user
	invited  map[id.ID][]id.ID        // to organizations: by user
}

func newModel(w *storetest.World) *model {
	return &model{
		World: w, orgs: map[id.ID]bool{w.Realm.Default: true}, users: map[id.ID]id.ID{}, members: map[[2]id.ID]bool{},
		owned:    map[string]map[id.ID]int{"domains": {}, "roles": {}, "api_keys": {}, "applications": {}},
		personal: map[string]map[id.ID]int{"api_keys": {}, "entries": {}, "credentials": {}},
		projects: map[id.ID]id.ID{w.Realm.SystemProject: w.Realm.Default}, shared: map[[2]id.ID]bool{}, admins: map[[2]id.ID]bool{}, invited: map[id.ID][]id.ID{},
	}
}

var ctx = context.Background()

// pick draws a key of a map, or fails the step when there is none.
func pick[V any](t *rapid.T, m map[id.ID]V, what string) id.ID {
	keys := slices.Sorted(maps.Keys(m))
	if len(keys) == 0 {
		t.Skip("none") // arch:allow the property test leaves this step out
	}
	return rapid.SampledFrom(keys).Draw(t, what)
}

func (m *model) next() int { m.n++; return m.n }

func must(t *rapid.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (m *model) createOrganization(t *rapid.T) {
	o := m.Organization(t, directory.Organization{Name: fmt.Sprint(m.next()), Alias: fmt.Sprint("t:", m.n)})
	m.orgs[o.ID] = true
}

func (m *model) createUser(t *rapid.T) {
	home := id.None
	if rapid.IntRange(0, 3).Draw(t, "homeless") > 0 {
		home = pick(t, m.orgs, "home")
	}
	u := m.User(t, directory.User{Home: home, Name: fmt.Sprint(m.next()), Alias: fmt.Sprint("t:", m.n)})
	m.users[u.ID] = home
	if home != id.None {
		m.members[[2]id.ID{home, u.ID}] = true
	}
}

func (m *model) addMember(t *rapid.T) {
	o, u := pick(t, m.orgs, "organization"), pick(t, m.users, "user")
	_, err := m.Directory.AddMember(ctx, m.System, directory.Member{Organization: o, User: u}, nil)
	if m.members[[2]id.ID{o, u}] {
		if !errors.Is(err, directory.ErrMemberExists) {
			t.Fatalf("a member was added again: %v", err)
		}
		return
	}
	must(t, err)
	m.members[[2]id.ID{o, u}] = true
}

func (m *model) removeMember(t *rapid.T) {
	o, u := pick(t, m.orgs, "organization"), pick(t, m.users, "user")
	err := m.Directory.RemoveMember(ctx, m.System, o, u, erasure.Options{})
	if m.members[[2]id.ID{o, u}] != (err == nil) {
		t.Fatalf("remove a member: %v", err)
	}
	delete(m.members, [2]id.ID{o, u})
	if err == nil { // what the user was in the organization goes along
		delete(m.admins, [2]id.ID{o, u})
	}
}

// member picks a membership.
func (m *model) member(t *rapid.T) (o, u, member id.ID) {
	if len(m.members) == 0 {
		t.Skip("none") // arch:allow the property test leaves this step out
	}
	pairs := slices.SortedFunc(maps.Keys(m.members), func(a, b [2]id.ID) int { return slices.Compare(a[:], b[:]) })
	pair := rapid.SampledFrom(pairs).Draw(t, "member")
	found, err := m.Directory.Member(ctx, m.System, pair[0], query.Is("user_id", pair[1]))
	must(t, err)
	return pair[0], pair[1], found.Member.ID
}

// endMembership leaves a moment of grace that nobody uses.
func (m *model) endMembership(t *rapid.T) {
	o, u, i := m.member(t)
	_, err := m.Directory.DeleteMember(ctx, m.System, o, i, erasure.Options{Grace: time.Microsecond})
	must(t, err)
	delete(m.members, [2]id.ID{o, u})
	delete(m.admins, [2]id.ID{o, u})
}

// endAndRestoreMembership leaves everything as it was, also when the seat was taken
// and is free again.
func (m *model) endAndRestoreMembership(t *rapid.T) {
	o, u, i := m.member(t)
	d, err := m.Directory.DeleteMember(ctx, m.System, o, i, erasure.Options{Grace: time.Hour})
	must(t, err)
	if rapid.Bool().Draw(t, "taken") {
		_, err := m.Directory.AddMember(ctx, m.System, directory.Member{Organization: o, User: u}, nil)
		must(t, err)
		if _, err := m.Erasure.Restore(ctx, m.System, d.Deletion.ID, erasure.Renames{}); !errors.Is(err, erasure.ErrConflicts) {
			t.Fatalf("restored into a seat that is taken: %v", err)
		}
		must(t, m.Directory.RemoveMember(ctx, m.System, o, u, erasure.Options{}))
	}
	_, err = m.Erasure.Restore(ctx, m.System, d.Deletion.ID, erasure.Renames{})
	must(t, err)
	if again, err := m.Directory.Member(ctx, m.System, o, query.Is("user_id", u)); err != nil || again.Member.ID != i {
		t.Fatalf("restored as %d, %v; want %d", again.Member.ID, err, i)
	}
}

func (m *model) addToOrganization(t *rapid.T) {
	o := pick(t, m.orgs, "organization")
	var err error
	what := rapid.SampledFrom(slices.Sorted(maps.Keys(m.owned))).Draw(t, "what")
	switch name := fmt.Sprint(m.next()); what {
	case "domains":
		_, err = m.Directory.AddDomain(ctx, m.System, directory.Domain{Organization: o, Name: "d" + name + ".example", Verified: true})
	case "roles":
		_, err = m.Directory.CreateRole(ctx, m.System, directory.Role{Organization: o, Key: name})
	case "api_keys":
		_, _, err = m.Credentials.CreateKey(ctx, m.System, credential.Key{Organization: o, Scheme: "t", Name: name}, "")
	case "applications":
		_, _, err = m.Credentials.CreateApplication(ctx, m.System, credential.Application{Organization: o, Scheme: "t", Name: name}, "")
	}
	must(t, err)
	m.owned[what][o]++
}

func (m *model) addToUser(t *rapid.T) {
	u := pick(t, m.users, "user")
	what := rapid.SampledFrom(slices.Sorted(maps.Keys(m.personal))).Draw(t, "what")
	switch what {
	case "api_keys":
		_, _, err := m.Credentials.CreateKey(ctx, m.System, credential.Key{User: u, Scheme: "t", Name: "k"}, "")
		must(t, err)
		m.personal[what][u]++
	case "entries":
		_, err := m.Directory.SetEntries(ctx, m.System, directory.Owner{User: u}, []directory.Entry{{Key: "k", Value: []byte("v")}})
		must(t, err)
		m.personal[what][u] = 1
	case "credentials":
		must(t, m.Directory.SetPassword(ctx, m.System, u, "$h", false))
		m.personal[what][u] = 1
	}
}

func (m *model) createProject(t *rapid.T) {
	o := pick(t, m.orgs, "organization")
	p, err := m.Projects.CreateProject(ctx, m.System, project.Project{Organization: o, Name: fmt.Sprint(m.next())})
	must(t, err)
	m.projects[p.ID] = o
}

func (m *model) grantProject(t *rapid.T) {
	p, o := pick(t, m.projects, "project"), pick(t, m.orgs, "organization")
	_, err := m.Projects.GrantProject(ctx, m.System, project.Grant{Project: p, Granted: o})
	if m.shared[[2]id.ID{p, o}] != errors.Is(err, project.ErrGrantExists) {
		t.Fatalf("grant a project: %v", err)
	}
	m.shared[[2]id.ID{p, o}] = true
}

func (m *model) appoint(t *rapid.T) {
	o, u := pick(t, m.orgs, "organization"), pick(t, m.users, "user")
	_, err := m.Projects.AddAdministrator(ctx, m.System, project.Administrator{Scope: project.OfOrganization, Object: o, User: u, Roles: []string{"X"}})
	if m.admins[[2]id.ID{o, u}] != errors.Is(err, project.ErrAdministratorExists) {
		t.Fatalf("appoint an administrator: %v", err)
	}
	m.admins[[2]id.ID{o, u}] = true
}

func (m *model) invite(t *rapid.T) {
	o, u := pick(t, m.orgs, "organization"), pick(t, m.users, "user")
	_, err := m.Directory.Invite(ctx, m.System, directory.Invitation{Organization: o, Email: "a@x.example", User: u})
	must(t, err)
	m.invited[u] = append(m.invited[u], o)
}

func (m *model) deleteOrganization(t *rapid.T) {
	o := pick(t, m.orgs, "organization")
	fate := rapid.SampledFrom([]erasure.Users{erasure.Erase, erasure.Detach}).Draw(t, "fate")
	_, err := m.Directory.DeleteOrganization(ctx, m.System, o, erasure.Options{Users: fate})
	if o == m.Realm.Default {
		if !errors.Is(err, erasure.ErrDefault) {
			t.Fatalf("the default organization was deleted: %v", err)
		}
		return
	}
	must(t, err)
	delete(m.orgs, o)
	for u, home := range m.users {
		if home == o && fate == erasure.Erase {
			m.endUser(u)
		} else if home == o {
			m.users[u] = id.None
		}
	}
	maps.DeleteFunc(m.members, func(k [2]id.ID, _ bool) bool { return k[0] == o })
	maps.DeleteFunc(m.admins, func(k [2]id.ID, _ bool) bool { return k[0] == o })
	for _, of := range m.owned {
		delete(of, o)
	}
	maps.DeleteFunc(m.shared, func(k [2]id.ID, _ bool) bool { return k[1] == o || m.projects[k[0]] == o })
	maps.DeleteFunc(m.projects, func(_, owner id.ID) bool { return owner == o })
	for u, list := range m.invited {
		m.invited[u] = slices.DeleteFunc(list, func(x id.ID) bool { return x == o })
	}
}

func (m *model) deleteUser(t *rapid.T) {
	u := pick(t, m.users, "user")
	_, err := m.Directory.DeleteUser(ctx, m.System, u, erasure.Options{})
	must(t, err)
	m.endUser(u)
}

// deleteAndRestore leaves everything as it was.
func (m *model) deleteAndRestore(t *rapid.T) {
	o := pick(t, m.orgs, "organization")
	if o == m.Realm.Default {
		t.Skip("the default organization") // arch:allow the property test leaves this step out
	}
	fate := rapid.SampledFrom([]erasure.Users{erasure.Erase, erasure.Detach}).Draw(t, "fate")
	d, err := m.Directory.DeleteOrganization(ctx, m.System, o, erasure.Options{Users: fate, Grace: time.Hour})
	must(t, err)
	if _, err := m.Directory.Organization(ctx, m.System, o); !errors.Is(err, directory.ErrOrganizationNotFound) {
		t.Fatalf("within its grace: %v", err)
	}
	_, err = m.Erasure.Restore(ctx, m.System, d.Deletion.ID, erasure.Renames{})
	must(t, err)
}

func (m *model) endUser(u id.ID) {
	delete(m.users, u)
	maps.DeleteFunc(m.members, func(k [2]id.ID, _ bool) bool { return k[1] == u })
	maps.DeleteFunc(m.admins, func(k [2]id.ID, _ bool) bool { return k[1] == u })
	for _, of := range m.personal {
		delete(of, u)
	}
	m.invited[id.None] = append(m.invited[id.None], m.invited[u]...) // the invitations stay, of nobody known
	delete(m.invited, u)
}

// purge does a batch of a purge that is due, or goes on with an earlier one.
func (m *model) purge(t *rapid.T) {
	p := m.Purger()
	job, ok, err := p.Claim(ctx)
	must(t, err)
	if !ok {
		t.Skip("nothing to purge") // arch:allow the property test leaves this step out
	}
	done, err := p.Batch(ctx, job, rapid.IntRange(1, 6).Draw(t, "limit"))
	must(t, err)
	if done.Finished {
		must(t, p.Seal(ctx, job))
		return
	}
	m.Clock.Move(time.Microsecond)
	must(t, p.Release(ctx, job, nil))
}

// check compares the living in the database with the model, through what the
// domain shows: it must be right at every moment, purged or not.
func (m *model) check(t *rapid.T) {
	m.View(t, func(tx storetest.Tx) error {
		orgs, err := tx.Organizations().Count(ctx)
		users, err2 := tx.Users().Count(ctx)
		members, err3 := tx.Members().Count(ctx)
		projects, err4 := tx.Projects().Count(ctx)
		grants, err5 := tx.ProjectGrants().Count(ctx)
		admins, err6 := tx.Administrators().Count(ctx)
		got := [6]int{orgs, users, members, projects, grants, admins}
		if want := [6]int{len(m.orgs), len(m.users), len(m.members), len(m.projects), len(m.shared), len(m.admins)}; got != want {
			t.Fatalf("organizations, users, members, projects, project grants, administrators: %v, want %v", got, want)
		}
		return errors.Join(err, err2, err3, err4, err5, err6)
	})
}

// rows compares the rows of the realm with the model after all purges.
func (m *model) rows(t *rapid.T) {
	want := map[string]int{
		"organizations": len(m.orgs), "users": len(m.users), "members": len(m.members), "projects": len(m.projects),
		"project_grants": len(m.shared), "administrators": len(m.admins),
	}
	for table, of := range m.owned {
		for _, n := range of {
			want[table] += n
		}
	}
	for table, of := range m.personal {
		for _, n := range of {
			want[table] += n
		}
	}
	for _, list := range m.invited {
		want["invitations"] += len(list)
	}
	for table, n := range want {
		if got := m.Count(t, table, "realm_id = $1", int64(m.Realm.ID)); got != n {
			t.Errorf("%d rows of %s, want %d", got, table, n)
		}
	}
}

// TestWhateverHappensNothingOutlivesItsOwner creates, links, deletes and purges
// in any order, in several realms of one database.
func TestWhateverHappensNothingOutlivesItsOwner(t *testing.T) {
	for name, address := range map[string]func(testing.TB) string{"sqlite": storetest.Folder, "postgres": storetest.URL} {
		t.Run(name, func(t *testing.T) {
			w := storetest.Attach(t, address(t))
			realms := 0
			rapid.Check(t, func(t *rapid.T) {
				realms++
				m := newModel(w.In(t, fmt.Sprint(realms)))
				t.Repeat(map[string]func(*rapid.T){
					"create an organization": m.createOrganization, "create a user": m.createUser, "create another user": m.createUser,
					"add a member": m.addMember, "remove a member": m.removeMember, "end a membership": m.endMembership, "end and restore a membership": m.endAndRestoreMembership, "add to an organization": m.addToOrganization, "add to a user": m.addToUser,
					"create a project": m.createProject, "grant a project": m.grantProject, "appoint": m.appoint, "invite": m.invite,
					"delete an organization": m.deleteOrganization, "delete a user": m.deleteUser, "delete and restore": m.deleteAndRestore, "purge": m.purge, "purge more": m.purge,
					"": m.check,
				})
				m.Purge(t, 4)
				m.rows(t)
				m.Scan(t)
			})
		})
	}
}
