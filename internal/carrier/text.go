package carrier

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"guildhall/internal/notify"
)

// A Poster hands a body over to an address; see outbound.Poster.
type Poster interface {
	Post(ctx context.Context, url string, headers map[string]string, body []byte) (status int, err error)
}

// NewText reads how text messages are sent:
// twilio://account:token@api.twilio.com?from=+15550100 (or messaging_service=MG…),
// or an https address of the operator's own to which each message is posted,
// signed with the secret. Countries are the numbers' beginnings that may be sent
// to; none allows all.
func NewText(address, secret string, countries []string, p Poster) (notify.Carrier, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return nil, errors.New("text messages are sent with twilio://account:token@api.twilio.com?from=+15550100, or posted to an https:// address")
	}
	for _, c := range countries {
		if !strings.HasPrefix(c, "+") || len(c) < 2 {
			return nil, fmt.Errorf("%q is not the beginning of a number such as +49", c)
		}
	}
	switch u.Scheme {
	case "twilio":
		return newTwilio(u, countries, p)
	case "https", "http":
		if len(secret) < 16 {
			return nil, errors.New("text messages that are posted to an address need a secret of 16 or more characters to be signed with")
		}
		return &hook{url: address, secret: []byte(secret), countries: countries, poster: p, now: time.Now}, nil
	}
	return nil, fmt.Errorf("text messages cannot be sent by %q", u.Scheme)
}

var errCountry = errors.New("the server sends no text messages to numbers that begin like this")

// allowed refuses numbers of countries that nobody expects users from: premium
// numbers abroad are how text messages are turned into money.
func allowed(to string, countries []string) error {
	for _, c := range countries {
		if strings.HasPrefix(to, c) {
			return nil
		}
	}
	if len(countries) == 0 {
		return nil
	}
	return notify.Permanent{Err: errCountry}
}

// settled reads a status: what the far side refuses for good is not tried again.
func settled(status int, err error) error {
	switch {
	case err != nil:
		return err
	case status >= 200 && status < 300:
		return nil
	}
	err = fmt.Errorf("the answer was %d", status)
	if status >= 400 && status < 500 && status != 408 && status != 429 {
		return notify.Permanent{Err: err}
	}
	return err
}

// A twilio speaks Twilio's Programmable Messaging API, resource Messages.
type twilio struct {
	url, authorization string
	sender             [2]string // the parameter that says who sends, and its value
	countries          []string
	poster             Poster
}

func newTwilio(u *url.URL, countries []string, p Poster) (*twilio, error) {
	token, _ := u.User.Password()
	account, query := u.User.Username(), u.Query()
	t := &twilio{countries: countries, poster: p, authorization: "Basic " + base64.StdEncoding.EncodeToString([]byte(account+":"+token))}
	switch {
	case query.Get("messaging_service") != "":
		t.sender = [2]string{"MessagingServiceSid", query.Get("messaging_service")}
	case query.Get("from") != "":
		// A plus sign in an address stands for a blank.
		t.sender = [2]string{"From", "+" + strings.TrimLeft(query.Get("from"), " +")}
	}
	if account == "" || token == "" || t.sender[1] == "" {
		return nil, errors.New("the account at Twilio needs an account id, a token, and from or messaging_service")
	}
	scheme := "https"
	if query.Get("plain") == "loopback" { // a stand-in on this machine
		scheme = "http"
	}
	t.url = scheme + "://" + u.Host + "/2010-04-01/Accounts/" + url.PathEscape(account) + "/Messages.json"
	return t, nil
}

// Send hands one text message over; see notify.Carrier.
func (t *twilio) Send(ctx context.Context, l notify.Letter) error {
	if err := allowed(l.To, t.countries); err != nil {
		return err
	}
	form := url.Values{"To": {l.To}, "Body": {l.Text}, t.sender[0]: {t.sender[1]}}
	return settled(t.poster.Post(ctx, t.url, map[string]string{
		"Authorization": t.authorization, "Content-Type": "application/x-www-form-urlencoded",
	}, []byte(form.Encode())))
}

// A hook posts messages to an address of the operator's own, signed as Standard
// Webhooks 1.0.0 has it: HMAC-SHA256 over id, time and body.
type hook struct {
	url       string
	secret    []byte
	countries []string
	poster    Poster
	now       func() time.Time
}

// Send hands one text message over; see notify.Carrier.
func (h *hook) Send(ctx context.Context, l notify.Letter) error {
	if err := allowed(l.To, h.countries); err != nil {
		return err
	}
	body, err := json.Marshal(map[string]string{"type": "text_message", "id": l.ID, "to": l.To, "text": l.Text, "from": l.From})
	if err != nil {
		return notify.Permanent{Err: err}
	}
	at := strconv.FormatInt(h.now().Unix(), 10)
	mac := hmac.New(sha256.New, h.secret)
	mac.Write([]byte(l.ID + "." + at + "."))
	mac.Write(body)
	return settled(h.poster.Post(ctx, h.url, map[string]string{
		"Content-Type": "application/json", "webhook-id": l.ID, "webhook-timestamp": at,
		"webhook-signature": "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)),
	}, body))
}
