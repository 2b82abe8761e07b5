package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"guildhall/internal/dialect/native"
	"guildhall/internal/erasure"
	"guildhall/internal/id"
	"guildhall/internal/ledger"
	"guildhall/internal/query"
	"guildhall/internal/realm"
	"guildhall/internal/server"
)

// keyFlags say where the public keys come from that receipts are checked with.
type keyFlags struct {
	placeFlags
	Keys string `help:"JWK Set with the realm's public keys, as the server publishes it; instead of those in the database." type:"path" placeholder:"FILE"`
}

// public reads the keys; without --keys those of the named realm, or of every
// realm of the database, since a receipt names its key.
func (f keyFlags) public(p *program) (ledger.Keys, error) {
	if f.Keys != "" {
		set, err := os.ReadFile(f.Keys)
		if err != nil {
			return nil, err
		}
		keys, err := ledger.ParseKeys(set)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.Keys, err)
		}
		return keys, nil
	}
	if f.Database == "" {
		if err := exists(f.Data); err != nil {
			return nil, err
		}
	}
	db, err := f.open(p.Context, false)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	s, err := f.services(db)
	if err != nil {
		return nil, err
	}
	realms, err := f.among(p, s)
	if err != nil {
		return nil, err
	}
	all := ledger.Keys{}
	for _, r := range realms {
		keys, err := publicKeys(p, s, r.ID)
		if err != nil {
			return nil, err
		}
		for kid, k := range keys {
			all[kid] = k
		}
	}
	return all, nil
}

// exists refuses a folder without a database: to check something must not make one.
func exists(folder string) error {
	if _, err := os.Stat(folder); err != nil {
		return fmt.Errorf("there is no database in %s: name its folder with --data, a PostgreSQL database with --database, or a file with the public keys with --keys", folder)
	}
	return nil
}

// among gives the named realm, or every one.
func (f realmFlag) among(p *program, s server.Services) ([]realm.Realm, error) {
	if f.Realm != "" {
		r, err := f.find(p.Context, s)
		return []realm.Realm{r}, err
	}
	return s.Realms.Store.Realms(p.Context, id.None, query.MaxLimit)
}

// publicKeys gives the keys of a realm; one that never signed a receipt has none.
func publicKeys(p *program, s server.Services, r id.ID) (ledger.Keys, error) {
	set, err := s.Tokens.JWKS(p.Context, r)
	if err != nil {
		return nil, err
	}
	keys, err := ledger.ParseKeys(set)
	if errors.Is(err, ledger.ErrNoKeys) {
		return ledger.Keys{}, nil
	}
	return keys, err
}

type verifyCommand struct {
	keyFlags
	Receipt string `arg:"" help:"File with the receipt; \"-\" reads standard input." placeholder:"receipt.jws"`
}

// Help is the longer text of --help.
func (verifyCommand) Help() string {
	return `A receipt is a JWS (RFC 7515) signed with Ed25519 by the realm that deleted something. Anyone who has the realm's public keys can check it,
without a server, a network or an account:

  guildhall verify receipt.jws --keys jwks.json

The exit status is 0 only when not one byte of it was changed.`
}

// longestReceipt bounds what is read for one receipt.
const longestReceipt = 1 << 20

func (c *verifyCommand) Run(p *program) error {
	text, err := readReceipt(p, c.Receipt)
	if err != nil {
		return err
	}
	keys, err := c.public(p)
	if err != nil {
		return err
	}
	l, err := ledger.Open(text, keys)
	if err != nil {
		return fmt.Errorf("NOT VALID: %w", err)
	}
	return explain(p.Out, l)
}

// readReceipt reads one line; the end of the line is no part of the receipt.
func readReceipt(p *program, name string) (string, error) {
	in := p.In
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return "", err
		}
		defer f.Close()
		in = f
	}
	b, err := io.ReadAll(io.LimitReader(in, longestReceipt))
	if err != nil {
		return "", err
	}
	return trimEnd(string(b)), nil
}

func trimEnd(line string) string {
	line, ended := strings.CutSuffix(line, "\n")
	if ended {
		line = strings.TrimSuffix(line, "\r")
	}
	return line
}

// explain says in words what a receipt proves and what it does not.
func explain(out io.Writer, l ledger.Link) error {
	var b strings.Builder
	fmt.Fprintf(&b, "VALID. Signed with Ed25519 by the key %s, and unchanged since.\n\nIt proves that the holder of this key has stated:\n\n", l.KID)
	if l.Kind == id.Realm.String() {
		fmt.Fprintf(&b, "- The realm %s was deleted with everything in it, and its purge was completed. The realm %s of the same server states it.\n", l.Subject, l.Realm)
	} else {
		fmt.Fprintf(&b, "- The %s %s of the realm %s was deleted, and its purge was completed.\n", l.Kind, spelled(l, l.Kind, l.Subject), l.Realm)
	}
	switch l.Users {
	case erasure.Erase:
		b.WriteString("- The users at home in it were erased with it. Guests were kept.\n")
	case erasure.Detach:
		b.WriteString("- The users at home in it were handed to the realm: they were not erased. Guests were kept.\n")
	}
	fmt.Fprintf(&b, "- It was asked for at %s by %s", l.RequestedAt, l.RequestedBy)
	if l.Fingerprint != "" {
		fmt.Fprintf(&b, ", after a preview whose fingerprint was %s", l.Fingerprint)
	}
	b.WriteString(".\n")
	if l.GraceUntil != "" {
		fmt.Fprintf(&b, "- It could be undone until %s.\n", l.GraceUntil)
	}
	fmt.Fprintf(&b, "- The purge began at %s and ended at %s, as deletion %s.\n", l.StartedAt, l.PurgedAt, spelled(l, id.Deletion.String(), l.Deletion))
	b.WriteString("- What it did, in rows:\n")
	for _, n := range l.Counts {
		fmt.Fprintf(&b, "    %8d  %s %s\n", n.Rows, strings.ReplaceAll(n.Kind, "_", " "), n.Effect)
	}
	explainHolds(&b, l)
	if l.Number == 1 {
		b.WriteString("- It is the first receipt of the ledger of its realm.\n")
	} else {
		fmt.Fprintf(&b, "- It is receipt number %d of the ledger of its realm and follows the one with the hash %s.\n", l.Number, l.Previous)
	}
	fmt.Fprintf(&b, `
It does not prove:

- That the key is the realm's: compare it with what the realm publishes, over a channel that you trust.
- That the clock of the server was right: the times are the server's own.
- Anything about copies elsewhere: backups, logs, exports, and systems that were told of the data.
- That the ledger is whole: "guildhall ledger check" does. The next receipt of it names the hash %s.
`, l.Hash)
	_, err := io.WriteString(out, b.String())
	return err
}

// spelled gives a number of a receipt with the id that the API and the command line know it by.
func spelled(l ledger.Link, kind, number string) string {
	of, err := strconv.ParseInt(l.Realm, 10, 64)
	if err != nil {
		return number
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		return number
	}
	for _, k := range []id.Kind{id.Organization, id.User, id.Member, id.Deletion} {
		if k.String() == kind {
			return number + " (" + native.Spell(id.ID(of), k, id.ID(n)) + ")"
		}
	}
	return number
}

func explainHolds(b *strings.Builder, l ledger.Link) {
	if len(l.Holds) == 0 {
		b.WriteString("- No legal hold was ever placed on it.\n")
	}
	for _, h := range l.Holds {
		fmt.Fprintf(b, "- A legal hold was placed at %s", h.Placed)
		switch {
		case h.Released != "":
			fmt.Fprintf(b, " and released at %s", h.Released)
		case h.Until != "":
			fmt.Fprintf(b, " and ran out at %s", h.Until)
		}
		b.WriteString(".\n")
	}
}

// stated reads a time of a statement.
func stated(s string) time.Time {
	t, _ := time.Parse(time.RFC3339Nano, s)
	return t
}
