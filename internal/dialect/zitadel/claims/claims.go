// Package claims owns what tokens say to ZITADEL's applications: its scopes, and the
// claims they ask for.
package claims

import (
	"context"
	"encoding/base64"
	"errors"
	"maps"
	"slices"
	"strings"

	"guildhall/internal/access"
	"guildhall/internal/dialect/zitadel"
	"guildhall/internal/directory"
	"guildhall/internal/id"
	"guildhall/internal/oidc"
	"guildhall/internal/project"
	"guildhall/internal/query"
	"guildhall/internal/realm"
)

// The scopes of the vendor's own ("Scopes" of its documentation). Most of them are as
// well the names of claims.
const (
	orgIDScope         = "urn:zitadel:iam:org:id:"
	orgDomainScope     = "urn:zitadel:iam:org:domain:primary:"
	projectScope       = "urn:zitadel:iam:org:project:id:"
	audienceSuffix     = ":aud"
	roleScope          = "urn:zitadel:iam:org:project:role:"
	allRolesScope      = "urn:zitadel:iam:org:projects:roles"
	metadataScope      = "urn:zitadel:iam:user:metadata"
	resourceOwnerScope = "urn:zitadel:iam:user:resourceowner"
	orgIDClaim         = "urn:zitadel:iam:org:id"
	rolesClaim         = "urn:zitadel:iam:org:project:roles"
	projectClaim       = "urn:zitadel:iam:org:project:"

	// ownProject stands for the project of the instance itself.
	ownProject = "zitadel"
)

// A claimant completes tokens for the applications of this dialect.
type claimant struct {
	directory *directory.Service
	projects  *project.Service
	realms    *realm.Service
}

// Shape is how tokens spell ids, which scopes there are and what tokens say for them
// besides the usual claims, for the applications of this dialect.
func Shape(d *directory.Service, p *project.Service, r *realm.Service) oidc.Shape {
	a := claimant{d, p, r}
	return oidc.Shape{
		User: func(f oidc.Facts) string { return zitadel.Spell(f.Realm, id.User, f.User.ID, f.User.Alias) },
		Organization: func(f oidc.Facts) string {
			return zitadel.Spell(f.Realm, id.Organization, f.Organization.ID, f.Organization.Alias)
		},
		ParseOrganization: func(realm id.ID, s string) (id.ID, bool) { return id.For(realm, id.Organization).ParseDecimal(s) },
		Knows:             knownScope,
		Reads:             a.read,
		Claims:            a.claim,
		Access: func(ctx context.Context, f oidc.Facts, claims map[string]any) error {
			if f.Client.ID != id.None { // the vendor's tokens are always for their own application as well
				claims["aud"] = append([]string{f.Client.ClientID}, f.Grant.Audiences...)
			}
			if f.User.ID == id.None {
				return nil
			}
			return a.claim(ctx, f, claims)
		},
	}
}

func knownScope(scope string) bool {
	switch scope {
	case allRolesScope, metadataScope, resourceOwnerScope:
		return true
	}
	for _, prefix := range []string{orgIDScope, orgDomainScope, roleScope} {
		if rest, ok := strings.CutPrefix(scope, prefix); ok {
			return rest != ""
		}
	}
	return audienceIn(scope) != ""
}

// audienceIn is the project that a scope puts among the audiences, or "".
func audienceIn(scope string) string {
	rest, ok := strings.CutPrefix(scope, projectScope)
	name, end := strings.CutSuffix(rest, audienceSuffix)
	if !ok || !end {
		return ""
	}
	return name
}

// read settles what a scope asks for besides claims: an organization, which whoever signs
// in has to belong to, or a project among the audiences. A project that does not exist
// is nobody's audience.
func (a claimant) read(ctx context.Context, realm id.ID, scope string) (oidc.Asked, error) {
	by := access.System(realm)
	if text, ok := strings.CutPrefix(scope, orgIDScope); ok {
		where := query.Is("alias", zitadel.AliasOf(text))
		if i, decimal := id.For(realm, id.Organization).ParseDecimal(text); decimal {
			where = query.Any(query.Is("id", i), where)
		}
		o, err := a.directory.OrganizationBy(ctx, by, where)
		return oidc.Asked{Organization: o.ID}, err
	}
	if name, ok := strings.CutPrefix(scope, orgDomainScope); ok {
		i, err := a.ofDomain(ctx, realm, strings.ToLower(name))
		return oidc.Asked{Organization: i}, err
	}
	name := audienceIn(scope)
	if name == "" {
		return oidc.Asked{}, nil
	}
	i, err := a.project(ctx, realm, name)
	if errors.Is(err, project.ErrProjectNotFound) {
		return oidc.Asked{}, nil
	}
	return oidc.Asked{Audience: i}, err
}

// project spells the project of a name, as tokens do.
func (a claimant) project(ctx context.Context, realm id.ID, name string) (string, error) {
	by := access.System(realm)
	where := query.Is("alias", zitadel.AliasOf(name))
	if name == ownProject {
		r, err := a.realms.Realm(ctx, by, realm)
		if err != nil {
			return "", err
		}
		where = query.Is("id", r.SystemProject)
	} else if i, decimal := id.For(realm, id.Project).ParseDecimal(name); decimal {
		where = query.Any(query.Is("id", i), where)
	}
	p, err := a.projects.Project(ctx, by, where)
	return zitadel.Spell(realm, id.Project, p.ID, p.Alias), err
}

// ofDomain finds the organization whose primary domain a name is.
func (a claimant) ofDomain(ctx context.Context, realm id.ID, name string) (id.ID, error) {
	by := access.System(realm)
	page, err := a.directory.DomainsOf(ctx, by, nil, query.Query{
		Where: []query.Condition{query.Is("name", name), query.Is("is_primary", true), query.Is("verified", true)}, Limit: 1,
	})
	if err != nil || len(page.Items) > 0 {
		if len(page.Items) > 0 {
			return page.Items[0].Organization, err
		}
		return id.None, err
	}
	slug, instance, _ := strings.Cut(name, ".")
	o, err := a.directory.OrganizationBy(ctx, by, query.Is("slug_key", directory.Fold(slug)))
	if err != nil {
		return id.None, err
	}
	own, err := a.primaryDomain(ctx, realm, o)
	if err != nil || own != name || instance == "" {
		return id.None, orNoOrganization(err)
	}
	return o.ID, nil
}

func orNoOrganization(err error) error {
	if err == nil {
		return directory.ErrOrganizationNotFound
	}
	return err
}

// primaryDomain is the domain by which an organization goes: the one that was made its
// primary one, or its own below the instance's.
func (a claimant) primaryDomain(ctx context.Context, realm id.ID, o directory.Organization) (string, error) {
	by := access.System(realm)
	page, err := a.directory.Domains(ctx, by, o.ID, query.Query{Where: []query.Condition{query.Is("is_primary", true)}, Limit: 1})
	if err != nil || len(page.Items) > 0 {
		if len(page.Items) > 0 {
			return page.Items[0].Name, err
		}
		return "", err
	}
	r, err := a.realms.Realm(ctx, by, realm)
	return zitadel.OwnDomain(o, r), err
}

// claim adds what the scopes ask for.
func (a claimant) claim(ctx context.Context, f oidc.Facts, claims map[string]any) error {
	for _, scope := range f.Scopes {
		if _, ok := strings.CutPrefix(scope, orgIDScope); ok && f.Organization.ID != id.None {
			claims[orgIDClaim] = zitadel.Spell(f.Realm, id.Organization, f.Organization.ID, f.Organization.Alias)
		}
		if name, ok := strings.CutPrefix(scope, orgDomainScope); ok && f.Organization.ID != id.None {
			claims[strings.TrimSuffix(orgDomainScope, ":")] = strings.ToLower(name)
		}
	}
	if f.Asks(resourceOwnerScope) || claims[orgIDClaim] != nil {
		if err := a.claimOwner(ctx, f, claims); err != nil {
			return err
		}
	}
	if f.Asks(metadataScope) {
		if err := a.claimMetadata(ctx, f, claims); err != nil {
			return err
		}
	}
	return a.claimRoles(ctx, f, claims)
}

// claimOwner says which organization a user belongs to: here every user has one.
func (a claimant) claimOwner(ctx context.Context, f oidc.Facts, claims map[string]any) error {
	owner, by := f.User.Home, access.System(f.Realm)
	if owner == id.None {
		r, err := a.realms.Realm(ctx, by, f.Realm)
		if err != nil {
			return err
		}
		owner = r.Default
	}
	o, err := a.directory.Organization(ctx, by, owner)
	if err != nil {
		return err
	}
	domain, err := a.primaryDomain(ctx, f.Realm, o)
	maps.Copy(claims, map[string]any{
		resourceOwnerScope + ":id": zitadel.Spell(f.Realm, id.Organization, o.ID, o.Alias), resourceOwnerScope + ":name": o.Title(), resourceOwnerScope + ":primary_domain": domain,
	})
	return err
}

func (a claimant) claimMetadata(ctx context.Context, f oidc.Facts, claims map[string]any) error {
	page, err := a.directory.Entries(ctx, access.System(f.Realm), directory.Owner{User: f.User.ID}, query.Query{Limit: query.MaxLimit})
	said := map[string]string{}
	for _, e := range page.Items {
		said[e.Key] = base64.RawURLEncoding.EncodeToString(e.Value)
	}
	if len(said) > 0 {
		claims[metadataScope] = said
	}
	return err
}

// claimRoles says which roles a user has in the projects a token is for, and in which
// organizations. A token that is bound to an organization tells of that one alone.
func (a claimant) claimRoles(ctx context.Context, f oidc.Facts, claims map[string]any) error {
	keys := []string{}
	for _, scope := range f.Scopes {
		if key, ok := strings.CutPrefix(scope, roleScope); ok {
			keys = append(keys, key)
		}
	}
	all, by := f.Asks(allRolesScope), access.System(f.Realm)
	own, err := a.asserted(ctx, f)
	if err != nil || !all && !own && len(keys) == 0 {
		return err
	}
	where := []query.Condition{query.Is("user_id", f.User.ID)}
	if f.Organization.ID != id.None {
		where = append(where, query.Is("organization_id", f.Organization.ID))
	}
	page, err := a.projects.UserGrants(ctx, by, query.Query{Where: where, Limit: query.MaxLimit})
	if err != nil {
		return err
	}
	for _, g := range page.Items {
		if !g.Active {
			continue
		}
		if err := a.claimGrant(ctx, f, g, claims, func(home bool, role string) bool {
			return home && (own || slices.Contains(keys, role)) || all
		}); err != nil {
			return err
		}
	}
	return nil
}

// asserted reports whether the project of the application wants roles in all its tokens.
func (a claimant) asserted(ctx context.Context, f oidc.Facts) (bool, error) {
	if f.Client.Project == id.None {
		return false, nil
	}
	p, err := a.projects.Project(ctx, access.System(f.Realm), query.Is("id", f.Client.Project))
	return p.RoleAssertion, err
}

// claimGrant adds the wanted roles of one grant to those of its project, if the token is
// for that, and to the general claim.
func (a claimant) claimGrant(ctx context.Context, f oidc.Facts, g project.UserGrant, claims map[string]any, wanted func(home bool, role string) bool) error {
	by := access.System(f.Realm)
	p, err := a.projects.Project(ctx, by, query.Is("id", g.Project))
	if err != nil {
		return err
	}
	name := zitadel.Spell(f.Realm, id.Project, p.ID, p.Alias)
	home := g.Project == f.Client.Project || f.Client.Project == id.None && slices.Contains(f.Grant.Audiences, name)
	if !home && !slices.Contains(f.Grant.Audiences, name) {
		return nil
	}
	o, err := a.directory.Organization(ctx, by, g.Organization)
	if err != nil {
		return err
	}
	domain, err := a.primaryDomain(ctx, f.Realm, o)
	where := zitadel.Spell(f.Realm, id.Organization, o.ID, o.Alias)
	for _, role := range g.Roles {
		if !wanted(home, role) {
			continue
		}
		into := []string{projectClaim + name + ":roles"}
		if home {
			into = append(into, rolesClaim)
		}
		for _, claim := range into {
			said, ok := claims[claim].(map[string]map[string]string)
			if !ok {
				said = map[string]map[string]string{}
				claims[claim] = said
			}
			if said[role] == nil {
				said[role] = map[string]string{}
			}
			said[role][where] = domain
		}
	}
	return err
}
