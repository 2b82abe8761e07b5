package auth0

import (
	"context"
	"slices"
	"strings"

	"guildhall/internal/id"
	"guildhall/internal/oidc"
)

// Shape is how tokens spell ids and what they say besides the usual claims, for the
// applications of this dialect ("Access Token Profiles" and "ID Token Structure" of the
// vendor's documentation).
func Shape() oidc.Shape {
	return oidc.Shape{
		Roles:        true,
		User:         func(f oidc.Facts) string { return userID(f.Realm, f.User) },
		Organization: func(f oidc.Facts) string { return organizationID(f.Realm, f.Organization) },
		ParseOrganization: func(realm id.ID, s string) (id.ID, bool) {
			return parseBase62(realm, id.Organization, organizationPrefix, s)
		},
		Claims: profileClaims,
		Access: accessClaims,
	}
}

// profileClaims leaves out what the vendor has only as a custom claim: besides the
// standard ones, those must have the name of a URL.
func profileClaims(_ context.Context, f oidc.Facts, claims map[string]any) error {
	delete(claims, "roles")
	if claims["updated_at"] != nil {
		claims["updated_at"] = stamp(f.User.UpdatedAt)
	}
	return nil
}

// accessClaims says which client a token was made for and, of a person, what the roles
// held in the organization, or in the tenant without one, permit at the API it is for.
func accessClaims(_ context.Context, f oidc.Facts, claims map[string]any) error {
	claims["azp"] = f.Client.ClientID
	if f.Organization.ID != id.None {
		claims["org_name"] = f.Organization.Slug
	}
	if f.User.ID == id.None {
		claims["sub"], claims["gty"] = f.Client.ClientID+clientSuffix, "client-credentials"
		return nil
	}
	if len(f.Grant.Audiences) == 0 {
		return nil
	}
	permissions := []string{}
	for _, r := range f.Roles {
		for _, p := range r.Permissions {
			if slices.Contains(f.Grant.Audiences, p.Resource) {
				permissions = append(permissions, p.Actions...)
			}
		}
	}
	slices.Sort(permissions)
	claims["permissions"] = slices.Compact(permissions)
	if f.Asks("openid") {
		claims["aud"] = append(slices.Clone(f.Grant.Audiences), strings.TrimSuffix(f.Issuer, "/")+"/userinfo")
	}
	return nil
}
