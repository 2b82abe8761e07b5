package authn_test

import (
	"fmt"
	"slices"
	"testing"

	"guildhall/internal/authn"
	"guildhall/internal/credential"
	"guildhall/internal/directory"
	"guildhall/internal/store"
)

// TestT_H07_WhatIsAskedForFollowsFromWhatSomebodyHasAndWhatTheRulesAre gives people each
// set of factors under each rule, and lets them prove a password.
func TestT_H07_WhatIsAskedForFollowsFromWhatSomebodyHasAndWhatTheRulesAre(t *testing.T) {
	const totp, passkey, codes = credential.TOTP, credential.Passkey, credential.RecoveryCode
	rules := map[string]directory.Settings{
		"none":      {},
		"required":  {MFARequired: true},
		"app alone": {MFARequired: true, MFAMethods: directory.AllowSome, AllowedMFAMethods: []string{"totp"}},
		"key alone": {MFARequired: true, MFAMethods: directory.AllowSome, AllowedMFAMethods: []string{"passkey"}},
	}
	second, enrol, done := authn.SecondFactor, authn.Enrol, authn.Done
	type kinds = []credential.FactorKind
	type methods = []authn.Method
	table := []struct {
		rule string
		has  kinds
		step authn.Step
		with methods
	}{
		{"none", nil, done, nil},
		{"none", kinds{totp}, second, methods{"totp"}},
		{"none", kinds{passkey}, done, nil}, // a way in of its own, which the password is as well
		{"none", kinds{codes}, done, nil},
		{"none", kinds{totp, passkey}, second, methods{"totp", "passkey"}},
		{"none", kinds{totp, codes}, second, methods{"totp", "recovery_code"}},
		{"none", kinds{passkey, codes}, done, nil},
		{"none", kinds{totp, passkey, codes}, second, methods{"totp", "passkey", "recovery_code"}},
		{"required", nil, enrol, methods{"totp", "passkey"}},
		{"required", kinds{totp}, second, methods{"totp"}},
		{"required", kinds{passkey}, second, methods{"passkey"}},
		{"required", kinds{codes}, enrol, methods{"totp", "passkey"}}, // what is left of a factor is none
		{"required", kinds{totp, passkey}, second, methods{"totp", "passkey"}},
		{"required", kinds{totp, codes}, second, methods{"totp", "recovery_code"}},
		{"required", kinds{passkey, codes}, second, methods{"passkey", "recovery_code"}},
		{"required", kinds{totp, passkey, codes}, second, methods{"totp", "passkey", "recovery_code"}},
		{"app alone", kinds{passkey}, enrol, methods{"totp"}},
		{"app alone", kinds{codes}, enrol, methods{"totp"}},
		{"app alone", kinds{totp, passkey}, second, methods{"totp"}},
		{"app alone", kinds{totp, passkey, codes}, second, methods{"totp", "recovery_code"}},
		{"key alone", kinds{totp}, enrol, methods{"passkey"}},
		{"key alone", kinds{totp, passkey}, second, methods{"passkey"}},
		{"key alone", kinds{passkey, codes}, second, methods{"passkey", "recovery_code"}},
	}
	engines(t, func(t *testing.T, w *world) {
		for n, c := range table {
			o := w.Organization(t, directory.Organization{Name: fmt.Sprint("O", n), Settings: rules[c.rule]})
			u := w.person(t, directory.User{Email: fmt.Sprintf("p%d@example.com", n)}, secret, o)
			must(t, store.For[authn.Tx](w.DB).Update(ctx, w.Realm.ID, func(tx authn.Tx) error {
				for _, k := range c.has {
					f := credential.Factor{User: u.ID, Kind: k, Handle: fmt.Sprint(k, n), Sealed: []byte{}, Confirmed: true, Data: credential.FactorData{Codes: []string{"left"}}}
					if err := tx.Factors().Insert(ctx, &f); err != nil {
						return err
					}
				}
				return nil
			}))
			b := w.browse(t, authn.Start{Organization: o.ID}).identify(u.Email).password(secret)
			if got := b.p.Methods; b.p.Step != c.step || c.with != nil && !slices.Equal(got, c.with) {
				t.Errorf("rule %q with %v: %s %v, want %s %v", c.rule, c.has, b.p.Step, got, c.step, c.with)
			}
		}
	})
}
