package openid

import (
	"bytes"
	"context"
	"html/template"
	"net/http"
	"net/url"
	"strings"
	"time"

	"guildhall/internal/edge"
	"guildhall/internal/id"
	"guildhall/internal/oidc"
	"guildhall/internal/session"
)

// The pages that a browser is sent to.
const (
	signInPath  = "/sign-in"
	signOutPath = "/sign-out"
	scriptPath  = "/oidc/continue.js"
)

// browserForm reads the parameters of a request that a browser brings, from the URL or
// from a form (OpenID Connect Core 1.0 section 3.1.2.1).
func browserForm(c edge.Call) (url.Values, error) {
	if c.Request.Method != http.MethodPost {
		return c.Query(), nil
	}
	return c.Form()
}

func (a *API) authorize(c edge.Call) (edge.Reply, error) {
	at, err := a.at(c)
	if err != nil {
		return edge.Reply{}, err
	}
	q, err := browserForm(c)
	if err != nil {
		return edge.Reply{}, err
	}
	out, err := a.Provider.Begin(c.Context(), at, q, cookie(c.Request, at.Origin))
	return went(out, err)
}

func (a *API) resume(c edge.Call) (edge.Reply, error) {
	at, err := a.at(c)
	if err != nil {
		return edge.Reply{}, err
	}
	out, err := a.Provider.Resume(c.Context(), at, c.Query().Get("request"), cookie(c.Request, at.Origin))
	return went(out, err)
}

func went(out oidc.Outcome, err error) (edge.Reply, error) {
	switch {
	case err != nil:
		return edge.Reply{}, err
	case out.Response == nil:
		return redirect(signInPath + "?request=" + url.QueryEscape(out.Handle)), nil
	}
	return answered(*out.Response)
}

// redirect sends a browser on, and lets it tell nobody where it came from.
func redirect(to string) edge.Reply {
	return edge.Reply{Status: http.StatusSeeOther, Header: http.Header{
		"Location": {to}, "Cache-Control": {"no-store"}, "Referrer-Policy": {"no-referrer"}, "Content-Security-Policy": {"default-src 'none'; frame-ancestors 'none'"},
	}}
}

// answered takes a response to the application.
func answered(r oidc.Response) (edge.Reply, error) {
	values := make([]string, len(r.Params))
	for i, p := range r.Params {
		values[i] = url.QueryEscape(p.Name) + "=" + url.QueryEscape(p.Value)
	}
	encoded := strings.Join(values, "&")
	switch r.Mode {
	case "fragment":
		return redirect(r.RedirectURI + "#" + encoded), nil
	case "form_post":
		return formPost(r)
	}
	sep := "?"
	if strings.Contains(r.RedirectURI, "?") {
		sep = "&"
	}
	return redirect(r.RedirectURI + sep + encoded), nil
}

var pages = template.Must(template.New("").Parse(`
{{define "head"}}<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>{{.Title}}</title>{{end}}
{{define "post"}}{{template "head" .}}</head><body><main><form method="post" action="{{.Action}}">
{{range .Params}}<input type="hidden" name="{{.Name}}" value="{{.Value}}">
{{end}}<h1>{{.Title}}</h1><p>You are being sent back to the application.</p><button type="submit">Continue</button></form></main><script src="{{.Script}}"></script></body></html>{{end}}
{{define "failure"}}{{template "head" .}}</head><body><main><h1>{{.Title}}</h1><p>{{.Text}}</p></main></body></html>{{end}}
`))

// formPost is a page that sends itself to the application (OAuth 2.0 Form Post Response
// Mode 1.0). Without scripts a button does it.
func formPost(r oidc.Response) (edge.Reply, error) {
	u, err := url.Parse(r.RedirectURI)
	if err != nil {
		return edge.Reply{}, oidc.ErrRedirect
	}
	var b bytes.Buffer
	err = pages.ExecuteTemplate(&b, "post", struct {
		Title, Script string
		Action        template.URL // checked by credential.Returns
		Params        []oidc.Param
	}{"Signed in", scriptPath, template.URL(r.RedirectURI), r.Params})
	return page(b.Bytes(), "script-src 'self'; form-action "+u.Scheme+"://"+u.Host), err
}

func page(body []byte, policy string) edge.Reply {
	return edge.Reply{Status: http.StatusOK, Raw: body, Type: "text/html; charset=utf-8", Header: http.Header{
		"Cache-Control": {"no-store"}, "Referrer-Policy": {"no-referrer"}, "X-Frame-Options": {"DENY"},
		"Content-Security-Policy": {"default-src 'none'; base-uri 'none'; frame-ancestors 'none'; " + policy},
	}}
}

// script submits the one form of the page.
func (a *API) script(edge.Call) (edge.Reply, error) {
	return edge.Reply{Status: http.StatusOK, Raw: []byte("document.forms[0].submit();\n"), Type: "text/javascript; charset=utf-8",
		Header: http.Header{"Cache-Control": {"public, max-age=3600"}}}, nil
}

// failurePage tells a person that the request leads nowhere. It repeats nothing of it.
func failurePage(reply edge.Reply, text string) edge.Reply {
	var b bytes.Buffer
	if err := pages.ExecuteTemplate(&b, "failure", struct{ Title, Text string }{"This did not work", text}); err != nil {
		return reply
	}
	shown := page(b.Bytes(), "form-action 'none'")
	shown.Status = reply.Status
	for k, v := range reply.Header {
		shown.Header[k] = v
	}
	return shown
}

// logout ends the browser's session, at once when the application proves whose it is,
// and after asking the person else.
func (a *API) logout(c edge.Call) (edge.Reply, error) {
	at, err := a.at(c)
	if err != nil {
		return edge.Reply{}, err
	}
	q, err := browserForm(c)
	if err != nil {
		return edge.Reply{}, err
	}
	asked := oidc.SignOutRequest{
		Hint: q.Get("id_token_hint"), ClientID: q.Get("client_id"), Return: q.Get("post_logout_redirect_uri"), State: q.Get("state"),
		Cookie: cookie(c.Request, at.Origin),
	}
	out, err := a.Provider.SignOut(c.Context(), at, asked)
	switch {
	case err != nil:
		return edge.Reply{}, err
	case out.Confirm:
		on := url.Values{}
		for _, name := range []string{"client_id", "post_logout_redirect_uri", "state"} {
			if v := q.Get(name); v != "" {
				on.Set(name, v)
			}
		}
		return redirect(signOutPath + "?" + on.Encode()), nil
	}
	to := signOutPath + "?done=1"
	if out.Return != "" {
		to = out.Return
	}
	reply := redirect(to)
	reply.Header["Set-Cookie"] = []string{(&http.Cookie{
		Name: session.CookieName(at.Origin), Path: "/", MaxAge: -1, HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: strings.HasPrefix(at.Origin, "https:"),
	}).String()}
	return reply, nil
}

type originKey struct {
	realm  id.ID
	origin string
}

type originVerdict struct {
	known bool
	until time.Time
}

// Verdicts on origins are kept for a little while, and not many of them.
const (
	originLife = 10 * time.Second
	maxOrigins = 2000
)

// knows reports whether scripts of an origin may read answers: an application of the
// realm has registered it.
func (a *API) knows(ctx context.Context, realm id.ID, origin string) bool {
	if origin == "" || origin == "null" || len(origin) > 300 {
		return false
	}
	key := originKey{realm, origin}
	a.mu.Lock()
	v, ok := a.origins[key]
	a.mu.Unlock()
	if ok && a.Now().Before(v.until) {
		return v.known
	}
	known, err := a.Provider.OriginKnown(ctx, realm, origin)
	if err != nil {
		return false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.origins == nil || len(a.origins) > maxOrigins {
		a.origins = map[originKey]originVerdict{}
	}
	a.origins[key] = originVerdict{known, a.Now().Add(originLife)}
	return known
}

// Readable lets scripts of registered origins read an answer. Cookies are never asked
// for with it: nothing here that scripts call knows any.
func (a *API) Readable(c edge.Call, reply edge.Reply) edge.Reply {
	if reply.Header == nil {
		reply.Header = http.Header{}
	}
	reply.Header.Add("Vary", "Origin")
	origin := c.Header("Origin")
	if origin == "" {
		return reply
	}
	if at, err := a.at(c); err == nil && a.knows(c.Context(), at.Realm, origin) {
		reply.Header.Set("Access-Control-Allow-Origin", origin)
		reply.Header.Set("Access-Control-Expose-Headers", "WWW-Authenticate")
	}
	return reply
}

// Preflight answers what browsers ask before scripts of another origin call.
func (a *API) Preflight(c edge.Call) (edge.Reply, error) {
	reply := a.Readable(c, edge.NoContent())
	if reply.Header.Get("Access-Control-Allow-Origin") != "" {
		reply.Header.Set("Access-Control-Allow-Methods", "GET, POST")
		reply.Header.Set("Access-Control-Allow-Headers", "Authorization, Content-Type")
		reply.Header.Set("Access-Control-Max-Age", "600")
	}
	return reply, nil
}
