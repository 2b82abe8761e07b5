package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"sync"
)

// A client is an application of the OpenID provider.
type client struct {
	ID     string `json:"client_id"`
	Secret string `json:"client_secret"`
}

// An identity is people who sign in, and the applications that they sign in to.
type identity struct {
	*server
	organization string
	session      string // a bearer secret
	browser      *http.Client
}

const (
	benchPassword = "correct horse battery staple"
	benchReturn   = "http://127.0.0.1:9/back" // where nobody listens: codes are read from the redirect
)

func benchAddress(n int64) string { return fmt.Sprintf("ada%d@bench.example", n%people) }

// identity makes somebody with a password in an organization, and signs in.
func (s *server) identity() (p *identity, err error) {
	p = &identity{server: s}
	var made struct{ ID string }
	if err := s.ask(s.native("POST", "/organizations", map[string]any{"name": "Bench identity"}), &made); err != nil {
		return nil, err
	}
	p.organization = made.ID
	for n := range int64(people) {
		person := map[string]any{"email": benchAddress(n), "given_name": "Ada", "family_name": "Bench", "password": benchPassword}
		if err := s.ask(s.native("POST", "/users", person), &made); err != nil {
			return nil, err
		}
		if _, err := s.good(s.native("POST", "/organizations/"+p.organization+"/members", map[string]any{"user": made.ID})); err != nil {
			return nil, err
		}
	}
	last, err := s.perform(p.signIn(0))
	if err != nil {
		return nil, err
	}
	var done struct{ Secret string }
	if err := json.Unmarshal(last.Body, &done); err != nil {
		return nil, err
	}
	p.session = done.Secret
	return p, p.open()
}

// people is how many sign in with a password: the server slows down who guesses at
// one account several times at once.
const people = 16

// signIn is signing in with a password, as three requests.
func (p *identity) signIn(n int64) request {
	post := func(path string, body map[string]any) request {
		r := jsonRequest("POST", "/guildhall/v1/sign-in"+path, "", body)
		delete(r.header, "Authorization")
		return r
	}
	begin := post("", map[string]any{"identifier": benchAddress(n), "organization": p.organization})
	begin.then = func(a answer) (*request, error) {
		var flow struct{ Handle string }
		if err := json.Unmarshal(a.Body, &flow); err != nil {
			return nil, err
		}
		prove := post("/continue", map[string]any{"handle": flow.Handle, "action": "password", "value": benchPassword})
		prove.then = func(answer) (*request, error) {
			finish := post("/finish", map[string]any{"handle": flow.Handle, "device": "bench"})
			return &finish, nil
		}
		return &prove, nil
	}
	return begin
}

// open signs in with a browser, for the requests of applications.
func (p *identity) open() error {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return err
	}
	p.browser = &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	for _, step := range []struct{ path, field, value string }{
		{"/sign-in?organization=" + url.QueryEscape(p.organization), "", ""},
		{"/sign-in/identify", "identifier", benchAddress(0)}, {"/sign-in/password", "password", benchPassword},
	} {
		if _, err := p.visit(step.path, step.field, step.value); err != nil {
			return fmt.Errorf("%s: %w", step.path, err)
		}
	}
	return nil
}

// visit sends what a browser would, and gives where it leads.
func (p *identity) visit(path, field, value string) (string, error) {
	var in *http.Response
	var err error
	if field == "" {
		in, err = p.browser.Get(p.origin + path)
	} else {
		in, err = p.browser.PostForm(p.origin+path, url.Values{field: {value}})
	}
	if err != nil {
		return "", err
	}
	defer in.Body.Close()
	body, err := io.ReadAll(in.Body)
	if err == nil && in.StatusCode/100 != 2 && in.StatusCode/100 != 3 {
		err = fmt.Errorf("%d %.300s", in.StatusCode, body)
	}
	return in.Header.Get("Location"), err
}

// opaque stands for the algorithm where tokens are not signed.
const opaque = "opaque"

// application registers an application that people sign in to, or one that stands
// for itself.
func (p *identity) application(kind, algorithm string) (c client, err error) {
	in := map[string]any{"kind": kind, "algorithm": algorithm}
	if algorithm == opaque {
		in = map[string]any{"kind": kind, "opaque": true}
	}
	if kind == "web" {
		in["redirect_uris"] = []string{benchReturn}
	}
	body := map[string]any{"name": "Bench " + kind + " " + algorithm, "sign_in": in}
	if kind == "machine" {
		body["scopes"], body["audiences"] = []string{"read:things"}, []string{"https://api.bench.example"}
	}
	return c, p.ask(p.native("POST", "/applications", body), &c)
}

// post is a request to an endpoint of the provider.
func (c client) post(path string, form url.Values) request {
	form.Set("client_id", c.ID)
	form.Set("client_secret", c.Secret)
	return request{method: http.MethodPost, path: path, body: []byte(form.Encode()), header: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}}
}

// itself asks for a token by client credentials.
func (c client) itself() request {
	return c.post("/oauth/v2/token", url.Values{"grant_type": {"client_credentials"}})
}

// tokens is what a token endpoint answers.
type tokens struct {
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
}

// grant has the person sign in to an application once more, and gives its tokens.
func (p *identity) grant(c client) (t tokens, err error) {
	back, err := p.visit("/oauth/v2/authorize?"+url.Values{
		"response_type": {"code"}, "client_id": {c.ID}, "redirect_uri": {benchReturn}, "scope": {"offline_access"}, "organization": {p.organization},
	}.Encode(), "", "")
	for n := 0; err == nil && !strings.HasPrefix(back, benchReturn) && n < 5; n++ {
		back, err = p.visit(strings.TrimPrefix(back, p.origin), "", "")
	}
	if err != nil {
		return t, err
	}
	at, err := url.Parse(back)
	if err != nil || at.Query().Get("code") == "" {
		return t, fmt.Errorf("no code in %q", back)
	}
	form := url.Values{"grant_type": {"authorization_code"}, "code": {at.Query().Get("code")}, "redirect_uri": {benchReturn}}
	if err := p.ask(c.post("/oauth/v2/token", form), &t); err != nil {
		return t, err
	}
	if t.Refresh == "" {
		err = errors.New("a grant without a refresh token")
	}
	return t, err
}

// A family is refresh tokens of many grants. Each is used for one request at a
// time, which leaves the one to use next.
type family struct {
	of     client
	unused chan string
}

// families is how many grants there are for each application: one for each
// connection, with some to spare.
const families = many + some

// atOnce is how many grants are made at once.
const atOnce = 8

// refreshing gives requests that refresh tokens, from grants made for it.
func (p *identity) refreshing(algorithm string) (func(int64) request, error) {
	c, err := p.application("web", algorithm)
	if err != nil {
		return nil, err
	}
	f := &family{of: c, unused: make(chan string, families)}
	var mu sync.Mutex
	var wait sync.WaitGroup
	for range atOnce {
		wait.Go(func() {
			for range families / atOnce {
				t, failed := p.grant(c)
				if failed != nil {
					mu.Lock()
					defer mu.Unlock()
					err = failed
					return
				}
				f.unused <- t.Refresh
			}
		})
	}
	wait.Wait()
	return f.next, err
}

func (f *family) next(int64) request {
	r := f.of.post("/oauth/v2/token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {<-f.unused}})
	r.then = func(a answer) (*request, error) {
		var t tokens
		if err := json.Unmarshal(a.Body, &t); err != nil {
			return nil, err
		}
		f.unused <- t.Refresh
		return nil, nil
	}
	return r
}

// introspection asks, as the application that got it, what a token is worth.
func (p *identity) introspection(kind, algorithm string) (request, error) {
	c, err := p.application(kind, algorithm)
	if err != nil {
		return request{}, err
	}
	var t tokens
	if kind == "web" {
		t, err = p.grant(c)
	} else {
		err = p.ask(c.itself(), &t)
	}
	return c.post("/oauth/v2/introspect", url.Values{"token": {t.Access}}), err
}
