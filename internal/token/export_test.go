package token

import (
	"testing"

	"github.com/go-jose/go-jose/v4"
)

// Read has tokens of one more algorithm read, until the test ends.
func Read(t *testing.T, a jose.SignatureAlgorithm) {
	before := signatures
	signatures = append(signatures[:len(before):len(before)], a)
	t.Cleanup(func() { signatures = before })
}
