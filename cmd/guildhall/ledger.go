package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"

	"guildhall/internal/erasure"
	"guildhall/internal/id"
	"guildhall/internal/ledger"
	"guildhall/internal/query"
)

type ledgerCommand struct {
	Export ledgerExport `cmd:"" help:"Print every receipt of the realm, one JWS per line, in order. Keep it where backups of the database do not reach."`
	Check  ledgerCheck  `cmd:"" help:"Walk the chain, of a file or of the database, and name the first broken link."`
	Apply  ledgerApply  `cmd:"" help:"After a restore from backup: erase again what the backup brought back."`
}

type ledgerExport struct{ placeFlags }

func (c *ledgerExport) Run(p *program) error {
	w, err := c.enter(p.Context)
	if err != nil {
		return err
	}
	defer w.db.Close()
	out := bufio.NewWriter(p.Out)
	for r, err := range w.receipts(p.Context) {
		if err != nil {
			return err
		}
		fmt.Fprintln(out, r.JWS)
	}
	return out.Flush()
}

// receipts walks the ledger of the realm.
func (w *place) receipts(ctx context.Context) iter.Seq2[erasure.Receipt, error] {
	return func(yield func(erasure.Receipt, error) bool) {
		for q := (query.Query{Limit: query.MaxLimit}); ; {
			page, err := w.Erasure.Ledger(ctx, w.by, q)
			if err != nil {
				yield(erasure.Receipt{}, err)
				return
			}
			for _, r := range page.Items {
				if !yield(r, nil) {
					return
				}
			}
			if q.After = page.Next; q.After == nil {
				return
			}
		}
	}
}

type ledgerCheck struct {
	keyFlags
	File string `arg:"" optional:"" help:"An exported ledger; \"-\" reads standard input. The database itself, unless given." placeholder:"FILE"`
}

// Help is the longer text of --help.
func (ledgerCheck) Help() string {
	return `Each receipt names its number and the hash of the one before it. A receipt that was changed, left out, exchanged or put in breaks the chain
there. What was cut off at the end leaves no trace in a file: compare its last number with that of the database.`
}

func (c *ledgerCheck) Run(p *program) error {
	keys, err := c.public(p)
	if err != nil {
		return err
	}
	if c.File != "" {
		chain := &ledger.Chain{Keys: keys}
		if err := eachLine(p, c.File, func(jws string) error { _, err := chain.Add(jws); return err }); err != nil {
			return broken(c.File, err)
		}
		return whole(p, c.File, chain)
	}
	db, err := c.open(p.Context, false)
	if err != nil {
		return err
	}
	defer db.Close()
	s, err := c.services(db)
	if err != nil {
		return err
	}
	realms, err := c.among(p, s)
	if err != nil {
		return err
	}
	for _, r := range realms {
		name := fmt.Sprintf("the ledger of the realm %q", r.Name)
		chain, err := at(s, db, r).checkLedger(p.Context, keys)
		if err != nil {
			return broken(name, err)
		}
		if err := whole(p, name, chain); err != nil {
			return err
		}
	}
	return nil
}

func whole(p *program, name string, c *ledger.Chain) error {
	if c.Last.Number == 0 {
		_, err := fmt.Fprintf(p.Out, "%s is empty.\n", name)
		return err
	}
	_, err := fmt.Fprintf(p.Out, "%s is whole: %d receipts, the last of %s, with the hash %s.\n", name, c.Last.Number, moment(stated(c.Last.PurgedAt)), c.Last.Hash)
	return err
}

func broken(name string, err error) error {
	if b := new(ledger.BrokenLink); errors.As(err, &b) {
		return fmt.Errorf("%s is BROKEN at %w", name, err)
	}
	return err
}

// checkLedger walks the ledger of the realm in the database. Besides the chain
// the columns beside each receipt must tell the same as what is signed.
func (w *place) checkLedger(ctx context.Context, keys ledger.Keys) (*ledger.Chain, error) {
	chain := &ledger.Chain{Keys: keys}
	for r, err := range w.receipts(ctx) {
		if err != nil {
			return chain, err
		}
		l, err := chain.Add(r.JWS)
		if err != nil {
			return chain, err
		}
		if r.Number != l.Number || r.Hash != l.Hash || r.Previous != l.Previous || r.Deletion.String() != l.Deletion || l.Realm != w.realm.ID.String() {
			return chain, &ledger.BrokenLink{Position: int(l.Number), Number: l.Number, Why: errors.New("its row in the database tells something else than what is signed")}
		}
	}
	return chain, nil
}

// eachLine reads a file of receipts.
func eachLine(p *program, name string, do func(jws string) error) error {
	in := p.In
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		defer f.Close()
		in = f
	}
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadString('\n')
		if len(line) > longestReceipt {
			return fmt.Errorf("%s has a line of %d bytes: this is no ledger", name, len(line))
		}
		if line = trimEnd(line); line != "" || err == nil {
			if err := do(line); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// subject reads whom a link is about.
func subject(l ledger.Link) (kind id.Kind, i id.ID, ok bool) {
	kinds := map[string]id.Kind{
		id.Organization.String(): id.Organization, id.User.String(): id.User, id.Member.String(): id.Member, id.Realm.String(): id.Realm,
	}
	kind, ok = kinds[l.Kind]
	var n int64
	if _, err := fmt.Sscan(l.Subject, &n); err != nil || n <= 0 {
		return kind, i, false
	}
	return kind, id.ID(n), ok
}
