package truto

import (
	"fmt"
	"slices"
	"strings"

	"guildhall/internal/edge"
)

// remoteData is the field that carries the provider's own form of an object. The
// provider is this server, so it is the native form.
const remoteData = "remote_data"

// The values of truto_response_format.
const (
	formatUnified    = "unified"
	formatRaw        = "raw"
	formatNormalized = "normalized"
	formatStream     = "stream"
	formatDebug      = "debug"
)

var formats = []string{formatUnified, formatRaw, formatNormalized, formatStream, formatDebug}

// maxExcluded bounds how many fields can be left out; no object has as many.
const maxExcluded = 100

// A shape is what a caller wants an answer to look like.
type shape struct {
	format  string
	bare    bool     // without remote_data
	exclude []string // fields left out of mapped objects
	keyBy   string   // lists become objects keyed by this field
}

func readShape(p params) (s shape, err error) {
	if s.format, err = p.text("truto_response_format"); err != nil {
		return s, err
	}
	if s.format == "" {
		s.format = formatUnified
	}
	if !slices.Contains(formats, s.format) {
		return s, invalidParameter("truto_response_format", "truto_response_format must be one of %s", strings.Join(formats, ", "))
	}
	if s.bare, err = p.flag("truto_ignore_remote_data"); err != nil {
		return s, err
	}
	for _, v := range p.at("truto_exclude_fields").plain() {
		s.exclude = append(s.exclude, strings.Split(v, ",")...)
	}
	if len(s.exclude) > maxExcluded {
		return s, invalidParameter("truto_exclude_fields", "truto_exclude_fields takes at most %d names", maxExcluded)
	}
	s.keyBy, err = p.text("truto_key_by")
	return s, err
}

// A view is one object in both of its forms.
type view struct {
	unified record
	native  record
}

// object puts one object into the asked form.
func (s shape) object(v view) record {
	if s.format == formatRaw || s.format == formatStream {
		return v.native
	}
	out := v.unified
	if !s.bare {
		out = append(slices.Clip(out), field{remoteData, v.native})
	}
	out = out.without(s.exclude)
	if s.format == formatNormalized {
		out = out.flat()
	}
	return out
}

// one answers with a single object.
func (s shape) one(v view) edge.Reply { return answer(s.debug(s.object(v))) }

// debug wraps what unified would answer. There is no remote request to tell
// about: the built-in directory makes none.
func (s shape) debug(body record) record {
	if s.format != formatDebug {
		return body
	}
	return record{{"result", body}, {"debug", nil}}
}

// A list is one page of objects.
type list struct {
	views   []view
	next    string // cursor of the next page, or ""
	partial bool   // an object shows less than there is
}

// many answers with a page.
func (s shape) many(l list) (edge.Reply, error) {
	objects := make([]record, len(l.views))
	for i, v := range l.views {
		objects[i] = s.object(v)
	}
	if s.format == formatStream {
		return answer(record{{"items", objects}, {"next_cursor", known(l.next)}}), nil
	}
	var result any = objects
	if s.keyBy != "" {
		keyed := make(record, len(objects))
		for i, o := range objects {
			key, ok := o.get(s.keyBy)
			if !ok || key == nil {
				return edge.Reply{}, invalidParameter("truto_key_by", "truto_key_by must be a field that every object has")
			}
			keyed[i] = field{fmt.Sprint(key), o}
		}
		result = keyed
	}
	return answer(s.debug(record{
		{"result", result}, {"next_cursor", known(l.next)}, {"prev_cursor", nil},
		{"result_count", len(objects)}, {"is_partial_response", l.partial},
	})), nil
}
