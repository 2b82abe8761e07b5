package store

import (
	"context"
	"encoding/json"
	"errors"
	"slices"

	"guildhall/internal/access"
	"guildhall/internal/archive"
	"guildhall/internal/credential"
	"guildhall/internal/directory"
	"guildhall/internal/erasure"
	"guildhall/internal/event"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

// Archives reads organizations into archives and back; see archive.Store.
type Archives struct{ DB *DB }

var imports = &table[archive.Import]{
	name: "imports", kind: id.Import, missing: archive.ErrNotImported,
	stamp:   func(i *archive.Import) *directory.Stamp { return &i.Stamp },
	columns: []string{"organization_id", "origin_realm", "origin_id", "archive", "requested_by", "report"},
	bind: func(i *archive.Import) []any {
		return []any{num(&i.Organization), num(&i.Origin), num(&i.Source), &i.Archive, &i.RequestedBy, doc(&i.Report)}
	},
}

// Export writes an organization into an archive, as it is at one moment.
func (a Archives) Export(ctx context.Context, realm, organization id.ID, credentials bool, w *archive.Writer) error {
	return a.DB.snapshot(ctx, realm, func(tx *Tx) error {
		o, err := tx.Organizations().Get(ctx, organization)
		if err != nil {
			return err
		}
		moment, err := tx.moment(ctx, ofOrganization, organization)
		if err != nil {
			return err
		}
		err = w.Head(archive.Head{
			CreatedAt: tx.now, Realm: realm, Organization: organization, Name: o.Name, Slug: o.Slug, Credentials: credentials,
			Fingerprint: erasure.Fingerprint(organization, moment),
		})
		if err != nil {
			return err
		}
		x := &exporting{tx: tx, out: w, organization: organization, credentials: credentials}
		if err := x.named(ctx); err != nil {
			return err
		}
		for _, s := range shelves {
			if err := s.export(ctx, x); err != nil {
				return err
			}
		}
		return nil
	})
}

// named collects the people from elsewhere and the roles of the realm that objects
// of the organization name: 8 bytes for each.
func (x *exporting) named(ctx context.Context) error {
	away := []query.Condition{query.Is("organization_id", x.organization), query.Where("home_id", query.Ne, x.organization), query.Where("user_id", query.Ne, id.None)}
	own := away[:1]
	roleSet := map[id.ID]bool{}
	err := errors.Join(
		collect(ctx, objects[directory.Member]{members, x.tx}, away, func(m *directory.Member) { x.guest(m.User, m.Home) }),
		collect(ctx, objects[directory.Invitation]{invitations, x.tx}, own, func(v *directory.Invitation) {
			x.guest(v.User, v.Home)
			for _, r := range v.Roles {
				roleSet[r] = true
			}
		}),
		collect(ctx, objects[directory.RoleAssignment]{roleAssignments, x.tx}, own, func(a *directory.RoleAssignment) { roleSet[a.Role] = true }),
	)
	if err != nil {
		return err
	}
	for _, s := range []struct {
		text string
	}{
		{"SELECT DISTINCT user_id FROM user_grants WHERE organization_id = $1 AND home_id <> $1"},
		{"SELECT DISTINCT user_id FROM administrators WHERE organization_id = $1 AND home_id <> $1"},
	} {
		more, err := scanAll(ctx, x.tx.q, s.text, []any{int64(x.organization)}, func(i *id.ID) []any { return []any{(*int64)(i)} })
		if err != nil {
			return err
		}
		x.guests = append(x.guests, more...)
	}
	for r := range roleSet {
		x.roles = append(x.roles, r)
	}
	slices.Sort(x.roles)
	slices.Sort(x.guests)
	x.guests = slices.Compact(x.guests)
	return nil
}

func (x *exporting) guest(user, home id.ID) {
	if user != id.None && home != x.organization {
		x.guests = append(x.guests, user)
	}
}

// collect shows all objects that meet the conditions.
func collect[T any](ctx context.Context, from objects[T], where []query.Condition, see func(*T)) error {
	for after := id.None; ; {
		page, err := after1000(ctx, from, after, where...)
		if err != nil || len(page) == 0 {
			return err
		}
		for i := range page {
			see(&page[i])
		}
		after = from.t.stamp(&page[len(page)-1]).ID
	}
}

// among gives the next objects of those with the ids, which it uses up.
func among[T any](ctx context.Context, from objects[T], ids *[]id.ID, where ...query.Condition) (list []T, err error) {
	for len(list) == 0 && len(*ids) > 0 {
		n := min(len(*ids), 500)
		list, err = after1000(ctx, from, id.None, append([]query.Condition{query.OneOf("id", (*ids)[:n])}, where...)...)
		if *ids = (*ids)[n:]; err != nil {
			return nil, err
		}
	}
	return list, nil
}

const exportedEvent = "organization.exported"

// exportData is what the event of an export says.
type exportData struct {
	Archive     string `json:"archive"`
	Fingerprint string `json:"fingerprint"`
	Credentials bool   `json:"credentials"`
}

// Exported writes the event of an export. It is about the organization and not one
// of its events: an export changes nothing that a preview has shown.
func (a Archives) Exported(ctx context.Context, by access.Actor, e archive.Exported) error {
	return a.DB.update(ctx, by.Realm, false, func(tx *Tx) error {
		_, err := tx.Append(ctx, event.Event{
			Type: exportedEvent, Actor: by.Subject, Kind: id.Organization, Subject: e.Organization,
			Data: map[string]any{"archive": e.SHA256, "fingerprint": e.Fingerprint, "credentials": e.Credentials},
		})
		return err
	})
}

// Proof looks an export up by the hash of its archive; see archive.Store.
func (a Archives) Proof(ctx context.Context, realm, organization id.ID, sha256 string) (string, error) {
	told, err := scanAll(ctx, a.DB.read(), "SELECT data FROM events WHERE subject_id = $1 AND type = $2 AND realm_id = $3 ORDER BY id DESC LIMIT 100",
		[]any{int64(organization), exportedEvent, int64(realm)}, func(s *string) []any { return []any{s} })
	if err != nil {
		return "", translate(err)
	}
	for _, text := range told {
		var d exportData
		if json.Unmarshal([]byte(text), &d) == nil && d.Archive == sha256 && sha256 != "" {
			return d.Fingerprint, nil
		}
	}
	return "", archive.ErrNoProof
}

// Origins lists where organizations of a realm came from; see archive.Store.
func (a Archives) Origins(ctx context.Context, realm id.ID) ([]id.ID, error) {
	from, err := scanAll(ctx, a.DB.read(), "SELECT DISTINCT origin_realm FROM imports WHERE realm_id = $1 AND origin_realm <> $1",
		[]any{int64(realm)}, func(i *id.ID) []any { return []any{(*int64)(i)} })
	return from, translate(err)
}

// Imported gives what an object of another realm became; see archive.Store.
func (a Archives) Imported(ctx context.Context, realm id.ID, kind id.Kind, origin, there id.ID) (id.ID, error) {
	tx := &Tx{q: a.DB.read(), db: a.DB, realm: realm, now: kept(a.DB.now())}
	here, err := tx.imported(ctx, kind, origin, there)
	return here, translate(err)
}

// imported gives what came of an object at its first import. Where that is dead, so
// is the old id.
func (tx *Tx) imported(ctx context.Context, kind id.Kind, origin, there id.ID) (here id.ID, err error) {
	table := map[id.Kind]string{id.User: "users", id.Project: "projects"}[kind]
	switch {
	case kind == id.Organization:
		err = scanOne(ctx, tx.q, "SELECT organization_id FROM imports WHERE realm_id = $1 AND origin_realm = $2 AND origin_id = $3 ORDER BY id LIMIT 1",
			[]any{int64(tx.realm), int64(origin), int64(there)}, (*int64)(&here))
	case table != "":
		err = scanOne(ctx, tx.q, "SELECT id FROM "+table+" WHERE realm_id = $1 AND alias = $2 AND alias <> ''", // sql: one of two tables named above
			[]any{int64(tx.realm), archive.AliasOf(origin, there)}, (*int64)(&here))
	default:
		return id.None, archive.ErrNotImported
	}
	if errors.Is(err, errNoRow) {
		err = archive.ErrNotImported
	}
	return here, err
}

// manifestHash names an archive by what is in it, however it was packed.
func manifestHash(m archive.Manifest) string {
	b, err := json.Marshal(m)
	if err != nil {
		return ""
	}
	return credential.Hash(string(b))
}
