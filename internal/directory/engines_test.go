package directory_test

import (
	"context"
	"testing"

	"guildhall/internal/store/storetest"
)

var ctx = context.Background()

// engines runs a test in a realm on each engine.
func engines(t *testing.T, test func(t *testing.T, w *storetest.World)) {
	t.Run("sqlite", func(t *testing.T) { test(t, storetest.Open(t, storetest.Folder(t))) })
	t.Run("postgres", func(t *testing.T) { test(t, storetest.Open(t, storetest.URL(t))) })
}
