package stytch

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"guildhall/internal/credential"
	"guildhall/internal/directory"
	"guildhall/internal/edge"
	"guildhall/internal/erasure"
	"guildhall/internal/fault"
)

// documented are the statuses that the vendor documents.
var documented = []int{400, 401, 403, 404, 405, 429, 500, 503}

func failed(t *testing.T, f *fault.Error, operation string) failure {
	t.Helper()
	c := edge.Call{Request: httptest.NewRequest("GET", "/v1/x", nil), RequestID: "0123456789abcdef01234567"}
	if operation != "" {
		c.Route = &edge.Route{Operation: operation}
	}
	reply := (&API{}).Failure(f, c)
	body, ok := reply.Body.(failure)
	if !ok || reply.Status != body.StatusCode {
		t.Fatalf("%s: the body is %#v with status %d", f.Reason, reply.Body, reply.Status)
	}
	return body
}

func TestEveryKindOfFailureHasWords(t *testing.T) {
	for _, kind := range fault.Kinds() {
		got := failed(t, fault.New(kind, "a_reason_nobody_declared", "", "something is wrong"), "")
		if !slices.Contains(documented, got.StatusCode) || got.ErrorType == "" || got.ErrorMessage == "" {
			t.Errorf("%v: %+v", kind, got)
		}
		if server := kind == fault.Internal || kind == fault.Unavailable; server != (got.StatusCode >= 500) {
			t.Errorf("%v answers %d", kind, got.StatusCode)
		}
		if want := "#" + got.ErrorType; !strings.HasSuffix(got.ErrorURL, want) {
			t.Errorf("%v: the url %s does not end in %s", kind, got.ErrorURL, want)
		}
		if got.RequestID != "request-id-test-01234567-89ab-4cde-8f01-234567000000" {
			t.Errorf("%v: request id %s", kind, got.RequestID)
		}
	}
}

func TestAnInternalFailureTellsNothing(t *testing.T) {
	got := failed(t, fault.From(http.ErrBodyNotAllowed), "")
	if got.StatusCode != 500 || got.ErrorMessage != "Internal server error." {
		t.Errorf("%+v", got)
	}
}

func TestFactsHaveTheVendorsNames(t *testing.T) {
	for _, c := range []struct {
		f         *fault.Error
		operation string
		status    int
		kind      string
	}{
		{directory.ErrOrganizationNotFound, "", 404, "organization_not_found"},
		{directory.ErrMemberNotFound, "", 404, "member_not_found"},
		{directory.ErrExternalIDTaken, "organizations.create", 400, "organization_external_id_already_used"},
		{directory.ErrExternalIDTaken, "organizations.members.update", 400, "duplicate_member_external_id"},
		{directory.ErrEmailTaken, "organizations.members.create", 400, "duplicate_member_email"},
		{directory.ErrEmailTaken, "organizations.members.reactivate", 400, "reactivation_email_belongs_to_another_member"},
		{directory.ErrSlugTaken, "", 400, "organization_slug_already_used"},
		{directory.ErrNameTaken, "", 400, "duplicate_organization"},
		{directory.ErrStale, "", 400, "bad_request"},
		{erasure.ErrDefault, "organizations.delete", 400, "bad_request"},
		{erasure.ErrProtected, "organizations.delete", 403, "unauthorized_action"},
		{credential.ErrCredential, "", 401, "unauthorized_credentials"},
		{edge.ErrNoRoute, "", 404, "route_not_found"},
		{edge.ErrNoMethod, "", 405, "method_not_allowed"},
		{edge.ErrBodyTooLarge, "", 400, "bad_request"},
		{edge.ErrLimited, "", 429, "too_many_requests"},
		{edge.ErrCursor, "", 400, "bad_request"},
		{errSlug.On("organization_slug"), "", 400, "invalid_organization_slug"},
		{errSessionNotFound, "", 404, "session_not_found"},
		{fault.Invalidf("email", "no"), "organizations.members.create", 400, "invalid_email"},
		{fault.Invalidf("name", "no"), "organizations.members.update", 400, "bad_request"},
		{fault.Invalidf("name", "no"), "organizations.update", 400, "invalid_organization_name"},
		{fault.Invalidf("private_metadata", "no"), "organizations.update", 400, "metadata_invalid_format"},
	} {
		got := failed(t, c.f, c.operation)
		if got.StatusCode != c.status || got.ErrorType != c.kind {
			t.Errorf("%s in %q: %d %s, want %d %s", c.f.Reason, c.operation, got.StatusCode, got.ErrorType, c.status, c.kind)
		}
	}
}

func TestTheTablesOfErrorsAnswerDocumentedStatuses(t *testing.T) {
	for key, w := range reasons {
		if !slices.Contains(documented, w.Status) || w.Status >= 500 || w.Type == "" || w.Message == "" {
			t.Errorf("%s: %+v", key, w)
		}
	}
}

func TestTooManyRequestsSayWhenToComeBack(t *testing.T) {
	c := edge.Call{Request: httptest.NewRequest("GET", "/v1/x", nil)}
	reply := (&API{}).Failure(edge.ErrLimited.With(edge.Limit{Exceeded: true}), c)
	if reply.Header.Get("Retry-After") != "1" {
		t.Errorf("headers %v", reply.Header)
	}
}
