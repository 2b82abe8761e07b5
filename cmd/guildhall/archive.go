package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"guildhall/internal/archive"
	"guildhall/internal/directory"
	"guildhall/internal/fault"
	"guildhall/internal/id"
)

// archiveFlags say what an export holds and who can read it.
type archiveFlags struct {
	Credentials    bool     `help:"Put the hashes of passwords, passkeys, keys and client secrets into the archive. Encrypt it then."`
	EncryptTo      []string `help:"Public key of age that the archive is encrypted for; several can be given." placeholder:"AGE1..."`
	PassphraseFile string   `help:"File whose first line the archive is encrypted with instead." type:"existingfile" placeholder:"FILE"`
}

func (f archiveFlags) options() (opts archive.ExportOptions, err error) {
	opts = archive.ExportOptions{Credentials: f.Credentials, Recipients: f.EncryptTo}
	if f.PassphraseFile == "" {
		return opts, nil
	}
	if len(f.EncryptTo) > 0 {
		return opts, fmt.Errorf("give --encrypt-to or --passphrase-file, not both")
	}
	opts.Passphrase, err = firstLine(f.PassphraseFile)
	return opts, err
}

func firstLine(path string) (string, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	line, _, _ := strings.Cut(string(b), "\n")
	if line = strings.TrimSuffix(line, "\r"); line == "" {
		return "", fmt.Errorf("%s: the first line is empty", path)
	}
	return line, nil
}

type exportCommand struct {
	placeFlags
	archiveFlags
	Organization string `help:"Slug or id of the organization." placeholder:"ID|SLUG" xor:"what" required:""`
	Deletion     string `help:"Id of a deletion that had an export made first: fetches that, which is encrypted for whom the deletion named." placeholder:"DELETION" xor:"what" required:""`
	Output       string `short:"o" help:"File to write, which must not exist yet, or - for standard output." required:"" placeholder:"FILE"`
}

// Help is the longer text of --help.
func (exportCommand) Help() string {
	return `Writes everything that the organization owns, as it is at one moment, into one file: a gzip-compressed tar of newline-delimited JSON with a
manifest of counts and hashes. Of people from elsewhere it holds who they are, of roles of the realm their key, and of credentials nothing unless
--credentials asks for it. Who is signed in, the history and legal holds stay behind.

  guildhall export --organization acme -o acme.tar.gz
  guildhall export --organization acme --credentials --encrypt-to age1... -o acme.tar.gz.age

"guildhall import" makes an organization of it again, here or on another server.`
}

func (c *exportCommand) Run(p *program) error {
	opts, err := c.options()
	if err != nil {
		return err
	}
	w, err := c.enter(p.Context)
	if err != nil {
		return err
	}
	defer w.db.Close()
	if c.Deletion != "" {
		return w.fetchExport(p, c.Deletion, c.Output)
	}
	o, err := w.organization(p.Context, c.Organization)
	if err != nil {
		return err
	}
	if c.Output != "-" {
		e, err := w.exportTo(p, o, opts, c.Output)
		if err != nil {
			return err
		}
		return told(p.Out, e, c.Output)
	}
	e, err := w.Archives.Export(p.Context, w.by, o.ID, opts, p.Out)
	if err != nil {
		return err
	}
	if err := w.Archives.Exported(p.Context, w.by, e); err != nil {
		return err
	}
	return told(p.Err, e, "standard output")
}

func told(out io.Writer, e archive.Exported, where string) error {
	_, err := fmt.Fprintf(out, "Exported %q: %d objects, %d bytes, to %s.\nSHA-256 %s\n", e.Name, e.Lines(), e.Size, where, e.SHA256)
	return err
}

// exportTo writes an archive into a new file.
func (w *place) exportTo(p *program, o directory.Organization, opts archive.ExportOptions, path string) (e archive.Exported, err error) {
	err = newFile(path, func(f io.Writer) (sum string, size int64, err error) {
		n := newCounter(p.Err, f)
		defer n.done()
		e, err = w.Archives.Export(p.Context, w.by, o.ID, opts, n)
		return e.SHA256, e.Size, err
	})
	if err != nil {
		return e, err
	}
	return e, w.Archives.Exported(p.Context, w.by, e)
}

// fetchExport writes the archive that a deletion had made into a new file.
func (w *place) fetchExport(p *program, deletion, path string) error {
	d, err := w.watched(p.Context, deletion)
	if err != nil {
		return err
	}
	write, err := w.Archives.Fetch(p.Context, w.by.Realm, d.Export.ID, d.Export.Size)
	if err != nil {
		return err
	}
	if path == "-" {
		return write(p.Context, p.Out)
	}
	err = newFile(path, func(f io.Writer) (string, int64, error) { return d.Export.SHA256, d.Export.Size, write(p.Context, f) })
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.Out, "Fetched %d bytes to %s.\nSHA-256 %s\n", d.Export.Size, path, d.Export.SHA256)
	return err
}

// newFile writes a file, which appears under its name only when it is on the disk and
// was read from there once more, to its last byte: with the hash and the size that
// write gives.
func newFile(path string, write func(io.Writer) (sum string, size int64, err error)) error {
	if _, err := os.Lstat(path); err == nil {
		return fmt.Errorf("%s exists already", path)
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".guildhall-export-") // for its owner alone
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	sum, size, err := write(f)
	if err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := reads(f, sum, size); err != nil {
		return err
	}
	if err := os.Link(f.Name(), path); err != nil { // unlike a rename it never replaces anything
		return err
	}
	return syncFolder(filepath.Dir(path))
}

// reads fails unless a file has a hash and a size.
func reads(f *os.File, sum string, size int64) error {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	hash := sha256.New()
	n, err := io.Copy(hash, f)
	if err == nil && (n != size || hex.EncodeToString(hash.Sum(nil)) != sum) {
		err = fmt.Errorf("what was written cannot be read back: is the disk in order?")
	}
	return err
}

func syncFolder(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

type importCommand struct {
	placeFlags
	File           string `arg:"" help:"The archive." type:"existingfile" placeholder:"FILE"`
	IdentityFile   string `help:"File of private keys of age, for an encrypted archive." type:"existingfile" placeholder:"FILE"`
	PassphraseFile string `help:"File whose first line opens an encrypted archive." type:"existingfile" placeholder:"FILE"`
	Credentials    bool   `help:"Take over the hashes of passwords, passkeys, keys and client secrets, where they are in the archive."`
	Anew           bool   `help:"Import what was erased in this realm once more, with new ids; the old ones stay dead."`
	LinkGuests     bool   `help:"Take a guest for the user of this realm with the same address, where it is verified on both sides."`
	Name           string `help:"Another name for the organization." placeholder:"TEXT"`
	Slug           string `help:"Another slug, where somebody has the one in the archive." placeholder:"SLUG"`
	ExternalID     string `name:"external-id" help:"Another external id, where somebody has the one in the archive." placeholder:"ID"`
	DryRun         bool   `help:"Check everything, say what would be imported, and write nothing."`
}

// Help is the longer text of --help.
func (importCommand) Help() string {
	return `Checks the whole archive before anything is written, and then writes all of it or nothing. What it would refuse is listed by line. Objects
get new ids; the old ones of organizations, users and projects still lead to them, through every API. Verified domains have to be proved anew,
invitations sent anew, and connections given their secret and switched on. An archive that was imported before changes nothing.

  guildhall import acme.tar.gz --dry-run
  guildhall import acme.tar.gz.age --identity-file key.txt --credentials`
}

func (c *importCommand) Run(p *program) error {
	key, err := c.key()
	if err != nil {
		return err
	}
	f, err := os.Open(c.File)
	if err != nil {
		return err
	}
	defer f.Close()
	w, err := c.enter(p.Context)
	if err != nil {
		return err
	}
	defer w.db.Close()
	r, err := w.Archives.Import(p.Context, w.by, f, key, archive.ImportOptions{
		Name: c.Name, Slug: c.Slug, ExternalID: c.ExternalID, Credentials: c.Credentials, Anew: c.Anew, LinkGuests: c.LinkGuests, DryRun: c.DryRun,
	})
	switch {
	case errors.Is(err, archive.ErrErased):
		return fmt.Errorf("%w: add --anew", err)
	case errors.Is(err, archive.ErrRefused):
		for _, l := range r.Refused {
			fmt.Fprintln(p.Err, "refused:", l)
		}
		return err
	case err != nil:
		return err
	case r.Already:
		_, err = fmt.Fprintf(p.Out, "This organization was imported before, as %s. Nothing was changed.\n", w.spell(id.Organization, r.Organization))
		return err
	}
	return w.printReport(p, r)
}

func (c *importCommand) key() (key archive.Key, err error) {
	if c.IdentityFile != "" {
		b, err := os.ReadFile(c.IdentityFile)
		if err != nil {
			return key, err
		}
		key.Identities = string(b)
	}
	if c.PassphraseFile != "" {
		key.Passphrase, err = firstLine(c.PassphraseFile)
	}
	return key, err
}

func (w *place) printReport(p *program, r archive.Report) error {
	var rows [][]string
	for _, k := range r.Kinds {
		rows = append(rows, []string{strings.ReplaceAll(k.Name, "_", " "), strconv.Itoa(k.Imported), strconv.Itoa(k.Linked), strconv.Itoa(k.LeftOut)})
	}
	if err := table(p, "KIND\tIMPORTED\tHERE ALREADY\tLEFT OUT", rows); err != nil {
		return err
	}
	for _, l := range r.LeftOut {
		fmt.Fprintln(p.Err, "left out:", l)
	}
	if r.DryRun {
		_, err := fmt.Fprintln(p.Out, "\nNothing was written.")
		return err
	}
	_, err := fmt.Fprintf(p.Out, "\nThe organization is %s.\n", w.spell(id.Organization, r.Organization))
	return err
}

// changedSince reports a deletion that was to require another moment than that of
// its export.
func changedSince(wanted string, e archive.Exported) error {
	if wanted == "" || wanted == e.Fingerprint {
		return nil
	}
	return fault.New(fault.Stale, "preview_stale", "", "the organization changed between the preview and the export: look again with --dry-run; nothing was deleted")
}
