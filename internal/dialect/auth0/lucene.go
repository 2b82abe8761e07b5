package auth0

import (
	"strings"
	"unicode/utf8"

	"guildhall/internal/fault"
)

// The search language is the subset of the Lucene query syntax that the vendor
// documents for users: terms, phrases, fields, wildcards at the ends, ranges,
// groups, and AND, OR, NOT. Terms side by side are alternatives, as in Lucene.

// A term is a node of a parsed search: a group of others, or one test.
type term struct {
	all, any []term // groups
	not      *term

	field string // "" for a term that names none
	text  string
	exact bool // a quoted text: wildcards in it mean themselves
	rang  *bounds
}

// bounds is a range. A bound that is "*" is open.
type bounds struct {
	low, high         string
	openLow, openHigh bool // exclusive
}

// Limits of a search; beyond them it is refused, not truncated.
const (
	longestSearch = 2000
	mostTerms     = 64
	deepestGroup  = 16
)

// parseSearch reads a search, or tells where it is wrong.
func parseSearch(s string) (term, error) {
	if !utf8.ValidString(s) || strings.IndexByte(s, 0) >= 0 || len(s) > longestSearch {
		return term{}, badSearch("the search must be text of at most %d bytes", longestSearch)
	}
	p := &searchParser{rest: s}
	t, err := p.alternatives(0)
	if err != nil {
		return t, err
	}
	if p.space(); p.rest != "" {
		return t, p.unexpected()
	}
	return t, nil
}

func badSearch(format string, args ...any) *fault.Error {
	return badQuery(format+" on property q", args...)
}

type searchParser struct {
	rest  string
	terms int
	field string // of the group being read: name:(jane OR joe)
}

func (p *searchParser) space() { p.rest = strings.TrimLeft(p.rest, " \t\r\n") }

func (p *searchParser) unexpected() error {
	if p.rest == "" {
		return badSearch("the search ends too early")
	}
	return badSearch("the search has something unexpected at: %s", p.rest)
}

// word reads an operator if it comes next.
func (p *searchParser) word(w string) bool {
	p.space()
	rest, ok := strings.CutPrefix(p.rest, w)
	if !ok || (isWord(w) && rest != "" && !strings.ContainsRune(" \t\r\n(\"", rune(rest[0]))) {
		return false
	}
	p.rest = rest
	return true
}

func isWord(w string) bool { return w[0] >= 'A' && w[0] <= 'Z' }

func (p *searchParser) alternatives(depth int) (term, error) {
	var group term
	for {
		t, err := p.conjunction(depth)
		if err != nil {
			return t, err
		}
		group.any = append(group.any, t)
		if p.word("OR") || p.word("||") {
			continue
		}
		if p.space(); p.rest == "" || p.rest[0] == ')' {
			break
		}
	}
	if len(group.any) == 1 {
		return group.any[0], nil
	}
	return group, nil
}

func (p *searchParser) conjunction(depth int) (term, error) {
	var group term
	for {
		t, err := p.unary(depth)
		if err != nil {
			return t, err
		}
		group.all = append(group.all, t)
		if !p.word("AND") && !p.word("&&") && !p.required() {
			break
		}
	}
	if len(group.all) == 1 {
		return group.all[0], nil
	}
	return group, nil
}

// required reports whether the next term is one that must hold, or must not,
// whatever stands before it.
func (p *searchParser) required() bool {
	ahead := *p
	return ahead.word("NOT") || ahead.word("-") || ahead.word("!") || ahead.word("+")
}

func (p *searchParser) unary(depth int) (term, error) {
	if depth > deepestGroup {
		return term{}, badSearch("the search is nested too deeply")
	}
	switch {
	case p.word("NOT"), p.word("-"), p.word("!"):
		t, err := p.unary(depth + 1)
		return term{not: &t}, err
	case p.word("+"):
		return p.unary(depth + 1)
	case p.word("("):
		return p.group(depth)
	}
	return p.test(depth)
}

func (p *searchParser) group(depth int) (term, error) {
	t, err := p.alternatives(depth + 1)
	if err == nil && !p.word(")") {
		err = p.unexpected()
	}
	return t, err
}

// test reads one test: an optional field and what it is compared with.
func (p *searchParser) test(depth int) (term, error) {
	if p.terms++; p.terms > mostTerms {
		return term{}, badSearch("the search has more than %d terms", mostTerms)
	}
	t := term{field: p.field}
	if name, rest, ok := fieldName(p.rest); ok {
		t.field, p.rest = name, rest
		if strings.HasPrefix(p.rest, "(") {
			p.rest = p.rest[1:]
			outer := p.field
			p.field = name
			t, err := p.group(depth)
			p.field = outer
			return t, err
		}
	}
	return p.value(t)
}

// fieldName splits "field:" off. Names are words with dots and underscores.
func fieldName(s string) (name, rest string, ok bool) {
	end := strings.IndexFunc(s, func(r rune) bool {
		return !(r == '_' || r == '.' || r == '-' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z')
	})
	if end <= 0 || s[end] != ':' {
		return "", s, false
	}
	return s[:end], s[end+1:], true
}

func (p *searchParser) value(t term) (term, error) {
	switch {
	case strings.HasPrefix(p.rest, `"`):
		return p.phrase(t)
	case t.field != "" && p.rest != "" && strings.ContainsRune("[{", rune(p.rest[0])):
		return p.span(t)
	case t.field != "" && p.rest != "" && strings.ContainsRune("<>", rune(p.rest[0])):
		return p.comparison(t)
	}
	text, err := p.bare(" \t\r\n()\"")
	t.text = text
	switch {
	case err != nil:
	case text == "":
		err = p.unexpected()
	case text == "AND" || text == "OR":
		err = badSearch("the search has an operator without a term: %s", text)
	}
	return t, err
}

func (p *searchParser) phrase(t term) (term, error) {
	text, rest, ok := quoted(p.rest[1:])
	if !ok {
		return t, badSearch("a quotation in the search does not end")
	}
	t.text, t.exact, p.rest = text, true, rest
	return t, nil
}

// quoted reads up to the closing quote; a backslash takes the next character as
// it is.
func quoted(s string) (text, rest string, ok bool) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '"':
			return b.String(), s[i+1:], true
		case '\\':
			if i++; i == len(s) {
				return "", "", false
			}
		}
		b.WriteByte(s[i])
	}
	return "", "", false
}

// Stand-ins for wildcards that were escaped, so that they are told from others.
// NUL cannot be in a search.
const (
	escapedStar = "\x00s"
	escapedMark = "\x00q"
)

// bare reads an unquoted text up to one of the stops.
func (p *searchParser) bare(stops string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(p.rest); i++ {
		c := p.rest[i]
		switch {
		case strings.IndexByte(stops, c) >= 0:
			p.rest = p.rest[i:]
			return b.String(), nil
		case c == '\\' && i+1 == len(p.rest):
			return "", badSearch("the search ends in a backslash")
		case c == '\\' && p.rest[i+1] == '*':
			i++
			b.WriteString(escapedStar)
		case c == '\\' && p.rest[i+1] == '?':
			i++
			b.WriteString(escapedMark)
		case c == '\\':
			i++
			b.WriteByte(p.rest[i])
		default:
			b.WriteByte(c)
		}
	}
	p.rest = ""
	return b.String(), nil
}

// span reads a range, as [a TO b], {a TO b} or with one bracket of each.
func (p *searchParser) span(t term) (term, error) {
	r := bounds{openLow: p.rest[0] == '{'}
	p.rest = p.rest[1:]
	var err error
	if r.low, err = p.bound(); err != nil {
		return t, err
	}
	if !p.word("TO") {
		return t, p.unexpected()
	}
	if r.high, err = p.bound(); err != nil {
		return t, err
	}
	switch {
	case p.word("]"):
	case p.word("}"):
		r.openHigh = true
	default:
		return t, p.unexpected()
	}
	t.rang = &r
	return t, nil
}

func (p *searchParser) bound() (string, error) {
	p.space()
	if strings.HasPrefix(p.rest, `"`) {
		text, rest, ok := quoted(p.rest[1:])
		if !ok {
			return "", badSearch("a quotation in the search does not end")
		}
		p.rest = rest
		return text, nil
	}
	text, err := p.bare(" \t\r\n]}\"")
	if err == nil && text == "" {
		err = p.unexpected()
	}
	return text, err
}

// comparison reads >, >=, < or <= with a value.
func (p *searchParser) comparison(t term) (term, error) {
	r := bounds{low: "*", high: "*"}
	up := p.rest[0] == '>'
	p.rest = p.rest[1:]
	rest, inclusive := strings.CutPrefix(p.rest, "=")
	p.rest = rest
	value, err := p.bound()
	if up {
		r.low, r.openLow = value, !inclusive
	} else {
		r.high, r.openHigh = value, !inclusive
	}
	t.rang = &r
	return t, err
}
