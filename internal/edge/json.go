package edge

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"unicode/utf8"

	"guildhall/internal/fault"
)

const maxDepth = 64

// DecodeJSON reads one JSON value into v under the rules of Call.Decode.
func DecodeJSON(b []byte, v any) error {
	if len(bytes.TrimSpace(b)) == 0 {
		b = []byte("{}")
	}
	if err := checkJSON(b); err != nil {
		return err
	}
	err := json.Unmarshal(b, v)
	var mismatch *json.UnmarshalTypeError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &mismatch):
		return ErrType.On(mismatch.Field).With(TypeMismatch{Got: mismatch.Value, Want: mismatch.Type.String()}).Because(err)
	}
	var f *fault.Error
	if errors.As(err, &f) { // an UnmarshalJSON of ours
		return f
	}
	return ErrJSON.Because(err)
}

// checkJSON refuses what encoding/json accepts and no privileged call should:
// duplicate keys (RFC 8259 section 4), invalid UTF-8, the NUL character, which
// databases do not store, and deep nesting.
func checkJSON(b []byte) error {
	if !utf8.Valid(b) || bytes.Contains(b, []byte(`\u0000`)) {
		return ErrJSON.Saying("the body is not valid UTF-8 text, or holds the NUL character")
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	type level struct {
		keys map[string]struct{} // nil in an array
		key  bool                // a key comes next
	}
	var open []level
	for {
		t, err := d.Token()
		if errors.Is(err, io.EOF) && len(open) == 0 {
			return nil
		}
		if err != nil {
			return ErrJSON.Because(err)
		}
		top := len(open) - 1
		if s, ok := t.(string); ok && top >= 0 && open[top].key {
			if _, twice := open[top].keys[s]; twice {
				return ErrDuplicateKey.On(s)
			}
			open[top].keys[s] = struct{}{}
			open[top].key = false
			continue
		}
		switch t {
		case json.Delim('{'):
			open = append(open, level{keys: map[string]struct{}{}, key: true})
		case json.Delim('['):
			open = append(open, level{})
		case json.Delim('}'), json.Delim(']'):
			open = open[:top]
		}
		if len(open) > maxDepth {
			return ErrJSON.Saying("the body is nested too deeply")
		}
		if top = len(open) - 1; top >= 0 && open[top].keys != nil && t != json.Delim('{') {
			open[top].key = true
		}
		if len(open) == 0 && d.More() {
			return ErrJSON.Saying("the body holds more than one value")
		}
	}
}

// text reports whether s can be stored and compared: valid UTF-8 without NUL.
func text(s string) bool { return utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 }
