package store

import (
	"context"
	"errors"
)

var errNoRow = errors.New("no row")

// scanOne reads the first row of a statement, or fails with errNoRow.
func scanOne(ctx context.Context, q querier, text string, args []any, into ...any) error {
	rows, err := q.find(ctx, text, args)
	if err != nil {
		return err
	}
	defer rows.Close()
	if !rows.Next() {
		if err := rows.Err(); err != nil {
			return err
		}
		return errNoRow
	}
	if err := rows.Scan(into...); err != nil {
		return err
	}
	return rows.Close()
}

// scanAll reads every row of a statement.
func scanAll[T any](ctx context.Context, q querier, text string, args []any, into func(*T) []any) ([]T, error) {
	rows, err := q.query(ctx, text, args)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []T
	for rows.Next() {
		var v T
		if err := rows.Scan(into(&v)...); err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, rows.Err()
}
