package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"guildhall/internal/directory"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

// A table says how one kind of object is stored. The mechanism below writes all
// statements from it, each with the realm and the liveness in its WHERE.
type table[T any] struct {
	name     string
	columns  []string       // behind id, version, created_at, updated_at; in the order of bind
	bind     func(*T) []any // where columns are read into and written from
	derived  []string       // columns that are only written and asked for
	derive   func(*T) []any // their values
	stamp    func(*T) *directory.Stamp
	alias    func(*T) string // the id its creator chose, or nil
	kind     id.Kind
	missing  error
	taken    map[string]error                     // what a unique index refuses, by a part of its name on either engine
	fields   map[string]string                    // what can be asked for besides the columns, as expressions
	alive    string                               // who of the table exists; "" means every row
	reads    map[string]string                    // columns that are read as an expression
	sparse   []string                             // columns that are mostly empty and indexed only where they are not
	home     func(*T) id.ID                       // the organization that the row ends with besides its owner, or nil
	fixed    []string                             // columns that Update leaves alone
	settle   func(context.Context, *Tx, *T) error // what else an update brings about, or nil
	crowded  bool                                 // many may hold a row at once: whoever locks it must get his turn
	outlives bool                                 // its rows are there while their realm is deleted and not purged
	there    string                               // what an insert of many does about rows that are there already
	// Columns that no two rows share: an insert takes the place of one that an ended
	// membership has left there, which nobody sees.
	replaces []string
}

// selections keeps what selected gives, by table.
var selections sync.Map

const stampColumns = "id, version, created_at, updated_at"

// selected is the list of expressions that scan reads. It is put together once.
func (t *table[T]) selected() string {
	if known, ok := selections.Load(t); ok {
		return known.(string)
	}
	list := []string{stampColumns}
	for _, c := range t.columns {
		if e, ok := t.reads[c]; ok {
			c = e
		}
		list = append(list, c)
	}
	text := strings.Join(list, ", ")
	selections.Store(t, text)
	return text
}

// of is selected in a join. A table of which something is read as an expression goes by
// its own name there.
func (t *table[T]) of(as string) string {
	list := strings.Split(stampColumns, ", ")
	for i, c := range append(list, t.columns...) {
		if e, ok := t.reads[c]; ok {
			list = append(list[:i:i], e)
		} else {
			list = append(list[:i:i], as+"."+c)
		}
	}
	return strings.Join(list, ", ")
}

// field gives the expression of what can be asked for.
func (t *table[T]) field(name string) (string, error) {
	if e, ok := t.fields[name]; ok {
		return e, nil
	}
	if e, ok := t.reads[name]; ok {
		return e, nil
	}
	for _, list := range [][]string{{"id", "version", "created_at", "updated_at"}, t.columns, t.derived} {
		for _, c := range list {
			if c == name {
				return t.name + "." + c, nil
			}
		}
	}
	return "", query.ErrField.On(name)
}

// objects is a table in one transaction; it is the query.Objects of its kind.
type objects[T any] struct {
	t  *table[T]
	tx *Tx
}

func (o objects[T]) Get(ctx context.Context, i id.ID) (T, error) {
	return o.one(ctx, "", query.Is("id", i))
}

func (o objects[T]) Hold(ctx context.Context, i id.ID) (T, error) {
	return o.held(ctx, o.tx.suffix(o.inTurn(o.tx.db.engine.holdInTurn)+o.tx.db.engine.hold), i)
}

func (o objects[T]) Lock(ctx context.Context, i id.ID) (T, error) {
	return o.held(ctx, o.tx.suffix(o.inTurn(o.tx.db.engine.lockInTurn)+o.tx.db.engine.lock), i)
}

// inTurn is for what one writes with an id alone, which comes after the realm.
func (o objects[T]) inTurn(clause func(argument string) string) string {
	if o.t.crowded {
		return clause("$2")
	}
	return ""
}

// held reads a row with a lock, and holds the home that takes the row along when
// it ends: a deletion of the home waits for whoever writes what belongs to a user
// of it, and is seen by whoever comes later.
func (o objects[T]) held(ctx context.Context, clause string, i id.ID) (v T, err error) {
	for {
		v, err = o.one(ctx, clause, query.Is("id", i))
		if err != nil || clause == "" || o.t.home == nil || o.t.home(&v) == id.None {
			return v, err
		}
		_, err = objects[directory.Organization]{organizations, o.tx}.Hold(ctx, o.t.home(&v))
		if !errors.Is(err, directory.ErrOrganizationNotFound) {
			return v, err
		}
		// The home ended meanwhile. Reading again shows what became of the user.
	}
}

func (o objects[T]) Find(ctx context.Context, where ...query.Condition) (T, error) {
	return o.one(ctx, "", where...)
}

// one reads the oldest row that meets the conditions. A lock makes PostgreSQL
// look again at a row that changed meanwhile, so a deletion that was committed
// first is seen.
func (o objects[T]) one(ctx context.Context, suffix string, where ...query.Condition) (v T, err error) {
	b := o.where(where)
	text := "SELECT " + o.t.selected() + " FROM " + o.t.name + b.text()
	if len(where) != 1 || !where[0].Names("id") {
		text += " ORDER BY " + o.t.name + ".id LIMIT 1"
	}
	if b.err != nil {
		return v, b.err
	}
	rows, err := o.tx.q.find(ctx, text+suffix, b.args)
	if err != nil {
		return v, err
	}
	defer rows.Close()
	if !rows.Next() {
		if err := rows.Err(); err != nil {
			return v, err
		}
		return v, o.t.missing
	}
	if err := rows.Scan(o.destinations(&v)...); err != nil {
		return v, err
	}
	return v, rows.Close()
}

func (o objects[T]) destinations(v *T, more ...any) []any {
	s := o.t.stamp(v)
	return append(append([]any{(*int64)(&s.ID), &s.Version, at(&s.CreatedAt), at(&s.UpdatedAt)}, o.t.bind(v)...), more...)
}

// where starts a builder with the realm, the liveness and the conditions.
func (o objects[T]) where(conditions []query.Condition) *builder {
	b := o.inRealm()
	if o.t.alive != "" {
		b.write(" AND " + o.t.alive)
	}
	b.and(conditions)
	return b
}

func (o objects[T]) inRealm() *builder {
	b := &builder{field: o.t.field, sparse: o.t.sparse}
	b.sql.Grow(256)
	realm := b.arg(int64(o.tx.realm))
	b.write(" WHERE " + o.t.name + ".realm_id = " + realm)
	if !o.tx.writes && !o.t.outlives { // who writes has asked before; see fence
		b.write(" AND EXISTS (SELECT 1 FROM realms AS z WHERE z.id = " + realm + " AND z.deleted_at = 0)")
	}
	return b
}

func (o objects[T]) List(ctx context.Context, q query.Query) (page query.Page[T], err error) {
	if q.Limit <= 0 {
		q.Limit = query.DefaultLimit
	}
	q.Limit = min(q.Limit, query.MaxLimit)
	by, err := o.t.field(orID(q.By))
	if err != nil {
		return page, err
	}
	if q.Total {
		if page.Total, err = o.Count(ctx, q.Where...); err != nil {
			return page, err
		}
	}
	b := o.where(q.Where)
	id, direction, beyond := o.t.name+".id", "", " > "
	if q.Desc {
		direction, beyond = " DESC", " < "
	}
	order := id + direction
	if by != id {
		order = by + direction + ", " + order
	}
	if q.After != nil && by == id {
		b.write(" AND " + id + beyond + b.arg(int64(q.After.ID)))
	} else if q.After != nil {
		b.write(" AND (" + by + ", " + id + ")" + beyond + "(" + b.arg(plainValue(q.After.Value)) + ", " + b.arg(int64(q.After.ID)) + ")")
	}
	text := "SELECT " + o.t.selected() + ", " + by + " FROM " + o.t.name + b.text() + " ORDER BY " + order + " LIMIT " + b.arg(int64(q.Limit+1))
	if q.Skip > 0 {
		text += " OFFSET " + b.arg(int64(q.Skip))
	}
	if b.err != nil {
		return page, b.err
	}
	run := o.tx.q.query
	if short(q.Where) {
		run = o.tx.q.find
	}
	rows, err := run(ctx, text, b.args)
	if err != nil {
		return page, err
	}
	defer rows.Close()
	return o.page(rows, q, page.Total)
}

// short reports that the conditions lead to what one owner has, by comparing and
// not by searching in text.
func short(where []query.Condition) bool {
	owner := false
	for _, c := range where {
		if c.Not || c.Any != nil || c.All != nil || c.Op != query.Eq && c.Op != query.In {
			return false
		}
		owner = owner || strings.HasSuffix(c.Field, "_id")
	}
	return owner
}

func orID(by string) string {
	if by == "" {
		return "id"
	}
	return by
}

// page reads one row more than asked for, to know whether there is a next page.
func (o objects[T]) page(rows *sql.Rows, q query.Query, total int) (page query.Page[T], err error) {
	page.Total = total
	page.Items = []T{}
	var last, value any
	var v, none T
	into := o.destinations(&v, &value) // of every row
	for rows.Next() {
		if len(page.Items) == q.Limit {
			item := &page.Items[len(page.Items)-1]
			page.Next = &query.Position{ID: o.t.stamp(item).ID}
			if orID(q.By) != "id" {
				page.Next.Value = last
			}
			break
		}
		v = none
		if err := rows.Scan(into...); err != nil {
			return page, err
		}
		last = value
		if n := len(page.Items); n == cap(page.Items) { // few grow to many at once
			page.Items = slices.Grow(page.Items, min(4+15*n, q.Limit-n))
		}
		page.Items = append(page.Items, v)
	}
	if err := rows.Err(); err != nil {
		return page, err
	}
	return page, rows.Close()
}

func (o objects[T]) Count(ctx context.Context, where ...query.Condition) (n int, err error) {
	b := o.where(where)
	if b.err != nil {
		return 0, b.err
	}
	rows, err := o.tx.q.query(ctx, "SELECT count(*) FROM "+o.t.name+b.text(), b.args)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	if rows.Next() {
		err = rows.Scan(&n)
	}
	if err == nil {
		err = rows.Err()
	}
	return n, err
}

func (o objects[T]) Insert(ctx context.Context, v *T) error {
	s := o.t.stamp(v)
	if s.ID == id.None {
		i, err := o.tx.db.ids.New()
		if err != nil {
			return err
		}
		s.ID = i
	}
	s.Version = 1
	s.CreatedAt, s.UpdatedAt = kept(orNow(s.CreatedAt, o.tx.now)), o.tx.now
	b := &builder{}
	names := append([]string{"realm_id", "id", "version", "created_at", "updated_at"}, o.t.columns...)
	values := append([]any{int64(o.tx.realm), int64(s.ID), s.Version, micros(s.CreatedAt), micros(s.UpdatedAt)}, o.t.bind(v)...)
	if o.t.derive != nil {
		names = append(names, o.t.derived...)
		values = append(values, o.t.derive(v)...)
	}
	marks := make([]string, len(values))
	for i, value := range values {
		marks[i] = b.value(names[i], value)
	}
	if b.err != nil {
		return b.err
	}
	if err := o.replace(ctx, names, values); err != nil {
		return err
	}
	_, err := o.tx.q.exec(ctx, "INSERT INTO "+o.t.name+" ("+strings.Join(names, ", ")+") VALUES ("+strings.Join(marks, ", ")+")", b.args)
	if err != nil {
		return o.refused(err)
	}
	// Only now: a purge that removed the last bearer of the alias meanwhile has
	// left its tombstone when the insert got past the unique index.
	if o.t.alias != nil && o.t.alias(v) != "" {
		return o.tx.reserve(ctx, o.t.alias(v))
	}
	return nil
}

// replace removes what an ended membership has left in the place of a row to be.
func (o objects[T]) replace(ctx context.Context, names []string, values []any) error {
	if o.t.replaces == nil {
		return nil
	}
	b := o.inRealm()
	for i, name := range names {
		if slices.Contains(o.t.replaces, name) {
			b.write(" AND " + name + " = " + b.value(name, values[i]))
		}
	}
	b.write(" AND NOT (" + unclaimed(o.t.name) + ")")
	_, err := o.tx.q.exec(ctx, "DELETE FROM "+o.t.name+b.text(), b.args)
	return err
}

func orNow(t, now time.Time) time.Time {
	if t.IsZero() {
		return now
	}
	return t
}

// refused names the fact behind a unique index that refused a row.
func (o objects[T]) refused(err error) error {
	if err == nil {
		return nil
	}
	what, ok := o.tx.db.engine.taken(err)
	if !ok {
		return err
	}
	for part, fact := range o.t.taken {
		if strings.Contains(what, part) {
			return fact
		}
	}
	return fmt.Errorf("unique index %q: %w", what, err)
}

func (o objects[T]) Update(ctx context.Context, v *T) error {
	s := o.t.stamp(v)
	old := s.Version
	s.Version, s.UpdatedAt = old+1, o.tx.now
	b := &builder{}
	var set strings.Builder
	set.WriteString("version = " + b.arg(s.Version) + ", updated_at = " + b.arg(micros(s.UpdatedAt)))
	names, values := o.t.columns, o.t.bind(v)
	if o.t.derive != nil {
		names = append(names[:len(names):len(names)], o.t.derived...)
		values = append(values, o.t.derive(v)...)
	}
	for i, name := range names {
		if slices.Contains(o.t.fixed, name) {
			continue
		}
		set.WriteString(", " + name + " = " + b.value(name, values[i]))
	}
	if b.err != nil {
		return b.err
	}
	text := "UPDATE " + o.t.name + " SET " + set.String() + " WHERE realm_id = " + b.arg(int64(o.tx.realm)) +
		" AND id = " + b.arg(int64(s.ID)) + " AND version = " + b.arg(old)
	if o.t.alive != "" {
		text += " AND " + o.t.alive
	}
	n, err := affected(o.tx.q.exec(ctx, text, b.args))
	if err != nil {
		return o.refused(err)
	}
	if n == 0 {
		if _, err := o.Get(ctx, s.ID); err != nil {
			return err // it is not there any more
		}
		return directory.ErrStale
	}
	if o.t.settle != nil {
		return o.t.settle(ctx, o.tx, v)
	}
	return nil
}

func (o objects[T]) Delete(ctx context.Context, i id.ID) error {
	n, err := o.remove(ctx, o.where([]query.Condition{query.Is("id", i)}))
	if err == nil && n == 0 {
		err = o.t.missing
	}
	return err
}

// DeleteWhere takes also what a deleted owner has left to the purge: it would
// hold on to what is deleted next, such as an assignment to its role.
func (o objects[T]) DeleteWhere(ctx context.Context, where ...query.Condition) (int, error) {
	if len(where) == 0 {
		return 0, errors.New("a deletion without a condition")
	}
	b := o.inRealm()
	b.and(where)
	return o.remove(ctx, b)
}

// remove deletes rows and keeps the ids that their creators chose from being
// used again.
func (o objects[T]) remove(ctx context.Context, b *builder) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	if o.t.alias != nil {
		if err := o.tx.buryRows(ctx, o.t.name, o.t.kind, strings.TrimPrefix(b.text(), " WHERE ")+" AND alias <> ''", b.args); err != nil {
			return 0, err
		}
	}
	return affected(o.tx.q.exec(ctx, "DELETE FROM "+o.t.name+b.text(), b.args))
}

func affected(r sql.Result, err error) (int, error) {
	if err != nil {
		return 0, err
	}
	n, err := r.RowsAffected()
	return int(n), err
}
