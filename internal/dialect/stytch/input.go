package stytch

import (
	"bytes"
	"encoding/json"
	"maps"

	"guildhall/internal/directory"
	"guildhall/internal/edge"
	"guildhall/internal/fault"
)

// A body is the JSON object of a request, read field by field. Names are compared
// exactly, unknown ones are ignored, and null is the same as absent: the clients
// leave out what they do not want to change.
//
// The first field that cannot be read is kept as the error, so that a handler
// reads all it needs and looks at the error once.
type body struct {
	fields map[string]json.RawMessage
	err    error
}

func read(c edge.Call) (*body, error) {
	fields, err := c.DecodeObject()
	return &body{fields: fields}, err
}

func (b *body) fail(err error) {
	if b.err == nil {
		b.err = err
	}
}

// raw gives the text of a field that is there and not null.
func (b *body) raw(name string) (json.RawMessage, bool) {
	raw, ok := b.fields[name]
	return raw, ok && !isNull(raw)
}

func isNull(raw json.RawMessage) bool { return string(bytes.TrimSpace(raw)) == "null" }

// any reports whether one of the fields is there.
func (b *body) any(names ...string) bool {
	for _, name := range names {
		if _, ok := b.raw(name); ok {
			return true
		}
	}
	return false
}

// text gives a string.
func (b *body) text(name string) (s string, ok bool) {
	raw, ok := b.raw(name)
	if ok && json.Unmarshal(raw, &s) != nil {
		b.fail(wrongType(name, "a string"))
		return "", false
	}
	return s, ok
}

// flag gives a boolean.
func (b *body) flag(name string) (v, ok bool) {
	raw, ok := b.raw(name)
	if ok && json.Unmarshal(raw, &v) != nil {
		b.fail(wrongType(name, "a boolean"))
		return false, false
	}
	return v, ok
}

// number gives a whole number.
func (b *body) number(name string) (n int, ok bool) {
	raw, ok := b.raw(name)
	if ok && json.Unmarshal(raw, &n) != nil {
		b.fail(wrongType(name, "a whole number"))
		return 0, false
	}
	return n, ok
}

// strings gives a list of strings.
func (b *body) strings(name string) (list []string, ok bool) {
	raw, ok := b.raw(name)
	if !ok {
		return nil, false
	}
	if list, ok = texts(raw); !ok {
		b.fail(wrongType(name, "an array of strings"))
	}
	return list, ok
}

// texts reads an array of strings in which no element is null.
func texts(raw json.RawMessage) ([]string, bool) {
	var elements []*string
	if json.Unmarshal(raw, &elements) != nil || elements == nil {
		return nil, false
	}
	list := make([]string, len(elements))
	for i, e := range elements {
		if e == nil {
			return nil, false
		}
		list[i] = *e
	}
	return list, true
}

// objects gives a list of objects.
func (b *body) objects(name string) (list []*body, ok bool) {
	raw, ok := b.raw(name)
	if !ok {
		return nil, false
	}
	var elements []map[string]json.RawMessage
	if json.Unmarshal(raw, &elements) != nil {
		b.fail(wrongType(name, "an array of objects"))
		return nil, false
	}
	for _, e := range elements {
		if e == nil {
			b.fail(wrongType(name, "an array of objects"))
			return nil, false
		}
		list = append(list, &body{fields: e})
	}
	return list, true
}

// object gives an object.
func (b *body) object(name string) (*body, bool) {
	raw, ok := b.raw(name)
	if !ok {
		return nil, false
	}
	o := &body{}
	if json.Unmarshal(raw, &o.fields) != nil {
		b.fail(wrongType(name, "an object"))
		return nil, false
	}
	return o, true
}

func wrongType(name, want string) *fault.Error {
	return errBadRequest.On(name).Saying("%s must be %s", name, want)
}

const (
	metadataKeys = 20
	metadataSize = 4 << 10
)

// metadata merges the object in a field into what there was: a null takes a key
// away, other values take its place whole.
func (b *body) metadata(name string, old directory.Metadata) directory.Metadata {
	raw, ok := b.raw(name)
	if !ok {
		return old
	}
	var change map[string]any
	if json.Unmarshal(raw, &change) != nil {
		b.fail(errMetadataFormat.On(name))
		return old
	}
	merged := maps.Clone(object(old))
	for k, v := range change {
		if v == nil {
			delete(merged, k)
		} else {
			merged[k] = v
		}
	}
	size, err := json.Marshal(merged)
	switch {
	case err != nil:
		b.fail(errMetadataFormat.On(name))
	case len(merged) > metadataKeys:
		b.fail(errMetadataKeys.On(name))
	case len(size) > metadataSize:
		b.fail(errMetadataSize.On(name))
	default:
		return merged
	}
	return old
}
