package storetest

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"guildhall/internal/directory"
	"guildhall/internal/fault"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

// pieces are what texts and the values they are compared with are made of: what
// quoting, patterns and collations trip over.
var pieces = []string{
	"a", "A", "b", "ab", " ", "%", "_", "'", `"`, `\`, "''", "$1", "?", "--", ";", "é", "É", "e\u0301", "ß", "SS", "組", "🏛", "\u200b", "\n", "İ", "ı", "-", "1",
}

func text() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		return strings.Join(rapid.SliceOfN(rapid.SampledFrom(pieces), 0, 3).Draw(t, "pieces"), "")
	})
}

// texts, flags and numbers are fields to ask for, with what they are of a user.
var (
	texts = map[string]func(directory.User) string{
		"name": func(u directory.User) string { return u.Name }, "given_name": func(u directory.User) string { return u.GivenName },
		"connection": func(u directory.User) string { return u.Connection }, "alias": func(u directory.User) string { return u.Alias },
		"external_id":     func(u directory.User) string { return u.ExternalID },
		"name_key":        func(u directory.User) string { return directory.Fold(u.Name) },
		"given_name_key":  func(u directory.User) string { return directory.Fold(u.GivenName) },
		"family_name_key": func(u directory.User) string { return directory.Fold(u.FamilyName) },
		"state":           func(u directory.User) string { return string(u.State) },
	}
	numbers = map[string]func(directory.User) int64{
		"id": func(u directory.User) int64 { return int64(u.ID) }, "home_id": func(u directory.User) int64 { return int64(u.Home) },
		"created_at":     func(u directory.User) int64 { return u.CreatedAt.UnixMicro() },
		"email_verified": func(u directory.User) int64 { return map[bool]int64{true: 1}[u.EmailVerified] },
	}
)

// A people is users to search, and what a search by hand finds among them.
type people []directory.User

// seedPeople makes users with awkward names, in several homes, some created at the
// same time.
func seedPeople(t TB, w *World, n int) (list people) {
	t.Helper()
	gen := text()
	homes := []id.ID{id.None, w.Organization(t, directory.Organization{Name: "One"}).ID, w.Organization(t, directory.Organization{Name: "Two"}).ID}
	w.Update(t, func(tx Tx) error {
		list = nil
		for i := range n {
			u := directory.User{
				Home: homes[i%3], Scope: homes[i%3], Kind: directory.Human, State: directory.UserActive, Name: gen.Example(5*i + 1), GivenName: gen.Example(5*i + 2),
				FamilyName: gen.Example(5*i + 3), Connection: gen.Example(5*i + 4), EmailVerified: i%2 == 0,
			}
			if i%4 == 0 {
				u.Alias, u.ExternalID = fmt.Sprintf("a%d", i), fmt.Sprintf("x%d", i/2)
			}
			u.CreatedAt = moment.Add(time.Duration(i/3) * time.Second)
			if err := tx.Users().Insert(ctx, &u); err != nil {
				return err
			}
			list = append(list, u)
		}
		return nil
	})
	return list
}

// conditions draws conditions on the users of list.
func (list people) conditions(t *rapid.T, depth int) query.Condition {
	u := list[rapid.IntRange(0, len(list)-1).Draw(t, "user")]
	shape := rapid.IntRange(0, 9).Draw(t, "shape")
	if depth == 0 || shape < 5 {
		return list.comparison(t, u)
	}
	if shape == 9 {
		return query.Not(list.conditions(t, depth-1))
	}
	group := make([]query.Condition, rapid.IntRange(0, 3).Draw(t, "size"))
	for i := range group {
		group[i] = list.conditions(t, depth-1)
	}
	c := query.Any(group...)
	if shape%2 == 0 {
		c = query.All(group...)
	}
	c.Not = shape == 7
	return c
}

func (list people) comparison(t *rapid.T, u directory.User) query.Condition {
	ops := []query.Op{query.Eq, query.Ne, query.Less, query.LessEq, query.More, query.MoreEq, query.In, query.Prefix, query.Contains, query.Suffix}
	if rapid.Bool().Draw(t, "number") {
		field := rapid.SampledFrom(keysOf(numbers)).Draw(t, "field")
		op := rapid.SampledFrom(ops[:7]).Draw(t, "op")
		if field == "email_verified" {
			return query.Where(field, op%2, u.EmailVerified)
		}
		value := numbers[field](u)
		if op == query.In {
			return query.OneOf(field, []int64{value, value + 1, value}[:rapid.IntRange(0, 3).Draw(t, "listed")])
		}
		if field == "created_at" {
			return query.Where(field, op, time.UnixMicro(value))
		}
		return query.Where(field, op, id.ID(value))
	}
	field := rapid.SampledFrom(keysOf(texts)).Draw(t, "field")
	value := text().Draw(t, "value")
	if rapid.Bool().Draw(t, "real") { // something that is there, or a part of it
		value = texts[field](u)
		if runes := []rune(value); len(runes) > 1 {
			from := rapid.IntRange(0, len(runes)-1).Draw(t, "from")
			value = string(runes[from:rapid.IntRange(from, len(runes)).Draw(t, "to")])
		}
	}
	op := rapid.SampledFrom(ops).Draw(t, "op")
	if op == query.In {
		return query.OneOf(field, []string{value, "", texts[field](u), "a"}[:rapid.IntRange(0, 4).Draw(t, "listed")])
	}
	return query.Where(field, op, value)
}

func keysOf[V any](m map[string]V) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// holds is what a condition means.
func holds(c query.Condition, u directory.User) bool {
	if c.Not {
		c.Not = false
		return !holds(c, u)
	}
	if c.Any != nil {
		return slices.ContainsFunc(c.Any, func(c query.Condition) bool { return holds(c, u) })
	}
	if c.All != nil {
		return !slices.ContainsFunc(c.All, func(c query.Condition) bool { return !holds(c, u) })
	}
	if of, ok := numbers[c.Field]; ok {
		if list, ok := c.Value.([]int64); ok {
			return slices.Contains(list, of(u))
		}
		return ordered(c.Op, of(u), number(c.Value))
	}
	s := texts[c.Field](u)
	value, _ := c.Value.(string)
	switch c.Op {
	case query.In:
		return slices.Contains(c.Value.([]string), s)
	case query.Prefix:
		return strings.HasPrefix(s, value)
	case query.Suffix:
		return strings.HasSuffix(s, value)
	case query.Contains:
		return strings.Contains(s, value)
	}
	return ordered(c.Op, s, value)
}

func number(v any) int64 {
	switch v := v.(type) {
	case id.ID:
		return int64(v)
	case time.Time:
		return v.UnixMicro()
	case bool:
		return map[bool]int64{true: 1}[v]
	}
	panic(fmt.Sprintf("%T is no number", v))
}

func ordered[T cmp.Ordered](op query.Op, a, b T) bool {
	switch op {
	case query.Eq:
		return a == b
	case query.Ne:
		return a != b
	case query.Less:
		return a < b
	case query.LessEq:
		return a <= b
	case query.More:
		return a > b
	default:
		return a >= b
	}
}

// conditions compares what lists and counts find with a search by hand, for
// conditions of every shape and in every order.
func conditions(t *testing.T, w *World) {
	list := seedPeople(t, w, 40)
	w.In(t, "Neighbour").User(t, directory.User{Name: "a"})
	rapid.Check(t, func(t *rapid.T) {
		q := query.Query{Where: []query.Condition{list.conditions(t, 2), list.conditions(t, 1)}, Total: true}
		q.By = rapid.SampledFrom(append(keysOf(texts), "id", "created_at")).Draw(t, "by")
		q.Desc = rapid.Bool().Draw(t, "desc")
		want := list.search(q)
		w.View(t, func(tx Tx) error {
			page, err := tx.Users().List(ctx, q)
			if err != nil {
				t.Fatalf("list %+v: %v", q, err)
			}
			if got := users.ids(page.Items); !slices.Equal(got, want) || page.Total != len(want) {
				t.Fatalf("%+v found %v (of %d), want %v", q, got, page.Total, want)
			}
			return nil
		})
	})
}

// search gives the ids of the users for whom q holds, in its order.
func (list people) search(q query.Query) []int64 {
	found := slices.DeleteFunc(slices.Clone(list), func(u directory.User) bool { return !holds(query.All(q.Where...), u) })
	slices.SortFunc(found, func(a, b directory.User) int {
		by := cmp.Compare(a.ID, b.ID)
		if of, ok := texts[q.By]; ok {
			by = cmp.Or(cmp.Compare(of(a), of(b)), by)
		} else if of, ok := numbers[q.By]; ok {
			by = cmp.Or(cmp.Compare(of(a), of(b)), by)
		}
		if q.Desc {
			return -by
		}
		return by
	})
	return users.ids(found)
}

// badText feeds text that no database keeps to everything that takes text.
func badText(t *testing.T, w *World) {
	for _, bad := range []string{"\x00", "a\x00b", "\xff", "a\xc3", "\xed\xa0\x80", strings.Repeat("\xf8", 10)} {
		refused := func(how string, err error) {
			t.Helper()
			if fault.KindOf(err) != fault.Invalid {
				t.Errorf("%s of %q: %v", how, bad, err)
			}
		}
		for op := query.Eq; op <= query.Suffix; op++ {
			var value any = bad
			if op == query.In {
				value = []string{"good", bad}
			}
			err := w.Store.View(ctx, w.Realm.ID, func(tx Tx) error {
				_, err := tx.Users().Find(ctx, query.Where("name", op, value))
				return err
			})
			refused(fmt.Sprintf("comparison %d", op), err)
		}
		err := w.Store.Update(ctx, w.Realm.ID, func(tx Tx) error {
			return tx.Users().Insert(ctx, &directory.User{Kind: directory.Human, State: directory.UserActive, Name: bad})
		})
		refused("an insert", err)
		u := w.User(t, directory.User{Name: "good"})
		err = w.Store.Update(ctx, w.Realm.ID, func(tx Tx) error {
			u.GivenName = bad
			return tx.Users().Update(ctx, &u)
		})
		refused("an update", err)
	}
}

// longLists asks for more values at once than a statement takes.
func longLists(t *testing.T, w *World) {
	u := w.User(t, directory.User{Name: "One"})
	for _, n := range []int{1, 3, 1000, 4097, 16_385, 20_000} {
		list := make([]id.ID, n)
		list[n-1] = u.ID
		w.View(t, func(tx Tx) error {
			if found, err := tx.Users().Count(ctx, query.OneOf("id", list)); found != 1 || err != nil {
				t.Errorf("among %d: %d, %v", n, found, err)
			}
			return nil
		})
	}
	err := w.Store.View(ctx, w.Realm.ID, func(tx Tx) error {
		_, err := tx.Users().Count(ctx, query.OneOf("id", make([]id.ID, 1_000_000)))
		return err
	})
	if fault.KindOf(err) != fault.TooLarge {
		t.Errorf("a list of a million: %v", err)
	}
}
