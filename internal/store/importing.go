package store

import (
	"context"
	"errors"
	"time"

	"guildhall/internal/access"
	"guildhall/internal/archive"
	"guildhall/internal/directory"
	"guildhall/internal/event"
	"guildhall/internal/fault"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

// importing is one import: what is known of the archive while it is read.
type importing struct {
	ctx  context.Context // of the call, for what archive.Read calls back
	db   *DB
	tx   *Tx
	by   access.Actor
	opts archive.ImportOptions
	now  time.Time

	head         archive.Head
	organization id.ID // the new one
	loaders      []loader
	at           int    // of the loader whose lines are read
	kind         string // that is read
	writing      bool   // the second time
	single       bool   // rows are written one by one, to find the one in the way
	issued       int    // ids since the lease was looked at

	users, guests, members, roles, realmRoles, projects, grants, connections numbers
	granted                                                                  map[id.ID]id.ID // grants, by their old id, and to whom they are
	nameless                                                                 map[id.ID]bool  // old ids of those whose chosen id is dead

	report archive.Report
	// Of the line that is looked at:
	line    archive.Line
	refused bool
	left    string // why it is left out
	link    id.ID  // the user it is here already
	home    id.ID  // of a user
	person  id.ID  // the old user of a member
	failed  error  // the database did
}

// begin forgets the line before.
func (in *importing) begin() {
	in.refused, in.left, in.link, in.home, in.person, in.failed = false, "", id.None, id.None, id.None, nil
}

// settled reports that nothing more has to be found out about a line.
func (in *importing) settled() bool { return in.refused || in.left != "" || in.failed != nil }

// refuse says that nothing may be imported, because of this line.
func (in *importing) refuse(err error) {
	if in.refused {
		return
	}
	in.refused = true
	in.line.Field, in.line.Reason = asRefusal(err)
}

// leaveOut says that the rest can be imported without this line.
func (in *importing) leaveOut(why string) {
	if in.left == "" {
		in.left = why
	}
}

// tell enters what became of a line.
func (in *importing) tell(kind string, failed error) error {
	if failed != nil {
		return failed
	}
	t := in.tally(kind)
	switch {
	case in.refused:
		t.Refused++
		in.report.Refused = append(in.report.Refused, in.line)
		if len(in.report.Refused) >= archive.MostTold {
			return errEnough
		}
	case in.left != "":
		t.LeftOut++
		if len(in.report.LeftOut) < archive.MostTold {
			in.line.Field, in.line.Reason = "", in.left
			in.report.LeftOut = append(in.report.LeftOut, in.line)
		}
	case in.link != id.None:
		t.Linked++
	default:
		t.Imported++
	}
	return nil
}

var errEnough = errors.New("enough lines were refused")

func (in *importing) tally(kind string) *archive.Tally {
	k := in.report.Kinds
	if len(k) == 0 || k[len(k)-1].Name != kind {
		in.report.Kinds = append(in.report.Kinds, archive.Tally{Name: kind})
	}
	return &in.report.Kinds[len(in.report.Kinds)-1]
}

// fresh issues an id. Those of an import are in the order of the old ones.
func (in *importing) fresh(ctx context.Context) (id.ID, error) {
	if in.issued++; in.issued%1000 == 0 {
		if err := in.db.ids.Ready(ctx); err != nil {
			return id.None, err
		}
	}
	return in.db.ids.New()
}

// Head begins a reading; see archive.Visitor.
func (in *importing) Head(h archive.Head) error {
	if in.writing && h != in.head {
		return archive.ErrArchive.Saying("the archive changed while it was read")
	}
	in.head, in.at, in.kind = h, -1, ""
	if in.writing {
		for _, l := range in.loaders {
			l.rewind()
		}
		return nil
	}
	in.loaders = nil
	for _, s := range shelves {
		in.loaders = append(in.loaders, s.load(in))
	}
	return nil
}

// Line takes a line; see archive.Visitor.
func (in *importing) Line(kind string, number int, text []byte) error {
	ctx := in.ctx
	if kind != in.kind {
		if err := in.turn(ctx, kind); err != nil {
			return err
		}
	}
	if in.writing {
		return in.loaders[in.at].write(ctx, number, text)
	}
	return in.loaders[in.at].check(ctx, number, text)
}

// turn goes on to the next kind. Kinds come in the order in which they refer to
// each other.
func (in *importing) turn(ctx context.Context, kind string) error {
	if err := in.done(ctx); err != nil {
		return err
	}
	for i, s := range shelves {
		if s.file() == kind && i > in.at {
			in.at, in.kind = i, kind
			return nil
		}
	}
	return archive.ErrArchive.Saying("the archive is damaged: it holds %q, which is unknown or comes too late", kind)
}

// done ends the kind that was written last.
func (in *importing) done(ctx context.Context) error {
	if !in.writing || in.at < 0 {
		return nil
	}
	return in.loaders[in.at].flush(ctx)
}

// user gives who a user of the archive is here, and the home it has here.
func (in *importing) user(old id.ID) (new, home id.ID) {
	for _, n := range []*numbers{&in.users, &in.guests} {
		if at, ok := n.find(old); ok {
			if n.new[at] == id.None {
				in.leaveOut("the user is not imported")
			}
			return n.new[at], n.home[at]
		}
	}
	in.refuse(badLine("user_id", "the user is not in the archive"))
	return id.None, id.None
}

// owned gives a user whose home the organization is, and who comes with it.
func (in *importing) owned(old id.ID) id.ID {
	at, ok := in.users.find(old)
	switch {
	case !ok:
		in.refuse(badLine("user_id", "the user is not in the archive"))
		return id.None
	case in.users.new[at] == id.None:
		in.leaveOut("the user is not imported")
	case in.users.linked[at]:
		in.leaveOut("the user lives in this realm already and keeps what it has")
	}
	return in.users.new[at]
}

// role gives a role of the organization or of the realm.
func (in *importing) role(old id.ID) id.ID {
	if fresh, ok := in.roles.get(old); ok {
		return fresh
	}
	fresh, ok := in.realmRoles.get(old)
	if !ok {
		in.refuse(badLine("role_id", "the role is not in the archive"))
	} else if fresh == id.None {
		in.leaveOut("the realm has no such role")
	}
	return fresh
}

// inside gives what a reference to something in the archive leads to.
func (in *importing) inside(n *numbers, field string, old id.ID) id.ID {
	fresh, ok := n.get(old)
	switch {
	case !ok:
		in.leaveOut("it belongs to something that is not in the archive")
	case fresh == id.None:
		in.leaveOut("it belongs to something that is not imported")
	}
	return fresh
}

// elsewhere gives another organization, when it is here.
func (in *importing) elsewhere(ctx context.Context, old id.ID) id.ID {
	here := old
	if in.head.Realm != in.tx.realm {
		var err error
		here, err = in.tx.imported(ctx, id.Organization, in.head.Realm, old)
		if err != nil {
			in.missing(err, archive.ErrNotImported, "it names an organization that is not in this realm")
			return id.None
		}
	}
	_, err := in.tx.Organizations().Hold(ctx, here)
	in.missing(err, directory.ErrOrganizationNotFound, "it names an organization that is not in this realm")
	return here
}

// missing leaves the line out when err is the fact that something is not there.
func (in *importing) missing(err error, fact *fault.Error, why string) {
	switch {
	case errors.Is(err, fact):
		in.leaveOut(why)
	case err != nil:
		in.failed = err
	}
}

// alias gives the chosen id that an object gets: the one it has, or one that says
// where it comes from. Chosen ids of the dead are never given again.
func (in *importing) alias(ctx context.Context, kind id.Kind, old id.ID, own string) string {
	origin := archive.AliasOf(in.head.Realm, old)
	if in.opts.Anew {
		origin = "" // it was the id of somebody who is dead here
	}
	switch {
	case own == "" || archive.IsAlias(own):
		return origin
	case in.nameless[old]:
		return ""
	case in.writing:
		return own
	case !directory.CleanAlias(own), archive.Issued(in.tx.realm, kind, own):
		in.refuse(directory.ErrIDTaken.On("alias"))
		return own
	}
	switch err := in.tx.reserve(ctx, own); {
	case err == nil:
		return own
	case !errors.Is(err, directory.ErrIDTaken):
		in.failed = err
	case in.opts.Anew:
		in.nameless[old] = true
		return ""
	default:
		in.refuse(directory.ErrIDTaken.On("alias"))
	}
	return own
}

// hold keeps a user alive who was here before the import.
func (in *importing) hold(ctx context.Context, n *numbers, at int) error {
	u, err := in.tx.Users().Hold(ctx, n.new[at])
	n.home[at] = u.Home
	return err
}

// lives finds the user of this realm that a user of the archive is, if there is one.
func (in *importing) lives(ctx context.Context, u directory.User, guest bool) {
	var ways [][]query.Condition
	if in.head.Realm == in.tx.realm {
		ways = append(ways, []query.Condition{query.Is("id", u.ID)})
	}
	if guest || in.opts.Anew {
		ways = append(ways, []query.Condition{query.Is("alias", archive.AliasOf(in.head.Realm, u.ID))})
	}
	if guest && u.Alias != "" {
		ways = append(ways, []query.Condition{query.Is("alias", u.Alias)})
	}
	if guest && in.opts.LinkGuests && u.EmailVerified && u.Email != "" {
		ways = append(ways, []query.Condition{query.Is("email_key", directory.Fold(u.Email)), query.Is("email_verified", true),
			query.Is("scope_id", id.None), query.Is("connection", u.Connection)})
	}
	for _, way := range ways {
		found, err := in.tx.Users().Find(ctx, way...)
		if err == nil {
			in.link, in.home = found.ID, found.Home
			return
		}
		if !errors.Is(err, directory.ErrUserNotFound) {
			in.failed = err
			return
		}
	}
}

// Import makes an organization of an archive; see archive.Store. Everything is
// checked first. Then one transaction writes all, so that nobody ever sees half of
// an organization, and a crash leaves nothing.
func (a Archives) Import(ctx context.Context, by access.Actor, from archive.Source, opts archive.ImportOptions) (archive.Report, error) {
	if err := a.DB.ids.Ready(ctx); err != nil {
		return archive.Report{}, translate(err)
	}
	in := &importing{db: a.DB, by: by, opts: opts, granted: map[id.ID]id.ID{}, nameless: map[id.ID]bool{}}
	in.ctx = ctx
	m, done, err := in.look(from)
	if err != nil || done || opts.DryRun {
		in.report.DryRun = opts.DryRun
		return in.report, err
	}
	for {
		err := in.enter(from, m)
		var hit *collision
		switch {
		case !errors.As(err, &hit):
			if err == nil && !in.report.Already {
				in.report.Organization = in.organization
			}
			return in.report, err
		case !in.single:
			in.single = true // once more, to know the line
			continue
		}
		line := hit.line
		line.Field, line.Reason = hit.fact.Field, hit.fact.Text
		in.report.Refused = append(in.report.Refused, line)
		return in.report, archive.ErrRefused.With(in.report)
	}
}

// look reads the archive to its end and checks it, without a transaction.
func (in *importing) look(from archive.Source) (m archive.Manifest, done bool, err error) {
	in.tx = &Tx{q: in.db.read(), db: in.db, realm: in.by.Realm, now: kept(in.db.now())}
	in.now = in.tx.now.Add(clockSkew)
	if in.organization, err = in.fresh(in.ctx); err != nil {
		return m, false, translate(err)
	}
	m, err = from(in)
	switch {
	case errors.Is(err, errEnough):
		return m, false, archive.ErrRefused.With(in.report)
	case err != nil:
		return m, false, translate(err)
	case len(in.report.Kinds) == 0 || in.report.Kinds[0].Name != organizationFile || in.report.Kinds[0].Imported+in.report.Kinds[0].Refused != 1:
		return m, false, archive.ErrArchive.Saying("the archive is damaged: it holds no organization")
	}
	if done, err = in.before(in.ctx); done || err != nil {
		return m, done, translate(err)
	}
	if len(in.report.Refused) > 0 {
		return m, false, archive.ErrRefused.With(in.report)
	}
	return m, false, nil
}

// clockSkew is more than the clocks of two servers ever differ.
const clockSkew = 24 * time.Hour

// before finds out what the realm knows of the organization already.
func (in *importing) before(ctx context.Context) (done bool, err error) {
	there := in.head.Organization
	if in.head.Realm == in.tx.realm {
		if err := in.fate(ctx, there); err != nil {
			return false, err
		}
	}
	var earlier struct{ organization int64 }
	err = scanOne(ctx, in.tx.q, "SELECT organization_id FROM imports WHERE realm_id = $1 AND origin_realm = $2 AND origin_id = $3 ORDER BY id DESC LIMIT 1",
		[]any{int64(in.tx.realm), int64(in.head.Realm), int64(there)}, &earlier.organization)
	if errors.Is(err, errNoRow) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	switch err := in.fate(ctx, id.ID(earlier.organization)); {
	case errors.Is(err, archive.ErrLives):
		in.report = archive.Report{Organization: id.ID(earlier.organization), Already: true}
		return true, nil
	default:
		return false, err
	}
}

// fate fails unless an organization never was in the realm, or may come back anew.
func (in *importing) fate(ctx context.Context, i id.ID) error {
	if _, err := in.tx.Organizations().Get(ctx, i); !errors.Is(err, directory.ErrOrganizationNotFound) {
		if err == nil {
			err = archive.ErrLives
		}
		return err
	}
	standing, err := in.tx.Standing(ctx, id.Organization, i)
	if err != nil {
		return err
	}
	if standing {
		return archive.ErrGrace
	}
	var one int
	err = scanOne(ctx, in.tx.q, "SELECT 1 FROM tombstones WHERE id = $1", []any{int64(i)}, &one)
	if err == nil && !in.opts.Anew {
		return archive.ErrErased
	}
	return ignore(err, errNoRow)
}

// enter writes what look found good.
func (in *importing) enter(from archive.Source, m archive.Manifest) error {
	return in.db.update(in.ctx, in.by.Realm, false, func(tx *Tx) error {
		in.tx, in.writing = tx, true
		if done, err := in.before(in.ctx); err != nil || done {
			return err
		}
		again, err := from(in)
		if err != nil {
			return err
		}
		if err := in.done(in.ctx); err != nil {
			return err
		}
		if !sameParts(m, again) {
			return archive.ErrArchive.Saying("the archive changed while it was read")
		}
		return in.record(in.ctx, m)
	})
}

func sameParts(a, b archive.Manifest) bool {
	if a.Head != b.Head || len(a.Kinds) != len(b.Kinds) {
		return false
	}
	for i := range a.Kinds {
		if a.Kinds[i] != b.Kinds[i] {
			return false
		}
	}
	return true
}

// record notes where the organization came from, and tells of it.
func (in *importing) record(ctx context.Context, m archive.Manifest) error {
	made := archive.Import{
		Organization: in.organization, Origin: in.head.Realm, Source: in.head.Organization, Archive: manifestHash(m),
		RequestedBy: in.by.Subject, Report: in.report,
	}
	if err := (objects[archive.Import]{imports, in.tx}).Insert(ctx, &made); err != nil {
		return err
	}
	imported, linked, leftOut, _ := in.report.Total()
	_, err := in.tx.Append(ctx, event.Event{
		Type: "organization.imported", Actor: in.by.Subject, Organization: in.organization, Kind: id.Organization, Subject: in.organization,
		Data: map[string]any{"imported": imported, "linked": linked, "left_out": leftOut, "archive": made.Archive},
	})
	return err
}
