package directory

import (
	"context"
	"reflect"
	"strings"

	"guildhall/internal/id"
	"guildhall/internal/query"
)

// byID fetches what items refer to, in one query, keyed by ID.
func byID[T interface{ Ident() id.ID }, I any](ctx context.Context, objects query.Objects[T], items []I, ref func(I) id.ID) (map[id.ID]T, error) {
	ids := make([]id.ID, 0, len(items))
	for _, item := range items {
		ids = append(ids, ref(item))
	}
	found, err := all(ctx, objects, query.OneOf("id", ids))
	out := make(map[id.ID]T, len(found))
	for _, t := range found {
		out[t.Ident()] = t
	}
	return out, err
}

// all lists everything that meets the conditions, page by page.
func all[T any](ctx context.Context, objects query.Objects[T], where ...query.Condition) ([]T, error) {
	var out []T
	for q := (query.Query{Where: where, Limit: query.MaxLimit}); ; {
		page, err := objects.List(ctx, q)
		if err != nil {
			return nil, err
		}
		out = append(out, page.Items...)
		if page.Next == nil {
			return out, nil
		}
		q.After = page.Next
	}
}

func same[T any](a, b T) bool { return reflect.DeepEqual(a, b) }

func joined(parts ...string) string {
	return strings.TrimSpace(strings.Join(parts, " "))
}
