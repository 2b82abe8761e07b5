package native

import (
	"net/http"

	"guildhall/internal/access"
	"guildhall/internal/credential"
	"guildhall/internal/edge"
	"guildhall/internal/id"
	"guildhall/internal/oidc"
	"guildhall/internal/query"
)

// ApplicationScheme marks applications that this API makes: they sign people in through
// the OpenID provider, and have no say in any vendor's API.
const ApplicationScheme = "openid"

// A signIn is how an application takes part in sign-in.
type signIn struct {
	Kind          string   `json:"kind" enum:"web,browser,native,machine" doc:"Where it runs: on a server, in a browser, on a device, or as a program that stands for itself. Those in a browser and on a device keep no secret."`
	RedirectURIs  []string `json:"redirect_uris,omitempty" maxItems:"100" doc:"Where people may be sent back to, compared letter by letter."`
	LogoutURIs    []string `json:"logout_uris,omitempty" maxItems:"100" doc:"Where people may be sent after signing out."`
	Origins       []string `json:"web_origins,omitempty" maxItems:"100" doc:"Origins whose scripts may read answers."`
	GrantTypes    []string `json:"grant_types,omitempty" maxItems:"10" doc:"Grant types it may use; those usual for the kind unless given."`
	AuthMethod    string   `json:"auth_method,omitempty" doc:"client_secret_basic, client_secret_post, private_key_jwt or none; a secret in either way unless given."`
	Keys          string   `json:"jwks,omitempty" maxLength:"65536" doc:"Its public keys as a JWK Set, for private_key_jwt."`
	KeysURI       string   `json:"jwks_uri,omitempty" maxLength:"2048" doc:"Where it publishes its keys, instead of jwks. They are fetched when they are needed and kept for a minute."`
	Algorithm     string   `json:"algorithm,omitempty" doc:"RS256, ES256 or EdDSA for tokens it gets; RS256 unless given."`
	Opaque        bool     `json:"opaque,omitempty" doc:"Its access tokens say nothing by themselves and are dead at once when they end."`
	FixedRefresh  bool     `json:"fixed_refresh,omitempty" doc:"Its refresh tokens stay the same when they are used."`
	AccessLife    int64    `json:"access_life,omitempty" minimum:"0" doc:"Seconds; 3600 unless given."`
	IDLife        int64    `json:"id_life,omitempty" minimum:"0" doc:"Seconds; 36000 unless given."`
	RefreshLife   int64    `json:"refresh_life,omitempty" minimum:"0" doc:"Seconds; 30 days unless given."`
	RefreshIdle   int64    `json:"refresh_idle,omitempty" minimum:"0" doc:"Seconds without use; 15 days unless given."`
	DeviceLife    int64    `json:"device_life,omitempty" minimum:"0" doc:"Seconds that the code which a device shows is good for; 15 minutes unless given."`
	LogoutNotice  string   `json:"logout_notice,omitempty" doc:"URL that is told when somebody signs out (back-channel logout)."`
	ThirdParty    bool     `json:"third_party,omitempty" doc:"People are asked before it gets anything."`
	PushedOnly    bool     `json:"pushed_only,omitempty" doc:"It has to send its requests ahead."`
	Scopes        []string `json:"scopes,omitempty" maxItems:"200" doc:"Scopes it may ask for; all for signing in unless given."`
	Organizations string   `json:"organizations,omitempty" doc:"deny or require; both are allowed unless given."`
	Dialect       string   `json:"dialect,omitempty" doc:"Whose ids and claims its tokens have; neutral ones unless given. What each says is in the manual, under the OpenID provider."`
	LogoURL       string   `json:"logo_url,omitempty"`
	TermsURL      string   `json:"terms_url,omitempty"`
	PrivacyURL    string   `json:"privacy_url,omitempty"`
}

func (s signIn) settings() credential.OpenID {
	return credential.OpenID{
		Kind: credential.AppKind(s.Kind), RedirectURIs: s.RedirectURIs, LogoutURIs: s.LogoutURIs, Origins: s.Origins, GrantTypes: s.GrantTypes,
		AuthMethod: s.AuthMethod, Keys: s.Keys, KeysURI: s.KeysURI, Algorithm: s.Algorithm, Opaque: s.Opaque, FixedRefresh: s.FixedRefresh, AccessLife: s.AccessLife,
		IDLife: s.IDLife, RefreshLife: s.RefreshLife, RefreshIdle: s.RefreshIdle, DeviceLife: s.DeviceLife, LogoutNotice: s.LogoutNotice, ThirdParty: s.ThirdParty,
		PushedOnly: s.PushedOnly, Scopes: s.Scopes, Organizations: credential.Usage(s.Organizations), Dialect: s.Dialect, LogoURL: s.LogoURL, TermsURL: s.TermsURL,
		PrivacyURL: s.PrivacyURL,
	}
}

func showSignIn(o credential.OpenID) signIn {
	return signIn{
		Kind: string(o.Kind), RedirectURIs: o.RedirectURIs, LogoutURIs: o.LogoutURIs, Origins: o.Origins, GrantTypes: o.GrantTypes,
		AuthMethod: o.AuthMethod, Keys: o.Keys, KeysURI: o.KeysURI, Algorithm: o.Algorithm, Opaque: o.Opaque, FixedRefresh: o.FixedRefresh, AccessLife: o.AccessLife,
		IDLife: o.IDLife, RefreshLife: o.RefreshLife, RefreshIdle: o.RefreshIdle, DeviceLife: o.DeviceLife, LogoutNotice: o.LogoutNotice, ThirdParty: o.ThirdParty,
		PushedOnly: o.PushedOnly, Scopes: o.Scopes, Organizations: string(o.Organizations), Dialect: o.Dialect, LogoURL: o.LogoURL, TermsURL: o.TermsURL,
		PrivacyURL: o.PrivacyURL,
	}
}

// An Application as this wire shows it, without its secret.
type Application struct {
	Stamp
	Name         string   `json:"name"`
	Organization *string  `json:"organization" doc:"Its owner, whose end is its end; null for one of the realm."`
	ClientID     string   `json:"client_id"`
	Scopes       []string `json:"scopes" doc:"What its own tokens may say it may do."`
	Audiences    []string `json:"audiences" doc:"The APIs its tokens may be for."`
	Disabled     bool     `json:"disabled" doc:"Nobody signs in to it, and its tokens are dead, until it is enabled again."`
	SignIn       signIn   `json:"sign_in"`
}

func (a Application) location() string { return "/applications/" + a.ID }

// A createdApplication is an application with its secret.
type createdApplication struct {
	Application
	Secret         *string `json:"client_secret" doc:"Shown this once; only a hash of it is kept. Null for one that keeps none."`
	SecretWithheld bool    `json:"secret_withheld" doc:"This answer repeats an earlier one, which alone had the secret."`
}

func (a createdApplication) withheld() any {
	a.Secret, a.SecretWithheld = nil, true
	return a
}

func showApplication(c edge.Call, a credential.Application) Application {
	return Application{
		Stamp: stamped(c.Actor.Realm, id.Application, a.Stamp), Name: a.Name, Organization: spellOrNull(c.Actor.Realm, id.Organization, a.Organization),
		ClientID: a.ClientID, Scopes: append([]string{}, a.Claims...), Audiences: append([]string{}, a.Audiences...), Disabled: a.Disabled,
		SignIn: showSignIn(a.OpenID),
	}
}

// A newApplication is an application to be.
type newApplication struct {
	Name         string   `json:"name" minLength:"1" maxLength:"200"`
	Organization string   `json:"organization,omitempty" doc:"Its owner; the realm unless given."`
	Scopes       []string `json:"scopes,omitempty" maxItems:"200"`
	Audiences    []string `json:"audiences,omitempty" maxItems:"100"`
	SignIn       signIn   `json:"sign_in"`
}

// A changedApplication is what an application is to be; what is left out stays.
type changedApplication struct {
	Name      *string   `json:"name,omitempty" minLength:"1" maxLength:"200"`
	Scopes    *[]string `json:"scopes,omitempty"`
	Audiences *[]string `json:"audiences,omitempty"`
	Disabled  *bool     `json:"disabled,omitempty"`
	SignIn    *signIn   `json:"sign_in,omitempty" doc:"Replaces all of it."`
}

func (a *API) applicationOperations() []operation {
	return []operation{
		{
			name: "applications.list", method: http.MethodGet, path: "/applications", permission: access.ApplicationRead,
			summary: "List applications", notes: "Those that sign people in, without their secrets.",
			handling: lists(listing{filters: []filter{
				referring("organization", "organization_id", "Only those of this organization.", id.Organization),
				exactly("client_id", "client_id", "Only the one with this client id."),
			}}, func(c edge.Call, q query.Query) (query.Page[credential.Application], error) {
				q.Where = append(q.Where, query.Is("scheme", ApplicationScheme))
				return a.Credentials.Applications(c.Context(), c.Actor, q)
			}, showApplication),
		},
		{
			name: "applications.create", method: http.MethodPost, path: "/applications", permission: access.ApplicationWrite, status: http.StatusCreated,
			summary: "Register an application", notes: "Its secret is in the answer and nowhere else.", handling: takes(a.createApplication),
		},
		{
			name: "applications.get", method: http.MethodGet, path: "/applications/{application}", permission: access.ApplicationRead,
			summary: "Get an application", handling: gives(a.application),
		},
		{
			name: "applications.update", method: http.MethodPatch, path: "/applications/{application}", permission: access.ApplicationWrite,
			summary: "Change an application", handling: takes(a.updateApplication),
		},
		{
			name: "applications.delete", method: http.MethodDelete, path: "/applications/{application}", permission: access.ApplicationWrite,
			summary: "Delete an application", notes: "Its secret and all tokens it got are dead from this moment on.", handling: does(a.deleteApplication),
		},
		{
			name: "applications.rotate_secret", method: http.MethodPost, path: "/applications/{application}/secret", permission: access.ApplicationWrite,
			summary: "Give an application a new secret", notes: "The old one is dead at once. Needs application:read as well.", handling: gives(a.rotateApplication),
		},
	}
}

// rotateApplication gives a new secret to an application of this API alone.
func (a *API) rotateApplication(c edge.Call) (createdApplication, error) {
	found, err := a.Credentials.Application(c.Context(), c.Actor, query.Is("id", object(c, "application", id.Application)), query.Is("scheme", ApplicationScheme))
	if err != nil {
		return createdApplication{}, err
	}
	changed, secret, err := a.Credentials.RotateSecret(c.Context(), c.Actor, found.ID, "")
	return createdApplication{Application: showApplication(c, changed), Secret: textOrNull(secret)}, err
}

func (a *API) createApplication(c edge.Call, in newApplication) (createdApplication, error) {
	made := credential.Application{Scheme: ApplicationScheme, Name: in.Name, Claims: in.Scopes, Audiences: in.Audiences, OpenID: in.SignIn.settings()}
	var err error
	if made.Organization, err = owner(c, access.ApplicationWrite, in.Organization); err != nil {
		return createdApplication{}, err
	}
	if err := keysGood(made.OpenID); err != nil {
		return createdApplication{}, err
	}
	made, secret, err := a.Credentials.CreateApplication(c.Context(), c.Actor, made, "")
	shown := createdApplication{Application: showApplication(c, made)}
	if secret != "" {
		shown.Secret = &secret
	}
	return shown, err
}

// keysGood refuses keys with which nothing could be verified.
func keysGood(o credential.OpenID) error {
	if o.Keys == "" {
		return nil
	}
	_, err := oidc.ParseKeys([]byte(o.Keys))
	return err
}

func (a *API) application(c edge.Call) (Application, error) {
	found, err := a.Credentials.Application(c.Context(), c.Actor, query.Is("id", object(c, "application", id.Application)), query.Is("scheme", ApplicationScheme))
	return showApplication(c, found), err
}

func (a *API) updateApplication(c edge.Call, in changedApplication) (Application, error) {
	changed, err := a.Credentials.UpdateApplication(c.Context(), c.Actor, object(c, "application", id.Application), func(was *credential.Application) error {
		if was.Scheme != ApplicationScheme {
			return credential.ErrApplicationNotFound
		}
		if in.Name != nil {
			was.Name = *in.Name
		}
		if in.Scopes != nil {
			was.Claims = *in.Scopes
		}
		if in.Audiences != nil {
			was.Audiences = *in.Audiences
		}
		if in.Disabled != nil {
			was.Disabled = *in.Disabled
		}
		if in.SignIn != nil {
			was.OpenID = in.SignIn.settings()
		}
		return keysGood(was.OpenID)
	})
	return showApplication(c, changed), err
}

func (a *API) deleteApplication(c edge.Call) error {
	found, err := a.Credentials.Application(c.Context(), c.Actor, query.Is("id", object(c, "application", id.Application)), query.Is("scheme", ApplicationScheme))
	if err != nil {
		return err
	}
	return a.Credentials.DeleteApplication(c.Context(), c.Actor, found.ID)
}
