package native

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"

	"guildhall/internal/access"
	"guildhall/internal/archive"
	"guildhall/internal/edge"
	"guildhall/internal/erasure"
	"guildhall/internal/fault"
	"guildhall/internal/id"
)

// A tally counts what became of the lines of one kind.
type tally struct {
	Kind     string `json:"kind" doc:"As the files in the archive are called."`
	Imported int    `json:"imported" minimum:"0"`
	Linked   int    `json:"linked" minimum:"0" doc:"People and roles that are in this realm already."`
	LeftOut  int    `json:"left_out" minimum:"0" doc:"What refers to something that is not in this realm."`
}

// An archiveLine is a line of an archive that was not imported.
type archiveLine struct {
	Kind   string `json:"kind" doc:"As the files in the archive are called."`
	Line   int    `json:"line" minimum:"1" doc:"Counted over all files of the kind."`
	Field  string `json:"field,omitempty"`
	Reason string `json:"reason" doc:"Why, for people."`
}

// An importReport says what became of an archive.
type importReport struct {
	Organization *string       `json:"organization" doc:"What came of it; null when nothing was to be written."`
	Already      bool          `json:"already" doc:"The archive was imported before; nothing was changed."`
	Kinds        []tally       `json:"kinds"`
	LeftOut      []archiveLine `json:"left_out" doc:"The first hundred lines that were left out."`
}

func (r importReport) location() string {
	if r.Organization == nil {
		return ""
	}
	return "/organizations/" + *r.Organization
}

// A firstExport is the archive without which nothing is deleted: one that the caller
// has, or one that the server makes now.
type firstExport struct {
	SHA256      string   `json:"sha256,omitempty" minLength:"64" maxLength:"64" doc:"The hash of an archive that was downloaded, in hex: who can name it has the archive to its last byte."`
	Recipients  []string `json:"recipients,omitempty" maxItems:"20" doc:"Instead of a hash: public keys of age. The server exports first, encrypts for these, and keeps the archive for a week; GET …/export of the deletion gives it. Needs organization:export."`
	Credentials bool     `json:"credentials,omitempty" doc:"With the hashes of passwords, keys and client secrets in the archive that the server makes; needs credential:transfer."`
}

// A keptExport is the archive that a deletion had made.
type keptExport struct {
	SHA256 string `json:"sha256" doc:"Of the whole archive, in hex."`
	Size   int64  `json:"size" doc:"In bytes."`
	Until  moment `json:"until" doc:"When the server forgets it."`
}

var errWhichExport = fault.New(fault.Invalid, "which_export", "export", "an export is named by sha256, or made for recipients: give one of the two")

var yesOrNo = []string{"true", "false"}

func (a *API) archiveOperations() []operation {
	return []operation{
		{
			name: "organizations.export", method: http.MethodGet, path: "/organizations/{organization}/export", permission: access.OrganizationExport,
			summary: "Export an organization",
			notes: "An archive of everything that it owns, as of one moment: a gzip-compressed tar of newline-delimited JSON with a manifest. " +
				"One without its manifest was cut off.",
			parameters: []parameter{
				{name: "credentials", about: "With the hashes of passwords, keys and client secrets; needs credential:transfer.", values: yesOrNo},
				{name: "recipient", about: "Public keys of age, with commas between, for which the archive is encrypted."},
			},
			handling: writes("application/octet-stream", a.export),
		},
		{
			name: "organizations.import", method: http.MethodPost, path: "/imports", permission: access.OrganizationImport,
			summary: "Import an archive",
			notes: "The body is the archive. Everything is checked first; then all of it is written or nothing. An archive that was imported before changes nothing. " +
				"Encrypted archives have to be decrypted before.",
			parameters: []parameter{
				{name: "dry_run", about: "Check everything, and write nothing.", values: yesOrNo},
				{name: "credentials", about: "Take over the hashes of passwords, keys and client secrets; needs credential:transfer.", values: yesOrNo},
				{name: "anew", about: "Import what was erased in this realm once more, with new ids.", values: yesOrNo},
				{name: "link_guests", about: "Take a guest for the user of this realm with the same address, verified on both sides.", values: yesOrNo},
				{name: "name", about: "Another name for the organization."},
				{name: "slug", about: "Another slug."},
				{name: "external_id", about: "Another external id."},
			},
			upload: "application/gzip", handling: receives(a.importArchive),
		},
		{
			name: "deletions.export", method: http.MethodGet, path: "/deletions/{deletion}/export", permission: access.OrganizationExport,
			summary:  "Get the export that a deletion had made",
			notes:    "The archive that the deletion asked for, encrypted for its recipients, until the server forgets it a week later.",
			handling: writes("application/octet-stream", a.deletionExport),
		},
		{
			name: "deletions.forget_export", method: http.MethodDelete, path: "/deletions/{deletion}/export", permission: access.OrganizationExport,
			summary: "Forget the export that a deletion had made", notes: "For when it was fetched: nothing is kept longer than it has to be.",
			handling: does(a.forgetExport),
		},
	}
}

// receives is the handling of a request whose body is read as it comes.
func receives[Out any](f func(edge.Call) (Out, error)) handling {
	h := gives(f)
	h.run = func(c edge.Call, _ func(any) error) (any, error) { return f(c) }
	return h
}

// switched reads a parameter that is true or false.
func switched(c edge.Call, name string) (bool, error) {
	v, ok := value(c.Query(), name)
	if ok && !slices.Contains(yesOrNo, v) {
		return false, badParameter(name, "the parameter %s must be true or false", name)
	}
	return v == "true", nil
}

func (a *API) export(c edge.Call) (edge.Stream, error) {
	var opts archive.ExportOptions
	var err error
	if opts.Credentials, err = switched(c, "credentials"); err != nil {
		return nil, err
	}
	if v, ok := value(c.Query(), "recipient"); ok {
		opts.Recipients = strings.Split(v, ",")
	}
	c.TakeTime()
	spooled, err := a.Archives.Spool(c.Context(), c.Actor, organizationOf(c), opts)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, w io.Writer) error {
		defer spooled.Close()
		if _, err := io.CopyBuffer(w, struct{ io.Reader }{spooled}, make([]byte, 256<<10)); err != nil {
			return err
		}
		return a.Archives.Exported(ctx, c.Actor, spooled.Exported)
	}, nil
}

func (a *API) importArchive(c edge.Call) (importReport, error) {
	given := c.Query()
	opts := archive.ImportOptions{Name: given.Get("name"), Slug: given.Get("slug"), ExternalID: given.Get("external_id")}
	for name, into := range map[string]*bool{"dry_run": &opts.DryRun, "credentials": &opts.Credentials, "anew": &opts.Anew, "link_guests": &opts.LinkGuests} {
		var err error
		if *into, err = switched(c, name); err != nil {
			return importReport{}, err
		}
	}
	if err := c.Actor.Require(access.OrganizationImport); err != nil { // before anything is received
		return importReport{}, err
	}
	body, err := c.Upload()
	if err != nil {
		return importReport{}, err
	}
	f, err := a.Archives.Receive(body)
	if err != nil {
		return importReport{}, err
	}
	defer f.Close()
	r, err := a.Archives.Import(c.Context(), c.Actor, f, archive.Key{}, opts)
	if err != nil {
		return importReport{}, err
	}
	shown := importReport{
		Organization: spellOrNull(c.Actor.Realm, id.Organization, r.Organization), Already: r.Already, Kinds: []tally{}, LeftOut: archiveLines(r.LeftOut),
	}
	for _, k := range r.Kinds {
		shown.Kinds = append(shown.Kinds, tally{k.Name, k.Imported, k.Linked, k.LeftOut})
	}
	return shown, nil
}

func archiveLines(lines []archive.Line) []archiveLine {
	shown := make([]archiveLine, len(lines))
	for i, l := range lines {
		shown[i] = archiveLine(l)
	}
	return shown
}

// formerly lets ids in the path that an imported organization or user had where it
// came from lead to it. Whatever reads the path afterwards finds the id of today.
func (a *API) formerly(c edge.Call) error {
	if a.Archives == nil || c.Route == nil || c.Route.Public {
		return nil
	}
	for segment, kind := range map[string]id.Kind{"organization": id.Organization, "user": id.User} {
		raw := c.Path(segment)
		if raw == "" || object(c, segment, kind) != nowhere {
			continue
		}
		body, ok := strings.CutPrefix(raw, prefixes[kind])
		if !ok {
			continue
		}
		here, found, err := a.Archives.Formerly(c.Context(), c.Actor.Realm, kind, func(codec id.Codec) (id.ID, bool) { return codec.ParseBase62(body) })
		if err != nil {
			return err
		}
		if found {
			c.Request.SetPathValue(segment, spell(c.Actor.Realm, kind, here))
		}
	}
	return nil
}

// afterExport carries a deletion out with the export that it asks for: of an archive
// that the caller has, or of one that is made now and kept.
func (a *API) afterExport(c edge.Call, first *firstExport, opts erasure.Options) (deletion, error) {
	switch {
	case first == nil:
		return a.endOrganization(c, opts)
	case (first.SHA256 == "") == (len(first.Recipients) == 0), first.SHA256 != "" && first.Credentials:
		return deletion{}, errWhichExport
	case first.SHA256 == "":
		return a.exportAndEnd(c, *first, opts)
	}
	var err error
	opts.Fingerprint, err = a.Archives.Proof(c.Context(), c.Actor, organizationOf(c), first.SHA256)
	if errors.Is(err, archive.ErrNoProof) {
		err = archive.ErrNoProof.On("export.sha256")
	}
	if err != nil {
		return deletion{}, err
	}
	return a.endOrganization(c, opts)
}

// exportedAgain is how many archives are made of an organization in which things
// happen meanwhile, before the deletion is given up.
const exportedAgain = 3

// exportAndEnd makes an archive and deletes exactly what is in it. An archive that
// missed something is thrown away and made anew: nothing was deleted then.
func (a *API) exportAndEnd(c edge.Call, first firstExport, opts erasure.Options) (d deletion, err error) {
	i := organizationOf(c)
	if opts.Users == "" {
		opts.Users = erasure.Detach
	}
	if _, err := atVersion(c, opts, func(opts erasure.Options) (struct{}, error) {
		return struct{}{}, a.Directory.CouldDelete(c.Context(), c.Actor, i, opts)
	}); err != nil {
		return d, err
	}
	asked, err := ifMatch(c)
	if err != nil {
		return d, err
	}
	c.TakeTime()
	for range exportedAgain {
		kept, err := a.Archives.Keep(c.Context(), c.Actor, i, archive.ExportOptions{Recipients: first.Recipients, Credentials: first.Credentials})
		if errors.Is(err, archive.ErrKey) {
			err = archive.ErrKey.On("export.recipients")
		}
		if err != nil {
			return d, err
		}
		opts.Fingerprint = kept.Fingerprint
		opts.Export = erasure.Export{ID: kept.ID, SHA256: kept.SHA256, Size: kept.Size, Until: kept.Until}
		if d, err = a.endOrganization(c, opts); err == nil {
			return d, nil
		}
		_ = a.Archives.Forget(c.Context(), c.Actor.Realm, kept.ID)          // else it is swept away
		if !errors.Is(err, erasure.ErrChanged) || len(asked.previews) > 0 { // only what was previewed may end
			return d, err
		}
	}
	return d, erasure.ErrChanged
}

// deletionExport gives the archive that a deletion had made.
func (a *API) deletionExport(c edge.Call) (edge.Stream, error) {
	d, err := a.Erasure.Deletion(c.Context(), c.Actor, object(c, "deletion", id.Deletion))
	if err != nil {
		return nil, err
	}
	if err := c.Actor.Require(access.OrganizationExport, d.Organization); err != nil {
		return nil, err
	}
	c.TakeTime()
	return a.Archives.Fetch(c.Context(), c.Actor.Realm, d.Export.ID, d.Export.Size)
}

// forgetExport removes the archive that a deletion had made.
func (a *API) forgetExport(c edge.Call) error {
	d, err := a.Erasure.Deletion(c.Context(), c.Actor, object(c, "deletion", id.Deletion))
	if err != nil {
		return err
	}
	if err := c.Actor.Require(access.OrganizationExport, d.Organization); err != nil {
		return err
	}
	return a.Archives.Forget(c.Context(), c.Actor.Realm, d.Export.ID)
}
