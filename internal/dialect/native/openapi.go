package native

import (
	"encoding/json"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/danielgtaylor/huma/v2"

	"guildhall/internal/edge"
)

// A contract is the table of operations with the schemas of what they read and
// write. It is made once; the document when it is first asked for.
type contract struct {
	once       sync.Once
	registry   huma.Registry
	operations []operation

	writing  sync.Once
	document []byte
	failure  error
}

// described gives the operations with their schemas.
func (a *API) described() []operation {
	k := &a.contract
	k.once.Do(func() {
		k.registry = newRegistry()
		k.operations = a.operations()
		for i := range k.operations {
			o := &k.operations[i]
			o.request = newChecked(k.registry, o.in)
			o.names = map[string]bool{}
			for _, p := range o.allParameters() {
				o.names[p.name] = true
			}
			if o.out != nil {
				k.registry.Schema(o.out, true, "")
			}
		}
	})
	return k.operations
}

func (a *API) documentOperations() []operation {
	return []operation{
		{
			name: "openapi", method: http.MethodGet, path: "/openapi.json", public: true,
			summary: "Describe this API", notes: "This document, in OpenAPI 3.1.",
			handling: gives(func(edge.Call) (json.RawMessage, error) { return a.openAPI() }),
		},
		{
			name: "problems.get", method: http.MethodGet, path: "/problems/{problem}", public: true,
			summary: "Describe a class of problem", notes: "What the type of a problem refers to.",
			handling: gives(a.problemClass),
		},
	}
}

// openAPI gives the document.
func (a *API) openAPI() (json.RawMessage, error) {
	k := &a.contract
	operations := a.described()
	k.writing.Do(func() { k.document, k.failure = json.Marshal(describe(k.registry, operations)) })
	return k.document, k.failure
}

const about = `Guildhall's own API.

Authenticate with a key: ` + "`Authorization: Bearer gh_…`" + `. Each operation names the permission it needs.

Times are RFC 3339 in UTC with milliseconds. Identifiers are opaque text. Lists answer with items and next_cursor.
Fields and query parameters that an operation does not know are refused. Objects carry a version, which is also
their ETag; send it in If-Match to change only what you have read. Send an Idempotency-Key with any POST to be able to
repeat it safely. Failures are problems (RFC 9457).`

// describe writes the operations as an OpenAPI document.
func describe(r huma.Registry, operations []operation) *huma.OpenAPI {
	failed := &huma.Response{
		Description: "A problem: the request was not carried out.",
		Content:     map[string]*huma.MediaType{"application/problem+json": {Schema: r.Schema(reflect.TypeFor[problem](), true, "")}},
	}
	doc := &huma.OpenAPI{
		OpenAPI:  "3.1.0",
		Info:     &huma.Info{Title: "Guildhall", Version: "1", Description: about, License: &huma.License{Name: "Apache-2.0", Identifier: "Apache-2.0"}},
		Servers:  []*huma.Server{{URL: prefix}},
		Security: []map[string][]string{{"key": {}}},
		Components: &huma.Components{
			Schemas: r,
			SecuritySchemes: map[string]*huma.SecurityScheme{
				"key": {Type: "http", Scheme: "bearer", BearerFormat: KeyPrefix + "…", Description: "A key of this API."},
			},
			Responses:  map[string]*huma.Response{"problem": failed},
			Parameters: headerParameters(),
		},
	}
	for _, o := range operations {
		item := doc.Paths[o.path]
		if item == nil {
			item = &huma.PathItem{}
			if doc.Paths == nil {
				doc.Paths = map[string]*huma.PathItem{}
			}
			doc.Paths[o.path] = item
		}
		put(item, o.method, o.describe(r))
		if t := (&huma.Tag{Name: o.tag()}); !slices.ContainsFunc(doc.Tags, func(have *huma.Tag) bool { return have.Name == t.Name }) {
			doc.Tags = append(doc.Tags, t)
		}
	}
	openReplies(r, operations)
	return doc
}

func put(item *huma.PathItem, method string, o *huma.Operation) {
	switch method {
	case http.MethodGet:
		item.Get = o
	case http.MethodPost:
		item.Post = o
	case http.MethodPut:
		item.Put = o
	case http.MethodPatch:
		item.Patch = o
	case http.MethodDelete:
		item.Delete = o
	}
}

func headerParameters() map[string]*huma.Param {
	text := &huma.Schema{Type: huma.TypeString}
	most, least := longestKey, 1
	return map[string]*huma.Param{
		keyHeader: {
			Name: keyHeader, In: "header",
			Description: "Makes the request safe to repeat for a day: a repetition with the same key and body gets the first answer, marked by " +
				replayHeader + ": true, less any secret in it. The key belongs to the credential, method and path.",
			Schema: &huma.Schema{Type: huma.TypeString, MinLength: &least, MaxLength: &most, Pattern: "^[!-~]+$"},
		},
		"If-Match": {
			Name: "If-Match", In: "header", Schema: text,
			Description: "Carry the request out only if the object is in this version: its ETag. The deletion of an organization also takes the ETag of its preview.",
		},
	}
}

// tag groups an operation by what it is about.
func (o operation) tag() string {
	group, _, _ := strings.Cut(o.name, ".")
	return group
}

func (o operation) describe(r huma.Registry) *huma.Operation {
	d := &huma.Operation{
		OperationID: o.name, Summary: o.summary, Description: o.notes, Tags: []string{o.tag()},
		Responses: map[string]*huma.Response{"default": {Ref: "#/components/responses/problem"}},
	}
	if o.public {
		d.Security = []map[string][]string{}
		d.Extensions = map[string]any{"security": []any{}} // an empty list is left out otherwise
	} else {
		d.Extensions = map[string]any{"x-permission": string(o.permission)}
	}
	for _, segment := range strings.Split(o.path, "/") {
		if name, ok := strings.CutPrefix(segment, "{"); ok {
			name = strings.TrimSuffix(name, "}")
			d.Parameters = append(d.Parameters, &huma.Param{
				Name: name, In: "path", Required: true, Description: segments[name], Schema: &huma.Schema{Type: huma.TypeString},
			})
		}
	}
	for _, p := range o.allParameters() {
		d.Parameters = append(d.Parameters, &huma.Param{Name: p.name, In: "query", Description: p.about, Schema: p.schema()})
	}
	if o.repeatable() {
		d.Parameters = append(d.Parameters, &huma.Param{Ref: "#/components/parameters/" + keyHeader})
	}
	if o.versioned {
		d.Parameters = append(d.Parameters, &huma.Param{Ref: "#/components/parameters/If-Match"})
	}
	if o.in != nil {
		d.RequestBody = &huma.RequestBody{
			Required: o.request.needed(),
			Content:  map[string]*huma.MediaType{"application/json": {Schema: o.request.schema}},
		}
		if o.method == http.MethodPatch {
			d.RequestBody.Content["application/merge-patch+json"] = &huma.MediaType{Schema: o.request.schema}
		}
	}
	if o.upload != "" {
		d.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{o.upload: {Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}}}}
	}
	status, success := o.success(r)
	d.Responses[strconv.Itoa(status)] = success
	return d
}

// segments describes the parts of paths.
var segments = map[string]string{
	"realm":        "The id of a realm, or current for that of the key.",
	"organization": "The id of an organization.",
	"user":         "The id of a user.",
	"member":       "The id of a member, or of its user.",
	"role":         "The id of a role.",
	"invitation":   "The id of an invitation.",
	"domain":       "The id of a domain.",
	"key":          "The id of a key.",
	"deletion":     "The id of a deletion.",
	"hold":         "The id of a hold.",
	"factor":       "The id of a factor.",
	"kind":         "The kind of message, such as invitation.",
	"session":      "The id of a session.",
	"identity":     "The id of a linked account.",
	"connection":   "The id of an identity provider.",
	"webhook":      "The id of a webhook.",
	"application":  "The id of an application.",
	"bulk":         "The id of a bulk deletion.",
	"problem":      "The last part of the type of a problem.",
}

func (p parameter) schema() *huma.Schema {
	s := &huma.Schema{Type: huma.TypeString}
	switch {
	case p.name == "limit":
		least, most := 1.0, float64(largestPage)
		return &huma.Schema{Type: huma.TypeInteger, Minimum: &least, Maximum: &most, Default: defaultPage}
	case slices.Equal(p.values, []string{"true", "false"}):
		return &huma.Schema{Type: huma.TypeBoolean}
	case strings.HasPrefix(p.name, "created_"):
		s.Format = "date-time"
	}
	for _, v := range p.values {
		s.Enum = append(s.Enum, v)
	}
	return s
}

func (o operation) success(r huma.Registry) (int, *huma.Response) {
	if o.out == nil {
		return http.StatusNoContent, &huma.Response{Description: "Done."}
	}
	status := o.status
	if status == 0 {
		status = http.StatusOK
	}
	answer := &huma.Response{Description: http.StatusText(status), Headers: map[string]*huma.Header{}}
	if o.out == reflect.TypeFor[json.RawMessage]() {
		answer.Content = map[string]*huma.MediaType{"application/json": {Schema: &huma.Schema{Type: huma.TypeObject}}}
		return status, answer
	}
	media := "application/json"
	if o.media != "" {
		media = o.media
	}
	answer.Content = map[string]*huma.MediaType{media: {Schema: r.Schema(o.out, true, "")}}
	text := &huma.Schema{Type: huma.TypeString}
	if o.out.Implements(reflect.TypeFor[interface{ etag() string }]()) {
		answer.Headers["ETag"] = &huma.Header{Description: "For If-Match: the version of the object, or the fingerprint of the preview.", Schema: text}
	}
	if status != http.StatusOK && o.out.Implements(reflect.TypeFor[interface{ location() string }]()) {
		answer.Headers["Location"] = &huma.Header{Description: "Where the object is.", Schema: text}
	}
	if o.repeatable() {
		answer.Headers[replayHeader] = &huma.Header{Description: "true when this is the answer to an earlier request with the same key.", Schema: text}
	}
	return status, answer
}

// openReplies lets replies have more fields than are described: later versions
// add some, and a client that refuses them would break. Requests stay strict.
func openReplies(r huma.Registry, operations []operation) {
	strict := map[string]bool{}
	for _, o := range operations {
		if o.in != nil {
			reach(r, o.request.schema, strict)
		}
	}
	for name, s := range r.Map() {
		if closed, ok := s.AdditionalProperties.(bool); ok && !closed && !strict[name] {
			s.AdditionalProperties = nil
		}
	}
}

// reach collects the names of the schemas that s refers to.
func reach(r huma.Registry, s *huma.Schema, seen map[string]bool) {
	if s == nil {
		return
	}
	if s.Ref != "" {
		name := s.Ref[strings.LastIndexByte(s.Ref, '/')+1:]
		if !seen[name] {
			seen[name] = true
			reach(r, r.SchemaFromRef(s.Ref), seen)
		}
		return
	}
	reach(r, s.Items, seen)
	for _, p := range s.Properties {
		reach(r, p, seen)
	}
	if more, ok := s.AdditionalProperties.(*huma.Schema); ok {
		reach(r, more, seen)
	}
}
