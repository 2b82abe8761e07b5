package wire

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// A codec is one way to write messages.
type codec struct {
	marshal   func(proto.Message) ([]byte, error)
	unmarshal func([]byte, proto.Message) error
}

var (
	binaryCodec = codec{proto.Marshal, proto.Unmarshal}
	jsonCodec   = codec{protojson.Marshal, protojson.UnmarshalOptions{DiscardUnknown: true}.Unmarshal}
)

// decode reads a message; whatever is wrong with it is InvalidArgument.
func (c codec) decode(data []byte, in proto.Message) error {
	if err := c.unmarshal(data, in); err != nil {
		return status.Error(codes.InvalidArgument, plain(err))
	}
	return nil
}

// plain is the text of a protobuf error. The library mixes in no-break spaces at
// random to keep programs from comparing its texts; ours are compared by tests.
func plain(err error) string { return strings.ReplaceAll(err.Error(), "\u00a0", " ") }

// The HTTP version is not looked at: over HTTP/1.1 the trailers are chunked ones,
// which clients that can read them accept.
func (s *Server) serveGRPC(w http.ResponseWriter, r *http.Request, media string) {
	h := w.Header()
	if !gRPCPost(w, r) {
		return
	}
	h.Set("Content-Type", media)
	h.Set("Grpc-Accept-Encoding", "gzip")
	h.Set("Trailer", "Grpc-Status, Grpc-Message, Grpc-Status-Details-Bin")
	code, ok := gRPCCodec(strings.TrimPrefix(media, "application/grpc"))
	if !ok {
		w.WriteHeader(http.StatusUnsupportedMediaType)
		return
	}
	out, st := s.unary(&Call{Transport: GRPC, Request: r, Header: h}, code, nil)
	w.WriteHeader(http.StatusOK)
	if st.Code() == codes.OK {
		_, _ = w.Write(frame(0, out)) // the client sees a stream that breaks off
	}
	for name, value := range trailers(st) {
		h.Set(name, value)
	}
}

func (s *Server) serveGRPCWeb(w http.ResponseWriter, r *http.Request, media string) {
	if !gRPCPost(w, r) {
		return
	}
	h := w.Header()
	h.Set("Content-Type", media)
	suffix, text := strings.CutPrefix(strings.TrimPrefix(media, "application/grpc-web"), "-text")
	code, ok := gRPCCodec(suffix)
	if !ok {
		w.WriteHeader(http.StatusUnsupportedMediaType)
		return
	}
	var undo func([]byte) ([]byte, error)
	if text {
		undo = decodeText
	}
	out, st := s.unary(&Call{Transport: GRPCWeb, Request: r, Header: h}, code, undo)
	var body bytes.Buffer
	if st.Code() == codes.OK {
		body.Write(frame(0, out))
	}
	var lines strings.Builder
	for name, value := range trailers(st) {
		fmt.Fprintf(&lines, "%s: %s\r\n", strings.ToLower(name), value)
	}
	body.Write(frame(flagTrailer, []byte(lines.String())))
	reply := body.Bytes()
	if text {
		reply = base64.StdEncoding.AppendEncode(nil, reply)
	}
	_, _ = w.Write(reply) // nobody is left to tell
}

func gRPCPost(w http.ResponseWriter, r *http.Request) bool {
	if r.Method == http.MethodPost {
		return true
	}
	w.Header().Set("Allow", http.MethodPost)
	w.WriteHeader(http.StatusMethodNotAllowed)
	return false
}

func gRPCCodec(suffix string) (codec, bool) {
	switch suffix {
	case "", "+proto":
		return binaryCodec, true
	case "+json":
		return jsonCodec, true
	}
	return codec{}, false
}

// unary reads the one message of a gRPC request, runs the call and gives the
// encoded reply. Undo removes the text form of gRPC-Web, if there is one.
func (s *Server) unary(c *Call, code codec, undo func([]byte) ([]byte, error)) ([]byte, *status.Status) {
	r := c.Request
	ctx := r.Context()
	fail := func(err error) ([]byte, *status.Status) { return nil, s.status(ctx, err) }
	if c.Method = s.methods[r.URL.Path]; c.Method == nil {
		return fail(s.unknown(r.URL.Path))
	}
	ctx, cancel, err := withTimeout(ctx, r.Header.Get("Grpc-Timeout"), parseGRPCTimeout)
	if err != nil {
		return fail(err)
	}
	defer cancel()
	encoding := r.Header.Get("Grpc-Encoding")
	if encoding != "" && encoding != "identity" && encoding != "gzip" {
		return fail(unknownEncoding(encoding))
	}
	limit := s.config.Limit + frameHeader
	if undo != nil {
		limit = base64.StdEncoding.EncodedLen(limit)
	}
	body, err := readAll(r.Body, limit)
	if err == nil && undo != nil {
		body, err = undo(body)
	}
	if err == nil {
		body, err = unframe(body, encoding, s.config.Limit)
	}
	in := c.Method.input.New().Interface()
	if err == nil {
		err = code.decode(body, in)
	}
	if err != nil {
		return fail(err)
	}
	out, st := s.call(ctx, c, in)
	if st.Code() != codes.OK {
		return nil, st
	}
	data, err := code.marshal(out)
	if err != nil {
		return fail(err)
	}
	return data, nil
}

// unknown says in gRPC's words what of a method's path is not known.
func (s *Server) unknown(path string) error {
	service, method, ok := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	if !ok || service == "" {
		return status.Errorf(codes.Unimplemented, "malformed method name: %q", path)
	}
	for _, m := range s.order {
		if strings.HasPrefix(m.Name, "/"+service+"/") {
			return status.Errorf(codes.Unimplemented, "unknown method %s for service %s", method, service)
		}
	}
	return status.Errorf(codes.Unimplemented, "unknown service %s", service)
}

func withTimeout(ctx context.Context, value string, parse func(string) (time.Duration, bool)) (context.Context, context.CancelFunc, error) {
	if value == "" {
		return ctx, func() {}, nil
	}
	d, ok := parse(value)
	if !ok {
		return ctx, nil, status.Errorf(codes.InvalidArgument, "malformed timeout %q", value)
	}
	ctx, cancel := context.WithTimeout(ctx, d)
	return ctx, cancel, nil
}

var timeoutUnits = map[byte]time.Duration{
	'H': time.Hour, 'M': time.Minute, 'S': time.Second, 'm': time.Millisecond, 'u': time.Microsecond, 'n': time.Nanosecond,
}

// parseGRPCTimeout reads at most eight digits and a unit (gRPC over HTTP/2).
func parseGRPCTimeout(s string) (time.Duration, bool) {
	if len(s) < 2 || len(s) > 9 {
		return 0, false
	}
	n, err := strconv.ParseUint(s[:len(s)-1], 10, 64)
	unit, known := timeoutUnits[s[len(s)-1]]
	if err != nil || !known {
		return 0, false
	}
	if n > uint64(1<<63-1)/uint64(unit) {
		return 1<<63 - 1, true
	}
	return time.Duration(n) * unit, true
}

// trailers are the trailing headers that end a gRPC reply.
func trailers(st *status.Status) map[string]string {
	t := map[string]string{"Grpc-Status": strconv.Itoa(int(st.Code()))}
	if st.Code() == codes.OK {
		return t
	}
	t["Grpc-Message"] = percentEncode(st.Message())
	if p := st.Proto(); len(p.GetDetails()) > 0 {
		if b, err := proto.Marshal(p); err == nil {
			t["Grpc-Status-Details-Bin"] = base64.RawStdEncoding.EncodeToString(b)
		}
	}
	return t
}

// percentEncode writes a status message for a header (gRPC over HTTP/2).
func percentEncode(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '%' {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}
