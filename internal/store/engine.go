package store

import (
	"context"
	"crypto/tls"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"modernc.org/sqlite"
)

// An engine is everything that is not portable.
type engine struct {
	name    string
	dialect goose.Dialect
	spell   *strings.Replacer // column types of the migrations
	hold    string            // appended to keep a row from changing
	lock    string            // appended to keep other writers off a row
	share   string            // appended to keep a row from ending, while others may write it
	// Appended before hold and lock where many hold one row at once. PostgreSQL
	// lets whoever shares a row pass those who wait for it alone, for ever if new
	// ones keep coming: a deletion would wait until nobody writes into the
	// organization any more. Its advisory locks are granted in the order of asking.
	// They are given the argument with the id, never the column: a table of a few
	// pages is read from end to end, and the function called for every row of it,
	// which would lock everybody's.
	holdInTurn, lockInTurn func(argument string) string
	clock                  string // asks for the time of the database server; "" where that is this machine's
	columns                string // lists every table and column of the schema
	// taken gives the name of the unique index, or the columns, that refused a
	// row; ok is false for other errors.
	taken func(error) (what string, ok bool)
	// retry reports that the transaction lost a race and may win when run again.
	retry func(error) bool
}

var sqliteEngine = engine{
	name: "sqlite", dialect: goose.DialectSQLite3,
	spell:      strings.NewReplacer("BIGINT PRIMARY KEY", "INTEGER PRIMARY KEY"),
	holdInTurn: calling(""), lockInTurn: calling(""),
	columns: "SELECT t.name, c.name FROM sqlite_master AS t JOIN pragma_table_info(t.name) AS c WHERE t.type = 'table'",
	taken: func(err error) (string, bool) {
		var e *sqlite.Error
		if !errors.As(err, &e) || (e.Code() != sqliteUnique && e.Code() != sqlitePrimaryKey) {
			return "", false
		}
		// "constraint failed: UNIQUE constraint failed: users.realm_id, users.alias (2067)"
		_, columns, _ := strings.Cut(e.Error(), "constraint failed: ")
		if _, inner, ok := strings.Cut(columns, "constraint failed: "); ok {
			columns = inner
		}
		columns, _, _ = strings.Cut(columns, " (")
		return columns, true
	},
	retry: func(err error) bool {
		var e *sqlite.Error
		return errors.As(err, &e) && e.Code()&0xff == sqliteBusy
	},
}

// Result codes of SQLite (https://sqlite.org/rescode.html).
const (
	sqliteBusy       = 5
	sqliteNoMemory   = 7
	sqliteReadOnly   = 8
	sqliteIO         = 10
	sqliteFull       = 13
	sqliteCannotOpen = 14
	sqlitePrimaryKey = 1555
	sqliteUnique     = 2067
)

var postgresEngine = engine{
	name: "postgres", dialect: goose.DialectPostgres,
	// Text is compared byte by byte on both engines, so that pages agree.
	spell: strings.NewReplacer(" TEXT ", ` TEXT COLLATE "C" `, " BLOB", " BYTEA"),
	hold:  " FOR SHARE", lock: " FOR UPDATE", share: " FOR KEY SHARE",
	clock:      "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)",
	holdInTurn: calling("pg_advisory_xact_lock_shared"), lockInTurn: calling("pg_advisory_xact_lock"),
	columns: "SELECT CAST(table_name AS TEXT), CAST(column_name AS TEXT) FROM information_schema.columns WHERE table_schema = current_schema()",
	taken: func(err error) (string, bool) {
		var e *pgconn.PgError
		if !errors.As(err, &e) || e.Code != "23505" {
			return "", false
		}
		return e.ConstraintName, true
	},
	retry: func(err error) bool {
		var e *pgconn.PgError
		return errors.As(err, &e) && (e.Code == "40001" || e.Code == "40P01")
	},
}

// calling gives a condition that always holds, and calls a function before it does.
func calling(function string) func(argument string) string {
	return func(argument string) string {
		if function == "" {
			return ""
		}
		return " AND " + function + "(" + argument + ") IS NOT NULL" // sql: a function from above
	}
}

// openPool opens a pool of connections to PostgreSQL. Statements here are short;
// compiling one (PostgreSQL documentation, Just-in-Time Compilation) would take
// far longer than running it. Databases that know no such setting go without.
func openPool(address string) (*sql.DB, error) {
	config, err := pgx.ParseConfig(address)
	if err != nil {
		return nil, err
	}
	if !strings.Contains(address, "connect_timeout") {
		config.ConnectTimeout = silence
	}
	return stdlib.OpenDB(*config, stdlib.OptionAfterConnect(func(ctx context.Context, conn *pgx.Conn) error {
		_, _ = conn.Exec(ctx, "SET jit = off")
		return mortal(conn.PgConn().Conn())
	})), nil
}

// silence is how long a database that cannot be reached any more is waited for.
const silence = 20 * time.Second

// mortal makes a connection fail when its peer is gone without a word. Most
// statements have no other end; see querier.
func mortal(conn net.Conn) error {
	if secure, ok := conn.(*tls.Conn); ok {
		conn = secure.NetConn()
	}
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return nil
	}
	err := tcp.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: silence / 4, Interval: silence / 4, Count: 3})
	return errors.Join(err, abandon(tcp, silence))
}

// sqliteDSN is the data source name of one handle on a file. Busy waiting is a
// last resort for other processes on the same file: within this one the gate
// puts writers in order. What is deleted is overwritten with zeros, wherever it
// was in the file (https://sqlite.org/pragma.html#pragma_secure_delete).
func sqliteDSN(path string, pragmas ...string) string {
	v := url.Values{"_txlock": {"immediate"}}
	for _, p := range append([]string{"busy_timeout(15000)", "journal_mode(WAL)", "foreign_keys(1)", "secure_delete(1)"}, pragmas...) {
		v.Add("_pragma", p)
	}
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + v.Encode()
}

// A querier runs statements: in a transaction, or each by itself. Only query ends
// when ctx does. The others lead to their rows by a key and are short; watching
// ctx takes database/sql and the driver a goroutine each, which costs about as
// much as the statement does.
type querier interface {
	query(ctx context.Context, text string, args []any) (*sql.Rows, error)
	find(ctx context.Context, text string, args []any) (*sql.Rows, error)
	exec(ctx context.Context, text string, args []any) (sql.Result, error)
}

// direct runs statements on a pool or transaction whose driver keeps prepared
// statements by itself, as pgx does.
type direct struct {
	on interface {
		QueryContext(ctx context.Context, text string, args ...any) (*sql.Rows, error)
		ExecContext(ctx context.Context, text string, args ...any) (sql.Result, error)
	}
}

func (d direct) query(ctx context.Context, text string, args []any) (*sql.Rows, error) {
	return d.on.QueryContext(ctx, text, args...)
}

func (d direct) find(ctx context.Context, text string, args []any) (*sql.Rows, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return d.on.QueryContext(context.WithoutCancel(ctx), text, args...)
}

func (d direct) exec(ctx context.Context, text string, args []any) (sql.Result, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return d.on.ExecContext(context.WithoutCancel(ctx), text, args...)
}

// newEngine tells the engine from the address of the database.
func newEngine(address string) (engine, error) {
	switch scheme, _, found := strings.Cut(address, "://"); {
	case !found:
		return sqliteEngine, nil
	case scheme == "postgres" || scheme == "postgresql":
		return postgresEngine, nil
	default:
		return engine{}, fmt.Errorf("the database address begins with %q: give a postgres:// address, or a folder for the embedded database", scheme+"://")
	}
}
