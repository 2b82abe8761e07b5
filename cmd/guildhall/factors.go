package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"guildhall/internal/authn"
	"guildhall/internal/credential"
	"guildhall/internal/directory"
	"guildhall/internal/guard"
	"guildhall/internal/id"
	"guildhall/internal/server"
	"guildhall/internal/session"
)

// userArg names whom a command is about.
type userArg struct {
	placeFlags
	User string `arg:"" help:"Id, e-mail address or name of the user." placeholder:"ID|ADDRESS"`
}

// at opens the realm and finds the user. What is to be mailed is queued in the database,
// and a server sends it.
func (a userArg) at(p *program) (w *place, u directory.User, err error) {
	if w, err = a.enter(p.Context); err != nil {
		return nil, u, err
	}
	if w.Guard.Key, err = w.Secret(p.Context, guard.Secret); err == nil {
		w.SignIn.Post, err = w.Notices(p.Context)
	}
	if err == nil {
		u, err = w.person(p.Context, a.User)
	}
	if err != nil {
		return nil, u, errors.Join(err, w.db.Close())
	}
	return w, u, nil
}

type userShow struct{ userArg }

// Help is the longer text of --help.
func (userShow) Help() string {
	return `What proves the user, where the user is signed in, and whether guesses have locked the account. Nothing secret is shown.`
}

func (c *userShow) Run(p *program) error {
	w, u, err := c.at(p)
	if err != nil {
		return err
	}
	defer w.db.Close()
	factors, err := w.Credentials.Factors(p.Context, w.by, u.ID)
	if err != nil {
		return err
	}
	sessions, err := w.Sessions.Own(p.Context, w.realm.ID, u.ID)
	if err != nil {
		return err
	}
	fmt.Fprintf(p.Out, "%s, %s, of %s\n\n", w.describeUser(u), u.State, w.spell(id.Organization, u.Home))
	if err := w.printFactors(p, factors); err != nil {
		return err
	}
	fmt.Fprintln(p.Out)
	if err := w.printSessions(p, sessions); err != nil {
		return err
	}
	guesses, locked, err := w.lockouts().Standing(p.Context, w.by, names(u))
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.Out, "\nWrong guesses lately: %d. Locked until: %s\n", guesses, moment(locked))
	return err
}

// names is what somebody types to sign in, the first that is there.
func names(u directory.User) string {
	for _, s := range []string{u.Email, u.Username, u.Phone} {
		if s != "" {
			return s
		}
	}
	return ""
}

func (w *place) lockouts() server.Lockouts { return server.Lockouts{Guard: w.Guard, SignIn: w.SignIn} }

func (w *place) printFactors(p *program, factors []credential.Factor) error {
	var rows [][]string
	for _, f := range factors {
		about := ""
		switch {
		case f.Kind == credential.RecoveryCode:
			about = strconv.Itoa(len(f.Data.Codes)) + " left"
		case !f.Confirmed:
			about = "not confirmed"
		case f.BlockedUntil.After(time.Now()):
			about = "blocked until " + moment(f.BlockedUntil)
		}
		rows = append(rows, []string{w.spell(id.Credential, f.ID), strings.ReplaceAll(string(f.Kind), "_", " "), moment(f.CreatedAt), moment(f.UsedAt), strings.Join(strings.Fields(f.Name), " "), about})
	}
	if len(rows) == 0 {
		_, err := fmt.Fprintln(p.Out, "Nothing proves the user: no password, no passkey, no authenticator app.")
		return err
	}
	return table(p, "FACTOR\tKIND\tADDED\tUSED\tNAME\t", rows)
}

func (w *place) printSessions(p *program, sessions []session.Session) error {
	if len(sessions) == 0 {
		_, err := fmt.Fprintln(p.Out, "Signed in nowhere.")
		return err
	}
	var rows [][]string
	for _, s := range sessions {
		rows = append(rows, []string{w.spell(id.Session, s.ID), w.spell(id.Organization, s.Organization), moment(s.SeenAt), moment(s.ExpiresAt), or(s.Address, "-"), strings.Join(strings.Fields(s.Device), " ")})
	}
	return table(p, "SESSION\tORGANIZATION\tSEEN\tUNTIL\tADDRESS\tDEVICE", rows)
}

type userRemoveFactor struct {
	userArg
	Factor string `arg:"" optional:"" help:"Id of the factor, as \"guildhall user show\" lists it." placeholder:"FACTOR"`
	Second bool   `help:"Instead of one: authenticator apps, passkeys and recovery codes, all of them. The password stays."`
}

// Help is the longer text of --help.
func (userRemoveFactor) Help() string {
	return `For somebody whose phone is lost or stolen. The factor proves nothing from this moment on; the user gets a mail. Where the organization or the realm asks for a
second factor, the user sets one up at the next sign-in. Who may have had the phone stays signed in: see "guildhall user sign-out".

  guildhall user remove-factor ada@example.com fac_4mXq0bVn2sKd81Zt
  guildhall user remove-factor ada@example.com --second`
}

func (c *userRemoveFactor) Run(p *program) error {
	if (c.Factor == "") != c.Second {
		return errors.New("name one factor, or say --second for all but the password")
	}
	w, u, err := c.at(p)
	if err != nil {
		return err
	}
	defer w.db.Close()
	defer w.SignIn.Wait()
	remove := []id.ID{}
	if c.Second {
		list, err := w.Credentials.Factors(p.Context, w.by, u.ID)
		if err != nil {
			return err
		}
		for _, f := range list {
			if f.Kind == credential.TOTP || f.Kind == credential.Passkey || f.Kind == credential.RecoveryCode {
				remove = append(remove, f.ID)
			}
		}
	} else {
		i, err := w.mustID(id.Credential, c.Factor)
		if err != nil {
			return err
		}
		remove = append(remove, i)
	}
	for _, i := range remove {
		if err := w.SignIn.RemoveFactor(p.Context, w.by, authn.Removal{User: u.ID, Factor: i}); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintf(p.Out, "Removed %d factors of %s.\n", len(remove), w.describeUser(u))
	return err
}

type userSignOut struct{ userArg }

// Help is the longer text of --help.
func (userSignOut) Help() string {
	return `Ends every session of the user, on every node at once, with every token that was given before now; applications that asked for it are told. One session alone is
ended with "guildhall session revoke". Keys and personal access tokens stay.`
}

func (c *userSignOut) Run(p *program) error {
	w, u, err := c.at(p)
	if err != nil {
		return err
	}
	defer w.db.Close()
	n, err := w.Sessions.RevokeOf(p.Context, w.by, session.Of{User: u.ID})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.Out, "Ended %d sessions of %s.\n", n, w.describeUser(u))
	return err
}

type userSendReset struct{ userArg }

// Help is the longer text of --help.
func (userSendReset) Help() string {
	return `Mails the user the link with which the password can be replaced; it is good for an hour, once, and the one before it dies. A running server sends the mail. The
password of today stays good until the link is used.`
}

func (c *userSendReset) Run(p *program) error {
	w, u, err := c.at(p)
	if err != nil {
		return err
	}
	defer w.db.Close()
	var lost error
	w.SignIn.Failed = func(err error) { lost = err }
	err = w.SignIn.SendReset(p.Context, w.by, u.ID)
	w.SignIn.Wait()
	if err = errors.Join(err, lost); err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.Out, "Queued: a mail to %s. A running server sends it.\n", u.Email)
	return err
}

type userUnlock struct{ userArg }

// Help is the longer text of --help.
func (userUnlock) Help() string {
	return `Lifts the lock of the account and the pauses of its factors, and forgets the wrong guesses that led to them. docs/guard.md tells what is counted.`
}

func (c *userUnlock) Run(p *program) error {
	w, u, err := c.at(p)
	if err != nil {
		return err
	}
	defer w.db.Close()
	guesses, locked, err := w.lockouts().Standing(p.Context, w.by, names(u))
	if err == nil {
		err = w.lockouts().Clear(p.Context, w.by, names(u))
	}
	if err == nil {
		err = w.Credentials.UnblockFactors(p.Context, w.by, u.ID)
	}
	if err != nil {
		return err
	}
	if locked.IsZero() {
		_, err = fmt.Fprintf(p.Out, "%s was not locked; %d guesses are forgotten.\n", w.describeUser(u), guesses)
		return err
	}
	_, err = fmt.Fprintf(p.Out, "%s is unlocked. It would have been locked until %s.\n", w.describeUser(u), moment(locked))
	return err
}
