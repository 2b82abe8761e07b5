package e2e

import (
	"crypto/rand"
	"encoding/base64"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"
)

const personPassword = "correct horse battery staple 9"

// A person sits at a browser without scripts: follows links, fills in the forms of the hosted pages and is sent back to the
// application, whose pages need not exist.
type person struct {
	t      *testing.T
	s      *Server
	client *http.Client
	id     string
	email  string
	// choices are what the person does on pages that ask: which button, by the action of the form.
	choices map[string][2]string
	seen    []string // the actions of the forms that were sent
}

// newPerson makes an account with a password, a member of organizations, and gives it a browser.
func newPerson(t *testing.T, s *Server, organizations ...string) *person {
	t.Helper()
	p := &person{t: t, s: s, email: email(unique("person")), choices: map[string][2]string{}}
	made := native(t, s).do("POST", nativeRoot+"/users", fields{
		"email": p.email, "email_verified": true, "name": "Ada Lovelace", "password": personPassword,
	}).want(t, 201).object(t)
	p.id = made.text("id")
	for _, o := range organizations {
		native(t, s).do("POST", nativeRoot+"/organizations/"+o+"/members", fields{"user": p.id}).want(t, 201)
	}
	p.client = newBrowser(t, s)
	return p
}

// newBrowser keeps cookies and reports redirects.
func newBrowser(t *testing.T, s *Server) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	must(t, err)
	c := s.client(t)
	c.Jar = jar
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return c
}

// A form is one of a page.
type form struct {
	action string
	fields url.Values
}

func formsOf(t *testing.T, response *http.Response) (forms []form) {
	t.Helper()
	page, err := html.Parse(response.Body)
	must(t, err)
	at := func(n *html.Node, name string) string {
		for _, a := range n.Attr {
			if a.Key == name {
				return a.Val
			}
		}
		return ""
	}
	for n := range page.Descendants() {
		switch n.Data {
		case "form":
			forms = append(forms, form{at(n, "action"), url.Values{}})
		case "input":
			if len(forms) > 0 && at(n, "name") != "" {
				forms[len(forms)-1].fields.Set(at(n, "name"), at(n, "value"))
			}
		}
	}
	return forms
}

// visit opens an address and does what the pages ask until the browser leaves the server, or shows a page that asks for
// nothing. It gives where the browser is, with what a form of the page would send there.
func (p *person) visit(address string) (to *url.URL, sent url.Values) {
	p.t.Helper()
	at, err := url.Parse(address)
	must(p.t, err)
	own := at.Host
	request, err := http.NewRequestWithContext(testContext(p.t), "GET", address, nil)
	must(p.t, err)
	for range 30 {
		response, err := p.client.Do(request)
		must(p.t, err)
		forms := formsOf(p.t, response)
		must(p.t, response.Body.Close())
		at = request.URL
		if location := response.Header.Get("Location"); location != "" {
			next, err := at.Parse(location)
			must(p.t, err)
			if next.Host != own {
				return next, next.Query()
			}
			request, err = http.NewRequestWithContext(testContext(p.t), "GET", next.String(), nil)
			must(p.t, err)
			continue
		}
		if response.StatusCode != 200 {
			return at, url.Values{"status": {response.Status}}
		}
		f, found := p.fill(forms)
		if !found {
			return at, url.Values{}
		}
		p.seen = append(p.seen, f.action)
		target, err := at.Parse(f.action)
		must(p.t, err)
		if target.Host != own {
			return target, f.fields
		}
		request, err = http.NewRequestWithContext(testContext(p.t), "POST", target.String(), strings.NewReader(f.fields.Encode()))
		must(p.t, err)
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	p.t.Fatalf("the pages go round in circles: %v", p.seen)
	return nil, nil
}

// fill fills in the form of a page that the person knows how to fill in.
func (p *person) fill(forms []form) (form, bool) {
	for _, f := range forms {
		switch f.action {
		case "/sign-in/identify":
			f.fields.Set("identifier", p.email)
		case "/sign-in/password":
			f.fields.Set("password", personPassword)
		case "/login/username": // of the provider that ours is compared with
			f.fields.Set("username", p.email)
			f.fields.Set("password", "verysecure")
		case "/language", "/sign-in/restart", "/sign-in/passkey", "/account/leave":
			continue
		default:
			choice, known := p.choices[f.action]
			if !known && !strings.HasPrefix(f.action, "http") {
				continue
			}
			if known {
				f.fields.Set(choice[0], choice[1])
			}
		}
		return f, true
	}
	return form{}, false
}

func (p *person) saw(action string) bool { return slices.Contains(p.seen, action) }

// An application of the provider, as it was registered.
type application struct {
	ID     string `json:"id"`
	Client string `json:"client_id"`
	Secret string `json:"client_secret"`
}

const (
	appReturn = "https://app.example.com/cb"
	appBye    = "https://app.example.com/bye"
)

// register makes an application, with settings that replace the usual ones.
func register(t *testing.T, s *Server, settings fields, rest ...fields) application {
	t.Helper()
	signIn := fields{"kind": "web", "redirect_uris": []string{appReturn}, "logout_uris": []string{appBye}}
	for name, value := range settings {
		signIn[name] = value
	}
	body := fields{"name": unique("Shop"), "sign_in": signIn}
	for _, more := range rest {
		for name, value := range more {
			body[name] = value
		}
	}
	made := native(t, s).do("POST", nativeRoot+"/applications", body).want(t, 201).object(t)
	return application{made.text("id"), made.text("client_id"), made.text("client_secret")}
}

// organization makes an organization and gives its id.
func organization(t *testing.T, s *Server, settings ...fields) string {
	t.Helper()
	body := fields{"name": unique("acme")}
	for _, more := range settings {
		for name, value := range more {
			body[name] = value
		}
	}
	return native(t, s).do("POST", nativeRoot+"/organizations", body).want(t, 201).object(t).text("id")
}

// issuers are the spellings under which a development server is known.
func (s *Server) issuers() map[string]string {
	bare := strings.Replace(s.HTTPS, "localhost", "127.0.0.1", 1)
	return map[string]string{"with a slash": s.HTTPS + "/", "without a slash": bare, "below oidc": s.HTTPS + "/oidc"}
}

func random() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	return base64.RawURLEncoding.EncodeToString(b[:])
}

func decoded(part string) ([]byte, error) { return base64.RawURLEncoding.DecodeString(part) }

// soon waits for something that another goroutine or process does.
func soon(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !done(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s did not happen", what)
		}
	}
}
