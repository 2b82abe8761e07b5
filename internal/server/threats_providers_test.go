package server

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"guildhall/internal/credential"
	"guildhall/internal/id"
	"guildhall/internal/sso"
)

// oneself are the addresses of this machine, which servers of tests may connect to.
var oneself = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}

// TestT_H04_AnIdentityProviderIsWhoItIsConfiguredToBe lets discovery say what leads elsewhere.
func TestT_H04_AnIdentityProviderIsWhoItIsConfiguredToBe(t *testing.T) {
	onEngines(t, Config{OutboundAllow: oneself}, func(t *testing.T, at *site) {
		client := at.SignIn.Providers.(*sso.Client)
		var elsewhere atomic.Int32
		other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			elsewhere.Add(1)
			http.NotFound(w, r)
		}))
		t.Cleanup(other.Close)
		provider := func(secure bool, change func(self string, said map[string]any), redirect string) string {
			mux := http.NewServeMux()
			s := httptest.NewUnstartedServer(mux)
			if s.Start(); secure {
				s.Close()
				s = httptest.NewTLSServer(mux)
			}
			t.Cleanup(s.Close)
			mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, r *http.Request) {
				if redirect != "" {
					http.Redirect(w, r, redirect, http.StatusFound)
					return
				}
				said := map[string]any{
					"issuer": s.URL, "authorization_endpoint": s.URL + "/authorize", "token_endpoint": s.URL + "/token", "jwks_uri": s.URL + "/keys",
					"id_token_signing_alg_values_supported": []string{"ES256"}, "response_types_supported": []string{"code"}, "subject_types_supported": []string{"public"},
				}
				if change != nil {
					change(s.URL, said)
				}
				w.Header().Set("Content-Type", "application/json")
				_ = json.NewEncoder(w).Encode(said)
			})
			return s.URL
		}
		try := func(issuer string) error {
			_, err := client.Authorize(t.Context(), sso.Connection{Provider: sso.OpenID, Issuer: issuer, ClientID: "c"}, sso.NewRequest(zooOrigin+"/sign-in/callback", ""))
			return err
		}
		if err := try(provider(false, nil, "")); err != nil {
			t.Fatalf("a good one: %v", err)
		}
		set := func(name string, value func(self string) string) func(string, map[string]any) {
			return func(self string, said map[string]any) { said[name] = value(self) }
		}
		constant := func(s string) func(string) string { return func(string) string { return s } }
		for name, issuer := range map[string]string{
			"another issuer":            provider(false, set("issuer", constant("https://accounts.google.com")), ""),
			"an issuer with a slash":    provider(false, set("issuer", func(self string) string { return self + "/" }), ""),
			"no issuer":                 provider(false, set("issuer", constant("")), ""),
			"a script to go to":         provider(false, set("authorization_endpoint", constant("javascript:alert(1)")), ""),
			"a file with keys":          provider(false, set("jwks_uri", constant("file:///etc/passwd")), ""),
			"no address for tokens":     provider(false, set("token_endpoint", constant("")), ""),
			"a redirect to another":     provider(false, nil, other.URL+"/.well-known/openid-configuration"),
			"a certificate of nobody's": provider(true, nil, ""),
		} {
			if err := try(issuer); err == nil {
				t.Errorf("%s is accepted", name)
			}
		}
		if n := elsewhere.Load(); n > 0 {
			t.Errorf("a redirect was followed %d times", n)
		}
		// Behind https nothing may be without it, whoever says so.
		for _, name := range []string{"http://idp.example.com/keys", "HTTP://idp.example.com/keys", "//idp.example.com/keys", ""} {
			if err := at.Connections.Check(name); err == nil {
				t.Errorf("%q is accepted for a connection", name)
			}
		}
	})
}

// TestT_A16_TryingSomethingOutAsksForItsOwner has strangers try out the webhook of an
// organization: nothing is sent.
func TestT_A16_TryingSomethingOutAsksForItsOwner(t *testing.T) {
	onEngines(t, Config{OutboundAllow: oneself}, func(t *testing.T, at *site) {
		var asked atomic.Int32
		receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			if b, _ := io.ReadAll(r.Body); strings.Contains(string(b), "webhook.test") { // it also hears what happens
				asked.Add(1)
			}
		}))
		t.Cleanup(receiver.Close)
		root := at.root(t, "native", at.here)
		org := root.spell(id.Organization, at.here.ids[id.Organization])
		hook := root.ok(t, "POST", "/guildhall/v1/webhooks", object("organization", org, "url", receiver.URL)).text("id")
		path := "/guildhall/v1/webhooks/" + hook + "/test"
		unknown := "/guildhall/v1/webhooks/" + root.spell(id.Webhook, at.here.unknown(id.Webhook, 1)) + "/test"
		for who, c := range map[string]caller{
			"nobody": at.nobody("native"), "another organization": at.confined(t, "native", at.here, at.here.other), "another realm": at.root(t, "native", at.there),
			"one without the right": at.bare(t, "native", at.here),
		} {
			got, want := c.send("POST", path, ""), c.send("POST", unknown, "")
			if got.Code < 400 || told(got) != told(want) {
				t.Errorf("%s: %s, and of what never was: %s", who, told(got), told(want))
			}
		}
		if w := root.send("POST", path, ""); w.Code >= 300 {
			t.Errorf("its owner: %s", told(w))
		}
		for end := time.Now().Add(time.Minute); asked.Load() == 0 && time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		}
		if n := asked.Load(); n != 1 { // what others had asked for would have gone out before
			t.Errorf("%d requests were sent", n)
		}
	})
}

// TestT_B01_AConnectionIsBoundToAnOrganizationByWhoMayWriteThere has somebody who may
// write connections in one organization, and nothing else, bind them to others.
func TestT_B01_AConnectionIsBoundToAnOrganizationByWhoMayWriteThere(t *testing.T) {
	onEngines(t, Config{}, func(t *testing.T, at *site) {
		key := at.testKey(t, at.here, credential.Key{Scheme: "native", Organization: at.here.other, Name: "k", Claims: []string{"connection:write", "connection:read"}}, "gh_")
		c := caller{at, at.tables["native"], at.here, bearer(key), ""}
		own, foreign := c.spell(id.Organization, at.here.other), c.spell(id.Organization, at.here.ids[id.Organization])
		body := func(o, name string) string {
			m := []any{"name", name, "provider", "google", "client_id", "c", "client_secret", "s"}
			if o != "" {
				m = append(m, "organization", o)
			}
			return object(m...)
		}
		made := c.ok(t, "POST", "/guildhall/v1/connections", body(own, "mine")).text("id")
		for what, o := range map[string]string{"another organization": foreign, "the realm": "", "one that never was": c.spell(id.Organization, at.here.unknown(id.Organization, 1))} {
			w := c.send("POST", "/guildhall/v1/connections", body(o, "theirs"))
			if w.Code != http.StatusNotFound && w.Code != http.StatusForbidden {
				t.Errorf("bound to %s: %s", what, told(w))
			}
		}
		c.send("PATCH", "/guildhall/v1/connections/"+made, object("organization", foreign))
		root := at.root(t, "native", at.here)
		if got := root.ok(t, "GET", "/guildhall/v1/connections/"+made, "").text("organization"); got != own {
			t.Errorf("it was moved to %s", got)
		}
		theirs := root.ok(t, "POST", "/guildhall/v1/connections", body(foreign, "theirs")).text("id")
		for _, method := range []string{"GET", "PATCH", "DELETE"} {
			text := ""
			if method == "PATCH" {
				text = object("display_name", "stolen")
			}
			c.refused(t, method, "/guildhall/v1/connections/"+theirs, text, http.StatusNotFound)
		}
		list := c.send("GET", "/guildhall/v1/connections", "")
		if list.Code != 200 || strings.Contains(list.Body.String(), theirs) {
			t.Errorf("the list: %s", told(list))
		}
	})
}
