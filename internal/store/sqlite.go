package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// FileName is the name of the embedded database in its folder.
const FileName = "guildhall.db"

// embedded is the SQLite side of a DB: one connection that writes, some that
// read, and one that moves the write-ahead log into the file in the background.
type embedded struct {
	path       string
	log        *logSync // nil when what is acknowledged may be lost with the power
	gate       gate
	conn       *sql.Conn   // the one that writes; use it, and what is on it, only inside the gate
	writer     *statements // on conn
	reader     *statements
	handles    []*sql.DB
	scrub      atomic.Bool // the log holds what was erased
	stop, done chan struct{}
}

// maxStatements bounds a cache of prepared statements. Texts vary with the
// filters that callers combine; what does not fit is prepared for one use.
const maxStatements = 400

// statements prepares every text once.
type statements struct {
	on runs
	mu sync.RWMutex
	by map[string]*sql.Stmt
}

// runs is a pool of connections or a single one.
type runs interface {
	PrepareContext(ctx context.Context, text string) (*sql.Stmt, error)
	QueryContext(ctx context.Context, text string, args ...any) (*sql.Rows, error)
	ExecContext(ctx context.Context, text string, args ...any) (sql.Result, error)
}

func newStatements(on runs) *statements {
	return &statements{on: on, by: map[string]*sql.Stmt{}}
}

var placeholder = regexp.MustCompile(`\$[0-9]+`)

// positional spells $1, $2, $3 as question marks when they stand in order, once
// each. The driver looks a numbered parameter up among all the others, by text,
// at every execution.
func positional(text string) string {
	n, ordered := 0, true
	out := placeholder.ReplaceAllStringFunc(text, func(m string) string {
		n++
		ordered = ordered && m[1:] == strconv.Itoa(n)
		return "?"
	})
	if !ordered {
		return text
	}
	return out
}

// get gives the prepared statement, or nil when there is no room for one more.
func (s *statements) get(ctx context.Context, text string) (*sql.Stmt, error) {
	s.mu.RLock()
	stmt, full := s.by[text], len(s.by) >= maxStatements
	s.mu.RUnlock()
	if stmt != nil || full {
		return stmt, nil
	}
	fresh, err := s.on.PrepareContext(ctx, positional(text))
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if have := s.by[text]; have != nil {
		return have, fresh.Close() // another call was first
	}
	s.by[text] = fresh
	return fresh, nil
}

// close lets the connection go. One with open statements would stay, and with it
// the write-ahead log, which the last connection moves into the file and removes.
func (s *statements) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, stmt := range s.by {
		_ = stmt.Close()
	}
}

// query must not close a statement of one use by itself: one that belongs to a
// single connection takes the rows that are still being read with it.
func (s *statements) query(ctx context.Context, text string, args []any) (*sql.Rows, error) {
	stmt, err := s.get(ctx, text)
	switch {
	case err != nil:
		return nil, err
	case stmt == nil:
		return s.on.QueryContext(ctx, positional(text), args...)
	}
	return stmt.QueryContext(ctx, args...)
}

func (s *statements) find(ctx context.Context, text string, args []any) (*sql.Rows, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return s.query(context.WithoutCancel(ctx), text, args)
}

func (s *statements) exec(ctx context.Context, text string, args []any) (sql.Result, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	ctx = context.WithoutCancel(ctx)
	stmt, err := s.get(ctx, text)
	switch {
	case err != nil:
		return nil, err
	case stmt == nil:
		return s.on.ExecContext(ctx, positional(text), args...)
	}
	return stmt.ExecContext(ctx, args...)
}

// readers is how many connections read at once.
const readers = 4

func openEmbedded(ctx context.Context, folder string, durable bool, t *trouble) (*embedded, error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, fmt.Errorf("make the data folder: %w", err)
	}
	path := filepath.Join(folder, FileName)
	// SQLite gives the files beside it the mode of this one.
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("make the database file: %w", err)
	}
	if err := file.Close(); err != nil {
		return nil, err
	}
	const synchronous = "synchronous(NORMAL)" // commits wait for the disk afterwards; see logSync
	e := &embedded{path: path, stop: make(chan struct{}), done: make(chan struct{})}
	e.scrub.Store(true) // a purge may have ended right before the process did
	if durable {
		e.log = newLogSync(path + "-wal")
	}
	open := func(most int, pragmas ...string) (*sql.DB, error) {
		db, err := sql.Open("sqlite", sqliteDSN(path, pragmas...))
		if err != nil {
			return nil, err
		}
		db.SetMaxOpenConns(most)
		db.SetMaxIdleConns(most)
		e.handles = append(e.handles, db)
		// Of two processes that start on an empty folder one turns the log on,
		// for which the other does not wait by itself.
		for try := 1; ; try++ {
			if err = db.PingContext(ctx); !sqliteEngine.retry(err) || try == 20 {
				return db, err
			}
			time.Sleep(time.Duration(try) * 10 * time.Millisecond)
		}
	}
	write, err := open(1, synchronous, "wal_autocheckpoint(0)", "cache_size(-16384)")
	if err != nil {
		return e, fmt.Errorf("open %s: %w", path, err)
	}
	if e.conn, err = write.Conn(ctx); err != nil {
		return e, err
	}
	read, err := open(readers, "query_only(1)", "cache_size(-8192)")
	if err != nil {
		return e, err
	}
	checkpoint, err := open(1, synchronous, "wal_autocheckpoint(0)")
	if err != nil {
		return e, err
	}
	e.writer = newStatements(e.conn)
	e.reader = newStatements(read)
	go e.checkpoint(checkpoint, t)
	return e, nil
}

// checkpoint copies the log into the file every 200 ms, without waiting for
// anybody. Left to the writer it would stop all others for as long as it takes.
// Where readers keep the log from being reset for long and it grows large, one
// checkpoint waits for them.
func (e *embedded) checkpoint(db *sql.DB, t *trouble) {
	defer close(e.done)
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for tries := 0; ; {
		select {
		case <-e.stop:
			return
		case <-tick.C:
		}
		var busy, pages, moved int
		err := db.QueryRow("PRAGMA wal_checkpoint(PASSIVE)").Scan(&busy, &pages, &moved)
		lost := e.log != nil && e.log.failed() != nil
		switch {
		case err != nil || moved != pages:
		case lost || e.scrub.Load():
			tries++
			if err = e.empty(db, tries); err == nil && !e.scrub.Load() {
				tries = 0
				if lost {
					e.log.mended()
				}
			}
		case pages > 65536: // 256 MiB: start the log anew
			err = db.QueryRow("PRAGMA wal_checkpoint(RESTART)").Scan(&busy, &pages, &moved)
		}
		switch {
		case full(err) || failing(err):
			t.note(err)
		case err != nil && !sqliteEngine.retry(err):
			t.log.Warn("move the write-ahead log into the database", "error", err)
		}
	}
}

// empty cuts the log off, in which pages still are as they were before a purge.
// Writers have to wait meanwhile, so it gives up quickly while somebody reads, and
// has more patience the more often it did.
func (e *embedded) empty(db *sql.DB, tries int) error {
	e.scrub.Store(false)
	var busy, pages, moved int
	patience := min(time.Duration(tries)*20*time.Millisecond, 2*time.Second)
	_, err := db.Exec("PRAGMA busy_timeout = " + strconv.FormatInt(patience.Milliseconds(), 10)) // sql: a number
	if err == nil {
		err = db.QueryRow("PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &pages, &moved)
	}
	if err != nil || busy != 0 {
		e.scrub.Store(true)
	}
	_, failed := db.Exec("PRAGMA busy_timeout = 15000")
	return errors.Join(err, failed)
}

// closeWriter waits for whoever writes: statements must not be taken away from
// under rows that are being read. Who comes later is told that all is closed.
func (e *embedded) closeWriter() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := e.gate.enter(ctx, false); err != nil {
		return // better left open than broken; the process is about to end
	}
	defer e.gate.leave()
	e.writer.close()
	_ = e.conn.Close()
}

func (e *embedded) close() error {
	if e.writer != nil {
		close(e.stop)
		<-e.done
	}
	if e.log != nil {
		e.log.close()
	}
	if e.writer != nil {
		e.closeWriter()
	}
	var first error
	for _, db := range e.handles {
		if err := db.Close(); err != nil && first == nil {
			first = err
		}
	}
	return first
}

// update runs fn in a transaction and makes it durable. What is written in the
// background is not waited for: what a loss of power takes of it is done again,
// and whoever waits makes all that was written before durable as well.
func (e *embedded) update(ctx context.Context, background bool, fn func(querier) error) error {
	if e.log != nil && !background {
		if err := e.log.failed(); err != nil {
			return err
		}
	}
	if err := e.write(ctx, background, fn); err != nil || background || e.log == nil {
		return err
	}
	return e.log.wait()
}

// write runs fn between BEGIN IMMEDIATE and COMMIT on the writing connection.
func (e *embedded) write(ctx context.Context, background bool, fn func(querier) error) error {
	if err := e.gate.enter(ctx, background); err != nil {
		return err
	}
	defer e.gate.leave()
	if _, err := e.writer.exec(ctx, "BEGIN IMMEDIATE", nil); err != nil {
		return err
	}
	committed := false
	defer func() {
		if !committed { // also when fn panics
			_, _ = e.writer.exec(context.WithoutCancel(ctx), "ROLLBACK", nil)
		}
	}()
	if err := fn(e.writer); err != nil {
		return err
	}
	if _, err := e.writer.exec(context.WithoutCancel(ctx), "COMMIT", nil); err != nil {
		return err
	}
	committed = true
	return nil
}
