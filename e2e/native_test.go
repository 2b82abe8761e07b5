package e2e

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

const nativeRoot = "/guildhall/v1"

func native(t *testing.T, s *Server) caller { return s.call(t).bearer(s.Native.Token) }

// wantProblem expects a problem document (RFC 9457).
func wantProblem(t *testing.T, got answer, status int, reason string) {
	t.Helper()
	body := got.want(t, status).object(t)
	if kind := got.header.Get("Content-Type"); !strings.HasPrefix(kind, "application/problem+json") {
		t.Errorf("%s: content type %q", got.asked, kind)
	}
	equal(t, got.asked+": status", int(body.number("status")), status)
	equal(t, got.asked+": reason", body.text("reason"), reason)
	for _, name := range []string{"type", "title", "detail", "request_id"} {
		if body.text(name) == "" {
			t.Errorf("%s: the problem has no %s: %s", got.asked, name, got.body)
		}
	}
}

// nativeAll follows cursors to the end of a list.
func nativeAll(t *testing.T, s *Server, target string) []fields {
	t.Helper()
	var all []fields
	separator := "?"
	if strings.Contains(target, "?") {
		separator = "&"
	}
	for cursor := ""; ; {
		asked := nativeRoot + target
		if cursor != "" {
			asked += separator + "cursor=" + url.QueryEscape(cursor)
		}
		page := native(t, s).do("GET", asked, nil).want(t, http.StatusOK).object(t)
		all = append(all, page.list("items")...)
		if page["next_cursor"] == nil {
			return all
		}
		cursor = page.text("next_cursor")
	}
}

type nativeSpeaker struct{ *Server }

func (n nativeSpeaker) create(t *testing.T, name string) string {
	t.Helper()
	api := native(t, n.Server)
	id := api.do("POST", nativeRoot+"/organizations", map[string]string{"name": name}).want(t, http.StatusCreated).object(t).text("id")
	user := api.do("POST", nativeRoot+"/users", map[string]string{"email": email(name)}).want(t, http.StatusCreated).object(t).text("id")
	api.do("POST", nativeRoot+"/organizations/"+id+"/members", map[string]string{"user": user}).want(t, http.StatusCreated)
	return id
}

func (n nativeSpeaker) find(t *testing.T, name string) (ids []string) {
	t.Helper()
	for _, o := range nativeAll(t, n.Server, "/organizations?limit=200") {
		if o.text("name") == name {
			ids = append(ids, o.text("id"))
		}
	}
	return ids
}

func (n nativeSpeaker) members(t *testing.T, id string) (emails []string) {
	t.Helper()
	for _, member := range nativeAll(t, n.Server, "/organizations/"+id+"/members") {
		emails = append(emails, member.text("email"))
	}
	return emails
}

func (n nativeSpeaker) delete(t *testing.T, id string) {
	t.Helper()
	native(t, n.Server).do("DELETE", nativeRoot+"/organizations/"+id, nil).want(t, http.StatusAccepted)
}

func (n nativeSpeaker) gone(t *testing.T, id string) {
	t.Helper()
	wantProblem(t, native(t, n.Server).do("GET", nativeRoot+"/organizations/"+id, nil), http.StatusNotFound, "organization_not_found")
}
