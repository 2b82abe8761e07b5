package server

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"guildhall/internal/access"
	"guildhall/internal/credential"
	"guildhall/internal/dialect/auth0"
	"guildhall/internal/dialect/native"
	"guildhall/internal/dialect/ssojet"
	"guildhall/internal/dialect/stytch"
	"guildhall/internal/dialect/truto"
	"guildhall/internal/directory"
	"guildhall/internal/id"
	"guildhall/internal/project"
	"guildhall/internal/query"
	"guildhall/internal/realm"
)

// A Wish is a credential to be made for a program that speaks one dialect.
type Wish struct {
	Dialect      string
	Name         string
	Organization id.ID     // confines the credential; none reaches the whole realm
	Claims       []string  // scopes, roles or permissions in the dialect's words; nil means all
	ExpiresAt    time.Time // zero means never; only for keys
	Live         bool      // a stytch project for production rather than for tests
}

// A Made credential, as named values in the dialect's own words. Secrets in it
// are shown this once.
type Made struct {
	Values map[string]string
}

// Dialects lists the words that a Wish can name.
func Dialects() []string { return []string{"native", "auth0", "stytch", "zitadel", "ssojet", "truto"} }

// Mint makes a credential in a realm.
func (s Services) Mint(ctx context.Context, r realm.Realm, w Wish) (Made, error) {
	if w.Name == "" {
		w.Name = w.Dialect + " credential"
	}
	by := access.System(r.ID)
	switch w.Dialect {
	case "native":
		return s.mintKey(ctx, by, w, credential.Key{Scheme: native.Scheme, Claims: []string{native.AllPermissions}})
	case "auth0":
		return s.mintClient(ctx, by, w, credential.Application{Scheme: "auth0", Claims: auth0.Scopes()})
	case "stytch":
		return s.mintClient(ctx, by, w, credential.Application{Scheme: stytch.Scheme, ClientID: "project-" + w.environment() + "-" + randomUUID()})
	case "zitadel":
		return s.mintPAT(ctx, by, r, w)
	case "ssojet":
		return s.mintClient(ctx, by, w, credential.Application{Scheme: ssojet.Scheme, Claims: []string{"sys_owner"}})
	case "truto":
		return s.mintTruto(ctx, by, w)
	}
	return Made{}, fmt.Errorf("there is no dialect %q: choose one of %v", w.Dialect, Dialects())
}

// randomUUID makes a version 4 UUID (RFC 9562 section 5.4).
func randomUUID() string {
	var b [16]byte
	rand.Read(b[:]) // never fails (crypto/rand)
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// environment is the word for the kind of project in its id and secret.
func (w Wish) environment() string {
	if w.Live {
		return "live"
	}
	return "test"
}

// mintKey makes a key like k, with the claims that were wished for or else k's.
func (s Services) mintKey(ctx context.Context, by access.Actor, w Wish, k credential.Key) (Made, error) {
	k.Organization, k.Name, k.ExpiresAt = w.Organization, w.Name, w.ExpiresAt
	if w.Claims != nil {
		k.Claims = w.Claims
	}
	prefix := ""
	if k.Scheme == native.Scheme {
		prefix = native.KeyPrefix
	}
	_, secret, err := s.Credentials.CreateKey(ctx, by, k, prefix)
	return Made{Values: map[string]string{"token": secret}}, err
}

// mintClient makes an application like a, with the claims that were wished for or
// else a's.
func (s Services) mintClient(ctx context.Context, by access.Actor, w Wish, a credential.Application) (Made, error) {
	prefix, clientID, secretName := "", "client_id", "client_secret"
	if a.Scheme == stytch.Scheme {
		prefix, clientID, secretName = "secret-"+w.environment()+"-", "project_id", "secret"
	}
	a.Name, a.Organization = w.Name, w.Organization
	if w.Claims != nil {
		a.Claims = w.Claims
	}
	a, secret, err := s.Credentials.CreateApplication(ctx, by, a, prefix)
	return Made{Values: map[string]string{clientID: a.ClientID, secretName: secret}}, err
}

// mintPAT makes a machine user with its roles and a personal access token.
func (s Services) mintPAT(ctx context.Context, by access.Actor, r realm.Realm, w Wish) (Made, error) {
	place := project.Administrator{Scope: project.OfRealm, Roles: []string{"IAM_OWNER"}}
	home := r.Default
	if w.Organization != id.None {
		home = w.Organization
		place = project.Administrator{Scope: project.OfOrganization, Object: home, Roles: []string{"ORG_OWNER"}}
	}
	if w.Claims != nil {
		place.Roles = w.Claims
	}
	name := "machine-" + randomUUID()[:8]
	u, err := s.Directory.CreateUser(ctx, by, directory.NewUser{User: directory.User{
		Home: home, Kind: directory.Machine, Username: name, Name: w.Name, OpaqueTokens: true,
	}})
	if err != nil {
		return Made{}, err
	}
	place.User = u.ID
	if _, err := s.Projects.AddAdministrator(ctx, by, place); err != nil {
		return Made{}, err
	}
	_, secret, err := s.Credentials.CreateKey(ctx, by, credential.Key{
		Organization: home, User: u.ID, Scheme: "zitadel", Name: w.Name, ExpiresAt: w.ExpiresAt,
	}, "")
	return Made{Values: map[string]string{"pat": secret}}, err
}

// mintTruto makes an API token and, where there is none yet, the integrated
// account of the built-in directory.
func (s Services) mintTruto(ctx context.Context, by access.Actor, w Wish) (Made, error) {
	made, err := s.mintKey(ctx, by, w, credential.Key{Scheme: truto.Scheme})
	if err != nil {
		return made, err
	}
	list, err := s.Credentials.IntegratedAccounts(ctx, by, query.Query{Where: []query.Condition{query.Is("organization_id", w.Organization)}, Limit: 1})
	if err != nil {
		return made, err
	}
	if len(list.Items) == 0 {
		a, err := s.Credentials.CreateIntegratedAccount(ctx, by, credential.IntegratedAccount{
			Organization: w.Organization, TenantKey: "guildhall", EnvironmentID: randomUUID(), Status: "active", Method: "api_key",
		})
		if err != nil {
			return made, err
		}
		list.Items = append(list.Items, a)
	}
	made.Values["integrated_account_id"] = id.For(by.Realm, id.IntegratedAccount).UUID(list.Items[0].ID)
	return made, nil
}

// Alive reports whether a credential that was made earlier still works.
func (s Services) Alive(ctx context.Context, dialect string, values map[string]string) (bool, error) {
	var err error
	switch dialect {
	case "auth0", "ssojet":
		_, err = s.Credentials.Client(ctx, values["client_id"], values["client_secret"], dialect)
		if token := values["token"]; err == nil && dialect == "ssojet" {
			_, err = s.Credentials.Key(ctx, token, dialect)
		}
	case "stytch":
		_, err = s.Credentials.Client(ctx, values["project_id"], values["secret"], dialect)
	case "zitadel":
		_, err = s.Credentials.Key(ctx, values["pat"], dialect)
	default:
		_, err = s.Credentials.Key(ctx, values["token"], dialect)
	}
	if errors.Is(err, credential.ErrCredential) {
		return false, nil
	}
	return err == nil, err
}
