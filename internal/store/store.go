// Package store keeps the domain's objects in SQLite or PostgreSQL.
//
// Both engines run the same statements. Every transaction is bound to one realm
// when it opens, and every statement on objects is written by table, which puts
// the realm and the liveness of the owner into it.
package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"guildhall/internal/id"
)

// Options say how to open a database.
type Options struct {
	// Address is a postgres:// address, or the folder of the embedded database.
	Address string
	// Fast gives up that acknowledged writes survive a loss of power on the
	// embedded database. They always survive the end of the process.
	Fast bool
	// Migrate brings the schema up to date.
	Migrate bool
	Now     func() time.Time // nil means time.Now
	// Steady is how long this process has run by a clock that nobody sets. Nil means
	// that of the system, or, when Now is given, that there is none.
	Steady func() time.Duration
	Log    *slog.Logger // nil means slog.Default
}

// A DB is an open database.
type DB struct {
	engine   engine
	embedded *embedded // or nil
	pool     *sql.DB   // PostgreSQL's, or nil
	now      func() time.Time
	log      *slog.Logger
	ids      *id.Generator
	holder   string // names this process in leases
	kick     chan struct{}
	told     chan struct{} // there may be something for webhooks
	lined    atomic.Bool   // deliveries were lined up in this process
	rate     atomic.Uint64 // of purges, rows a second, as a float's bits
	clocks
	trouble  trouble
	closed   sync.Once
	closeErr error
}

// Open opens a database. Its schema must be the one this program knows, or older
// and opts.Migrate set.
func Open(ctx context.Context, opts Options) (*DB, error) {
	e, err := newEngine(opts.Address)
	if err != nil {
		return nil, err
	}
	db := &DB{engine: e, now: opts.Now, log: opts.Log, holder: newHolder(), kick: make(chan struct{}, 1), told: make(chan struct{}, 1)}
	db.watch(opts)
	if db.log == nil {
		db.log = slog.Default()
	}
	db.trouble.log = db.log
	if err := db.open(ctx, opts); err != nil {
		_ = db.Close()
		return nil, err
	}
	return db, nil
}

func (db *DB) open(ctx context.Context, opts Options) (err error) {
	if db.engine.name == "sqlite" {
		if db.embedded, err = openEmbedded(ctx, opts.Address, !opts.Fast, &db.trouble); err != nil {
			return err
		}
	} else {
		if db.pool, err = openPool(opts.Address); err != nil {
			return fmt.Errorf("the database address cannot be read: %w", err)
		}
		db.pool.SetMaxOpenConns(32)
		db.pool.SetMaxIdleConns(32)
		db.pool.SetConnMaxLifetime(time.Hour)
		if err := db.pool.PingContext(ctx); err != nil {
			return fmt.Errorf("the database does not answer: %w", err)
		}
	}
	if err := db.migrate(ctx, opts.Migrate); err != nil {
		return err
	}
	db.ids, err = id.NewGenerator(ctx, leaser{db}, db.now)
	return err
}

func newHolder() string {
	var b [12]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// Close ends all work on the database. A second call gives what the first did.
func (db *DB) Close() error {
	db.closed.Do(func() {
		switch {
		case db.embedded != nil:
			db.closeErr = db.embedded.close()
		case db.pool != nil:
			db.closeErr = db.pool.Close()
		}
	})
	return db.closeErr
}

// Engine names the kind of database: "sqlite" or "postgres".
func (db *DB) Engine() string { return db.engine.name }

// Ping reports whether the database answers.
func (db *DB) Ping(ctx context.Context) error {
	rows, err := db.read().query(ctx, "SELECT 1", nil)
	if err != nil {
		return err
	}
	return rows.Close()
}

// read gives what runs single reading statements.
func (db *DB) read() querier {
	if db.embedded != nil {
		return db.embedded.reader
	}
	return direct{db.pool}
}

// A Runner presents a DB as the Store of a domain package whose Tx interface is T.
type Runner[T any] struct{ db *DB }

// For presents db as the Store of a domain package whose Tx interface is T.
func For[T any](db *DB) Runner[T] {
	_ = any((*Tx)(nil)).(T) // fails at start-up, not at the first request
	return Runner[T]{db}
}

// View runs fn, whose reads each see every write committed before them.
func (r Runner[T]) View(ctx context.Context, realm id.ID, fn func(T) error) error {
	return translate(fn(any(&Tx{q: r.db.read(), db: r.db, realm: realm, now: kept(r.db.now())}).(T)))
}

// Update runs fn in one transaction, again when it lost a race.
func (r Runner[T]) Update(ctx context.Context, realm id.ID, fn func(T) error) error {
	return r.db.update(ctx, realm, false, func(tx *Tx) error { return fn(any(tx).(T)) })
}

// committed lets those look whom a transaction left something to do.
func (db *DB) committed(tx *Tx) {
	if tx.condemned {
		db.Kick()
	}
	if tx.lined {
		db.lined.Store(true)
	}
	if tx.told || tx.lined {
		db.tell()
	}
}

const attempts = 12

// errRaced is a row that somebody else wrote between a look for it and its insert.
// Whoever runs again finds it.
var errRaced = errors.New("another transaction wrote the same row first")

// update runs fn in a transaction bound to a realm, which must be alive.
func (db *DB) update(ctx context.Context, realm id.ID, background bool, fn func(*Tx) error) error {
	return db.updateAnyway(ctx, realm, background, func(tx *Tx) error {
		if tx.dead {
			return errRealmGone
		}
		return fn(tx)
	})
}

// updateAnyway is update for work that goes on in a deleted realm, or looks at
// Tx.dead by itself.
func (db *DB) updateAnyway(ctx context.Context, realm id.ID, background bool, fn func(*Tx) error) error {
	err := db.again(ctx, func() error {
		if err := db.ids.Ready(ctx); err != nil {
			return err
		}
		tx := &Tx{db: db, realm: realm, now: kept(db.now()), writes: true}
		err := db.transact(ctx, background, func(q querier) error {
			tx.q = q
			if err := tx.fence(ctx); err != nil {
				return err
			}
			return fn(tx)
		})
		db.trouble.note(err)
		if err == nil {
			db.committed(tx)
		}
		return err
	})
	return translate(err)
}

// again runs fn until it has not lost a race, or has lost too many.
func (db *DB) again(ctx context.Context, fn func() error) error {
	for try := 1; ; try++ {
		err := fn()
		if !db.lost(err) || try == attempts {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Duration(try*try) * time.Millisecond):
		}
	}
}

func (db *DB) lost(err error) bool {
	return err != nil && (db.engine.retry(err) || errors.Is(err, id.ErrLease) || errors.Is(err, errRaced))
}

// alone runs one writing statement as a transaction of its own, without the turns that
// several take, and gives how many rows it changed. Nothing keeps the realm from ending
// meanwhile: it may write no new row, and its condition says who has to be alive.
func (db *DB) alone(ctx context.Context, text string, args []any) (n int, err error) {
	err = db.again(ctx, func() (err error) {
		run := func(q querier) error {
			n, err = affected(q.exec(ctx, text, args))
			return err
		}
		if db.embedded != nil {
			err = db.embedded.update(ctx, false, run)
		} else {
			err = run(direct{db.pool})
		}
		db.trouble.note(err)
		return err
	})
	return n, translate(err)
}

// transact runs fn in a transaction of the engine.
func (db *DB) transact(ctx context.Context, background bool, fn func(querier) error) error {
	if db.embedded != nil {
		return db.embedded.update(ctx, background, fn)
	}
	tx, err := db.pool.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // does nothing after the commit
	if err = fn(direct{tx}); err == nil {
		err = tx.Commit()
	}
	if errors.Is(err, sql.ErrTxDone) && ctx.Err() != nil {
		return ctx.Err() // which ended the transaction between two statements
	}
	return err
}
