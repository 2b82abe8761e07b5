package e2e

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"
)

// auth0Token asks for a management token, narrowed to scopes when any are named.
func auth0Token(t *testing.T, s *Server, scopes ...string) string {
	t.Helper()
	body := map[string]string{
		"grant_type": "client_credentials", "audience": s.Auth0.Audience,
		"client_id": s.Auth0.ClientID, "client_secret": s.Auth0.ClientSecret,
	}
	if len(scopes) > 0 {
		body["scope"] = strings.Join(scopes, " ")
	}
	answer := s.call(t).do("POST", "/oauth/token", body).want(t, http.StatusOK).object(t)
	if len(scopes) > 0 {
		equal(t, "granted scope", answer.text("scope"), body["scope"])
	}
	return answer.text("access_token")
}

func auth0Wire(t *testing.T, s *Server) caller {
	t.Helper()
	return s.call(t).bearer(auth0Token(t, s))
}

func TestAuth0TokenEndpointTakesEverySpellingOfItsClients(t *testing.T) {
	onEngines(t, func(t *testing.T, s *Server) {
		form := url.Values{"grant_type": {"client_credentials"}, "audience": {s.Auth0.Audience}}
		plainAudience := url.Values{"grant_type": {"client_credentials"}, "audience": {s.HTTP + "/api/v2/"}}
		inBody := url.Values{"client_id": {s.Auth0.ClientID}, "client_secret": {s.Auth0.ClientSecret}}
		for k, v := range form {
			inBody[k] = v
		}
		basic := "Basic " + base64.StdEncoding.EncodeToString([]byte(s.Auth0.ClientID+":"+s.Auth0.ClientSecret))
		for name, answer := range map[string]answer{
			"form with Basic":       formPost(s.call(t).with("Authorization", basic), "/oauth/token", form),
			"form with body fields": formPost(s.call(t), "/oauth/token", inBody),
			"plain HTTP audience":   formPost(s.call(t).with("Authorization", basic), "/oauth/token", plainAudience),
			"double slash":          formPost(s.call(t), "//oauth/token", inBody),
		} {
			token := answer.want(t, http.StatusOK).object(t)
			equal(t, name+": type", token.text("token_type"), "Bearer")
			equal(t, name+": cache", answer.header.Get("Cache-Control"), "no-store")
			s.call(t).bearer(token.text("access_token")).do("GET", "/api/v2/organizations", nil).want(t, http.StatusOK)
		}
		inBody.Set("client_secret", "wrong")
		refused := formPost(s.call(t), "/oauth/token", inBody).want(t, http.StatusUnauthorized).object(t)
		equal(t, "error", refused.text("error"), "access_denied")
		form.Set("audience", "https://elsewhere.example/")
		refused = formPost(s.call(t).with("Authorization", basic), "/oauth/token", form).want(t, http.StatusForbidden).object(t)
		equal(t, "error", refused.text("error"), "access_denied")
		equal(t, "description", refused.text("error_description"), "Service not enabled within domain: https://elsewhere.example/")
	})
}

func formPost(c caller, target string, form url.Values) answer {
	c.t.Helper()
	return c.with("Content-Type", "application/x-www-form-urlencoded").do("POST", target, form.Encode())
}

func TestAuth0DiscoveryNamesTheConfiguredOrigin(t *testing.T) {
	onEngines(t, func(t *testing.T, s *Server) {
		doc := s.call(t).with("X-Forwarded-Host", "evil.example").do("GET", "/.well-known/openid-configuration", nil).
			want(t, http.StatusOK).object(t)
		if strings.Contains(doc.text("issuer"), "evil") {
			t.Errorf("a request header decided the issuer: %s", doc.text("issuer"))
		}
		keys := s.call(t).do("GET", "/.well-known/jwks.json", nil).want(t, http.StatusOK).object(t).list("keys")
		if len(keys) == 0 {
			t.Fatal("no signing keys are published")
		}
		for _, key := range keys {
			if key["d"] != nil {
				t.Error("a private key is published")
			}
		}
	})
}

// TestAuth0StatusTable walks the documented statuses of deleting an organization.
func TestAuth0StatusTable(t *testing.T) {
	onEngines(t, func(t *testing.T, s *Server) {
		admin := auth0Wire(t, s)
		id := admin.do("POST", "/api/v2/organizations", map[string]string{"name": unique("status")}).
			want(t, http.StatusCreated).object(t).text("id")
		target := "/api/v2/organizations/" + id
		for _, row := range []struct {
			fact    string
			caller  caller
			target  string
			status  int
			code    string
			message string
		}{
			{"no credential", s.call(t), target, 401, "", "Missing authentication"},
			{"not a bearer", s.call(t).with("Authorization", "Token x"), target, 400, "Bearer", "Bad HTTP authentication header format"},
			{"not a token", s.call(t).bearer("x.y.z"), target, 401, "", "Invalid token"},
			{"bad signature", s.call(t).bearer(forged(t, auth0Token(t, s))), target, 401, "",
				"Invalid signature received for JSON Web Token validation"},
			{"missing scope", s.call(t).bearer(auth0Token(t, s, "read:organizations")), target, 403, "insufficient_scope",
				"Insufficient scope, expected any of: delete:organizations"},
			{"malformed id", admin, "/api/v2/organizations/" + strings.Repeat("x", 51), 400, "invalid_uri", ""},
			{"unknown id", admin, "/api/v2/organizations/org_AAAAAAAAAAAAAAAA", 404, "", auth0NoOrganization},
			{"success", admin, target, 204, "", ""},
			{"twice", admin, target, 404, "", auth0NoOrganization},
		} {
			got := row.caller.do("DELETE", row.target, nil)
			if got.status != row.status {
				t.Errorf("%s: status %d, want %d: %s", row.fact, got.status, row.status, got.body)
				continue
			}
			wantAuth0Limits(t, row.fact, got)
			if row.status == http.StatusNoContent {
				equal(t, row.fact+": body", string(got.body), "")
				continue
			}
			body := got.object(t)
			equal(t, row.fact+": statusCode", int(body.number("statusCode")), row.status)
			equal(t, row.fact+": error", body.text("error"), http.StatusText(row.status))
			equal(t, row.fact+": errorCode", body.text("errorCode"), row.code)
			if row.message != "" {
				equal(t, row.fact+": message", body.text("message"), row.message)
			}
		}
	})
}

// wantAuth0Limits expects the rate limit headers that every answer carries.
func wantAuth0Limits(t *testing.T, fact string, got answer) {
	t.Helper()
	for _, name := range []string{"X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"} {
		if n, err := strconv.ParseInt(got.header.Get(name), 10, 64); err != nil || n < 0 {
			t.Errorf("%s: header %s is %q, want a number", fact, name, got.header.Get(name))
		}
	}
}

// forged keeps header and claims of a genuine token and spoils its signature.
func forged(t *testing.T, token string) string {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatal("the management token is no JWT")
	}
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	must(t, err)
	signature[0] ^= 0xff
	return parts[0] + "." + parts[1] + "." + base64.RawURLEncoding.EncodeToString(signature)
}

func TestAuth0AnswersBareArraysUntilTotalsAreAsked(t *testing.T) {
	onEngines(t, func(t *testing.T, s *Server) {
		admin := auth0Wire(t, s)
		name := unique("shape")
		id := admin.do("POST", "/api/v2/organizations", map[string]string{"name": name}).want(t, http.StatusCreated).object(t).text("id")
		admin.do("GET", "/api/v2/organizations?per_page=1", nil).want(t, http.StatusOK).array(t)
		enveloped := admin.do("GET", "/api/v2/organizations?per_page=1&include_totals=true", nil).want(t, http.StatusOK).object(t)
		equal(t, "organizations", len(enveloped.list("organizations")), 1)
		equal(t, "limit", enveloped.number("limit"), 1)
		members := admin.do("GET", "/api/v2/organizations/"+id+"/members", nil).want(t, http.StatusOK).array(t)
		equal(t, "members", len(members), 0)
		admin.do("GET", "/api/v2/organizations?page=20&per_page=100", nil).want(t, http.StatusBadRequest)
		unknown := admin.do("GET", "/api/v2/no-such-family", nil).want(t, http.StatusNotFound).object(t)
		equal(t, "unknown route", unknown.text("message"), "Not Found")
		admin.do("DELETE", "/api/v2/organizations/"+id, "null").want(t, http.StatusNoContent)
	})
}

func TestAuth0RefusesBodiesWithItsOwnValidationErrors(t *testing.T) {
	onEngines(t, func(t *testing.T, s *Server) {
		admin := auth0Wire(t, s)
		for fact, body := range map[string]any{
			"no name":          map[string]string{},
			"unknown property": map[string]string{"name": unique("x"), "colour": "red"},
			"wrong type":       map[string]int{"name": 7},
			"upper case":       map[string]string{"name": "UPPER"},
			"too long":         map[string]string{"name": strings.Repeat("a", 51)},
			"broken JSON":      `{"name":`,
			"NUL byte":         `{"name":"a\u0000b"}`,
			"invalid UTF-8":    "{\"name\":\"\xff\"}",
		} {
			got := admin.do("POST", "/api/v2/organizations", body)
			if got.status != http.StatusBadRequest {
				t.Errorf("%s: status %d, want 400: %s", fact, got.status, got.body)
				continue
			}
			equal(t, fact+": error", got.object(t).text("error"), "Bad Request")
		}
	})
}

func TestAuth0TokensExpireAfterTheirAdvertisedLife(t *testing.T) {
	onEngines(t, func(t *testing.T, s *Server) {
		parts := strings.Split(auth0Token(t, s), ".")
		raw, err := base64.RawURLEncoding.DecodeString(parts[1])
		must(t, err)
		var claims fields
		must(t, json.Unmarshal(raw, &claims))
		equal(t, "subject", claims.text("sub"), s.Auth0.ClientID+"@clients")
		equal(t, "grant", claims.text("gty"), "client-credentials")
		equal(t, "audience", claims.text("aud"), s.Auth0.Audience)
		if life := time.Duration(claims.number("exp")-claims.number("iat")) * time.Second; life != 24*time.Hour {
			t.Errorf("a management token lives %s, want 24h", life)
		}
	})
}
