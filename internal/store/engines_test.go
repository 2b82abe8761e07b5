package store_test

import (
	"testing"

	"guildhall/internal/pgtest"
	"guildhall/internal/store/storetest"
)

func TestSQLite(t *testing.T) {
	storetest.Run(t, func(t testing.TB) string { return t.TempDir() })
}

func TestPostgres(t *testing.T) {
	storetest.Run(t, pgtest.URL)
}
