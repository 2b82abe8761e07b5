package openid

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"guildhall/internal/edge"
	"guildhall/internal/fault"
	"guildhall/internal/oidc"
)

// A request is what came to an endpoint that clients call, read once.
type request struct {
	form  url.Values
	at    oidc.Issuer
	proof oidc.Proof
}

// several are the parameters that may be given more than once (RFC 8707 section 2).
var several = map[string]bool{"resource": true, "audience": true}

// client reads a request from its body alone: what is in a URL ends up in logs.
func (a *API) client(c edge.Call) (r request, err error) {
	if r.at, err = a.clientIssuer(c.Request, isBelow(c.Request.URL.Path)); err != nil {
		return r, err
	}
	if r.form, err = c.Form(); err != nil {
		return r, err
	}
	r.proof, err = ProofOf(c.Request, r.form)
	return r, err
}

// ProofOf reads how a client proves itself, and refuses two ways at once and parameters
// that are given twice (RFC 6749 sections 2.3 and 3.2).
func ProofOf(r *http.Request, form url.Values) (p oidc.Proof, err error) {
	for name, values := range form {
		if len(values) > 1 && !several[name] {
			return p, oidc.ErrRequest.Saying("a parameter is given more than once")
		}
	}
	p = oidc.Proof{
		ClientID: form.Get("client_id"), Secret: form.Get("client_secret"),
		AssertionType: form.Get("client_assertion_type"), Assertion: form.Get("client_assertion"),
	}
	if len(r.Header.Values("Authorization")) == 0 {
		return p, nil
	}
	name, secret, ok := r.BasicAuth()
	if !ok || len(r.Header.Values("Authorization")) != 1 {
		return p, oidc.ErrClient
	}
	name, secret = plain(name), plain(secret)
	if p.Secret != "" || p.Assertion != "" || p.ClientID != "" && p.ClientID != name {
		return p, oidc.ErrRequest.Saying("the client must authenticate in one way only")
	}
	p.Basic, p.ClientID, p.Secret = true, name, secret
	return p, nil
}

// plain undoes the encoding that RFC 6749 section 2.3.1 asks of clients; those that do
// not know of it send what then decodes to itself.
func plain(s string) string {
	if decoded, err := url.QueryUnescape(s); err == nil {
		return decoded
	}
	return s
}

// TokenRequestOf reads a request to a token endpoint.
func TokenRequestOf(proof oidc.Proof, form url.Values) oidc.TokenRequest {
	return oidc.TokenRequest{
		Grant: form.Get("grant_type"), Proof: proof, Code: form.Get("code"), RedirectURI: form.Get("redirect_uri"), Verifier: form.Get("code_verifier"),
		Refresh: form.Get("refresh_token"), DeviceCode: form.Get("device_code"), Assertion: form.Get("assertion"), Scope: form.Get("scope"),
		Audiences: audiences(form), Organization: form.Get("organization"),
	}
}

func audiences(form url.Values) (list []string) {
	for _, a := range append(append([]string{}, form["audience"]...), form["resource"]...) {
		if a != "" {
			list = append(list, a)
		}
	}
	return list
}

type tokens struct {
	Access  string `json:"access_token"`
	Type    string `json:"token_type"`
	Life    int64  `json:"expires_in"`
	Scope   string `json:"scope,omitempty"`
	ID      string `json:"id_token,omitempty"`
	Refresh string `json:"refresh_token,omitempty"`
}

func (a *API) token(c edge.Call) (edge.Reply, error) {
	r, err := a.client(c)
	if err != nil {
		return edge.Reply{}, err
	}
	t, err := a.Provider.Token(c.Context(), r.at, TokenRequestOf(r.proof, r.form))
	if err != nil {
		return edge.Reply{}, err
	}
	return a.secret(c, edge.OK(tokens{t.Access, "Bearer", int64(t.Life / time.Second), strings.Join(t.Scopes, " "), t.ID, t.Refresh})), nil
}

// secret marks an answer that nobody may keep (RFC 6749 section 5.1).
func (a *API) secret(c edge.Call, reply edge.Reply) edge.Reply {
	if reply.Header == nil {
		reply.Header = http.Header{}
	}
	reply.Header.Set("Cache-Control", "no-store")
	reply.Header.Set("Pragma", "no-cache")
	return a.Readable(c, reply)
}

func (a *API) introspect(c edge.Call) (edge.Reply, error) {
	r, err := a.client(c)
	if err != nil {
		return edge.Reply{}, err
	}
	said, err := a.Provider.Introspect(c.Context(), r.at, r.proof, r.form.Get("token"))
	if err != nil {
		return edge.Reply{}, err
	}
	return a.secret(c, edge.OK(said)), nil
}

func (a *API) revoke(c edge.Call) (edge.Reply, error) {
	r, err := a.client(c)
	if err != nil {
		return edge.Reply{}, err
	}
	if err := a.Provider.Revoke(c.Context(), r.at, r.proof, r.form.Get("token")); err != nil {
		return edge.Reply{}, err
	}
	return a.secret(c, edge.Reply{Status: http.StatusOK}), nil
}

type deviceAnswer struct {
	DeviceCode string `json:"device_code"`
	UserCode   string `json:"user_code"`
	Verify     string `json:"verification_uri"`
	Complete   string `json:"verification_uri_complete"`
	Life       int64  `json:"expires_in"`
	Interval   int64  `json:"interval"`
}

// devicePath is the page where codes are typed in.
const devicePath = "/device"

func (a *API) device(c edge.Call) (edge.Reply, error) {
	r, err := a.client(c)
	if err != nil {
		return edge.Reply{}, err
	}
	d, err := a.Provider.AuthorizeDevice(c.Context(), r.at, oidc.DeviceRequest{
		Proof: r.proof, Scope: r.form.Get("scope"), Audiences: audiences(r.form), Organization: r.form.Get("organization"),
	})
	if err != nil {
		return edge.Reply{}, err
	}
	page := r.at.Origin + devicePath
	return a.secret(c, edge.OK(deviceAnswer{
		d.DeviceCode, d.UserCode, page, page + "?user_code=" + url.QueryEscape(d.UserCode), int64(d.Life / time.Second), int64(d.Interval / time.Second),
	})), nil
}

type pushed struct {
	URI  string `json:"request_uri"`
	Life int64  `json:"expires_in"`
}

func (a *API) push(c edge.Call) (edge.Reply, error) {
	r, err := a.client(c)
	if err != nil {
		return edge.Reply{}, err
	}
	for _, name := range []string{"client_secret", "client_assertion", "client_assertion_type"} {
		r.form.Del(name)
	}
	uri, life, err := a.Provider.Push(c.Context(), r.at, r.proof, r.form)
	if err != nil {
		return edge.Reply{}, err
	}
	return a.secret(c, edge.Created(pushed{uri, int64(life / time.Second)})), nil
}

// userinfo takes the token from the header, or from the body of a form (RFC 6750
// section 2), never from the URL.
func (a *API) userinfo(c edge.Call) (edge.Reply, error) {
	at, err := a.at(c)
	if err != nil {
		return edge.Reply{}, err
	}
	raw, ok := edge.Bearer(c.Request)
	if !ok && len(c.Request.Header.Values("Authorization")) == 0 && c.Request.Method == http.MethodPost &&
		strings.HasPrefix(c.Header("Content-Type"), "application/x-www-form-urlencoded") {
		form, err := c.Form()
		if err != nil {
			return edge.Reply{}, err
		}
		raw = form.Get("access_token")
	}
	if raw == "" {
		return edge.Reply{}, errNoToken
	}
	said, err := a.Provider.UserInfo(c.Context(), at, raw)
	if err != nil {
		return edge.Reply{}, err
	}
	return a.secret(c, edge.OK(said)), nil
}

// errNoToken is a request without any token.
var errNoToken = fault.New(fault.Unauthenticated, "no_token", "", "the request carries no access token")
