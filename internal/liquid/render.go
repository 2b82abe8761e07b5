package liquid

import (
	"errors"
	"html"
	"strings"
)

// node writes its part of a rendering.
type node interface{ render(r *rendering) error }

type (
	value     func(r *rendering) any
	condition func(r *rendering) (bool, error)
)

// A rendering is one use of a template.
type rendering struct {
	out    strings.Builder
	html   bool
	steps  int
	frames []Values
}

var (
	errBreak    = errors.New("break")
	errContinue = errors.New("continue")
)

func (r *rendering) step() error {
	if r.steps--; r.steps < 0 {
		return errSteps
	}
	return nil
}

func (r *rendering) all(nodes []node) error {
	for _, n := range nodes {
		if err := r.step(); err != nil {
			return err
		}
		if err := n.render(r); err != nil {
			return err
		}
	}
	return nil
}

func (r *rendering) write(s string) error {
	if r.out.Len()+len(s) > MaxOutput {
		return errOutput
	}
	r.out.WriteString(s)
	return nil
}

func (r *rendering) lookup(name string) any {
	for i := len(r.frames) - 1; i >= 0; i-- {
		if v, ok := r.frames[i][name]; ok {
			return v
		}
	}
	return nil
}

type literal string

func (l literal) render(r *rendering) error { return r.write(string(l)) }

type output struct {
	of      value
	filters []call
}

type call struct {
	do        func(in any, arguments []any) any
	arguments []value
}

// escaped is text that has been escaped for HTML already.
type escaped string

func (o *output) eval(r *rendering) (any, error) {
	v := o.of(r)
	for _, f := range o.filters {
		if err := r.step(); err != nil {
			return nil, err
		}
		arguments := make([]any, len(f.arguments))
		for i, a := range f.arguments {
			arguments[i] = a(r)
		}
		if v = f.do(v, arguments); weight(v, 0) > MaxOutput {
			return nil, errOutput
		}
	}
	return v, nil
}

// weight is roughly what a value takes: filters must not grow one without end.
func weight(v any, depth int) int {
	switch v := v.(type) {
	case string:
		return len(v)
	case escaped:
		return len(v)
	case []any:
		n := 16 * len(v)
		if depth > 3 {
			return n
		}
		for _, e := range v {
			if n += weight(e, depth+1); n > MaxOutput {
				break
			}
		}
		return n
	}
	return 0
}

func (o *output) render(r *rendering) error {
	v, err := o.eval(r)
	if err != nil {
		return err
	}
	if s, ok := v.(escaped); ok && r.html {
		return r.write(string(s))
	}
	s := text(v)
	if r.html {
		s = html.EscapeString(s)
	}
	return r.write(s)
}

type arm struct {
	holds condition
	body  []node
}

type branches struct {
	arms      []arm
	otherwise []node
}

func (b *branches) render(r *rendering) error {
	for _, a := range b.arms {
		if err := r.step(); err != nil {
			return err
		}
		holds, err := a.holds(r)
		if err != nil {
			return err
		}
		if holds {
			return r.all(a.body)
		}
	}
	return r.all(b.otherwise)
}

type assignment struct {
	name string
	of   *output
}

func (a *assignment) render(r *rendering) error {
	v, err := a.of.eval(r)
	if err == nil {
		r.frames[1][a.name] = v
	}
	return err
}

type breaking struct{}

func (breaking) render(*rendering) error { return errBreak }

type continuing struct{}

func (continuing) render(*rendering) error { return errContinue }

type loop struct {
	name            string
	over            value
	limit, offset   value
	reversed        bool
	body, otherwise []node
}

// render walks a list that was given; there are no ranges of numbers.
func (l *loop) render(r *rendering) error {
	items, _ := l.over(r).([]any)
	items = items[l.bound(r, l.offset, 0, len(items)):]
	items = items[:l.bound(r, l.limit, len(items), len(items))]
	if len(items) == 0 {
		return r.all(l.otherwise)
	}
	frame := Values{}
	r.frames = append(r.frames, frame)
	defer func() { r.frames = r.frames[:len(r.frames)-1] }()
	for i := range items {
		if err := r.step(); err != nil {
			return err
		}
		item := items[i]
		if l.reversed {
			item = items[len(items)-1-i]
		}
		frame[l.name] = item
		frame["forloop"] = Values{
			"index": int64(i + 1), "index0": int64(i), "rindex": int64(len(items) - i), "length": int64(len(items)),
			"first": i == 0, "last": i == len(items)-1,
		}
		switch err := r.all(l.body); err {
		case nil, errContinue:
		case errBreak:
			return nil
		default:
			return err
		}
	}
	return nil
}

func (l *loop) bound(r *rendering, v value, otherwise, most int) int {
	if v == nil {
		return otherwise
	}
	n, _ := whole(v(r))
	return int(min(max(n, 0), int64(most)))
}
