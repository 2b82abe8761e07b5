package notify_test

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"fmt"

	"guildhall/internal/id"
)

// A box seals with a key of its own.
type box struct{ cipher.AEAD }

func newBox() box {
	block, _ := aes.NewCipher(make([]byte, 32))
	aead, _ := cipher.NewGCMWithRandomNonce(block)
	return box{aead}
}

func (b box) Seal(_ context.Context, realm, organization id.ID, purpose string, plain []byte) ([]byte, error) {
	return b.AEAD.Seal(nil, nil, plain, fmt.Append(nil, realm, organization, purpose)), nil
}

func (b box) Open(_ context.Context, realm, organization id.ID, purpose string, sealed []byte) ([]byte, error) {
	return b.AEAD.Open(nil, nil, sealed, fmt.Append(nil, realm, organization, purpose))
}
