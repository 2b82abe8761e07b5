package wire

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
)

// serveConnect answers a unary call of the Connect protocol. The protocol-version
// header may be missing: ZITADEL's own documentation calls without it.
func (s *Server) serveConnect(w http.ResponseWriter, r *http.Request, media string) {
	h := w.Header()
	if r.Method != http.MethodPost {
		h.Set("Allow", http.MethodPost)
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	var code codec
	switch media {
	case "application/json":
		code = jsonCodec
	case "application/proto":
		code = binaryCodec
	default:
		h.Set("Accept-Post", "application/grpc, application/grpc-web, application/json, application/proto")
		w.WriteHeader(http.StatusUnsupportedMediaType)
		return
	}
	out, st := s.connect(h, r, code)
	if st.Code() != codes.OK {
		writeConnectError(w, st)
		return
	}
	h.Set("Content-Type", media)
	_, _ = w.Write(out) // nobody is left to tell
}

func (s *Server) connect(reply http.Header, r *http.Request, code codec) ([]byte, *status.Status) {
	fail := func(err error) ([]byte, *status.Status) { return nil, s.status(r.Context(), err) }
	if v := r.Header.Get("Connect-Protocol-Version"); v != "" && v != "1" {
		return fail(status.Errorf(codes.InvalidArgument, "connect-protocol-version must be \"1\": got %q", v))
	}
	ctx, cancel, err := withTimeout(r.Context(), r.Header.Get("Connect-Timeout-Ms"), parseConnectTimeout)
	if err != nil {
		return fail(err)
	}
	defer cancel()
	body, err := readAll(r.Body, s.config.Limit)
	if encoding := r.Header.Get("Content-Encoding"); err == nil && encoding != "" && encoding != "identity" {
		body, err = decompress(body, encoding, s.config.Limit)
	}
	m := s.methods[r.URL.Path]
	in := m.input.New().Interface()
	if err == nil {
		err = code.decode(body, in)
	}
	if err != nil {
		return fail(err)
	}
	out, st := s.call(ctx, &Call{Method: m, Transport: Connect, Request: r, Header: reply}, in)
	if st.Code() != codes.OK {
		return nil, st
	}
	data, err := code.marshal(out)
	if err != nil {
		return fail(err)
	}
	return data, nil
}

// parseConnectTimeout reads at most ten digits of milliseconds.
func parseConnectTimeout(s string) (time.Duration, bool) {
	n, err := strconv.ParseUint(s, 10, 64)
	return time.Duration(n) * time.Millisecond, err == nil && len(s) <= 10
}

// connectCodes are the names of the status codes in Connect's JSON.
var connectCodes = map[codes.Code]string{
	codes.Canceled: "canceled", codes.Unknown: "unknown", codes.InvalidArgument: "invalid_argument",
	codes.DeadlineExceeded: "deadline_exceeded", codes.NotFound: "not_found", codes.AlreadyExists: "already_exists",
	codes.PermissionDenied: "permission_denied", codes.ResourceExhausted: "resource_exhausted",
	codes.FailedPrecondition: "failed_precondition", codes.Aborted: "aborted", codes.OutOfRange: "out_of_range",
	codes.Unimplemented: "unimplemented", codes.Internal: "internal", codes.Unavailable: "unavailable",
	codes.DataLoss: "data_loss", codes.Unauthenticated: "unauthenticated",
}

type connectDetail struct {
	Type  string          `json:"type"`
	Value string          `json:"value"`
	Debug json.RawMessage `json:"debug,omitempty"`
}

type connectError struct {
	Code    string          `json:"code"`
	Message string          `json:"message,omitempty"`
	Details []connectDetail `json:"details,omitempty"`
}

func writeConnectError(w http.ResponseWriter, st *status.Status) {
	e := connectError{Code: connectCodes[st.Code()], Message: st.Message()}
	for _, a := range st.Proto().GetDetails() {
		d := connectDetail{Type: string(a.MessageName()), Value: base64.RawStdEncoding.EncodeToString(a.GetValue())}
		if m, err := a.UnmarshalNew(); err == nil {
			d.Debug, _ = protojson.Marshal(m) // a debug form is optional
		}
		e.Details = append(e.Details, d)
	}
	body, err := json.Marshal(e)
	if err != nil { // strings and valid JSON always encode
		body = []byte(`{"code":"internal"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(HTTPStatus(st.Code()))
	_, _ = w.Write(body) // nobody is left to tell
}

// HTTPStatus is the status that stands for a code over REST and Connect.
func HTTPStatus(c codes.Code) int {
	switch c {
	case codes.OK:
		return http.StatusOK
	case codes.InvalidArgument, codes.FailedPrecondition, codes.OutOfRange:
		return http.StatusBadRequest
	case codes.Unauthenticated:
		return http.StatusUnauthorized
	case codes.PermissionDenied:
		return http.StatusForbidden
	case codes.NotFound:
		return http.StatusNotFound
	case codes.AlreadyExists, codes.Aborted:
		return http.StatusConflict
	case codes.ResourceExhausted:
		return http.StatusTooManyRequests
	case codes.Canceled:
		return 499 // the client closed the request; the number is nginx's
	case codes.Unimplemented:
		return http.StatusNotImplemented
	case codes.Unavailable:
		return http.StatusServiceUnavailable
	case codes.DeadlineExceeded:
		return http.StatusGatewayTimeout
	}
	return http.StatusInternalServerError
}
