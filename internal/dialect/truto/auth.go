package truto

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"guildhall/internal/access"
	"guildhall/internal/credential"
	"guildhall/internal/directory"
	"guildhall/internal/edge"
	"guildhall/internal/id"
	"guildhall/internal/token"
)

// The kinds of token, as words of the route table.
const (
	apiToken     = "api_token"
	accountToken = "account_token"
)

// accountTokenLife is how long an integrated-account token can be used.
const accountTokenLife = 15 * time.Minute

// accountAudience keeps tokens that other wires of the realm sign out of here,
// and ours out of there.
const accountAudience = "urn:guildhall:integrated-account"

// directoryPermissions are what the unified user directory can do.
var directoryPermissions = []access.Permission{
	access.OrganizationRead, access.OrganizationCreate, access.OrganizationWrite, access.OrganizationDelete,
	access.UserRead, access.UserCreate, access.UserWrite, access.UserDelete,
	access.MemberRead, access.MemberCreate, access.MemberWrite, access.MemberDelete,
	access.RoleRead, access.RoleWrite, access.RoleDelete, access.RoleAssign,
}

// tokenPermissions are what an API token can do: the directory, and the
// administration of integrated accounts and of the environment.
var tokenPermissions = append(slices.Clip(directoryPermissions),
	access.ApplicationRead, access.ApplicationWrite, access.RealmRead, access.RealmWrite)

// Authenticate accepts an API token or an integrated-account token. An API token
// made for one organization reaches no further; one that stands for a user can
// do only what it was granted in so many words.
func (a *API) Authenticate(r *http.Request) (access.Actor, error) {
	raw, ok := edge.Bearer(r)
	if !ok {
		return access.Actor{}, access.ErrUnauthenticated
	}
	if strings.Count(raw, ".") == 2 {
		return a.authenticateAccount(r.Context(), raw)
	}
	p, err := a.Credentials.Key(r.Context(), raw, Scheme)
	if err != nil {
		return access.Actor{}, err
	}
	grants := p.Grants
	if len(grants) == 0 && p.User == id.None {
		grants = []access.Grant{{On: p.Organization, Permissions: tokenPermissions}}
	}
	return access.Actor{
		Realm: p.Realm, Subject: p.Subject, User: p.User, Home: p.Organization, Grants: grants, Claims: []string{apiToken, p.Key.String()},
	}, nil
}

// authenticateAccount verifies an integrated-account token and that its account
// is still there, with the organization it is limited to and the API token it was
// made with: it ends with any of them, long before it expires. The token carries what its maker was allowed, so that it never
// reaches further than the API token it was made with.
func (a *API) authenticateAccount(ctx context.Context, raw string) (access.Actor, error) {
	v, err := a.Tokens.Verify(ctx, raw)
	if err != nil {
		return access.Actor{}, err
	}
	spelled, _ := v.Claims["sub"].(string)
	audience, _ := v.Claims["aud"].(string)
	i, ok := id.For(v.Realm, id.IntegratedAccount).ParseUUID(spelled)
	if !ok || audience != accountAudience {
		return access.Actor{}, credential.ErrCredential
	}
	account, err := a.Credentials.IntegratedAccount(ctx, access.System(v.Realm), i)
	if missing(err) {
		return access.Actor{}, credential.ErrCredential
	}
	if err != nil {
		return access.Actor{}, err
	}
	if err := usable(account); err != nil {
		return access.Actor{}, err
	}
	if err := a.ownersAlive(ctx, v, account); err != nil {
		return access.Actor{}, err
	}
	scope, _ := v.Claims["scope"].(string)
	return access.Actor{
		Realm: v.Realm, Subject: "integrated_account:" + i.String(), Home: account.Organization,
		Grants: []access.Grant{{On: account.Organization, Permissions: permissions(scope)}},
		Claims: []string{accountToken, spelled},
	}, nil
}

// ownersAlive asks for those whom an integrated-account token hangs on.
func (a *API) ownersAlive(ctx context.Context, v token.Verified, account credential.IntegratedAccount) error {
	spelled, _ := v.Claims["key"].(string)
	n, err := strconv.ParseInt(spelled, 10, 64)
	if err != nil {
		return credential.ErrCredential
	}
	if _, err := a.Credentials.LiveKey(ctx, v.Realm, id.ID(n), Scheme, v.Issued); err != nil || account.Organization == id.None {
		return err
	}
	o, err := a.Directory.Organization(ctx, access.System(v.Realm), account.Organization)
	if missing(err) || err == nil && o.State != directory.Active {
		return credential.ErrCredential
	}
	return err
}

func permissions(scope string) (allowed []access.Permission) {
	for _, word := range strings.Fields(scope) {
		if p := access.Permission(word); slices.Contains(directoryPermissions, p) {
			allowed = append(allowed, p)
		}
	}
	return allowed
}

// issueAccountToken makes a token for an account the actor can see.
func (a *API) issueAccountToken(ctx context.Context, by access.Actor, account credential.IntegratedAccount) (string, error) {
	var scope []string
	for _, p := range directoryPermissions {
		if by.Can(p, on(account.Organization)...) {
			scope = append(scope, string(p))
		}
	}
	return a.Tokens.Issue(ctx, by.Realm, map[string]any{
		"sub": id.For(by.Realm, id.IntegratedAccount).UUID(account.ID), "aud": accountAudience, "scope": strings.Join(scope, " "),
		"key": by.Claims[len(by.Claims)-1],
	}, accountTokenLife)
}

func on(organization id.ID) []id.ID {
	if organization == id.None {
		return nil
	}
	return []id.ID{organization}
}

// Admit keeps each kind of token to the operations it is for.
func (a *API) Admit(actor access.Actor, route *edge.Route) error {
	for _, word := range route.Scopes {
		if slices.Contains(actor.Claims, word) {
			return nil
		}
	}
	return errTokenNotAllowed
}
