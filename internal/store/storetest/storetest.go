package storetest

import (
	"cmp"
	"encoding/json"
	"errors"
	"testing"

	"guildhall/internal/edge"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

// Run holds an engine to the contract. Address gives the address of a new database
// with the schema, empty that of one without.
func Run(t *testing.T, address, empty func(testing.TB) string) {
	t.Run("Objects", func(t *testing.T) {
		w := Attach(t, address(t))
		for _, k := range kinds() {
			k.contract(t, w)
		}
	})
	shared := Attach(t, address(t))
	for name, test := range map[string]func(*testing.T, *World){
		"Conditions": conditions, "BadText": badText, "LongLists": longLists, "Uniqueness": uniqueness,
		"Visibility": visibility, "OneTime": oneTime, "Crossed": crossed, "Impatience": impatience, "Nested": nested, "Kick": kick,
		"UniqueRaces": uniqueRaces, "VersionRaces": versionRaces, "LockedRaces": lockedRaces, "Repeats": repeats, "Membership": membership,
		"Patience": patience, "Schema": schema, "PurgeByIndex": purgeByIndex,
	} {
		t.Run(name, func(t *testing.T) { test(t, shared.In(t, name)) })
	}
	t.Run("FirstTimes", func(t *testing.T) { firstTimes(t, empty(t)) })
	t.Run("T_A06_NoIDIsIssuedTwice", func(t *testing.T) { issued(t, address(t)) })
	for name, test := range map[string]func(*testing.T, *World){"Resumed": resumed, "BatchTakenBack": batchTakenBack, "OneByOne": oneByOne} {
		t.Run(name, func(t *testing.T) { test(t, Open(t, address(t))) })
	}
	t.Run("RealmEnds", func(t *testing.T) { realmEnds(t, Open(t, address(t))) })
	t.Run("Liveness", func(t *testing.T) { liveness(t, Attach(t, address(t))) })
}

func idOf(i int64) id.ID { return id.ID(i) }

// errRollBack ends a transaction of which nothing is wanted.
var errRollBack = errors.New("not wanted")

func less(a, b any) bool {
	switch a := a.(type) {
	case string:
		return a < b.(string)
	case bool:
		return !a && b.(bool)
	case int64:
		return cmp.Less(a, b.(int64))
	}
	return false
}

// carried gives a position as it comes back from a client.
func carried(t TB, p query.Position) *query.Position {
	t.Helper()
	c := edge.Cursors{Key: []byte("key")}
	back, err := c.Open("list", c.Seal("list", p))
	if err != nil {
		b, _ := json.Marshal(p)
		t.Fatalf("the position %s does not survive its journey: %v", b, err)
	}
	return back
}
