package wire_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/binary"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/admin"
	"github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/auth"
	"github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/management"
	"github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/message"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	_ "google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

func bearer() context.Context {
	return metadata.AppendToOutgoingContext(context.Background(), "authorization", "Bearer x")
}

func TestGRPCClientSucceeds(t *testing.T) {
	c := admin.NewAdminServiceClient(dial(t))
	out, err := c.RemoveOrg(bearer(), &admin.RemoveOrgRequest{OrgId: "1"})
	if err != nil || out.Details.Sequence != 2 || out.Details.ResourceOwner != "1" {
		t.Errorf("%v, %v", out, err)
	}
	out, err = c.RemoveOrg(bearer(), &admin.RemoveOrgRequest{OrgId: "2"}, grpc.UseCompressor("gzip"))
	if err != nil || out.Details.ResourceOwner != "2" {
		t.Errorf("compressed: %v, %v", out, err)
	}
}

func TestGRPCClientSendsMetadata(t *testing.T) {
	ctx := metadata.AppendToOutgoingContext(bearer(), "x-zitadel-orgid", "7")
	out, err := management.NewManagementServiceClient(dial(t)).RemoveOrg(ctx, &management.RemoveOrgRequest{})
	if err != nil || out.Details.ResourceOwner != "7" {
		t.Errorf("%v, %v", out, err)
	}
}

func TestGRPCClientSeesFailures(t *testing.T) {
	c := dial(t)
	a := admin.NewAdminServiceClient(c)
	_, err := a.RemoveOrg(bearer(), &admin.RemoveOrgRequest{OrgId: "gone"})
	st := status.Convert(err)
	if len(st.Details()) != 1 || !proto.Equal(st.Details()[0].(proto.Message), &message.ErrorDetail{Id: "COMMA-aps2n", Message: "Organisation not found"}) {
		t.Errorf("details: %v", st.Details())
	}
	for _, c := range []struct {
		name string
		err  func() error
		code codes.Code
		text string
	}{
		{"a declared failure", func() error { return err }, codes.NotFound, "Organisation not found (COMMA-aps2n)"},
		{"text beyond ASCII", func() error {
			_, err := a.RemoveOrg(bearer(), &admin.RemoveOrgRequest{OrgId: "ünknown"})
			return err
		}, codes.NotFound, "nö 100%"},
		{"no token", func() error {
			_, err := a.RemoveOrg(context.Background(), &admin.RemoveOrgRequest{OrgId: "1"})
			return err
		}, codes.Unauthenticated, "auth header missing"},
		{"a rule", func() error { _, err := a.RemoveOrg(bearer(), &admin.RemoveOrgRequest{}); return err }, codes.InvalidArgument,
			"invalid RemoveOrgRequest.OrgId: value length must be between 1 and 200 runes, inclusive"},
		{"no endpoint", func() error { _, err := a.GetMyInstance(bearer(), &admin.GetMyInstanceRequest{}); return err }, codes.Unimplemented,
			"method GetMyInstance not implemented"},
		{"unknown service", func() error {
			_, err := auth.NewAuthServiceClient(c).Healthz(bearer(), &auth.HealthzRequest{})
			return err
		}, codes.Unimplemented, "unknown service zitadel.auth.v1.AuthService"},
		{"unknown method", func() error {
			return c.Invoke(bearer(), "/zitadel.admin.v1.AdminService/Nothing", &admin.HealthzRequest{}, &admin.HealthzResponse{})
		}, codes.Unimplemented, "unknown method Nothing for service zitadel.admin.v1.AdminService"},
		{"too large", func() error {
			_, err := a.RemoveOrg(bearer(), &admin.RemoveOrgRequest{OrgId: strings.Repeat("x", 1<<17)})
			return err
		}, codes.ResourceExhausted, "larger than max"},
		{"too large once unpacked", func() error {
			_, err := a.RemoveOrg(bearer(), &admin.RemoveOrgRequest{OrgId: strings.Repeat("x", 1<<17)}, grpc.UseCompressor("gzip"))
			return err
		}, codes.ResourceExhausted, "larger than max"},
		{"deadline", func() error {
			ctx, cancel := context.WithTimeout(bearer(), 50*time.Millisecond)
			defer cancel()
			_, err := a.GetDefaultOrg(ctx, &admin.GetDefaultOrgRequest{})
			return err
		}, codes.DeadlineExceeded, "deadline"},
	} {
		t.Run(c.name, func(t *testing.T) {
			st := status.Convert(c.err())
			if st.Code() != c.code || !strings.Contains(st.Message(), c.text) {
				t.Errorf("%v", st)
			}
		})
	}
}

// framed is a message as gRPC and gRPC-Web send it.
func framed(flags byte, data []byte) string {
	head := []byte{flags, 0, 0, 0, 0}
	binary.BigEndian.PutUint32(head[1:], uint32(len(data)))
	return string(head) + string(data)
}

func removeOrg(id string) []byte {
	b, err := proto.Marshal(&admin.RemoveOrgRequest{OrgId: id})
	if err != nil {
		panic(err)
	}
	return b
}

func gzipped(data []byte) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write(data)
	_ = z.Close()
	return b.Bytes()
}

const removeOrgPath = admin.AdminService_RemoveOrg_FullMethodName

func TestGRPCFrames(t *testing.T) {
	s := newServer(t)
	for _, c := range []struct {
		name, body, encoding, status string
	}{
		{"one message", framed(0, removeOrg("1")), "", "0"},
		{"compressed", framed(1, gzipped(removeOrg("1"))), "gzip", "0"},
		{"not compressed though named", framed(0, removeOrg("1")), "gzip", "0"},
		{"none", "", "", "12"},
		{"two", framed(0, removeOrg("1")) + framed(0, removeOrg("2")), "", "12"},
		{"head cut short", "\x00\x00", "", "3"},
		{"body cut short", framed(0, removeOrg("1"))[:7], "", "3"},
		{"unknown flags", framed(4, removeOrg("1")), "", "3"},
		{"compressed without a name", framed(1, gzipped(removeOrg("1"))), "", "3"},
		{"not gzip", framed(1, removeOrg("1")), "gzip", "3"},
		{"unknown encoding", framed(1, removeOrg("1")), "br", "12"},
		{"not a message", framed(0, []byte("\xff\xff")), "", "3"},
		{"not UTF-8", framed(0, []byte("\x0a\x02\xff\xfe")), "", "3"},
		{"NUL", framed(0, removeOrg("a\x00")), "", "3"},
		{"bomb", framed(1, gzipped(make([]byte, 1<<20))), "gzip", "8"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := send(t, s, "POST", removeOrgPath, c.body, "Content-Type", "application/grpc", "Grpc-Encoding", c.encoding)
			if got := w.Result().Trailer.Get("Grpc-Status"); w.Code != 200 || got != c.status {
				t.Errorf("%d, status %s: %s", w.Code, got, w.Result().Trailer.Get("Grpc-Message"))
			}
		})
	}
}

func TestGRPCHeaders(t *testing.T) {
	s := newServer(t)
	one := framed(0, removeOrg("1"))
	if w := send(t, s, "GET", removeOrgPath, "", "Content-Type", "application/grpc"); w.Code != 405 || w.Header().Get("Allow") != "POST" {
		t.Errorf("GET: %d", w.Code)
	}
	if w := send(t, s, "POST", removeOrgPath, one, "Content-Type", "application/grpc+thrift"); w.Code != 415 {
		t.Errorf("thrift: %d", w.Code)
	}
	w := send(t, s, "POST", removeOrgPath, one, "Content-Type", "application/grpc+proto")
	if w.Header().Get("Content-Type") != "application/grpc+proto" || w.Header().Get("Grpc-Accept-Encoding") != "gzip" {
		t.Errorf("%v", w.Header())
	}
	w = send(t, s, "POST", removeOrgPath, framed(0, []byte(`{"orgId":"1"}`)), "Content-Type", "application/grpc+json")
	if !strings.Contains(w.Body.String(), `"resourceOwner"`) {
		t.Errorf("JSON: %q", w.Body)
	}
	for value, want := range map[string]string{"1": "3", "1x": "3", "S": "3", "123456789S": "3", "-1S": "3", "99999999H": "0", "1S": "0"} {
		w := send(t, s, "POST", removeOrgPath, one, "Content-Type", "application/grpc", "Grpc-Timeout", value)
		if got := w.Result().Trailer.Get("Grpc-Status"); got != want {
			t.Errorf("timeout %q: status %s", value, got)
		}
	}
}

// webFrames splits a gRPC-Web reply into its message and its trailers.
func webFrames(t *testing.T, body []byte) (msg []byte, trailers string) {
	t.Helper()
	for r := bytes.NewReader(body); r.Len() > 0; {
		var head [5]byte
		if _, err := io.ReadFull(r, head[:]); err != nil {
			t.Fatal(err)
		}
		data := make([]byte, binary.BigEndian.Uint32(head[1:]))
		if _, err := io.ReadFull(r, data); err != nil {
			t.Fatal(err)
		}
		if head[0] == 0x80 {
			trailers = string(data)
		} else {
			msg = data
		}
	}
	return msg, trailers
}

func TestGRPCWeb(t *testing.T) {
	s := newServer(t)
	body := framed(0, removeOrg("1"))
	w := send(t, s, "POST", removeOrgPath, body, "Content-Type", "application/grpc-web+proto")
	msg, end := webFrames(t, w.Body.Bytes())
	var out admin.RemoveOrgResponse
	if err := proto.Unmarshal(msg, &out); err != nil || out.GetDetails().GetResourceOwner() != "1" || end != "grpc-status: 0\r\n" {
		t.Errorf("%v, %v, %q", &out, err, end)
	}

	half := len(body) / 3 * 3
	pieces := base64.StdEncoding.EncodeToString([]byte(body[:4])) + base64.StdEncoding.EncodeToString([]byte(body[4:half])) + base64.StdEncoding.EncodeToString([]byte(body[half:]))
	w = send(t, s, "POST", removeOrgPath, pieces, "Content-Type", "application/grpc-web-text")
	raw, err := base64.StdEncoding.DecodeString(w.Body.String())
	if err != nil {
		t.Fatal(err)
	}
	if msg, end := webFrames(t, raw); len(msg) == 0 || end != "grpc-status: 0\r\n" {
		t.Errorf("text: %q %q", msg, end)
	}
	w = send(t, s, "POST", removeOrgPath, "!!!", "Content-Type", "application/grpc-web-text")
	raw, _ = base64.StdEncoding.DecodeString(w.Body.String())
	if _, end := webFrames(t, raw); !strings.Contains(end, "grpc-status: 3\r\n") {
		t.Errorf("not base64: %q", end)
	}

	w = send(t, s, "POST", removeOrgPath, framed(0, removeOrg("gone")), "Content-Type", "application/grpc-web")
	if msg, end := webFrames(t, w.Body.Bytes()); w.Code != 200 || msg != nil || !strings.Contains(end, "grpc-status: 5\r\n") ||
		!strings.Contains(end, "grpc-message: Organisation not found (COMMA-aps2n)\r\n") || !strings.Contains(end, "grpc-status-details-bin: ") {
		t.Errorf("failure: %d %q %q", w.Code, msg, end)
	}
	if w := send(t, s, "POST", removeOrgPath, body, "Content-Type", "application/grpc-web+thrift"); w.Code != 415 {
		t.Errorf("thrift: %d", w.Code)
	}
	if w := send(t, s, http.MethodPut, removeOrgPath, body, "Content-Type", "application/grpc-web"); w.Code != 405 {
		t.Errorf("PUT: %d", w.Code)
	}
}

// FuzzFrames looks for panics and for replies that no client could read.
func FuzzFrames(f *testing.F) {
	f.Add([]byte(framed(0, removeOrg("1"))), "application/grpc", "", "1S")
	f.Add([]byte(framed(1, gzipped(removeOrg("1")))), "application/grpc-web", "gzip", "")
	f.Add([]byte("AAAAAAA="), "application/grpc-web-text+proto", "", "")
	f.Add([]byte(`{"orgId":"1"}`), "application/json", "", "")
	f.Add(removeOrg("gone"), "application/proto", "identity", "")
	s := newServer(f)
	f.Fuzz(func(t *testing.T, body []byte, contentType, encoding, timeout string) {
		w := send(t, s, "POST", removeOrgPath, string(body), "Content-Type", contentType, "Grpc-Encoding", encoding, "Grpc-Timeout", timeout)
		grpc := strings.HasPrefix(w.Header().Get("Content-Type"), "application/grpc")
		if w.Code >= 500 && w.Code != 501 || grpc && w.Code == 200 && !strings.Contains(w.Header().Get("Content-Type"), "web") && w.Result().Trailer.Get("Grpc-Status") == "" {
			t.Errorf("%d %q", w.Code, w.Body)
		}
	})
}
