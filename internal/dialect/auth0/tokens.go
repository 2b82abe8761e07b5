package auth0

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"guildhall/internal/credential"
	"guildhall/internal/edge"
	"guildhall/internal/fault"
	"guildhall/internal/id"
	"guildhall/internal/oidc"
	"guildhall/internal/query"
)

const (
	// tokenOperation is the name of the token endpoint, whose failures have a form
	// of their own.
	tokenOperation = "authentication.oauth.token"

	// clientSuffix makes a subject of a client id.
	clientSuffix = "@clients"

	tokenLife         = 24 * time.Hour
	clientCredentials = "client_credentials"
)

// The failures of the token endpoint (RFC 6749 section 5.2, and the vendor's own).
var (
	errClient       = fault.New(fault.Unauthenticated, "client_refused", "", "Unauthorized")
	errRequest      = fault.New(fault.Invalid, "request_refused", "", "The request is not valid")
	errGrant        = fault.New(fault.Forbidden, "grant_refused", "", "Grant type not allowed for the client.")
	errGrantUnknown = fault.New(fault.Invalid, "grant_unknown", "", "Unsupported grant type")
	errAudience     = fault.New(fault.Forbidden, "audience_refused", "", "Service not enabled within domain")
)

// oauthReasons holds status and code of the token endpoint's failures, keyed like
// reasons.
var oauthReasons = map[string]wireError{
	"client_refused":         {401, "access_denied", ""},
	"invalid_credential":     {401, "access_denied", "Unauthorized"},
	"request_refused":        {400, "invalid_request", ""},
	"grant_refused":          {403, "unauthorized_client", ""},
	"grant_unknown":          {403, "unsupported_grant_type", ""},
	"audience_refused":       {403, "access_denied", ""},
	"unsupported_encoding":   {415, "invalid_request", ""},
	"invalid_request":        {400, "invalid_request", ""},
	"invalid_client":         {401, "access_denied", "Unauthorized"},
	"invalid_grant":          {403, "invalid_grant", ""},
	"unauthorized_client":    {403, "unauthorized_client", "Grant type not allowed for the client."},
	"unsupported_grant_type": {403, "unsupported_grant_type", ""},
	"invalid_scope":          {403, "access_denied", ""},
	"invalid_target":         {403, "access_denied", ""},
	"access_denied":          {403, "access_denied", ""},
	"authorization_pending":  {403, "authorization_pending", "You have yet to authorize this device code."},
	"slow_down":              {429, "slow_down", "You are polling faster than the specified interval."},
	"expired_token":          {403, "expired_token", "The device code has expired."},
	"rate_limited":           {429, "too_many_requests", "Global limit has been reached"},
}

// oauthKinds answers for every other reason.
var oauthKinds = map[fault.Kind]wireError{
	fault.Internal:        {500, "server_error", "An internal server error occurred"},
	fault.Invalid:         {400, "invalid_request", "The request body could not be read"},
	fault.Unauthenticated: {401, "access_denied", "Unauthorized"},
	fault.Forbidden:       {403, "access_denied", ""},
	fault.NotFound:        {404, "invalid_request", "Not Found"},
	fault.Conflict:        {409, "invalid_request", ""},
	fault.Precondition:    {400, "invalid_request", ""},
	fault.Stale:           {409, "invalid_request", ""},
	fault.Exhausted:       {429, "too_many_requests", "Global limit has been reached"},
	fault.TooLarge:        {413, "invalid_request", "The request body is too large"},
	fault.Unavailable:     {503, "temporarily_unavailable", "Service Unavailable"},
	fault.Unimplemented:   {404, "invalid_request", "Not Found"},
}

type oauthError struct {
	Error       string `json:"error"`
	Description string `json:"error_description"`
}

func oauthFailure(f *fault.Error) edge.Reply {
	w, ok := oauthReasons[f.Reason]
	if !ok {
		w = oauthKinds[f.Kind]
	}
	if w.text == "" {
		w.text = f.Text
	}
	r := edge.Reply{Status: w.status, Body: oauthError{w.code, w.text}}
	if wait := retryAfter(f); wait != "" {
		r.Header = http.Header{"Retry-After": {wait}}
	}
	return r
}

type tokenJSON struct {
	AccessToken string `json:"access_token"`
	Scope       string `json:"scope,omitempty"`
	ExpiresIn   int    `json:"expires_in"`
	TokenType   string `json:"token_type"`
}

func (a *API) token(c edge.Call) (edge.Reply, error) {
	reply, err := a.issueToken(c)
	if err != nil {
		return reply, err
	}
	return a.Readable(c, reply), nil
}

// issueToken answers the client-credentials grant (RFC 6749 section 4.4). The
// body may be a form or JSON, and the client may prove itself in either or by
// HTTP Basic.
func (a *API) issueToken(c edge.Call) (edge.Reply, error) {
	form, err := c.Form()
	if err != nil {
		return edge.Reply{}, err
	}
	if err := onceEach(form); err != nil {
		return edge.Reply{}, err
	}
	dialect, ours, err := a.signsIn(c, form)
	switch {
	case err != nil:
		return edge.Reply{}, err
	case ours:
		reply, err := a.providerTokens(c, form)
		return reply, worded(err, dialect, form.Get("grant_type"))
	}
	if err := grantType(form.Get("grant_type")); err != nil {
		return edge.Reply{}, err
	}
	p, clientID, err := a.client(c, form)
	if err != nil {
		return edge.Reply{}, err
	}
	claims, err := a.claims(c, form, p, clientID)
	if err != nil {
		return edge.Reply{}, err
	}
	signed, err := a.Tokens.Issue(c.Context(), p.Realm, claims, tokenLife)
	if err != nil {
		return edge.Reply{}, err
	}
	scope, _ := claims["scope"].(string)
	return edge.OK(tokenJSON{signed, scope, int(tokenLife / time.Second), "Bearer"}), nil
}

// signsIn reports whether a request is of an application that takes part in sign-in,
// and of which dialect: then the provider answers it, and this wire only words the answer.
func (a *API) signsIn(c edge.Call, form url.Values) (dialect string, ours bool, err error) {
	name, _, ok := c.Request.BasicAuth()
	clientID := formDecoded(name)
	if !ok {
		clientID = form.Get("client_id")
	}
	if form.Get("client_assertion") != "" || form.Get("grant_type") == credential.GrantJWT {
		ours = true
	}
	at, err := a.Issuer(c.Request)
	if err != nil || clientID == "" {
		return "", ours, err
	}
	dialect, known, err := a.Provider.Takes(c.Context(), at, clientID)
	return dialect, ours || known, err
}

// standard marks a failure that RFC 6749 words: the one who asked speaks no dialect of
// ours, and came to this endpoint because the issuer's document names it.
type standard struct{}

// grantTexts are what the vendor says of a grant that is not valid.
var grantTexts = map[string]string{
	credential.GrantCode: "Invalid authorization code", credential.GrantRefresh: "Unknown or invalid refresh token.",
}

// worded says a failure of the provider as the application's dialect does.
func worded(err error, dialect, grant string) error {
	if err == nil {
		return nil
	}
	f := fault.From(err)
	switch text := grantTexts[grant]; {
	case dialect != scheme && f.Detail == nil:
		return f.With(standard{})
	case dialect == scheme && text != "" && f.Is(oidc.ErrGrant):
		return f.Saying("%s", text)
	}
	return err
}

type providerJSON struct {
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token,omitempty"`
	IDToken      string `json:"id_token,omitempty"`
	Scope        string `json:"scope,omitempty"`
	ExpiresIn    int    `json:"expires_in"`
	TokenType    string `json:"token_type"`
}

// providerTokens hands a request on to the provider.
func (a *API) providerTokens(c edge.Call, form url.Values) (edge.Reply, error) {
	at, err := a.Issuer(c.Request)
	if err != nil {
		return edge.Reply{}, err
	}
	r := oidc.TokenRequest{
		Grant: form.Get("grant_type"), Code: form.Get("code"), RedirectURI: form.Get("redirect_uri"), Verifier: form.Get("code_verifier"),
		Refresh: form.Get("refresh_token"), DeviceCode: form.Get("device_code"), Assertion: form.Get("assertion"), Scope: form.Get("scope"),
		Organization: form.Get("organization"), Proof: oidc.Proof{
			ClientID: form.Get("client_id"), Secret: form.Get("client_secret"),
			AssertionType: form.Get("client_assertion_type"), Assertion: form.Get("client_assertion"),
		},
	}
	if audience := form.Get("audience"); audience != "" {
		r.Audiences = []string{audience}
	}
	if name, password, ok := c.Request.BasicAuth(); ok {
		name = formDecoded(name)
		if r.Proof.Secret != "" || r.Proof.Assertion != "" || r.Proof.ClientID != "" && r.Proof.ClientID != name {
			return edge.Reply{}, errRequest.Saying("The client must authenticate in one way only")
		}
		r.Proof.Basic, r.Proof.ClientID, r.Proof.Secret = true, name, formDecoded(password)
	}
	t, err := a.Provider.Token(c.Context(), at, r)
	if err != nil {
		return edge.Reply{}, err
	}
	return edge.OK(providerJSON{t.Access, t.Refresh, t.ID, strings.Join(t.Scopes, " "), int(t.Life / time.Second), "Bearer"}), nil
}

// onceEach refuses parameters that are given twice (RFC 6749 section 3.2).
func onceEach(form url.Values) error {
	for name, values := range form {
		if len(values) > 1 {
			return errRequest.Saying("Parameter given more than once: %s", name)
		}
	}
	return nil
}

// otherGrants are known at the vendor; no client here is allowed them.
var otherGrants = []string{
	"authorization_code", "refresh_token", "password", "implicit",
	"http://auth0.com/oauth/grant-type/password-realm", "http://auth0.com/oauth/grant-type/passwordless/otp",
	"http://auth0.com/oauth/grant-type/mfa-otp", "http://auth0.com/oauth/grant-type/mfa-oob",
	"http://auth0.com/oauth/grant-type/mfa-recovery-code", "urn:ietf:params:oauth:grant-type:device_code",
	"urn:ietf:params:oauth:grant-type:token-exchange", "urn:openid:params:grant-type:ciba",
	"urn:okta:params:oauth:grant-type:webauthn",
}

func grantType(grant string) error {
	switch {
	case grant == clientCredentials:
		return nil
	case grant == "":
		return errRequest.Saying("Missing required parameter: grant_type")
	case slices.Contains(otherGrants, grant):
		return errGrant.Saying("Grant type '%s' not allowed for the client.", grant)
	}
	return errGrantUnknown.Saying("Unsupported grant type: %s", grant)
}

// client proves the client. Whatever is wrong with a secret is told in one way.
func (a *API) client(c edge.Call, form url.Values) (credential.Principal, string, error) {
	clientID, secret := form.Get("client_id"), form.Get("client_secret")
	if name, password, ok := c.Request.BasicAuth(); ok {
		name, password = formDecoded(name), formDecoded(password)
		if clientID != "" && clientID != name || secret != "" {
			return credential.Principal{}, "", errRequest.Saying("The client must authenticate in one way only")
		}
		clientID, secret = name, password
	}
	if clientID == "" {
		return credential.Principal{}, "", errRequest.Saying("Missing required parameter: client_id")
	}
	if secret == "" {
		return credential.Principal{}, "", errClient
	}
	p, err := a.Credentials.Client(c.Context(), clientID, secret, scheme)
	if errors.Is(err, credential.ErrCredential) {
		err = errClient
	}
	return p, clientID, err
}

// formDecoded undoes the encoding that RFC 6749 section 2.3.1 asks of clients;
// those that do not know of it send what then decodes to itself.
func formDecoded(s string) string {
	if plain, err := url.QueryUnescape(s); err == nil {
		return plain
	}
	return s
}

// claims decides what the token says: whom it is for, and what it allows there.
func (a *API) claims(c edge.Call, form url.Values, p credential.Principal, clientID string) (map[string]any, error) {
	audience := form.Get("audience")
	issuer := managed(a.Origins(p.Realm), audience)
	var scope []string
	switch {
	case audience == "":
		return nil, errAudience.Saying("No audience parameter was provided, and no default audience has been configured")
	case issuer == "" && !slices.Contains(p.Audiences, audience):
		return nil, errAudience.Saying("Service not enabled within domain: %s", audience)
	case issuer == "":
		issuer = a.origin(c.Request, p.Realm)
	case len(p.Claims) == 0:
		return nil, errAudience.Saying("Client is not authorized to access %q.", audience)
	default:
		var err error
		if scope, err = narrowed(p.Claims, form.Get("scope")); err != nil {
			return nil, err
		}
	}
	claims := map[string]any{
		"iss": issuer + "/", "sub": clientID + clientSuffix, "aud": audience, "azp": clientID, "gty": "client-credentials",
	}
	if len(scope) > 0 {
		claims["scope"] = strings.Join(scope, " ")
	}
	if name := form.Get("organization"); name != "" {
		organization, err := a.organizationClaim(c, p, name)
		if err != nil {
			return nil, err
		}
		claims["org_id"] = organization
	}
	return claims, nil
}

// narrowed gives the scopes that were asked for, or all.
func narrowed(have []string, asked string) ([]string, error) {
	wanted := strings.Fields(asked)
	if len(wanted) == 0 {
		return have, nil
	}
	var missing []string
	for _, s := range wanted {
		if !slices.Contains(have, s) {
			missing = append(missing, s)
		}
	}
	if len(missing) > 0 {
		return nil, errAudience.Saying("Client has not been granted scopes: %s", strings.Join(missing, ", "))
	}
	return wanted, nil
}

// organizationClaim checks the organization a token is asked for. A client that
// belongs to an organization may name it; others have no association with any.
func (a *API) organizationClaim(c edge.Call, p credential.Principal, name string) (string, error) {
	refused := errRequest.Saying("parameter organization is not allowed for this client")
	if p.Organization == id.None {
		return "", refused
	}
	by := actorOf(p, []string{"read:organizations"})
	o, err := a.Directory.OrganizationBy(c.Context(), by, query.Is("id", p.Organization))
	if err != nil {
		return "", err
	}
	own := organizationID(p.Realm, o)
	if name != own && !strings.EqualFold(name, o.Slug) {
		return "", refused
	}
	return own, nil
}
