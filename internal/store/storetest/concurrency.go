package storetest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"guildhall/internal/directory"
	"guildhall/internal/erasure"
	"guildhall/internal/event"
	"guildhall/internal/id"
	"guildhall/internal/query"
	"guildhall/internal/store"
	"guildhall/internal/token"
	"guildhall/internal/vault"
)

// together runs fn in n goroutines at once and gives what they returned.
func together(n int, fn func(n int) error) []error {
	errs := make([]error, n)
	var start, done sync.WaitGroup
	start.Add(1)
	for i := range n {
		done.Go(func() {
			start.Wait()
			errs[i] = fn(i)
		})
	}
	start.Done()
	done.Wait()
	return errs
}

// winners counts those who succeeded; all others must have failed with want.
func winners(t TB, errs []error, want error) (n int) {
	t.Helper()
	for _, err := range errs {
		if err == nil {
			n++
		} else if !errors.Is(err, want) {
			t.Errorf("a loser was told %v, want %v", err, want)
		}
	}
	return n
}

// uniqueRaces lets several insert what can exist once: one wins, and the others
// are told the fact.
func uniqueRaces(t *testing.T, w *World) {
	for _, c := range conflicts() {
		if c.want == nil {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			for round := range 3 {
				in := w.In(t, fmt.Sprint(t.Name(), round))
				f := newFixture(t, in)
				errs := together(2, func(n int) error {
					return in.Store.Update(ctx, in.Realm.ID, func(tx Tx) error {
						return []func(Tx, fixture) error{c.first, c.second}[n](tx, f)
					})
				})
				if n := winners(t, errs, c.want); n != 1 {
					t.Errorf("%d won", n)
				}
			}
		})
	}
}

// versionRaces lets several change the same version: one wins, the others are stale.
func versionRaces(t *testing.T, w *World) {
	o := w.Organization(t, directory.Organization{Name: "A"})
	const rounds, writers = 10, 6
	for range rounds {
		errs := together(writers, func(n int) error {
			seen := o
			seen.Name = fmt.Sprint(n)
			return w.Store.Update(ctx, w.Realm.ID, func(tx Tx) error {
				fresh := seen
				return tx.Organizations().Update(ctx, &fresh)
			})
		})
		if n := winners(t, errs, directory.ErrStale); n != 1 {
			t.Errorf("%d won", n)
		}
		var err error
		if o, err = w.Directory.Organization(ctx, w.System, o.ID); err != nil {
			t.Fatal(err)
		}
	}
	if o.Version != rounds+1 {
		t.Errorf("version %d after %d changes", o.Version, rounds)
	}
}

// lockedRaces: whoever locks first loses no update of others.
func lockedRaces(t *testing.T, w *World) {
	o := w.Organization(t, directory.Organization{Name: "A"})
	const writers, each = 6, 10
	errs := together(writers, func(int) error {
		for range each {
			_, err := w.Directory.UpdateOrganization(ctx, w.System, o.ID, func(o *directory.Organization) error {
				n, _ := o.Public["n"].(float64)
				o.Public = directory.Metadata{"n": n + 1}
				return nil
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	winners(t, errs, nil)
	o, err := w.Directory.Organization(ctx, w.System, o.ID)
	if err != nil || o.Public["n"] != float64(writers*each) {
		t.Errorf("%v updates arrived, %v; want %d", o.Public["n"], err, writers*each)
	}
}

// repeats: what may be said twice may be said twice at once.
func repeats(t *testing.T, w *World) {
	f := newFixture(t, w)
	for _, err := range together(8, func(int) error {
		return w.Directory.AssignRoles(ctx, w.System, f.organization.ID, f.user.ID, []id.ID{f.role.ID})
	}) {
		if err != nil {
			t.Errorf("assign a role that is being assigned: %v", err)
		}
	}
	if n := w.Count(t, "role_assignments", "role_id = $1", int64(f.role.ID)); n != 1 {
		t.Errorf("%d assignments", n)
	}
	for _, err := range together(8, func(n int) error {
		_, err := w.Directory.SetEntries(ctx, w.System, directory.Owner{User: f.user.ID}, []directory.Entry{{Key: "k", Value: []byte{byte(n + 1)}}})
		return err
	}) {
		if err != nil && !errors.Is(err, directory.ErrStale) {
			t.Errorf("set what is being set: %v", err)
		}
	}
	if n := w.Count(t, "entries", "user_id = $1", int64(f.user.ID)); n != 1 {
		t.Errorf("%d entries", n)
	}
	slugs := make([]string, 8)
	for _, err := range together(8, func(n int) error {
		o, err := w.Directory.CreateOrganization(ctx, w.System, directory.Organization{Name: "The Same"})
		slugs[n] = o.Slug
		return err
	}) {
		if err != nil {
			t.Errorf("create an organization without a slug: %v", err)
		}
	}
	if slices.Sort(slugs); len(slices.Compact(slugs)) != 8 {
		t.Errorf("slugs: %v", slugs)
	}
}

// membership: a role is never given to a membership that just ended.
func membership(t *testing.T, w *World) {
	f := newFixture(t, w)
	for range 15 {
		errs := together(4, func(n int) error {
			if n == 0 {
				return w.Directory.RemoveMember(ctx, w.System, f.organization.ID, f.user.ID, erasure.Options{})
			}
			return w.Directory.AssignRoles(ctx, w.System, f.organization.ID, f.user.ID, []id.ID{f.role.ID})
		})
		winners(t, errs, directory.ErrMemberNotFound)
		w.View(t, func(tx Tx) error {
			n, err := tx.RoleAssignments().Count(ctx, query.Is("user_id", f.user.ID))
			if n != 0 {
				t.Fatalf("%d assignments outlived the membership", n)
			}
			return err
		})
		if _, err := w.Directory.AddMember(ctx, w.System, directory.Member{Organization: f.organization.ID, User: f.user.ID}, nil); err != nil {
			t.Fatal(err)
		}
	}
}

// firstTimes lets several processes start on one empty database at once: each
// finds the schema, a node number of its own, and the same secrets and keys.
func firstTimes(t *testing.T, address string) {
	const processes = 4
	open := make([]*store.DB, processes)
	for _, err := range together(processes, func(n int) (err error) {
		open[n], err = store.Open(ctx, store.Options{Address: address, Migrate: true, Fast: true, Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
		return err
	}) {
		if err != nil {
			t.Errorf("start: %v", err)
		}
	}
	if t.Failed() {
		return
	}
	defer func() {
		for _, db := range open {
			_ = db.Close()
		}
	}()
	secrets := make([]string, processes)
	kids := make([]string, processes)
	realm := Open(t, address).Realm.ID
	by := &vault.Service{Master: Master(t, address)}
	winners(t, together(processes, func(n int) error {
		secret, err := open[n].Secret(ctx, "test", by)
		secrets[n] = string(secret)
		return err
	}), nil)
	winners(t, together(processes, func(n int) error {
		kids[n] = fmt.Sprintf("kid %d", n)
		return store.SigningKeys{DB: open[n]}.ChangeSigningKeys(ctx, realm, func(keys []token.Key) ([]token.Key, []event.Event, error) {
			if len(keys) > 0 {
				kids[n] = keys[0].KID
				return nil, nil, nil
			}
			return []token.Key{{Use: token.Tokens, Algorithm: "ES256", KID: kids[n], Public: []byte{1}}}, nil, nil
		})
	}), nil)
	if len(secrets[0]) != 32 || len(slices.Compact(secrets)) != 1 || len(slices.Compact(kids)) != 1 {
		t.Errorf("processes disagree: %q, %q", secrets, kids)
	}
}

// issued lets processes on one database issue ids while they crash, come back
// and lose their clocks (A06).
func issued(t *testing.T, address string) {
	rounds := 6
	if testing.Short() {
		rounds = 2
	}
	seen := map[id.ID]bool{}
	nodes := map[int]bool{}
	clocks := []*Clock{{}, {}, {}}
	for round := range rounds {
		lists := make([][]id.ID, len(clocks))
		for _, err := range together(len(clocks), func(n int) error {
			db, err := store.Open(ctx, store.Options{Address: address, Migrate: true, Fast: true, Now: clocks[n].Now, Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
			if err != nil {
				return err
			}
			defer db.Close() // which gives nothing back: a crash would leave the same
			for i := range 600 {
				if i == 300 {
					clocks[n].Move([]time.Duration{-time.Hour, 50 * time.Second, 3 * time.Minute}[(n+round)%3])
				}
				one, err := db.NewID(ctx)
				if err != nil {
					return err
				}
				lists[n] = append(lists[n], one)
			}
			return nil
		}) {
			if err != nil {
				t.Fatal(err)
			}
		}
		for _, list := range lists {
			if !slices.IsSorted(list) {
				t.Error("a process issued ids that do not grow")
			}
			for _, i := range list {
				if seen[i] {
					t.Fatalf("%d was issued twice", i)
				}
				seen[i] = true
				nodes[int(i>>12&0xff)] = true
			}
		}
	}
	t.Logf("%d ids by %d nodes", len(seen), len(nodes))
}

// patience lets requests write while the background does much: none of them waits
// for more than the batch that is under way.
func patience(t *testing.T, w *World) {
	o := w.Organization(t, directory.Organization{Name: "Crowd"})
	end, cancel := context.WithCancel(ctx)
	var wait sync.WaitGroup
	wait.Go(func() {
		bulk := store.Bulk{DB: w.DB, Realm: w.Realm.ID}
		for end.Err() == nil {
			people := make([]store.BulkPerson, 50)
			for i := range people {
				people[i] = store.BulkPerson{User: directory.User{Home: o.ID, Scope: o.ID, Kind: directory.Human, State: directory.UserActive}, Organizations: []id.ID{o.ID}}
			}
			if err := bulk.AddPeople(ctx, people); err != nil {
				t.Errorf("in the background: %v", err)
				return
			}
		}
	})
	errs := together(4, func(n int) error {
		for i := range 25 {
			if _, err := w.Directory.CreateRole(ctx, w.System, directory.Role{Organization: o.ID, Key: fmt.Sprintf("%d-%d", n, i)}); err != nil {
				return err
			}
		}
		return nil
	})
	cancel()
	wait.Wait()
	winners(t, errs, nil)
	w.View(t, func(tx Tx) error {
		users, err := tx.Users().Count(ctx, query.Is("home_id", o.ID))
		members, err2 := tx.Members().Count(ctx, query.Is("organization_id", o.ID))
		if users != members || users == 0 || users%50 != 0 {
			t.Errorf("%d people and %d members were added in batches of 50", users, members)
		}
		return errors.Join(err, err2)
	})
}
