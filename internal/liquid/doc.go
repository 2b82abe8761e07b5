// Package liquid owns the language of message templates: a subset of Liquid that
// people who are not trusted with the server may write.
//
// A template sees only the values it is given. It has output, if, unless, case,
// for, assign, comment and a fixed list of filters; no include, no call of
// anything, no way to switch escaping off. Rendering is bounded in steps and in
// size, so that a template can neither hold up the server nor fill its memory.
package liquid

import (
	"fmt"
)

// Bounds of a template and of one rendering.
const (
	MaxSource = 64 << 10  // bytes of a template
	MaxOutput = 256 << 10 // bytes of a rendering, and of any text on the way to it
	MaxSteps  = 20_000    // nodes and turns of loops of one rendering
	maxDepth  = 24        // of blocks within blocks
)

// A SyntaxError says what is wrong with a template and in which line.
type SyntaxError struct {
	Line int
	Text string
}

func (e *SyntaxError) Error() string { return fmt.Sprintf("line %d: %s", e.Line, e.Text) }

// A LimitError is a rendering that wanted too much.
type LimitError struct{ Text string }

func (e *LimitError) Error() string { return e.Text }

var (
	errSteps  = &LimitError{fmt.Sprintf("the template takes more than %d steps", MaxSteps)}
	errOutput = &LimitError{fmt.Sprintf("the template writes more than %d bytes", MaxOutput)}
)

// Values are what a template can name: text, whole numbers (int64), float64,
// bool, time.Time, lists ([]any) and further Values.
type Values = map[string]any

// A Template is a parsed template. It can be rendered by many at once.
type Template struct{ nodes []node }

// Text renders plain text.
func (t *Template) Text(v Values) (string, error) { return t.render(v, false) }

// HTML renders a page or a part of one: what values say is escaped for text and
// for quoted attributes.
func (t *Template) HTML(v Values) (string, error) { return t.render(v, true) }

func (t *Template) render(v Values, escape bool) (string, error) {
	r := &rendering{html: escape, steps: MaxSteps, frames: []Values{v, {}}}
	if err := r.all(t.nodes); err != nil && err != errBreak && err != errContinue {
		return "", err
	}
	return r.out.String(), nil
}
