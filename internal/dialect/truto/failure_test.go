package truto

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"testing"
	"time"

	"guildhall/internal/access"
	"guildhall/internal/edge"
	"guildhall/internal/erasure"
	"guildhall/internal/fault"
)

func failed(t *testing.T, f *fault.Error) (edge.Reply, map[string]any) {
	t.Helper()
	reply := (&API{}).Failure(f, edge.Call{Request: httptest.NewRequest("GET", "/unified/user-directory/organizations", nil)})
	raw, err := json.Marshal(reply.Body)
	if err != nil {
		t.Fatal(err)
	}
	var body map[string]any
	if err := json.Unmarshal(raw, &body); err != nil {
		t.Fatal(err)
	}
	return reply, body
}

func TestEveryKindHasAStatusAndABody(t *testing.T) {
	for _, kind := range fault.Kinds() {
		reply, body := failed(t, fault.New(kind, "reason", "", "a text"))
		if reply.Status < 400 || reply.Status > 599 {
			t.Errorf("%s: status %d", kind, reply.Status)
		}
		if body["statusCode"] != float64(reply.Status) || body["error"] != http.StatusText(reply.Status) || body["message"] != "A text" {
			t.Errorf("%s: body %v", kind, body)
		}
	}
}

// TestLastingRefusalsAreNotRepeatedByClients: the vendor's client sends a request
// again after these statuses, so only what may pass by itself may have them.
func TestLastingRefusalsAreNotRepeatedByClients(t *testing.T) {
	repeated := []int{408, 409, 425, 429, 500, 501, 502, 503, 504}
	passing := []fault.Kind{fault.Internal, fault.Stale, fault.Exhausted, fault.Unavailable}
	for _, kind := range fault.Kinds() {
		reply, _ := failed(t, fault.New(kind, "reason", "", "a text"))
		if slices.Contains(repeated, reply.Status) && !slices.Contains(passing, kind) {
			t.Errorf("%s is answered with %d", kind, reply.Status)
		}
	}
	for _, f := range []*fault.Error{erasure.ErrProtected, erasure.ErrDefault, errAccountInactive, errUnknownObject, edge.ErrNoMethod, edge.ErrNoRoute} {
		if reply, _ := failed(t, f); slices.Contains(repeated, reply.Status) {
			t.Errorf("%s is answered with %d", f.Reason, reply.Status)
		}
	}
}

func TestRetryAfterIsAPositiveNumberOfSeconds(t *testing.T) {
	for wait, want := range map[time.Duration]string{0: "1", time.Millisecond: "1", time.Second: "1", 1100 * time.Millisecond: "2"} {
		reply, body := failed(t, edge.ErrLimited.With(edge.Limit{Retry: wait, Exceeded: true}))
		if got := reply.Header.Get("Retry-After"); got != want {
			t.Errorf("%v: got %q, want %q", wait, got, want)
		}
		if body["truto_error_insight"] == nil {
			t.Error("the insight is missing")
		}
	}
}

func TestRateLimitHeadersCountInSeconds(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	a := &API{Now: func() time.Time { return now }}
	h := http.Header{}
	a.Limited(h, edge.Limit{})
	if len(h) != 0 {
		t.Errorf("headers without a limit: %v", h)
	}
	a.Limited(h, edge.Limit{Rate: edge.Rate{Count: 500, Per: 10 * time.Second}, Remaining: 499, Reset: now.Add(20 * time.Millisecond)})
	for name, want := range map[string]string{"ratelimit-limit": "500", "ratelimit-remaining": "499", "ratelimit-reset": "1"} {
		if got := h.Get(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}

func TestLimitedRequestsAreToldWhenToComeBack(t *testing.T) {
	w := newWorld(t)
	w.Edge.Limiter = &edge.Limiter{Rates: map[string]edge.Rate{Scheme: {Count: 2, Per: 10 * time.Second}}, Now: time.Now}
	h := w.Handler(w.api)
	for i := range 3 {
		answer := w.send(h, "GET", "/ping", "token", "")
		if answer.Header().Get("Ratelimit-Limit") != "2" {
			t.Errorf("request %d: headers %v", i, answer.Header())
		}
		if want := map[bool]int{true: 429, false: 200}[i == 2]; answer.Code != want {
			t.Errorf("request %d: status %d", i, answer.Code)
		} else if i == 2 {
			if n, err := strconv.Atoi(answer.Header().Get("Retry-After")); err != nil || n < 1 {
				t.Errorf("Retry-After %q", answer.Header().Get("Retry-After"))
			}
		}
	}
}

func TestInsightNamesWhatIsMissing(t *testing.T) {
	_, body := failed(t, access.ErrPermissionMissing.With(access.OrganizationDelete))
	insight, _ := body["truto_error_insight"].(map[string]any)
	if insight["forbidden_error"] == nil {
		t.Errorf("got %v", body)
	}
	_, body = failed(t, errMissingBody.With([]string{"name"}))
	insight, _ = body["truto_error_insight"].(map[string]any)
	if insight["missing_required_body_fields"] == nil {
		t.Errorf("got %v", body)
	}
}
