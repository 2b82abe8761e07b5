package store

import (
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"reflect"
	"time"

	"guildhall/internal/id"
)

// micros is how a time is kept: microseconds since 1970 UTC, 0 for the zero time.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// kept is a time as it comes back from a database.
func kept(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return t.UTC().Truncate(time.Microsecond)
}

// at reads and writes a time.
func at(t *time.Time) *instant { return (*instant)(t) }

type instant time.Time

func (i *instant) Scan(v any) error {
	n, ok := v.(int64)
	if !ok {
		return fmt.Errorf("a time is kept as %T", v)
	}
	*i = instant{}
	if n != 0 {
		*i = instant(time.UnixMicro(n).UTC())
	}
	return nil
}

func (i *instant) Value() (driver.Value, error) { return micros(time.Time(*i)), nil }

// num reads and writes an ID.
func num(i *id.ID) *int64 { return (*int64)(i) }

// doc reads and writes a value as JSON text, the zero value as nothing.
func doc[T any](v *T) *document[T] { return &document[T]{v} }

type document[T any] struct{ v *T }

func (d *document[T]) Scan(v any) error {
	var b []byte
	switch v := v.(type) {
	case string:
		if v == "" {
			return nil
		}
		b = []byte(v)
	case []byte:
		b = v
	}
	if len(b) == 0 {
		return nil
	}
	return json.Unmarshal(b, d.v)
}

func (d *document[T]) Value() (driver.Value, error) {
	r := reflect.ValueOf(d.v).Elem()
	if r.IsZero() || (r.Kind() == reflect.Map || r.Kind() == reflect.Slice) && r.Len() == 0 {
		return "", nil
	}
	b, err := json.Marshal(d.v)
	return string(b), err
}

// stored gives the value behind a destination of bind.
func stored(v any) any {
	switch v := v.(type) {
	case *string:
		return *v
	case *int64:
		return *v
	case *bool:
		return *v
	case *[]byte:
		return *v
	case *instant:
		*v = instant(kept(time.Time(*v))) // whoever wrote it sees what others will read
		return micros(time.Time(*v))
	}
	return v
}

// orNothing reads a column of a row that a join may not have found.
type orNothing struct{ into any }

func (o orNothing) Scan(v any) error {
	ok := true
	switch into := o.into.(type) {
	case sql.Scanner:
		if v != nil {
			return into.Scan(v)
		}
	case *int64:
		*into, ok = v.(int64)
	case *string:
		*into, ok = v.(string)
	case *bool:
		var n int64
		if *into, ok = v.(bool); !ok { // as SQLite keeps it
			n, ok = v.(int64)
			*into = n != 0
		}
	default:
		return fmt.Errorf("nothing cannot be read into %T", into)
	}
	if !ok && v != nil {
		return fmt.Errorf("%T cannot be read into %T", v, o.into)
	}
	return nil
}
