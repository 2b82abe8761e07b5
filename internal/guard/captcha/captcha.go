// Package captcha owns the questions to captcha services: Turnstile, hCaptcha and
// reCAPTCHA, which take the same form and give the same answer.
package captcha

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"
)

// Patience is how long a service may take.
const Patience = 5 * time.Second

// The limits of what is sent and read.
const (
	maxAnswer = 8 << 10
	maxReply  = 64 << 10
)

// services are where each is asked, as their public documentation says.
var services = map[string]string{
	"turnstile": "https://challenges.cloudflare.com/turnstile/v0/siteverify",
	"hcaptcha":  "https://api.hcaptcha.com/siteverify",
	"recaptcha": "https://www.google.com/recaptcha/api/siteverify",
}

// A Service is an account at a captcha service.
type Service struct {
	Name    string
	SiteKey string // what the page is given
	Secret  string
	URL     string
	HTTP    *http.Client // guarded; see package outbound
	// Least is the score from which on reCAPTCHA v3 takes somebody for human; 0 means 0.5.
	Least float64
}

// New gives the service of a name.
func New(name, secret string, client *http.Client) (*Service, error) {
	at, ok := services[name]
	if !ok {
		return nil, fmt.Errorf("there is no captcha service %q: turnstile, hcaptcha or recaptcha", name)
	}
	if secret == "" {
		return nil, errors.New("the captcha service needs its secret: set GUILDHALL_CAPTCHA_SECRET")
	}
	return &Service{Name: name, Secret: secret, URL: at, HTTP: client}, nil
}

// Verify asks the service about the answer of a client. An error means that the
// service did not say: it is away, or does not know our secret.
func (s *Service) Verify(ctx context.Context, answer string, address netip.Addr) (bool, error) {
	if answer == "" || len(answer) > maxAnswer {
		return false, nil
	}
	form := url.Values{"secret": {s.Secret}, "response": {answer}}
	if address.IsValid() {
		form.Set("remoteip", address.String())
	}
	if s.Name == "hcaptcha" && s.SiteKey != "" {
		form.Set("sitekey", s.SiteKey)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.URL, strings.NewReader(form.Encode()))
	if err != nil {
		return false, err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	reply, err := s.HTTP.Do(request)
	if err != nil {
		return false, fmt.Errorf("the captcha service %s: %w", s.Name, hide(err))
	}
	defer reply.Body.Close()
	if reply.StatusCode != http.StatusOK {
		return false, fmt.Errorf("the captcha service %s answers with status %d", s.Name, reply.StatusCode)
	}
	var said struct {
		Success bool     `json:"success"`
		Score   *float64 `json:"score"`
		Errors  []string `json:"error-codes"`
	}
	if err := json.NewDecoder(io.LimitReader(reply.Body, maxReply)).Decode(&said); err != nil {
		return false, fmt.Errorf("the captcha service %s: %w", s.Name, err)
	}
	for _, code := range said.Errors {
		if strings.Contains(code, "secret") || code == "internal-error" { // our fault or theirs, not the client's
			return false, fmt.Errorf("the captcha service %s says %.40q", s.Name, code)
		}
	}
	least := s.Least
	if least == 0 {
		least = 0.5
	}
	// hCaptcha scores risk, where less is better, and has decided already.
	if s.Name == "recaptcha" && said.Score != nil && *said.Score < least {
		return false, nil
	}
	return said.Success, nil
}

// hide leaves the URL out of an error; the secret is in the body and in none.
func hide(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}
