package store

import (
	"context"
	"strings"
	"sync"

	"guildhall/internal/erasure"
)

// surveys keeps the statements of survey, by kind and fate.
var surveys sync.Map

// survey tells which edges of a plan have any row at all, in one statement. Most
// organizations are small and have rows in few tables: asking for each by itself
// would be nearly all the work of their purge.
func (tx *Tx) survey(ctx context.Context, d *erasure.Deletion, plan []erasure.Edge) ([]bool, error) {
	key := d.Kind.String() + " " + string(d.Users)
	text, ok := surveys.Load(key)
	if !ok {
		parts := make([]string, len(plan))
		for i, e := range plan {
			parts[i] = "EXISTS (SELECT 1 FROM " + e.Table + " WHERE " + Owned(e) + ")" // sql: the declared graph
		}
		text = "SELECT " + strings.Join(parts, ", ") // sql: from above
		surveys.Store(key, text)
	}
	there, into := make([]bool, len(plan)), make([]any, len(plan))
	for i := range there {
		into[i] = &there[i]
	}
	return there, scanOne(ctx, tx.q, text.(string), []any{int64(d.Subject)}, into...)
}
