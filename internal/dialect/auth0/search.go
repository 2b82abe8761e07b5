package auth0

import (
	"errors"
	"strings"
	"time"

	"guildhall/internal/directory"
	"guildhall/internal/edge"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

// A searcher turns a parsed search for users into conditions on their fields.
type searcher struct {
	realm id.ID
	now   time.Time
	// members asks for the members of an organization, which is no field of a user.
	members func(raw string) (query.Condition, error)
}

// search reads and compiles the q parameter of the list of users.
func (a *API) search(c edge.Call, q string) (query.Condition, error) {
	t, err := parseSearch(q)
	if err != nil {
		return query.Condition{}, err
	}
	left := mostSearched
	s := searcher{
		realm:   c.Actor.Realm,
		now:     a.Now(),
		members: func(raw string) (query.Condition, error) { return a.membersOf(c, raw, &left) },
	}
	return s.compile(t)
}

// mostSearched is how many members the organizations in a search may have. Those
// of larger ones are listed where members are listed.
const mostSearched = 5000

// membersOf asks for the members of an organization. One that does not exist has
// none, as the vendor's index has it.
func (a *API) membersOf(c edge.Call, raw string, left *int) (query.Condition, error) {
	none := query.Any()
	organization, err := a.organizationOf(c, raw)
	if err != nil {
		return none, nil
	}
	var ids []id.ID
	q := query.Query{Limit: query.MaxLimit}
	for {
		page, err := a.Directory.Members(c.Context(), c.Actor, organization, q)
		switch {
		case errors.Is(err, directory.ErrOrganizationNotFound):
			return none, nil
		case err != nil:
			return none, err
		}
		for _, m := range page.Items {
			ids = append(ids, m.User)
		}
		if *left -= len(page.Items); *left < 0 {
			return none, badSearch("the organization has too many members to search by; list its members instead")
		}
		if page.Next == nil {
			return query.OneOf("id", ids), nil
		}
		q.After = page.Next
	}
}

func (s searcher) compile(t term) (query.Condition, error) {
	switch {
	case t.not != nil:
		inner, err := s.compile(*t.not)
		return query.Not(inner), err
	case t.all != nil:
		each, err := s.compileEach(t.all)
		return query.All(each...), err
	case t.any != nil:
		each, err := s.compileEach(t.any)
		return query.Any(each...), err
	}
	return s.test(t)
}

func (s searcher) compileEach(terms []term) ([]query.Condition, error) {
	each := make([]query.Condition, 0, len(terms))
	for _, t := range terms {
		c, err := s.compile(t)
		if err != nil {
			return nil, err
		}
		each = append(each, c)
	}
	return each, nil
}

// A textField is a field of text: where it is stored, and whether it compares
// without regard to case.
type textField struct {
	column string
	fold   bool
}

var textFields = map[string]textField{
	"email":        {"email_key", true},
	"name":         {"name_key", true},
	"given_name":   {"given_name_key", true},
	"family_name":  {"family_name_key", true},
	"username":     {"username_key", true},
	"phone_number": {"phone", false},
}

// bareFields are where a term without a field is looked for.
var bareFields = []string{"email", "name", "given_name", "family_name", "username"}

func (s searcher) test(t term) (query.Condition, error) {
	if f, ok := textFields[t.field]; ok {
		return f.test(t)
	}
	switch t.field {
	case "":
		return s.anywhere(t)
	case "_exists_":
		return s.exists(t)
	case "user_id":
		return s.identified(t)
	case "email.domain":
		return domainTest(t)
	case "blocked":
		return flagTest(t, query.OneOf("state", []string{string(directory.UserLocked), string(directory.UserInactive)}))
	case "email_verified":
		return flagTest(t, query.Is("email_verified", true))
	case "created_at", "updated_at":
		return s.timeTest(t)
	case "identities.connection":
		if err := plainOnly(t); err != nil {
			return query.Condition{}, err
		}
		return inConnection(t.plain()), nil
	case "identities.provider":
		if err := plainOnly(t); err != nil {
			return query.Condition{}, err
		}
		return always(t.plain() == strings.TrimSuffix(userPrefix, "|")), nil
	case "organization_id":
		if err := plainOnly(t); err != nil {
			return query.Condition{}, err
		}
		return s.members(t.plain())
	}
	return query.Condition{}, badSearch("users cannot be searched by %s here", t.field)
}

// always holds for every user or for none.
func always(yes bool) query.Condition {
	if yes {
		return query.All(query.Where("id", query.More, id.None))
	}
	return query.Any()
}

// plain is the text of a term with escaped wildcards put back.
func (t term) plain() string { return literal(t.text) }

func literal(s string) string {
	return strings.NewReplacer(escapedStar, "*", escapedMark, "?").Replace(s)
}

func (t term) wild() bool {
	return !t.exact && strings.ContainsAny(t.text, "*?")
}

func plainOnly(t term) error {
	if t.rang != nil || t.wild() {
		return badSearch("%s takes neither ranges nor wildcards", t.field)
	}
	return nil
}

func (f textField) value(s string) string {
	if f.fold {
		return directory.Fold(s)
	}
	return s
}

// shortestContained is how much a search for a part of a text must tell of it.
const shortestContained = 3

func (f textField) test(t term) (query.Condition, error) {
	if t.rang != nil {
		return f.between(*t.rang), nil
	}
	if !t.wild() {
		return query.Is(f.column, f.value(t.plain())), nil
	}
	if t.text == "*" {
		return query.Where(f.column, query.Ne, ""), nil
	}
	inner, front := strings.CutPrefix(t.text, "*")
	inner, back := strings.CutSuffix(inner, "*")
	if strings.ContainsAny(inner, "*?") || inner == "" {
		return query.Condition{}, badSearch("wildcards must stand at the beginning or end of %s", t.text)
	}
	part := f.value(literal(inner))
	switch {
	case front && back && len([]rune(part)) < shortestContained:
		return query.Condition{}, badSearch("a search for a part must have at least %d characters", shortestContained)
	case front && back:
		return query.Where(f.column, query.Contains, part), nil
	case front:
		return query.Where(f.column, query.Suffix, part), nil
	}
	return query.Where(f.column, query.Prefix, part), nil
}

// anywhere looks a term without a field up where people would expect it.
func (s searcher) anywhere(t term) (query.Condition, error) {
	if t.text == "*" && !t.exact {
		return always(true), nil
	}
	var places []query.Condition
	for _, name := range bareFields {
		c, err := textFields[name].test(t)
		if err != nil {
			return c, err
		}
		places = append(places, c)
	}
	return query.Any(places...), nil
}

// exists asks whether a field is set.
func (s searcher) exists(t term) (query.Condition, error) {
	if f, ok := textFields[t.plain()]; ok {
		return query.Where(f.column, query.Ne, ""), nil
	}
	switch t.plain() {
	case "user_id", "created_at", "updated_at", "identities", "email_verified":
		return always(true), nil
	case "blocked":
		return flagTest(term{text: "true"}, query.OneOf("state", []string{string(directory.UserLocked), string(directory.UserInactive)}))
	}
	return query.Condition{}, badSearch("users cannot be searched by %s here", t.plain())
}

func (s searcher) identified(t term) (query.Condition, error) {
	if err := plainOnly(t); err != nil {
		return query.Condition{}, err
	}
	if i, ok := parseUser(s.realm, t.plain()); ok {
		return query.Is("id", i), nil
	}
	return query.Is("alias", aliasPrefix+t.plain()), nil
}

func domainTest(t term) (query.Condition, error) {
	if err := plainOnly(t); err != nil {
		return query.Condition{}, err
	}
	return query.Where("email_key", query.Suffix, "@"+directory.Fold(t.plain())), nil
}

func flagTest(t term, yes query.Condition) (query.Condition, error) {
	switch {
	case t.rang == nil && t.text == "true":
		return yes, nil
	case t.rang == nil && t.text == "false":
		return query.Not(yes), nil
	}
	return query.Condition{}, badSearch("%s must be true or false", t.field)
}

// timeForms are the spellings of a moment, each with how long what it names lasts.
var timeForms = []struct {
	form string
	end  func(time.Time) time.Time
}{
	{time.RFC3339Nano, func(t time.Time) time.Time { return t.Add(time.Millisecond) }},
	{"2006-01-02T15:04:05", func(t time.Time) time.Time { return t.Add(time.Second) }},
	{"2006-01-02T15:04", func(t time.Time) time.Time { return t.Add(time.Minute) }},
	{"2006-01-02", func(t time.Time) time.Time { return t.AddDate(0, 0, 1) }},
	{"2006-01", func(t time.Time) time.Time { return t.AddDate(0, 1, 0) }},
	{"2006", func(t time.Time) time.Time { return t.AddDate(1, 0, 0) }},
}

// moment reads a time and gives its first instant and the first one behind it.
func (s searcher) moment(raw string) (start, end time.Time, ok bool) {
	if raw == "now" {
		return s.now, s.now.Add(time.Millisecond), true
	}
	for _, f := range timeForms {
		if at, err := time.Parse(f.form, raw); err == nil && at.Year() > 1900 && at.Year() < 9999 {
			return at, f.end(at), true
		}
	}
	return start, end, false
}

func (s searcher) timeTest(t term) (query.Condition, error) {
	wrong := badSearch("%s must be a date or a range of dates", t.field)
	if t.rang == nil {
		start, end, ok := s.moment(t.plain())
		if !ok {
			return query.Condition{}, wrong
		}
		return query.All(query.Where(t.field, query.MoreEq, start), query.Where(t.field, query.Less, end)), nil
	}
	limits := []query.Condition{}
	if t.rang.low != "*" {
		start, end, ok := s.moment(t.rang.low)
		if !ok {
			return query.Condition{}, wrong
		}
		if t.rang.openLow {
			start = end
		}
		limits = append(limits, query.Where(t.field, query.MoreEq, start))
	}
	if t.rang.high != "*" {
		start, end, ok := s.moment(t.rang.high)
		if !ok {
			return query.Condition{}, wrong
		}
		if t.rang.openHigh {
			end = start
		}
		limits = append(limits, query.Where(t.field, query.Less, end))
	}
	return query.All(limits...), nil
}

// between compares a field with both ends of a range. Unset ones are in none.
func (f textField) between(r bounds) query.Condition {
	limits := []query.Condition{query.Where(f.column, query.Ne, "")}
	if r.low != "*" {
		op := query.MoreEq
		if r.openLow {
			op = query.More
		}
		limits = append(limits, query.Where(f.column, op, f.value(literal(r.low))))
	}
	if r.high != "*" {
		op := query.LessEq
		if r.openHigh {
			op = query.Less
		}
		limits = append(limits, query.Where(f.column, op, f.value(literal(r.high))))
	}
	return query.All(limits...)
}
