package storetest

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"guildhall/internal/directory"
	"guildhall/internal/erasure"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

// unseen are tables of the graph that hold no objects of their own: nobody can
// get one, dead or alive.
var unseen = []string{"events", "imports"}

// liveness walks the graph: an object must be out of reach in the moment its
// owner is deleted, long before the purge, and in reach all the time when it is
// only handed over or unlinked.
func liveness(t *testing.T, w *World) {
	walked := map[string]bool{}
	for _, e := range erasure.Graph {
		for _, k := range kinds() {
			if k.table() != e.Table {
				continue
			}
			walked[e.Table] = true
			for _, fate := range []erasure.Users{erasure.Erase, erasure.Detach} {
				if e.When != "" && e.When != fate {
					continue
				}
				name := strings.NewReplacer(" ", "_", "<>", "not").Replace(fmt.Sprintf("%s by %s when %s %s", e.Table, e.Owner, fate, e.Where))
				t.Run(name, func(t *testing.T) { k.owned(t, w.In(t, t.Name()), e, fate) })
			}
		}
		if !walked[e.Table] && !slices.Contains(unseen, e.Table) {
			t.Errorf("nobody knows how to make a row of %s", e.Table)
		}
	}
}

// owned makes one object whose owner is in the column of the edge, ends the
// owner, and looks at the object before and after the purge.
func (k kind[T]) owned(t *testing.T, w *World, e erasure.Edge, fate erasure.Users) {
	f := newFixture(t, w)
	sample := k.sample
	k.sample = func(f fixture, n int) T {
		v := sample(f, n)
		switch set := reflect.ValueOf(&v).Elem(); {
		case e.Where == "user_id = 0":
			set.FieldByName("User").SetInt(0)
		case e.Where == "scope = 'people'":
			set.FieldByName("Scope").SetString("people")
		case e.Owner == "home_id" && e.Table != "users": // of somebody from elsewhere
			set.FieldByName("User").SetInt(int64(f.guest.ID))
			set.FieldByName("Home").SetInt(int64(f.away.ID))
		}
		if o, ok := any(&v).(*directory.Organization); ok {
			o.Protected = false
		}
		if e.Of == id.Member {
			ofMember(reflect.ValueOf(&v).Elem(), f, e)
		}
		return v
	}
	put := k.insert(t, w, f, 1, 1)[0]
	i := k.stamp(&put).ID
	var owner id.ID
	if err := w.Raw.QueryRow("SELECT "+e.Owner+" FROM "+e.Table+" WHERE id = $1", int64(i)).Scan((*int64)(&owner)); err != nil || owner == id.None {
		t.Fatalf("the sample names no owner in %s (%v)", e.Owner, err)
	}
	switch e.Of {
	case id.Organization:
		w.Delete(t, owner, fate)
	case id.Member:
		if _, err := w.Directory.DeleteMember(ctx, w.System, f.organization.ID, f.member.ID, erasure.Options{}); err != nil {
			t.Fatal(err)
		}
	default:
		if _, err := w.Directory.DeleteUser(ctx, w.System, owner, erasure.Options{Users: fate}); err != nil {
			t.Fatal(err)
		}
	}
	dead := e.Effect == erasure.Remove
	k.reachable(t, w, i, !dead)
	w.Purge(t, 3)
	k.reachable(t, w, i, !dead)
	if n := w.Count(t, e.Table, "id = $1", int64(i)); (n == 0) != dead {
		t.Errorf("after the purge %d rows are left", n)
	}
}

// ofMember makes a sample one of what the fixture's member has in its organization.
func ofMember(set reflect.Value, f fixture, e erasure.Edge) {
	set.FieldByName("Organization").SetInt(int64(f.organization.ID))
	if e.Owner == "subject_id" {
		set.FieldByName("Kind").Set(reflect.ValueOf(id.Member))
		set.FieldByName("Subject").SetInt(int64(f.member.ID))
	}
}

func (k kind[T]) reachable(t *testing.T, w *World, i id.ID, alive bool) {
	t.Helper()
	where := query.Is("id", i)
	w.Update(t, func(tx Tx) error {
		o := k.objects(tx)
		got, err := o.Get(ctx, i)
		k.found(t, "Get", alive, err)
		_, err = o.Hold(ctx, i)
		k.found(t, "Hold", alive, err)
		_, err = o.Lock(ctx, i)
		k.found(t, "Lock", alive, err)
		_, err = o.Find(ctx, where)
		k.found(t, "Find", alive, err)
		page, err := o.List(ctx, query.Query{Where: []query.Condition{where}, Total: true})
		if err != nil || (len(page.Items) == 1) != alive || (page.Total == 1) != alive {
			t.Errorf("List gave %d of %d, %v", len(page.Items), page.Total, err)
		}
		n, err := o.Count(ctx, where)
		if err != nil || (n == 1) != alive {
			t.Errorf("Count gave %d, %v", n, err)
		}
		if alive {
			k.change(&got)
			return o.Update(ctx, &got)
		}
		k.isMissing(t, "Delete", o.Delete(ctx, i))
		return nil
	})
}

func (k kind[T]) found(t *testing.T, how string, alive bool, err error) {
	t.Helper()
	if !alive {
		k.isMissing(t, how, err)
	} else if err != nil {
		t.Errorf("%s: %v", how, err)
	}
}

// table is where the kind is kept.
func (k kind[T]) table() string {
	if k.name == "keys" {
		return "api_keys"
	}
	return strings.ReplaceAll(k.name, " ", "_")
}
