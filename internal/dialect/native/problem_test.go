package native

import (
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	"guildhall/internal/access"
	"guildhall/internal/edge"
	"guildhall/internal/fault"
)

func call(header ...string) edge.Call {
	r := httptest.NewRequest("GET", "/guildhall/v1/organizations", nil)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	return edge.Call{Request: r, RequestID: "r1"}
}

func TestEveryKindOfFaultIsAProblem(t *testing.T) {
	a := undocumented()
	doc := document(t, a)
	statuses := map[int]fault.Kind{}
	for _, k := range fault.Kinds() {
		reply := a.Failure(fault.New(k, "reason_of_"+k.String(), "", "something is so"), call())
		p, ok := reply.Body.(problem)
		if !ok || reply.Type != "application/problem+json" {
			t.Fatalf("%s: %T as %s", k, reply.Body, reply.Type)
		}
		if p.Status != reply.Status || p.Status < 400 || p.Title == "" || p.Detail != "Something is so." || p.Type != "/guildhall/v1/problems/"+k.String() {
			t.Errorf("%s: %+v", k, p)
		}
		if (p.Status >= 500) != (k == fault.Internal || k == fault.Unavailable || k == fault.Unimplemented) {
			t.Errorf("%s: status %d", k, p.Status)
		}
		if other, taken := statuses[p.Status]; taken {
			t.Errorf("%s and %s share the status %d", k, other, p.Status)
		}
		statuses[p.Status] = k
		if classes[k].description == "" {
			t.Errorf("%s has no description", k)
		}
		rec := httptest.NewRecorder()
		rec.Header().Set("Content-Type", reply.Type)
		rec.Code = reply.Status
		rec.Body.WriteString(compact(p))
		checkAnswer(t, doc, "GET", prefix+"/organizations", rec)
	}
}

func TestEverySpecialReasonHasItsClass(t *testing.T) {
	for reason, name := range specialReasons {
		if of, ok := special[name]; !ok || of.description == "" || of.title == "" || of.status < 400 {
			t.Errorf("%s: class %q is %+v", reason, name, of)
		}
	}
	for name := range special {
		for _, k := range fault.Kinds() {
			if name == k.String() {
				t.Errorf("the class %s hides that of a kind", name)
			}
		}
	}
}

func TestProblemsCarryWhatACallerCanActOn(t *testing.T) {
	a := undocumented()
	for _, c := range []struct {
		name   string
		f      *fault.Error
		call   edge.Call
		header string
		want   string
	}{
		{"the missing permission", access.ErrPermissionMissing.With(access.UserRead), call(), "WWW-Authenticate", `Bearer realm="guildhall", error="insufficient_scope", scope="user:read"`},
		{"no credential", access.ErrUnauthenticated, call(), "WWW-Authenticate", `Bearer realm="guildhall"`},
		{"a bad credential", access.ErrUnauthenticated, call("Authorization", "Bearer x"), "WWW-Authenticate", `Bearer realm="guildhall", error="invalid_token"`},
		{"the methods", edge.ErrNoMethod.With([]string{"GET", "POST"}), call(), "Allow", "GET, POST"},
		{"when to try again", fault.New(fault.Unavailable, "away", "", "it is away"), call(), "Retry-After", "1"},
		{"when a key is free", errIdempotencyActive, call(), "Retry-After", "1"},
		{"nothing about a field", fault.Invalidf("name", "no"), call(), "WWW-Authenticate", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := a.Failure(c.f, c.call).Header.Get(c.header); got != c.want {
				t.Errorf("%s: %q, want %q", c.header, got, c.want)
			}
		})
	}
}

func TestTextOfCausesStaysInTheLog(t *testing.T) {
	f := fault.From(fault.ErrInternal.Because(http.ErrBodyNotAllowed))
	if p := undocumented().Failure(f, call()).Body.(problem); p.Detail != "Something went wrong on our side." {
		t.Errorf("the detail is %q", p.Detail)
	}
}

func TestLimitsAreTold(t *testing.T) {
	a := &API{Now: func() time.Time { return at }}
	h := http.Header{}
	a.Limited(h, edge.Limit{})
	if len(h) > 0 {
		t.Errorf("without a limit: %v", h)
	}
	a.Limited(h, edge.Limit{Rate: edge.Rate{Count: 10, Per: time.Minute}, Remaining: 3, Reset: at.Add(1500 * time.Millisecond), Retry: 10 * time.Millisecond, Exceeded: true})
	for name, want := range map[string]int{"RateLimit-Limit": 10, "RateLimit-Remaining": 3, "RateLimit-Reset": 2, "Retry-After": 1} {
		if got := h.Get(name); got != strconv.Itoa(want) {
			t.Errorf("%s: %q, want %d", name, got, want)
		}
	}
}
