// Package wire owns the four transports of the ZITADEL dialect: native gRPC,
// gRPC-Web, Connect and REST by the google.api.http annotations.
//
// Every method of the served API is unary, so one table of functions, keyed by
// method and checked against the descriptors at start-up, serves all four: a
// transport decodes a message, call runs the same checks and the same function,
// and the transport writes the reply or the failure in its own form.
package wire

import (
	"context"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"runtime/debug"
	"strings"
	"unicode/utf8"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"guildhall/internal/dialect/zitadel/rule"
)

// DefaultLimit is the largest message in bytes, as gRPC servers have it by default.
const DefaultLimit = 4 << 20

// A Transport is one of the ways a call can arrive.
type Transport string

// The transports.
const (
	GRPC    Transport = "grpc"
	GRPCWeb Transport = "grpc-web"
	Connect Transport = "connect"
	REST    Transport = "rest"
)

// A Call is what the transports know of one request besides its message.
type Call struct {
	Method    *Method
	Transport Transport
	Request   *http.Request
	Header    http.Header // of the reply, over every transport
}

// Metadata gives the values of a request header. REST clients may also send it
// with the gateway's prefix "Grpc-Metadata-"; values of both spellings are
// given, so that a caller who sends two different ones can be refused.
func (c *Call) Metadata(name string) []string {
	values := c.Request.Header.Values(name)
	if c.Transport != REST {
		return values
	}
	prefixed := c.Request.Header.Values("Grpc-Metadata-" + name)
	return append(values[:len(values):len(values)], prefixed...)
}

// Config is what a Server asks of its owner.
type Config struct {
	// Admit decides whether a call may go on, and gives the context for the
	// rest of it. It runs before the message is validated, so that a caller who
	// may not call learns nothing of the rules. The context is never nil, also
	// with an error. A nil Admit admits everything.
	Admit func(context.Context, *Call, proto.Message) (context.Context, error)

	// Status gives the form in which clients see a failure. It is not asked for
	// failures that are a gRPC status already. Nil means Internal for all.
	Status func(error) *status.Status

	// Done is told of every call that was decoded, with the failure before and
	// after it was put into a form. Nil tells nobody.
	Done func(context.Context, *Call, error, *status.Status)

	// Limit is the largest message in bytes; zero means DefaultLimit.
	Limit int
}

// A Server answers all methods of a set of services on all transports.
type Server struct {
	config  Config
	methods map[string]*Method // by gRPC path
	order   []*Method
	routes  node
}

// New makes a server of all methods of the services. Methods without an endpoint
// answer Unimplemented. A table that does not fit the descriptors is an error.
func New(config Config, services []protoreflect.ServiceDescriptor, endpoints ...Endpoint) (*Server, error) {
	if config.Limit == 0 {
		config.Limit = DefaultLimit
	}
	s := &Server{config: config, methods: map[string]*Method{}}
	given := map[string]Endpoint{}
	for _, e := range endpoints {
		if _, twice := given[e.name]; twice {
			return nil, fmt.Errorf("two endpoints for %s", e.name)
		}
		given[e.name] = e
	}
	for _, d := range services {
		for i := range d.Methods().Len() {
			if err := s.add(d.Methods().Get(i), given); err != nil {
				return nil, err
			}
		}
	}
	for name := range given {
		return nil, fmt.Errorf("no served service has a method %s", name)
	}
	return s, nil
}

func (s *Server) add(d protoreflect.MethodDescriptor, given map[string]Endpoint) error {
	m, err := describe(d)
	if err != nil {
		return err
	}
	if e, ok := given[m.Name]; ok {
		if e.input.Descriptor().FullName() != d.Input().FullName() || e.output != d.Output().FullName() {
			return fmt.Errorf("the endpoint for %s has the wrong messages", m.Name)
		}
		m.Served, m.input, m.invoke = true, e.input, e.invoke
		delete(given, m.Name)
	}
	for _, r := range m.Routes {
		if err := s.routes.add(r, m); err != nil {
			return fmt.Errorf("%s: %w", m.Name, err)
		}
	}
	s.methods[m.Name] = m
	s.order = append(s.order, m)
	return nil
}

// Methods lists all methods in the order of their descriptors, served or not.
func (s *Server) Methods() []*Method { return s.order }

// ServeHTTP tells the transports apart: the two gRPC forms by content type,
// Connect by its path, and the rest is REST.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		media = ""
	}
	switch {
	case strings.HasPrefix(media, "application/grpc-web"):
		s.serveGRPCWeb(w, r, media)
	case media == "application/grpc" || strings.HasPrefix(media, "application/grpc+"):
		s.serveGRPC(w, r, media)
	case s.methods[r.URL.Path] != nil:
		s.serveConnect(w, r, media)
	default:
		s.serveREST(w, r)
	}
}

// call runs one call: admission, validation, the method itself.
func (s *Server) call(ctx context.Context, c *Call, in proto.Message) (proto.Message, *status.Status) {
	ctx, out, err := s.run(ctx, c, in)
	var st *status.Status
	if err != nil {
		st = s.status(ctx, err)
	}
	if s.config.Done != nil {
		s.config.Done(ctx, c, err, st)
	}
	return out, st
}

// run gives the context of the admission back. A panic is a failure of ours that
// leaves the server running.
func (s *Server) run(ctx context.Context, c *Call, in proto.Message) (admitted context.Context, out proto.Message, err error) {
	admitted = ctx // also when something panics
	defer func() {
		if p := recover(); p != nil {
			if p == http.ErrAbortHandler {
				panic(p)
			}
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	if s.config.Admit != nil {
		if admitted, err = s.config.Admit(ctx, c, in); err != nil {
			return admitted, nil, err
		}
	}
	if !c.Method.Served {
		return admitted, nil, status.Errorf(codes.Unimplemented, "method %s not implemented", c.Method.short())
	}
	if err := rule.Check(in); err != nil {
		return admitted, nil, status.Error(codes.InvalidArgument, err.Error())
	}
	out, err = c.Method.invoke(admitted, in)
	return admitted, out, err
}

// status gives the form of a failure. Texts may quote what a client sent; what
// cannot be written as text is replaced, so that a status can always be encoded.
func (s *Server) status(ctx context.Context, err error) *status.Status {
	st := s.form(ctx, err)
	if utf8.ValidString(st.Message()) {
		return st
	}
	p := st.Proto()
	p.Message = strings.ToValidUTF8(p.GetMessage(), "\ufffd")
	return status.FromProto(p)
}

func (s *Server) form(ctx context.Context, err error) *status.Status {
	var known interface{ GRPCStatus() *status.Status }
	switch {
	case errors.As(err, &known):
		return known.GRPCStatus()
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return status.New(codes.DeadlineExceeded, "context deadline exceeded")
	case errors.Is(ctx.Err(), context.Canceled):
		return status.New(codes.Canceled, "context canceled")
	case s.config.Status != nil:
		return s.config.Status(err)
	}
	return status.New(codes.Internal, "An internal error occurred")
}
