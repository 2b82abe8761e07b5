package archive

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"io"
)

const (
	headName     = "guildhall.json"
	manifestName = "manifest.json"
)

// A Writer writes an archive: a head, then the lines of one kind after the other.
// It holds one file in memory, never a whole kind.
type Writer struct {
	zip      *gzip.Writer
	tar      *tar.Writer
	manifest Manifest
	chunk    bytes.Buffer
	chunks   int // of the kind
	hash     hash.Hash
}

// NewWriter begins an archive.
func NewWriter(w io.Writer) *Writer {
	zip, _ := gzip.NewWriterLevel(w, gzip.BestSpeed) // fails for unknown levels only
	return &Writer{zip: zip, tar: tar.NewWriter(zip)}
}

// Head says what the archive is of. It comes first.
func (w *Writer) Head(h Head) error {
	h.Format, h.Schema = Format, Schema
	h.CreatedAt = h.CreatedAt.UTC()
	w.manifest.Head = h
	return w.document(headName, h)
}

// Kind begins the lines of a kind.
func (w *Writer) Kind(name string) error {
	if err := w.end(); err != nil {
		return err
	}
	w.manifest.Kinds = append(w.manifest.Kinds, Part{Name: name})
	w.hash, w.chunks = sha256.New(), 0
	return nil
}

// Line adds an object to the kind that was begun.
func (w *Writer) Line(text []byte) error {
	if len(text) >= mostLine {
		return fmt.Errorf("an object of %s takes %d bytes: %w", w.part().Name, len(text), ErrSize)
	}
	w.part().Lines++
	w.chunk.Write(text)
	w.chunk.WriteByte('\n')
	if w.chunk.Len() < chunkSize {
		return nil
	}
	return w.flush()
}

func (w *Writer) part() *Part { return &w.manifest.Kinds[len(w.manifest.Kinds)-1] }

// flush writes what has come together as a file.
func (w *Writer) flush() error {
	if w.chunk.Len() == 0 {
		return nil
	}
	w.chunks++
	w.part().Bytes += int64(w.chunk.Len())
	w.hash.Write(w.chunk.Bytes())
	err := w.file(fmt.Sprintf("%s-%06d.ndjson", w.part().Name, w.chunks), w.chunk.Bytes())
	w.chunk.Reset()
	return err
}

// end completes the kind that was begun last.
func (w *Writer) end() error {
	if len(w.manifest.Kinds) == 0 {
		return nil
	}
	err := w.flush()
	w.part().SHA256 = hex.EncodeToString(w.hash.Sum(nil))
	return err
}

// Close writes the manifest. Without it the archive is refused everywhere.
func (w *Writer) Close() (Manifest, error) {
	if err := w.end(); err != nil {
		return w.manifest, err
	}
	if err := w.document(manifestName, w.manifest); err != nil {
		return w.manifest, err
	}
	if err := w.tar.Close(); err != nil {
		return w.manifest, err
	}
	return w.manifest, w.zip.Close()
}

func (w *Writer) document(name string, v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return w.file(name, append(b, '\n'))
}

func (w *Writer) file(name string, content []byte) error {
	err := w.tar.WriteHeader(&tar.Header{
		Typeflag: tar.TypeReg, Name: name, Size: int64(len(content)), Mode: 0o600, ModTime: w.manifest.CreatedAt, Format: tar.FormatUSTAR,
	})
	if err != nil {
		return err
	}
	_, err = w.tar.Write(content)
	return err
}
