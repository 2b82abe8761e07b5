package liquid

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Parse reads a template.
func Parse(src string) (*Template, error) {
	if len(src) > MaxSource {
		return nil, &SyntaxError{1, "the template is larger than " + strconv.Itoa(MaxSource) + " bytes"}
	}
	if !utf8.ValidString(src) || strings.ContainsRune(src, 0) {
		return nil, &SyntaxError{1, "the template is not valid text"}
	}
	pieces, err := cut(src)
	if err != nil {
		return nil, err
	}
	p := &parser{pieces: pieces}
	nodes, end, err := p.block(0)
	if err == nil && end.word != "" {
		err = &SyntaxError{end.line, "nothing is open that " + strconv.Quote(end.word) + " could end"}
	}
	return &Template{nodes}, err
}

type parser struct {
	pieces []piece
	at     int
}

// An ending is the tag that ended a block; word is "" at the end of the source.
type ending struct {
	word string
	rest []token
	line int
}

// block reads nodes up to a tag that one of the words begins, or to the end.
func (p *parser) block(depth int, ends ...string) ([]node, ending, error) {
	var nodes []node
	if depth > maxDepth {
		return nil, ending{}, &SyntaxError{p.pieces[p.at-1].line, "blocks are nested too deeply"}
	}
	for p.at < len(p.pieces) {
		piece := p.pieces[p.at]
		p.at++
		if piece.kind == 't' {
			nodes = append(nodes, literal(piece.text))
			continue
		}
		list, err := words(piece.text, piece.line)
		if err != nil {
			return nil, ending{}, err
		}
		e := &expressions{list, 0, piece.line}
		if piece.kind == 'o' {
			if len(list) == 0 {
				continue
			}
			out, err := e.filtered()
			if err != nil {
				return nil, ending{}, err
			}
			nodes = append(nodes, out)
			continue
		}
		word := e.name()
		if slices.Contains(ends, word) || strings.HasPrefix(word, "end") || word == "else" || word == "elsif" || word == "when" {
			if !slices.Contains(ends, word) {
				return nil, ending{}, &SyntaxError{piece.line, "nothing is open that " + strconv.Quote(word) + " could end"}
			}
			return nodes, ending{word, list[e.at:], piece.line}, nil
		}
		n, err := p.tag(word, e, depth+1)
		if err != nil {
			return nil, ending{}, err
		}
		if n != nil {
			nodes = append(nodes, n)
		}
	}
	if len(ends) > 0 {
		return nil, ending{}, &SyntaxError{p.last(), "a block has no " + ends[len(ends)-1]}
	}
	return nodes, ending{}, nil
}

func (p *parser) last() int { return p.pieces[len(p.pieces)-1].line }

func (p *parser) tag(word string, e *expressions, depth int) (node, error) {
	switch word {
	case "if", "unless":
		return p.conditional(word, e, depth)
	case "case":
		return p.choice(e, depth)
	case "for":
		return p.loop(e, depth)
	case "assign":
		return e.assignment()
	case "break":
		return breaking{}, e.done()
	case "continue":
		return continuing{}, e.done()
	case "comment":
		_, _, err := p.block(depth, "endcomment")
		return nil, err
	}
	return nil, &SyntaxError{e.line, "there is no tag " + strconv.Quote(word)}
}

func (p *parser) conditional(word string, e *expressions, depth int) (node, error) {
	n := &branches{}
	for first := true; ; first = false {
		var c condition
		var err error
		if c, err = e.condition(0); err == nil {
			err = e.done()
		}
		if err != nil {
			return nil, err
		}
		body, end, err := p.block(depth, "elsif", "else", "end"+word)
		if err != nil {
			return nil, err
		}
		n.arms = append(n.arms, arm{func(r *rendering) (bool, error) {
			holds, err := c(r)
			return holds != (first && word == "unless"), err
		}, body})
		switch end.word {
		case "elsif":
			e = &expressions{end.rest, 0, end.line}
			continue
		case "else":
			n.otherwise, _, err = p.block(depth, "end"+word)
		}
		return n, err
	}
}

func (p *parser) choice(e *expressions, depth int) (node, error) {
	subject, err := e.value()
	if err == nil {
		err = e.done()
	}
	if err != nil {
		return nil, err
	}
	n := &branches{}
	_, end, err := p.block(depth, "when", "else", "endcase") // what stands before the first is not shown
	for err == nil && end.word == "when" {
		e = &expressions{end.rest, 0, end.line}
		var options []value
		for {
			v, err := e.value()
			if err != nil {
				return nil, err
			}
			options = append(options, v)
			if !e.sign(",") && !e.word("or") {
				break
			}
		}
		if err := e.done(); err != nil {
			return nil, err
		}
		var body []node
		body, end, err = p.block(depth, "when", "else", "endcase")
		n.arms = append(n.arms, arm{func(r *rendering) (bool, error) {
			is := subject(r)
			return slices.ContainsFunc(options, func(o value) bool { return equal(is, o(r)) }), nil
		}, body})
	}
	if err == nil && end.word == "else" {
		n.otherwise, _, err = p.block(depth, "endcase")
	}
	return n, err
}

func (p *parser) loop(e *expressions, depth int) (node, error) {
	n := &loop{name: e.name()}
	if n.name == "" || !e.word("in") {
		return nil, &SyntaxError{e.line, "a loop is written: for item in list"}
	}
	var err error
	if n.over, err = e.value(); err != nil {
		return nil, err
	}
	for !e.over() {
		word := e.name()
		if word == "reversed" {
			n.reversed = true
			continue
		}
		if word != "limit" && word != "offset" || !e.sign(":") {
			return nil, &SyntaxError{e.line, "a loop knows limit:, offset: and reversed"}
		}
		v, err := e.value()
		if err != nil {
			return nil, err
		}
		if word == "limit" {
			n.limit = v
		} else {
			n.offset = v
		}
	}
	var end ending
	n.body, end, err = p.block(depth, "else", "endfor")
	if err == nil && end.word == "else" {
		n.otherwise, _, err = p.block(depth, "endfor")
	}
	return n, err
}

// expressions reads what stands inside braces.
type expressions struct {
	list []token
	at   int
	line int
}

func (e *expressions) over() bool { return e.at >= len(e.list) }

func (e *expressions) done() error {
	if e.over() {
		return nil
	}
	return e.unexpected()
}

func (e *expressions) unexpected() error {
	if e.over() {
		return &SyntaxError{e.line, "something is missing"}
	}
	return &SyntaxError{e.line, "this was not expected: " + e.list[e.at].text}
}

// name reads a name, or gives "".
func (e *expressions) name() string {
	if e.over() || e.list[e.at].kind != 'n' {
		return ""
	}
	e.at++
	return e.list[e.at-1].text
}

func (e *expressions) is(kind byte, text string) bool {
	if e.over() || e.list[e.at].kind != kind || e.list[e.at].text != text {
		return false
	}
	e.at++
	return true
}

func (e *expressions) word(s string) bool { return e.is('n', s) }
func (e *expressions) sign(s string) bool { return e.is('s', s) }

func (e *expressions) assignment() (node, error) {
	name := e.name()
	if name == "" || !e.sign("=") {
		return nil, &SyntaxError{e.line, "an assignment is written: assign name = value"}
	}
	v, err := e.filtered()
	return &assignment{name, v}, err
}

// filtered reads a value with its filters.
func (e *expressions) filtered() (*output, error) {
	v, err := e.value()
	if err != nil {
		return nil, err
	}
	out := &output{of: v}
	for e.sign("|") {
		name := e.name()
		f, ok := filters[name]
		if !ok {
			return nil, &SyntaxError{e.line, "there is no filter " + strconv.Quote(name)}
		}
		step := call{do: f.do}
		if e.sign(":") {
			for {
				v, err := e.value()
				if err != nil {
					return nil, err
				}
				step.arguments = append(step.arguments, v)
				if !e.sign(",") {
					break
				}
			}
		}
		if n := len(step.arguments); n < f.least || n > f.most {
			return nil, &SyntaxError{e.line, "the filter " + name + " takes another number of arguments"}
		}
		out.filters = append(out.filters, step)
	}
	return out, e.done()
}

// condition reads comparisons joined by and and or, which bind to the right.
func (e *expressions) condition(depth int) (condition, error) {
	if depth > maxDepth {
		return nil, &SyntaxError{e.line, "the condition is too long"}
	}
	left, err := e.comparison()
	if err != nil {
		return nil, err
	}
	and, or := e.word("and"), false
	if !and {
		or = e.word("or")
	}
	if !and && !or {
		return left, nil
	}
	right, err := e.condition(depth + 1)
	if err != nil {
		return nil, err
	}
	return func(r *rendering) (bool, error) {
		holds, err := left(r)
		if err != nil || holds != and {
			return holds, err
		}
		return right(r)
	}, nil
}

func (e *expressions) comparison() (condition, error) {
	left, err := e.value()
	if err != nil {
		return nil, err
	}
	for sign, compare := range comparisons {
		if !e.sign(sign) && !e.word(sign) {
			continue
		}
		right, err := e.value()
		if err != nil {
			return nil, err
		}
		return func(r *rendering) (bool, error) { return compare(left(r), right(r)), nil }, nil
	}
	return func(r *rendering) (bool, error) { return truth(left(r)), nil }, nil
}

// value reads a literal, or a name with what is asked of it.
func (e *expressions) value() (value, error) {
	if e.over() {
		return nil, e.unexpected()
	}
	t := e.list[e.at]
	switch t.kind {
	case '"':
		e.at++
		return constant(t.text), nil
	case '#':
		e.at++
		return number(t.text, e.line)
	case 'n':
		e.at++
		if v, ok := words0[t.text]; ok {
			return constant(v), nil
		}
		return e.path(t.text)
	}
	return nil, e.unexpected()
}

// words0 are the names that stand for themselves.
var words0 = map[string]any{"true": true, "false": false, "nil": nil, "null": nil, "empty": empty{}, "blank": empty{}}

func constant(v any) value { return func(*rendering) any { return v } }

func number(s string, line int) (value, error) {
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return constant(n), nil
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return nil, &SyntaxError{line, "this is no number: " + s}
	}
	return constant(f), nil
}

func (e *expressions) path(name string) (value, error) {
	var keys []value
	for len(keys) <= maxDepth {
		switch {
		case e.sign("."):
			key := e.name()
			if key == "" {
				return nil, e.unexpected()
			}
			keys = append(keys, constant(key))
		case e.sign("["):
			key, err := e.value()
			if err != nil {
				return nil, err
			}
			if !e.sign("]") {
				return nil, e.unexpected()
			}
			keys = append(keys, key)
		default:
			return func(r *rendering) any {
				v := r.lookup(name)
				for _, k := range keys {
					v = member(v, k(r))
				}
				return v
			}, nil
		}
	}
	return nil, &SyntaxError{e.line, "the name has too many parts"}
}
