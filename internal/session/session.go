// Package session owns what keeps somebody signed in: sessions, the grants that
// applications hold, and the refresh and access tokens of these grants.
package session

import (
	"context"
	"slices"
	"time"

	"guildhall/internal/access"
	"guildhall/internal/directory"
	"guildhall/internal/event"
	"guildhall/internal/fault"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

// A Factor is one proof that somebody gave, and when. Methods are neutral words,
// "password", "passkey", "totp", "email_code", "magic_link", "sms_code",
// "recovery_code", "oauth", "sso"; see AMR for what tokens say of them.
type Factor struct {
	Method     string    `json:"method"`
	At         time.Time `json:"at"`
	Credential id.ID     `json:"credential,omitempty"` // what proved it, if it is kept
	Connection id.ID     `json:"connection,omitempty"` // that vouched for it
	Target     string    `json:"target,omitempty"`     // the address a code went to
}

// A Session is somebody signed in, on one device.
type Session struct {
	directory.Stamp
	Organization id.ID // it is bound to this one; none for a browser's session with the whole realm
	User         id.ID
	Home         id.ID // of the user
	Application  id.ID // that it was started for, or none
	Hash         string
	Origin       string // where its cookie lives; "" for one that is no cookie
	Factors      []Factor
	Device       string // what the device says it is
	DeviceHash   string // the same for all sessions that came of one sign-in, or of one device that is known again
	Address      string // where it was last seen
	Idle         time.Duration
	SeenAt       time.Time
	IdleUntil    time.Time
	ExpiresAt    time.Time
	Custom       directory.Metadata // claims that the application put onto it
}

// AuthTime is when the person last proved anything (OpenID Connect Core 1.0
// section 2, auth_time).
func (s Session) AuthTime() time.Time { return latest(s.Factors) }

// ProvenAt is when the person last proved the account itself, or the zero Time. An
// organization's identity provider speaks for people in that organization: unless the
// account is the organization's own, whoever runs it has proven nothing that lets him
// change other ways into it, nor has a second factor that was set up on that way.
func (s Session) ProvenAt() (at time.Time) {
	if s.Home != id.None && s.Home == s.Organization {
		return s.AuthTime()
	}
	return latest(slices.DeleteFunc(slices.Clone(s.Factors), func(f Factor) bool {
		return f.Method == "sso" || f.Method == "totp" || f.Method == "recovery_code"
	}))
}

func latest(factors []Factor) (at time.Time) {
	for _, f := range factors {
		if f.At.After(at) {
			at = f.At
		}
	}
	return at
}

// The facts this package reports. Why a session or token is not good is never told.
var (
	ErrNotFound = fault.New(fault.NotFound, "session_not_found", "", "the session does not exist")
	ErrSession  = fault.New(fault.Unauthenticated, "invalid_session", "", "the session is not valid")
	ErrGrant    = fault.New(fault.NotFound, "token_grant_not_found", "", "the grant does not exist")
	ErrToken    = fault.New(fault.Unauthenticated, "invalid_grant", "", "the token is not valid")
)

// Finder looks up what somebody presents before the realm is known. It finds only
// what is alive: neither expired nor revoked, and with everybody it stands for up
// to the realm alive and active at this moment, in one query.
type Finder interface {
	LiveSession(ctx context.Context, hash string) (realm id.ID, s Session, err error)
	// LiveSessionByID is the same for a session named by something that was verified.
	LiveSessionByID(ctx context.Context, realm, i id.ID) (Session, error)
	// LiveAccess also gives the grant on which the token was issued, if it was on one,
	// and whom it is of.
	LiveAccess(ctx context.Context, hash string) (realm id.ID, a Access, g Grant, of directory.Seat, err error)
	// LiveGrant is asked for a self-contained token: jti is the hash of its id, which
	// may have been revoked by itself.
	LiveGrant(ctx context.Context, realm, i id.ID, jti string) (g Grant, of directory.Seat, err error)
	// LiveClient is the same for a token of an application that stands for itself,
	// issued at a moment: what was restored since has not issued it.
	LiveClient(ctx context.Context, realm, application id.ID, jti string, issued time.Time) error
}

// Families keeps the refresh tokens of grants.
type Families interface {
	// LiveFamily finds a grant by the hash of what its refresh tokens share, and whom it
	// is of, as a Finder does.
	LiveFamily(ctx context.Context, realm id.ID, hash string) (g Grant, of directory.Seat, err error)
	// Rotate writes the hashes and times of a grant, durably, if the token with the hash
	// used still is the one to use next and everybody is alive in this very moment.
	// Otherwise it reports false and has changed nothing.
	Rotate(ctx context.Context, realm id.ID, g Grant, used string) (bool, error)
}

// Tx is what this package asks of a transaction on one realm.
type Tx interface {
	Sessions() query.Objects[Session]
	Grants() query.Objects[Grant]
	Accesses() query.Objects[Access]
	SignOuts() query.Objects[SignOut]
	// Present gives a user who is active, and an active member where an organization
	// is named, and keeps it so until the transaction ends; else it fails with ErrSession.
	Present(ctx context.Context, organization, user id.ID) (directory.User, error)
	// OpenSession gives a session that has not ended in any way, and else fails with ErrNotFound.
	OpenSession(ctx context.Context, i id.ID) (Session, error)
	// SignOut ends whatever was signed in before now: of a user, of an organization,
	// or of the user in the organization; of the realm when both are none.
	SignOut(ctx context.Context, organization, user id.ID) error
	// Spend uses a hash up until it expires, and reports false when it was before.
	Spend(ctx context.Context, hash string, until time.Time) (bool, error)
	event.Log
}

// A Withdrawal is a transaction in which people take back what they allowed.
type Withdrawal interface {
	Tx
	// Withdraw forgets what the user of a grant has allowed its application for good.
	Withdraw(ctx context.Context, g Grant) error
}

// Store runs functions in transactions on a realm; see directory.Store.
type Store interface {
	View(ctx context.Context, realm id.ID, fn func(Tx) error) error
	Update(ctx context.Context, realm id.ID, fn func(Tx) error) error
}

// A Service performs the operations of this package.
type Service struct {
	Store     Store
	Finder    Finder
	Families  Families
	Directory directory.Store // who and what sessions are of
	Consents  interface {
		Update(ctx context.Context, realm id.ID, fn func(Withdrawal) error) error
	}
	Now func() time.Time
	// Key derives successors of refresh tokens. It is the same on every node and
	// useless without the token that is succeeded.
	Key []byte
}

// The life of a session for which nobody chose another.
const (
	DefaultIdle = 72 * time.Hour
	DefaultLife = 7 * 24 * time.Hour
)

// touchEvery is how often being seen is written down: a query that writes costs
// many times one that reads.
const touchEvery = time.Minute

// A New is what a session begins with. Whoever starts one has verified everything.
type New struct {
	Organization id.ID
	User         id.ID
	Application  id.ID
	Origin       string
	Factors      []Factor
	Device       string
	DeviceHash   string
	Address      string
	Idle, Life   time.Duration // 0 means the default
	Custom       directory.Metadata
}

// Start begins a session and gives its secret, which is kept as a hash only.
func (s *Service) Start(ctx context.Context, realm id.ID, n New) (made Session, secret string, err error) {
	err = s.Store.Update(ctx, realm, func(tx Tx) error {
		made, secret, err = s.Begin(ctx, tx, n)
		return err
	})
	return made, secret, err
}

// Begin is Start inside a transaction, such as the one that used up a code.
func (s *Service) Begin(ctx context.Context, tx Tx, n New) (Session, string, error) {
	u, err := tx.Present(ctx, n.Organization, n.User)
	if err != nil {
		return Session{}, "", err
	}
	now, secret := s.Now(), newSecret(sessionPrefix)
	made := Session{
		Organization: n.Organization, User: n.User, Home: u.Home, Application: n.Application, Hash: hash(secret), Origin: n.Origin,
		Factors: n.Factors, Device: clip(n.Device, 400), DeviceHash: n.DeviceHash, Address: n.Address,
		Idle: or(n.Idle, DefaultIdle), SeenAt: now, ExpiresAt: now.Add(or(n.Life, DefaultLife)), Custom: n.Custom,
	}
	made.IdleUntil = earlier(now.Add(made.Idle), made.ExpiresAt)
	if made.DeviceHash == "" {
		made.DeviceHash = hash("device " + secret)
	}
	if err := tx.Sessions().Insert(ctx, &made); err != nil {
		return made, "", err
	}
	return made, secret, s.record(ctx, tx, "session.started", "user:"+n.User.String(), made)
}

func orSession(err error) error {
	if err == nil || fault.KindOf(err) == fault.NotFound {
		return ErrSession
	}
	return err
}

func (s *Service) record(ctx context.Context, tx Tx, what, actor string, of Session) error {
	_, err := tx.Append(ctx, event.Event{Type: what, Actor: actor, Organization: of.Organization, Kind: id.Session, Subject: of.ID})
	return err
}

// Check gives the session of a secret if it is alive and lives at this origin; an
// empty origin asks for a session that is no cookie. Being seen prolongs it.
func (s *Service) Check(ctx context.Context, secret, origin string) (realm id.ID, found Session, err error) {
	if !formed(secret, sessionPrefix) {
		return realm, found, ErrSession
	}
	realm, found, err = s.Finder.LiveSession(ctx, hash(secret))
	if err != nil {
		return realm, found, orSession(err)
	}
	if found.Origin != origin {
		return realm, Session{}, ErrSession
	}
	return realm, s.seen(ctx, realm, found), nil
}

// Bearing reports whether a text has the form of the secret of a session.
func Bearing(text string) bool { return formed(text, sessionPrefix) }

// Named gives a living session by its id, which came from something that was verified,
// such as the grant of an access token. It is not prolonged.
func (s *Service) Named(ctx context.Context, realm, i id.ID) (Session, error) {
	found, err := s.Finder.LiveSessionByID(ctx, realm, i)
	if err != nil {
		return Session{}, orSession(err)
	}
	return found, nil
}

// seen prolongs a session now and then. That it fails ends nothing: the next
// request tries again.
func (s *Service) seen(ctx context.Context, realm id.ID, of Session) Session {
	now := s.Now()
	if now.Sub(of.SeenAt) < min(touchEvery, of.Idle/10) {
		return of
	}
	touched := of
	err := s.Store.Update(ctx, realm, func(tx Tx) error {
		touched = of
		touched.SeenAt, touched.IdleUntil = now, earlier(now.Add(of.Idle), of.ExpiresAt)
		return tx.Sessions().Update(ctx, &touched)
	})
	if err != nil {
		return of
	}
	return touched
}

// AddFactor notes another proof, for step-up, and gives the session a new secret:
// whoever knew the old one did not give the proof.
func (s *Service) AddFactor(ctx context.Context, realm, i id.ID, f Factor) (changed Session, secret string, err error) {
	err = s.Store.Update(ctx, realm, func(tx Tx) error {
		if changed, err = tx.Sessions().Lock(ctx, i); err != nil {
			return orSession(err)
		}
		if !s.Now().Before(earlier(changed.ExpiresAt, changed.IdleUntil)) {
			return ErrSession
		}
		kept := changed.Factors[:0:0]
		for _, old := range changed.Factors {
			if old.Method != f.Method || old.Credential != f.Credential {
				kept = append(kept, old)
			}
		}
		secret = newSecret(sessionPrefix)
		changed.Factors, changed.Hash = append(kept, f), hash(secret)
		if err := tx.Sessions().Update(ctx, &changed); err != nil {
			return err
		}
		return s.record(ctx, tx, "session.factor_added", "user:"+changed.User.String(), changed)
	})
	return changed, secret, err
}

// Continue lets a session go on with what a fresh one of the same person has proved, so
// that its applications keep what they have and know it by the same name. The fresh one
// is used up; its secret is from now on that of the session, and the old one is dead.
func (s *Service) Continue(ctx context.Context, realm, i id.ID, fresh Session) error {
	return s.Store.Update(ctx, realm, func(tx Tx) error {
		kept, err := tx.Sessions().Lock(ctx, i)
		if err != nil {
			return orSession(err)
		}
		if kept.User != fresh.User || kept.Organization != fresh.Organization || kept.Origin != fresh.Origin {
			return ErrSession
		}
		if err := tx.Sessions().Delete(ctx, fresh.ID); err != nil {
			return orSession(err)
		}
		kept.Hash, kept.Factors, kept.Application, kept.Custom = fresh.Hash, fresh.Factors, fresh.Application, fresh.Custom
		kept.Device, kept.DeviceHash, kept.Address = fresh.Device, fresh.DeviceHash, fresh.Address
		kept.Idle, kept.SeenAt, kept.IdleUntil, kept.ExpiresAt = fresh.Idle, fresh.SeenAt, fresh.IdleUntil, fresh.ExpiresAt
		if err := tx.Sessions().Update(ctx, &kept); err != nil {
			return err
		}
		by := "user:" + kept.User.String()
		if err := s.record(ctx, tx, "session.revoked", by, fresh); err != nil {
			return err
		}
		return s.record(ctx, tx, "session.factor_added", by, kept)
	})
}

// Exchange starts a session of the same person in another organization, or in none,
// with the proofs of this one. Whether they are enough there is the caller's to say.
func (s *Service) Exchange(ctx context.Context, realm id.ID, from Session, organization id.ID) (Session, string, error) {
	left := from.ExpiresAt.Sub(s.Now())
	return s.Start(ctx, realm, New{
		Organization: organization, User: from.User, Application: from.Application, Origin: from.Origin, Factors: from.Factors,
		Device: from.Device, DeviceHash: from.DeviceHash, Address: from.Address, Idle: from.Idle, Life: max(left, time.Second),
	})
}

// Sessions lists living sessions, those of everybody the actor may look after.
func (s *Service) Sessions(ctx context.Context, by access.Actor, q query.Query) (page query.Page[Session], err error) {
	if q, err = s.reached(by, access.SessionRead, q); err != nil {
		return page, err
	}
	err = s.Store.View(ctx, by.Realm, func(tx Tx) error {
		page, err = tx.Sessions().List(ctx, q)
		return err
	})
	return page, err
}

// reached narrows a query to what an actor may look after and what has not expired:
// sessions in its organizations, and those of the users at home there.
func (s *Service) reached(by access.Actor, p access.Permission, q query.Query) (query.Query, error) {
	now := s.Now()
	q.Where = append(q.Where[:len(q.Where):len(q.Where)], query.Where("expires_at", query.More, now), query.Where("idle_until", query.More, now))
	everywhere, on := by.Reach(p)
	switch {
	case everywhere:
		return q, nil
	case len(on) == 0:
		return q, access.ErrPermissionMissing.With(p)
	}
	q.Where = append(q.Where, query.Any(query.OneOf("organization_id", on), query.OneOf("home_id", on)))
	return q, nil
}

// Own lists the living sessions of a person, who needs no permission for it.
func (s *Service) Own(ctx context.Context, realm, user id.ID) (list []Session, err error) {
	now := s.Now()
	err = s.Store.View(ctx, realm, func(tx Tx) error {
		page, err := tx.Sessions().List(ctx, query.Query{
			Where: []query.Condition{query.Is("user_id", user), query.Where("expires_at", query.More, now), query.Where("idle_until", query.More, now)},
			By:    "seen_at", Desc: true, Limit: query.MaxLimit,
		})
		list = page.Items
		return err
	})
	return list, err
}
