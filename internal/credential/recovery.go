package credential

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"slices"
	"strings"

	"guildhall/internal/directory"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

// Recovery codes: ten of fifty random bits each. Their hashes are keyed with a key
// that is sealed, since so few bits would be guessed from a copy of the database.
const (
	recoveryCodes  = 10
	recoveryLength = 10
	recoveryKey    = 32
)

func recoveryPurpose(user id.ID) string { return "recovery codes of user " + user.String() }

// NewRecoveryCodes replaces the recovery codes of a user, and shows them this once.
func (s *Service) NewRecoveryCodes(ctx context.Context, realm id.ID, u directory.User, actor string) ([]string, error) {
	key := make([]byte, recoveryKey)
	rand.Read(key) // never fails (crypto/rand)
	sealed, err := s.Vault.SealPersonal(ctx, realm, u.Home, recoveryPurpose(u.ID), key)
	if err != nil {
		return nil, err
	}
	f := Factor{Home: u.Home, User: u.ID, Kind: RecoveryCode, Handle: u.ID.String(), Sealed: sealed, Confirmed: true}
	shown := make([]string, recoveryCodes)
	for i := range shown {
		code := rand.Text()[:recoveryLength]
		shown[i] = code[:recoveryLength/2] + "-" + code[recoveryLength/2:]
		f.Data.Codes = append(f.Data.Codes, recoveryHash(key, code))
	}
	err = s.Store.Update(ctx, realm, func(tx Tx) error {
		if _, err := tx.Users().Hold(ctx, u.ID); err != nil {
			return err
		}
		if _, err := tx.Factors().DeleteWhere(ctx, query.Is("user_id", u.ID), query.Is("kind", string(RecoveryCode))); err != nil {
			return err
		}
		fresh := f
		if err := tx.Factors().Insert(ctx, &fresh); err != nil {
			return err
		}
		return s.recordFactor(ctx, tx, "factor.added", actor, fresh)
	})
	return shown, err
}

// UseRecoveryCode takes one of the codes of a user, each of which is good once.
func (s *Service) UseRecoveryCode(ctx context.Context, realm, user id.ID, code string) error {
	code = strings.ToUpper(strings.Map(digitsOnly, code))
	var f Factor
	err := s.Store.View(ctx, realm, func(tx Tx) (err error) {
		f, err = tx.Factors().Find(ctx, query.Is("user_id", user), query.Is("kind", string(RecoveryCode)))
		return err
	})
	if errors.Is(err, ErrFactorNotFound) {
		return ErrCode
	}
	if err != nil {
		return err
	}
	key, err := s.Vault.Open(ctx, realm, f.Home, recoveryPurpose(user), f.Sealed)
	if err != nil {
		return err
	}
	sum, good := recoveryHash(key, code), false
	err = s.Store.Update(ctx, realm, func(tx Tx) error {
		good = false
		f, err := tx.Factors().Lock(ctx, f.ID)
		if err != nil {
			return err
		}
		now := s.Now()
		if now.Before(f.BlockedUntil) {
			return nil
		}
		for i, known := range f.Data.Codes {
			if subtle.ConstantTimeCompare([]byte(known), []byte(sum)) == 1 {
				good = true
				f.Data.Codes = slices.Delete(slices.Clone(f.Data.Codes), i, i+1)
				break
			}
		}
		if !good {
			f.fail(now)
			return tx.Factors().Update(ctx, &f)
		}
		f.Failures, f.UsedAt = 0, now
		if err := tx.Factors().Update(ctx, &f); err != nil {
			return err
		}
		return s.recordFactor(ctx, tx, "recovery_code.used", userActor(user), f)
	})
	switch {
	case errors.Is(err, ErrFactorNotFound):
		return ErrCode // others were made meanwhile
	case err != nil:
		return err
	case !good:
		return ErrCode
	}
	return nil
}

func recoveryHash(key []byte, code string) string {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(code))
	return hex.EncodeToString(mac.Sum(nil))
}
