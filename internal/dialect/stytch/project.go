package stytch

import (
	"encoding/json"
	"errors"

	"guildhall/internal/credential"
	"guildhall/internal/edge"
)

// A sessionKey is a public key that verifies session JWTs. Clients want every
// field; there are no certificates behind these keys.
type sessionKey struct {
	KTY        string   `json:"kty"`
	Use        string   `json:"use"`
	KeyOps     []string `json:"key_ops"`
	Alg        string   `json:"alg"`
	KID        string   `json:"kid"`
	X5C        []string `json:"x5c"`
	Thumbprint string   `json:"x5t#S256"`
	N          string   `json:"n"`
	E          string   `json:"e"`
}

// jwks gives the keys of a project that can verify sessions: clients accept RS256
// alone, so keys of other algorithms are for other tokens and are left out.
func (a *API) jwks(c edge.Call) (edge.Reply, error) {
	p, err := a.Credentials.LiveClient(c.Context(), c.Path("project_id"), Scheme)
	if errors.Is(err, credential.ErrCredential) {
		err = errProjectNotFound
	}
	if err != nil {
		return edge.Reply{}, err
	}
	published, err := a.Tokens.JWKS(c.Context(), p.Realm)
	if err != nil {
		return edge.Reply{}, err
	}
	var set struct {
		Keys []sessionKey `json:"keys"`
	}
	if err := json.Unmarshal(published, &set); err != nil {
		return edge.Reply{}, err
	}
	keys := []sessionKey{}
	for _, k := range set.Keys {
		if k.Alg == "RS256" {
			k.KeyOps, k.X5C = []string{"verify"}, []string{}
			keys = append(keys, k)
		}
	}
	return edge.OK(struct {
		envelope
		Keys []sessionKey `json:"keys"`
	}{ok(c), keys}), nil
}

// whoami names the project of the credentials.
func (a *API) whoami(c edge.Call) (edge.Reply, error) {
	name, err := a.RealmName(c.Context(), c.Actor.Realm)
	if err != nil {
		return edge.Reply{}, err
	}
	return edge.OK(struct {
		envelope
		ProjectID string `json:"project_id"`
		Name      string `json:"name"`
	}{ok(c), project(c.Request), name}), nil
}
