package authn

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"guildhall/internal/access"
	"guildhall/internal/directory"
	"guildhall/internal/fault"
	"guildhall/internal/guard"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

// An Attempt is one guess at what proves an account.
type Attempt struct {
	Account string // see Accounts; "" is known by its address alone
	Address string // where it comes from; "" is nowhere known
	Right   int    // of Succeeded: how many guesses were counted that were right
}

// A Guard slows those down who guess.
type Guard interface {
	// Attempt counts a guess before anybody looks at it, and refuses one too many.
	Attempt(ctx context.Context, realm id.ID, a Attempt) error
	// Succeeded forgets what was counted against an account, of which everything that
	// was asked for is proven.
	Succeeded(ctx context.Context, realm id.ID, a Attempt) error
	// Work fails with guard.ErrWork when a client is suspicious and brings no proof of
	// work for something.
	Work(ctx context.Context, realm id.ID, class string, a Attempt, proof string) error
	// SignUp takes a new account from the budget of an address.
	SignUp(ctx context.Context, realm id.ID, address string) error
}

// accountPrefix stands before the id of an account that exists. No identifier can
// begin with it, since none has control characters.
const accountPrefix = "user\n"

// Account is what guesses at an account are counted under, by whichever of its
// names it was meant: there is one count, and whoever has an account with the same
// address does not reset it.
func Account(user id.ID) string { return accountPrefix + user.String() }

// Accounts lists what guesses are counted under that mean what somebody types:
// itself, where there is no account, and the accounts that have it.
func (s *Service) Accounts(ctx context.Context, by access.Actor, typed string) (list []string, err error) {
	if err := by.Require(access.UserRead); err != nil {
		return nil, err
	}
	key := directory.Fold(typed)
	list = append(list, key)
	err = s.Store.View(ctx, by.Realm, func(tx Tx) error {
		list = list[:1]
		page, err := tx.Directory().Users().List(ctx, query.Query{Limit: mostPeople, Where: []query.Condition{
			query.Any(query.Is("email_key", key), query.Is("username_key", key), query.Is("phone", typed)),
		}})
		for _, u := range page.Items {
			list = append(list, Account(u.ID))
		}
		return err
	})
	return list, err
}

// Owner is the user that guesses are counted for under an account, if there is one.
func Owner(account string) (user id.ID, ok bool) {
	digits, ok := strings.CutPrefix(account, accountPrefix)
	if !ok {
		return id.None, false
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	return id.ID(n), err == nil
}

// attempt is a guess in a flow: at whoever it is known to be, at whoever is meant by
// what was typed, or, before anything was typed, at anybody.
func (s *Service) attempt(ctx context.Context, tx Tx, f *flow) (a Attempt, err error) {
	a.Address = f.Address
	switch {
	case f.User != id.None:
		a.Account = Account(f.User)
	case f.Identifier != "":
		u, err := s.named(ctx, tx, f)
		if err != nil {
			return a, err
		}
		if a.Account = directory.Fold(f.Identifier); u.ID != id.None {
			a.Account = Account(u.ID)
		}
	}
	return a, nil
}

// guess counts a guess in a flow before anybody looks at it.
func (s *Service) guess(ctx context.Context, in id.ID, handle string) error {
	if s.Guard == nil {
		return nil
	}
	var a Attempt
	if err := s.look(ctx, in, handle, func(tx Tx, f *flow) (err error) {
		a, err = s.attempt(ctx, tx, f)
		return err
	}); err != nil {
		return err
	}
	return s.Guard.Attempt(ctx, in, a)
}

// succeeded says that a flow came to its end. That it cannot be said is no reason
// to refuse somebody who is right.
func (s *Service) succeeded(ctx context.Context, in id.ID, a Attempt) {
	if s.Guard == nil {
		return
	}
	if err := s.Guard.Succeeded(ctx, in, a); err != nil && s.Failed != nil {
		s.Failed(err)
	}
}

// workFor is what the work of a flow is for: its solution is good in no other.
func workFor(flow id.ID) string { return "flow " + flow.String() }

// resetWork is what the work is for that asking for a new password takes.
const resetWork = "reset"

// askWork gives the work that a client has to do before it guesses a password or
// has an account made, or nil. It looks at the network alone: what is known of an
// account shows only when it is guessed at, whether there is one or not.
func (s *Service) askWork(ctx context.Context, f *flow, step Step) (*guard.Puzzle, error) {
	if s.Guard == nil || f.Worked || step != Identify && step != Prove && step != SignUp {
		return nil, nil
	}
	return asked(s.Guard.Work(ctx, f.realm, workFor(f.ID), Attempt{Address: f.Address}, ""))
}

// ResetWork gives the work that a client at an address has to do before it may ask
// for a new password, or nil.
func (s *Service) ResetWork(ctx context.Context, in id.ID, address string) (*guard.Puzzle, error) {
	if s.Guard == nil {
		return nil, nil
	}
	return asked(s.Guard.Work(ctx, in, resetWork, Attempt{Address: address}, ""))
}

func asked(err error) (*guard.Puzzle, error) {
	if !errors.Is(err, guard.ErrWork) {
		return nil, err
	}
	p, _ := fault.From(err).Detail.(guard.Puzzle)
	return &p, nil
}

// Work takes the proof of work that a flow asks for. It is worth one guess, or one
// account.
func (s *Service) Work(ctx context.Context, in id.ID, handle, proof string) (Progress, error) {
	var a Attempt
	of := id.None
	if err := s.look(ctx, in, handle, func(tx Tx, f *flow) (err error) {
		of = f.ID
		a, err = s.attempt(ctx, tx, f)
		return err
	}); err != nil {
		return Progress{}, err
	}
	if s.Guard != nil {
		if err := s.Guard.Work(ctx, in, workFor(of), a, proof); err != nil {
			return Progress{}, err
		}
	}
	return s.act(ctx, in, handle, func(_ Tx, f *flow) error {
		f.Worked = true
		return nil
	})
}

// worked fails where work is asked for that the flow has not done. What it has done
// is used up.
func (s *Service) worked(ctx context.Context, f *flow, a Attempt) error {
	if s.Guard == nil {
		return nil
	}
	missing := s.Guard.Work(ctx, f.realm, workFor(f.ID), a, "")
	if !errors.Is(missing, guard.ErrWork) {
		return missing
	}
	done := false
	if _, err := s.act(ctx, f.realm, f.handle, func(_ Tx, f *flow) error {
		done, f.Worked = f.Worked, false
		return nil
	}); err != nil || done {
		return err
	}
	return missing
}
