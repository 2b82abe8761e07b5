// Package archive owns what an organization looks like outside of the server: the
// file it is exported into, what such a file must be like to be imported, and both
// operations.
//
// An archive is a gzip-compressed tar of newline-delimited JSON, one or more files
// for each kind of object, between a head and a manifest; see docs/export.md.
package archive

import (
	"time"

	"guildhall/internal/fault"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

const (
	// Format is what every archive calls itself.
	Format = "guildhall-organization"
	// Schema is the version of the format. Archives of later versions are refused.
	Schema = 1
)

// A Head is the first file of an archive: what it is of.
type Head struct {
	Format       string    `json:"format"`
	Schema       int       `json:"schema"`
	CreatedAt    time.Time `json:"created_at"`
	Realm        id.ID     `json:"realm,string"` // where it was exported: ids mean something only with it
	Organization id.ID     `json:"organization,string"`
	Name         string    `json:"name"`
	Slug         string    `json:"slug"`
	Credentials  bool      `json:"credentials"` // hashes of passwords, keys and client secrets are in it
	Fingerprint  string    `json:"fingerprint"` // of the organization at the moment of the export; see erasure.Fingerprint
}

// A Part is what the manifest says of one kind: the number of its lines, and the
// size and hash of all its files behind each other.
type Part struct {
	Name   string `json:"name"`
	Lines  int    `json:"lines"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// A Manifest is the last file of an archive. One without it was cut off.
type Manifest struct {
	Head
	Kinds []Part `json:"kinds"`
}

// Lines is the number of all lines.
func (m Manifest) Lines() (n int) {
	for _, p := range m.Kinds {
		n += p.Lines
	}
	return n
}

// Limits bound what is read of an archive. A zero field has its default.
type Limits struct {
	File  int64 // bytes of the archive itself, as it is stored
	Bytes int64 // of all files in it, unpacked
	Line  int   // bytes of one line
}

const (
	mostFile  = 16 << 30
	mostBytes = 1 << 40
	mostLine  = 2 << 20

	chunkSize = 1 << 20              // a file is ended when it has grown to this
	mostChunk = chunkSize + mostLine // of a file that is read

	mostDocument = 64 << 10 // of the head and of the manifest, which list at most one entry for each kind
)

func (l Limits) filled() Limits {
	if l.File <= 0 {
		l.File = mostFile
	}
	if l.Bytes <= 0 {
		l.Bytes = mostBytes
	}
	if l.Line <= 0 || l.Line > mostLine {
		l.Line = mostLine
	}
	return l
}

// The facts about archives.
var (
	ErrArchive = fault.New(fault.Invalid, "invalid_archive", "", "this is no archive of an organization, or it is damaged")
	ErrNewer   = fault.New(fault.Invalid, "archive_too_new", "", "the archive was written by a later version of this program")
	ErrSealed  = fault.New(fault.Invalid, "archive_encrypted", "", "the archive is encrypted, and no key that opens it was given")
	ErrSize    = fault.New(fault.TooLarge, "archive_too_large", "", "the archive is larger than this server reads")
	ErrKey     = fault.New(fault.Invalid, "invalid_recipient", "recipient", "this is no public key of age")

	ErrOpen = fault.New(fault.Invalid, "recipient_missing", "recipients", "an archive that the server keeps has to be encrypted for somebody")

	ErrBusy = fault.New(fault.Exhausted, "archives_busy", "", "enough exports and imports are under way; try again later")

	// ErrRefused is an archive of which nothing was imported; detail: Report.
	ErrRefused = fault.New(fault.Invalid, "archive_refused", "", "lines of the archive cannot be imported; nothing was")
	ErrLives   = fault.New(fault.Precondition, "organization_lives", "", "the organization lives in this realm: an import never changes what exists")
	ErrGrace   = fault.New(fault.Precondition, "organization_restorable", "", "the organization was deleted and is not purged yet: restore it instead")
	ErrErased  = fault.New(fault.Precondition, "organization_erased", "", "the organization was erased in this realm; it can be imported anew, with ids of its own, if that is asked for")
	ErrNoProof = fault.New(fault.Precondition, "export_missing", "export", "the organization was not exported into this archive, or not to its end")
)

// ErrNotImported is a record of an import that does not exist.
var ErrNotImported = fault.New(fault.NotFound, "import_not_found", "", "the import does not exist")

// An Import is the record that an archive was imported.
type Import struct {
	query.Stamp
	Organization id.ID // what came of it
	Origin       id.ID // the realm it was exported from
	Source       id.ID // the organization there
	Archive      string
	RequestedBy  string
	Report       Report
}

// A Report says what became of an archive, line by line where it was not imported.
type Report struct {
	Organization id.ID   `json:"-"`                 // in this realm
	Already      bool    `json:"-"`                 // it was imported before; nothing was done
	DryRun       bool    `json:"-"`                 // nothing was written
	Kinds        []Tally `json:"kinds"`             // in the order of the archive
	Refused      []Line  `json:"refused,omitempty"` // at most MostTold
	LeftOut      []Line  `json:"left_out,omitempty"`
}

// A Tally counts the lines of a kind.
type Tally struct {
	Name     string `json:"name"`
	Imported int    `json:"imported"`
	Linked   int    `json:"linked,omitempty"` // people who are here already
	LeftOut  int    `json:"left_out,omitempty"`
	Refused  int    `json:"refused,omitempty"`
}

// A Line is a line of an archive that was not imported, and why.
type Line struct {
	Kind   string `json:"kind"`
	Line   int    `json:"line"` // from 1, over all files of the kind
	Field  string `json:"field,omitempty"`
	Reason string `json:"reason"`
}

// MostTold is how many lines a report names of either sort. Where more are
// refused, reading ends.
const MostTold = 100
