package store

import (
	"context"
	"fmt"
	"testing"
)

// TestMoreStatementsThanAreKept reads with more different texts than the cache of
// prepared statements has room for, several rows each, while others come between.
func TestMoreStatementsThanAreKept(t *testing.T) {
	ctx := context.Background()
	db, err := Open(ctx, Options{Address: t.TempDir(), Fast: true, Migrate: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	read := func(q querier) error {
		for n := range maxStatements + 50 {
			rows, err := q.query(ctx, fmt.Sprintf("WITH RECURSIVE c (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < $1) SELECT x, 'text' || x, %d FROM c", n), []any{20})
			if err != nil {
				return err
			}
			for want := 1; rows.Next(); want++ {
				var x, m int
				var text string
				if err := rows.Scan(&x, &text, &m); err != nil || x != want || m != n || text != fmt.Sprint("text", want) {
					t.Fatalf("row %d of statement %d: %d %q %d, %v", want, n, x, text, m, err)
				}
				if _, err := q.exec(ctx, fmt.Sprintf("UPDATE nodes SET holder = holder WHERE node = %d", n), nil); err != nil && q == querier(db.embedded.writer) {
					return err
				}
			}
			if err := rows.Close(); err != nil {
				return err
			}
		}
		return nil
	}
	if err := db.transact(ctx, false, read); err != nil {
		t.Error(err)
	}
	if err := read(db.read()); err != nil {
		t.Error(err)
	}
}
