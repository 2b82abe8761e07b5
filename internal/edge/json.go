package edge

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strconv"
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
	if !utf8.Valid(b) || !validEscapes(b) {
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

// validEscapes reports whether every \u escape stands for a character: half of a
// surrogate pair does not, and would silently be stored as another character.
func validEscapes(b []byte) bool {
	for {
		i := bytes.IndexByte(b, '\\')
		if i < 0 || i+1 >= len(b) {
			return true
		}
		if b[i+1] != 'u' {
			b = b[i+2:]
			continue
		}
		first := escaped(b[i:])
		b = b[min(i+6, len(b)):]
		switch {
		case first == 0:
			return false
		case first >= 0xdc00 && first <= 0xdfff:
			return false
		case first >= 0xd800 && first <= 0xdbff:
			if second := escaped(b); second < 0xdc00 || second > 0xdfff {
				return false
			}
			b = b[6:]
		}
	}
}

// escaped gives the code unit of the escape at the start of b, or -1 for what is
// none.
func escaped(b []byte) int64 {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return -1
	}
	n, err := strconv.ParseUint(string(b[2:6]), 16, 16)
	if err != nil {
		return -1
	}
	return int64(n)
}

// text reports whether s can be stored and compared: valid UTF-8 without NUL.
func text(s string) bool { return utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 }
