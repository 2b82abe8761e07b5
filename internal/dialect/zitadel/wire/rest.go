package wire

import (
	"bytes"
	"net/http"
	"net/url"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// serveREST answers the routes of the annotations. As at the vendor, the content
// type is not looked at: a body is JSON or it is refused.
func (s *Server) serveREST(w http.ResponseWriter, r *http.Request) {
	found := s.routes.match(r.Method, r.URL.EscapedPath())
	switch {
	case found.route == nil && len(found.verbs) > 0:
		w.Header().Set("Allow", strings.Join(found.verbs, ", "))
		writeREST(w, http.StatusMethodNotAllowed, status.New(codes.Unimplemented, "Method Not Allowed").Proto())
		return
	case found.route == nil:
		writeREST(w, http.StatusNotFound, status.New(codes.NotFound, "Not Found").Proto())
		return
	}
	m := found.route.method
	in := m.input.New().Interface()
	if err := s.bind(r, found, in); err != nil {
		writeRESTError(w, s.status(r.Context(), err))
		return
	}
	out, st := s.call(r.Context(), &Call{Method: m, Transport: REST, Request: r, Header: w.Header()}, in)
	if st.Code() != codes.OK {
		writeRESTError(w, st)
		return
	}
	writeREST(w, m.Success, out)
}

// bind fills the message from the body or the query string, then from the path.
// The path has the last word: it is what the route was chosen by.
func (s *Server) bind(r *http.Request, found match, in proto.Message) error {
	var err error
	if found.route.body {
		err = s.bindBody(r, in)
	} else {
		err = bindQuery(r.URL.RawQuery, found.route, in)
	}
	if err != nil {
		return err
	}
	for i, v := range found.route.variables {
		value, err := url.PathUnescape(found.values[i])
		if err != nil {
			return status.Errorf(codes.InvalidArgument, "type mismatch, parameter: %s, error: %v", v.name, err)
		}
		if err := setScalar(v.in(in.ProtoReflect()), v.field, value); err != nil {
			return status.Errorf(codes.InvalidArgument, "type mismatch, parameter: %s, error: %v", v.name, err)
		}
	}
	return nil
}

func (s *Server) bindBody(r *http.Request, in proto.Message) error {
	body, err := readAll(r.Body, s.config.Limit)
	if err != nil {
		return err
	}
	if encoding := r.Header.Get("Content-Encoding"); encoding != "" && encoding != "identity" {
		if body, err = decompress(body, encoding, s.config.Limit); err != nil {
			return err
		}
	}
	if len(bytes.TrimSpace(body)) == 0 { // an empty body is an empty message
		return nil
	}
	return jsonCodec.decode(body, in)
}

func writeRESTError(w http.ResponseWriter, st *status.Status) {
	writeREST(w, HTTPStatus(st.Code()), st.Proto())
}

func writeREST(w http.ResponseWriter, code int, m proto.Message) {
	body, err := protojson.Marshal(m)
	if err != nil {
		code, body = http.StatusInternalServerError, []byte(`{"code":13,"message":"An internal error occurred"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_, _ = w.Write(body) // nobody is left to tell
}
