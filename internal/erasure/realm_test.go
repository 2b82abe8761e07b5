package erasure_test

import (
	"errors"
	"testing"
	"time"

	"guildhall/internal/access"
	"guildhall/internal/credential"
	"guildhall/internal/directory"
	"guildhall/internal/erasure"
	"guildhall/internal/fault"
	"guildhall/internal/id"
	"guildhall/internal/ledger"
	"guildhall/internal/query"
	"guildhall/internal/realm"
	"guildhall/internal/store/storetest"
)

// A leaving is a realm that is about to end, as two processes on one database see it.
type leaving struct {
	home, here, there *storetest.World // the realm that the server began with; the leaving one in this process, and in another
	organization      directory.Organization
	user              directory.User
	key               string
}

func leavings(t *testing.T, test func(t *testing.T, l leaving)) {
	for engine, address := range map[string]func() string{"sqlite": func() string { return storetest.Folder(t) }, "postgres": func() string { return storetest.URL(t) }} {
		t.Run(engine, func(t *testing.T) {
			home := storetest.Open(t, address())
			l := leaving{home: home, here: home.In(t, "Leaving"), there: storetest.Attach(t, home.Address)}
			l.there.Realm, l.there.System = l.here.Realm, l.here.System
			if err := l.here.Realms.Store.SetOrigins(ctx, l.here.Realm.ID, []string{"https://leaving.example"}); err != nil {
				t.Fatal(err)
			}
			l.organization = l.here.Organization(t, directory.Organization{Name: "Acme"})
			l.user = l.here.User(t, directory.User{Home: l.organization.ID, Email: "ada@x.example"})
			var err error
			if _, l.key, err = l.here.Credentials.CreateKey(ctx, l.here.System, credential.Key{Scheme: "t", Name: "k"}, ""); err != nil {
				t.Fatal(err)
			}
			test(t, l)
		})
	}
}

func (l leaving) delete(t *testing.T, o erasure.Options) erasure.Deletion {
	t.Helper()
	d, err := l.home.Erasure.DeleteRealm(ctx, l.home.Operator(), l.here.Realm.ID, o)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// writes tries writes into the realm.
func (l leaving) writes(w *storetest.World) map[string]error {
	_, organization := w.Directory.CreateOrganization(ctx, w.System, directory.Organization{Name: "New"})
	_, user := w.Directory.CreateUser(ctx, w.System, directory.NewUser{User: directory.User{Name: "New"}})
	_, update := w.Directory.UpdateOrganization(ctx, w.System, l.organization.ID, func(o *directory.Organization) error { o.DisplayName = "x"; return nil })
	_, end := w.Directory.DeleteOrganization(ctx, w.System, l.organization.ID, erasure.Options{})
	_, _, key := w.Credentials.CreateKey(ctx, w.System, credential.Key{Scheme: "t", Name: "n"}, "")
	_, realmWrite := w.Realms.UpdateRealm(ctx, w.System, w.Realm.ID, func(r *realm.Realm) error { r.Name = "x"; return nil })
	_, hold := w.Erasure.PlaceHold(ctx, w.System, erasure.Hold{Organization: l.organization.ID, Reason: "r"})
	_, sealed := w.Vault.Seal(ctx, w.Realm.ID, w.Realm.Default, "x", []byte("x"))
	return map[string]error{
		"create an organization": organization, "create a user": user, "change an organization": update, "delete an organization": end,
		"create a key": key, "change the realm": realmWrite, "hold an organization": hold, "seal": sealed,
		"rotate a key": w.Tokens.Prepare(ctx, w.Realm.ID),
	}
}

// reads tries reads in the realm and ways into it.
func (l leaving) reads(w *storetest.World) map[string]error {
	_, key := w.Credentials.Key(ctx, l.key, "t")
	_, organization := w.Directory.Organization(ctx, w.System, l.organization.ID)
	_, user := w.Directory.User(ctx, w.System, l.user.ID)
	_, theRealm := w.Realms.Realm(ctx, w.System, w.Realm.ID)
	var origin error
	if _, found := w.Realms.At(ctx, "leaving.example"); !found {
		origin = realm.ErrNotFound
	}
	return map[string]error{"a key": key, "an organization": organization, "a user": user, "the realm": theRealm, "its origin": origin}
}

func TestFromItsCommitARealmIsDeadOnEveryNodeAndARestoreBringsItBack(t *testing.T) {
	leavings(t, func(t *testing.T, l leaving) {
		for what, err := range l.reads(l.there) {
			if err != nil {
				t.Fatalf("%s before: %v", what, err)
			}
		}
		before := l.home.Dump(t, l.here.Realm.ID)
		d := l.delete(t, erasure.Options{Grace: time.Hour, Name: "Leaving"})
		for _, w := range []*storetest.World{l.here, l.there} {
			for what, err := range l.reads(w) {
				if kind := fault.KindOf(err); err == nil || kind != fault.NotFound && kind != fault.Unauthenticated {
					t.Errorf("%s after: %v", what, err)
				}
			}
			for what, err := range l.writes(w) {
				if fault.KindOf(err) != fault.NotFound || err == nil {
					t.Errorf("%s after: %v", what, err)
				}
			}
			page, err := w.Directory.Organizations(ctx, w.System, query.Query{})
			if err != nil || len(page.Items) != 0 {
				t.Errorf("its organizations after: %d, %v", len(page.Items), err)
			}
		}
		if _, ok, err := l.there.Purger().Claim(ctx); ok || err != nil {
			t.Errorf("a purge within the grace: %v, %v", ok, err)
		}
		if _, err := l.home.Realms.Create(ctx, realm.Realm{Name: "X", Origins: []string{"https://leaving.example"}}); !errors.Is(err, realm.ErrOriginTaken) {
			t.Errorf("its origin, by another: %v", err)
		}
		if _, err := l.home.Erasure.Restore(ctx, l.home.Operator(), d.ID, erasure.Renames{Keys: true}); err != nil {
			t.Fatal(err)
		}
		for what, err := range l.reads(l.there) {
			if err != nil {
				t.Errorf("%s restored: %v", what, err)
			}
		}
		if _, err := l.home.Raw.Exec("UPDATE realms SET version = version - 2, restored_at = 0 WHERE id = $1", int64(l.here.Realm.ID)); err != nil {
			t.Fatal(err)
		}
		if after := l.home.Dump(t, l.here.Realm.ID); after != before {
			t.Errorf("what came back is\n%s\nit was\n%s", after, before)
		}
		l.home.Scan(t)
	})
}

func TestARestoredRealmHasItsKeysOnlyWhenAskedFor(t *testing.T) {
	leavings(t, func(t *testing.T, l leaving) {
		v := must1(l.here.Directory.Invite(ctx, l.here.System, directory.Invitation{Organization: l.organization.ID, Email: "eve@x.example"}))(t)
		d := l.delete(t, erasure.Options{Grace: time.Hour})
		if _, err := l.home.Erasure.Restore(ctx, l.home.Operator(), d.ID, erasure.Renames{}); err != nil {
			t.Fatal(err)
		}
		if _, err := l.there.Credentials.Key(ctx, l.key, "t"); !errors.Is(err, credential.ErrCredential) {
			t.Errorf("a key from before: %v", err)
		}
		l.here.View(t, func(tx storetest.Tx) error {
			if _, err := tx.Invitations().Find(ctx, query.Is("ticket_hash", directory.TicketHash(v.Ticket))); !errors.Is(err, directory.ErrInvitationNotFound) {
				t.Errorf("a link that was sent before: %v", err)
			}
			return nil
		})
		if _, err := l.home.Erasure.Restore(ctx, l.home.Operator(), d.ID, erasure.Renames{}); !errors.Is(err, erasure.ErrOver) {
			t.Errorf("restored again: %v", err)
		}
		for what, err := range l.writes(l.there) {
			if err != nil {
				t.Errorf("%s afterwards: %v", what, err)
			}
		}
	})
}

func must1[T any](v T, err error) func(t *testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func TestWhatKeepsARealmFromEnding(t *testing.T) {
	leavings(t, func(t *testing.T, l leaving) {
		operator, other := l.home.Operator(), l.here.Operator()
		refused := func(want error, by access.Actor, o erasure.Options) {
			t.Helper()
			if _, err := l.home.Erasure.DeleteRealm(ctx, by, l.here.Realm.ID, o); !errors.Is(err, want) {
				t.Errorf("refused with %v, want %v", err, want)
			}
		}
		refused(access.ErrNotOperator, l.home.System, erasure.Options{})
		refused(erasure.ErrNotHome, other, erasure.Options{})
		refused(erasure.ErrName, operator, erasure.Options{Name: "leaving"})
		refused(directory.ErrStale, operator, erasure.Options{Version: 77})
		p := must1(l.home.Erasure.PreviewRealm(ctx, operator, l.here.Realm.ID))(t)
		h := must1(l.here.Erasure.PlaceHold(ctx, l.here.System, erasure.Hold{Organization: l.organization.ID, User: l.user.ID, Reason: "case"}))(t)
		refused(erasure.ErrHeld, operator, erasure.Options{})
		must1(l.here.Erasure.ReleaseHold(ctx, l.here.System, h.ID))(t)
		refused(erasure.ErrChanged, operator, erasure.Options{Fingerprint: p.Fingerprint})
		h = must1(l.home.Erasure.PlaceHold(ctx, operator, erasure.Hold{Realm: l.here.Realm.ID, Reason: "case"}))(t)
		refused(erasure.ErrHeld, operator, erasure.Options{})
		must1(l.home.Erasure.ReleaseHold(ctx, operator, h.ID))(t)
		protect := func(on bool) {
			t.Helper()
			must1(l.home.Realms.UpdateRealm(ctx, operator, l.here.Realm.ID, func(r *realm.Realm) error { r.Protected = on; return nil }))(t)
		}
		protect(true)
		refused(erasure.ErrRealmProtected, operator, erasure.Options{})
		protect(false)
		must1(l.here.Directory.UpdateOrganization(ctx, l.here.System, l.organization.ID, func(o *directory.Organization) error { o.Protected = true; return nil }))(t)
		refused(erasure.ErrProtected, operator, erasure.Options{})
		if _, err := l.home.Erasure.DeleteRealm(ctx, operator, l.home.Realm.ID, erasure.Options{}); !errors.Is(err, erasure.ErrHome) {
			t.Errorf("the realm that the server began with: %v", err)
		}
		if _, err := l.home.Erasure.DeleteRealm(ctx, operator, l.organization.ID, erasure.Options{}); !errors.Is(err, erasure.ErrSubjectNotFound) {
			t.Errorf("no realm: %v", err)
		}
		l.home.Scan(t)
	})
}

func TestAHoldStopsThePurgeOfARealmWhereItIs(t *testing.T) {
	leavings(t, func(t *testing.T, l leaving) {
		operator := l.home.Operator()
		d := l.delete(t, erasure.Options{})
		p := l.there.Purger()
		job, ok, err := p.Claim(ctx)
		if err != nil || !ok {
			t.Fatal(ok, err)
		}
		if done, err := p.Batch(ctx, job, 3); err != nil || done.Rows != 3 {
			t.Fatalf("%+v, %v", done, err)
		}
		h := must1(l.home.Erasure.PlaceHold(ctx, operator, erasure.Hold{Realm: l.here.Realm.ID, Reason: "case 7 of Ada"}))(t)
		rows, _ := l.home.Of(t, l.here.Realm.ID)
		if done, err := p.Batch(ctx, job, 3); err != nil || !done.Waiting || done.Rows != 0 {
			t.Errorf("a batch while a hold stands: %+v, %v", done, err)
		}
		if left, _ := l.home.Of(t, l.here.Realm.ID); left != rows {
			t.Errorf("%d rows went while a hold stood", rows-left)
		}
		if _, err := l.home.Erasure.Restore(ctx, operator, d.ID, erasure.Renames{}); !errors.Is(err, erasure.ErrPurging) {
			t.Errorf("restored in the midst of the purge: %v", err)
		}
		if err := p.Release(ctx, job, nil); err != nil {
			t.Fatal(err)
		}
		must1(l.home.Erasure.ReleaseHold(ctx, operator, h.ID))(t)
		if findings, err := l.home.DB.Doctor(ctx); err != nil || len(findings) > 0 {
			t.Errorf("the doctor in the midst of a purge: %+v, %v", findings, err)
		}
		l.home.Purge(t, 4)
		l.home.Scan(t)
		if n, where := l.home.Of(t, l.here.Realm.ID); n != 0 {
			t.Errorf("%d rows are left: %v", n, where)
		}
		if n := l.home.Count(t, "holds", "reason <> ''"); n != 0 {
			t.Errorf("%d holds still tell their reason", n)
		}
		r := must1(l.home.Erasure.Receipt(ctx, operator, d.ID))(t)
		keys := must1(ledger.ParseKeys(must1(l.home.Tokens.JWKS(ctx, l.home.Realm.ID))(t)))(t)
		link := must1(ledger.Open(r.JWS, keys))(t)
		if link.Kind != "realm" || link.Subject != l.here.Realm.ID.String() || link.Realm != l.home.Realm.ID.String() || len(link.Holds) != 1 || len(link.Counts) == 0 {
			t.Errorf("the receipt says %+v", link.Statement)
		}
	})
}

func TestDeletionsInADeletedRealmGoOnAndBulkOnesWait(t *testing.T) {
	leavings(t, func(t *testing.T, l leaving) {
		second := l.here.Organization(t, directory.Organization{Name: "Second"})
		if err := l.here.Tokens.Prepare(ctx, l.here.Realm.ID); err != nil {
			t.Fatal(err)
		}
		first := l.here.Delete(t, l.organization.ID, erasure.Erase)
		all := []query.Condition{query.Is("name", "Second")}
		bulk := must1(l.here.Erasure.PreviewBulk(ctx, l.here.System, all))(t)
		must1(l.here.Erasure.DeleteBulk(ctx, l.here.System, erasure.Bulk{Users: erasure.Erase, Where: all}, bulk.Fingerprint))(t)
		d := l.delete(t, erasure.Options{Grace: time.Hour})
		p := l.there.Purger()
		for range 2 {
			job, ok, err := p.Claim(ctx)
			if err != nil || !ok {
				t.Fatal(ok, err)
			}
			for {
				done, err := p.Batch(ctx, job, 10)
				if err != nil {
					t.Fatal(err)
				}
				if job.Bulk {
					if !done.Waiting {
						t.Errorf("a bulk deletion went on: %+v", done)
					}
					break
				}
				if done.Finished {
					if err := p.Seal(ctx, job); err != nil {
						t.Fatal(err)
					}
					break
				}
			}
			if err := p.Release(ctx, job, nil); err != nil {
				t.Fatal(err)
			}
		}
		if n := l.home.Count(t, "organizations", "id = $1", int64(l.organization.ID)); n != 0 {
			t.Error("what was asked for before the realm ended was not done")
		}
		if n := l.home.Count(t, "organizations", "id = $1 AND deleted_at = 0", int64(second.ID)); n != 1 {
			t.Error("a bulk deletion ended an organization of a dead realm")
		}
		must1(l.home.Erasure.Restore(ctx, l.home.Operator(), d.ID, erasure.Renames{}))(t)
		if r, err := l.here.Erasure.Receipt(ctx, l.here.System, first.Deletion.ID); err != nil || r.Number != 1 {
			t.Errorf("its receipt in the realm that is back: %+v, %v", r, err)
		}
		l.home.Clock.Move(2 * time.Minute)
		l.home.Purge(t, 50)
		l.home.Scan(t)
		if n := l.home.Count(t, "organizations", "id = $1", int64(second.ID)); n != 0 {
			t.Error("the bulk deletion did not go on when the realm was back")
		}
	})
}

func TestThePurgeOfARealmTakesThePurgesInItAlong(t *testing.T) {
	leavings(t, func(t *testing.T, l leaving) {
		l.here.Delete(t, l.organization.ID, erasure.Erase)
		p := l.there.Purger()
		inside, ok, err := p.Claim(ctx)
		if err != nil || !ok {
			t.Fatal(ok, err)
		}
		if _, err := p.Batch(ctx, inside, 1); err != nil {
			t.Fatal(err)
		}
		l.delete(t, erasure.Options{})
		other := l.home.Purger()
		job, ok, err := other.Claim(ctx)
		if err != nil || !ok || job.Realm != l.home.Realm.ID {
			t.Fatal(job, ok, err)
		}
		if _, err := other.Batch(ctx, job, 1000); err != nil {
			t.Fatal(err)
		}
		if _, err := p.Batch(ctx, inside, 1); !errors.Is(err, erasure.ErrLost) && fault.KindOf(err) != fault.NotFound {
			t.Errorf("the purge in it goes on: %v", err)
		}
		if err := other.Release(ctx, job, nil); err != nil {
			t.Fatal(err)
		}
		l.home.Purge(t, 100)
		l.home.Scan(t)
		if n, where := l.home.Of(t, l.here.Realm.ID); n != 0 {
			t.Errorf("%d rows are left: %v", n, where)
		}
	})
}

func TestWhatIsWrittenWhileARealmEndsGoesWithItOrFails(t *testing.T) {
	leavings(t, func(t *testing.T, l leaving) {
		stop, failed := make(chan struct{}), make(chan error, 16)
		for n := range 8 {
			w := []*storetest.World{l.here, l.there}[n%2]
			go func() {
				for {
					_, err := w.Directory.CreateUser(ctx, w.System, directory.NewUser{User: directory.User{Name: "x"}})
					if err != nil {
						failed <- err
						return
					}
					select {
					case <-stop:
						failed <- nil
						return
					default:
					}
				}
			}()
		}
		time.Sleep(50 * time.Millisecond)
		l.delete(t, erasure.Options{})
		rows := l.home.Count(t, "users", "realm_id = $1", int64(l.here.Realm.ID))
		l.home.Purge(t, 500)
		close(stop)
		for range 8 {
			if err := <-failed; fault.KindOf(err) != fault.NotFound || err == nil {
				t.Errorf("a write into a realm that ended: %v", err)
			}
		}
		if n, where := l.home.Of(t, l.here.Realm.ID); n != 0 || rows == 0 {
			t.Errorf("%d rows of %d users are left: %v", n, rows, where)
		}
		l.home.Scan(t)
	})
}

func TestHomeIsWhereOthersEnd(t *testing.T) {
	w := storetest.Open(t, storetest.Folder(t))
	w.In(t, "Second")
	w.View(t, func(tx storetest.Tx) error {
		if i, err := tx.Home(ctx); err != nil || i != w.Realm.ID || i == id.None {
			t.Errorf("home is %d, %v", i, err)
		}
		return nil
	})
}
