package storetest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"guildhall/internal/directory"
	"guildhall/internal/erasure"
	"guildhall/internal/fault"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

// visibility: a transaction sees its own writes, others see them from the commit on.
func visibility(t *testing.T, w *World) {
	o := directory.Organization{Name: "A", Slug: "a", State: directory.Active}
	outside := func() error {
		return w.Store.View(ctx, w.Realm.ID, func(tx Tx) error {
			_, err := tx.Organizations().Find(ctx, query.Is("slug_key", "a"))
			return err
		})
	}
	w.Update(t, func(tx Tx) error {
		if err := tx.Organizations().Insert(ctx, &o); err != nil {
			return err
		}
		if err := outside(); !errors.Is(err, directory.ErrOrganizationNotFound) {
			t.Errorf("somebody else before the commit: %v", err)
		}
		_, err := tx.Organizations().Get(ctx, o.ID)
		return err
	})
	if err := outside(); err != nil {
		t.Errorf("somebody else after the commit: %v", err)
	}
	w.View(t, func(tx Tx) error { // each statement of a view sees what was committed before it
		w.Update(t, func(tx Tx) error { return tx.Organizations().Delete(ctx, o.ID) })
		if _, err := tx.Organizations().Get(ctx, o.ID); !errors.Is(err, directory.ErrOrganizationNotFound) {
			t.Errorf("a view that began before the deletion: %v", err)
		}
		return nil
	})
}

// oneTime: everything a transaction writes carries the same time, as it is kept.
func oneTime(t *testing.T, w *World) {
	w.Update(t, func(tx Tx) error {
		a := directory.Organization{Name: "A", Slug: "a", State: directory.Active}
		b := directory.Organization{Name: "B", Slug: "b", State: directory.Active}
		if err := errors.Join(tx.Organizations().Insert(ctx, &a), tx.Organizations().Insert(ctx, &b)); err != nil {
			return err
		}
		got, err := tx.Organizations().Get(ctx, a.ID)
		if !a.CreatedAt.Equal(b.CreatedAt) || got.CreatedAt != a.CreatedAt || got.CreatedAt.Location() != time.UTC {
			t.Errorf("%v, %v, read back %v", a.CreatedAt, b.CreatedAt, got.CreatedAt)
		}
		return err
	})
}

// crossed lets two transactions lock two rows in opposite order: whoever loses
// runs again, and both are carried out. Whoever locks one row keeps nobody off
// another, also where PostgreSQL reads all rows of a table, as it does with small ones.
func crossed(t *testing.T, w *World) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if w.DB.Engine() == "postgres" {
		w = Attach(t, w.Address+"&enable_indexscan=off&enable_bitmapscan=off").In(t, "Crossed, reading everything")
	}
	a := w.Organization(t, directory.Organization{Name: "0"})
	b := w.Organization(t, directory.Organization{Name: "0"})
	for range 2 {
		var both, done sync.WaitGroup
		both.Add(2)
		for _, order := range [][2]id.ID{{a.ID, b.ID}, {b.ID, a.ID}} {
			done.Go(func() {
				first := true
				defer func() {
					if first { // it failed before: nobody waits for it
						both.Done()
					}
				}()
				err := w.Store.Update(ctx, w.Realm.ID, func(tx Tx) error {
					for n, i := range order {
						o, err := tx.Organizations().Lock(ctx, i)
						if err != nil {
							return err
						}
						o.Name += "+"
						if err := tx.Organizations().Update(ctx, &o); err != nil {
							return err
						}
						if n == 0 && first { // now each holds what the other wants
							first = false
							both.Done()
							if w.DB.Engine() != "sqlite" { // where one waits before the first lock
								both.Wait()
							}
						}
					}
					return nil
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		done.Wait()
	}
	for _, i := range []id.ID{a.ID, b.ID} {
		o, err := w.Directory.Organization(ctx, w.System, i)
		if err != nil || len(o.Name) != 5 {
			t.Errorf("%q, %v; want four marks", o.Name, err)
		}
	}
}

// impatience gives up writes and reads at every moment: nothing may be written by
// halves, and the database must go on working for others.
func impatience(t *testing.T, w *World) {
	o := w.Organization(t, directory.Organization{Name: "A"})
	gone, cancel := context.WithCancel(ctx)
	cancel()
	if err := w.Store.Update(gone, w.Realm.ID, func(Tx) error { return nil }); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("an update that nobody waits for: %v", err)
	}
	var wait sync.WaitGroup
	rounds := 150
	if testing.Short() {
		rounds = 30
	}
	for worker := range 4 {
		wait.Go(func() {
			random := rand.New(rand.NewPCG(uint64(worker), 1))
			for range rounds {
				impatient, cancel := context.WithTimeout(ctx, time.Duration(random.IntN(3000))*time.Microsecond)
				err := w.Store.Update(impatient, w.Realm.ID, func(tx Tx) error {
					r := directory.Role{Organization: o.ID, Key: fmt.Sprint(random.Uint64())}
					e := directory.Entry{Organization: o.ID, Key: r.Key, Value: []byte("x")}
					if err := tx.Roles().Insert(impatient, &r); err != nil {
						return err
					}
					return tx.Entries().Insert(impatient, &e)
				})
				cancel()
				if kind := fault.KindOf(err); err != nil && kind != fault.Unavailable {
					t.Errorf("an update that was given up: %v", err)
				}
			}
		})
	}
	wait.Wait()
	if r, e := w.Count(t, "roles", "realm_id = $1", int64(w.Realm.ID)), w.Count(t, "entries", "realm_id = $1", int64(w.Realm.ID)); r != e {
		t.Errorf("%d roles and %d entries were written in pairs", r, e)
	}
	w.Organization(t, directory.Organization{Name: "B"})
}

// nested opens a transaction inside a view, and reads inside a transaction, as
// services do that call each other.
func nested(t *testing.T, w *World) {
	o := w.Organization(t, directory.Organization{Name: "A"})
	w.View(t, func(tx Tx) error {
		_, err := w.Directory.UpdateOrganization(ctx, w.System, o.ID, func(o *directory.Organization) error {
			o.Name = "B"
			_, err := w.Directory.Organization(ctx, w.System, w.Realm.Default)
			return err
		})
		return err
	})
}

// kick: the purge is woken by the commit of a deletion, and by nothing less.
func kick(t *testing.T, w *World) {
	o := w.Organization(t, directory.Organization{Name: "A"})
	wake := w.Purger().Wake()
	awake := func() bool {
		select {
		case <-wake:
			return true
		default:
			return false
		}
	}
	awake()
	condemn := func(fail error) error {
		return w.Store.Update(ctx, w.Realm.ID, func(tx Tx) error {
			d := erasure.Options{}.Deletion(id.Organization, o.ID, o.ID, "test", w.Clock.Now())
			return errors.Join(tx.Condemn(ctx, &d), fail)
		})
	}
	if err := condemn(errRollBack); !errors.Is(err, errRollBack) || awake() {
		t.Errorf("a deletion that was taken back (%v) woke the purge", err)
	}
	if err := condemn(nil); err != nil || !awake() {
		t.Errorf("a deletion (%v) did not wake the purge", err)
	}
	if err := condemn(nil); !errors.Is(err, directory.ErrOrganizationNotFound) {
		t.Errorf("a second deletion: %v", err)
	}
}
