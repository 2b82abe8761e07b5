package truto

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"time"

	"guildhall/internal/edge"
)

// A record is a JSON object whose fields keep their order, so that answers read
// well and single fields can be left out.
type record []field

type field struct {
	name  string
	value any
}

// MarshalJSON writes the fields in their order.
func (r record) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	err := write(&b, r)
	return b.Bytes(), err
}

// answer is a reply with an object. It is encoded here, once: what comes from
// MarshalJSON would be read and checked again.
func answer(r record) edge.Reply {
	raw, err := r.MarshalJSON()
	if err != nil {
		return edge.OK(r) // fails there, too, and is logged
	}
	return edge.Reply{Raw: raw, Type: "application/json; charset=utf-8"}
}

// write spares records and plain text an encoder of their own.
func write(b *bytes.Buffer, v any) error {
	switch v := v.(type) {
	case nil:
		b.WriteString("null")
	case bool:
		b.WriteString(strconv.FormatBool(v))
	case string:
		if !plainText(v) {
			return encode(b, v)
		}
		b.WriteByte('"')
		b.WriteString(v)
		b.WriteByte('"')
	case record:
		b.WriteByte('{')
		for i, f := range v {
			if i > 0 {
				b.WriteByte(',')
			}
			if err := write(b, f.name); err != nil {
				return err
			}
			b.WriteByte(':')
			if err := write(b, f.value); err != nil {
				return err
			}
		}
		b.WriteByte('}')
	case []record:
		b.WriteByte('[')
		for i, r := range v {
			if i > 0 {
				b.WriteByte(',')
			}
			if err := write(b, r); err != nil {
				return err
			}
		}
		b.WriteByte(']')
	default:
		return encode(b, v)
	}
	return nil
}

// plainText reports text that JSON spells as it is.
func plainText(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

func encode(b *bytes.Buffer, v any) error {
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return err
	}
	b.Truncate(b.Len() - 1) // the line feed
	return nil
}

// without gives r less the named fields.
func (r record) without(names []string) record {
	if len(names) == 0 {
		return r
	}
	out := make(record, 0, len(r))
	for _, f := range r {
		if !slices.Contains(names, f.name) {
			out = append(out, f)
		}
	}
	return out
}

func (r record) get(name string) (any, bool) {
	for _, f := range r {
		if f.name == name {
			return f.value, true
		}
	}
	return nil, false
}

// flat gives r with every nested object and list opened: "emails.0.email".
// The provider's own data stays as it is.
func (r record) flat() record {
	out := make(record, 0, len(r))
	for _, f := range r {
		if f.name == remoteData {
			out = append(out, f)
			continue
		}
		out = flatten(out, f.name, f.value)
	}
	return out
}

func flatten(out record, name string, value any) record {
	switch v := value.(type) {
	case record:
		for _, f := range v {
			out = flatten(out, name+"."+f.name, f.value)
		}
		return out
	case []record:
		for i, r := range v {
			out = flatten(out, name+"."+strconv.Itoa(i), r)
		}
		return out
	case []string:
		for i, s := range v {
			out = append(out, field{name + "." + strconv.Itoa(i), s})
		}
		return out
	}
	return append(out, field{name, value})
}

// stamp spells a time as the vendor does, to the millisecond; the zero time is null.
func stamp(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC().Format("2006-01-02T15:04:05.000Z")
}

// known gives s, or null for text that was never set.
func known(s string) any {
	if s == "" {
		return nil
	}
	return s
}
