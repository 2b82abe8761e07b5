package webhook_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"guildhall/internal/access"
	"guildhall/internal/dialect/native"
	"guildhall/internal/directory"
	"guildhall/internal/erasure"
	"guildhall/internal/event"
	"guildhall/internal/fault"
	"guildhall/internal/id"
	"guildhall/internal/query"
	"guildhall/internal/store"
	"guildhall/internal/store/storetest"
	"guildhall/internal/webhook"
)

func TestT_N07_MessagesAreVerifiedByTheReferenceLibrary(t *testing.T) {
	onBoth(t, func(t *testing.T, s *scene) {
		r := newReceiver(t)
		_, secret := s.hook(t, webhook.Draft{URL: r.URL + "/a", Types: []string{"organization.created"}})
		s.work(t, 0)
		o := s.Organization(t, directory.Organization{Name: "Ünïcödé <Acme>"})
		m := r.await(t, "/a", 1)[0]
		verifier, err := standardwebhooks.NewWebhook(secret)
		if err != nil {
			t.Fatal(err)
		}
		if err := verifier.Verify([]byte(m.body), m.header); err != nil {
			t.Errorf("the message: %v", err)
		}
		if err := verifier.Verify([]byte(m.body+" "), m.header); err == nil {
			t.Error("a changed body is accepted")
		}
		other := m.header.Clone()
		other.Set("webhook-id", "evt_other")
		if err := verifier.Verify([]byte(m.body), other); err == nil {
			t.Error("another id is accepted")
		}
		old := m.header.Clone()
		old.Set("webhook-timestamp", fmt.Sprint(time.Now().Add(-6*time.Minute).Unix()))
		if err := verifier.Verify([]byte(m.body), old); err == nil {
			t.Error("another time is accepted")
		}
		for _, want := range []string{
			`"organization":"` + native.Spell(s.Realm.ID, id.Organization, o.ID) + `"`, `"kind":"organization"`, `"event":"` + m.id + `"`,
			`"details":{"name":"Ünïcödé \u003cAcme\u003e","slug":"` + o.Slug + `"}`, `"actor":"system"`,
		} {
			if !strings.Contains(m.body, want) {
				t.Errorf("the body lacks %s: %s", want, m.body)
			}
		}
	})
}

func TestT_N07_DuringARotationBothSecretsVerify(t *testing.T) {
	onBoth(t, func(t *testing.T, s *scene) {
		r := newReceiver(t)
		w, first := s.hook(t, webhook.Draft{URL: r.URL + "/a", Types: []string{"organization.created"}})
		s.work(t, 0)
		verifies := func(m message, secret string) bool {
			v, err := standardwebhooks.NewWebhook(secret)
			if err != nil {
				t.Fatal(err)
			}
			return v.VerifyIgnoringTimestamp([]byte(m.body), m.header) == nil
		}
		w, second, err := s.hooks.Rotate(ctx, s.System, w.ID, "", time.Hour)
		if err != nil || len(w.Keys) != 2 || !w.Keys[0].ExpiresAt.IsZero() || w.Keys[1].ExpiresAt.IsZero() {
			t.Fatalf("rotated: %+v %v", w.Keys, err)
		}
		s.Organization(t, directory.Organization{Name: "One"})
		if m := r.await(t, "/a", 1)[0]; !verifies(m, first) || !verifies(m, second) || strings.Count(m.header.Get("webhook-signature"), "v1,") != 2 {
			t.Errorf("during the overlap: %s", m.header.Get("webhook-signature"))
		}
		s.Clock.Move(2 * time.Hour)
		s.Organization(t, directory.Organization{Name: "Two"})
		if m := r.await(t, "/a", 2)[1]; verifies(m, first) || !verifies(m, second) {
			t.Errorf("after the overlap: %s", m.header.Get("webhook-signature"))
		}
		own := "whsec_" + strings.Repeat("QUFB", 8)
		if _, got, err := s.hooks.Rotate(ctx, s.System, w.ID, own, 0); err != nil || got != own {
			t.Fatalf("a secret of one's own: %v", err)
		}
		s.Organization(t, directory.Organization{Name: "Three"})
		if m := r.await(t, "/a", 3)[2]; verifies(m, second) || !verifies(m, own) {
			t.Errorf("without an overlap: %s", m.header.Get("webhook-signature"))
		}
		for _, bad := range []string{"x", "whsec_", "whsec_QUFB", "whsec_" + strings.Repeat("QUFB", 30), "whsec_????"} {
			if _, _, err := s.hooks.Rotate(ctx, s.System, w.ID, bad, 0); fault.KindOf(err) != fault.Invalid {
				t.Errorf("the secret %q: %v", bad, err)
			}
		}
		for _, column := range []string{"sealed", "keys", "url", "name"} {
			var kept []byte
			if err := s.Raw.QueryRow("SELECT "+column+" FROM webhooks WHERE id = $1", int64(w.ID)).Scan(&kept); err != nil {
				t.Fatal(err)
			}
			for _, secret := range []string{first, second, own} {
				if strings.Contains(string(kept), strings.TrimPrefix(secret, "whsec_")) {
					t.Errorf("the column %s holds a secret", column)
				}
			}
		}
	})
}

func TestT_R03_AWebhookHearsItsOwnOrganizationOnly(t *testing.T) {
	onBoth(t, func(t *testing.T, s *scene) {
		r := newReceiver(t)
		a, b := s.Organization(t, directory.Organization{Name: "A"}), s.Organization(t, directory.Organization{Name: "B"})
		far := newScene(s.In(t, "Far"))
		mine, _ := s.hook(t, webhook.Draft{URL: r.URL + "/a", Organization: a.ID})
		s.hook(t, webhook.Draft{URL: r.URL + "/realm"})
		far.hook(t, webhook.Draft{URL: r.URL + "/far"})
		s.work(t, 0)
		u := s.User(t, directory.User{Home: b.ID, Email: "eve@b.example"})
		s.rename(t, b, "B 2")
		if _, err := s.Erasure.PlaceHold(ctx, s.System, erasure.Hold{Organization: a.ID, Reason: "case"}); err != nil {
			t.Fatal(err)
		}
		got := r.await(t, "/realm", 6) // the first two were pending when it was created
		if names := strings.Join(types(got[1:]), " "); names != "webhook.created user.created member.added organization.updated hold.placed" {
			t.Errorf("the realm is told of %s", names)
		}
		r.await(t, "/a", 1) // its own creation
		r.quiet(t, "/a")
		s.rename(t, a, "A 2")
		if got := r.await(t, "/a", 2); !got[1].is("organization.updated") || !strings.Contains(got[1].body, native.Spell(s.Realm.ID, id.Organization, a.ID)) {
			t.Errorf("A is told of %v", types(got))
		}
		// A's administrator replays what he can reach, and reaches nothing of B.
		adminA := access.Actor{Realm: s.Realm.ID, Subject: "a", Grants: []access.Grant{{On: a.ID, Permissions: access.All()}}}
		adminB := access.Actor{Realm: s.Realm.ID, Subject: "b", Grants: []access.Grant{{On: b.ID, Permissions: access.All()}}}
		for _, e := range s.events(t, b.ID) {
			if _, _, err := s.hooks.Replay(ctx, adminA, mine.ID, webhook.Replay{Event: e}); err == nil {
				t.Errorf("event %d of B was replayed to A", e)
			}
		}
		n, _, err := s.hooks.Replay(ctx, adminA, mine.ID, webhook.Replay{From: time.Now().Add(-time.Hour)})
		if err != nil || n != 3 { // created, webhook.created, updated
			t.Errorf("replayed %d, %v", n, err)
		}
		for what, err := range map[string]error{
			"get":     second(s.hooks.Webhook(ctx, adminB, mine.ID)),
			"update":  second(s.hooks.Update(ctx, adminB, mine.ID, func(w *webhook.Webhook) error { w.URL = "https://evil.example/"; return nil })),
			"delete":  s.hooks.Delete(ctx, adminB, mine.ID, nil),
			"test":    second(s.hooks.Test(ctx, adminB, mine.ID)),
			"log":     second(s.hooks.Deliveries(ctx, adminB, mine.ID, query.Query{})),
			"replay":  third(s.hooks.Replay(ctx, adminB, mine.ID, webhook.Replay{Failed: true})),
			"rotate":  third(s.hooks.Rotate(ctx, adminB, mine.ID, "", 0)),
			"unknown": second(s.hooks.Webhook(ctx, adminB, 5)),
		} {
			if what == "" || fault.From(err).Reason != "webhook_not_found" {
				t.Errorf("%s by B: %v", what, err)
			}
		}
		is(t, third(s.hooks.Create(ctx, adminB, webhook.Draft{URL: r.URL, Organization: a.ID})), webhook.ErrOwnerNotFound)
		if page, err := s.hooks.Webhooks(ctx, adminB, query.Query{}); err != nil || len(page.Items) != 0 {
			t.Errorf("B lists %d webhooks, %v", len(page.Items), err)
		}
		// A webhook cannot be moved to another organization.
		moved, err := s.hooks.Update(ctx, s.System, mine.ID, func(w *webhook.Webhook) error { w.Organization = b.ID; return nil })
		if err != nil || moved.Organization != a.ID {
			t.Errorf("moved: %+v %v", moved, err)
		}
		if len(r.at("/far")) != 1 {
			t.Errorf("the other realm is told of %v", types(r.at("/far")))
		}
		_ = u
	})
}

func second[T any](_ T, err error) error        { return err }
func third[T, U any](_ T, _ U, err error) error { return err }

func (s *scene) events(t *testing.T, o id.ID) (ids []id.ID) {
	t.Helper()
	rows, err := s.Raw.Query("SELECT id FROM events WHERE organization_id = $1 ORDER BY id", int64(o))
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var i int64
		if err := rows.Scan(&i); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id.ID(i))
	}
	return ids
}

// moveInQuiet moves the clock by less than a lease, when nothing has come for a moment:
// else the clock would take the work away from who is in the midst of it.
func (s *scene) moveInQuiet(r *receiver, path string) {
	before := len(r.at(path))
	time.Sleep(200 * time.Millisecond)
	if len(r.at(path)) == before {
		s.Clock.Move(20 * time.Second)
	}
}

func TestT_R03_C23_ADeletedOrganizationIsToldOfItsEndAndOfNothingMore(t *testing.T) {
	onBoth(t, func(t *testing.T, s *scene) {
		r := newReceiver(t)
		down := func(message, int) int { return http.StatusServiceUnavailable }
		r.set(down)
		a := s.Organization(t, directory.Organization{Name: "A"})
		w, secret := s.hook(t, webhook.Draft{URL: r.URL + "/canary", Organization: a.ID})
		s.hook(t, webhook.Draft{URL: r.URL + "/realm", Types: []string{"organization.*"}})
		s.work(t, 0)
		s.rename(t, a, "A 2")
		r.await(t, "/canary", 1) // and fails
		until(t, "the failure is noted", func() bool { return len(s.deliveries(t, w)) > 0 && s.deliveries(t, w)[0].Attempts > 0 })
		before := len(r.at("/canary"))
		s.Delete(t, a.ID, erasure.Erase)
		s.Purge(t, 100)
		for _, table := range []string{"webhooks", "webhook_deliveries"} {
			if n := s.Count(t, table, "organization_id = $1", int64(a.ID)); n != 0 {
				t.Errorf("%d rows of %s are left", n, table)
			}
		}
		var farewell []byte
		if err := s.Raw.QueryRow("SELECT sealed FROM webhook_farewells").Scan(&farewell); err != nil || strings.Contains(string(farewell), "canary") {
			t.Errorf("what is left of the webhook: %q %v", farewell, err)
		}
		r.await(t, "/canary", before+1) // the farewell fails at first
		r.set(nil)
		until(t, "the farewell is gone", func() bool {
			s.moveInQuiet(r, "/canary")
			return s.Count(t, "webhook_farewells", "1 = 1") == 0
		})
		after := once(r.at("/canary")[before:])
		if last := after[len(after)-1]; !last.is("organization.deleted") || !strings.Contains(last.body, `"deletion":"del_`) {
			t.Errorf("the last that A is told: %s", last.body)
		}
		for n, m := range after {
			if m.is("organization.deleted") != (n == len(after)-1) {
				t.Errorf("message %d of %d: %s", n+1, len(after), m.body)
			}
			v, _ := standardwebhooks.NewWebhook(secret)
			if err := v.VerifyIgnoringTimestamp([]byte(m.body), m.header); err != nil {
				t.Error(err)
			}
		}
		s.Clock.Move(12 * time.Hour)
		r.quiet(t, "/canary")
		realm := r.await(t, "/realm", 4)
		if last := realm[len(realm)-1]; !last.is("organization.purged") {
			t.Errorf("the realm is told of %v", types(realm))
		}
		until(t, "no job is left of it", func() bool { return s.Count(t, "jobs", "id = $1 OR kind = 'farewell'", int64(w.ID)) == 0 })
		s.Scan(t)
	})
}

func TestAnOrganizationThatIsRestoredIsToldAgain(t *testing.T) {
	onBoth(t, func(t *testing.T, s *scene) {
		r := newReceiver(t)
		a := s.Organization(t, directory.Organization{Name: "A"})
		w, _ := s.hook(t, webhook.Draft{URL: r.URL + "/a", Organization: a.ID, Types: []string{"organization.*"}})
		s.work(t, 0)
		d, err := s.Directory.DeleteOrganization(ctx, s.System, a.ID, erasure.Options{Users: erasure.Erase, Grace: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		if got := r.await(t, "/a", 2); !got[0].is("organization.deletion.requested") || !got[1].is("organization.deleted") {
			t.Errorf("told of %v", types(got))
		}
		if _, err := s.Erasure.Pause(ctx, s.System, d.Deletion.ID); err != nil {
			t.Fatal(err)
		}
		r.quiet(t, "/a")
		is(t, second(s.hooks.Webhook(ctx, s.System, w.ID)), webhook.ErrNotFound)
		if _, err := s.Erasure.Restore(ctx, s.System, d.Deletion.ID, erasure.Renames{}); err != nil {
			t.Fatal(err)
		}
		if got := r.await(t, "/a", 3); !got[2].is("organization.restored") {
			t.Errorf("told of %v", types(got))
		}
	})
}

// What waits when an organization ends goes first, also where the server stops in
// between and the purge has long taken the webhook; then comes the end, and nothing more.
func TestTheLastEventComesAfterWhatWaited(t *testing.T) {
	onBoth(t, func(t *testing.T, s *scene) {
		r := newReceiver(t)
		a := s.Organization(t, directory.Organization{Name: "A"})
		s.hook(t, webhook.Draft{URL: r.URL + "/a", Organization: a.ID, Types: []string{"organization.*"}})
		s.hook(t, webhook.Draft{URL: r.URL + "/other", Organization: a.ID, Types: []string{"organization.updated"}})
		s.rename(t, a, "A 2")
		if _, _, err := (&store.Lines{DB: s.DB}).Fan(ctx); err != nil { // this one is lined up, the next is not
			t.Fatal(err)
		}
		s.rename(t, a, "A 3")
		s.Delete(t, a.ID, erasure.Erase)
		s.Purge(t, 100)
		r.set(func(m message, nth int) int {
			if nth > 1 && m.path == "/a" { // the first arrives, then the endpoint is down
				return http.StatusServiceUnavailable
			}
			return http.StatusNoContent
		})
		stop := s.work(t, 0)
		r.await(t, "/a", 2)
		stop()
		r.set(nil)
		s.work(t, 0)
		until(t, "the farewells are gone", func() bool {
			s.moveInQuiet(r, "/a")
			return s.Count(t, "webhook_farewells", "1 = 1") == 0
		})
		told := types(once(r.at("/a")))
		want := []string{"organization.updated", "organization.updated", "organization.deletion.requested", "organization.deleted"}
		if strings.Join(told, " ") != strings.Join(want, " ") {
			t.Errorf("told of %v, in all %v", told, types(r.at("/a")))
		}
		if other := types(once(r.at("/other"))); strings.Join(other, " ") != strings.Join(want[:2], " ") {
			t.Errorf("who does not want to hear of the end is told of %v", other)
		}
		r.quiet(t, "/a")
		s.Scan(t)
	})
}

func TestASuspendedOrganizationIsToldOnceItIsActiveAgain(t *testing.T) {
	onBoth(t, func(t *testing.T, s *scene) {
		r := newReceiver(t)
		a := s.Organization(t, directory.Organization{Name: "A"})
		w, _ := s.hook(t, webhook.Draft{URL: r.URL + "/a", Organization: a.ID, Types: []string{"organization.updated"}})
		s.hook(t, webhook.Draft{URL: r.URL + "/realm", Types: []string{"organization.suspended"}})
		if _, err := s.Directory.SuspendOrganization(ctx, s.System, a.ID); err != nil {
			t.Fatal(err)
		}
		s.work(t, 0)
		s.rename(t, a, "A 2")
		r.await(t, "/realm", 1)
		until(t, "it is lined up", func() bool { return len(s.deliveries(t, w)) == 1 })
		s.Clock.Move(10 * 24 * time.Hour) // longer than anything is tried
		r.quiet(t, "/a")
		r.set(func(m message, nth int) int {
			if nth == 1 {
				return http.StatusServiceUnavailable
			}
			return http.StatusNoContent
		})
		if _, err := s.Directory.ActivateOrganization(ctx, s.System, a.ID); err != nil {
			t.Fatal(err)
		}
		r.await(t, "/a", 1) // a failure is tried again: the three days begin now
		until(t, "it is delivered", func() bool {
			s.Clock.Move(10 * time.Second)
			return s.deliveries(t, w)[0].State == webhook.Delivered
		})
	})
}

// A transaction that begins early and commits late has the smaller id.
func TestEventsCommittedLateAreNotSkipped(t *testing.T) {
	onBoth(t, func(t *testing.T, s *scene) {
		r := newReceiver(t)
		a := s.Organization(t, directory.Organization{Name: "A"})
		s.hook(t, webhook.Draft{URL: r.URL + "/a", Types: []string{"organization.updated"}})
		s.work(t, 0)
		s.Clock.Move(time.Hour) // the other node's clock is behind
		slow := s.node(t)
		write := func(on *scene, meanwhile func()) (e event.Event) {
			on.World.Update(t, func(tx storetest.Tx) (err error) {
				e, err = tx.Append(ctx, event.Event{Type: "organization.updated", Actor: "test", Organization: a.ID, Kind: id.Organization, Subject: a.ID})
				if meanwhile != nil {
					meanwhile()
				}
				return err
			})
			return e
		}
		told := func(e event.Event) {
			t.Helper()
			spelled := native.Spell(s.Realm.ID, id.Event, e.ID)
			until(t, "told of "+spelled, func() bool {
				for _, m := range r.at("/a") {
					if m.id == spelled {
						return true
					}
				}
				return false
			})
		}
		first := write(s, nil)
		told(first)
		behind := write(slow, nil) // a node whose clock is behind
		if behind.ID > first.ID {
			t.Fatalf("%d is not behind %d", behind.ID, first.ID)
		}
		told(behind)
		if s.DB.Engine() == "postgres" { // where two transactions can write at once
			var inner event.Event
			outer := write(slow, func() { inner = write(s, nil); told(inner) })
			told(outer)
		}
		if n := s.Count(t, "events", "pending"); n != 0 {
			t.Errorf("%d events are pending", n)
		}
	})
}

func TestNothingIsPendingWhereNobodyListens(t *testing.T) {
	onBoth(t, func(t *testing.T, s *scene) {
		a, b := s.Organization(t, directory.Organization{Name: "A"}), s.Organization(t, directory.Organization{Name: "B"})
		if n := s.Count(t, "events", "pending"); n != 0 {
			t.Errorf("%d events are pending without any webhook", n)
		}
		w, _ := s.hook(t, webhook.Draft{URL: "https://example.com/", Organization: a.ID})
		if _, err := s.hooks.Update(ctx, s.System, w.ID, func(w *webhook.Webhook) error { w.State = webhook.Disabled; return nil }); err != nil {
			t.Fatal(err)
		}
		before := s.Count(t, "events", "pending")
		s.rename(t, a, "A 2")
		s.rename(t, b, "B 2")
		if n := s.Count(t, "events", "pending"); n != before {
			t.Errorf("%d events are pending with a webhook that is disabled", n-before)
		}
		if _, err := s.hooks.Update(ctx, s.System, w.ID, func(w *webhook.Webhook) error { w.State = webhook.Enabled; return nil }); err != nil {
			t.Fatal(err)
		}
		before = s.Count(t, "events", "pending")
		s.rename(t, a, "A 3")
		s.rename(t, b, "B 3")
		if n := s.Count(t, "events", "pending"); n != before+1 {
			t.Errorf("%d events are pending, want A's", n-before)
		}
	})
}

func TestAFailingEndpointIsTriedForThreeDaysAndThenDisabled(t *testing.T) {
	onBoth(t, func(t *testing.T, s *scene) {
		r := newReceiver(t)
		r.set(func(m message, _ int) int {
			if m.path == "/bad" {
				return http.StatusInternalServerError
			}
			return http.StatusOK
		})
		w, _ := s.hook(t, webhook.Draft{URL: r.URL + "/bad", Types: []string{"organization.created"}})
		s.hook(t, webhook.Draft{URL: r.URL + "/other", Types: []string{"webhook.disabled"}})
		s.work(t, 0)
		o := s.Organization(t, directory.Organization{Name: "A"})
		s.Organization(t, directory.Organization{Name: "B"})
		r.await(t, "/bad", 1)
		start := s.Clock.Now()
		tries := 0
		for n := 0; ; n++ {
			got, err := s.hooks.Webhook(ctx, s.System, w.ID)
			if err != nil {
				t.Fatal(err)
			}
			if got.State == webhook.Disabled {
				if passed := s.Clock.Now().Sub(start); passed < webhook.Patience || passed > webhook.Patience+10*time.Hour || got.Reason != webhook.Failing || got.DisabledAt.IsZero() {
					t.Errorf("disabled after %v: %+v", passed, got)
				}
				break
			}
			if n > 400 {
				t.Fatal("it is never disabled")
			}
			if all := len(r.at("/bad")); all == tries {
				s.Clock.Move(30 * time.Minute)
			} else {
				tries = all
			}
			time.Sleep(25 * time.Millisecond)
		}
		if tries < 10 || tries > 40 {
			t.Errorf("there were %d attempts in three days", tries)
		}
		if got := r.await(t, "/other", 1); !strings.Contains(got[0].body, `"details":{"reason":"failing"}`) {
			t.Errorf("the others are told: %s", got[0].body)
		}
		until(t, "all is given up", func() bool {
			for _, d := range s.deliveries(t, w) {
				if d.State != webhook.Failed || d.EndedAt.IsZero() {
					return false
				}
			}
			return true
		})
		first := s.deliveries(t, w)[0]
		if first.Code != 500 || first.Attempts < 8 || len(first.Tries) == 0 || first.Tries[0].Code != 500 {
			t.Errorf("the log: %+v", first)
		}
		// What happened meanwhile can be replayed, and what failed.
		r.set(nil)
		is(t, third(s.hooks.Replay(ctx, s.System, w.ID, webhook.Replay{Failed: true})), webhook.ErrDisabled)
		is(t, second(s.hooks.Test(ctx, s.System, w.ID)), webhook.ErrDisabled)
		if _, err := s.hooks.Update(ctx, s.System, w.ID, func(w *webhook.Webhook) error { w.State = webhook.Enabled; return nil }); err != nil {
			t.Fatal(err)
		}
		before := len(r.at("/bad"))
		if n, more, err := s.hooks.Replay(ctx, s.System, w.ID, webhook.Replay{Failed: true}); n != 2 || more || err != nil {
			t.Fatalf("replayed %d %v %v", n, more, err)
		}
		got := r.await(t, "/bad", before+2)[before:]
		if !strings.Contains(got[0].body, native.Spell(s.Realm.ID, id.Organization, o.ID)) || got[0].id != r.at("/bad")[0].id {
			t.Errorf("replayed: %+v", got)
		}
		until(t, "all is delivered", func() bool {
			for _, d := range s.deliveries(t, w) {
				if d.State != webhook.Delivered {
					return false
				}
			}
			return true
		})
		if got, err := s.hooks.Webhook(ctx, s.System, w.ID); err != nil || !got.FailingSince.IsZero() || got.SucceededAt.IsZero() || got.Reason != "" {
			t.Errorf("afterwards: %+v %v", got, err)
		}
	})
}

func TestOneMessageThatIsRefusedHoldsUpNoOther(t *testing.T) {
	onBoth(t, func(t *testing.T, s *scene) {
		r := newReceiver(t)
		var poison atomic.Value
		r.set(func(m message, _ int) int {
			if poison.CompareAndSwap(nil, m.id); m.id == poison.Load() {
				return http.StatusBadRequest
			}
			return http.StatusOK
		})
		w, _ := s.hook(t, webhook.Draft{URL: r.URL + "/a", Types: []string{"organization.created"}})
		s.work(t, 0)
		for n := range 4 {
			s.Organization(t, directory.Organization{Name: fmt.Sprint(n)})
		}
		for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(15 * time.Millisecond) {
			list := s.deliveries(t, w)
			if len(list) == 4 && list[0].State == webhook.Failed {
				break
			}
			s.Clock.Move(20 * time.Minute)
		}
		for n, d := range s.deliveries(t, w) {
			if want := map[bool]webhook.Progress{true: webhook.Failed, false: webhook.Delivered}[n == 0]; d.State != want {
				t.Errorf("delivery %d: %+v", n, d)
			}
		}
		if got, err := s.hooks.Webhook(ctx, s.System, w.ID); err != nil || got.State != webhook.Enabled {
			t.Errorf("the webhook: %+v %v", got, err)
		}
	})
}

func TestAnEndpointThatIsGoneIsDisabledAtOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, s *scene) {
		r := newReceiver(t)
		r.set(func(message, int) int { return http.StatusGone })
		w, _ := s.hook(t, webhook.Draft{URL: r.URL + "/a", Types: []string{"organization.created"}})
		s.work(t, 0)
		s.Organization(t, directory.Organization{Name: "A"})
		until(t, "disabled", func() bool {
			got, err := s.hooks.Webhook(ctx, s.System, w.ID)
			return err == nil && got.State == webhook.Disabled && got.Reason == webhook.Gone
		})
		s.Organization(t, directory.Organization{Name: "B"})
		r.quiet(t, "/a")
	})
}

func TestASlowEndpointHoldsUpNobody(t *testing.T) {
	onBoth(t, func(t *testing.T, s *scene) {
		s.poster.Timeout = 400 * time.Millisecond
		r := newReceiver(t)
		release := make(chan struct{})
		defer close(release)
		r.set(func(m message, _ int) int {
			if m.path != "/fast" {
				<-release
			}
			return http.StatusOK
		})
		for n := range 6 {
			s.hook(t, webhook.Draft{URL: fmt.Sprintf("%s/slow%d", r.URL, n), Types: []string{"organization.created"}})
		}
		s.hook(t, webhook.Draft{URL: r.URL + "/fast", Types: []string{"organization.created"}})
		s.work(t, 4)
		s.Organization(t, directory.Organization{Name: "A"})
		r.await(t, "/fast", 1)
		for n := range 6 { // each has failed once by now, or soon
			r.await(t, fmt.Sprintf("/slow%d", n), 1)
		}
		time.Sleep(500 * time.Millisecond)
		s.Clock.Move(time.Minute) // all of the slow ones are due again
		start := time.Now()
		for n := range 20 {
			s.Organization(t, directory.Organization{Name: fmt.Sprint(n)})
		}
		r.await(t, "/fast", 21)
		if took := time.Since(start); took > 30*time.Second {
			t.Errorf("twenty messages to a fast endpoint took %v beside slow ones", took)
		}
	})
}

func TestSeveralNodesDeliverEachEventOnceAndInOrder(t *testing.T) {
	onBoth(t, func(t *testing.T, s *scene) {
		r := newReceiver(t)
		r.set(func(message, int) int { time.Sleep(time.Millisecond); return http.StatusOK })
		for n := range 3 {
			s.hook(t, webhook.Draft{URL: fmt.Sprintf("%s/%d", r.URL, n), Types: []string{"organization.updated"}})
		}
		a := s.Organization(t, directory.Organization{Name: "A"})
		nodes := []*scene{s, s.node(t), s.node(t)}
		for _, n := range nodes {
			n.work(t, 4)
		}
		const events = 60
		for n := range events {
			nodes[n%len(nodes)].rename(t, a, fmt.Sprint("A ", n))
		}
		ordered := s.events(t, a.ID)
		ordered = ordered[len(ordered)-events:]
		for n := range 3 {
			path := fmt.Sprintf("/%d", n)
			got := r.await(t, path, events)
			r.quiet(t, path)
			seen := map[string]bool{}
			for _, m := range got {
				seen[m.id] = true
			}
			if len(got) != events || len(seen) != events {
				t.Errorf("%s got %d messages of %d events, want %d", path, len(got), len(seen), events)
			}
			for _, e := range ordered {
				if !seen[native.Spell(s.Realm.ID, id.Event, e)] {
					t.Errorf("%s was not told of %d", path, e)
				}
			}
			if r.peak[path] != 1 {
				t.Errorf("%s had %d messages at once", path, r.peak[path])
			}
		}
	})
}

func TestMessagesComeInOrder(t *testing.T) {
	onBoth(t, func(t *testing.T, s *scene) {
		r := newReceiver(t)
		s.hook(t, webhook.Draft{URL: r.URL + "/a", Types: []string{"organization.updated"}})
		a := s.Organization(t, directory.Organization{Name: "A"})
		for n := range 30 {
			s.rename(t, a, fmt.Sprint("A ", n))
		}
		r.set(func(_ message, nth int) int { // down in the midst of it
			if nth > 10 && nth < 14 {
				return http.StatusBadGateway
			}
			return http.StatusOK
		})
		s.work(t, 0)
		first := func() []string {
			var list []string
			for _, m := range r.at("/a") {
				if !slices.Contains(list, m.id) {
					list = append(list, m.id)
				}
			}
			return list
		}
		for end := time.Now().Add(time.Minute); len(first()) < 30 && time.Now().Before(end); {
			s.moveInQuiet(r, "/a")
		}
		ids := map[string]int{}
		for n, e := range s.events(t, a.ID)[1:] {
			ids[native.Spell(s.Realm.ID, id.Event, e)] = n
		}
		position := -1
		for _, m := range first() {
			if ids[m] != position+1 {
				t.Fatalf("event %d came after event %d", ids[m], position)
			}
			position++
		}
		if position != 29 {
			t.Errorf("%d events came", position+1)
		}
	})
}

func TestWhatAWorkerLeftIsTakenOver(t *testing.T) {
	onBoth(t, func(t *testing.T, s *scene) {
		r := newReceiver(t)
		s.hook(t, webhook.Draft{URL: r.URL + "/a", Types: []string{"organization.created"}})
		s.Organization(t, directory.Organization{Name: "A"})
		crashed := &store.Lines{DB: s.node(t).DB}
		if _, _, err := crashed.Fan(ctx); err != nil {
			t.Fatal(err)
		}
		line, ok, err := crashed.Claim(ctx, false)
		if err != nil || !ok {
			t.Fatalf("claim: %v %v", ok, err)
		}
		errand, ok, err := crashed.Next(ctx, line, webhook.Errand{}, nil)
		if err != nil || !ok {
			t.Fatalf("next: %v %v", ok, err)
		}
		s.work(t, 0)
		r.quiet(t, "/a") // it is held
		s.Clock.Move(2 * time.Minute)
		r.await(t, "/a", 1)
		// The first one comes back and settles nothing.
		if _, ok, err := crashed.Next(ctx, line, errand, &webhook.Outcome{Code: 500, At: time.Now()}); ok || err != nil {
			t.Errorf("who lost the lease goes on: %v %v", ok, err)
		}
		settled := 0 // which comes a moment after the answer
		for end := time.Now().Add(time.Minute); settled == 0 && time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
			settled = s.Count(t, "webhook_deliveries", "state = 'delivered'")
		}
		if settled != 1 {
			t.Errorf("%d deliveries are settled", settled)
		}
	})
}

func TestAStoppingWorkerFinishesWhatItBegan(t *testing.T) {
	onBoth(t, func(t *testing.T, s *scene) {
		r := newReceiver(t)
		began := make(chan struct{}, 10)
		r.set(func(message, int) int { began <- struct{}{}; time.Sleep(200 * time.Millisecond); return http.StatusOK })
		w, _ := s.hook(t, webhook.Draft{URL: r.URL + "/a", Types: []string{"organization.created"}})
		stop := s.work(t, 0)
		for n := range 5 {
			s.Organization(t, directory.Organization{Name: fmt.Sprint(n)})
		}
		<-began
		start := time.Now()
		stop()
		if took := time.Since(start); took > 20*time.Second { // far less than what would be waited for if nobody stopped it
			t.Errorf("stopping took %v", took)
		}
		done := 0
		for _, d := range s.deliveries(t, w) {
			if d.State == webhook.Delivered {
				done++
			}
		}
		if sent := len(r.at("/a")); done != sent || done == 5 {
			t.Errorf("%d messages were sent and %d settled", sent, done)
		}
		if n := s.Count(t, "jobs", "lease_until <> 0 AND kind = 'webhook'"); n != 0 {
			t.Error("the lease is kept")
		}
		s.work(t, 0)
		r.await(t, "/a", 5)
	})
}

func TestReplaysAndTests(t *testing.T) {
	onBoth(t, func(t *testing.T, s *scene) {
		r := newReceiver(t)
		a := s.Organization(t, directory.Organization{Name: "A"})
		from := s.Clock.Now()
		time.Sleep(2 * time.Millisecond)
		s.rename(t, a, "A 1")
		s.rename(t, a, "A 2")
		time.Sleep(2 * time.Millisecond)
		until := s.Clock.Now()
		time.Sleep(2 * time.Millisecond)
		s.rename(t, a, "A 3")
		w, _ := s.hook(t, webhook.Draft{URL: r.URL + "/a", Types: []string{"organization.*"}})
		s.hook(t, webhook.Draft{URL: r.URL + "/b", Types: []string{"*"}})
		s.work(t, 0)
		if n, more, err := s.hooks.Replay(ctx, s.System, w.ID, webhook.Replay{From: from, Until: until}); n != 2 || more || err != nil {
			t.Errorf("a span: %d %v %v", n, more, err)
		}
		span := r.await(t, "/a", 2)
		events := s.events(t, a.ID)
		if span[0].id != native.Spell(s.Realm.ID, id.Event, events[1]) || span[1].id != native.Spell(s.Realm.ID, id.Event, events[2]) {
			t.Errorf("the span: %v", span)
		}
		if _, _, err := s.hooks.Replay(ctx, s.System, w.ID, webhook.Replay{Event: events[1]}); err != nil {
			t.Error(err)
		}
		if got := r.await(t, "/a", 3); got[2].id != got[0].id {
			t.Error("a message that is replayed has another id")
		}
		d, err := s.hooks.Test(ctx, s.System, w.ID)
		if err != nil || d.State != webhook.Waiting || d.Type != "webhook.test" {
			t.Fatalf("a test: %+v %v", d, err)
		}
		if got := r.await(t, "/a", 4); !got[3].is("webhook.test") {
			t.Errorf("told of %v", types(got))
		}
		r.await(t, "/b", 2) // that of /a and its own
		r.quiet(t, "/b")
		for _, m := range r.at("/b") {
			if m.is("webhook.test") {
				t.Error("others are told of a test")
			}
		}
		for _, bad := range []webhook.Replay{{}, {From: until, Until: from}, {From: s.Clock.Now().Add(time.Hour)}} {
			if _, _, err := s.hooks.Replay(ctx, s.System, w.ID, bad); fault.KindOf(err) != fault.Invalid {
				t.Errorf("%+v: %v", bad, err)
			}
		}
		is(t, third(s.hooks.Replay(ctx, s.System, w.ID, webhook.Replay{Event: 7})), webhook.ErrEventNotFound)
		if err := s.hooks.Delete(ctx, s.System, w.ID, nil); err != nil {
			t.Fatal(err)
		}
		is(t, second(s.hooks.Webhook(ctx, s.System, w.ID)), webhook.ErrNotFound)
		is(t, s.hooks.Delete(ctx, s.System, w.ID, nil), webhook.ErrNotFound)
		for end := time.Now().Add(time.Minute); s.Count(t, "webhook_deliveries", "webhook_id = $1", int64(w.ID))+s.Count(t, "webhooks", "id = $1", int64(w.ID))+s.Count(t, "jobs", "id = $1", int64(w.ID)) > 0; time.Sleep(10 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatal("a deleted webhook is not cleared away")
			}
		}
	})
}

func TestWebhooksAreChecked(t *testing.T) {
	onBoth(t, func(t *testing.T, s *scene) {
		for _, bad := range []webhook.Draft{
			{URL: ""}, {URL: "https://10.0.0.1/"}, {URL: "http://example.com/"}, {URL: "https://user@example.com/"}, {URL: "https://example.com/", Types: []string{"organization"}},
			{URL: "https://example.com/", Types: []string{"org*"}}, {URL: "https://example.com/", Types: []string{"nothing.*"}}, {URL: "https://example.com/", Types: make([]string, 51)},
			{URL: "https://example.com/", Name: strings.Repeat("x", 201)}, {URL: "https://example.com/", Name: "a\x00b"}, {URL: "https://example.com/", Name: "\xff"},
			{URL: "https://example.com/", Secret: "hush"},
		} {
			if _, _, err := s.hooks.Create(ctx, s.System, bad); fault.KindOf(err) != fault.Invalid || fault.From(err).Field == "" {
				t.Errorf("%+v: %v", bad, err)
			}
		}
		o := s.Organization(t, directory.Organization{Name: "A"})
		for n := 0; ; n++ {
			_, _, err := s.hooks.Create(ctx, s.System, webhook.Draft{URL: "https://example.com/", Organization: o.ID})
			if n == 20 {
				is(t, err, webhook.ErrTooMany)
				break
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		nobody := access.Actor{Realm: s.Realm.ID}
		is(t, third(s.hooks.Create(ctx, nobody, webhook.Draft{URL: "https://example.com/"})), access.ErrPermissionMissing)
		is(t, second(s.hooks.Webhooks(ctx, nobody, query.Query{})), access.ErrPermissionMissing)
		is(t, second(s.hooks.Webhook(ctx, nobody, 5)), access.ErrPermissionMissing)
		s.Delete(t, o.ID, erasure.Detach)
		is(t, third(s.hooks.Create(ctx, s.System, webhook.Draft{URL: "https://example.com/", Organization: o.ID})), webhook.ErrOwnerNotFound)
	})
}

func TestOldDeliveriesAreForgotten(t *testing.T) {
	onBoth(t, func(t *testing.T, s *scene) {
		r := newReceiver(t)
		w, _ := s.hook(t, webhook.Draft{URL: r.URL + "/a", Types: []string{"organization.created"}})
		stop := s.work(t, 0)
		s.Organization(t, directory.Organization{Name: "A"})
		until(t, "delivered", func() bool { d := s.deliveries(t, w); return len(d) == 1 && d[0].State == webhook.Delivered })
		stop()
		lines := &store.Lines{DB: s.DB}
		for days, want := range map[int]int{29: 1} {
			s.Clock.Move(time.Duration(days) * 24 * time.Hour)
			if err := lines.Sweep(ctx); err != nil || len(s.deliveries(t, w)) != want {
				t.Errorf("after %d days: %v", days, err)
			}
		}
		s.Clock.Move(48 * time.Hour)
		if err := lines.Sweep(ctx); err != nil || len(s.deliveries(t, w)) != 0 {
			t.Errorf("after 31 days: %v", err)
		}
	})
}

func TestPatternsOfTypes(t *testing.T) {
	for _, c := range []struct {
		patterns     []string
		organization id.ID
		name         string
		want         bool
	}{
		{nil, 0, "organization.deleted", true}, {nil, 0, "webhook.test", false}, {nil, 0, "unknown.event", false}, {nil, 7, "hold.placed", false},
		{nil, 0, "hold.placed", true}, {[]string{"*"}, 7, "hold.placed", false}, {[]string{"organization.*"}, 7, "organization.deleted", true},
		{[]string{"organization.*"}, 7, "organization.deletion.requested", true}, {[]string{"organization.*"}, 7, "user.created", false},
		{[]string{"user.created", "member.*"}, 7, "member.added", true}, {[]string{"organization.delet*"}, 7, "organization.deleted", false},
	} {
		w := webhook.Webhook{Organization: c.organization, Types: c.patterns}
		if got := w.Wants(c.name); got != c.want {
			t.Errorf("%v of %d wants %s: %v", c.patterns, c.organization, c.name, got)
		}
	}
}

func TestPausesGrowAndEnd(t *testing.T) {
	at := time.Now()
	d := webhook.Delivery{Stamp: query.Stamp{CreatedAt: at}, State: webhook.Waiting}
	w := webhook.Webhook{State: webhook.Enabled}
	now, last := at, time.Duration(0)
	for failures := int64(0); d.State == webhook.Waiting; failures++ {
		rest := webhook.Settle(&d, &w, webhook.Outcome{At: now, Code: 503}, failures)
		if d.State != webhook.Waiting {
			break
		}
		pause := d.DueAt.Sub(now)
		if pause > 8*time.Hour || pause < last/2 && !d.DueAt.Equal(at.Add(webhook.Patience)) || rest > 8*time.Hour || rest <= 0 {
			t.Errorf("attempt %d: pause %v after %v, rest %v", failures, pause, last, rest)
		}
		now, last = d.DueAt, pause
	}
	if !now.Equal(at.Add(webhook.Patience)) || w.State != webhook.Disabled || len(d.Tries) > 20 {
		t.Errorf("it ends after %v: %+v", now.Sub(at), w)
	}
	_ = context.Background
}
