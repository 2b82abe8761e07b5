package store

import (
	"context"
	"errors"
	"slices"
	"sort"

	"guildhall/internal/archive"
	"guildhall/internal/fault"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

// A shelf is one kind of object in archives: how it is read out of a realm and put
// into another.
type shelf interface {
	file() string
	tableName() string
	// fields lists the columns of a line, with credentials.
	fields() []string
	// export writes the objects of the organization.
	export(ctx context.Context, x *exporting) error
	// load gives what takes the lines of one import.
	load(in *importing) loader
}

// A loader takes the lines of a kind, twice: first to check them, then to write
// them. Lines come in the order of the archive.
type loader interface {
	check(ctx context.Context, number int, text []byte) error
	write(ctx context.Context, number int, text []byte) error
	flush(ctx context.Context) error
	rewind()
}

// A shelved kind says how objects of a type get into archives and out of them. Its
// fields besides the first two may be left out.
type shelved[T any] struct {
	name  string
	table *table[T]
	// only lists the columns that are in the archive; leave those that are not.
	only, leave []string
	// hashes are columns that are in the archive only when credentials are asked
	// for; secret says so of the whole kind.
	hashes []string
	secret bool
	// list gives the next objects of the organization, in the order of their ids.
	// Without it they are those of its organization_id.
	list func(ctx context.Context, x *exporting, after id.ID) ([]T, error)
	// of gives the place where other kinds look the objects of this one up.
	of func(in *importing) *numbers
	// settle fills in what was left out and puts new ids in the place of old ones.
	// It reports trouble with refuse and leaveOut of the import.
	settle func(ctx context.Context, in *importing, v *T)
	check  func(v *T) error
	// insert writes objects; without it their rows are.
	insert func(ctx context.Context, in *importing, list []T) error
}

func (s *shelved[T]) file() string      { return s.name }
func (s *shelved[T]) tableName() string { return s.table.name }

func (s *shelved[T]) fields() (names []string) {
	keep := s.keeps(true)
	for _, c := range s.table.columns {
		if keep(c) {
			names = append(names, c)
		}
	}
	return names
}

// keeps says which columns are in an archive with or without credentials.
func (s *shelved[T]) keeps(credentials bool) func(string) bool {
	return func(column string) bool {
		switch {
		case s.only != nil:
			return slices.Contains(s.only, column)
		case slices.Contains(s.leave, column):
			return false
		}
		return credentials || !slices.Contains(s.hashes, column)
	}
}

// exporting is one export.
type exporting struct {
	tx           *Tx
	out          *archive.Writer
	organization id.ID
	credentials  bool
	guests       []id.ID // people from elsewhere that its objects name
	roles        []id.ID // roles of the realm that its objects name
}

func (s *shelved[T]) export(ctx context.Context, x *exporting) error {
	if err := x.out.Kind(s.name); err != nil || s.secret && !x.credentials {
		return err
	}
	list := s.list
	if list == nil {
		list = func(ctx context.Context, x *exporting, after id.ID) ([]T, error) {
			return after1000(ctx, objects[T]{s.table, x.tx}, after, query.Is("organization_id", x.organization))
		}
	}
	keep := s.keeps(x.credentials)
	for after := id.None; ; {
		page, err := list(ctx, x, after)
		if err != nil || len(page) == 0 {
			return err
		}
		for i := range page {
			text, err := s.table.line(&page[i], keep)
			if err != nil {
				return err
			}
			if err := x.out.Line(text); err != nil {
				return err
			}
		}
		after = s.table.stamp(&page[len(page)-1]).ID
	}
}

// after1000 gives the next objects that meet the conditions, by id.
func after1000[T any](ctx context.Context, from objects[T], after id.ID, where ...query.Condition) ([]T, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	page, err := from.List(ctx, query.Query{Where: where, After: &query.Position{ID: after}, Limit: query.MaxLimit})
	return page.Items, err
}

// numbers are the old and new ids of a kind, in the order of the archive. New is
// none for what is not imported.
type numbers struct {
	old, new []id.ID
	home     []id.ID // of users
	linked   []bool  // of users: they were here before
	user     []id.ID // of members: their old user
	next     int     // when they are gone through again
}

func (n *numbers) find(old id.ID) (at int, ok bool) {
	at = sort.Search(len(n.old), func(i int) bool { return n.old[i] >= old })
	return at, at < len(n.old) && n.old[at] == old
}

// get gives the new id; known is false for what the archive does not hold.
func (n *numbers) get(old id.ID) (new id.ID, known bool) {
	at, ok := n.find(old)
	if !ok {
		return id.None, false
	}
	return n.new[at], true
}

type loading[T any] struct {
	*shelved[T]
	in      *importing
	keep    func(string) bool
	numbers *numbers
	lines   []int
	full    []T
}

func (s *shelved[T]) load(in *importing) loader {
	l := &loading[T]{shelved: s, in: in, numbers: &numbers{}, keep: s.keeps(in.head.Credentials)}
	if s.of != nil {
		l.numbers = s.of(in)
	}
	return l
}

// check looks at a line and gives its object a new id, unless something is wrong.
func (l *loading[T]) check(ctx context.Context, number int, text []byte) error {
	var v T
	in := l.in
	in.line = archive.Line{Kind: l.name, Line: number}
	in.begin()
	if err := l.table.parse(text, &v, l.keep); err != nil {
		in.refuse(err)
	}
	s := l.table.stamp(&v)
	old := s.ID
	if n := len(l.numbers.old); n > 0 && l.numbers.old[n-1] >= old && !in.refused {
		in.refuse(badLine("id", "the ids of a kind must ascend, each once"))
	}
	if s.CreatedAt.After(in.now) && !in.refused {
		in.refuse(badLine("created_at", "the time lies in the future"))
	}
	if in.refused {
		old = id.None // nobody can mean it
	}
	if l.secret && !in.opts.Credentials {
		in.leaveOut("credentials are not imported unless asked for")
	}
	if !in.settled() {
		l.settle(ctx, in, &v)
	}
	if !in.settled() && l.insertable() {
		if err := l.shelved.check(&v); err != nil {
			in.refuse(err)
		}
	}
	if in.failed != nil || old == id.None {
		return in.tell(l.name, in.failed)
	}
	return l.number(ctx, old)
}

// insertable reports whether objects of the kind are written at all.
func (l *loading[T]) insertable() bool { return l.shelved.check != nil }

// number notes the new id of the object that was checked.
func (l *loading[T]) number(ctx context.Context, old id.ID) error {
	in, fresh := l.in, id.None
	switch {
	case in.left != "" || in.refused:
	case in.link != id.None:
		fresh = in.link
	case l.name == organizationFile:
		fresh = in.organization
	default:
		var err error
		if fresh, err = in.fresh(ctx); err != nil {
			return err
		}
	}
	l.numbers.old, l.numbers.new = append(l.numbers.old, old), append(l.numbers.new, fresh)
	l.numbers.home, l.numbers.linked = append(l.numbers.home, in.home), append(l.numbers.linked, in.link != id.None)
	if in.person != id.None {
		l.numbers.user = append(l.numbers.user, in.person)
	} else {
		l.numbers.user = append(l.numbers.user, id.None)
	}
	return in.tell(l.name, nil)
}

// write puts the object of a line that was checked with those to be written.
func (l *loading[T]) write(ctx context.Context, number int, text []byte) error {
	var v T
	in := l.in
	at := l.numbers.next
	l.numbers.next++
	if at >= len(l.numbers.new) {
		return archive.ErrArchive.Saying("the archive changed while it was read")
	}
	switch fresh := l.numbers.new[at]; {
	case fresh == id.None || !l.insertable():
		return nil
	case l.numbers.linked[at]:
		return in.hold(ctx, l.numbers, at)
	default:
		if err := l.table.parse(text, &v, l.keep); err != nil {
			return err
		}
		in.begin()
		if l.settle(ctx, in, &v); in.failed != nil {
			return in.failed
		}
		s := l.table.stamp(&v)
		s.ID, s.Version = fresh, 1
	}
	l.full, l.lines = append(l.full, v), append(l.lines, number)
	if len(l.full) < 10*rowsPerInsert && !in.single {
		return nil
	}
	return l.flush(ctx)
}

// flush writes the rows that have come together. When one of them says what another
// row says already, the line is known only where rows are written one by one.
func (l *loading[T]) flush(ctx context.Context) error {
	if len(l.full) == 0 {
		return nil
	}
	full, line := l.full, l.lines[0]
	l.full, l.lines = l.full[:0], l.lines[:0]
	var err error
	if l.insert != nil {
		err = l.insert(ctx, l.in, full)
	} else {
		err = insertMany(ctx, l.in.tx, l.table, full)
	}
	var taken *fault.Error
	switch {
	case errors.Is(err, errRaced):
		taken = errTwice
	case !errors.As(err, &taken) || taken.Kind != fault.Conflict:
		return err
	}
	return &collision{taken, archive.Line{Kind: l.name, Line: line}}
}

func (l *loading[T]) rewind() {
	l.numbers.next = 0
	l.full, l.lines = l.full[:0], l.lines[:0]
}

var errTwice = fault.New(fault.Conflict, "said_twice", "", "another line, or another object of the realm, says the same")

// A collision is a row that a unique index refused.
type collision struct {
	fact *fault.Error
	line archive.Line
}

func (c *collision) Error() string { return c.line.String() + c.fact.Text }
