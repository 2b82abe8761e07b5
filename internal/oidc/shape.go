package oidc

import (
	"maps"
	"strings"

	"guildhall/internal/directory"
	"guildhall/internal/id"
)

// A Shape is how applications of one scheme find objects spelled, and which claims they
// get besides the usual ones. Missing functions leave it at the plain form.
type Shape struct {
	User              func(realm id.ID, u directory.User) string
	Organization      func(realm id.ID, o directory.Organization) string
	ParseOrganization func(realm id.ID, s string) (id.ID, bool)
	// Claims adds to what ID tokens and userinfo say.
	Claims func(f Facts) map[string]any
	// Access adds to what self-contained access tokens say, or replaces it.
	Access func(f Facts) map[string]any
}

// Facts are what is known when a token is made.
type Facts struct {
	Realm        id.ID
	Client       Client
	Issuer       string
	Scopes       []string
	User         directory.User         // zero for a program that stands for itself
	Organization directory.Organization // zero for none
	Roles        []directory.Role       // of the member in the organization
}

func (f Facts) asks(scope string) bool { return contains(f.Scopes, scope) }

// The plain spellings are those of the native API.
func plainUser(realm id.ID, i id.ID) string { return "usr_" + id.For(realm, id.User).Base62(i) }

func plainOrganization(realm id.ID, i id.ID) string {
	return "org_" + id.For(realm, id.Organization).Base62(i)
}

func plainSession(realm id.ID, i id.ID) string {
	return "ses_" + id.For(realm, id.Session).Base62(i)
}

// subject spells whom tokens for an application are about.
func (s *Service) subject(c Client, u directory.User) string {
	if f := s.Shapes[c.Scheme].User; f != nil {
		return f(c.Realm, u)
	}
	return plainUser(c.Realm, u.ID)
}

func (s *Service) organizationName(c Client, o directory.Organization) string {
	if f := s.Shapes[c.Scheme].Organization; f != nil {
		return f(c.Realm, o)
	}
	return plainOrganization(c.Realm, o.ID)
}

// parseOrganization reads how an application spells an organization.
func (s *Service) parseOrganization(c Client, text string) (id.ID, bool) {
	if f := s.Shapes[c.Scheme].ParseOrganization; f != nil {
		if i, ok := f(c.Realm, text); ok {
			return i, true
		}
	}
	rest, ok := strings.CutPrefix(text, "org_")
	i, good := id.For(c.Realm, id.Organization).ParseBase62(rest)
	return i, ok && good
}

// personal are the claims of each scope (OpenID Connect Core 1.0 section 5.4).
func (s *Service) personal(f Facts, one []string) map[string]any {
	u := f.User
	all := map[string]map[string]any{
		"profile": {
			"name": u.Name, "given_name": u.GivenName, "family_name": u.FamilyName, "nickname": u.Nickname, "preferred_username": u.Username,
			"picture": u.Picture, "gender": u.Gender, "locale": u.Language, "updated_at": u.UpdatedAt.Unix(),
		},
		"email": {"email": u.Email, "email_verified": u.EmailVerified},
		"phone": {"phone_number": u.Phone, "phone_number_verified": u.PhoneVerified},
		"roles": {"roles": roleKeys(f.Roles)},
	}
	claims := map[string]any{}
	for scope, of := range all {
		for name, value := range of {
			if value == "" || value == nil || !f.asks(scope) && !contains(one, name) {
				continue
			}
			claims[name] = value
		}
	}
	if u.Email == "" {
		delete(claims, "email_verified")
	}
	if u.Phone == "" {
		delete(claims, "phone_number_verified")
	}
	if f.Organization.ID != id.None {
		claims["org_id"] = s.organizationName(f.Client, f.Organization)
		claims["org_name"] = f.Organization.Slug
	}
	if more := s.Shapes[f.Client.Scheme].Claims; more != nil {
		maps.Copy(claims, more(f))
	}
	return claims
}

func roleKeys(roles []directory.Role) []string {
	keys := []string{}
	for _, r := range roles {
		keys = append(keys, r.Key)
	}
	return keys
}
