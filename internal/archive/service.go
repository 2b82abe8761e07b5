package archive

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"guildhall/internal/access"
	"guildhall/internal/directory"
	"guildhall/internal/fault"
	"guildhall/internal/id"
)

// A Source shows an archive to a visitor, from its beginning each time.
type Source func(Visitor) (Manifest, error)

// Store reads organizations into archives and writes them from archives.
type Store interface {
	// Export writes the head and every kind into w, all as of one moment.
	Export(ctx context.Context, realm, organization id.ID, credentials bool, w *Writer) error
	// Exported notes that an archive was written to its end.
	Exported(ctx context.Context, by access.Actor, e Exported) error
	// Proof gives the fingerprint in the newest archive with this hash that was
	// written to its end, or ErrNoProof.
	Proof(ctx context.Context, realm, organization id.ID, sha256 string) (fingerprint string, err error)
	// Keep keeps an archive in the database for some time.
	Keep(ctx context.Context, realm id.ID, life time.Duration, from io.Reader) (export id.ID, until time.Time, err error)
	// Kept gives the part of a kept archive behind another one; it fails behind the last.
	Kept(ctx context.Context, realm, export, after id.ID) (part id.ID, content []byte, err error)
	// Forget removes a kept archive.
	Forget(ctx context.Context, realm, export id.ID) error
	// Import checks the whole archive and then writes all of it or nothing. A
	// refusal comes with the report.
	Import(ctx context.Context, by access.Actor, from Source, opts ImportOptions) (Report, error)
	// Origins lists the realms from which something was imported.
	Origins(ctx context.Context, realm id.ID) ([]id.ID, error)
	// Imported gives what an object of another realm became here.
	Imported(ctx context.Context, realm id.ID, kind id.Kind, origin, there id.ID) (here id.ID, err error)
}

// A Service exports organizations, imports archives, and knows what imported
// objects were called before.
type Service struct {
	Store  Store
	Limits Limits // of archives that are imported

	origins origins
	working atomic.Int32 // exports and imports by now
}

// mostAtOnce are written or read at a time: each keeps a processor busy.
const mostAtOnce = 4

// turn counts one more, or fails with ErrBusy. What it gives ends that.
func (s *Service) turn() (over func(), err error) {
	if s.working.Add(1) > mostAtOnce {
		s.working.Add(-1)
		return nil, ErrBusy
	}
	return func() { s.working.Add(-1) }, nil
}

// ExportOptions are what the caller of an export chooses.
type ExportOptions struct {
	Credentials bool     // with the hashes of passwords, keys and client secrets
	Recipients  []string // public keys of age to encrypt for; none leaves it plain
	Passphrase  string   // to encrypt with instead
}

// An Exported is an archive that was written.
type Exported struct {
	Manifest
	SHA256 string // of the whole archive as it was written, encrypted or not
	Size   int64
}

// ImportOptions are what the caller of an import chooses.
type ImportOptions struct {
	Name       string // instead of the one in the archive; "" keeps that
	Slug       string
	ExternalID string
	// Credentials takes the hashes of passwords, keys and client secrets over.
	Credentials bool
	// Anew imports what was erased in this realm before, with ids of its own. The
	// old ids stay dead.
	Anew bool
	// LinkGuests takes a guest of the archive for the user of this realm with the
	// same address, where it is verified on both sides.
	LinkGuests bool
	DryRun     bool // only say what would become of it
}

// Export writes an archive of an organization into w.
func (s *Service) Export(ctx context.Context, by access.Actor, organization id.ID, opts ExportOptions, w io.Writer) (e Exported, err error) {
	if err := may(by, organization, opts.Credentials); err != nil {
		return e, err
	}
	over, err := s.turn()
	if err != nil {
		return e, err
	}
	defer over()
	sum := sha256.New()
	size := &tally{}
	var sealed io.WriteCloser
	if opts.Passphrase != "" {
		sealed, err = SealWith(io.MultiWriter(w, sum, size), opts.Passphrase)
	} else {
		sealed, err = Seal(io.MultiWriter(w, sum, size), opts.Recipients...)
	}
	if err != nil {
		return e, err
	}
	out := NewWriter(sealed)
	if err := s.Store.Export(ctx, by.Realm, organization, opts.Credentials, out); err != nil {
		return e, err
	}
	if e.Manifest, err = out.Close(); err != nil {
		return e, err
	}
	if err := sealed.Close(); err != nil {
		return e, err
	}
	e.SHA256, e.Size = hex.EncodeToString(sum.Sum(nil)), size.n
	return e, nil
}

func may(by access.Actor, organization id.ID, credentials bool) error {
	if err := by.RequireSeen(access.OrganizationExport, directory.ErrOrganizationNotFound, organization); err != nil {
		return err
	}
	if credentials {
		return by.Require(access.CredentialTransfer, organization)
	}
	return nil
}

type tally struct{ n int64 }

func (t *tally) Write(b []byte) (int, error) { t.n += int64(len(b)); return len(b), nil }

// Exported notes that whoever asked for an archive has it to its last byte. Only
// then does it count for Proof.
func (s *Service) Exported(ctx context.Context, by access.Actor, e Exported) error {
	return s.Store.Exported(ctx, by, e)
}

// Proof says that the organization was exported into the archive with this hash,
// to its last byte, and gives the fingerprint of that moment: a deletion that
// requires it deletes nothing that is not in the archive.
func (s *Service) Proof(ctx context.Context, by access.Actor, organization id.ID, sha256 string) (fingerprint string, err error) {
	if err := by.RequireSeen(access.OrganizationDelete, directory.ErrOrganizationNotFound, organization); err != nil {
		return "", err
	}
	return s.Store.Proof(ctx, by.Realm, organization, strings.ToLower(sha256))
}

// A Spooled is an archive in a file that has no name any more: nobody else can
// open it, and nothing is left of it when it is closed or the process ends.
type Spooled struct {
	Exported
	*os.File
}

// Spool exports into a nameless file, so that how fast a client reads does not
// decide how long the database is read.
func (s *Service) Spool(ctx context.Context, by access.Actor, organization id.ID, opts ExportOptions) (*Spooled, error) {
	if err := may(by, organization, opts.Credentials); err != nil {
		return nil, err
	}
	f, err := nameless()
	if err != nil {
		return nil, err
	}
	e, err := s.Export(ctx, by, organization, opts, f)
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return &Spooled{e, f}, nil
}

// Receive keeps an archive that comes in, in a nameless file.
func (s *Service) Receive(from io.Reader) (*os.File, error) {
	f, err := nameless()
	if err != nil {
		return nil, err
	}
	most := s.Limits.filled().File
	n, err := io.Copy(f, io.LimitReader(from, most+1))
	switch {
	case err != nil:
		err = ErrArchive.Saying("the archive did not arrive whole").Because(err)
	case n > most:
		err = ErrSize
	default:
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

func nameless() (*os.File, error) {
	f, err := os.CreateTemp("", "guildhall-archive-")
	if err != nil {
		return nil, fault.ErrInternal.Because(err)
	}
	if err := os.Remove(f.Name()); err != nil {
		_ = f.Close()
		return nil, fault.ErrInternal.Because(err)
	}
	return f, nil
}

// Import makes an organization of an archive: of all of it, or of nothing. What it
// writes belongs to the realm of the actor, whatever the archive says. An archive
// that was imported before changes nothing.
func (s *Service) Import(ctx context.Context, by access.Actor, from io.ReadSeeker, key Key, opts ImportOptions) (Report, error) {
	if err := by.Require(access.OrganizationImport); err != nil {
		return Report{}, err
	}
	if opts.Credentials {
		if err := by.Require(access.CredentialTransfer); err != nil {
			return Report{}, err
		}
	}
	over, err := s.turn()
	if err != nil {
		return Report{}, err
	}
	defer over()
	read := func(v Visitor) (m Manifest, err error) {
		if err := ctx.Err(); err != nil {
			return m, err
		}
		if _, err := from.Seek(0, io.SeekStart); err != nil {
			return m, err
		}
		plain, err := key.Unseal(from)
		if err != nil {
			return m, err
		}
		return Read(plain, s.Limits, v)
	}
	defer s.origins.forget(by.Realm)
	return s.Store.Import(ctx, by, read, opts)
}

// Formerly finds what an id from before an import leads to. Read tells whether the
// codec of a realm reads the text, and as what; it is asked for every realm that
// something was imported from. Found is false where it leads nowhere, which is
// also so for ids of what was erased here once.
func (s *Service) Formerly(ctx context.Context, realm id.ID, kind id.Kind, read func(id.Codec) (id.ID, bool)) (here id.ID, found bool, err error) {
	from, err := s.origins.of(ctx, s.Store, realm)
	if err != nil {
		return id.None, false, err
	}
	for _, origin := range from {
		there, ok := read(id.For(origin, kind))
		if !ok {
			continue
		}
		here, err := s.Store.Imported(ctx, realm, kind, origin, there)
		if err == nil || !errors.Is(err, ErrNotImported) {
			return here, err == nil, err
		}
	}
	return id.None, false, nil
}

// AliasOf is the chosen id of an imported object that had none of its own: where it
// comes from. No wire shows it.
func AliasOf(origin, there id.ID) string {
	return aliasScheme + origin.String() + "." + there.String()
}

const aliasScheme = "was:"

// IsAlias reports whether an alias is one that AliasOf made.
func IsAlias(alias string) bool { return strings.HasPrefix(alias, aliasScheme) }

// Issued reports whether a chosen id reads as one that this realm may have issued,
// or may issue yet: it is, was or will be somebody else's. The part before the
// first colon is the scheme.
func Issued(realm id.ID, kind id.Kind, alias string) bool {
	_, text, _ := strings.Cut(alias, ":")
	c := id.For(realm, kind)
	body := text[strings.LastIndexAny(text, "_|")+1:]
	uuid := text[max(0, len(text)-36):]
	for _, read := range []func() (id.ID, bool){
		func() (id.ID, bool) { return c.ParseDecimal(text) }, func() (id.ID, bool) { return c.ParseHex24(body) },
		func() (id.ID, bool) { return c.ParseBase62(body) }, func() (id.ID, bool) { return c.ParseUUID(uuid) },
	} {
		if i, ok := read(); ok && !i.Time().Before(realm.Time()) {
			return true
		}
	}
	return false
}

// String tells a line for people.
func (l Line) String() string {
	s := l.Kind + " line " + strconv.Itoa(l.Line) + ": "
	if l.Field != "" {
		s += l.Field + ": "
	}
	return s + l.Reason
}

// Total sums a report up.
func (r Report) Total() (imported, linked, leftOut, refused int) {
	for _, t := range r.Kinds {
		imported, linked, leftOut, refused = imported+t.Imported, linked+t.Linked, leftOut+t.LeftOut, refused+t.Refused
	}
	return imported, linked, leftOut, refused
}

// Error says in a line what was refused first.
func (r Report) Error() string {
	if len(r.Refused) == 0 {
		return "nothing was refused"
	}
	return fmt.Sprintf("%s (and %d more)", r.Refused[0], len(r.Refused)-1)
}
