// Package realm owns the units of isolation: realms and the origins they are
// reached at.
package realm

import (
	"context"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"guildhall/internal/access"
	"guildhall/internal/erasure"
	"guildhall/internal/fault"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

// A Realm is one unit of isolation. Nothing in one can see another.
type Realm struct {
	query.Stamp
	Name          string
	Default       id.ID                      // the organization that takes who belongs to none; it cannot be deleted
	SystemProject id.ID                      // the project that stands for this server itself
	Origins       []string                   // written with a slash at its end, one makes its issuer so; see Issuers
	Issuers       []string                   // at each origin, in the same order: the origin, with a slash or without
	Defaults      map[string]erasure.Default // of deletions, by the API they come through
	SignIn        SignIn
	Protected     bool // against deletion
}

// InvitationLink leads to the page of this server on which an invitation is accepted:
// at the origin that was configured first, wherever it was asked for. Without an
// origin there is nowhere to lead to, and the answer is nil.
func (r Realm) InvitationLink() func(ticket string) string {
	if len(r.Origins) == 0 {
		return nil
	}
	return func(ticket string) string { return r.Origins[0] + "/invitation?ticket=" + url.QueryEscape(ticket) }
}

// Spelled gives the origins of issuers as they were configured.
func Spelled(issuers []string) (origins []string) {
	for _, o := range issuers {
		origins = append(origins, strings.TrimSuffix(o, "/"))
	}
	return origins
}

// Issuer gives the form in which an issuer at the root of an origin is kept: clients
// compare it letter by letter, and some want a slash at its end and some do not.
func Issuer(s string) (string, error) {
	origin, err := Origin(s)
	if err == nil && strings.HasSuffix(s, "/") {
		origin += "/"
	}
	return origin, err
}

// The facts this package reports.
var (
	ErrNotFound    = fault.New(fault.NotFound, "realm_not_found", "", "the realm does not exist")
	ErrNameTaken   = fault.New(fault.Conflict, "realm_name_taken", "name", "a realm with this name exists already")
	ErrOriginTaken = fault.New(fault.Conflict, "origin_taken", "origins", "the origin belongs to another realm")
	ErrNotOperator = access.ErrNotOperator
)

// Operator is the claim of a credential that may create and see other realms.
const Operator = access.Operator

// Store keeps realms. Its calls are not bound to one realm, so everything that
// reaches it has passed a check of this package.
type Store interface {
	Realm(ctx context.Context, i id.ID) (Realm, error)
	Realms(ctx context.Context, after id.ID, limit int) ([]Realm, error)
	// CreateRealm writes a realm with a default organization of the same name and
	// the system project in it, whose IDs it fills in.
	CreateRealm(ctx context.Context, r *Realm) error
	// UpdateRealm writes what change makes of a realm, with an event. Change may
	// run more than once.
	UpdateRealm(ctx context.Context, i id.ID, by string, change func(*Realm) error) (Realm, error)
	// SetOrigins makes origins, spelled as issuers, the ones of a realm.
	SetOrigins(ctx context.Context, i id.ID, origins []string) error
	// SetDefault makes a living organization the default of a realm.
	SetDefault(ctx context.Context, i, organization id.ID) error
	// RealmAt finds the realm that has the origin of a host, with TLS or else without,
	// and where no realm has one, the only realm there is. It gives none where there are
	// several, and where the realm that has it is deleted: nobody else answers there.
	RealmAt(ctx context.Context, host string) (id.ID, error)
}

// A Service performs the operations of this package.
type Service struct {
	Store Store
	APIs  []string // the ways deletions can come for which there are defaults; nil knows all
}

// Realm returns a realm: the actor's own, or any for an operator.
func (s *Service) Realm(ctx context.Context, by access.Actor, i id.ID) (Realm, error) {
	if err := by.Require(access.RealmRead); err != nil {
		return Realm{}, err
	}
	if i != by.Realm && !operator(by) {
		return Realm{}, ErrNotFound
	}
	return s.Store.Realm(ctx, i)
}

// Realms lists realms by age: the actor's own, or all for an operator.
func (s *Service) Realms(ctx context.Context, by access.Actor, q query.Query) (page query.Page[Realm], err error) {
	if err := by.Require(access.RealmRead); err != nil {
		return page, err
	}
	if !operator(by) {
		own, err := s.Store.Realm(ctx, by.Realm)
		page.Items = []Realm{own}
		return page, err
	}
	limit := q.Limit
	if limit <= 0 || limit > query.MaxLimit {
		limit = query.DefaultLimit
	}
	after := id.None
	if q.After != nil {
		after = q.After.ID
	}
	page.Items, err = s.Store.Realms(ctx, after, limit+1)
	if err == nil && len(page.Items) > limit {
		page.Items = page.Items[:limit]
		page.Next = &query.Position{ID: page.Items[limit-1].ID}
	}
	return page, err
}

// CreateRealm adds a realm with a default organization of the same name.
func (s *Service) CreateRealm(ctx context.Context, by access.Actor, r Realm) (Realm, error) {
	if err := by.Require(access.RealmWrite); err != nil {
		return r, err
	}
	if !operator(by) {
		return r, ErrNotOperator
	}
	return s.Create(ctx, r)
}

// Create adds a realm without a caller: at the first start and from the command line.
func (s *Service) Create(ctx context.Context, r Realm) (Realm, error) {
	if err := s.check(&r); err != nil {
		return r, err
	}
	err := s.Store.CreateRealm(ctx, &r)
	return r, err
}

var word = regexp.MustCompile(`^[a-z0-9]{1,32}$`)

// check validates a realm and brings its origins into their form.
func (s *Service) check(r *Realm) error {
	if strings.TrimSpace(r.Name) == "" || utf8.RuneCountInString(r.Name) > 200 || !plainText(r.Name) {
		return fault.Invalidf("name", "the name must have 1 to 200 characters")
	}
	if err := r.SignIn.check(); err != nil {
		return err
	}
	issuers := make([]string, len(r.Origins))
	for i, o := range r.Origins {
		issuer, err := Issuer(o)
		if err != nil {
			return err
		}
		if slices.Contains(r.Issuers, issuer+"/") { // an origin that was there keeps its spelling
			issuer += "/"
		}
		issuers[i] = issuer
	}
	r.Issuers, r.Origins = issuers, Spelled(issuers)
	for api, d := range r.Defaults {
		if !word.MatchString(api) {
			return fault.Invalidf("deletion_defaults", "an API is named by one lower-case word")
		}
		if err := d.Check(); err != nil {
			return err
		}
		if s.APIs != nil && !slices.Contains(s.APIs, api) {
			return fault.Invalidf("deletion_defaults", "there is no API %q: defaults can be set for %s", api, strings.Join(s.APIs, ", "))
		}
	}
	return nil
}

// UpdateRealm applies change to a realm: the actor's own, or any for an operator.
// Only an operator changes where it is reached, since hosts are shared by all realms,
// and whether it can be deleted.
func (s *Service) UpdateRealm(ctx context.Context, by access.Actor, i id.ID, change func(*Realm) error) (Realm, error) {
	if err := by.Require(access.RealmWrite); err != nil {
		return Realm{}, err
	}
	if i != by.Realm && !operator(by) {
		return Realm{}, ErrNotFound
	}
	return s.update(ctx, i, by.Subject, func(r *Realm) error {
		before, protected := slices.Clone(r.Origins), r.Protected
		if err := change(r); err != nil {
			return err
		}
		if !operator(by) && (!slices.Equal(before, r.Origins) || protected != r.Protected) {
			return ErrNotOperator
		}
		return nil
	})
}

// Update applies change to a realm without a caller: from the command line.
func (s *Service) Update(ctx context.Context, i id.ID, change func(*Realm) error) (Realm, error) {
	return s.update(ctx, i, "operator", change)
}

func (s *Service) update(ctx context.Context, i id.ID, by string, change func(*Realm) error) (Realm, error) {
	return s.Store.UpdateRealm(ctx, i, by, func(r *Realm) error {
		before := *r
		r.Defaults = maps.Clone(r.Defaults)
		if err := change(r); err != nil {
			return err
		}
		r.Stamp, r.Default, r.SystemProject = before.Stamp, before.Default, before.SystemProject
		return s.check(r)
	})
}

// Origin gives the form in which an origin is kept: scheme, host and port
// without a path (RFC 6454 section 4).
func Origin(s string) (string, error) {
	u, err := url.Parse(s)
	if err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" || u.User != nil ||
		(u.Path != "" && u.Path != "/") || u.RawQuery != "" || u.Fragment != "" {
		return "", fault.Invalidf("origins", "%q is not an origin such as https://id.example.com", s)
	}
	return u.Scheme + "://" + strings.ToLower(u.Host), nil
}

// SetDefault makes another organization the default of the actor's realm.
func (s *Service) SetDefault(ctx context.Context, by access.Actor, organization id.ID) error {
	if err := by.Require(access.RealmWrite); err != nil {
		return err
	}
	return s.Store.SetDefault(ctx, by.Realm, organization)
}

// At finds the realm of a request that carries no credential, by the host it was
// sent to. A server with one realm has it at every host.
func (s *Service) At(ctx context.Context, host string) (i id.ID, found bool) {
	i, err := s.Store.RealmAt(ctx, strings.ToLower(host))
	return i, err == nil && i != id.None
}

func operator(by access.Actor) bool { return by.Operates() }

func plainText(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r < ' ' || r == 0xfffd }) < 0
}
