package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"guildhall/internal/token"
	"guildhall/internal/vault/master"
)

type keyRotateCommand struct {
	placeFlags
	Algorithm    string `help:"Only signing keys of this algorithm: RS256, ES256 or EdDSA." enum:",RS256,ES256,EdDSA" default:"" placeholder:"NAME"`
	Fresh        bool   `help:"Sign with keys that nobody knows yet, at once. Clients that keep published keys refuse tokens until they look again."`
	Revoke       bool   `help:"Let every token that the keys signed so far die at once: for keys that others may have seen."`
	Organization string `help:"Instead of signing keys: a new key for the secrets of this organization." placeholder:"SLUG|ID"`
	Master       bool   `help:"Instead of signing keys: a new master key, and everything wrapped with it."`
	Destroy      bool   `help:"With --master: destroy the master keys before it at once. Secrets in backups from before cannot be read any more."`
	Abandon      bool   `help:"Give up the secrets that the master key does not open: after a restore of a backup whose master key was destroyed."`
}

// Help is the longer text of --help.
func (keyRotateCommand) Help() string {
	return `Without flags the signing keys of the realm rotate: those that were published as the next ones sign from now on, and those that signed until now
verify what they signed for as long as it may live. Nobody is signed out and no server has to be restarted. Servers do the same by themselves, every 90
days unless the realm's schedule says otherwise.

  guildhall key rotate                              the ordinary rotation
  guildhall key rotate --revoke                     a private key may have been seen by others
  guildhall key rotate --master                     the master key may have been seen by others
  guildhall key rotate --master --destroy           and nothing in a backup is to be read with it again
  guildhall key rotate --organization acme          a new key for what acme keeps here

docs/keys.md tells which key is which.`
}

func (c *keyRotateCommand) Run(p *program) error {
	if kinds := count(c.Organization != "", c.Master, c.Abandon, c.Fresh || c.Revoke || c.Algorithm != ""); kinds > 1 {
		return errors.New("one thing at a time: signing keys, --organization, --master or --abandon")
	}
	if c.Destroy && !c.Master {
		return errors.New("--destroy goes with --master")
	}
	w, err := c.enter(p.Context)
	if err != nil {
		return err
	}
	defer w.db.Close()
	switch {
	case c.Organization != "":
		return c.organization(p, w)
	case c.Master:
		return c.master(p, w)
	case c.Abandon:
		return c.abandon(p, w)
	}
	return c.signing(p, w)
}

func count(is ...bool) (n int) {
	for _, b := range is {
		if b {
			n++
		}
	}
	return n
}

func (c *keyRotateCommand) signing(p *program, w *place) error {
	keys, err := w.Tokens.Rotate(p.Context, w.by, token.Rotation{Algorithm: c.Algorithm, Fresh: c.Fresh, Revoke: c.Revoke})
	if errors.Is(err, token.ErrTooSoon) {
		return fmt.Errorf("%w; wait, or add --fresh", err)
	}
	if err != nil {
		return err
	}
	fmt.Fprintln(p.Out, "These sign from now on. Servers notice within five seconds.")
	return showSigningKeys(p, keys)
}

func showSigningKeys(p *program, keys []token.Key) error {
	rows := make([][]string, len(keys))
	for i, k := range keys {
		rows[i] = []string{k.KID, k.Algorithm, string(k.Use), string(k.State(time.Now())), moment(k.ActiveAt), moment(k.EndsAt)}
	}
	return table(p, "KID\tALGORITHM\tFOR\tSTATE\tSIGNS SINCE\tENDS", rows)
}

func (c *keyRotateCommand) organization(p *program, w *place) error {
	o, err := w.organization(p.Context, c.Organization)
	if err != nil {
		return err
	}
	if err := w.Vault.Rotate(p.Context, w.realm.ID, o.ID); err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.Out, "New secrets of %s are sealed with a new key. Those from before still open.\n", o.Slug)
	return err
}

func (c *keyRotateCommand) master(p *program, w *place) error {
	file, inFile := w.Vault.Master.(*master.File)
	var n int
	var err error
	if inFile && c.Database == "" {
		n, err = w.NewMaster(p.Context, time.Now())
	} else {
		n, err = w.Rewrap(p.Context)
	}
	if err != nil {
		return err
	}
	current, err := w.Vault.Master.Current(p.Context)
	if err != nil {
		return err
	}
	fmt.Fprintf(p.Out, "%d keysets and secrets were wrapped anew with the master key %s.\n", n, current)
	switch {
	case !inFile || c.Database != "":
		_, err = fmt.Fprintln(p.Out, "Nothing else is needed: master keys before it can be taken away from the nodes once each has restarted with the new one.")
		return err
	case !c.Destroy:
		_, err = fmt.Fprintf(p.Out, "Those before it stay in %s for the restore of backups; --destroy destroys them.\nCopy the file anew to where its copy is kept.\n", file.Path)
		return err
	}
	names, err := w.DestroyMasters(p.Context, time.Now())
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.Out, "%d master keys were destroyed. Replace every copy of %s by the new file: the copies still hold them.\n", len(names), file.Path)
	return err
}

func (c *keyRotateCommand) abandon(p *program, w *place) error {
	lost := 0
	realms, err := realmFlag{Realm: c.Realm}.among(p, w.Services)
	if err != nil {
		return err
	}
	for _, r := range realms {
		n, err := w.Vault.Abandon(p.Context, r.ID)
		if err != nil {
			return err
		}
		if lost += n; n == 0 {
			continue
		}
		if _, err := at(w.Services, w.db, r).Tokens.Rotate(p.Context, at(w.Services, w.db, r).by, token.Rotation{Fresh: true}); err != nil {
			return err
		}
	}
	secrets, err := w.db.AbandonSecrets(p.Context, w.Vault)
	if err != nil {
		return err
	}
	if secrets > 0 {
		fmt.Fprintf(p.Out, "%d secrets of the installation could not be opened; new ones are made.\n", secrets)
	}
	_, err = fmt.Fprintf(p.Out, "%d keysets could not be opened and were given up.\n", lost)
	return err
}

type keyListCommand struct{ placeFlags }

// Help is the longer text of --help.
func (keyListCommand) Help() string {
	return `A next key is published and signs after the next rotation, an active one signs, a retired one verifies what it signed until it ends. Keys for
receipts of deletions never end. No private half of a key is ever printed.`
}

func (c *keyListCommand) Run(p *program) error {
	w, err := c.enter(p.Context)
	if err != nil {
		return err
	}
	defer w.db.Close()
	keys, err := w.Tokens.Keys(p.Context, w.by)
	if err != nil {
		return err
	}
	if err := showSigningKeys(p, keys); err != nil {
		return err
	}
	return w.showMasters(p.Context, p)
}

// showMasters lists the master keys that something is wrapped with.
func (w *place) showMasters(ctx context.Context, p *program) error {
	used, err := w.db.MasterKeys(ctx)
	if err != nil {
		return err
	}
	current, err := w.Vault.Master.Current(ctx)
	if err != nil {
		current = ""
	}
	fmt.Fprintln(p.Out)
	rows := [][]string{}
	for _, name := range used {
		state := "replaced: run \"guildhall key rotate --master\" to its end"
		if name == current {
			state = "in use"
		}
		rows = append(rows, []string{name, state})
	}
	return table(p, "MASTER KEY\tSTATE", rows)
}
