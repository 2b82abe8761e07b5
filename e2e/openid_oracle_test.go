package e2e

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/zitadel/oidc/v3/example/server/exampleop"
	"github.com/zitadel/oidc/v3/example/server/storage"
	"golang.org/x/oauth2"
)

// An oracle is a provider that is asked the same as others: ours, and those of zitadel/oidc, whose Provider and LegacyServer
// differ.
type oracle struct {
	t        *testing.T
	client   *http.Client
	metadata fields
	app      application
	sit      func() *person // a person at a new browser
}

func (o *oracle) at(endpoint string) string { return o.metadata.text(endpoint) }

func newOracle(t *testing.T, issuer string, client *http.Client, app application, sit func() *person) *oracle {
	t.Helper()
	o := &oracle{t: t, client: client, app: app, sit: sit}
	o.metadata = o.do("GET", strings.TrimSuffix(issuer, "/")+"/.well-known/openid-configuration", nil, false).object(t)
	return o
}

// foreign runs zitadel/oidc's own example.
func foreign(t *testing.T, legacy bool) *oracle {
	t.Helper()
	server := httptest.NewUnstartedServer(nil)
	issuer := "http://" + server.Listener.Addr().String()
	app := application{Client: "shop-" + unique("oracle"), Secret: "a secret"}
	storage.RegisterClients(storage.WebClient(app.Client, app.Secret, appReturn))
	server.Config.Handler = exampleop.SetupServer(issuer, storage.NewStorage(storage.NewUserStore(issuer)), slog.New(slog.DiscardHandler), legacy)
	server.Start()
	t.Cleanup(server.Close)
	sit := func() *person {
		jar, err := cookiejar.New(nil)
		must(t, err)
		return &person{t: t, client: &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}, email: "test-user2",
			choices: map[string][2]string{}}
	}
	return newOracle(t, issuer, sit().client, app, sit)
}

// do sends a request, with the application's secret if it is to.
func (o *oracle) do(method, target string, form url.Values, proved bool, headers ...string) answer {
	o.t.Helper()
	header := http.Header{}
	if form != nil {
		header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if proved {
		r := http.Request{Header: header}
		r.SetBasicAuth(o.app.Client, url.QueryEscape(o.app.Secret))
	}
	for i := 0; i+1 < len(headers); i += 2 {
		header.Set(headers[i], headers[i+1])
	}
	var body any
	if form != nil {
		body = form.Encode()
	}
	return caller{o.t, o.client, "", header}.do(method, target, body)
}

func (o *oracle) request(verifier string, changes ...string) string {
	q := url.Values{
		"client_id": {o.app.Client}, "redirect_uri": {appReturn}, "response_type": {"code"}, "scope": {"openid profile email offline_access"},
		"state": {"a state"}, "nonce": {"a nonce"}, "code_challenge": {oauth2.S256ChallengeFromVerifier(verifier)}, "code_challenge_method": {"S256"},
	}
	for i := 0; i+1 < len(changes); i += 2 {
		q.Del(changes[i])
		if changes[i+1] != "" {
			q.Set(changes[i], changes[i+1])
		}
	}
	return o.at("authorization_endpoint") + "?" + q.Encode()
}

// ask sends a request for authorization from a browser where nobody is signed in, and tells where that leads.
func (o *oracle) ask(changes ...string) string {
	a := caller{o.t, o.sit().client, "", http.Header{}}.do("GET", o.request(oauth2.GenerateVerifier(), changes...), nil)
	to, err := url.Parse(a.header.Get("Location"))
	must(o.t, err)
	switch {
	case to.Host == "" && to.Path == "":
		return fmt.Sprint(a.status)
	case to.Scheme+"://"+to.Host+to.Path == appReturn:
		return "told " + to.Query().Get("error")
	}
	return "asked to sign in"
}

// redeem gets a code and exchanges it, with parameters changed.
func (o *oracle) redeem(changes ...string) answer {
	verifier := oauth2.GenerateVerifier()
	_, got := o.sit().visit(o.request(verifier))
	form := url.Values{"grant_type": {"authorization_code"}, "code": {got.Get("code")}, "redirect_uri": {appReturn}, "code_verifier": {verifier}}
	for i := 0; i+1 < len(changes); i += 2 {
		form.Del(changes[i])
		if changes[i+1] != "" {
			form.Set(changes[i], changes[i+1])
		}
	}
	return o.do("POST", o.at("token_endpoint"), form, true)
}

// said is the status of an answer and the error in it.
func said(a answer) string {
	var body struct {
		Error  string `json:"error"`
		Active *bool  `json:"active"`
	}
	_ = json.Unmarshal(a.body, &body) // a page has neither
	text := fmt.Sprint(a.status)
	if body.Error != "" {
		text += " " + body.Error
	}
	if body.Active != nil {
		text += fmt.Sprint(" active ", *body.Active)
	}
	return text
}

// questions are asked of each provider.
var questions = map[string]func(o *oracle) string{
	"a code":                           func(o *oracle) string { return said(o.redeem()) },
	"a code with the wrong verifier":   func(o *oracle) string { return said(o.redeem("code_verifier", oauth2.GenerateVerifier())) },
	"a code without the verifier":      func(o *oracle) string { return said(o.redeem("code_verifier", "")) },
	"a code for another address":       func(o *oracle) string { return said(o.redeem("redirect_uri", appReturn+"/other")) },
	"a code that never was":            func(o *oracle) string { return said(o.redeem("code", random())) },
	"no code":                          func(o *oracle) string { return said(o.redeem("code", "")) },
	"an unknown grant":                 func(o *oracle) string { return said(o.redeem("grant_type", "x")) },
	"no grant":                         func(o *oracle) string { return said(o.redeem("grant_type", "")) },
	"a code twice":                     func(o *oracle) string { return o.twice() },
	"a refresh token":                  func(o *oracle) string { return said(o.refresh(o.tokens().text("refresh_token"), true)) },
	"a refresh token that never was":   func(o *oracle) string { return said(o.refresh(random(), true)) },
	"a refresh token without a secret": func(o *oracle) string { return said(o.refresh(o.tokens().text("refresh_token"), false)) },
	"a wrong secret": func(o *oracle) string {
		wrong := *o
		wrong.app.Secret = "wrong"
		return said(wrong.refresh(random(), true))
	},
	"a secret in the address": func(o *oracle) string {
		tokens := o.tokens()
		return said(o.do("GET", o.at("token_endpoint")+"?"+url.Values{
			"grant_type": {"refresh_token"}, "refresh_token": {tokens.text("refresh_token")}, "client_id": {o.app.Client}, "client_secret": {o.app.Secret},
		}.Encode(), nil, false))
	},
	"userinfo": func(o *oracle) string {
		return said(o.do("GET", o.at("userinfo_endpoint"), nil, false, "Authorization", "Bearer "+o.tokens().text("access_token")))
	},
	"userinfo without a token": func(o *oracle) string { return said(o.do("GET", o.at("userinfo_endpoint"), nil, false)) },
	"userinfo with nonsense": func(o *oracle) string {
		return said(o.do("GET", o.at("userinfo_endpoint"), nil, false, "Authorization", "Bearer x"))
	},
	"introspection":                  func(o *oracle) string { return o.about(o.tokens().text("access_token"), true) },
	"introspection of nonsense":      func(o *oracle) string { return o.about("x", true) },
	"introspection without a secret": func(o *oracle) string { return o.about("x", false) },
	"introspection after revocation": func(o *oracle) string { return o.revoked() },
	"revocation of nonsense": func(o *oracle) string {
		return said(o.do("POST", o.at("revocation_endpoint"), url.Values{"token": {"x"}}, true))
	},
	"a request":                       func(o *oracle) string { return o.ask() },
	"a request without a state":       func(o *oracle) string { return o.ask("state", "") },
	"a request of nobody":             func(o *oracle) string { return o.ask("client_id", "nobody") },
	"a request for another address":   func(o *oracle) string { return o.ask("redirect_uri", appReturn+"/other") },
	"a request for a decoded address": func(o *oracle) string { return o.ask("redirect_uri", "https://app.example.com/c%62") },
	"a request without a type":        func(o *oracle) string { return o.ask("response_type", "") },
	"a request for an unknown type":   func(o *oracle) string { return o.ask("response_type", "x") },
	"a request for nobody's asking":   func(o *oracle) string { return o.ask("prompt", "none") },
	"a prompt that contradicts":       func(o *oracle) string { return o.ask("prompt", "none login") },
	"a hint that is no token":         func(o *oracle) string { return o.ask("id_token_hint", "x") },
	"a challenge that is plain":       func(o *oracle) string { return o.ask("code_challenge_method", "plain") },
	"what may not be stored": func(o *oracle) string {
		return o.redeem().header.Get("Cache-Control")
	},
	"who answers": func(o *oracle) string {
		_, got := o.sit().visit(o.request(oauth2.GenerateVerifier()))
		return fmt.Sprint(got.Get("iss") == o.metadata.text("issuer"))
	},
	"claims of an ID token": func(o *oracle) string {
		return strings.Join(slices.Sorted(maps.Keys(claimsOf(o.t, o.tokens().text("id_token")))), " ")
	},
}

func (o *oracle) tokens() fields { return o.redeem().want(o.t, 200).object(o.t) }

func (o *oracle) refresh(token string, proved bool) answer {
	return o.do("POST", o.at("token_endpoint"), url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}}, proved)
}

func (o *oracle) about(token string, proved bool) string {
	return said(o.do("POST", o.at("introspection_endpoint"), url.Values{"token": {token}}, proved))
}

func (o *oracle) revoked() string {
	token := o.tokens().text("access_token")
	o.do("POST", o.at("revocation_endpoint"), url.Values{"token": {token}}, true).want(o.t, 200)
	return o.about(token, true)
}

func (o *oracle) twice() string {
	verifier := oauth2.GenerateVerifier()
	_, got := o.sit().visit(o.request(verifier))
	form := url.Values{"grant_type": {"authorization_code"}, "code": {got.Get("code")}, "redirect_uri": {appReturn}, "code_verifier": {verifier}}
	o.do("POST", o.at("token_endpoint"), form, true).want(o.t, 200)
	return said(o.do("POST", o.at("token_endpoint"), form, true))
}

func claimsOf(t *testing.T, token string) fields {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("no JWT: %q", token)
	}
	raw, err := decoded(parts[1])
	must(t, err)
	claims := fields{}
	must(t, json.Unmarshal(raw, &claims))
	return claims
}

// TestTheProviderAnswersAsAnotherOne asks ours and zitadel/oidc the same. Where the answers differ, the difference is known:
// `differs` has theirs, ours is what the standards ask for.
func TestTheProviderAnswersAsAnotherOne(t *testing.T) {
	s := engines[0]
	who := newPerson(t, s)
	ours := newOracle(t, s.issuers()["without a slash"], newBrowser(t, s), register(t, s, nil), func() *person {
		return &person{t: t, s: s, client: newBrowser(t, s), email: who.email, choices: map[string][2]string{}}
	})
	for name, other := range map[string]*oracle{"Provider": foreign(t, false), "LegacyServer": foreign(t, true)} {
		t.Run(name, func(t *testing.T) {
			for question, put := range questions {
				want, known := differs[question][name]
				got, mine := put(other), put(ours)
				switch {
				case !known && got != mine:
					t.Errorf("%s: they say %q, we say %q", question, got, mine)
				case known && got != want:
					t.Errorf("%s: they say %q, it is known that they say %q", question, got, want)
				case known && got == mine:
					t.Errorf("%s: both say %q, which is no difference", question, got)
				}
			}
		})
	}
}

// differs are the answers of zitadel/oidc v3.49.2 that are not ours. Numbers are those of TestDefectsOfOthers.
var differs = map[string]map[string]string{
	"a code without the verifier":      {"Provider": "400 invalid_request", "LegacyServer": "200"},              // 1
	"what may not be stored":           {"Provider": "", "LegacyServer": ""},                                    // 2
	"who answers":                      {"Provider": "false", "LegacyServer": "false"},                          // 2
	"a secret in the address":          {"Provider": "200", "LegacyServer": "200"},                              // 3
	"a request for a decoded address":  {"Provider": "asked to sign in", "LegacyServer": "asked to sign in"},    // 4
	"a request of nobody":              {"LegacyServer": "500"},                                                 // 6
	"a wrong secret":                   {"LegacyServer": "400 invalid_client"},                                  // 6
	"claims of an ID token":            {"Provider": theirClaims, "LegacyServer": theirClaims},                  // 9
	"a challenge that is plain":        {"Provider": "asked to sign in", "LegacyServer": "asked to sign in"},    // RFC 9700 section 2.1.1: S256
	"a hint that is no token":          {"Provider": "told login_required", "LegacyServer": "400"},              // OpenID Connect Core 1.0 section 3.1.2.6
	"a request for an unknown type":    {"Provider": "told unauthorized_client", "LegacyServer": "400"},         // RFC 6749 section 4.1.2.1
	"a request without a type":         {"LegacyServer": "400"},                                                 // the same
	"a prompt that contradicts":        {"LegacyServer": "400"},                                                 // OpenID Connect Core 1.0 section 3.1.2.6
	"a refresh token without a secret": {"Provider": "500 server_error", "LegacyServer": "400 invalid_request"}, // RFC 6749 section 5.2
	"introspection without a secret":   {"Provider": "401", "LegacyServer": "400 invalid_request"},              // RFC 7662 section 2.3
	"userinfo with nonsense":           {"Provider": "401", "LegacyServer": "401 access_denied"},                // RFC 6750 section 3.1
	"userinfo without a token":         {"LegacyServer": "401 invalid_request"},                                 // the same: no error is named
}

// theirClaims are those of the example, whose client asserts nothing about the person, and registered ones beyond what is asked for.
const theirClaims = "amr at_hash aud auth_time azp c_hash client_id exp iat iss nonce sub"
