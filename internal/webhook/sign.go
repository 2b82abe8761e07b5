package webhook

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"guildhall/internal/event"
	"guildhall/internal/fault"
	"guildhall/internal/id"
)

// Messages follow the Standard Webhooks specification (version 1.0.0).
const (
	secretPrefix = "whsec_"
	secretBytes  = 32
	secretLeast  = 24
	secretMost   = 64
)

// A Target is where a webhook's messages go and what signs them. It is what is
// sealed of a webhook.
type Target struct {
	URL     string   `json:"url"`
	Secrets []Secret `json:"secrets"` // the newest first
}

// A Secret signs until it ends.
type Secret struct {
	Secret    string    `json:"secret"`
	ExpiresAt time.Time `json:"expires_at,omitzero"`
}

const purpose = "webhook"

func seal(ctx context.Context, v Vault, realm id.ID, t Target) ([]byte, error) {
	plain, err := json.Marshal(t)
	if err != nil {
		return nil, err
	}
	return v.Seal(ctx, realm, id.None, purpose, plain)
}

func unseal(ctx context.Context, v Vault, realm id.ID, sealed []byte) (t Target, err error) {
	plain, err := v.Open(ctx, realm, id.None, purpose, sealed)
	if err == nil {
		err = json.Unmarshal(plain, &t)
	}
	return t, err
}

// newSecret makes a random secret.
func newSecret() string {
	var b [secretBytes]byte
	rand.Read(b[:]) // never fails (crypto/rand)
	return secretPrefix + base64.StdEncoding.EncodeToString(b[:])
}

// keyOf reads a secret.
func keyOf(secret string) ([]byte, error) {
	text, ok := strings.CutPrefix(secret, secretPrefix)
	key, err := base64.StdEncoding.Strict().DecodeString(text)
	if !ok || err != nil || len(key) < secretLeast || len(key) > secretMost {
		return nil, fault.Invalidf("secret", "a secret is whsec_ followed by 24 to 64 bytes in base64")
	}
	return key, nil
}

func hintOf(secret string) string { return secret[len(secret)-4:] }

// headers signs a message with every secret that has not ended.
func (t Target) headers(message string, at time.Time, body []byte) map[string]string {
	stamp := strconv.FormatInt(at.Unix(), 10)
	var signatures []string
	for _, s := range t.Secrets {
		key, err := keyOf(s.Secret)
		if err != nil || !s.ExpiresAt.IsZero() && !at.Before(s.ExpiresAt) {
			continue
		}
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(message + "." + stamp + "."))
		mac.Write(body)
		signatures = append(signatures, "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	}
	return map[string]string{
		"Content-Type": "application/json", "User-Agent": "Guildhall-Webhook",
		"webhook-id": message, "webhook-timestamp": stamp, "webhook-signature": strings.Join(signatures, " "),
	}
}

// A Speller writes ids and subjects the way the native API does.
type Speller interface {
	ID(realm id.ID, kind id.Kind, i id.ID) string
	Subject(realm id.ID, subject string) string
}

// A payload is the body of a message.
type payload struct {
	Type      string      `json:"type"`
	Timestamp string      `json:"timestamp"`
	Data      payloadData `json:"data"`
}

type payloadData struct {
	Event        string         `json:"event"`
	Realm        string         `json:"realm"`
	Organization *string        `json:"organization"`
	Subject      payloadSubject `json:"subject"`
	Actor        string         `json:"actor"`
	Details      map[string]any `json:"details"`
}

type payloadSubject struct {
	Kind string `json:"kind"`
	ID   string `json:"id"`
}

// Body writes an event as the body of a message.
func Body(s Speller, realm id.ID, e event.Event) ([]byte, error) {
	p := payload{Type: e.Type, Timestamp: e.At.UTC().Format(time.RFC3339Nano), Data: payloadData{
		Event: s.ID(realm, id.Event, e.ID), Realm: s.ID(realm, id.Realm, realm), Actor: s.Subject(realm, e.Actor),
		Subject: payloadSubject{Kind: e.Kind.String(), ID: s.ID(realm, e.Kind, e.Subject)}, Details: map[string]any{},
	}}
	if e.Organization != id.None {
		o := s.ID(realm, id.Organization, e.Organization)
		p.Data.Organization = &o
	}
	known, _ := event.Named(e.Type)
	for _, f := range known.Data { // what is not listed is not told
		value, ok := e.Data[f.Name]
		if !ok {
			continue
		}
		if text, isText := value.(string); isText && f.Kind != 0 {
			if n, err := strconv.ParseInt(text, 10, 64); err == nil {
				value = s.ID(realm, f.Kind, id.ID(n))
			}
		}
		p.Data.Details[f.Name] = value
	}
	return json.Marshal(p)
}
