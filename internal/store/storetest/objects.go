package storetest

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"testing"
	"time"

	"guildhall/internal/authn"
	"guildhall/internal/credential"
	"guildhall/internal/directory"
	"guildhall/internal/erasure"
	"guildhall/internal/fault"
	"guildhall/internal/notify"
	"guildhall/internal/project"
	"guildhall/internal/query"
	"guildhall/internal/sso"
	"guildhall/internal/vault"
	"guildhall/internal/webhook"
)

var ctx = context.Background()

// A kind is one kind of object with what its contract is tested on.
type kind[T any] struct {
	name    string
	objects func(Tx) query.Objects[T]
	missing error
	sample  func(f fixture, n int) T // every field set; different for each n
	before  func(tx Tx, f fixture, v *T) error
	stamp   func(*T) *stamp
	change  func(*T) // of something that is neither unique nor part of a check
	unset   []string // fields that are never stored, or none before they are
	// order is a field to sort by and its value, equal for many samples or not.
	order string
	value func(T) any
}

// insert makes n samples, counted from a number.
func (k kind[T]) insert(t TB, w *World, f fixture, from, n int) (out []T) {
	t.Helper()
	w.Update(t, func(tx Tx) error {
		out = nil
		for i := range n {
			v := k.sample(f, from+i)
			if k.before != nil {
				if err := k.before(tx, f, &v); err != nil {
					return err
				}
			}
			if err := k.objects(tx).Insert(ctx, &v); err != nil {
				return err
			}
			out = append(out, v)
		}
		return nil
	})
	return out
}

var (
	organizations = kind[directory.Organization]{
		name: "organizations", objects: Tx.Organizations, missing: directory.ErrOrganizationNotFound, sample: sampleOrganization,
		stamp: func(o *directory.Organization) *stamp { return &o.Stamp }, change: func(o *directory.Organization) { o.DisplayName = "changed" },
		order: "name_key", value: func(o directory.Organization) any { return directory.Fold(o.Name) },
	}
	users = kind[directory.User]{
		name: "users", objects: Tx.Users, missing: directory.ErrUserNotFound, sample: sampleUser,
		stamp: func(u *directory.User) *stamp { return &u.Stamp }, change: func(u *directory.User) { u.Nickname = "changed" },
		order: "email_verified", value: func(u directory.User) any { return u.EmailVerified },
	}
	members = kind[directory.Member]{
		name: "members", objects: Tx.Members, missing: directory.ErrMemberNotFound, sample: sampleMember, before: newPerson,
		stamp: func(m *directory.Member) *stamp { return &m.Stamp }, change: func(m *directory.Member) { m.DefaultMFA = "sms" },
		order: "user.created_at",
	}
	roles = kind[directory.Role]{
		name: "roles", objects: Tx.Roles, missing: directory.ErrRoleNotFound, sample: sampleRole,
		stamp: func(r *directory.Role) *stamp { return &r.Stamp }, change: func(r *directory.Role) { r.Description = "changed" },
		order: "name_key", value: func(r directory.Role) any { return directory.Fold(r.Name) },
	}
	roleAssignments = kind[directory.RoleAssignment]{
		name: "role assignments", objects: Tx.RoleAssignments, missing: directory.ErrAssignmentNotFound, sample: sampleAssignment,
		stamp: func(a *directory.RoleAssignment) *stamp { return &a.Stamp }, change: func(a *directory.RoleAssignment) { a.Source += "!" },
		order: "role_id",
	}
	invitations = kind[directory.Invitation]{
		name: "invitations", objects: Tx.Invitations, missing: directory.ErrInvitationNotFound, sample: sampleInvitation,
		stamp: func(v *directory.Invitation) *stamp { return &v.Stamp }, change: func(v *directory.Invitation) { v.Inviter = "changed" },
		unset: []string{"Ticket", "Link"}, order: "expires_at",
	}
	messages = kind[notify.Entry]{
		name: "messages", objects: Tx.Messages, missing: notify.ErrMessageNotFound, sample: sampleMessage,
		stamp: func(e *notify.Entry) *stamp { return &e.Stamp }, change: func(e *notify.Entry) { e.Problem = "changed" },
		order: "run_at",
	}
	messageTemplates = kind[notify.Template]{
		name: "message templates", objects: Tx.MessageTemplates, missing: notify.ErrTemplateNotFound, sample: sampleTemplate,
		stamp: func(v *notify.Template) *stamp { return &v.Stamp }, change: func(v *notify.Template) { v.Text = "changed" },
		order: "locale",
	}
	domains = kind[directory.Domain]{
		name: "domains", objects: Tx.Domains, missing: directory.ErrDomainNotFound, sample: sampleDomain,
		stamp: func(d *directory.Domain) *stamp { return &d.Stamp }, change: func(d *directory.Domain) { d.Token = "changed" },
		order: "name", value: func(d directory.Domain) any { return d.Name },
	}
	entries = kind[directory.Entry]{
		name: "entries", objects: Tx.Entries, missing: directory.ErrEntryNotFound, sample: sampleEntry,
		stamp: func(e *directory.Entry) *stamp { return &e.Stamp }, change: func(e *directory.Entry) { e.Value = []byte("changed") },
		order: "key", value: func(e directory.Entry) any { return e.Key },
	}
	projects = kind[project.Project]{
		name: "projects", objects: Tx.Projects, missing: project.ErrProjectNotFound, sample: sampleProject,
		stamp: func(p *project.Project) *stamp { return &p.Stamp }, change: func(p *project.Project) { p.PrivateLabel = "changed" },
		order: "name_key", value: func(p project.Project) any { return directory.Fold(p.Name) },
	}
	projectRoles = kind[project.Role]{
		name: "project roles", objects: Tx.ProjectRoles, missing: project.ErrRoleNotFound, sample: sampleProjectRole,
		stamp: func(r *project.Role) *stamp { return &r.Stamp }, change: func(r *project.Role) { r.Group = "changed" },
		order: "group_name",
	}
	projectGrants = kind[project.Grant]{
		name: "project grants", objects: Tx.ProjectGrants, missing: project.ErrGrantNotFound, sample: sampleGrant, before: newGranted,
		stamp: func(g *project.Grant) *stamp { return &g.Stamp }, change: func(g *project.Grant) { g.Active = false },
		order: "active",
	}
	userGrants = kind[project.UserGrant]{
		name: "user grants", objects: Tx.UserGrants, missing: project.ErrUserGrantNotFound, sample: sampleUserGrant,
		stamp: func(g *project.UserGrant) *stamp { return &g.Stamp }, change: func(g *project.UserGrant) { g.Active = false },
		order: "user.home_id",
	}
	administrators = kind[project.Administrator]{
		name: "administrators", objects: Tx.Administrators, missing: project.ErrAdministratorNotFound, sample: sampleAdministrator,
		stamp: func(a *project.Administrator) *stamp { return &a.Stamp }, change: func(a *project.Administrator) { a.Roles = []string{"changed"} },
		order: "scope",
	}
	applications = kind[credential.Application]{
		name: "applications", objects: Tx.Applications, missing: credential.ErrApplicationNotFound, sample: sampleApplication,
		stamp: func(a *credential.Application) *stamp { return &a.Stamp }, change: func(a *credential.Application) { a.Disabled = false },
		order: "client_id", value: func(a credential.Application) any { return a.ClientID },
	}
	keys = kind[credential.Key]{
		name: "keys", objects: Tx.Keys, missing: credential.ErrKeyNotFound, sample: sampleKey,
		stamp: func(k *credential.Key) *stamp { return &k.Stamp }, change: func(k *credential.Key) { k.Name = "changed" },
		order: "expires_at",
	}
	integratedAccounts = kind[credential.IntegratedAccount]{
		name: "integrated accounts", objects: Tx.IntegratedAccounts, missing: credential.ErrIntegratedAccountNotFound, sample: sampleAccount,
		stamp: func(a *credential.IntegratedAccount) *stamp { return &a.Stamp }, change: func(a *credential.IntegratedAccount) { a.Status = "changed" },
		order: "status",
	}
	proofs = kind[credential.Factor]{
		name: "credentials", objects: Tx.Factors, missing: credential.ErrFactorNotFound, sample: sampleFactor,
		stamp: func(f *credential.Factor) *stamp { return &f.Stamp }, change: func(f *credential.Factor) { f.Name = "changed" },
		order: "step",
	}
	challenges = kind[authn.Challenge]{
		name: "challenges", objects: Tx.Challenges, missing: authn.ErrChallengeNotFound, sample: sampleChallenge,
		stamp: func(c *authn.Challenge) *stamp { return &c.Stamp }, change: func(c *authn.Challenge) { c.Attempts++ },
		order: "target",
	}
	connections = kind[sso.Connection]{
		name: "connections", objects: Tx.Connections, missing: sso.ErrConnectionNotFound, sample: sampleConnection,
		stamp: func(c *sso.Connection) *stamp { return &c.Stamp }, change: func(c *sso.Connection) { c.DisplayName = "changed" },
		order: "name_key", value: func(c sso.Connection) any { return directory.Fold(c.Name) },
	}
	identities = kind[sso.Identity]{
		name: "identities", objects: Tx.Identities, missing: sso.ErrIdentityNotFound, sample: sampleIdentity, before: newConnection,
		stamp: func(i *sso.Identity) *stamp { return &i.Stamp }, change: func(i *sso.Identity) { i.Email = "changed" },
		order: "subject", value: func(i sso.Identity) any { return i.Subject },
	}
	deletions = kind[erasure.Deletion]{
		name: "deletions", objects: Tx.Deletions, missing: erasure.ErrDeletionNotFound, sample: sampleDeletion,
		stamp: func(d *erasure.Deletion) *stamp { return &d.Stamp }, unset: []string{"Asked"}, change: func(d *erasure.Deletion) { d.Reason = "changed" },
		order: "state",
	}
	held = kind[erasure.Hold]{
		name: "holds", objects: Tx.Holds, missing: erasure.ErrHoldNotFound, sample: sampleHold,
		stamp: func(h *erasure.Hold) *stamp { return &h.Stamp }, change: func(h *erasure.Hold) { h.ReleasedBy = "changed" },
		order: "reason",
	}
	receipts = kind[erasure.Receipt]{
		name: "receipts", objects: Tx.Receipts, missing: erasure.ErrNoReceipt, sample: sampleReceipt,
		stamp: func(r *erasure.Receipt) *stamp { return &r.Stamp }, change: func(r *erasure.Receipt) { r.Previous = "changed" },
		order: "number", value: func(r erasure.Receipt) any { return r.Number },
	}
	keysets = kind[vault.Keyset]{
		name: "keysets", objects: Tx.Keysets, missing: vault.ErrKeysetNotFound, sample: sampleKeyset, before: newSealed,
		stamp: func(k *vault.Keyset) *stamp { return &k.Stamp }, change: func(k *vault.Keyset) { k.Wrapped = []byte("changed") },
		order: "master",
	}
)

var (
	webhooks = kind[webhook.Webhook]{
		name: "webhooks", objects: Tx.Webhooks, missing: webhook.ErrNotFound, sample: sampleWebhook,
		stamp: func(w *webhook.Webhook) *stamp { return &w.Stamp }, change: func(w *webhook.Webhook) { w.Name = "changed" },
		order: "state",
	}
	deliveries = kind[webhook.Delivery]{
		name: "webhook deliveries", objects: Tx.Deliveries, missing: webhook.ErrDeliveryNotFound, sample: sampleDelivery, before: newWebhook,
		stamp: func(d *webhook.Delivery) *stamp { return &d.Stamp }, change: func(d *webhook.Delivery) { d.Error = "changed" },
		order: "state",
	}
)

// A tester is a kind whose type is no longer known.
type tester interface {
	contract(t *testing.T, w *World)
	owned(t *testing.T, w *World, e erasure.Edge, fate erasure.Users)
	table() string
	fill(t *testing.T, w *World, f fixture, from, n int)
}

func kinds() []tester {
	return []tester{
		organizations, users, members, roles, roleAssignments, invitations, messages, messageTemplates, domains, entries, projects, projectRoles, projectGrants,
		sessions, tokenGrants, accesses, signOuts, authorizations, consents,
		userGrants, administrators, applications, keys, integratedAccounts, proofs, challenges, connections, identities, deletions, held, receipts, keysets,
		webhooks, deliveries,
	}
}

// fill makes n samples, counted from a number.
func (k kind[T]) fill(t *testing.T, w *World, f fixture, from, n int) { k.insert(t, w, f, from, n) }

func (k kind[T]) contract(t *testing.T, w *World) {
	for name, test := range map[string]func(*testing.T, *World, fixture){
		"EveryFieldIsKept": k.everyFieldIsKept, "Missing": k.missingOnes, "OtherRealms": k.otherRealms, "Update": k.update,
		"Delete": k.deletes, "UnknownFields": k.unknownFields, "Pages": k.pages, "Rollback": k.rollback,
	} {
		t.Run(k.name+"/"+name, func(t *testing.T) {
			in := w.In(t, t.Name())
			test(t, in, newFixture(t, in))
		})
	}
}

// everyFieldIsKept compares an object with a sample in which no field is left
// out, through every way of reading.
func (k kind[T]) everyFieldIsKept(t *testing.T, w *World, f fixture) {
	put := k.insert(t, w, f, 1, 1)[0]
	s := k.stamp(&put)
	if s.ID == 0 || s.Version != 1 || s.CreatedAt.IsZero() || !s.CreatedAt.Equal(s.UpdatedAt) || time.Since(s.CreatedAt).Abs() > time.Minute {
		t.Errorf("the stamp of a new object: %+v", s)
	}
	v := reflect.ValueOf(put)
	for i := range v.NumField() {
		if name := v.Type().Field(i).Name; v.Field(i).IsZero() && !slices.Contains(k.unset, name) {
			t.Errorf("the sample leaves %s out", name)
		}
	}
	read := func(how string, got T, err error) {
		t.Helper()
		if err != nil || !reflect.DeepEqual(got, put) {
			t.Errorf("%s gave %v\n%+v, want\n%+v", how, err, got, put)
		}
	}
	all := func(tx Tx) error {
		o := k.objects(tx)
		got, err := o.Get(ctx, s.ID)
		read("Get", got, err)
		got, err = o.Hold(ctx, s.ID)
		read("Hold", got, err)
		got, err = o.Lock(ctx, s.ID)
		read("Lock", got, err)
		got, err = o.Find(ctx, query.Is("id", s.ID), query.Is("version", 1), query.Where("created_at", query.LessEq, s.CreatedAt))
		read("Find", got, err)
		page, err := o.List(ctx, query.Query{Where: []query.Condition{query.OneOf("id", []int64{int64(s.ID), 5})}, Total: true})
		if err != nil || len(page.Items) != 1 || page.Total != 1 || page.Next != nil {
			t.Fatalf("List: %+v, %v", page, err)
		}
		read("List", page.Items[0], nil)
		return nil
	}
	w.View(t, all)
	w.Update(t, all)
}

func (k kind[T]) missingOnes(t *testing.T, w *World, f fixture) {
	put := k.insert(t, w, f, 1, 1)[0]
	for _, i := range []int64{-1, 0, 5, int64(k.stamp(&put).ID) + 1} {
		where := query.Is("id", i)
		w.Update(t, func(tx Tx) error {
			o := k.objects(tx)
			_, err := o.Get(ctx, idOf(i))
			k.isMissing(t, "Get", err)
			_, err = o.Hold(ctx, idOf(i))
			k.isMissing(t, "Hold", err)
			_, err = o.Lock(ctx, idOf(i))
			k.isMissing(t, "Lock", err)
			_, err = o.Find(ctx, where)
			k.isMissing(t, "Find", err)
			k.isMissing(t, "Delete", o.Delete(ctx, idOf(i)))
			lost := put
			k.stamp(&lost).ID = idOf(i)
			k.isMissing(t, "Update", o.Update(ctx, &lost))
			if n, err := o.DeleteWhere(ctx, where); n != 0 || err != nil {
				t.Errorf("DeleteWhere deleted %d, %v", n, err)
			}
			if n, err := o.Count(ctx, where); n != 0 || err != nil {
				t.Errorf("Count gave %d, %v", n, err)
			}
			return nil
		})
	}
}

func (k kind[T]) isMissing(t *testing.T, how string, err error) {
	t.Helper()
	if !errors.Is(err, k.missing) || fault.KindOf(err) != fault.NotFound {
		t.Errorf("%s of what does not exist: %v, want %v", how, err, k.missing)
	}
}

// otherRealms looks for an object from another realm in every way there is.
func (k kind[T]) otherRealms(t *testing.T, w *World, f fixture) {
	put := k.insert(t, w, f, 1, 1)[0]
	i := k.stamp(&put).ID
	other := w.In(t, t.Name()+" other")
	where := query.Is("id", i)
	other.Update(t, func(tx Tx) error {
		o := k.objects(tx)
		_, err := o.Get(ctx, i)
		k.isMissing(t, "Get", err)
		_, err = o.Hold(ctx, i)
		k.isMissing(t, "Hold", err)
		_, err = o.Lock(ctx, i)
		k.isMissing(t, "Lock", err)
		_, err = o.Find(ctx, where)
		k.isMissing(t, "Find", err)
		changed := put
		k.change(&changed)
		k.isMissing(t, "Update", o.Update(ctx, &changed))
		k.isMissing(t, "Delete", o.Delete(ctx, i))
		if n, err := o.DeleteWhere(ctx, where, query.Where("id", query.More, 0)); err != nil {
			t.Errorf("DeleteWhere: %d, %v", n, err)
		}
		if n, err := o.Count(ctx, where); n != 0 || err != nil {
			t.Errorf("Count: %d, %v", n, err)
		}
		page, err := o.List(ctx, query.Query{Where: []query.Condition{query.Any(where, query.All())}, Total: true})
		for _, item := range page.Items {
			if k.stamp(&item).ID == i {
				t.Error("List shows it")
			}
		}
		return err
	})
	w.View(t, func(tx Tx) error {
		got, err := k.objects(tx).Get(ctx, i)
		if err != nil || !reflect.DeepEqual(got, put) {
			t.Errorf("afterwards in its own realm: %+v, %v", got, err)
		}
		return nil
	})
}

func (k kind[T]) update(t *testing.T, w *World, f fixture) {
	put := k.insert(t, w, f, 1, 1)[0]
	i := k.stamp(&put).ID
	changed, stale := put, put
	k.change(&changed)
	k.change(&stale)
	w.Clock.Move(time.Second)
	w.Update(t, func(tx Tx) error { return k.objects(tx).Update(ctx, &changed) })
	s := k.stamp(&changed)
	if s.Version != 2 || !s.UpdatedAt.After(s.CreatedAt) {
		t.Errorf("the stamp after an update: %+v", s)
	}
	err := w.Store.Update(ctx, w.Realm.ID, func(tx Tx) error { return k.objects(tx).Update(ctx, &stale) })
	if !errors.Is(err, directory.ErrStale) {
		t.Errorf("an update of what changed meanwhile: %v", err)
	}
	w.View(t, func(tx Tx) error {
		got, err := k.objects(tx).Get(ctx, i)
		if err != nil || !reflect.DeepEqual(got, changed) {
			t.Errorf("after the update %v\n%+v, want\n%+v", err, got, changed)
		}
		return nil
	})
}

func (k kind[T]) deletes(t *testing.T, w *World, f fixture) {
	put := k.insert(t, w, f, 1, 4)
	ids := make([]int64, len(put))
	for n := range put {
		ids[n] = int64(k.stamp(&put[n]).ID)
	}
	w.Update(t, func(tx Tx) error {
		o := k.objects(tx)
		if _, err := o.DeleteWhere(ctx); err == nil {
			t.Error("a deletion of everything, without a condition, was carried out")
		}
		if err := o.Delete(ctx, idOf(ids[0])); err != nil {
			return err
		}
		k.isMissing(t, "a second Delete", o.Delete(ctx, idOf(ids[0])))
		if n, err := o.DeleteWhere(ctx, query.OneOf("id", ids[:3])); n != 2 || err != nil {
			t.Errorf("DeleteWhere deleted %d, %v; want 2", n, err)
		}
		_, err := o.Get(ctx, idOf(ids[1]))
		k.isMissing(t, "Get after DeleteWhere", err)
		_, err = o.Get(ctx, idOf(ids[3]))
		return err
	})
}

func (k kind[T]) unknownFields(t *testing.T, w *World, f fixture) {
	k.insert(t, w, f, 1, 1)
	for _, field := range []string{
		"nonsense", "", "ID", "id ", "id; DROP TABLE users", "realm_id", "deleted_at", "users.id", `"id"`, "`id`", "1", "id--", "user.nonsense", "name_key DESC",
	} {
		check := func(how string, err error) {
			t.Helper()
			if !errors.Is(err, query.ErrField) {
				t.Errorf("%s by %q: %v", how, field, err)
			}
		}
		w.View(t, func(tx Tx) error {
			o := k.objects(tx)
			_, err := o.Find(ctx, query.Is(field, 1))
			check("Find", err)
			_, err = o.Count(ctx, query.Not(query.Any(query.Is(field, 1))))
			check("Count", err)
			_, err = o.DeleteWhere(ctx, query.Is(field, 1))
			check("DeleteWhere", err)
			_, err = o.List(ctx, query.Query{Where: []query.Condition{query.All(query.Is(field, 1))}})
			check("List", err)
			if field != "" { // which means by age
				_, err = o.List(ctx, query.Query{By: field})
				check("an order", err)
			}
			return nil
		})
	}
}

// pages walks lists in both directions, by age and by a field with ties, in
// pages of every size.
func (k kind[T]) pages(t *testing.T, w *World, f fixture) {
	w.analyze(t)
	const n = 7
	put := k.insert(t, w, f, 1, n)
	var ids []int64
	for i := range put {
		ids = append(ids, int64(k.stamp(&put[i]).ID))
	}
	where := []query.Condition{query.OneOf("id", ids)}
	for _, by := range []string{"", "id", "created_at", k.order} {
		w.View(t, func(tx Tx) error {
			o := k.objects(tx)
			up, err := o.List(ctx, query.Query{Where: where, By: by})
			if err != nil {
				t.Fatalf("a list by %q: %v", by, err)
			}
			sorted := k.ids(up.Items)
			k.inOrder(t, by, up.Items)
			for _, desc := range []bool{false, true} {
				want := slices.Clone(sorted)
				if desc {
					slices.Reverse(want)
				}
				for _, size := range []int{1, 3, n, n + 1} {
					k.walk(t, o, query.Query{Where: where, By: by, Desc: desc, Limit: size, Total: true}, want)
				}
				k.skip(t, o, query.Query{Where: where, By: by, Desc: desc, Limit: 3}, want)
			}
			return nil
		})
	}
}

// walk reads a list page by page; that must give want.
func (k kind[T]) walk(t *testing.T, o query.Objects[T], q query.Query, want []int64) {
	t.Helper()
	var walked []int64
	for next := q; ; {
		page, err := o.List(ctx, next)
		if err != nil || page.Total != len(want) || len(page.Items) > q.Limit {
			t.Fatalf("a page of %+v: %d items of %d, %v", next, len(page.Items), page.Total, err)
		}
		walked = append(walked, k.ids(page.Items)...)
		if page.Next == nil || len(walked) > len(want) {
			break
		}
		next.After = carried(t, *page.Next)
	}
	if !slices.Equal(walked, want) {
		t.Errorf("pages of %d by %q (descending: %v) gave %v, want %v", q.Limit, q.By, q.Desc, walked, want)
	}
}

// skip reads pages of a list from every place in it.
func (k kind[T]) skip(t *testing.T, o query.Objects[T], q query.Query, want []int64) {
	t.Helper()
	for q.Skip = 0; q.Skip <= len(want)+1; q.Skip++ {
		page, err := o.List(ctx, q)
		expect := want[min(q.Skip, len(want)):min(q.Skip+q.Limit, len(want))]
		if err != nil || !slices.Equal(k.ids(page.Items), expect) || (page.Next != nil) != (q.Skip+q.Limit < len(want)) {
			t.Errorf("skipping %d by %q: %v (next %v), %v; want %v", q.Skip, q.By, k.ids(page.Items), page.Next, err, expect)
		}
	}
}

func (k kind[T]) inOrder(t *testing.T, by string, items []T) {
	t.Helper()
	for i := 1; i < len(items); i++ {
		a, b := k.stamp(&items[i-1]), k.stamp(&items[i])
		if by == k.order && k.value != nil {
			if less(k.value(items[i]), k.value(items[i-1])) {
				t.Errorf("by %q %v comes before %v", by, k.value(items[i-1]), k.value(items[i]))
			}
		} else if by != k.order && a.ID >= b.ID {
			t.Errorf("by %q %d comes before %d", by, a.ID, b.ID)
		}
	}
}

func (k kind[T]) ids(items []T) []int64 {
	out := make([]int64, len(items))
	for i := range items {
		out[i] = int64(k.stamp(&items[i]).ID)
	}
	return out
}

// rollback checks that nothing is left of a transaction that failed, however it
// did, and that the next one works.
func (k kind[T]) rollback(t *testing.T, w *World, f fixture) {
	kept := k.insert(t, w, f, 1, 1)[0]
	var lost T
	work := func(tx Tx) error {
		lost = k.sample(f, 2)
		if k.before != nil {
			if err := k.before(tx, f, &lost); err != nil {
				return err
			}
		}
		changed := kept
		k.change(&changed)
		o := k.objects(tx)
		return errors.Join(o.Insert(ctx, &lost), o.Update(ctx, &changed), o.Delete(ctx, k.stamp(&kept).ID))
	}
	gone := fault.Invalidf("x", "this is how the test ends a transaction")
	for name, fail := range map[string]func(Tx) error{
		"an error": func(tx Tx) error { return errors.Join(work(tx), gone) },
		"a panic":  func(tx Tx) error { panic(errors.Join(work(tx), gone)) },
	} {
		func() {
			defer func() { _ = recover() }()
			if err := w.Store.Update(ctx, w.Realm.ID, fail); !errors.Is(err, gone) {
				t.Errorf("after %s Update gave %v", name, err)
			}
		}()
		w.Update(t, func(tx Tx) error {
			o := k.objects(tx)
			_, err := o.Get(ctx, k.stamp(&lost).ID)
			k.isMissing(t, "Get of what "+name+" took back", err)
			got, err := o.Lock(ctx, k.stamp(&kept).ID)
			if err != nil || !reflect.DeepEqual(got, kept) {
				t.Errorf("after %s: %+v, %v", name, got, err)
			}
			return nil
		})
	}
}
