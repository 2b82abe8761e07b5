package store_test

import (
	"slices"
	"testing"

	"guildhall/internal/pgtest"
	"guildhall/internal/store/storetest"
)

func TestSQLite(t *testing.T) {
	storetest.Run(t, storetest.Folder, func(t testing.TB) string { return t.TempDir() })
}

func TestPostgres(t *testing.T) {
	storetest.Run(t, storetest.URL, pgtest.URL)
}

func TestBothEnginesHaveTheSameSchema(t *testing.T) {
	s, p := storetest.Attach(t, t.TempDir()), storetest.Attach(t, pgtest.URL(t))
	if a, b := s.Columns(t), p.Columns(t); !slices.Equal(a, b) {
		t.Errorf("columns of SQLite:\n%v\nof PostgreSQL:\n%v", a, b)
	}
}
