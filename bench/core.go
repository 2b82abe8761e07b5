package main

import (
	"fmt"
	"net/http"
	"slices"
	"time"
)

// A coreOperation is one of the identity core: what signs people and programs in,
// and what asks whether they still are.
type coreOperation struct {
	operation
	perSecond float64 // that a second of CPU has to do at least; 0 is no aim
	signature float64 // the share of its CPU that the signature alone may have at least; 0 is no aim
	calm      bool    // the slowest answers at 70 % load have an aim
	few       bool    // not for many connections: the server slows down whoever makes that many guesses at once
	prepare   func(*identity) (func(int64) request, error)
}

// The aims of the identity core, for a second of CPU of server and database.
const (
	leastTokens = 600
	leastChecks = 2000
	leastRaw    = 0.9 // of raw signing with RS256
	mostChecks  = 10  // times the CPU of a bare handler
	calmMost    = 5 * time.Millisecond
)

// coreOperations are all of them.
func coreOperations() (all []coreOperation) {
	for _, algorithm := range []string{"ES256", "RS256", opaque} {
		o := coreOperation{operation: operation{name: algorithm}}
		switch algorithm {
		case "ES256":
			o.raw, o.perSecond = "sign", leastTokens
		case "RS256":
			o.raw, o.signature = "sign RS256", leastRaw
		default:
			o.perSecond = leastTokens
		}
		o.group, o.prepare = "client credentials", func(p *identity) (func(int64) request, error) {
			c, err := p.application("machine", algorithm)
			return always(c.itself()), err
		}
		all = append(all, o)
		o.group, o.prepare = "refresh", func(p *identity) (func(int64) request, error) { return p.refreshing(algorithm) }
		all = append(all, o)
	}
	check := coreOperation{operation: operation{group: "introspection", aim: map[string]float64{"SQLite": mostChecks, "PostgreSQL": mostChecks}}, perSecond: leastChecks}
	for _, of := range []struct{ name, kind, algorithm string }{
		{"of a client", "machine", "ES256"}, {"of a client, opaque", "machine", opaque}, {"of a person", "web", "ES256"}, {"of a person, opaque", "web", opaque},
	} {
		check.name, check.prepare = of.name, func(p *identity) (func(int64) request, error) {
			r, err := p.introspection(of.kind, of.algorithm)
			return always(r), err
		}
		all = append(all, check)
	}
	check.group, check.name, check.calm = "session check", "native", true
	check.prepare = func(p *identity) (func(int64) request, error) {
		return always(jsonRequest(http.MethodGet, "/guildhall/v1/me/session", "Bearer "+p.session, nil)), nil
	}
	password := coreOperation{operation: operation{group: "password sign-in", name: "three requests", raw: "hash", unbared: true}, few: true}
	password.prepare = func(p *identity) (func(int64) request, error) {
		return p.signIn, nil
	}
	return append(all, check, password)
}

// How many connections send at once where latencies are looked at.
const (
	some = 64
	many = 600
)

// calmShare is the share of what a server can do at which it is looked at calmly.
const calmShare = 0.7

// A coreReport is what one operation of the identity core took.
type coreReport struct {
	coreOperation
	comparison
	some, many sample
	paced      calm // at 70 % load
	bareCalm   calm // the bare handler at 70 % of its own: what the machine alone makes of it
}

// core measures the identity core, or profiles it.
func (b *bench) core(s *server, w *worker, r *engineReport) error {
	asked := slices.DeleteFunc(coreOperations(), func(o coreOperation) bool { return !b.only.MatchString("identity " + o.group + " " + o.name) })
	if len(asked) == 0 {
		return nil
	}
	p, err := s.identity()
	if err != nil {
		return fmt.Errorf("somebody to sign in: %w", err)
	}
	for _, o := range asked {
		c := coreReport{coreOperation: o}
		if c.coreOperation.next, err = o.prepare(p); err != nil {
			return fmt.Errorf("%s, %s: %w", o.group, o.name, err)
		}
		if b.profiles != "" {
			if err := b.profileOperation(s, c.coreOperation.operation); err != nil {
				return err
			}
			continue
		}
		if c.comparison, err = b.compare(s, w, c.coreOperation.operation); err != nil {
			return err
		}
		if err := b.latencies(s, &c); err != nil {
			return fmt.Errorf("%s, %s: %w", o.group, o.name, err)
		}
		r.core = append(r.core, c)
	}
	return nil
}

// latencies looks at an operation with many connections at once, and calmly.
func (b *bench) latencies(s *server, c *coreReport) (err error) {
	if c.few {
		return nil
	}
	if c.some, err = s.crowd(some, b.crowd, c.coreOperation.next); err != nil {
		return fmt.Errorf("%d connections: %w", some, err)
	}
	if c.many, err = s.crowd(many, b.crowd, c.coreOperation.next); err != nil {
		return fmt.Errorf("%d connections: %w", many, err)
	}
	if !c.coreOperation.calm {
		return nil
	}
	one := c.coreOperation.next(number.Add(1))
	if c.paced, err = s.calmly(2*b.crowd, one); err == nil {
		c.bareCalm, err = b.bare.calmly(2*b.crowd, one.alone())
	}
	return err
}
