package access_test

import (
	"errors"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"guildhall/internal/access"
	"guildhall/internal/fault"
	"guildhall/internal/id"
)

var missing = fault.New(fault.NotFound, "thing_not_found", "", "the thing does not exist")

func permissions() []access.Permission {
	return []access.Permission{access.UserRead, access.UserWrite, access.MemberRead}
}

func anyActor(t *rapid.T, name string) access.Actor {
	a := access.Actor{Realm: 1, Subject: name}
	for range rapid.IntRange(0, 3).Draw(t, "grants") {
		a.Grants = append(a.Grants, access.Grant{
			On:          id.ID(rapid.IntRange(0, 3).Draw(t, "on")),
			Permissions: rapid.SliceOfN(rapid.SampledFrom(permissions()), 0, 3).Draw(t, "permissions"),
		})
	}
	return a
}

// allowed is what Can promises, written out.
func allowed(a access.Actor, p access.Permission, on []id.ID) bool {
	for _, g := range a.Grants {
		for _, have := range g.Permissions {
			if have == p && (g.On == id.None || slices.Contains(on, g.On)) {
				return true
			}
		}
	}
	return false
}

// Two credentials allow what both allow, in whatever order and however many.
func TestTwoCredentialsAllowWhatBothAllow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := anyActor(t, "a"), anyActor(t, "b"), anyActor(t, "c")
		p := rapid.SampledFrom(permissions()).Draw(t, "p")
		on := []id.ID{1, 2, 3}[:rapid.IntRange(0, 3).Draw(t, "resources")]
		want := allowed(a, p, on) && allowed(b, p, on) && allowed(c, p, on)
		for name, actor := range map[string]access.Actor{
			"a in b in c": a.Within(b).Within(c), "a in (b in c)": a.Within(b.Within(c)), "c in a in b": c.Within(a).Within(b),
		} {
			if got := actor.Can(p, on...); got != want {
				t.Errorf("%s can %s on %v: %v, want %v", name, p, on, got, want)
			}
			if err := actor.Require(p, on...); (err == nil) != want {
				t.Errorf("%s: Require: %v, want %v", name, err, want)
			}
			if actor.Can(p, on...) && !actor.CanSomewhere(p) {
				t.Errorf("%s can %s on %v, and nowhere", name, p, on)
			}
		}
	})
}

// A list narrowed by Reach shows what Can allows, one by one.
func TestReachAgreesWithCan(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := anyActor(t, "a")
		if rapid.Bool().Draw(t, "two") {
			a = a.Within(anyActor(t, "b"))
		}
		p := rapid.SampledFrom(permissions()).Draw(t, "p")
		everywhere, on := a.Reach(p)
		if everywhere != a.Can(p) {
			t.Errorf("everywhere %v, Can without resources %v", everywhere, a.Can(p))
		}
		for i := id.ID(1); i <= 3; i++ {
			if reached := everywhere || slices.Contains(on, i); reached != a.Can(p, i) {
				t.Errorf("%d is reached: %v, Can: %v", i, reached, a.Can(p, i))
			}
		}
	})
}

func TestCredentialsOfTwoRealmsAllowNothing(t *testing.T) {
	a, b := access.System(1), access.System(2)
	both := a.Within(b)
	for _, p := range access.All() {
		if both.CanSomewhere(p) || both.Can(p) || both.Realm != id.None {
			t.Errorf("%s is allowed in realm %d", p, both.Realm)
		}
	}
}

func TestNobodyMayDoNothing(t *testing.T) {
	var nobody access.Actor
	for _, p := range access.All() {
		if nobody.Can(p) || nobody.Can(p, 1) || nobody.CanSomewhere(p) {
			t.Errorf("%s is allowed to the zero actor", p)
		}
		everywhere, on := nobody.Reach(p)
		if everywhere || len(on) > 0 {
			t.Errorf("the zero actor reaches %v by %s", on, p)
		}
	}
}

// What exists elsewhere is reported exactly as what does not exist; who may not
// do it anywhere is told so, and learns nothing either.
func TestForeignThingsDoNotExist(t *testing.T) {
	elsewhere := access.Actor{Grants: []access.Grant{{On: 1, Permissions: []access.Permission{access.UserRead}}}}
	if err := elsewhere.RequireSeen(access.UserRead, missing, 2); err != error(missing) {
		t.Errorf("for one who is allowed elsewhere: %v", err)
	}
	if err := elsewhere.RequireSeen(access.UserRead, missing, 1); err != nil {
		t.Errorf("where it is allowed: %v", err)
	}
	err := elsewhere.RequireSeen(access.UserWrite, missing, 1)
	if !errors.Is(err, access.ErrPermissionMissing) || fault.From(err).Detail != access.UserWrite {
		t.Errorf("for one who is allowed nowhere: %v, %v", err, fault.From(err).Detail)
	}
}

func TestAllListsEveryPermissionOnce(t *testing.T) {
	seen := map[access.Permission]bool{}
	for _, p := range access.All() {
		if seen[p] {
			t.Errorf("%s is listed twice", p)
		}
		seen[p] = true
	}
	if !access.System(1).Can(access.RealmDelete) || len(seen) < 30 {
		t.Errorf("%d permissions", len(seen))
	}
}
