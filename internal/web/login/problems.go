package login

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"guildhall/internal/authn"
	"guildhall/internal/credential"
	"guildhall/internal/fault"
	"guildhall/internal/guard"
)

// problems are the texts for facts that people can do something about. The rest is
// told by kind.
var problems = map[string]string{
	"sign_in_expired": "problem_expired", "invalid_proof": "problem_credentials", "wrong_step": "problem_expired", "method_not_allowed": "problem_method",
	"no_access": "problem_denied", "invitation_not_valid": "problem_link", "provider_refused": "problem_provider", "account_linked_elsewhere": "problem_provider",
	"provider_unavailable": "problem_provider", "too_many_messages": "problem_many", "password_too_weak": "problem_weak",
	"password_breached": "problem_breached", "password_unchanged": "problem_same", "invalid_code": "problem_code", "invalid_passkey": "passkey_failed", "busy": "problem_busy",
	"work_required": "problem_challenge", "passkey_expired": "problem_expired", "unlock_not_valid": "problem_unlock", "cross_site": "problem_cross", "challenge_not_found": "problem_link", "invalid_session": "problem_expired",
}

var kindProblems = map[fault.Kind]string{
	fault.Exhausted: "problem_many", fault.Unavailable: "problem_busy", fault.Unauthenticated: "problem_credentials", fault.Forbidden: "problem_denied",
}

var statuses = map[fault.Kind]int{
	fault.Internal: 500, fault.Invalid: 422, fault.Unauthenticated: 422, fault.Forbidden: 403, fault.NotFound: 404, fault.Conflict: 422,
	fault.Precondition: 422, fault.Stale: 422, fault.Exhausted: 429, fault.TooLarge: 413, fault.Unavailable: 503, fault.Unimplemented: 404,
}

// problem is what to tell a person about a failure, in the language.
func (v *visit) problem(err error) string {
	f := fault.From(err)
	if w, ok := f.Detail.(guard.Wait); ok && w.Retry > 0 {
		return v.t("problem_wait", "time", v.lasting(w.Retry))
	}
	if n, ok := f.Detail.(int); ok && f.Reason == credential.ErrPasswordShort.Reason {
		return v.t("problem_short", "n", strconv.Itoa(n))
	}
	if f.Reason == "invalid" && f.Field == "identifier" {
		return v.t("problem_identifier")
	}
	if key, ok := problems[f.Reason]; ok {
		return v.t(key)
	}
	if key, ok := kindProblems[f.Kind]; ok {
		return v.t(key)
	}
	return v.t("problem_default")
}

// lasting says how long something takes, rounded up, in the unit that people would use.
func (v *visit) lasting(d time.Duration) string {
	unit, size := "seconds", time.Second
	switch {
	case d > 2*time.Hour:
		unit, size = "hours", time.Hour
	case d > 99*time.Second:
		unit, size = "minutes", time.Minute
	}
	n := int((d + size - 1) / size)
	if n == 1 {
		unit += "_one"
	}
	return v.t(unit, "n", strconv.Itoa(n))
}

func statusOf(err error) int {
	if s, ok := statuses[fault.KindOf(err)]; ok {
		return s
	}
	return http.StatusInternalServerError
}

// again reports whether the page that was posted can be shown again with the
// problem, rather than a page about the problem alone.
func again(err error) bool {
	switch fault.KindOf(err) {
	case fault.Internal, fault.NotFound:
		return false
	}
	return !errors.Is(err, authn.ErrFlow) && !errors.Is(err, authn.ErrNobody) && !errors.Is(err, authn.ErrInvitation) && !errors.Is(err, guard.ErrUnlock)
}

// fail shows what went wrong. Nothing of the failure itself is told that is not in
// the table above.
func (v *visit) fail(err error) {
	status := statusOf(err)
	m := MessageView{View: v.titled("error_title"), Kind: "bad", Icon: "alert", Lead: v.problem(err), Label: v.t("start_again"), Link: "/sign-in"}
	if _, said := problems[fault.From(err).Reason]; status == http.StatusNotFound && !said {
		m.View, m.Lead = v.titled("not_found_title"), v.t("not_found")
	}
	if status >= 500 {
		reference := v.w.Header().Get("X-Request-Id")
		v.Log.Error("a page failed", "path", v.r.URL.Path, "request", reference, "error", err)
		m.Extra = v.t("reference", "id", reference)
	}
	_ = v.show(status, Message(m))
}
