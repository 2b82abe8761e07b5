package native

import (
	"net/http"
	"net/url"
	"reflect"
	"strings"

	"guildhall/internal/access"
	"guildhall/internal/edge"
	"guildhall/internal/fault"
	"guildhall/internal/query"
)

// An operation is one row of the table of this API. The routes and the
// description are both made from it, and it reads and writes the very types that
// the description shows, so that the three cannot come apart.
type operation struct {
	name       string
	method     string
	path       string // below the prefix of the API
	public     bool
	permission access.Permission
	or         []access.Permission // that do instead; see edge.Route
	status     int                 // of success; 0 means 200
	summary    string              // a few words
	notes      string              // what the summary leaves open, or ""
	versioned  bool                // If-Match is heeded
	upload     string              // the media type of a body that is read as it comes, or ""
	parameters []parameter
	handling

	// What follows is made from the rest when the table is put together.
	request *checked        // how its body is read
	names   map[string]bool // of its query parameters
}

// A handling is a handler with the types it reads and writes.
type handling struct {
	in, out reflect.Type // nil for no body
	media   string       // of an answer that is no JSON
	list    *listing     // of an operation that answers with a page
	run     func(c edge.Call, decode func(any) error) (any, error)
}

// takes is the handling of a request with a body.
func takes[In, Out any](f func(edge.Call, In) (Out, error)) handling {
	return handling{
		in: reflect.TypeFor[In](), out: reflect.TypeFor[Out](),
		run: func(c edge.Call, decode func(any) error) (any, error) {
			var in In
			if err := decode(&in); err != nil {
				return nil, err
			}
			return f(c, in)
		},
	}
}

// gives is the handling of a request without a body.
func gives[Out any](f func(edge.Call) (Out, error)) handling {
	return handling{
		out: reflect.TypeFor[Out](),
		run: func(c edge.Call, decode func(any) error) (any, error) {
			if err := decode(&struct{}{}); err != nil {
				return nil, err
			}
			return f(c)
		},
	}
}

// writes is the handling of a request without a body that gets text: a string, or
// one that comes piece by piece.
func writes[Text string | edge.Stream](media string, f func(edge.Call) (Text, error)) handling {
	h := gives(f)
	h.out, h.media = reflect.TypeFor[string](), media
	return h
}

// takesOnly is the handling of a request with a body that gets none back.
func takesOnly[In any](f func(edge.Call, In) error) handling {
	return handling{
		in: reflect.TypeFor[In](),
		run: func(c edge.Call, decode func(any) error) (any, error) {
			var in In
			if err := decode(&in); err != nil {
				return nil, err
			}
			return nil, f(c, in)
		},
	}
}

// does is the handling of a request that neither has nor gets a body.
func does(f func(edge.Call) error) handling {
	return handling{
		run: func(c edge.Call, decode func(any) error) (any, error) {
			if err := decode(&struct{}{}); err != nil {
				return nil, err
			}
			return nil, f(c)
		},
	}
}

// lists is the handling of a request for a page: find gets the query that the
// parameters ask for, show puts each object into its wire shape.
func lists[T, Out any](of listing, find func(edge.Call, query.Query) (query.Page[T], error), show func(edge.Call, T) Out) handling {
	return handling{
		out: reflect.TypeFor[list[Out]](), list: &of,
		run: func(c edge.Call, decode func(any) error) (any, error) {
			if err := decode(&struct{}{}); err != nil {
				return nil, err
			}
			asked, err := of.asked(c)
			if err != nil {
				return nil, err
			}
			page, err := find(c, asked.query)
			if err != nil {
				return nil, err
			}
			return paged(c, asked, page, show), nil
		},
	}
}

// A parameter is a query parameter of an operation that does not list.
type parameter struct {
	name   string
	about  string
	values []string // all it can be; nil for free text
}

// serve gives the handler of the operation's route.
func (o operation) serve(a *API) func(edge.Call) (edge.Reply, error) {
	if o.repeatable() {
		return func(c edge.Call) (edge.Reply, error) {
			if err := a.formerly(c); err != nil {
				return edge.Reply{}, err
			}
			return a.once(c, o.answer)
		}
	}
	return func(c edge.Call) (edge.Reply, error) {
		if err := a.formerly(c); err != nil {
			return edge.Reply{}, err
		}
		reply, _, err := o.answer(c)
		return reply, err
	}
}

// repeatable reports whether idempotency keys are heeded. They are kept for
// callers who have proved themselves: others must not make the server write.
func (o operation) repeatable() bool {
	return o.method == http.MethodPost && !o.public && o.upload == ""
}

// answer performs the operation. Beside the reply it gives what may be kept of
// it to repeat it: the same body, less what is shown only once.
func (o operation) answer(c edge.Call) (reply edge.Reply, kept any, err error) {
	if err := o.known(c.Query()); err != nil {
		return reply, nil, err
	}
	body, err := o.run(c, func(v any) error { return o.request.decode(c, v) })
	if err != nil {
		return reply, nil, err
	}
	reply = edge.Reply{Status: o.status, Header: http.Header{}}
	if reply.Status == 0 {
		reply.Status = http.StatusOK
	}
	if o.out == nil {
		reply.Status = http.StatusNoContent
		return reply, nil, nil
	}
	if o.media != "" {
		reply.Type = o.media
		switch v := body.(type) {
		case edge.Stream:
			reply.Stream = v
		case string:
			reply.Raw = []byte(v)
		}
		return reply, nil, nil
	}
	if v, ok := body.(interface{ etag() string }); ok {
		reply.Header.Set("ETag", v.etag())
	}
	if v, ok := body.(interface{ location() string }); ok && reply.Status != http.StatusOK && v.location() != "" {
		reply.Header.Set("Location", prefix+v.location())
	}
	reply.Body, kept = body, body
	if v, ok := body.(interface{ withheld() any }); ok {
		kept = v.withheld()
	}
	return reply, kept, nil
}

// known refuses query parameters that the operation does not have, and ones that
// are given twice: a caller who mistypes a filter must not get everything.
func (o operation) known(given url.Values) error {
	var wrong []fieldProblem
	for name, values := range given {
		switch {
		case !o.names[name]:
			wrong = append(wrong, fieldProblem{In: "query", Field: name, Reason: "unknown_parameter", Detail: "The operation has no such parameter."})
		case len(values) > 1:
			wrong = append(wrong, fieldProblem{In: "query", Field: name, Reason: "repeated_parameter", Detail: "The parameter can be given once."})
		}
	}
	if len(wrong) == 0 {
		return nil
	}
	return refused(ErrParameter, "the query has parameters that cannot be accepted: %s", wrong)
}

// allParameters lists the query parameters, those of a list included.
func (o operation) allParameters() []parameter {
	if o.list == nil {
		return o.parameters
	}
	return append(o.list.parameters(), o.parameters...)
}

// refused is a fault that names every part at fault, in a stable order.
func refused(of *fault.Error, format string, wrong []fieldProblem) error {
	ordered(wrong)
	names := make([]string, len(wrong))
	for i, w := range wrong {
		names[i] = w.Field
	}
	return of.Saying(format, strings.Join(names, ", ")).With(wrong)
}
