package stytch

import (
	"context"
	"strings"
	"time"

	"guildhall/internal/access"
	"guildhall/internal/directory"
	"guildhall/internal/id"
	"guildhall/internal/oidc"
	"guildhall/internal/query"
	"guildhall/internal/session"
)

// The claims of the vendor's own, whose names are URLs.
const (
	organizationClaim = "https://stytch.com/organization"
	sessionClaim      = "https://stytch.com/session"
)

type claimedOrganization struct {
	OrganizationID string `json:"organization_id"`
	Slug           string `json:"slug"`
}

type claimedSession struct {
	ID             string            `json:"id"`
	StartedAt      string            `json:"started_at"`
	LastAccessedAt string            `json:"last_accessed_at"`
	ExpiresAt      string            `json:"expires_at"`
	Attributes     claimedAttributes `json:"attributes"`
	Factors        []claimedFactor   `json:"authentication_factors"`
	Roles          []string          `json:"roles"`
}

type claimedAttributes struct {
	IPAddress string `json:"ip_address"`
	UserAgent string `json:"user_agent"`
}

type claimedFactor struct {
	Type                string `json:"type"`
	DeliveryMethod      string `json:"delivery_method"`
	LastAuthenticatedAt string `json:"last_authenticated_at"`
}

// Shape is how tokens spell ids and what they say besides the usual claims, for the
// applications of this dialect. It knows people as members only, so that tokens are about
// the member, and nobody signs in without an organization.
func Shape(d *directory.Service, s *session.Service) oidc.Shape {
	return oidc.Shape{
		Bound: true,
		Roles: true,
		User: func(f oidc.Facts) string {
			if f.Member.Member.ID == id.None {
				return ""
			}
			return spellFor(f, id.Member, f.Member.Member.ID)
		},
		Whose: func(ctx context.Context, realm id.ID, subject string) (id.ID, error) {
			i, ok := anyEnvironment(realm, id.Member, subject)
			if !ok {
				return id.None, directory.ErrMemberNotFound
			}
			m, err := d.MemberBy(ctx, access.System(realm), query.Is("id", i))
			return m.User, err
		},
		Organization:      claimedOrganizationID,
		ParseOrganization: func(realm id.ID, text string) (id.ID, bool) { return anyEnvironment(realm, id.Organization, text) },
		Claims: func(ctx context.Context, f oidc.Facts, claims map[string]any) error {
			return sessionClaims(ctx, d, s, f, claims)
		},
		Access: func(ctx context.Context, f oidc.Facts, claims map[string]any) error {
			if f.User.ID == id.None {
				organizationClaims(f, claims)
				return nil
			}
			return sessionClaims(ctx, d, s, f, claims)
		},
	}
}

// spellFor spells an id in the environment of the project that an application belongs to:
// the one among its audiences, or else one for tests.
func spellFor(f oidc.Facts, kind id.Kind, i id.ID) string {
	env := "test"
	for _, a := range f.Client.Audiences {
		if strings.HasPrefix(a, livePrefix) {
			env = "live"
		}
	}
	return words[kind] + "-" + env + "-" + id.For(f.Realm, kind).UUID(i)
}

// anyEnvironment reads an id of either environment.
func anyEnvironment(realm id.ID, kind id.Kind, text string) (id.ID, bool) {
	for _, env := range []string{"test", "live"} {
		if uuid, ok := strings.CutPrefix(text, words[kind]+"-"+env+"-"); ok && len(uuid) == 36 {
			return id.For(realm, kind).ParseUUID(uuid)
		}
	}
	return id.None, false
}

func claimedOrganizationID(f oidc.Facts) string {
	if own, ok := strings.CutPrefix(f.Organization.Alias, aliasScheme); ok {
		return own
	}
	return spellFor(f, id.Organization, f.Organization.ID)
}

func organizationClaims(f oidc.Facts, claims map[string]any) {
	if o := f.Organization; o.ID != id.None {
		claims[organizationClaim] = claimedOrganization{claimedOrganizationID(f), o.Slug}
	}
}

// sessionClaims says in which organization the member signed in, and how. A grant that
// outlived its session tells what it remembers of it.
func sessionClaims(ctx context.Context, d *directory.Service, s *session.Service, f oidc.Facts, claims map[string]any) error {
	organizationClaims(f, claims)
	if f.Grant.Session == id.None || f.Member.Member.ID == id.None {
		return nil
	}
	in := session.Session{Factors: f.Grant.Factors, SeenAt: f.Grant.AuthTime(), ExpiresAt: f.Grant.ExpiresAt}
	in.ID, in.CreatedAt = f.Grant.Session, f.Grant.AuthTime()
	page, err := s.Sessions(ctx, access.System(f.Realm), query.Query{Where: []query.Condition{query.Is("id", f.Grant.Session)}, Limit: 1})
	if err != nil {
		return err
	}
	if len(page.Items) == 1 {
		in = page.Items[0]
	}
	said := claimedSession{
		ID:        spellFor(f, id.Session, in.ID),
		StartedAt: in.CreatedAt.UTC().Format(time.RFC3339), LastAccessedAt: in.SeenAt.UTC().Format(time.RFC3339), ExpiresAt: in.ExpiresAt.UTC().Format(time.RFC3339),
		Attributes: claimedAttributes{IPAddress: in.Address, UserAgent: in.Device}, Factors: []claimedFactor{}, Roles: []string{},
	}
	for _, factor := range in.Factors {
		way := ways[factor.Method]
		if way.Type != "" {
			said.Factors = append(said.Factors, claimedFactor{way.Type, way.DeliveryMethod, factor.At.UTC().Format(time.RFC3339)})
		}
	}
	book := roleBook{byID: map[id.ID]directory.Role{}}
	for _, r := range f.Roles {
		book.byID[r.ID] = r
	}
	for _, r := range memberRoles(f.Organization, f.Member, book) {
		said.Roles = append(said.Roles, r.RoleID)
	}
	claims[sessionClaim] = said
	return nil
}

// ways are the vendor's words for how somebody proved who they are. It has none for
// passkeys, which are left out.
var ways = map[string]claimedFactor{
	"password": {Type: "password", DeliveryMethod: "knowledge"}, "magic_link": {Type: "magic_link", DeliveryMethod: "email"},
	"email_code": {Type: "email_otp", DeliveryMethod: "email"}, "sms_code": {Type: "otp", DeliveryMethod: "sms"},
	"totp": {Type: "totp", DeliveryMethod: "authenticator_app"}, "recovery_code": {Type: "recovery_codes", DeliveryMethod: "recovery_code"},
	"google_oauth": {Type: "oauth", DeliveryMethod: "oauth_google"}, "sso": {Type: "sso", DeliveryMethod: "sso_oidc"},
}
