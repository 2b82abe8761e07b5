package storetest

import (
	"fmt"
	"time"

	"guildhall/internal/credential"
	"guildhall/internal/id"
	"guildhall/internal/oidc"
	"guildhall/internal/session"
)

// sampleHash is a hash that no other sample has.
func sampleHash(f fixture, what string, n int) string {
	return credential.Hash(fmt.Sprintf("%s %d-%d", what, f.organization.ID, n))
}

func factors() []session.Factor {
	return []session.Factor{{Method: "password", At: moment, Credential: 7}, {Method: "oauth", At: moment, Connection: 8, Target: awkward}}
}

func sampleSession(f fixture, n int) session.Session {
	return session.Session{
		Organization: f.organization.ID, User: f.user.ID, Home: f.organization.ID, Application: id.ID(n + 1), Hash: sampleHash(f, "session", n),
		Origin: "https://a.example", Factors: factors(), Device: word("device", n), DeviceHash: sampleHash(f, "device", n), Address: "192.0.2.1",
		Idle: time.Hour, SeenAt: moment, IdleUntil: moment, ExpiresAt: moment, Custom: metadata(n),
	}
}

func sampleTokenGrant(f fixture, n int) session.Grant {
	return session.Grant{
		Organization: f.organization.ID, User: f.user.ID, Home: f.organization.ID, Application: id.ID(n + 1), Session: id.ID(n + 2), Offline: true,
		Issuer: "https://a.example", Scopes: []string{"openid"}, Audiences: []string{awkward}, Factors: factors(), Nonce: awkward,
		Claims:     map[string][]string{"userinfo": {"name"}},
		FamilyHash: sampleHash(f, "family", n), CurrentHash: sampleHash(f, "current", n), PreviousHash: sampleHash(f, "previous", n),
		RotatedAt: moment, Rotations: 3, Idle: time.Hour, IdleUntil: moment, ExpiresAt: moment,
	}
}

func sampleAccess(f fixture, n int) session.Access {
	return session.Access{
		Organization: f.organization.ID, User: f.user.ID, Home: f.organization.ID, Application: id.ID(n + 1), Family: id.ID(n + 2),
		Hash: sampleHash(f, "access", n), Issuer: "https://a.example", Scopes: []string{"a"}, Audiences: []string{"b"}, ExpiresAt: moment,
	}
}

func sampleSignOut(f fixture, n int) session.SignOut {
	return session.SignOut{
		Organization: f.organization.ID, User: f.user.ID, Home: f.organization.ID, Application: id.ID(n + 1), Session: id.ID(n + 2),
		Issuer: "https://a.example", Attempt: 2, RunAt: moment,
	}
}

func sampleAuthorization(f fixture, n int) oidc.Authorization {
	return oidc.Authorization{
		Organization: f.organization.ID, User: f.user.ID, Home: f.organization.ID, Application: id.ID(n + 1), Session: id.ID(n + 2), Family: id.ID(n + 3),
		Kind: oidc.Front, State: oidc.Approved, HandleHash: sampleHash(f, "handle", n), CodeHash: sampleHash(f, "code", n),
		Request: oidc.Request{Issuer: "https://a.example", State: awkward, Scopes: []string{"openid"}}, Answer: oidc.Answer{SignedIn: true},
		PolledAt: moment, ExpiresAt: moment,
	}
}

func sampleConsent(f fixture, n int) oidc.Consent {
	return oidc.Consent{Organization: f.organization.ID, User: f.user.ID, Home: f.organization.ID, Application: id.ID(n + 1), Scopes: []string{"openid", awkward}}
}

// What keeps somebody signed in.
var (
	sessions = kind[session.Session]{
		name: "sessions", objects: Tx.Sessions, missing: session.ErrNotFound, sample: sampleSession,
		stamp: func(s *session.Session) *stamp { return &s.Stamp }, change: func(s *session.Session) { s.Address = "changed" }, order: "seen_at",
	}
	tokenGrants = kind[session.Grant]{
		name: "token grants", objects: Tx.Grants, missing: session.ErrGrant, sample: sampleTokenGrant,
		stamp: func(g *session.Grant) *stamp { return &g.Stamp }, change: func(g *session.Grant) { g.PreviousHash, g.Rotations = g.CurrentHash, g.Rotations+1 }, order: "expires_at",
	}
	accesses = kind[session.Access]{
		name: "access tokens", objects: Tx.Accesses, missing: session.ErrAccessNotFound, sample: sampleAccess,
		stamp: func(a *session.Access) *stamp { return &a.Stamp }, change: func(a *session.Access) { a.Issuer = "changed" }, order: "expires_at",
	}
	signOuts = kind[session.SignOut]{
		name: "sign outs", objects: Tx.SignOuts, missing: session.ErrSignOutNotFound, sample: sampleSignOut,
		stamp: func(s *session.SignOut) *stamp { return &s.Stamp }, change: func(s *session.SignOut) { s.Issuer = "changed" }, order: "run_at",
	}
	authorizations = kind[oidc.Authorization]{
		name: "authorizations", objects: Tx.Authorizations, missing: oidc.ErrAuthorization, sample: sampleAuthorization,
		stamp: func(a *oidc.Authorization) *stamp { return &a.Stamp }, change: func(a *oidc.Authorization) { a.State = oidc.Denied }, order: "kind",
	}
	consents = kind[oidc.Consent]{
		name: "consents", objects: Tx.Consents, missing: oidc.ErrNoConsent, sample: sampleConsent,
		stamp: func(c *oidc.Consent) *stamp { return &c.Stamp }, change: func(c *oidc.Consent) { c.Scopes = []string{"changed"} }, order: "id",
	}
)
