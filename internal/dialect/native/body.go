package native

import (
	"bytes"
	"cmp"
	"encoding/json"
	"maps"
	"mime"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/validation"

	"guildhall/internal/edge"
	"guildhall/internal/fault"
)

var (
	errBody      = fault.ErrInvalid
	errUnknown   = fault.New(fault.Invalid, "unknown_field", "", "the body has fields that the operation does not know")
	errMediaType = fault.New(fault.Invalid, "unsupported_media_type", "Content-Type", "the body must be application/json")
)

// A checked reads bodies of one schema.
type checked struct {
	registry huma.Registry
	schema   *huma.Schema
}

// strict sets the two switches that the schema library keeps in variables of its
// package. Nothing else in the program uses it.
var strict = sync.OnceFunc(func() {
	huma.ValidateStrictCasing = true // "Name" is not "name", also where encoding/json would take it
	huma.DefaultArrayNullable = false
})

// indexed names one item of a list in a body.
func indexed(field string, i int) string { return field + "[" + strconv.Itoa(i) + "]" }

// needed reports whether a request without a body lacks something.
func (k *checked) needed() bool {
	s := k.schema
	for s.Ref != "" {
		s = k.registry.SchemaFromRef(s.Ref)
	}
	return len(s.Required) > 0
}

// nothing is the schema of an operation that takes no body.
type nothing struct{}

func newRegistry() huma.Registry {
	strict()
	return huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer)
}

// newChecked makes the schema of t, or of an empty object.
func newChecked(r huma.Registry, t reflect.Type) *checked {
	if t == nil {
		return &checked{registry: huma.NewMapRegistry("#/", huma.DefaultSchemaNamer), schema: huma.SchemaFromType(r, reflect.TypeFor[nothing]())}
	}
	return &checked{registry: r, schema: r.Schema(t, true, "")}
}

// decode reads the body into v. What the schema does not allow is refused with
// the list of everything that is wrong, never with the values: they may be
// secrets.
func (k *checked) decode(c edge.Call, v any) error {
	if len(bytes.TrimSpace(c.Body)) == 0 {
		if !k.needed() {
			return nil // an absent body is an empty object
		}
	} else if err := mediaType(c); err != nil {
		return err
	}
	var raw any
	if err := c.Decode(&raw); err != nil {
		return err
	}
	if err := k.check(raw); err != nil {
		return err
	}
	return c.Decode(v)
}

func mediaType(c edge.Call) error {
	given := c.Header("Content-Type")
	kind, parameters, err := mime.ParseMediaType(given)
	switch {
	case given == "":
		return nil
	case err != nil:
		return errMediaType
	case kind != "application/json" && (kind != "application/merge-patch+json" || c.Request.Method != "PATCH"):
		return errMediaType
	}
	if charset := parameters["charset"]; charset != "" && !strings.EqualFold(charset, "utf-8") {
		return errMediaType.Saying("the body must be UTF-8")
	}
	return nil
}

func (k *checked) check(raw any) error {
	var found huma.ValidateResult
	huma.Validate(k.registry, k.schema, huma.NewPathBuffer(nil, 0), huma.ModeWriteToServer, raw, &found)
	if len(found.Errors) == 0 {
		return nil
	}
	if _, ok := raw.(map[string]any); !ok {
		return errBody.Saying("the body must be a JSON object")
	}
	wrong := make([]fieldProblem, len(found.Errors))
	fact := errBody
	for i, err := range found.Errors {
		wrong[i] = wrongField(err)
		if wrong[i].Reason == errUnknown.Reason {
			fact = errUnknown
		}
	}
	return refused(fact, "the body has fields that cannot be accepted: %s", wrong)
}

// wrongField puts what the library found into this API's words.
func wrongField(err error) fieldProblem {
	p := fieldProblem{In: "body", Reason: "invalid", Detail: sentence(err.Error())}
	d, ok := err.(*huma.ErrorDetail)
	if !ok {
		return p
	}
	p.Field, p.Detail = d.Location, sentence(d.Message)
	if d.Message == validation.MsgUnexpectedProperty {
		p.Reason, p.Detail = errUnknown.Reason, "There is no such field."
	} else if name := requiredName(d.Message); name != "" { // reported of the object that lacks it
		p.Field = strings.TrimPrefix(p.Field+"."+name, ".")
		p.Reason, p.Detail = "required", "The field is required."
	}
	return p
}

// requiredName gives the field that a message of the library says is missing.
func requiredName(message string) string {
	before, after, _ := strings.Cut(validation.MsgExpectedRequiredProperty, "%s")
	rest, ok := strings.CutPrefix(message, before)
	if name, end := strings.CutSuffix(rest, after); ok && end {
		return name
	}
	return ""
}

func ordered(wrong []fieldProblem) {
	slices.SortFunc(wrong, func(a, b fieldProblem) int {
		return cmp.Or(cmp.Compare(a.Field, b.Field), cmp.Compare(a.Detail, b.Detail))
	})
}

// An optional is a field of a change: absent leaves what is there, null clears
// it, anything else replaces it (RFC 7396).
type optional[T any] struct {
	set   bool
	null  bool
	value T
}

// UnmarshalJSON is called for null as well, which leaves the zero value.
func (o *optional[T]) UnmarshalJSON(b []byte) error {
	o.set, o.null = true, string(b) == "null"
	return json.Unmarshal(b, &o.value)
}

// Schema is that of T, or null. It is written out in place, since a reference
// cannot be null.
func (o optional[T]) Schema(r huma.Registry) *huma.Schema {
	s := *r.Schema(reflect.TypeFor[T](), false, "")
	s.Nullable = true
	return &s
}

// into puts the new value where the old one is.
func (o optional[T]) into(field *T) {
	if o.set {
		*field = o.value
	}
}

// merged applies a change to metadata (RFC 7396): null removes a key, an object
// changes the object under its key, anything else replaces. What old holds stays
// untouched, since the change may have to be applied again.
func merged(old map[string]any, change optional[map[string]any]) map[string]any {
	switch {
	case !change.set:
		return old
	case change.null:
		return nil
	}
	return mergeInto(old, change.value)
}

func mergeInto(old, change map[string]any) map[string]any {
	out := make(map[string]any, len(old)+len(change))
	maps.Copy(out, old)
	for key, v := range change {
		switch v := v.(type) {
		case nil:
			delete(out, key)
		case map[string]any:
			below, _ := out[key].(map[string]any)
			out[key] = mergeInto(below, v)
		default:
			out[key] = v
		}
	}
	return out
}
