package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"
)

// credentials is what a development server writes down for its callers.
type credentials struct {
	HTTP   string `json:"http"`
	Native struct {
		Token string `json:"token"`
	} `json:"native"`
	Auth0 struct {
		Audience     string `json:"audience"`
		ClientID     string `json:"client_id"`
		ClientSecret string `json:"client_secret"`
	} `json:"auth0"`
	Stytch struct {
		ProjectID string `json:"project_id"`
		Secret    string `json:"secret"`
	} `json:"stytch"`
	Zitadel struct {
		PAT string `json:"pat"`
	} `json:"zitadel"`
	SSOJet struct {
		ClientID string `json:"client_id"`
		Token    string `json:"token"`
	} `json:"ssojet"`
	Truto struct {
		Token               string `json:"token"`
		IntegratedAccountID string `json:"integrated_account_id"`
	} `json:"truto"`
}

// An engine is one database under test.
type engine struct {
	name     string // SQLite or PostgreSQL
	folder   string // everything of this run on this engine
	database string // postgres:// address, "" for SQLite
	cluster  *cluster
}

func (e engine) data() string { return filepath.Join(e.folder, "data") }

// address are the flags that name the database.
func (e engine) address() []string {
	if e.database != "" {
		return []string{"--data", e.data(), "--database", e.database}
	}
	return []string{"--data", e.data()}
}

// A server is the product, running.
type server struct {
	*target
	engine
	credentials
	bearer string // an access token of a client
	door   string // where profiles are to be had, if anywhere
}

// startDev runs a development server without rate limits. One that is profiled
// runs inside this program.
func startDev(binary string, e engine, profiled bool) (*server, error) {
	s := &server{engine: e}
	file := filepath.Join(e.data(), "dev", "credentials.json")
	if err := os.Remove(file); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	flags := append([]string{"serve", "--dev", "--listen", "127.0.0.1:0", "--listen-tls", "127.0.0.1:0", "--rate-limit", "0"}, e.address()...)
	var p *process
	var err error
	if profiled {
		if p, err = self("profiled", e.data(), e.database); err == nil {
			s.door, err = p.line(10 * time.Second)
		}
	} else {
		p, err = launch(binary, flags...)
	}
	if err != nil {
		return nil, err
	}
	if err := s.await(p, file); err != nil {
		return nil, errors.Join(err, p.stop(), errors.New(p.output.String()))
	}
	return s, nil
}

// await reads the credentials as soon as they are written, and signs in.
func (s *server) await(p *process, file string) error {
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		raw, err := os.ReadFile(file)
		if err == nil && json.Unmarshal(raw, &s.credentials) == nil {
			break
		}
		select {
		case <-p.done:
			return fmt.Errorf("the server ended: %v", p.err)
		default:
		}
		if time.Now().After(deadline) {
			return errors.New("the server does not get ready")
		}
	}
	s.target = newTarget(s.HTTP, p)
	return s.signIn()
}

// signIn gets a token by client credentials.
func (s *server) signIn() error {
	var got struct {
		AccessToken string `json:"access_token"`
	}
	err := s.ask(s.tokenRequest(), &got)
	s.bearer = got.AccessToken
	return err
}

func (s *server) tokenRequest() request {
	form := url.Values{
		"grant_type": {"client_credentials"}, "audience": {s.Auth0.Audience}, "client_id": {s.Auth0.ClientID},
		"client_secret": {s.Auth0.ClientSecret}, "scope": {"read:organizations"},
	}
	if s.bearer == "" { // the first one is used for everything
		form.Del("scope")
	}
	return request{
		method: http.MethodPost, path: "/oauth/token", body: []byte(form.Encode()),
		header: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}},
	}
}

// ask sends a request and reads the answer as JSON.
func (t *target) ask(r request, into any) error {
	a, err := t.good(r)
	if err != nil {
		return err
	}
	return json.Unmarshal(a.Body, into)
}

// run runs a command of the product on the engine's database.
func (e engine) run(binary string, command string, args ...string) error {
	out, err := exec.Command(binary, append(append([]string{command}, e.address()...), args...)...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("guildhall %s: %w\n%s", command, err, out)
	}
	return nil
}

// seed adds organizations of a size and gives their native ids.
func (s *server) seed(binary string, organizations, members int) ([]string, error) {
	if err := s.run(binary, "seed", "--organizations", strconv.Itoa(organizations), "--members", strconv.Itoa(members)); err != nil {
		return nil, err
	}
	return s.newest(organizations)
}

// newest gives the native ids of the organizations added last.
func (s *server) newest(n int) (ids []string, err error) {
	cursor := ""
	for len(ids) < n {
		var page struct {
			Items []struct {
				ID string `json:"id"`
			} `json:"items"`
			Next string `json:"next_cursor"`
		}
		path := fmt.Sprintf("/organizations?sort=-created_at&limit=%d", min(n-len(ids), 200))
		if cursor != "" {
			path += "&cursor=" + url.QueryEscape(cursor)
		}
		if err := s.ask(s.native(http.MethodGet, path, nil), &page); err != nil {
			return nil, err
		}
		for _, o := range page.Items {
			ids = append(ids, o.ID)
		}
		if cursor = page.Next; cursor == "" {
			break
		}
	}
	if len(ids) < n {
		return nil, fmt.Errorf("%d organizations where %d were added", len(ids), n)
	}
	return ids, nil
}

// timeStart starts the server in production mode on existing data and gives the
// time to its first answer to an authenticated request.
func timeStart(binary string, e engine, token string) (took time.Duration, t *target, err error) {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, nil, err
	}
	address := free.Addr().String()
	if err := free.Close(); err != nil {
		return 0, nil, err
	}
	began := time.Now()
	flags := append([]string{"serve", "--listen", address, "--master-key-file", filepath.Join(e.data(), "master.key")}, e.address()...)
	p, err := launch(binary, flags...)
	if err != nil {
		return 0, nil, err
	}
	t = newTarget("http://"+address, p)
	first := request{
		method: http.MethodGet, path: "/guildhall/v1/organizations?limit=1", header: http.Header{"Authorization": {"Bearer " + token}},
	}
	for time.Since(began) < time.Minute {
		if a, err := t.send(first); err == nil && a.Status == http.StatusOK {
			return time.Since(began), t, nil
		}
		time.Sleep(time.Millisecond)
	}
	return 0, nil, errors.Join(errors.New("the server does not answer"), p.stop(), errors.New(p.output.String()))
}
