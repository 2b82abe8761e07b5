package zitadel

import (
	"context"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/known/timestamppb"

	"guildhall/internal/dialect/zitadel/wire"
	"guildhall/internal/directory"
	"guildhall/internal/fault"
	"guildhall/internal/id"
	"guildhall/internal/project"
	"guildhall/internal/query"
)

func TestEveryKindOfFailureHasACode(t *testing.T) {
	for _, k := range fault.Kinds() {
		if _, ok := statuses[k]; !ok {
			t.Errorf("%s has none", k)
		}
		f := fault.New(k, "a_reason", "field", "a text")
		if st := failure(f); st.Message() == "" || k != fault.Internal && !strings.Contains(st.Message(), "(GUILD-a_reason)") {
			t.Errorf("%s: %s", k, st.Message())
		}
	}
	if st := failure(context.Canceled); strings.Contains(st.Message(), "cancel") {
		t.Errorf("an internal cause is shown: %s", st.Message())
	}
}

// public are the methods that need no token.
var public = []string{"/zitadel.admin.v1.AdminService/Healthz", "/zitadel.management.v1.ManagementService/Healthz", "/zitadel.auth.v1.AuthService/Healthz", "/zitadel.system.v1.SystemService/Healthz"}

func served() (all []*wire.Method) {
	for _, m := range new(API).table().Methods() {
		if m.Served {
			all = append(all, m)
		}
	}
	return all
}

func TestEveryMethodAsksForAPermission(t *testing.T) {
	known := new(API).permissionWords()
	for _, m := range served() {
		switch {
		case slices.Contains(public, m.Name) != (m.Permission == ""):
			t.Errorf("%s asks for %q", m.Name, m.Permission)
		case m.Permission != "" && m.Permission != "authenticated" && !slices.Contains(known, m.Permission):
			t.Errorf("%s asks for %q, which is no permission", m.Name, m.Permission)
		case m.Permission != "" && m.Permission != "authenticated" && !allows([]string{"IAM_OWNER"}, m.Permission):
			t.Errorf("%s asks for %q, which nobody has", m.Name, m.Permission)
		}
	}
}

func TestRolesAreOfOneLevel(t *testing.T) {
	seen := map[string]project.Scope{}
	for level := range rolePrefixes {
		names := rolesOf(level)
		if len(names) == 0 {
			t.Errorf("%s has no roles", level)
		}
		for _, n := range names {
			if other, twice := seen[n]; twice {
				t.Errorf("%s is of %s and of %s", n, level, other)
			}
			seen[n] = level
		}
	}
	if len(seen) != len(roles) {
		t.Errorf("%d of %d roles can be given", len(seen), len(roles))
	}
}

// connect calls a method by its gRPC path with a JSON body.
func (w *world) connect(method, token, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("POST", method, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	rec := httptest.NewRecorder()
	w.handler.ServeHTTP(rec, r)
	return rec
}

func TestNoMethodAnswersWithoutAToken(t *testing.T) {
	w := newWorld(t)
	for _, m := range served() {
		if slices.Contains(public, m.Name) {
			continue
		}
		for _, token := range []string{"", "nonsense"} {
			if rec := w.connect(m.Name, token, "{}"); rec.Code != 401 {
				t.Errorf("%s with token %q: %d %s", m.Name, token, rec.Code, rec.Body)
			}
		}
	}
}

func TestWithoutARoleThereIsNoMembership(t *testing.T) {
	w := newWorld(t)
	for _, m := range served() {
		if m.Permission == "" || m.Permission == "authenticated" {
			continue
		}
		if rec := w.connect(m.Name, w.names["nobody"], "{}"); rec.Code != 404 && rec.Code != 403 {
			t.Errorf("%s: %d %s", m.Name, rec.Code, rec.Body)
		}
	}
}

// A target is an object of everything that the default organization of a world
// owns, by the kinds of id in requests.
func (w *world) target(t *testing.T) map[string]string {
	t.Helper()
	ctx, r := t.Context(), w.Realm
	p, err := w.Projects.CreateProject(ctx, w.System, project.Project{Organization: r.Default, Name: "Target"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Projects.AddRoles(ctx, w.System, p.ID, []project.Role{{Key: "key"}}); err != nil {
		t.Fatal(err)
	}
	u, err := w.Directory.UserBy(ctx, w.System, query.Is("username_key", "nobody"))
	if err != nil {
		t.Fatal(err)
	}
	g, err := w.Projects.GrantUser(ctx, w.System, project.UserGrant{Organization: r.Default, User: u.ID, Project: p.ID, Roles: []string{"key"}})
	if err != nil {
		t.Fatal(err)
	}
	return map[string]string{
		"organization": w.names["default"], "user": w.names["nobody_id"], "project": spell(r.ID, id.Project, p.ID, ""),
		"grant": spell(r.ID, id.UserGrant, g.ID, ""),
	}
}

// aimed fills a request with the ids of a target, and text for all else.
func aimed(m protoreflect.Message, target map[string]string, method string, depth int) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		if f.IsList() || f.IsMap() || f.ContainingOneof() != nil && m.WhichOneof(f.ContainingOneof()) != nil {
			continue
		}
		switch f.Kind() {
		case protoreflect.StringKind:
			m.Set(f, protoreflect.ValueOfString(aim(string(f.Name()), target, method)))
		case protoreflect.BoolKind:
			m.Set(f, protoreflect.ValueOfBool(true))
		case protoreflect.EnumKind:
			m.Set(f, protoreflect.ValueOfEnum(1))
		case protoreflect.MessageKind:
			if f.Message().FullName() == "google.protobuf.Timestamp" {
				m.Set(f, protoreflect.ValueOfMessage(timestamppb.New(time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC)).ProtoReflect()))
			}
			if depth > 0 && !strings.HasPrefix(string(f.Message().FullName()), "google.") {
				aimed(m.Mutable(f).Message(), target, method, depth-1)
			}
		}
	}
}

func aim(field string, target map[string]string, method string) string {
	switch {
	case strings.Contains(field, "org"):
		return target["organization"]
	case field == "user_id":
		return target["user"]
	case field == "project_id":
		return target["project"]
	case field == "id" && strings.Contains(method, "uthorization"):
		return target["grant"]
	case field == "id":
		return target["organization"]
	case field == "role_key":
		return "key"
	case field == "email":
		return "changed@example.com"
	case field == "phone":
		return "+41790000000"
	}
	return "changed"
}

// An owner of one organization reaches nothing of another one, whatever method
// is aimed at it. Reads find nothing, and what is a success without effect by
// design, a deletion of what is not there, leaves everything as it was.
func TestOwnersOfOthersReachNothing(t *testing.T) {
	w := newWorld(t)
	target := w.target(t)
	before := w.fingerprint(t)
	for _, m := range served() {
		path := protoreflect.FullName(strings.ReplaceAll(strings.TrimPrefix(m.Name, "/"), "/", "."))
		d, err := protoregistry.GlobalFiles.FindDescriptorByName(path)
		if err != nil {
			t.Fatal(err)
		}
		kind, err := protoregistry.GlobalTypes.FindMessageByName(d.(protoreflect.MethodDescriptor).Input().FullName())
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(m.Name, ".v2") || strings.Contains(m.Name, "/List") {
			continue // the first generation acts on the caller's own organization; lists are narrowed
		}
		in := kind.New()
		aimed(in, target, m.Name, 2)
		body, err := protojson.Marshal(in.Interface())
		if err != nil {
			t.Fatal(err)
		}
		rec := w.connect(m.Name, w.names["stranger"], string(body))
		if rec.Code == 200 && !strings.Contains(m.Name, "/Delete") || rec.Code >= 500 && rec.Code != 501 {
			t.Errorf("%s: %d %s\n%s", m.Name, rec.Code, rec.Body, body)
		}
		if rec.Code == 200 && rec.Body.String() != "{}" {
			t.Errorf("%s: %s", m.Name, rec.Body)
		}
	}
	if after := w.fingerprint(t); !slices.Equal(before, after) {
		t.Errorf("something changed:\n%v\n%v", before, after)
	}
}

// fingerprint is the versions of everything in the realm that methods can change.
func (w *world) fingerprint(t *testing.T) (out []int64) {
	t.Helper()
	q := query.Query{Limit: query.MaxLimit}
	collect(t, &out, func(o directory.Organization) int64 { return o.Version })(w.Directory.Organizations(t.Context(), w.System, q))
	collect(t, &out, func(u directory.User) int64 { return u.Version })(w.Directory.Users(t.Context(), w.System, q))
	collect(t, &out, func(p project.Project) int64 { return p.Version })(w.Projects.Projects(t.Context(), w.System, q))
	collect(t, &out, func(g project.UserGrant) int64 { return g.Version })(w.Projects.UserGrants(t.Context(), w.System, q))
	collect(t, &out, func(g project.Grant) int64 { return g.Version })(w.Projects.Grants(t.Context(), w.System, q))
	collect(t, &out, func(a project.Administrator) int64 { return a.Version })(w.Projects.Administrators(t.Context(), w.System, q))
	return out
}

func collect[T any](t *testing.T, out *[]int64, version func(T) int64) func(query.Page[T], error) {
	return func(page query.Page[T], err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		*out = append(*out, int64(len(page.Items)))
		for _, item := range page.Items {
			*out = append(*out, version(item))
		}
	}
}

// FuzzCalls sends arbitrary JSON to every method with the rights of an instance
// owner: nothing a client can send is the server's fault.
func FuzzCalls(f *testing.F) {
	methods := served()
	for i := range methods {
		f.Add(uint16(i), `{"id":"1","userId":"1","organizationId":"1","query":{"limit":1},"queries":[{"nameQuery":{"name":"a"}}]}`)
	}
	f.Add(uint16(0), `{"queries":[{"orQuery":{"queries":[{"notQuery":{"query":{}}}]}}],"filters":[{"and":{"queries":[{}]}}]}`)
	w := newWorld(f)
	f.Fuzz(func(t *testing.T, n uint16, body string) {
		m := methods[int(n)%len(methods)]
		if strings.HasSuffix(m.Name, "/SetDefaultOrg") {
			return
		}
		if rec := w.connect(m.Name, w.names["owner"], body); rec.Code >= 500 && rec.Code != 501 {
			t.Errorf("%s: %d %s", m.Name, rec.Code, rec.Body)
		}
	})
}
