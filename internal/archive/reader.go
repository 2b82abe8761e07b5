package archive

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"hash"
	"io"
	"regexp"
	"strconv"
	"unicode/utf8"

	"guildhall/internal/fault"
)

// A Visitor is shown an archive while it is read. What it fails with ends the
// reading and is returned.
type Visitor interface {
	Head(h Head) error
	// Line is one line of a kind; number counts from 1. Text is good only until
	// Line returns. That the hash of the kind is right is known when Read returns.
	Line(kind string, number int, text []byte) error
}

var partName = regexp.MustCompile(`^([a-z][a-z_]{0,40})-([0-9]{6})\.ndjson$`)

// Read reads an archive from anybody: it trusts nothing and keeps one file of it in
// memory. Names in it never become paths. It fails with ErrArchive unless the
// archive is whole and its manifest fits it.
func Read(from io.Reader, limits Limits, v Visitor) (Manifest, error) {
	limits = limits.filled()
	counted := &counter{from: from, left: limits.File}
	r := &reader{visitor: v, limits: limits}
	m, err := r.all(counted)
	var known *fault.Error
	switch {
	case counted.over:
		return m, ErrSize
	case err != nil && !errors.As(err, &known):
		return m, ErrArchive.Because(err)
	}
	return m, err
}

// A counter fails when more is read than it allows.
type counter struct {
	from io.Reader
	left int64
	over bool
}

func (c *counter) Read(b []byte) (int, error) {
	if int64(len(b)) > c.left+1 {
		b = b[:c.left+1]
	}
	n, err := c.from.Read(b)
	if c.left -= int64(n); c.left < 0 {
		c.over = true
		return 0, ErrSize
	}
	return n, err
}

type reader struct {
	visitor Visitor
	limits  Limits
	head    Head
	kinds   []Part
	hash    hash.Hash
	chunks  int
	chunk   []byte
}

func (r *reader) all(from io.Reader) (m Manifest, err error) {
	plain := bufio.NewReader(from)
	if start, _ := plain.Peek(len(ageMagic)); string(start) == ageMagic {
		return m, ErrSealed
	}
	zip, err := gzip.NewReader(plain)
	if err != nil {
		return m, err
	}
	zip.Multistream(false)
	files := tar.NewReader(&counter{from: zip, left: r.limits.Bytes})
	for first := true; ; first = false {
		name, content, err := r.next(files)
		switch {
		case err != nil:
			return m, err
		case first != (name == headName):
			return m, damaged("the head does not come first")
		case first:
			if err := r.begin(content); err != nil {
				return m, err
			}
		case name == manifestName:
			return r.finish(content, files, zip, plain)
		default:
			if err := r.part(name, content); err != nil {
				return m, err
			}
		}
	}
}

func damaged(why string) error { return ErrArchive.Saying("the archive is damaged: %s", why) }

// next reads one file whole; it is small.
func (r *reader) next(files *tar.Reader) (name string, content []byte, err error) {
	h, err := files.Next()
	switch {
	case err == io.EOF:
		return "", nil, damaged("it has no manifest")
	case err != nil:
		return "", nil, err
	case h.Typeflag != tar.TypeReg || len(h.PAXRecords) > 0:
		return "", nil, damaged("it holds something other than plain files")
	case h.Size > mostChunk, (h.Name == headName || h.Name == manifestName) && h.Size > mostDocument:
		return "", nil, damaged("a file in it is too large")
	}
	if int64(cap(r.chunk)) < h.Size {
		r.chunk = make([]byte, h.Size)
	}
	r.chunk = r.chunk[:h.Size]
	_, err = io.ReadFull(files, r.chunk)
	return h.Name, r.chunk, err
}

func (r *reader) begin(content []byte) error {
	if err := json.Unmarshal(content, &r.head); err != nil || r.head.Format != Format {
		return ErrArchive
	}
	switch h := r.head; {
	case h.Schema > Schema:
		return ErrNewer
	case h.Schema < 1 || h.Realm <= 0 || h.Organization <= 0:
		return damaged("the head says nothing")
	}
	return r.visitor.Head(r.head)
}

// part reads one file of a kind.
func (r *reader) part(name string, content []byte) error {
	m := partName.FindStringSubmatch(name)
	if m == nil {
		return damaged("a file in it has an unknown name")
	}
	if n := len(r.kinds); n == 0 || r.kinds[n-1].Name != m[1] {
		for _, k := range r.kinds {
			if k.Name == m[1] {
				return damaged("the files of a kind lie apart")
			}
		}
		r.seal()
		r.kinds = append(r.kinds, Part{Name: m[1]})
		r.hash, r.chunks = sha256.New(), 0
	}
	if r.chunks++; m[2] != leadingZeros(r.chunks) {
		return damaged("a file of " + m[1] + " is missing")
	}
	k := &r.kinds[len(r.kinds)-1]
	k.Bytes += int64(len(content))
	r.hash.Write(content)
	return r.lines(k, content)
}

func leadingZeros(n int) string {
	s := strconv.Itoa(n)
	for len(s) < 6 {
		s = "0" + s
	}
	return s
}

func (r *reader) lines(k *Part, content []byte) error {
	for len(content) > 0 {
		end := bytes.IndexByte(content, '\n')
		switch {
		case end < 0:
			return damaged("a line of " + k.Name + " does not end")
		case end > r.limits.Line:
			return damaged("a line of " + k.Name + " is too long")
		case !utf8.Valid(content[:end]):
			return damaged("a line of " + k.Name + " is not valid text")
		}
		k.Lines++
		if err := r.visitor.Line(k.Name, k.Lines, content[:end]); err != nil {
			return err
		}
		content = content[end+1:]
	}
	return nil
}

// seal completes the kind that was read last.
func (r *reader) seal() {
	if n := len(r.kinds); n > 0 {
		r.kinds[n-1].SHA256 = hex.EncodeToString(r.hash.Sum(nil))
	}
}

// finish compares what was read with the manifest, behind which nothing may come.
func (r *reader) finish(content []byte, files *tar.Reader, zip, plain io.Reader) (m Manifest, err error) {
	r.seal()
	if err := json.Unmarshal(content, &m); err != nil {
		return m, damaged("its manifest cannot be read")
	}
	if m.Head != r.head {
		return m, damaged("its head and its manifest differ")
	}
	var filled []Part
	for _, k := range m.Kinds {
		if k.Lines == 0 && k.Bytes == 0 {
			continue // kinds without objects have no file
		}
		filled = append(filled, k)
	}
	if len(filled) != len(r.kinds) {
		return m, damaged("its manifest lists other kinds than it holds")
	}
	for i, k := range filled {
		if k != r.kinds[i] {
			return m, damaged("what its manifest says of " + r.kinds[i].Name + " is not so")
		}
	}
	if _, err := files.Next(); err != io.EOF {
		return m, damaged("something comes behind its manifest")
	}
	if n, err := io.Copy(io.Discard, io.LimitReader(zip, 1<<20)); err != nil || n == 1<<20 { // the padding of tar, and the checksum
		return m, damaged("its end is not that of an archive")
	}
	if n, _ := io.Copy(io.Discard, io.LimitReader(plain, 1)); n > 0 {
		return m, damaged("something comes behind it")
	}
	return m, nil
}
