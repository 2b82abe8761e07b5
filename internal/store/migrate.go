package store

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"testing/fstest"
	"time"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed migrations/*.sql
var migrations embed.FS

// ErrSchemaOld is a database that must be migrated before it is used.
var ErrSchemaOld = fmt.Errorf("the database has an older schema than this program: run \"guildhall migrate\", or serve with --migrate")

// migrate brings the schema up to date, or only checks it. A schema newer than
// the program is refused: an older program would not know what it must keep true.
func (db *DB) migrate(ctx context.Context, apply bool) error {
	handle, done, err := db.schemaHandle()
	if err != nil {
		return err
	}
	defer done()
	provider, err := db.provider(handle)
	if err != nil {
		return err
	}
	current, target, err := provider.GetVersions(ctx)
	switch {
	case err != nil:
		return fmt.Errorf("read the version of the schema: %w", err)
	case current > target:
		return fmt.Errorf("the database has schema version %d and this program knows %d: use a newer guildhall", current, target)
	case current == target:
		return nil
	case !apply:
		return ErrSchemaOld
	}
	for try := 1; ; try++ {
		if _, err = provider.Up(ctx); err == nil {
			return nil
		}
		// On SQLite two processes that start on one folder may both begin; the
		// second finds the tables made, and with them, looking again, the version.
		if db.pool != nil || try == 5 {
			return fmt.Errorf("migrate the database: %w", err)
		}
		time.Sleep(time.Duration(try) * 50 * time.Millisecond)
	}
}

// schemaHandle gives a handle for statements outside the writer's connection.
func (db *DB) schemaHandle() (*sql.DB, func(), error) {
	if db.pool != nil {
		return db.pool, func() {}, nil
	}
	handle, err := sql.Open("sqlite", sqliteDSN(db.embedded.path))
	if err != nil {
		return nil, nil, err
	}
	return handle, func() { _ = handle.Close() }, nil
}

func (db *DB) provider(handle *sql.DB) (*goose.Provider, error) {
	files, err := db.spelled()
	if err != nil {
		return nil, err
	}
	opts := []goose.ProviderOption{goose.WithSlog(slog.New(slog.DiscardHandler)), goose.WithDisableGlobalRegistry(true)}
	if db.pool != nil {
		locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 300)) // of several nodes that start at once, one migrates
		if err != nil {
			return nil, err
		}
		opts = append(opts, goose.WithSessionLocker(locker))
	}
	return goose.NewProvider(db.engine.dialect, handle, files, opts...)
}

// spelled gives the migrations in the engine's own column types.
func (db *DB) spelled() (fs.FS, error) {
	out := fstest.MapFS{} // a map of files; the package brings no test code along
	names, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		b, err := migrations.ReadFile(name)
		if err != nil {
			return nil, err
		}
		out[filepath.Base(name)] = &fstest.MapFile{Data: []byte(db.engine.spell.Replace(string(b))), Mode: 0o444}
	}
	return out, nil
}
