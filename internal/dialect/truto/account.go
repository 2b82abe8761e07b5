package truto

import (
	"strings"

	"guildhall/internal/access"
	"guildhall/internal/credential"
	"guildhall/internal/directory"
	"guildhall/internal/id"
)

// The states of an integrated account that are told apart here.
const (
	statusActive      = "active"
	statusNeedsReauth = "needs_reauth"
)

// account gives the integrated account a call goes through: the one named in the
// query, or the one the token is bound to. They must not contradict each other.
func (a *API) account(c call) (credential.IntegratedAccount, error) {
	var none credential.IntegratedAccount
	spelled, err := c.params.text("integrated_account_id")
	if err != nil {
		return none, err
	}
	spelled = strings.ToLower(spelled)
	codec := id.For(c.Actor.Realm, id.IntegratedAccount)
	if bound, ok := boundAccount(c.Actor); ok {
		if spelled != "" && spelled != bound {
			return none, credential.ErrIntegratedAccountNotFound
		}
		i, _ := codec.ParseUUID(bound)
		return credential.IntegratedAccount{Stamp: directory.Stamp{ID: i}, Organization: c.Actor.Home}, nil
	}
	if spelled == "" {
		return none, errMissingQuery.With([]string{"integrated_account_id"}).Saying("integrated_account_id is required")
	}
	i, ok := codec.ParseUUID(spelled)
	if !ok {
		return none, credential.ErrIntegratedAccountNotFound
	}
	account, err := a.Credentials.IntegratedAccount(c.ctx(), c.Actor, i)
	if err != nil {
		return none, err
	}
	return account, usable(account)
}

// boundAccount gives the account an integrated-account token is for, as spelled
// on the wire.
func boundAccount(actor access.Actor) (string, bool) {
	if len(actor.Claims) == 2 && actor.Claims[0] == accountToken {
		return actor.Claims[1], true
	}
	return "", false
}

// usable refuses accounts that are not connected.
func usable(account credential.IntegratedAccount) error {
	switch account.Status {
	case statusActive, "":
		return nil
	case statusNeedsReauth:
		return errAccountInvalid
	}
	return errAccountInactive
}

// accountActor is what an integrated account allows: the whole directory, of the
// realm or of the one organization it is limited to.
func accountActor(realm id.ID, account credential.IntegratedAccount) access.Actor {
	return access.Actor{Realm: realm, Grants: []access.Grant{{On: account.Organization, Permissions: directoryPermissions}}}
}
