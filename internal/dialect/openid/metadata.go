package openid

import (
	"net/http"

	"guildhall/internal/edge"
	"guildhall/internal/oidc"
)

// metadata is what the provider says of itself (OpenID Connect Discovery 1.0 section 3,
// RFC 8414 section 2). It names what is served, and nothing else.
type metadata struct {
	Issuer             string   `json:"issuer"`
	Authorization      string   `json:"authorization_endpoint"`
	Token              string   `json:"token_endpoint"`
	UserInfo           string   `json:"userinfo_endpoint"`
	JWKS               string   `json:"jwks_uri"`
	Introspection      string   `json:"introspection_endpoint"`
	Revocation         string   `json:"revocation_endpoint"`
	EndSession         string   `json:"end_session_endpoint"`
	Device             string   `json:"device_authorization_endpoint"`
	Pushed             string   `json:"pushed_authorization_request_endpoint"`
	Scopes             []string `json:"scopes_supported"`
	ResponseTypes      []string `json:"response_types_supported"`
	ResponseModes      []string `json:"response_modes_supported"`
	GrantTypes         []string `json:"grant_types_supported"`
	Subjects           []string `json:"subject_types_supported"`
	IDAlgorithms       []string `json:"id_token_signing_alg_values_supported"`
	ClientAuth         []string `json:"token_endpoint_auth_methods_supported"`
	ClientAlgorithms   []string `json:"token_endpoint_auth_signing_alg_values_supported"`
	RevocationAuth     []string `json:"revocation_endpoint_auth_methods_supported"`
	IntrospectionAuth  []string `json:"introspection_endpoint_auth_methods_supported"`
	Challenges         []string `json:"code_challenge_methods_supported"`
	Prompts            []string `json:"prompt_values_supported"`
	Claims             []string `json:"claims_supported"`
	ClaimsParameter    bool     `json:"claims_parameter_supported"`
	RequestParameter   bool     `json:"request_parameter_supported"`
	RequestURI         bool     `json:"request_uri_parameter_supported"`
	ISS                bool     `json:"authorization_response_iss_parameter_supported"`
	BackChannel        bool     `json:"backchannel_logout_supported"`
	BackChannelSession bool     `json:"backchannel_logout_session_supported"`
	Locales            []string `json:"ui_locales_supported"`
}

func describe(at oidc.Issuer, p place) metadata {
	clientAuth := []string{"client_secret_basic", "client_secret_post", "private_key_jwt", "none"}
	o := at.Origin
	return metadata{
		Issuer: at.URL, Authorization: o + p.authorize, Token: o + p.token, UserInfo: o + p.userinfo, JWKS: o + p.keys, Introspection: o + p.introspect,
		Revocation: o + p.revoke, EndSession: o + p.logout, Device: o + p.device, Pushed: o + p.par,
		Scopes: oidc.StandardScopes(), ResponseTypes: []string{"code"}, ResponseModes: []string{"query", "fragment", "form_post"},
		GrantTypes: oidc.GrantTypes(), Subjects: []string{"public"}, IDAlgorithms: []string{"RS256", "ES256", "EdDSA"},
		ClientAuth: clientAuth, ClientAlgorithms: []string{"RS256", "PS256", "ES256", "EdDSA"}, RevocationAuth: clientAuth, IntrospectionAuth: clientAuth[:3],
		Challenges: []string{"S256"}, Prompts: []string{"none", "login", "consent", "select_account", "create"},
		Claims: []string{
			"aud", "auth_time", "email", "email_verified", "exp", "family_name", "gender", "given_name", "iat", "iss", "locale", "name", "nickname",
			"org_id", "org_name", "phone_number", "phone_number_verified", "picture", "preferred_username", "roles", "sid", "sub", "updated_at",
		},
		ClaimsParameter: true, ISS: true, BackChannel: true, BackChannelSession: true, Locales: []string{"en", "de", "es", "fr", "ja"},
	}
}

// Discovery is the document at the root of an origin. It is spelled as the issuer of
// the origin is.
func (a *API) Discovery(c edge.Call) (edge.Reply, error) {
	at, err := a.issuer(c.Request, false)
	if err != nil {
		return edge.Reply{}, err
	}
	p := bare
	if at.URL != at.Origin {
		p = slashed
	}
	return public(edge.OK(describe(at, p))), nil
}

// discoveryBelow is the document of the issuer that ends in /oidc.
func (a *API) discoveryBelow(c edge.Call) (edge.Reply, error) {
	at, err := a.issuer(c.Request, true)
	if err != nil {
		return edge.Reply{}, err
	}
	return public(edge.OK(describe(at, below))), nil
}

// Keys are the public keys of the realm.
func (a *API) Keys(c edge.Call) (edge.Reply, error) {
	at, err := a.issuer(c.Request, false)
	if err != nil {
		return edge.Reply{}, err
	}
	keys, err := a.JWKS(c.Context(), at.Realm)
	if err != nil {
		return edge.Reply{}, err
	}
	return public(edge.Reply{Status: http.StatusOK, Raw: keys, Type: "application/json; charset=utf-8"}), nil
}

// public lets anybody read an answer, and caches keep it for a little while: new keys
// must be seen soon.
func public(r edge.Reply) edge.Reply {
	r.Header = http.Header{"Cache-Control": {"public, max-age=15"}, "Access-Control-Allow-Origin": {"*"}}
	return r
}
