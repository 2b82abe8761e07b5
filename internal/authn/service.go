package authn

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
	"sync"
	"time"

	"guildhall/internal/access"
	"guildhall/internal/credential"
	"guildhall/internal/directory"
	"guildhall/internal/fault"
	"guildhall/internal/id"
	"guildhall/internal/query"
	"guildhall/internal/realm"
	"guildhall/internal/session"
	"guildhall/internal/sso"
)

// Tx is what this package asks of a transaction on one realm.
type Tx interface {
	Challenges() query.Objects[Challenge]
	Factors() query.Objects[credential.Factor]
	Keys() query.Objects[credential.Key]
	Connections() query.Objects[sso.Connection]
	Identities() query.Objects[sso.Identity]
	// Directory is the same transaction for what the directory does in it.
	Directory() directory.Tx
}

// Store runs functions in transactions on a realm; see directory.Store.
type Store interface {
	View(ctx context.Context, realm id.ID, fn func(Tx) error) error
	Update(ctx context.Context, realm id.ID, fn func(Tx) error) error
}

// Realms tells what belongs to a realm as a whole.
type Realms interface {
	SignIn(ctx context.Context, realm id.ID) (realm.SignIn, error)
	// Origins lists where the pages of a realm are, and nowhere else.
	Origins(ctx context.Context, realm id.ID) ([]string, error)
}

// Sessions begins and ends sessions; see session.Service.
type Sessions interface {
	Start(ctx context.Context, realm id.ID, n session.New) (session.Session, string, error)
	RevokeOf(ctx context.Context, by access.Actor, of session.Of) (int, error)
	Exchange(ctx context.Context, realm id.ID, from session.Session, organization id.ID) (session.Session, string, error)
}

// A Notice is something to tell somebody by mail or text message.
type Notice struct {
	Kind         string // a word of package notify
	Organization id.ID
	User, Home   id.ID
	To           string
	Name         string
	Locale       string
	Asked        string // the address of the client that asked for it, or ""
	Data         map[string]string
	At           time.Time // when what it tells of happened
}

// Post brings notices on their way; it must not wait for their arrival.
type Post interface {
	Queue(ctx context.Context, realm id.ID, n Notice) error
}

// Providers speaks with identity providers; see sso.Client.
type Providers interface {
	Authorize(ctx context.Context, c sso.Connection, r sso.Request) (url string, err error)
	Redeem(ctx context.Context, c sso.Connection, secret string, r sso.Response) (sso.Profile, error)
}

// A Service performs the operations of this package.
type Service struct {
	Store       Store
	Realms      Realms
	Credentials *credential.Service
	Sessions    Sessions
	Vault       Vault
	Post        Post      // nil tells nobody anything
	Guard       Guard     // nil slows nobody down
	Providers   Providers // nil knows no identity providers
	Now         func() time.Time
	Failed      func(error) // told of notices that could not be queued; may be nil

	posting sync.WaitGroup
}

// A Vault opens what connections have sealed.
type Vault interface {
	Seal(ctx context.Context, realm, organization id.ID, purpose string, plain []byte) ([]byte, error)
	Open(ctx context.Context, realm, organization id.ID, purpose string, sealed []byte) ([]byte, error)
}

// The facts this package reports. Those about proofs never tell what was wrong.
var (
	ErrFlow         = fault.New(fault.Precondition, "sign_in_expired", "", "this attempt to sign in is over; begin again")
	ErrProof        = fault.New(fault.Unauthenticated, "invalid_proof", "", "this is not right, or not valid any more")
	ErrStep         = fault.New(fault.Precondition, "wrong_step", "", "something else comes first")
	ErrMethod       = fault.New(fault.Forbidden, "method_not_allowed", "", "this way to sign in is not allowed here")
	ErrNobody       = fault.New(fault.Forbidden, "no_access", "", "this account has no access here")
	ErrInvitation   = fault.New(fault.Precondition, "invitation_not_valid", "", "the invitation is not valid any more")
	ErrProvider     = fault.New(fault.Unauthenticated, "provider_refused", "", "the identity provider did not confirm who you are")
	ErrLinked       = fault.New(fault.Forbidden, "account_linked_elsewhere", "", "the account is linked to another account at this identity provider")
	ErrTooManySends = fault.New(fault.Exhausted, "too_many_messages", "", "too many messages were sent; wait before asking for another")
)

// Lives of what is in flight.
const (
	flowLife   = time.Hour
	codeLife   = 10 * time.Minute
	resetLife  = time.Hour
	verifyLife = 24 * time.Hour
	tripLife   = 15 * time.Minute
)

// A flow is a challenge of that kind while somebody works on it.
type flow struct {
	Challenge
	*State
	realm  id.ID
	handle string
	rules  realm.SignIn
	refuse error // told after the transaction was committed
	after  []func()
}

// act locks a flow, lets fn change it, looks what comes next and keeps all of it.
// What fn refuses by setting refuse is kept as well, so that attempts are counted.
func (s *Service) act(ctx context.Context, in id.ID, handle string, fn func(Tx, *flow) error) (p Progress, err error) {
	rules, err := s.Realms.SignIn(ctx, in)
	if err != nil {
		return p, err
	}
	var f *flow
	err = s.Store.Update(ctx, in, func(tx Tx) error {
		c, err := s.take(ctx, tx, FlowChallenge, handle)
		if err != nil {
			return err
		}
		f = &flow{Challenge: c, State: c.Data.Flow, realm: in, handle: handle, rules: rules}
		if err := fn(tx, f); err != nil {
			return err
		}
		if p, err = s.advance(ctx, tx, f); err != nil {
			return err
		}
		f.Data.Flow = f.State
		return tx.Challenges().Update(ctx, &f.Challenge)
	})
	switch {
	case errors.Is(err, ErrChallengeNotFound):
		return Progress{}, ErrFlow
	case err != nil:
		return Progress{}, err
	}
	for _, after := range f.after {
		after()
	}
	if f.refuse != nil {
		return p, f.refuse
	}
	p.Work, err = s.askWork(ctx, f, p.Step)
	return p, err
}

// take finds a living challenge by its secret and locks it.
func (s *Service) take(ctx context.Context, tx Tx, kind ChallengeKind, secret string) (Challenge, error) {
	if len(secret) < 20 || len(secret) > 200 {
		return Challenge{}, ErrChallengeNotFound
	}
	c, err := tx.Challenges().Find(ctx, query.Is("hash", credential.Hash(secret)), query.Is("kind", string(kind)))
	if err != nil {
		return c, err
	}
	if c, err = tx.Challenges().Lock(ctx, c.ID); err != nil {
		return c, err
	}
	if !s.Now().Before(c.ExpiresAt) {
		return c, ErrChallengeNotFound
	}
	return c, nil
}

// look reads a flow without keeping changes of it.
func (s *Service) look(ctx context.Context, in id.ID, handle string, fn func(Tx, *flow) error) error {
	rules, err := s.Realms.SignIn(ctx, in)
	if err != nil {
		return err
	}
	err = s.Store.Update(ctx, in, func(tx Tx) error {
		c, err := s.take(ctx, tx, FlowChallenge, handle)
		if err != nil {
			return err
		}
		return fn(tx, &flow{Challenge: c, State: c.Data.Flow, realm: in, handle: handle, rules: rules})
	})
	if errors.Is(err, ErrChallengeNotFound) {
		return ErrFlow
	}
	return err
}

// A Start is what a flow begins with.
type Start struct {
	Application  id.ID
	Request      string // of the OpenID provider, carried along
	Organization id.ID  // that is asked for; one that does not exist is none
	Slug         string // names it instead
	Invitation   string // a ticket
	Identifier   string // typed before
	Origin       string // of the page; the realm's first one when empty
	Address      string // of the client
	Locale       string
	Session      *session.Session // to go on from, instead of proving everything again
}

// Begin begins an attempt to sign in. The handle is what its browser holds, and
// nobody else: everything that happens to the flow asks for it.
func (s *Service) Begin(ctx context.Context, in id.ID, b Start) (handle string, p Progress, err error) {
	origins, err := s.Realms.Origins(ctx, in)
	switch {
	case err != nil:
		return "", p, err
	case b.Origin == "" && len(origins) > 0:
		b.Origin = origins[0]
	case !slices.Contains(origins, b.Origin):
		return "", p, fault.Invalidf("origin", "the origin is none of the realm's")
	}
	handle = credential.NewSecret("")
	err = s.Store.Update(ctx, in, func(tx Tx) error {
		c := Challenge{Kind: FlowChallenge, Hash: credential.Hash(handle), ExpiresAt: s.Now().Add(flowLife), Data: Memory{Flow: &State{
			Application: b.Application, Request: b.Request, Origin: b.Origin, Locale: b.Locale, Address: b.Address,
		}}}
		if err := s.want(ctx, tx, &c, b); err != nil {
			return err
		}
		if b.Session != nil {
			c.User, c.Home = b.Session.User, b.Session.Home
			c.Data.Flow.Session, c.Data.Flow.Proofs = b.Session.ID, proofsOf(b.Session.Factors)
		}
		return tx.Challenges().Insert(ctx, &c)
	})
	if err != nil {
		return "", p, err
	}
	if b.Identifier != "" && b.Session == nil {
		if p, err = s.Identify(ctx, in, handle, b.Identifier); fault.KindOf(err) == fault.Invalid {
			p, err = s.Progress(ctx, in, handle) // a hint of others is no reason to stop
		}
		return handle, p, err
	}
	p, err = s.Progress(ctx, in, handle)
	return handle, p, err
}

// want notes the organization or invitation that a flow begins with.
func (s *Service) want(ctx context.Context, tx Tx, c *Challenge, b Start) error {
	dir := tx.Directory()
	if b.Invitation != "" {
		v, err := dir.Invitations().Find(ctx, query.Is("ticket_hash", directory.TicketHash(b.Invitation)))
		if err != nil || !s.open(v) {
			return orNotFound(err, ErrInvitation)
		}
		if _, err := active(ctx, tx, v.Organization); err != nil {
			return orNotFound(err, ErrInvitation)
		}
		c.Organization, c.Data.Flow.Wanted, c.Data.Flow.Invitation, c.Data.Flow.Identifier = v.Organization, v.Organization, v.ID, v.Email
		c.Data.Flow.Inviter = v.Inviter
		return nil
	}
	where := query.Is("id", b.Organization)
	if b.Slug != "" {
		where = query.Is("slug_key", directory.Fold(b.Slug))
	} else if b.Organization == id.None {
		return nil
	}
	o, err := dir.Organizations().Find(ctx, where, query.Is("state", string(directory.Active)))
	if errors.Is(err, directory.ErrOrganizationNotFound) {
		return nil
	}
	c.Organization, c.Data.Flow.Wanted = o.ID, o.ID
	return err
}

// orNotFound makes one fact of every way in which something is not there.
func orNotFound(err error, fact error) error {
	if err == nil || fault.KindOf(err) == fault.NotFound {
		return fact
	}
	return err
}

func (s *Service) open(v directory.Invitation) bool {
	return v.AcceptedAt.IsZero() && s.Now().Before(v.ExpiresAt)
}

// active gives an organization through which people can sign in. One that is
// suspended is as unknown as one that is deleted.
func active(ctx context.Context, tx Tx, i id.ID) (directory.Organization, error) {
	o, err := tx.Directory().Organizations().Get(ctx, i)
	if err == nil && o.State != directory.Active {
		return directory.Organization{}, directory.ErrOrganizationNotFound
	}
	return o, err
}

// Progress tells how far a flow has come.
func (s *Service) Progress(ctx context.Context, in id.ID, handle string) (Progress, error) {
	return s.act(ctx, in, handle, func(Tx, *flow) error { return nil })
}

// Abandon ends a flow.
func (s *Service) Abandon(ctx context.Context, in id.ID, handle string) error {
	return s.Store.Update(ctx, in, func(tx Tx) error {
		c, err := s.take(ctx, tx, FlowChallenge, handle)
		if errors.Is(err, ErrChallengeNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		return s.end(ctx, tx, c)
	})
}

// end removes a flow and what belongs to it.
func (s *Service) end(ctx context.Context, tx Tx, c Challenge) error {
	if _, err := tx.Challenges().DeleteWhere(ctx, query.Is("flow", c.ID)); err != nil {
		return err
	}
	return tx.Challenges().Delete(ctx, c.ID)
}

// tell queues a notice in the background: how long it takes must not tell a caller
// whether there was anybody to write to. Wait waits for it.
func (s *Service) tell(in id.ID, n Notice) {
	if s.Post == nil || n.To == "" {
		return
	}
	s.posting.Add(1)
	go func() {
		defer s.posting.Done()
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := s.Post.Queue(ctx, in, n); err != nil && s.Failed != nil {
			s.Failed(err)
		}
	}()
}

// Wait waits until every notice is queued.
func (s *Service) Wait() { s.posting.Wait() }

// shortCode makes a code of six digits.
func shortCode() string {
	for {
		var b [3]byte
		rand.Read(b[:]) // never fails (crypto/rand)
		if n := int(b[0])<<16 | int(b[1])<<8 | int(b[2]); n < 16_000_000 {
			return string([]byte{digit(n / 100000), digit(n / 10000), digit(n / 1000), digit(n / 100), digit(n / 10), digit(n)})
		}
	}
}

func digit(n int) byte { return byte('0' + n%10) }

// codeHash is keyed with a secret that only the browser has: whoever reads the
// database cannot try all codes.
func codeHash(secret, kind, code string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(kind + " " + code))
	return hex.EncodeToString(mac.Sum(nil))
}
