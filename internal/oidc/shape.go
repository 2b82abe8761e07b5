package oidc

import (
	"context"
	"errors"
	"slices"
	"strings"

	"guildhall/internal/directory"
	"guildhall/internal/fault"
	"guildhall/internal/id"
	"guildhall/internal/query"
	"guildhall/internal/session"
)

// A Shape is how applications of one dialect find objects spelled, and which scopes and
// claims they have besides the usual ones. Missing functions leave it at the plain form.
type Shape struct {
	// Bound is a dialect that knows people only within an organization: nobody signs in
	// to its applications without one, and tokens are about the membership.
	Bound bool
	// Roles is a dialect whose functions look at the membership, or at roles, of everybody.
	Roles bool
	// User spells whom a token is about.
	User func(f Facts) string
	// Whose finds the user that User spelled, for dialects that are Bound.
	Whose             func(ctx context.Context, realm id.ID, subject string) (id.ID, error)
	Organization      func(f Facts) string
	ParseOrganization func(realm id.ID, s string) (id.ID, bool)
	// Knows reports whether a scope is one of the dialect's own, and Reads what it asks
	// for besides claims.
	Knows func(scope string) bool
	Reads func(ctx context.Context, realm id.ID, scope string) (Asked, error)
	// Claims completes what ID tokens, userinfo and introspection say of a person.
	Claims func(ctx context.Context, f Facts, claims map[string]any) error
	// Access completes what self-contained access tokens and introspection say of what
	// the token is for.
	Access func(ctx context.Context, f Facts, claims map[string]any) error
}

// Asked is what a scope of a dialect asks for besides claims.
type Asked struct {
	Organization id.ID  // the sign-in has to be through this one
	Audience     string // the token is to be for this one as well
}

// Facts are what is known when a token is made.
type Facts struct {
	Realm        id.ID
	Client       Client
	Issuer       string
	Scopes       []string
	Grant        session.Grant          // zero for a program that stands for itself
	User         directory.User         // zero for a program that stands for itself
	Organization directory.Organization // zero for none
	Member       directory.Membership   // of the user in the organization, if the shape or a scope asks for Roles
	Roles        []directory.Role       // in the organization, or in the realm if there is none, likewise
}

// Asks reports whether a scope was granted.
func (f Facts) Asks(scope string) bool { return contains(f.Scopes, scope) }

// shape is that of an application: of the dialect it was set to, or else of the wire
// that it was made for.
func (s *Service) shape(c Client) Shape { return s.Shapes[s.word(c)] }

// The plain spellings are those of the native API.
func plainUser(realm id.ID, i id.ID) string { return "usr_" + id.For(realm, id.User).Base62(i) }

func plainOrganization(realm id.ID, i id.ID) string {
	return "org_" + id.For(realm, id.Organization).Base62(i)
}

func plainSession(realm id.ID, i id.ID) string {
	return "ses_" + id.For(realm, id.Session).Base62(i)
}

// subject spells whom tokens for an application are about.
func (s *Service) subject(f Facts) string {
	if spell := s.shape(f.Client).User; spell != nil {
		return spell(f)
	}
	return plainUser(f.Realm, f.User.ID)
}

// isSubject reports whether a subject that an application was told is a user.
func (s *Service) isSubject(ctx context.Context, c Client, user id.ID, subject string) (bool, error) {
	if whose := s.shape(c).Whose; whose != nil {
		i, err := whose(ctx, c.Realm, subject)
		if fault.KindOf(err) == fault.NotFound {
			err = nil
		}
		return err == nil && i == user && i != id.None, err
	}
	u, err := s.Directory.User(ctx, system(c.Realm), user)
	if err != nil {
		return false, err
	}
	return s.subject(Facts{Realm: c.Realm, Client: c, User: u}) == subject, nil
}

func (s *Service) organizationName(f Facts) string {
	if spell := s.shape(f.Client).Organization; spell != nil {
		return spell(f)
	}
	return plainOrganization(f.Realm, f.Organization.ID)
}

// organizationNamed is the condition under which an organization is the one that an
// application names, by id in its own spelling or ours, or by slug.
func (s *Service) organizationNamed(c Client, text string) query.Condition {
	if f := s.shape(c).ParseOrganization; f != nil {
		if i, ok := f(c.Realm, text); ok {
			return query.Is("id", i)
		}
	}
	if rest, ok := strings.CutPrefix(text, "org_"); ok {
		if i, good := id.For(c.Realm, id.Organization).ParseBase62(rest); good {
			return query.Is("id", i)
		}
	}
	where := query.Is("slug_key", directory.Fold(text))
	if word := s.word(c); word != "" { // an id that came along from elsewhere
		where = query.Any(where, query.Is("alias", word+":"+text))
	}
	return where
}

// word is the name of the dialect of an application, "" for none.
func (s *Service) word(c Client) string {
	for _, word := range []string{c.OpenID.Dialect, c.Scheme} {
		if _, ok := s.Shapes[word]; ok {
			return word
		}
	}
	return ""
}

// dialectOf is the dialect in which a machine user spells its own id.
func (s *Service) dialectOf(realm id.ID, u directory.User, subject string) string {
	for word, shape := range s.Shapes {
		if shape.User != nil && !shape.Bound && shape.User(Facts{Realm: realm, User: u}) == subject {
			return word
		}
	}
	return ""
}

// permitted reports whether an application may ask for a scope.
func (s *Service) permitted(c Client, scope string) bool {
	if len(c.OpenID.Scopes) > 0 && contains(c.OpenID.Scopes, scope) {
		return true
	}
	if len(c.OpenID.Scopes) == 0 && (contains(standardScopes, scope) || contains(c.Claims, scope)) {
		return true
	}
	knows := s.shape(c).Knows
	return knows != nil && knows(scope)
}

// asks settles what scopes of the dialect's own ask for besides claims. Two that name
// different organizations, and one that names none, are refused: that they narrow the
// sign-in must never be lost.
func (s *Service) asks(ctx context.Context, c Client, scopes []string) (organization id.ID, audiences []string, err error) {
	shape := s.shape(c)
	if shape.Knows == nil || shape.Reads == nil {
		return id.None, nil, nil
	}
	for _, sc := range scopes {
		if !shape.Knows(sc) {
			continue
		}
		asked, err := shape.Reads(ctx, c.Realm, sc)
		switch {
		case fault.KindOf(err) == fault.NotFound, errors.Is(err, errUnknownOrganization):
			return id.None, nil, errUnknownOrganization
		case err != nil:
			return id.None, nil, err
		case asked.Organization != id.None && organization != id.None && organization != asked.Organization:
			return id.None, nil, ErrRequest.Saying("two organizations are named")
		case asked.Organization != id.None:
			organization = asked.Organization
		}
		if asked.Audience != "" && !slices.Contains(audiences, asked.Audience) {
			audiences = append(audiences, asked.Audience)
		}
	}
	return organization, audiences, nil
}

var errUnknownOrganization = ErrRequest.Saying("the organization is not known")

// personal are the claims of each scope (OpenID Connect Core 1.0 section 5.4).
func (s *Service) personal(ctx context.Context, f Facts, one []string) (map[string]any, error) {
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
			if value == "" || value == nil || !f.Asks(scope) && !contains(one, name) {
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
		claims["org_id"] = s.organizationName(f)
		claims["org_name"] = f.Organization.Slug
	}
	if complete := s.shape(f.Client).Claims; complete != nil {
		return claims, complete(ctx, f, claims)
	}
	return claims, nil
}

func roleKeys(roles []directory.Role) []string {
	keys := []string{}
	for _, r := range roles {
		keys = append(keys, r.Key)
	}
	return keys
}
