package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"guildhall/internal/access"
	"guildhall/internal/id"
	"guildhall/internal/ledger"
	"guildhall/internal/query"
	"guildhall/internal/server"
	"guildhall/internal/store"
)

type doctorCommand struct{ databaseFlags }

// Help is the longer text of --help.
func (doctorCommand) Help() string {
	return `It only reads, and can run beside a server. The exit status is 0 when the database is clean. A finding is a fault of the program or of the disk,
or a row that somebody wrote by hand: nothing that requests do leads to one.`
}

func (c *doctorCommand) Run(p *program) error {
	if c.Database == "" {
		if err := exists(c.Data); err != nil {
			return err
		}
	}
	db, err := c.open(p.Context, false)
	if err != nil {
		return err
	}
	defer db.Close()
	found, err := db.Doctor(p.Context)
	if err != nil {
		return err
	}
	s, err := c.services(db)
	if err != nil {
		return err
	}
	links, err := brokenLedgers(p, s)
	if err != nil {
		return err
	}
	if found = append(found, links...); len(found) == 0 {
		_, err := fmt.Fprintln(p.Out, "Clean: every row has its owner, nothing is left of what was erased, and the ledger is whole.")
		return err
	}
	var rows [][]string
	for _, f := range found {
		ids := make([]string, len(f.Examples))
		for n, i := range f.Examples {
			ids[n] = i.String()
		}
		if f.Count > len(ids) && len(ids) > 0 {
			ids = append(ids, "…")
		}
		rows = append(rows, []string{f.Table, strconv.Itoa(f.Count), f.What, strings.Join(ids, " ")})
	}
	if err := table(p, "TABLE\tROWS\tFINDING\tIDS", rows); err != nil {
		return err
	}
	return fmt.Errorf("the database is not clean: %d findings", len(found))
}

// brokenLedgers checks the ledger of every realm.
func brokenLedgers(p *program, s server.Services) (found []store.Finding, err error) {
	realms, err := s.Realms.Store.Realms(p.Context, id.None, query.MaxLimit)
	if err != nil {
		return nil, err
	}
	for _, r := range realms {
		some, err := s.Erasure.Ledger(p.Context, access.System(r.ID), query.Query{Limit: 1})
		if err != nil {
			return nil, err
		}
		if len(some.Items) == 0 { // nor does it need keys, which would be made for it here
			continue
		}
		keys, err := publicKeys(p, s, r.ID)
		if err != nil {
			return nil, err
		}
		_, err = at(s, s.DB, r).checkLedger(p.Context, keys)
		if b := new(ledger.BrokenLink); errors.As(err, &b) {
			found = append(found, store.Finding{Table: "receipts", What: fmt.Sprintf("break the ledger of the realm %q at %v", r.Name, b), Count: 1})
		} else if err != nil {
			return nil, err
		}
	}
	return found, nil
}
