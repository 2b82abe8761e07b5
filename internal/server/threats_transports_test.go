package server

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/management"

	"guildhall/internal/dialect/zitadel"
	"guildhall/internal/id"
)

// A filler writes request messages in which every id is that of an object that
// exists, or one that does not.
type filler struct {
	service string
	spell   func(k id.Kind) string
	choice  int // which member of a oneof is taken
}

// kindOf says what an id in a message is of, by its name; 0 is no id.
func (f filler) kindOf(name string) id.Kind {
	switch {
	case name == "id":
		return map[string]id.Kind{
			"project": id.Project, "authorization": id.UserGrant, "organization": id.Organization, "user": id.User, "management": id.User, "admin": id.Organization,
		}[f.service]
	case strings.HasSuffix(name, "organization_id"), strings.HasSuffix(name, "org_id"), strings.HasSuffix(name, "organization_ids"):
		return id.Organization
	case strings.HasSuffix(name, "project_grant_id"), name == "grant_id" && f.service != "user":
		return id.ProjectGrant
	case strings.HasSuffix(name, "project_id"), strings.HasSuffix(name, "project_ids"):
		return id.Project
	case strings.HasSuffix(name, "user_id"), strings.HasSuffix(name, "user_ids"):
		return id.User
	case name == "token_id":
		return id.Key
	}
	return 0
}

// chosenIDs are fields in which a caller gives a new object its id, by the message.
var chosenIDs = map[string][]string{
	"AddMachineUserRequest": {"user_id"}, "CreateUserRequest": {"user_id"}, "AddHumanUserRequest": {"user_id"}, "CreateProjectRequest": {"project_id"},
	"AddOrganizationRequest": {"organization_id", "org_id"}, "CreateOrganizationRequest": {"id"},
}

func (f filler) message(d protoreflect.MessageDescriptor, depth int) map[string]any {
	out := map[string]any{}
	for i := range d.Fields().Len() {
		field := d.Fields().Get(i)
		if one := field.ContainingOneof(); one != nil && !one.IsSynthetic() && one.Fields().Get(f.choice%one.Fields().Len()) != field {
			continue
		}
		if depth == 0 && slices.Contains(chosenIDs[string(d.Name())], string(field.Name())) {
			continue
		}
		if v := f.value(field, depth); v != nil {
			out[field.JSONName()] = v
		}
	}
	return out
}

func (f filler) value(field protoreflect.FieldDescriptor, depth int) (v any) {
	switch name := string(field.Name()); field.Kind() {
	case protoreflect.StringKind:
		switch k := f.kindOf(name); {
		case k != 0:
			v = f.spell(k)
		case strings.Contains(name, "role"):
			v = "reader"
		case strings.Contains(name, "email"):
			v = "stranger@a.example"
		case strings.Contains(name, "phone"):
			v = "+12025550123"
		case strings.Contains(name, "domain"):
			v = "stranger.example"
		default:
			v = "stranger"
		}
	case protoreflect.BoolKind:
		v = true
	case protoreflect.MessageKind:
		if field.IsMap() || depth > 4 || field.Message().FullName() == "google.protobuf.Timestamp" || field.Message().FullName() == "google.protobuf.Duration" {
			return nil
		}
		v = f.message(field.Message(), depth+1)
	case protoreflect.BytesKind:
		v = "AAAA"
	default:
		return nil
	}
	if field.IsList() {
		return []any{v}
	}
	return v
}

// TestT_A01_A03_IdsInMessagesAreCheckedLikeThoseInPaths calls every method, also
// those that have no path, with messages full of somebody else's ids.
func TestT_A01_A03_IdsInMessagesAreCheckedLikeThoseInPaths(t *testing.T) {
	at := newSite(t)
	strangers := map[string]caller{
		"of another realm": at.root(t, "zitadel", at.there), "of another organization": at.confined(t, "zitadel", at.here, at.here.other),
		"without a role": at.bare(t, "zitadel", at.here),
	}
	before, named, reached := at.state(t, at.here), 0, 0
	root := at.root(t, "zitadel", at.here)
	for _, path := range zitadel.Methods() {
		service, method, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
		d, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(service))
		if err != nil {
			t.Fatal(err)
		}
		in := d.(protoreflect.ServiceDescriptor).Methods().ByName(protoreflect.Name(method)).Input()
		for choice := range 3 {
			bodies := map[bool]string{}
			for _, known := range []bool{true, false} {
				n := 0
				f := filler{service: serviceWord(service), choice: choice, spell: func(k id.Kind) string {
					if i, ok := at.here.ids[k]; known && ok {
						return root.spell(k, i)
					}
					n++
					return root.spell(k, at.here.unknown(k, n))
				}}
				b, _ := json.Marshal(f.message(in, 0))
				bodies[known] = string(b)
			}
			if bodies[true] == bodies[false] {
				continue // it names nothing, so it is about the caller's own
			}
			named++
			for who, c := range strangers {
				a, b := c.send("POST", path, bodies[true]), c.send("POST", path, bodies[false])
				if told(a) != told(b) {
					t.Errorf("%s, %s: what exists answers\n  %s\nand what does not\n  %s\nto %s", path, who, told(a), told(b), bodies[true])
				}
				if a.Code >= 500 && a.Code != http.StatusNotImplemented {
					t.Errorf("%s, %s: %s", path, who, told(a))
				}
				for k, i := range at.here.ids {
					if a.Code < 300 && k != id.Realm && strings.Contains(a.Body.String(), root.spell(k, i)) && !strings.Contains(bodies[true], root.spell(k, i)) {
						t.Errorf("%s, %s: shows the %s", path, who, k)
					}
				}
			}
		}
		if strings.Contains(method, "Get") || strings.Contains(method, "List") {
			f := filler{service: serviceWord(service), spell: func(k id.Kind) string { return root.spell(k, at.here.ids[k]) }}
			b, _ := json.Marshal(f.message(in, 0))
			if w := root.in(at.here.ids[id.Organization]).send("POST", path, string(b)); w.Code < 300 {
				reached++
			}
		}
	}
	if named < 200 || reached < 10 {
		t.Errorf("%d messages, %d of which find something for whoever may do everything: that proves nothing", named, reached)
	}
	if after := at.state(t, at.here); after != before {
		t.Errorf("strangers changed the organization:\nbefore %s\nafter  %s", before, after)
	}
}

func serviceWord(service string) string {
	for _, word := range []string{"project", "authorization", "internal_permission", "management", "admin", "user"} {
		if strings.Contains(service, "."+word+".") {
			return word
		}
	}
	return "organization"
}

// A carrier sends a call with metadata over one transport and gives the code of
// the answer.
type carrier func(t *testing.T, method string, md metadata.MD, in, out proto.Message) codes.Code

// carriers are the four ways in, against the running server.
func (at *site) carriers(t *testing.T) map[string]carrier {
	t.Helper()
	addr := at.listeners[0].Addr().String()
	conn, err := grpc.NewClient(addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	post := func(path, kind string, md metadata.MD, body []byte) *http.Response {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+addr+path, bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", kind)
		for k, vs := range md {
			for _, v := range vs {
				if strings.HasSuffix(k, "-bin") {
					v = base64.StdEncoding.EncodeToString([]byte(v))
				}
				r.Header.Add(k, v)
			}
		}
		w, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { w.Body.Close() })
		return w
	}
	return map[string]carrier{
		"grpc": func(t *testing.T, method string, md metadata.MD, in, out proto.Message) codes.Code {
			ctx, cancel := context.WithTimeout(metadata.NewOutgoingContext(t.Context(), md), 10*time.Second)
			defer cancel()
			return status.Code(conn.Invoke(ctx, method, in, out))
		},
		"grpc-web": func(t *testing.T, method string, md metadata.MD, in, out proto.Message) codes.Code {
			data, _ := proto.Marshal(in)
			frame := append([]byte{0, 0, 0, 0, 0}, data...)
			binary.BigEndian.PutUint32(frame[1:], uint32(len(data)))
			w := post(method, "application/grpc-web+proto", md, frame)
			body := new(bytes.Buffer)
			_, _ = body.ReadFrom(w.Body)
			code := w.Header.Get("Grpc-Status")
			if _, trailer, ok := strings.Cut(body.String(), "grpc-status:"); ok {
				code, _, _ = strings.Cut(strings.TrimSpace(trailer), "\r\n")
			}
			var n int
			if _, err := fmt.Sscan(code, &n); err != nil {
				t.Fatalf("grpc-web: no status in %q", body)
			}
			if b := body.Bytes(); n == 0 && len(b) > 5 && b[0] == 0 {
				_ = proto.Unmarshal(b[5:5+binary.BigEndian.Uint32(b[1:5])], out)
			}
			return codes.Code(n)
		},
		"connect": func(t *testing.T, method string, md metadata.MD, in, out proto.Message) codes.Code {
			data, _ := proto.Marshal(in)
			w := post(method, "application/proto", md, data)
			body := new(bytes.Buffer)
			_, _ = body.ReadFrom(w.Body)
			if w.StatusCode == http.StatusOK {
				_ = proto.Unmarshal(body.Bytes(), out)
				return codes.OK
			}
			var failure struct{ Code string }
			_ = json.Unmarshal(body.Bytes(), &failure)
			return connectCodes[failure.Code]
		},
	}
}

var connectCodes = map[string]codes.Code{
	"permission_denied": codes.PermissionDenied, "not_found": codes.NotFound, "unauthenticated": codes.Unauthenticated, "invalid_argument": codes.InvalidArgument,
}

// TestT_A10_MetadataThatNamesAnotherOrganizationIsRefusedOnEveryTransport sends a
// good token with headers that name an organization it has nothing to do with, in
// every spelling.
func TestT_A10_MetadataThatNamesAnotherOrganizationIsRefusedOnEveryTransport(t *testing.T) {
	at := newSite(t)
	c := at.confined(t, "zitadel", at.here, at.here.other)
	token := c.header.Get("Authorization")
	own, foreign := c.spell(id.Organization, at.here.other), c.spell(id.Organization, at.here.ids[id.Organization])
	unknown, elsewhere := c.spell(id.Organization, 1<<40+5), at.there.spelledBy(at.tables["zitadel"], id.Organization)
	const getMyOrg = management.ManagementService_GetMyOrg_FullMethodName
	refused := []codes.Code{codes.PermissionDenied, codes.NotFound}
	for name, send := range at.carriers(t) {
		t.Run(name, func(t *testing.T) {
			call := func(md metadata.MD) (codes.Code, string) {
				md.Set("authorization", token)
				var out management.GetMyOrgResponse
				code := send(t, getMyOrg, md, &management.GetMyOrgRequest{}, &out)
				return code, out.GetOrg().GetId()
			}
			if code, got := call(metadata.MD{}); code != codes.OK || got != own {
				t.Fatalf("without a header: %v %q", code, got)
			}
			if code, got := call(metadata.Pairs("x-zitadel-orgid", own)); code != codes.OK || got != own {
				t.Fatalf("its own: %v %q", code, got)
			}
			for what, md := range map[string]metadata.MD{
				"another organization": metadata.Pairs("x-zitadel-orgid", foreign), "an unknown one": metadata.Pairs("x-zitadel-orgid", unknown),
				"one of another realm": metadata.Pairs("x-zitadel-orgid", elsewhere), "its own, then another": metadata.Pairs("x-zitadel-orgid", own, "x-zitadel-orgid", foreign),
				"another, then its own": metadata.Pairs("x-zitadel-orgid", foreign, "x-zitadel-orgid", own), "mixed case": metadata.Pairs("X-Zitadel-OrgID", foreign),
				"with spaces": metadata.Pairs("x-zitadel-orgid", " "+foreign+" "),
			} {
				code, got := call(md)
				if !slices.Contains(refused, code) {
					t.Errorf("%s: %v, and it acts on %q", what, code, got)
				}
			}
			for what, md := range map[string]metadata.MD{ // what is not the header names nothing
				"binary": metadata.Pairs("x-zitadel-orgid-bin", foreign), "another word": metadata.Pairs("zitadel-orgid", foreign), "underscores": metadata.Pairs("x_zitadel_orgid", foreign),
			} {
				if code, got := call(md); code == codes.OK && got != own {
					t.Errorf("%s: it acts on %q", what, got)
				}
			}
		})
	}
	t.Run("rest", func(t *testing.T) {
		for _, header := range []http.Header{
			{"X-Zitadel-Orgid": {foreign}}, {"Grpc-Metadata-X-Zitadel-Orgid": {foreign}}, {"X-Zitadel-Orgid": {own, foreign}},
			{"X-Zitadel-Orgid": {own}, "Grpc-Metadata-X-Zitadel-Orgid": {foreign}},
		} {
			with := c
			with.header = header.Clone()
			with.header.Set("Authorization", token)
			with.refused(t, "GET", "/management/v1/orgs/me", "", http.StatusForbidden, http.StatusNotFound)
		}
	})
}

func (w world) spelledBy(tb table, k id.Kind) string { return tb.spell(w.realm, k, w.ids[k]) }
