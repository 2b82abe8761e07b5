package store

import (
	"bytes"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"guildhall/internal/archive"
	"guildhall/internal/fault"
	"guildhall/internal/id"
)

// Lines of an archive are JSON objects with the columns of a table as fields. Ids
// are decimal text, times RFC 3339, bytes base64, documents JSON; what is zero is
// left out.

// line writes an object. Of the columns only those that keep holds for are written.
func (t *table[T]) line(v *T, keep func(column string) bool) ([]byte, error) {
	s := t.stamp(v)
	out := bytes.NewBufferString(`{"id":"` + s.ID.String() + `"`)
	add := func(name string, value any) error {
		b, err := encoded(value)
		if err != nil || b == nil {
			return err
		}
		out.WriteString(`,"` + name + `":`)
		out.Write(b)
		return nil
	}
	for i, value := range []any{at(&s.CreatedAt), at(&s.UpdatedAt)} {
		if err := add([]string{"created_at", "updated_at"}[i], value); err != nil {
			return nil, err
		}
	}
	for i, value := range t.bind(v) {
		if !keep(t.columns[i]) {
			continue
		}
		if err := add(t.columns[i], value); err != nil {
			return nil, fmt.Errorf("%s.%s: %w", t.name, t.columns[i], err)
		}
	}
	out.WriteByte('}')
	return out.Bytes(), nil
}

// encoded is the JSON of what a destination of bind points to, or nil for nothing.
func encoded(value any) ([]byte, error) {
	switch v := value.(type) {
	case *string:
		if *v == "" {
			return nil, nil
		}
		return json.Marshal(*v)
	case *bool:
		if !*v {
			return nil, nil
		}
		return []byte("true"), nil
	case *int64:
		if *v == 0 {
			return nil, nil
		}
		return []byte(`"` + strconv.FormatInt(*v, 10) + `"`), nil
	case *instant:
		if time.Time(*v).IsZero() {
			return nil, nil
		}
		return json.Marshal(time.Time(*v).UTC())
	case *[]byte:
		if len(*v) == 0 {
			return nil, nil
		}
		return json.Marshal(*v)
	case driver.Valuer:
		text, err := v.Value()
		if s, ok := text.(string); err == nil && ok && s != "" {
			var flat bytes.Buffer
			err = json.Compact(&flat, []byte(s))
			return flat.Bytes(), err
		}
		return nil, err
	}
	return nil, fmt.Errorf("nobody knows how to write a %T", value)
}

func badLine(field, format string, args ...any) *fault.Error {
	return archive.ErrArchive.On(field).Saying(format, args...)
}

// parse reads what line wrote, from anybody.
func (t *table[T]) parse(text []byte, v *T, keep func(column string) bool) error {
	if holdsNUL(text) {
		return badLine("", "the line holds the NUL character")
	}
	fields, err := fieldsOf(text)
	if err != nil {
		return err
	}
	s := t.stamp(v)
	into := map[string]any{"id": (*int64)(&s.ID), "created_at": at(&s.CreatedAt), "updated_at": at(&s.UpdatedAt)}
	for i, d := range t.bind(v) {
		if keep(t.columns[i]) {
			into[t.columns[i]] = d
		}
	}
	for name, raw := range fields {
		d, known := into[name]
		if !known {
			return badLine(name, "the field is not known")
		}
		if err := decoded(raw, d); err != nil {
			return badLine(name, "the value cannot be read").Because(err)
		}
	}
	if s.ID <= id.None {
		return badLine("id", "the line has no id")
	}
	return nil
}

// fieldsOf splits an object into its fields, none of which may be there twice.
func fieldsOf(text []byte) (map[string]json.RawMessage, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	start, err := d.Token()
	if err != nil || start != json.Delim('{') {
		return nil, badLine("", "the line is no JSON object")
	}
	fields := map[string]json.RawMessage{}
	for d.More() {
		name, err := d.Token()
		key, ok := name.(string)
		if err != nil || !ok {
			return nil, badLine("", "the line is no JSON object")
		}
		if _, twice := fields[key]; twice {
			return nil, badLine(key, "the field is there twice")
		}
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			return nil, badLine(key, "the value is no JSON")
		}
		fields[key] = raw
	}
	if _, err := d.Token(); err != nil || len(bytes.TrimSpace(text[d.InputOffset():])) > 0 {
		return nil, badLine("", "something comes behind the object")
	}
	return fields, nil
}

func decoded(raw json.RawMessage, into any) error {
	switch d := into.(type) {
	case *string, *bool, *[]byte:
		return json.Unmarshal(raw, d)
	case *int64:
		var s string
		if err := json.Unmarshal(raw, &s); err != nil {
			return err
		}
		n, err := strconv.ParseInt(s, 10, 64)
		*d = n
		return err
	case *instant:
		var at time.Time
		if err := json.Unmarshal(raw, &at); err != nil {
			return err
		}
		if y := at.Year(); y < 1970 || y > 9999 {
			return fmt.Errorf("the year %d", y)
		}
		*d = instant(kept(at))
		return nil
	case sql.Scanner:
		if bytes.Equal(raw, []byte("null")) {
			return nil
		}
		return d.Scan(string(raw))
	}
	return fmt.Errorf("nobody knows how to read a %T", into)
}

// holdsNUL reports whether a string of the JSON text holds U+0000, however it is
// spelled: PostgreSQL cannot keep it.
func holdsNUL(text []byte) bool {
	if slices.Contains(text, 0) {
		return true
	}
	for from := 0; ; {
		i := bytes.Index(text[from:], []byte(`u0000`))
		if i < 0 {
			return false
		}
		i += from
		slashes := 0
		for i-slashes > 0 && text[i-slashes-1] == '\\' {
			slashes++
		}
		if slashes%2 == 1 {
			return true
		}
		from = i + 1
	}
}

// asRefusal gives the field and the reason to tell of what is wrong with a line.
func asRefusal(err error) (field, reason string) {
	f := fault.From(err)
	return f.Field, f.Text
}
