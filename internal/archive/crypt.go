package archive

import (
	"errors"
	"io"
	"strings"

	"filippo.io/age"
)

// ageMagic is how every file starts that age has encrypted (age-encryption.org/v1).
const ageMagic = "age-encryption.org/v1"

// hardest bounds the work that a passphrase of an archive from anybody may take:
// 2^20 rounds of scrypt are a few seconds and 1 GiB.
const hardest = 20

// Seal encrypts what is written for public keys of age, each of which opens it
// alone. Without any it is written as it is. Close ends it, and leaves w open.
func Seal(w io.Writer, recipients ...string) (io.WriteCloser, error) {
	if len(recipients) == 0 {
		return open{w}, nil
	}
	keys, err := age.ParseRecipients(strings.NewReader(strings.Join(recipients, "\n")))
	if err != nil {
		return nil, ErrKey
	}
	return age.Encrypt(w, keys...)
}

// SealWith is Seal for a passphrase.
func SealWith(w io.Writer, passphrase string) (io.WriteCloser, error) {
	key, err := age.NewScryptRecipient(passphrase)
	if err != nil {
		return nil, ErrKey.Because(err)
	}
	return age.Encrypt(w, key)
}

type open struct{ io.Writer }

func (open) Close() error { return nil }

// A Key opens encrypted archives: a file of private keys of age, or a passphrase.
type Key struct {
	Identities string
	Passphrase string
}

// Unseal gives the archive in r, which may be encrypted.
func (k Key) Unseal(r io.ReadSeeker) (io.Reader, error) {
	start := make([]byte, len(ageMagic))
	n, err := io.ReadFull(r, start)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, err
	}
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	if string(start[:n]) != ageMagic {
		return r, nil
	}
	var keys []age.Identity
	if k.Identities != "" {
		if keys, err = age.ParseIdentities(strings.NewReader(k.Identities)); err != nil {
			return nil, ErrSealed.Saying("the file of keys holds no private key of age")
		}
	}
	if k.Passphrase != "" {
		by, err := age.NewScryptIdentity(k.Passphrase)
		if err != nil {
			return nil, ErrSealed.Because(err)
		}
		by.SetMaxWorkFactor(hardest)
		keys = append(keys, by)
	}
	if len(keys) == 0 {
		return nil, ErrSealed
	}
	plain, err := age.Decrypt(r, keys...)
	if err != nil {
		return nil, ErrSealed.Because(err)
	}
	return plain, nil
}
