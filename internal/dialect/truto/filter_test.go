package truto

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"guildhall/internal/directory"
	"guildhall/internal/fault"
	"guildhall/internal/query"
)

func TestFiltersBecomeConditions(t *testing.T) {
	noon := time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC)
	later := noon.Add(time.Millisecond)
	for s, want := range map[string][]query.Condition{
		"":                                    nil,
		"name=":                               nil,
		"unknown=x":                           nil,
		"name=ACME":                           {query.Is("name_key", "acme")},
		"name[eq]=Acme":                       {query.Is("name_key", "acme")},
		"name[in]=a,B":                        {query.Any(query.Is("name_key", "a"), query.Is("name_key", "b"))},
		"name[in][]=a&name[in][]=b":           {query.Any(query.Is("name_key", "a"), query.Is("name_key", "b"))},
		"created_at[gt]=2024-05-01T12:00:00Z": {query.Where("created_at", query.MoreEq, later)},
		"created_at[gte]=2024-05-01T14:00:00%2B02:00": {query.Where("created_at", query.MoreEq, noon)},
		"created_at[gte]=2024-05-01T12:00:00.000Z":    {query.Where("created_at", query.MoreEq, noon)},
		"created_at[lt]=2024-05-01%2012:00:00":        {query.Where("created_at", query.Less, noon)},
		"created_at[lte]=2024-05-01T12:00:00":         {query.Where("created_at", query.Less, later)},
		"updated_at=2024-05-01T12:00:00Z":             {query.All(query.Where("updated_at", query.MoreEq, noon), query.Where("updated_at", query.Less, later))},
	} {
		got, err := conditions(parsed(t, s), organizationFilters)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, %v, want %+v", s, got, err, want)
		}
	}
}

func TestFiltersRefuseWhatTheyDoNotKnow(t *testing.T) {
	for _, s := range []string{
		"name[like]=x", "name[gt]=x", "name[eq]=x&name[eq]=y", "name[eq][deep]=x", "created_at=yesterday", "created_at[in]=x,2024-05-01", "created_at[gt]=",
		"name[in]=" + strings.Repeat("a,", maxValues+1),
	} {
		if got, err := conditions(parsed(t, s), organizationFilters); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%.40s: got %+v, %v", s, got, err)
		}
	}
}

func TestMicrosecondsAreComparedAsTheyAre(t *testing.T) {
	from, to, err := moment("t", "2024-05-01T12:00:00.123456Z")
	if err != nil || to.Sub(from) != time.Microsecond {
		t.Errorf("got %v to %v, %v", from, to, err)
	}
}

func TestOrderNamesOneFieldAndADirection(t *testing.T) {
	for s, want := range map[string]struct {
		by   string
		desc bool
	}{
		"":                        {},
		"sort_by=":                {},
		"sort_by=name":            {by: "name_key"},
		"sort_by[name]=asc":       {by: "name_key"},
		"sort_by[name]=DESC":      {by: "name_key", desc: true},
		"sort_by[updated_at]=asc": {by: "updated_at"},
	} {
		by, desc, err := order(parsed(t, s), organizationOrder)
		if err != nil || by != want.by || desc != want.desc {
			t.Errorf("%s: got %q, %v, %v", s, by, desc, err)
		}
	}
	for _, s := range []string{"sort_by=secret", "sort_by[name]=up", "sort_by[name]=asc&sort_by[created_at]=asc", "sort_by=name&sort_by=name", "sort_by[name]="} {
		if _, _, err := order(parsed(t, s), organizationOrder); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: got %v", s, err)
		}
	}
}

// TestStatusAndItsFilterAgree compares what a user is shown as with what the
// filters find it by.
func TestStatusAndItsFilterAgree(t *testing.T) {
	users := []directory.UserState{directory.UserActive, directory.UserInactive, directory.UserLocked, directory.UserInitial}
	members := []directory.MemberState{directory.MemberActive, directory.MemberInvited, directory.MemberPending}
	for _, status := range []string{userActive, userInactive, userInvited} {
		for _, u := range users {
			c, err := ofStatus("", status)
			if err != nil || holds(c, map[string]string{"state": string(u)}) != (person{User: directory.User{State: u}}.status() == status) {
				t.Errorf("%s as %s in the realm: %+v, %v", u, status, c, err)
			}
			for _, m := range members {
				c, err := ofStatus("user.", status)
				p := person{directory.User{State: u}, m}
				if err != nil || holds(c, map[string]string{"user.state": string(u), "state": string(m)}) != (p.status() == status) {
					t.Errorf("%s, %s as %s in an organization: %+v, %v", u, m, status, c, err)
				}
			}
		}
	}
}

// holds evaluates a condition on text fields.
func holds(c query.Condition, row map[string]string) bool {
	switch {
	case c.Any != nil:
		for _, e := range c.Any {
			if holds(e, row) {
				return true
			}
		}
		return false
	case c.All != nil:
		for _, e := range c.All {
			if !holds(e, row) {
				return false
			}
		}
		return true
	case c.Op == query.In:
		for _, v := range c.Value.([]string) {
			if row[c.Field] == v {
				return true
			}
		}
		return false
	}
	return (row[c.Field] == c.Value.(string)) == (c.Op == query.Eq)
}
