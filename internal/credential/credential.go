// Package credential owns what proves who calls: applications with their
// secrets, keys, integrated accounts, and the hashing of passwords.
package credential

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"time"

	"guildhall/internal/access"
	"guildhall/internal/directory"
	"guildhall/internal/event"
	"guildhall/internal/fault"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

// An Application is a program that is registered with the realm or belongs to
// an organization. Its client id and secret prove it.
type Application struct {
	directory.Stamp
	Organization id.ID  // the owner, or none for the realm
	Project      id.ID  // or none
	Scheme       string // the wire it was made for; it is unknown on others
	Name         string
	ClientID     string // unique on the server
	SecretHash   string
	Claims       []string // what it may do, in the words of its wire
	Audiences    []string
	Grants       []access.Grant // what it may do here; empty leaves it to Claims
	Disabled     bool
	Settings     directory.Metadata
	OpenID       OpenID
}

// A Key is a long-lived secret that is a credential by itself.
type Key struct {
	directory.Stamp
	Organization id.ID // the owner, or the home of the user; none for the realm
	User         id.ID // the user it stands for, or none
	Scheme       string
	Name         string
	Hash         string // SHA-256 of the secret, hex
	Hint         string // its last four characters
	Claims       []string
	Grants       []access.Grant
	ExpiresAt    time.Time // zero means never
}

// An IntegratedAccount is a named view of the directory for a program that
// knows several directories: of the whole realm, or of one organization.
type IntegratedAccount struct {
	directory.Stamp
	Organization  id.ID // it sees only this one; none sees all
	TenantKey     string
	EnvironmentID string
	Status        string
	Method        string // how it authenticates
	Context       directory.Metadata
}

// A Principal is the owner of a credential that was found good.
type Principal struct {
	Realm        id.ID
	Subject      string // for events: "client:…", "key:…", "user:…"
	User         id.ID
	Organization id.ID // the owner of the credential, or the home of its user
	Application  id.ID
	Key          id.ID
	Scheme       string
	Claims       []string
	Grants       []access.Grant
	Audiences    []string
	ExpiresAt    time.Time // zero means never
}

// ErrCredential is a credential that is unknown, expired, revoked, of another
// wire, or whose owner is gone or suspended. Which of these is never told.
var ErrCredential = fault.New(fault.Unauthenticated, "invalid_credential", "", "the credential is not valid")

// The facts about stored credentials.
var (
	ErrApplicationNotFound       = fault.New(fault.NotFound, "application_not_found", "", "the application does not exist")
	ErrKeyNotFound               = fault.New(fault.NotFound, "key_not_found", "", "the key does not exist")
	ErrIntegratedAccountNotFound = fault.New(fault.NotFound, "integrated_account_not_found", "", "the integrated account does not exist")
	ErrClientIDTaken             = fault.New(fault.Conflict, "client_id_taken", "client_id", "an application with this client id exists already")
)

// Finder looks credentials up before the realm is known. It finds only those
// whose owners, up to the realm, are alive and active at this moment.
type Finder interface {
	LiveKey(ctx context.Context, hash string) (realm id.ID, k Key, err error)
	// The next two are for what came of the credential at a moment: it is dead when
	// an owner was restored since.
	LiveKeyByID(ctx context.Context, realm, i id.ID, at time.Time) (Key, error)
	LiveApplication(ctx context.Context, clientID string, at time.Time) (realm id.ID, a Application, err error)
	// LiveMachine finds the key of a machine by its Handle.
	LiveMachine(ctx context.Context, realm id.ID, kid string) (Factor, error)
}

// Tx is what this package asks of a transaction on one realm.
type Tx interface {
	Applications() query.Objects[Application]
	Keys() query.Objects[Key]
	Factors() query.Objects[Factor]
	IntegratedAccounts() query.Objects[IntegratedAccount]
	Users() query.Objects[directory.User]
	Organizations() query.Objects[directory.Organization]
	event.Log
}

// Store runs functions in transactions on a realm; see directory.Store.
type Store interface {
	View(ctx context.Context, realm id.ID, fn func(Tx) error) error
	Update(ctx context.Context, realm id.ID, fn func(Tx) error) error
}

// A Service performs the operations of this package.
type Service struct {
	Store  Store
	Finder Finder
	Now    func() time.Time
	Hasher Hasher
	// Vault seals what must be read again: the secrets of authenticator apps.
	Vault Vault
	// Breaches knows breached passwords; nil knows none.
	Breaches Breaches
	// Dialects are those that applications can be set to.
	Dialects []string
}

// A Vault seals secrets of people; see vault.Service. It may write, so it is never
// called inside a transaction that writes.
type Vault interface {
	SealPersonal(ctx context.Context, realm, home id.ID, purpose string, plain []byte) ([]byte, error)
	Open(ctx context.Context, realm, organization id.ID, purpose string, sealed []byte) ([]byte, error)
}

// Key gives the principal of an opaque secret.
func (s *Service) Key(ctx context.Context, secret, scheme string) (Principal, error) {
	realm, k, err := s.Finder.LiveKey(ctx, Hash(secret))
	if err != nil {
		return Principal{}, unknown(err, ErrKeyNotFound)
	}
	return s.keyPrincipal(realm, k, scheme)
}

// LiveKey gives the principal of a key with which a token was made that is presented
// now: whoever may not use the key any more may not use what came of it either.
func (s *Service) LiveKey(ctx context.Context, realm, i id.ID, scheme string, issued time.Time) (Principal, error) {
	k, err := s.Finder.LiveKeyByID(ctx, realm, i, issued)
	if err != nil {
		return Principal{}, unknown(err, ErrKeyNotFound)
	}
	return s.keyPrincipal(realm, k, scheme)
}

func (s *Service) keyPrincipal(realm id.ID, k Key, scheme string) (Principal, error) {
	if k.Scheme != scheme || (!k.ExpiresAt.IsZero() && !s.Now().Before(k.ExpiresAt)) {
		return Principal{}, ErrCredential
	}
	p := Principal{
		Realm: realm, Subject: "key:" + k.ID.String(), User: k.User, Organization: k.Organization, Key: k.ID,
		Scheme: k.Scheme, Claims: k.Claims, Grants: k.Grants, ExpiresAt: k.ExpiresAt,
	}
	if k.User != id.None {
		p.Subject = "user:" + k.User.String()
	}
	return p, nil
}

// Client gives the principal of a client id and its secret. An unknown client
// takes as long as a wrong secret.
func (s *Service) Client(ctx context.Context, clientID, secret, scheme string) (Principal, error) {
	realm, a, err := s.Finder.LiveApplication(ctx, clientID, s.Now())
	if err != nil {
		_ = subtle.ConstantTimeCompare([]byte(Hash(secret)), []byte(Hash(clientID)))
		return Principal{}, unknown(err, ErrApplicationNotFound)
	}
	if a.SecretHash == "" || subtle.ConstantTimeCompare([]byte(Hash(secret)), []byte(a.SecretHash)) != 1 {
		return Principal{}, ErrCredential
	}
	return clientPrincipal(realm, a, scheme)
}

// LiveClient gives the principal of a client without its secret.
func (s *Service) LiveClient(ctx context.Context, clientID, scheme string) (Principal, error) {
	return s.ClientSince(ctx, clientID, scheme, s.Now())
}

// ClientSince gives the principal of a client whose token was verified already:
// it says whether the client is still alive and what it may do now. A token that
// was issued before an owner was deleted and restored is dead.
func (s *Service) ClientSince(ctx context.Context, clientID, scheme string, issued time.Time) (Principal, error) {
	realm, a, err := s.Finder.LiveApplication(ctx, clientID, issued)
	if err != nil {
		return Principal{}, unknown(err, ErrApplicationNotFound)
	}
	return clientPrincipal(realm, a, scheme)
}

func clientPrincipal(realm id.ID, a Application, scheme string) (Principal, error) {
	if a.Scheme != scheme || a.Disabled {
		return Principal{}, ErrCredential
	}
	return Principal{
		Realm: realm, Subject: "client:" + a.ClientID, Organization: a.Organization, Application: a.ID,
		Scheme: a.Scheme, Claims: a.Claims, Grants: a.Grants, Audiences: a.Audiences,
	}, nil
}

func unknown(err error, missing *fault.Error) error {
	if missing.Is(err) || fault.KindOf(err) == fault.NotFound {
		return ErrCredential
	}
	return err
}

// Hash is the form in which random secrets are kept and looked up: they have
// 256 bits, so a fast hash is as good as a slow one.
func Hash(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

// newClientID makes a name of 192 random bits. It begins with no dash, since people
// type it as an argument of commands.
func newClientID() string {
	for {
		if name := NewSecret("")[:32]; name[0] != '-' {
			return name
		}
	}
}

// NewSecret makes a secret of 256 random bits behind a prefix.
func NewSecret(prefix string) string {
	var b [32]byte
	rand.Read(b[:]) // never fails (crypto/rand)
	return prefix + base64.RawURLEncoding.EncodeToString(b[:])
}
