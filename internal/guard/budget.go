package guard

import (
	"context"
	"net/netip"
	"time"

	"guildhall/internal/fault"
	"guildhall/internal/id"
)

// A Rate allows Count in any Per, in bursts of up to Count.
type Rate struct {
	Count int
	Per   time.Duration
}

func (r Rate) step() time.Duration { return r.Per / time.Duration(max(r.Count, 1)) }

// ErrBudget is too much of what costs money or annoys people, such as messages.
var ErrBudget = fault.New(fault.Exhausted, "budget_exhausted", "", "too many of these; wait a moment before the next one")

// Budgets of what is rare and dear, for everybody together who has the key. They
// are counted in the database at each use, unlike the limits of requests.
var (
	perRecipient = []Rate{{5, 10 * time.Minute}, {20, 24 * time.Hour}}
	perSender    = []Rate{{30, time.Hour}}
	perOwner     = []Rate{{1000, time.Hour}}
	perSignUp    = []Rate{{10, time.Hour}}
)

// A Message is one that somebody asked to have sent.
type Message struct {
	Channel      string     // mail or text
	To           string     // the recipient
	Organization id.ID      // in whose name; none is the realm's
	Address      netip.Addr // who asked for it; the zero Addr is the server itself
}

// Send takes a message from the budgets of its recipient, of who asked for it and
// of the organization: no recipient is flooded, over whatever accounts and
// organizations, and nobody runs up a bill.
func (s *Service) Send(ctx context.Context, realm id.ID, m Message) error {
	// The narrow budget first: what it refuses costs the others nothing.
	if err := s.spend(ctx, s.hash(realm, "to", m.Channel, spelled(m.To)), perRecipient); err != nil {
		return err
	}
	if m.Address.IsValid() {
		if err := s.spend(ctx, s.hash(realm, "asked", m.Channel, Network(m.Address).String()), perSender); err != nil {
			return err
		}
	}
	return s.spend(ctx, s.hash(realm, "of", m.Channel, m.Organization.String()), perOwner)
}

// SignUp takes a new account from the budget of a network, if that is known.
func (s *Service) SignUp(ctx context.Context, realm id.ID, address netip.Addr) error {
	if !address.IsValid() {
		return nil
	}
	return s.spend(ctx, s.hash(realm, "sign-up", Network(address).String()), perSignUp)
}

func (s *Service) spend(ctx context.Context, key string, rates []Rate) error {
	for _, r := range rates {
		retry, err := s.Store.Spend(ctx, key+" "+r.Per.String(), r.step(), r.Per)
		if err != nil {
			return err
		}
		if retry > 0 {
			return ErrBudget.With(Wait{retry})
		}
	}
	return nil
}
