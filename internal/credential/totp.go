package credential

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1" // what authenticator apps compute with (RFC 6238 section 1.2)
	"crypto/subtle"
	"encoding/base32"
	"encoding/binary"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"guildhall/internal/directory"
	"guildhall/internal/fault"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

// Parameters of time-based codes (RFC 6238): those that every app knows.
const (
	totpPeriod = 30 * time.Second
	totpDigits = 6
	totpDrift  = 1 // steps that a clock may be off, before or behind
	totpSecret = 20
)

// ErrCode is a code that is wrong, was used before, or is tried after too many wrong ones.
var ErrCode = fault.New(fault.Unauthenticated, "invalid_code", "code", "the code is not valid")

// A TOTPSetup is what an authenticator app is set up with.
type TOTPSetup struct {
	Factor id.ID
	Secret string // base32
	URI    string // for a QR code
}

var base32Text = base32.StdEncoding.WithPadding(base32.NoPadding)

func totpPurpose(user id.ID) string { return "authenticator app of user " + user.String() }

// BeginTOTP makes the secret of an authenticator app. It counts for nothing before
// ConfirmTOTP, until when an app that was set up before goes on.
func (s *Service) BeginTOTP(ctx context.Context, realm id.ID, u directory.User, issuer string) (TOTPSetup, error) {
	secret := make([]byte, totpSecret)
	rand.Read(secret) // never fails (crypto/rand)
	sealed, err := s.Vault.SealPersonal(ctx, realm, u.Home, totpPurpose(u.ID), secret)
	if err != nil {
		return TOTPSetup{}, err
	}
	f := Factor{Home: u.Home, User: u.ID, Kind: TOTP, Handle: u.ID.String() + " new", Sealed: sealed}
	err = s.Store.Update(ctx, realm, func(tx Tx) error {
		if _, err := tx.Users().Hold(ctx, u.ID); err != nil {
			return err
		}
		if _, err := tx.Factors().DeleteWhere(ctx, query.Is("user_id", u.ID), query.Is("kind", string(TOTP)), query.Is("confirmed", false)); err != nil {
			return err
		}
		fresh := f
		if err := tx.Factors().Insert(ctx, &fresh); err != nil {
			return err
		}
		f = fresh
		return nil
	})
	text := base32Text.EncodeToString(secret)
	account := u.Email
	if account == "" {
		account = u.Username
	}
	label := url.PathEscape(issuer + ":" + account)
	return TOTPSetup{Factor: f.ID, Secret: text, URI: "otpauth://totp/" + label + "?secret=" + text + "&issuer=" + url.QueryEscape(issuer)}, err
}

// ConfirmTOTP takes the first code of an app that was set up, which replaces the
// app there was.
func (s *Service) ConfirmTOTP(ctx context.Context, realm, user id.ID, code string) error {
	return s.matchTOTP(ctx, totpOf{realm, user, false}, code, func(tx Tx, f *Factor) error {
		if _, err := tx.Factors().DeleteWhere(ctx, query.Is("user_id", user), query.Is("kind", string(TOTP)), query.Is("confirmed", true)); err != nil {
			return err
		}
		f.Confirmed, f.Handle = true, user.String()
		return s.recordFactor(ctx, tx, "factor.added", userActor(user), *f)
	})
}

// CheckTOTP takes a code of a user's app. A code is good once, and for the step it
// was made for or one beside it.
func (s *Service) CheckTOTP(ctx context.Context, realm, user id.ID, code string) error {
	return s.matchTOTP(ctx, totpOf{realm, user, true}, code, func(Tx, *Factor) error { return nil })
}

// A totpOf is the app of a user that proved itself already, or the one that is set up.
type totpOf struct {
	realm, user id.ID
	confirmed   bool
}

// matchTOTP counts the attempt in the transaction that looks at the code: of many
// at once each is counted, and of two right ones the second comes too late.
func (s *Service) matchTOTP(ctx context.Context, of totpOf, code string, then func(Tx, *Factor) error) error {
	realm, user, confirmed := of.realm, of.user, of.confirmed
	code = strings.Map(digitsOnly, code) // before anything is compared: the same code in another dress is the same
	secret, err := s.totpSecret(ctx, realm, user, confirmed)
	if err != nil {
		return err
	}
	good := false
	err = s.Store.Update(ctx, realm, func(tx Tx) error {
		good = false
		f, err := lockFactor(ctx, tx, user, TOTP, confirmed)
		if err != nil {
			return err
		}
		now := s.Now()
		if now.Before(f.BlockedUntil) {
			return nil
		}
		step, ok := totpStep(secret, code, now, f.Step)
		if !ok {
			f.fail(now)
			return tx.Factors().Update(ctx, &f)
		}
		good = true
		f.Step, f.Failures, f.UsedAt = step, 0, now
		if err := then(tx, &f); err != nil {
			return err
		}
		return tx.Factors().Update(ctx, &f)
	})
	switch {
	case errors.Is(err, ErrFactorNotFound):
		return ErrCode
	case err != nil:
		return err
	case !good:
		return ErrCode
	}
	return nil
}

func (s *Service) totpSecret(ctx context.Context, realm, user id.ID, confirmed bool) ([]byte, error) {
	var f Factor
	err := s.Store.View(ctx, realm, func(tx Tx) (err error) {
		f, err = tx.Factors().Find(ctx, query.Is("user_id", user), query.Is("kind", string(TOTP)), query.Is("confirmed", confirmed))
		return err
	})
	if errors.Is(err, ErrFactorNotFound) {
		return nil, ErrCode
	}
	if err != nil {
		return nil, err
	}
	return s.Vault.Open(ctx, realm, f.Home, totpPurpose(user), f.Sealed)
}

func lockFactor(ctx context.Context, tx Tx, user id.ID, kind FactorKind, confirmed bool) (Factor, error) {
	f, err := tx.Factors().Find(ctx, query.Is("user_id", user), query.Is("kind", string(kind)), query.Is("confirmed", confirmed))
	if err != nil {
		return f, err
	}
	return tx.Factors().Lock(ctx, f.ID)
}

// Free failures, and how long one must wait after more of them in a row.
const (
	freeFailures = 5
	firstWait    = 30 * time.Second
	longestWait  = time.Hour
)

// fail counts a wrong attempt and blocks the factor for longer and longer.
func (f *Factor) fail(now time.Time) {
	f.Failures++
	if f.Failures >= freeFailures {
		f.BlockedUntil = now.Add(min(firstWait<<min(f.Failures-freeFailures, 10), longestWait))
	}
}

// totpStep finds the step that a code is for, later than the last one that was used.
func totpStep(secret []byte, code string, now time.Time, last int64) (step int64, ok bool) {
	current := now.Unix() / int64(totpPeriod/time.Second)
	for n := current - totpDrift; n <= current+totpDrift; n++ {
		if subtle.ConstantTimeCompare([]byte(totpCode(secret, n)), []byte(code)) == 1 && n > last {
			step, ok = n, true
		}
	}
	return step, ok
}

// totpCode is the code of one step (RFC 4226 section 5.3).
func totpCode(secret []byte, step int64) string {
	mac := hmac.New(sha1.New, secret)
	mac.Write(binary.BigEndian.AppendUint64(nil, uint64(step)))
	sum := mac.Sum(nil)
	at := sum[len(sum)-1] & 0xf
	n := binary.BigEndian.Uint32(sum[at:at+4]) & 0x7fffffff
	return fmt.Sprintf("%0*d", totpDigits, n%1_000_000)
}

// digitsOnly drops what people and apps put between digits.
func digitsOnly(r rune) rune {
	if strings.ContainsRune(" -\u00a0\u2009\t\r\n", r) {
		return -1
	}
	return r
}

func userActor(i id.ID) string { return "user:" + i.String() }

// CodeAt is the code that an app with a base32 secret shows at a time.
func CodeAt(secret string, at time.Time) string {
	raw, err := base32Text.DecodeString(secret)
	if err != nil {
		return ""
	}
	return totpCode(raw, at.Unix()/int64(totpPeriod/time.Second))
}
