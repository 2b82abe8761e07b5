package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"

	"guildhall/internal/fault"
	"guildhall/internal/id"
)

var (
	errUnavailable = fault.New(fault.Unavailable, "database_unavailable", "", "the database is not available; try again")
	// A disk without room is not the client's doing, and it passes: so it is told
	// like a database that is away, which every vendor's client knows.
	errFull = fault.New(fault.Unavailable, "database_full", "", "the database has no room left: it can be read, and cannot be written until somebody makes room")
)

// translate makes a fault of what a database or a context reported.
func translate(err error) error {
	var f *fault.Error
	switch {
	case err == nil || errors.As(err, &f):
		return err
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return errUnavailable.Because(err)
	case badText(err):
		return errText.Because(err)
	case full(err):
		return errFull.Because(err)
	case postgresEngine.retry(err), sqliteEngine.retry(err), errors.Is(err, id.ErrLease), errors.Is(err, errRaced), away(err), failing(err):
		return errUnavailable.Because(err)
	}
	return fault.ErrInternal.Because(err)
}

// badText reports that PostgreSQL was given text that it cannot keep, in a place
// that does not look by itself.
func badText(err error) bool {
	code := state(err)
	return code == "22021" || code == "22P05"
}

// state is the SQLSTATE that PostgreSQL gave, or "".
func state(err error) string {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

// result is the primary result code that SQLite gave, or 0.
func result(err error) int {
	var e *sqlite.Error
	if errors.As(err, &e) {
		return e.Code() & 0xff
	}
	return 0
}

// full reports that there was no room for what was written. A limit on the size of
// files and a quota, which the system does not report as a full disk, are among
// what failing reports.
func full(err error) bool {
	return result(err) == sqliteFull || state(err) == "53100"
}

// away reports that PostgreSQL cannot be reached, takes no more connections, was
// told to end a statement or itself, reports an error of its system, or is one that
// only reads since another took its place (PostgreSQL documentation, Appendix A:
// classes 08, 53, 57 and 58, 25006).
func away(err error) bool {
	if code := state(err); code != "" {
		return code == "25006" || strings.HasPrefix(code, "08") || strings.HasPrefix(code, "53") || strings.HasPrefix(code, "57") || strings.HasPrefix(code, "58")
	}
	var connect *pgconn.ConnectError
	var network net.Error
	return errors.As(err, &connect) || errors.As(err, &network) || errors.Is(err, driver.ErrBadConn) || errors.Is(err, sql.ErrConnDone) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, pgx.ErrTxCommitRollback) || pgconn.SafeToRetry(err)
}

// failing reports that the system fails the embedded database.
func failing(err error) bool {
	switch result(err) {
	case sqliteNoMemory, sqliteReadOnly, sqliteIO, sqliteCannotOpen:
		return true
	}
	return errors.As(err, new(unsynced))
}

// A trouble is that the database cannot be written, which whoever runs the server
// must hear of once, and not with every request.
type trouble struct {
	log *slog.Logger

	mu    sync.Mutex
	lasts bool
	last  time.Time
}

// calm is how long nothing may have failed for a trouble to be over: on a disk that
// is nearly full some writes find room while others do not.
const calm = 5 * time.Second

// note takes how something ended that wrote.
func (t *trouble) note(err error) {
	stopped := full(err) || failing(err)
	if !stopped && err != nil {
		return // it says nothing about the disk
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case stopped && !t.lasts:
		t.log.Error("the database cannot be written, and can be read: make room, or see what the system reports", "error", err)
	case !stopped && t.lasts && time.Since(t.last) > calm:
		t.log.Info("the database can be written again")
	case !stopped:
		return
	}
	t.lasts = stopped
	if stopped {
		t.last = time.Now()
	}
}

// Writable reports whether writes lately found room.
func (db *DB) Writable() bool {
	db.trouble.mu.Lock()
	defer db.trouble.mu.Unlock()
	return !db.trouble.lasts
}
