package main

import (
	"fmt"

	"guildhall/internal/guard"
	"guildhall/internal/server"
)

type unlockCommand struct {
	placeFlags
	Account string `arg:"" help:"What its owner types to sign in: an e-mail address, a username or a telephone number." placeholder:"ACCOUNT"`
}

// Help is the longer text of --help.
func (unlockCommand) Help() string {
	return `An account is locked for networks where it is not at home when too many have guessed at it from there. The lock ends by itself after an hour, and its
owner gets a mail with a link that ends it. This command does the same at once. docs/guard.md tells what is counted.`
}

func (c *unlockCommand) Run(p *program) error {
	w, err := c.enter(p.Context)
	if err != nil {
		return err
	}
	defer w.db.Close()
	if w.Guard.Key, err = w.Secret(p.Context, guard.Secret); err != nil {
		return err
	}
	locks := server.Lockouts{Guard: w.Guard, SignIn: w.SignIn}
	guesses, locked, err := locks.Standing(p.Context, w.by, c.Account)
	if err != nil {
		return err
	}
	if err := locks.Clear(p.Context, w.by, c.Account); err != nil {
		return err
	}
	if locked.IsZero() {
		_, err = fmt.Fprintf(p.Out, "%s was not locked; %d guesses at it are forgotten.\n", c.Account, guesses)
		return err
	}
	_, err = fmt.Fprintf(p.Out, "%s is unlocked. It would have been locked until %s.\n", c.Account, moment(locked))
	return err
}
