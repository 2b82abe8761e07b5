package auth0

import (
	"net/http"

	"guildhall/internal/edge"
	"guildhall/internal/id"
)

// discoveryJSON is the provider's metadata (RFC 8414 section 2). It names what
// is served, and nothing else.
type discoveryJSON struct {
	Issuer        string   `json:"issuer"`
	TokenEndpoint string   `json:"token_endpoint"`
	JWKS          string   `json:"jwks_uri"`
	GrantTypes    []string `json:"grant_types_supported"`
	ResponseTypes []string `json:"response_types_supported"`
	Subjects      []string `json:"subject_types_supported"`
	Signatures    []string `json:"id_token_signing_alg_values_supported"`
	ClientAuth    []string `json:"token_endpoint_auth_methods_supported"`
	Claims        []string `json:"claims_supported"`
}

func (a *API) discovery(c edge.Call) (edge.Reply, error) {
	realm, ok := a.Realm(c.Request)
	if !ok {
		return edge.Reply{}, edge.ErrNoRoute
	}
	base := a.origin(c.Request, realm) + "/"
	return public(edge.OK(discoveryJSON{
		Issuer: base, TokenEndpoint: base + "oauth/token", JWKS: base + ".well-known/jwks.json",
		GrantTypes: []string{clientCredentials}, ResponseTypes: []string{},
		Subjects: []string{"public"}, Signatures: []string{"ES256", "RS256"},
		ClientAuth: []string{"client_secret_basic", "client_secret_post"},
		Claims:     []string{"aud", "exp", "iat", "iss", "sub"},
	})), nil
}

func (a *API) jwks(c edge.Call) (edge.Reply, error) {
	realm, ok := a.Realm(c.Request)
	if !ok {
		return edge.Reply{}, edge.ErrNoRoute
	}
	keys, err := a.Tokens.JWKS(c.Context(), realm)
	if err != nil {
		return edge.Reply{}, err
	}
	return public(edge.Reply{Status: http.StatusOK, Raw: keys, Type: "application/json; charset=utf-8"}), nil
}

// public lets anybody read an answer, and caches keep it for a little while: new
// keys must be seen soon.
func public(r edge.Reply) edge.Reply {
	r.Header = http.Header{"Cache-Control": {"public, max-age=15"}, "Access-Control-Allow-Origin": {"*"}}
	return r
}

// managementName is the name of this API among the resource servers.
const managementName = "Auth0 Management API"

type serverJSON struct {
	ID         string      `json:"id"`
	Name       string      `json:"name"`
	IsSystem   bool        `json:"is_system"`
	Identifier string      `json:"identifier"`
	Scopes     []scopeJSON `json:"scopes"`
	Algorithm  string      `json:"signing_alg"`
	Offline    bool        `json:"allow_offline_access"`
	Life       int         `json:"token_lifetime"`
}

type scopeJSON struct {
	Value string `json:"value"`
}

// resourceServer is this API as a resource server: the only one there is.
func (a *API) resourceServer(c edge.Call) serverJSON {
	s := serverJSON{
		ID: id.For(c.Actor.Realm, id.Realm).Hex24(c.Actor.Realm), Name: managementName, IsSystem: true,
		Identifier: a.origin(c.Request, c.Actor.Realm) + apiPath, Algorithm: "ES256", Life: int(tokenLife.Seconds()),
	}
	for _, name := range Scopes() {
		s.Scopes = append(s.Scopes, scopeJSON{name})
	}
	return s
}

var serverList = style{key: "resource_servers", offset: true}

func (a *API) listResourceServers(c edge.Call) (edge.Reply, error) {
	l, err := serverList.listing(c)
	if err != nil {
		return edge.Reply{}, err
	}
	servers := []serverJSON{}
	wanted := c.Query()["identifiers"]
	for _, s := range wanted {
		if managed(a.Origins(c.Actor.Realm), s) != "" {
			servers = append(servers, a.resourceServer(c))
			break
		}
	}
	if len(wanted) == 0 {
		servers = append(servers, a.resourceServer(c))
	}
	return reply(c, l, sliced(servers, l)), nil
}

// getResourceServer finds it by its id or by its identifier, which some clients
// encode twice.
func (a *API) getResourceServer(c edge.Call) (edge.Reply, error) {
	s := a.resourceServer(c)
	for _, raw := range []string{c.Path("id"), formDecoded(c.Path("id"))} {
		if raw == s.ID || managed(a.Origins(c.Actor.Realm), raw) != "" {
			return edge.OK(s), nil
		}
	}
	return edge.Reply{}, errServerNotFound
}
