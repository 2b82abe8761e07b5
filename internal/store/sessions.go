package store

import (
	"context"
	"errors"
	"sync"
	"time"

	"guildhall/internal/directory"
	"guildhall/internal/fault"
	"guildhall/internal/id"
	"guildhall/internal/oidc"
	"guildhall/internal/query"
	"guildhall/internal/session"
)

// What belongs to a person is visible while the person and the organization are, and
// the membership that it came of.
func ofMember(table string) string {
	return ownedOrFree(table+".organization_id") + " AND " + personOrNone(table+".user_id") + " AND " + unclaimed(table)
}

var sessions = &table[session.Session]{
	name: "sessions", kind: id.Session, missing: session.ErrNotFound,
	stamp: func(s *session.Session) *directory.Stamp { return &s.Stamp },
	fixed: []string{"organization_id", "user_id", "home_id", "origin"},
	columns: []string{"organization_id", "user_id", "home_id", "application", "hash", "origin", "factors", "device", "device_hash",
		"address", "idle", "seen_at", "idle_until", "expires_at", "custom"},
	bind: func(s *session.Session) []any {
		return []any{num(&s.Organization), num(&s.User), num(&s.Home), num(&s.Application), &s.Hash, &s.Origin, doc(&s.Factors), &s.Device, &s.DeviceHash,
			&s.Address, (*int64)(&s.Idle), at(&s.SeenAt), at(&s.IdleUntil), at(&s.ExpiresAt), doc(&s.Custom)}
	},
	alive: ofMember("sessions"),
}

var grants = &table[session.Grant]{
	name: "token_grants", kind: id.Grant, missing: session.ErrGrant,
	stamp: func(g *session.Grant) *directory.Stamp { return &g.Stamp },
	columns: []string{"organization_id", "user_id", "home_id", "application", "session", "offline", "issuer", "scopes", "audiences", "factors", "nonce", "claims",
		"family_hash", "current_hash", "previous_hash", "rotated_at", "rotations", "idle", "idle_until", "expires_at"},
	bind: func(g *session.Grant) []any {
		return []any{num(&g.Organization), num(&g.User), num(&g.Home), num(&g.Application), num(&g.Session), &g.Offline, &g.Issuer,
			doc(&g.Scopes), doc(&g.Audiences), doc(&g.Factors), &g.Nonce, doc(&g.Claims), &g.FamilyHash, &g.CurrentHash, &g.PreviousHash, at(&g.RotatedAt),
			&g.Rotations, (*int64)(&g.Idle), at(&g.IdleUntil), at(&g.ExpiresAt)}
	},
	sparse: []string{"session"},
	alive:  ofMember("token_grants"),
}

var accesses = &table[session.Access]{
	name: "access_tokens", kind: id.AccessToken, missing: session.ErrAccessNotFound,
	stamp:   func(a *session.Access) *directory.Stamp { return &a.Stamp },
	fixed:   []string{"home_id"},
	columns: []string{"organization_id", "user_id", "home_id", "application", "family", "hash", "issuer", "scopes", "audiences", "expires_at"},
	bind: func(a *session.Access) []any {
		return []any{num(&a.Organization), num(&a.User), num(&a.Home), num(&a.Application), num(&a.Family), &a.Hash, &a.Issuer,
			doc(&a.Scopes), doc(&a.Audiences), at(&a.ExpiresAt)}
	},
	sparse: []string{"user_id"},
	alive:  ofMember("access_tokens"),
}

var signOuts = &table[session.SignOut]{
	name: "sign_outs", kind: id.SignOut, missing: session.ErrSignOutNotFound,
	stamp:   func(s *session.SignOut) *directory.Stamp { return &s.Stamp },
	fixed:   []string{"home_id"},
	columns: []string{"organization_id", "user_id", "home_id", "application", "session", "issuer", "attempt", "run_at"},
	bind: func(s *session.SignOut) []any {
		return []any{num(&s.Organization), num(&s.User), num(&s.Home), num(&s.Application), num(&s.Session), &s.Issuer, &s.Attempt, at(&s.RunAt)}
	},
	alive: ofMember("sign_outs"),
}

var authorizations = &table[oidc.Authorization]{
	name: "authorizations", kind: id.Authorization, missing: oidc.ErrAuthorization,
	stamp: func(a *oidc.Authorization) *directory.Stamp { return &a.Stamp },
	columns: []string{"organization_id", "user_id", "home_id", "application", "session", "family", "kind", "state", "handle_hash", "code_hash",
		"request", "answer", "polled_at", "expires_at"},
	bind: func(a *oidc.Authorization) []any {
		return []any{num(&a.Organization), num(&a.User), num(&a.Home), num(&a.Application), num(&a.Session), num(&a.Family), (*string)(&a.Kind),
			(*string)(&a.State), &a.HandleHash, &a.CodeHash, doc(&a.Request), doc(&a.Answer), at(&a.PolledAt), at(&a.ExpiresAt)}
	},
	sparse: []string{"user_id", "handle_hash", "code_hash"},
	fields: map[string]string{
		"handle_hash": requestParty.alive() + " AND authorizations.handle_hash",
		"code_hash":   requestParty.alive() + " AND authorizations.code_hash",
	},
	alive: unbroken("authorizations") + " AND " + ofMember("authorizations"), // sql: conditions on columns written right there
}

var consents = &table[oidc.Consent]{
	name: "consents", kind: id.Consent, missing: oidc.ErrNoConsent,
	stamp:   func(c *oidc.Consent) *directory.Stamp { return &c.Stamp },
	fixed:   []string{"home_id"},
	columns: []string{"organization_id", "user_id", "home_id", "application", "scopes"},
	bind: func(c *oidc.Consent) []any {
		return []any{num(&c.Organization), num(&c.User), num(&c.Home), num(&c.Application), doc(&c.Scopes)}
	},
	alive:    ofMember("consents"),
	replaces: []string{"user_id", "organization_id", "application"},
	taken:    map[string]error{"once": errRaced, "user_id": errRaced},
}

// Sessions, Grants, Accesses, SignOuts, Authorizations and Consents are objects like
// those of every other kind.

func (tx *Tx) Sessions() query.Objects[session.Session] {
	return objects[session.Session]{sessions, tx}
}
func (tx *Tx) Grants() query.Objects[session.Grant]    { return objects[session.Grant]{grants, tx} }
func (tx *Tx) Accesses() query.Objects[session.Access] { return objects[session.Access]{accesses, tx} }
func (tx *Tx) SignOuts() query.Objects[session.SignOut] {
	return objects[session.SignOut]{signOuts, tx}
}
func (tx *Tx) Authorizations() query.Objects[oidc.Authorization] {
	return objects[oidc.Authorization]{authorizations, tx}
}
func (tx *Tx) Consents() query.Objects[oidc.Consent] { return objects[oidc.Consent]{consents, tx} }

var (
	liveSessions = sync.OnceValue(func() string {
		return " FROM sessions AS c WHERE c.expires_at > $1 AND c.idle_until > $1 AND " + sessionParty.alive()
	})
	liveGrants = sync.OnceValue(func() string {
		return "SELECT " + grants.of("c") + ", " + seatColumns() + " FROM token_grants AS c" + seatJoins("c") + " WHERE " + grantOpen("c") + " AND " + seatedParty.alive()
	})
	// A token of a person is on a grant, which is older and of the same owners: as long
	// as it is alive, so is the token.
	liveAccess = sync.OnceValue(func() string {
		return "SELECT t.realm_id, " + accesses.of("t") + ", " + grants.of("c") + ", " + seatColumns() +
			" FROM access_tokens AS t LEFT JOIN token_grants AS c ON c.id = t.family AND t.family <> 0" + seatJoins("c") +
			" WHERE t.hash = $2 AND t.expires_at > $1 AND (t.user_id = 0 AND t.family = 0 AND " + ownTokenParty.alive() +
			" OR c.id IS NOT NULL AND " + grantOpen("c") + " AND " + seatedParty.alive() + ")"
	})
)

// notSpent says that the hash $4 was not used up in the realm $2.
const notSpent = " AND NOT EXISTS (SELECT 1 FROM spent AS x WHERE x.realm_id = $2 AND x.hash = $4)"

// LiveSession finds a session by the hash of its secret.
func (f Finder) LiveSession(ctx context.Context, hash string) (realm id.ID, s session.Session, err error) {
	err = f.one(ctx, "SELECT realm_id, "+sessions.selected()+liveSessions()+" AND c.hash = $2", []any{micros(f.DB.now()), hash},
		append([]any{num(&realm)}, objects[session.Session]{t: sessions}.destinations(&s)...))
	return realm, s, missing(err, session.ErrNotFound)
}

// LiveSessionByID finds a session of a realm by its id.
func (f Finder) LiveSessionByID(ctx context.Context, realm, i id.ID) (s session.Session, err error) {
	err = f.one(ctx, "SELECT "+sessions.selected()+liveSessions()+" AND c.realm_id = $2 AND c.id = $3",
		[]any{micros(f.DB.now()), int64(realm), int64(i)}, objects[session.Session]{t: sessions}.destinations(&s))
	return s, missing(err, session.ErrNotFound)
}

// LiveAccess finds an opaque access token by the hash of its text.
func (f Finder) LiveAccess(ctx context.Context, hash string) (realm id.ID, a session.Access, g session.Grant, of directory.Seat, err error) {
	into := append([]any{num(&realm)}, objects[session.Access]{t: accesses}.destinations(&a)...)
	for _, d := range (objects[session.Grant]{t: grants}).destinations(&g) {
		into = append(into, orNothing{d})
	}
	err = f.one(ctx, liveAccess(), []any{micros(f.DB.now()), hash}, append(into, seatInto(&of)...))
	return realm, a, g, of, missing(err, session.ErrAccessNotFound)
}

// LiveGrant finds a grant of a realm by its id, unless the token that asks was revoked.
func (f Finder) LiveGrant(ctx context.Context, realm, i id.ID, jti string) (g session.Grant, of directory.Seat, err error) {
	err = f.one(ctx, liveGrants()+" AND c.realm_id = $2 AND c.id = $3"+notSpent,
		[]any{micros(f.DB.now()), int64(realm), int64(i), jti}, append(objects[session.Grant]{t: grants}.destinations(&g), seatInto(&of)...))
	return g, of, missing(err, session.ErrGrant)
}

var liveClient = sync.OnceValue(func() string {
	return "SELECT 1 FROM applications AS c WHERE NOT c.disabled AND c.realm_id = $1 AND c.id = $2 AND " + applicationParty.issued("$4").alive() +
		" AND NOT EXISTS (SELECT 1 FROM spent AS x WHERE x.realm_id = $1 AND x.hash = $3)"
})

// LiveClient fails unless an application of a realm is alive, was so since its token was
// issued, and the token is not revoked.
func (f Finder) LiveClient(ctx context.Context, realm, application id.ID, jti string, issued time.Time) error {
	var one int
	return missing(f.one(ctx, liveClient(), []any{int64(realm), int64(application), jti, micros(issued)}, []any{&one}), session.ErrAccessNotFound)
}

func missing(err, what error) error {
	if errors.Is(err, errNoRow) {
		return what
	}
	return err
}

// OpenSession gives a session that has not ended; see session.Tx.
func (tx *Tx) OpenSession(ctx context.Context, i id.ID) (s session.Session, err error) {
	err = scanOne(ctx, tx.q, "SELECT "+sessions.selected()+liveSessions()+" AND c.realm_id = $2 AND c.id = $3",
		[]any{micros(tx.now), int64(tx.realm), int64(i)}, objects[session.Session]{t: sessions}.destinations(&s)...)
	return s, missing(err, session.ErrNotFound)
}

// Present holds everybody whom a credential is about to be made for; see session.Tx.
// Whoever deletes or suspends one of them waits for this transaction, or is seen by it.
func (tx *Tx) Present(ctx context.Context, organization, user id.ID) (u directory.User, err error) {
	if organization != id.None {
		o, err := tx.Organizations().Hold(ctx, organization)
		if err != nil || o.State != directory.Active {
			return u, absent(err)
		}
	}
	if u, err = tx.Users().Hold(ctx, user); err != nil || u.State != directory.UserActive {
		return u, absent(err)
	}
	if u.Home != id.None && u.Home != organization {
		o, err := tx.Organizations().Get(ctx, u.Home)
		if err != nil || o.State != directory.Active {
			return u, absent(err)
		}
	}
	if organization == id.None {
		return u, nil
	}
	m, err := tx.Members().Find(ctx, query.Is("organization_id", organization), query.Is("user_id", user))
	if err == nil {
		m, err = tx.Members().Hold(ctx, m.ID)
	}
	if err != nil || m.State != directory.MemberActive {
		return u, absent(err)
	}
	return u, nil
}

func absent(err error) error {
	if err == nil || fault.KindOf(err) == fault.NotFound {
		return session.ErrSession
	}
	return err
}

// SignOut sets the moment before which nobody is signed in; see session.Tx.
func (tx *Tx) SignOut(ctx context.Context, organization, user id.ID) error {
	now := micros(tx.now)
	var err error
	switch {
	case organization != id.None && user != id.None:
		_, err = tx.q.exec(ctx, "UPDATE members SET signed_out_at = $1 WHERE realm_id = $2 AND organization_id = $3 AND user_id = $4",
			[]any{now, int64(tx.realm), int64(organization), int64(user)})
	case organization != id.None:
		_, err = tx.q.exec(ctx, "UPDATE organizations SET signed_out_at = $1 WHERE realm_id = $2 AND id = $3", []any{now, int64(tx.realm), int64(organization)})
	case user != id.None:
		_, err = tx.q.exec(ctx, "UPDATE users SET signed_out_at = $1 WHERE realm_id = $2 AND id = $3", []any{now, int64(tx.realm), int64(user)})
	default:
		_, err = tx.q.exec(ctx, "UPDATE realms SET signed_out_at = $1 WHERE id = $2", []any{now, int64(tx.realm)})
	}
	return err
}

// Withdraw forgets a consent; see session.Tx.
func (tx *Tx) Withdraw(ctx context.Context, g session.Grant) error {
	_, err := tx.Consents().DeleteWhere(ctx, query.Is("user_id", g.User), query.Is("organization_id", g.Organization), query.Is("application", g.Application))
	return err
}

// Spend uses a hash up; see session.Tx.
func (tx *Tx) Spend(ctx context.Context, hash string, until time.Time) (bool, error) {
	n, err := affected(tx.q.exec(ctx, "INSERT INTO spent (realm_id, hash, expires_at) VALUES ($1, $2, $3) ON CONFLICT (realm_id, hash) DO NOTHING",
		[]any{int64(tx.realm), hash, micros(until)}))
	return n > 0, err
}

// SignOutsDue lists realms in which applications are to be told of a sign-out.
func (db *DB) SignOutsDue(ctx context.Context) ([]id.ID, error) {
	realms, err := scanAll(ctx, db.read(), "SELECT DISTINCT realm_id FROM sign_outs WHERE run_at <= $1 AND EXISTS (SELECT 1 FROM realms AS z WHERE z.id = sign_outs.realm_id AND z.deleted_at = 0) LIMIT 100", []any{micros(db.now())},
		func(i *id.ID) []any { return []any{num(i)} })
	return realms, translate(err)
}

// endings are the tables whose rows expire, and how many of them a sweep takes at once.
var endings = []string{"sessions", "token_grants", "access_tokens", "authorizations", "spent"}

const sweepAtOnce = 500

// SweepSessions removes what expired, and what stands for an application, session or
// grant that is gone.
func (db *DB) SweepSessions(ctx context.Context) error {
	now := micros(db.now())
	for _, t := range endings {
		text := "DELETE FROM " + t + " WHERE id IN (SELECT id FROM " + t + " WHERE expires_at < $1 ORDER BY expires_at LIMIT $2)"
		if t == "spent" {
			text = "DELETE FROM spent WHERE (realm_id, hash) IN (SELECT realm_id, hash FROM spent WHERE expires_at < $1 ORDER BY expires_at LIMIT $2)"
		}
		for n := sweepAtOnce; n == sweepAtOnce; {
			err := db.transact(ctx, true, func(q querier) (err error) {
				n, err = affected(q.exec(ctx, text, []any{now, int64(sweepAtOnce)}))
				return err
			})
			if err != nil {
				return translate(err)
			}
		}
	}
	return translate(db.transact(ctx, true, func(q querier) error {
		_, err := q.exec(ctx, "DELETE FROM consents WHERE NOT EXISTS (SELECT 1 FROM applications AS a WHERE a.id = consents.application)", nil)
		return err
	}))
}
