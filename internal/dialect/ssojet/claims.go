package ssojet

import (
	"context"
	"slices"
	"strings"

	"guildhall/internal/access"
	"guildhall/internal/directory"
	"guildhall/internal/id"
	"guildhall/internal/oidc"
	"guildhall/internal/query"
)

// A claimedTenant is an organization of a person as tokens list it.
type claimedTenant struct {
	ID     string        `json:"id"`
	Name   string        `json:"name"`
	Status string        `json:"status"`
	Roles  []claimedRole `json:"roles"` // never null: the vendor's samples iterate over it
}

type claimedRole struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// Shape is how tokens spell ids and what they say besides the usual claims, for the
// applications of this dialect. Its samples take the profile, tenants and roles included,
// from the ID token and never ask userinfo.
func Shape(d *directory.Service) oidc.Shape {
	return oidc.Shape{
		User: func(f oidc.Facts) string { return spell(f.Realm, id.User, f.User.ID, f.User.Alias) },
		Organization: func(f oidc.Facts) string {
			return spell(f.Realm, id.Organization, f.Organization.ID, f.Organization.Alias)
		},
		ParseOrganization: func(realm id.ID, s string) (id.ID, bool) {
			return id.For(realm, id.Organization).ParseHex24(strings.ToLower(s))
		},
		Claims: func(ctx context.Context, f oidc.Facts, claims map[string]any) error {
			return tenantClaims(ctx, d, f, claims)
		},
		Access: func(_ context.Context, f oidc.Facts, claims map[string]any) error {
			if f.Organization.ID != id.None {
				claims["tenant_id"] = spell(f.Realm, id.Organization, f.Organization.ID, f.Organization.Alias)
			}
			return nil
		},
	}
}

// tenantScopes are those that show organizations: with any of them all do.
var tenantScopes = []string{"profile", "organization", "organizations"}

func tenantClaims(ctx context.Context, d *directory.Service, f oidc.Facts, claims map[string]any) error {
	if !slices.ContainsFunc(tenantScopes, f.Asks) {
		return nil
	}
	tenants, err := claimedTenants(ctx, d, f)
	if err != nil {
		return err
	}
	claims["tenants"] = tenants
	if f.Organization.ID != id.None {
		claims["tenant_id"] = spell(f.Realm, id.Organization, f.Organization.ID, f.Organization.Alias)
		if f.Asks("organization") {
			claims["organization"] = claims["tenant_id"]
		}
	}
	if f.Asks("organizations") {
		all := []string{}
		for _, t := range tenants {
			all = append(all, t.ID)
		}
		claims["organizations"] = all
	}
	return nil
}

// claimedTenants lists the organizations a person can sign in through. An application
// that belongs to one is told of no other.
func claimedTenants(ctx context.Context, d *directory.Service, f oidc.Facts) ([]claimedTenant, error) {
	by, tenants := access.System(f.Realm), []claimedTenant{}
	where := []query.Condition{query.Is("state", string(directory.MemberActive))}
	if only := f.Client.Organization; only != id.None {
		where = append(where, query.Is("organization_id", only))
	}
	page, err := d.UserOrganizations(ctx, by, f.User.ID, query.Query{Where: where, Limit: query.MaxLimit})
	if err != nil {
		return nil, err
	}
	given, err := d.RoleAssignments(ctx, by, query.Query{Where: []query.Condition{query.Is("user_id", f.User.ID)}, Limit: query.MaxLimit})
	if err != nil {
		return nil, err
	}
	var ids []id.ID
	for i, m := range page.Items {
		for _, a := range given.Items {
			if a.Organization == m.Member.Organization {
				page.Items[i].Roles, ids = append(page.Items[i].Roles, a), append(ids, a.Role)
			}
		}
	}
	roles, err := byID(ids, func(q query.Query) (query.Page[directory.Role], error) { return d.Roles(ctx, by, q) })
	for _, m := range page.Items {
		if m.Organization.State != directory.Active {
			continue
		}
		t := claimedTenant{
			ID: spell(f.Realm, id.Organization, m.Organization.ID, m.Organization.Alias), Name: m.Organization.Title(), Status: string(m.State), Roles: []claimedRole{},
		}
		for _, r := range assigned(m, roles) {
			t.Roles = append(t.Roles, claimedRole{id.For(f.Realm, id.Role).Hex24(r.ID), roleName(r)})
		}
		tenants = append(tenants, t)
	}
	return tenants, err
}
