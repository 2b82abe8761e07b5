package storetest

import (
	"context"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"guildhall/internal/pgtest"
	"guildhall/internal/store"
)

// URL gives the address of a PostgreSQL database that has the schema of this
// program, and nothing else in it. It is dropped when t ends.
func URL(t testing.TB) string {
	t.Helper()
	return pgtest.Copy(t, migrated)
}

// Folder gives a folder of an embedded database that has the schema of this
// program, and nothing else in it. It is removed when t ends.
func Folder(t testing.TB) string {
	t.Helper()
	content, err := migratedFile()
	if err != nil {
		t.Fatalf("make an embedded database: %v", err)
	}
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, store.FileName), content, 0o600); err != nil {
		t.Fatalf("copy an embedded database: %v", err)
	}
	return folder
}

// migratedFile is made once: applying every migration takes far longer than a copy.
var migratedFile = sync.OnceValues(func() ([]byte, error) {
	folder, err := os.MkdirTemp("", "guildhall-schema-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	if err := migrated(folder); err != nil {
		return nil, err
	}
	return os.ReadFile(filepath.Join(folder, store.FileName))
})

// migrated brings a database to the schema of this program and lets go of it. Whoever
// opens a copy is the first who ever did: the number of the node that was here is gone.
func migrated(address string) error {
	db, err := store.Open(context.Background(), store.Options{Address: address, Fast: true, Migrate: true, Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		return err
	}
	if err := db.Close(); err != nil {
		return err
	}
	raw, err := openRaw(address)
	if err != nil {
		return err
	}
	if _, err := raw.Exec("DELETE FROM nodes"); err != nil {
		_ = raw.Close()
		return err
	}
	return raw.Close()
}
