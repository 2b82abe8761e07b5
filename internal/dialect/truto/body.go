package truto

import (
	"encoding/json"
	"maps"

	"guildhall/internal/directory"
)

// optional is a field of a body that may be absent; null sets the zero value.
type optional[T any] struct {
	set   bool
	value T
}

// UnmarshalJSON is called for a field that is present, null included.
func (o *optional[T]) UnmarshalJSON(b []byte) error {
	o.set = true
	return json.Unmarshal(b, &o.value)
}

func (o optional[T]) into(v *T) {
	if o.set {
		*v = o.value
	}
}

// withValue gives a copy of m with a key set, or without it for an empty value.
func withValue(m directory.Metadata, key string, value any, empty bool) directory.Metadata {
	m = maps.Clone(m)
	if empty {
		delete(m, key)
		return m
	}
	if m == nil {
		m = directory.Metadata{}
	}
	m[key] = value
	return m
}

// A reference names another object: {"id": ".."} or the id itself.
type reference string

// UnmarshalJSON reads either spelling.
func (r *reference) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '{' {
		var object struct{ ID string }
		err := json.Unmarshal(b, &object)
		*r = reference(object.ID)
		return err
	}
	var s string
	err := json.Unmarshal(b, &s)
	*r = reference(s)
	return err
}
