// Package breach owns the lists of passwords that were found in breaches: a
// service that is asked for a range of hashes, and a file of the operator's.
package breach

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

const (
	hashLength  = 40  // of SHA-1 in hex
	longestLine = 128 // bytes; a hash, a colon, a count and the end of the line are far fewer
	samples     = 2000
)

// A File is a list in the form in which such lists are published: one line for each
// hash, HASH:COUNT, ordered by the hash. It is searched where it lies, so it may be
// of any size and takes no memory.
type File struct {
	from io.ReaderAt
	size int64
	file *os.File // nil when it was not opened here
}

// Open opens a file and fails when it is not such a list. Two thousand lines all over
// the file are looked at: one that is ordered by something else, such as by how often
// passwords were found, does not pass.
func Open(path string) (*File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	list := &File{from: f, size: info.Size(), file: f}
	if err := list.check(); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, err), f.Close())
	}
	return list, nil
}

// Over is a list that something else holds.
func Over(from io.ReaderAt, size int64) *File { return &File{from: from, size: size} }

// Close closes the file.
func (f *File) Close() error {
	if f.file == nil {
		return nil
	}
	return f.file.Close()
}

// Check looks at samples of the list.
func (f *File) Check() error { return f.check() }

func (f *File) check() error {
	last := ""
	for i := range int64(samples) {
		start, hash, next, err := f.line(f.size / samples * i)
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		if hash < last {
			return fmt.Errorf("the list is not ordered by hash: at byte %d", start)
		}
		last = hash
		if second, following, _, err := f.line(next); err == nil && following <= hash {
			return fmt.Errorf("the list is not ordered by hash: at byte %d", second)
		}
	}
	if last == "" {
		return errors.New("the list is empty")
	}
	return nil
}

// errLine is a line that is none of such a list.
var errLine = errors.New("a line is not HASH:COUNT with a SHA-1 in hex")

// line reads the first line that begins at or after a place. At the end it is io.EOF.
func (f *File) line(at int64) (start int64, hash string, next int64, err error) {
	var buffer [2 * longestLine]byte
	from := max(at-1, 0) // a line begins behind the end of another
	n, err := f.from.ReadAt(buffer[:], from)
	if err != nil && err != io.EOF {
		return 0, "", 0, err
	}
	ended := err == io.EOF
	b := buffer[:n]
	start = from
	if at > 0 {
		end := bytes.IndexByte(b, '\n')
		if end < 0 {
			if ended {
				return f.size, "", f.size, io.EOF
			}
			return 0, "", 0, errLine
		}
		b, start = b[end+1:], from+int64(end)+1
	}
	if len(b) == 0 && ended {
		return f.size, "", f.size, io.EOF
	}
	end := bytes.IndexByte(b, '\n')
	next = start + int64(end) + 1
	if end < 0 {
		if !ended {
			return 0, "", 0, errLine
		}
		end, next = len(b), f.size
	}
	hash, ok := hashOf(string(b[:end]))
	if !ok {
		return start, "", next, errLine
	}
	return start, hash, next, nil
}

// hashOf reads one line, in upper case.
func hashOf(line string) (string, bool) {
	hash, count, counted := strings.Cut(strings.TrimSuffix(line, "\r"), ":")
	if len(hash) != hashLength || !hexadecimal(hash) || counted && !decimal(count) {
		return "", false
	}
	return strings.ToUpper(hash), true
}

func hexadecimal(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return !(r >= '0' && r <= '9' || r >= 'A' && r <= 'F' || r >= 'a' && r <= 'f') }) < 0
}

func decimal(s string) bool {
	return s != "" && strings.IndexFunc(s, func(r rune) bool { return r < '0' || r > '9' }) < 0
}

// Breached looks a hash up: some forty reads in a list of a billion.
func (f *File) Breached(_ context.Context, sha1 string) (bool, error) {
	low, high := int64(0), f.size // lines that begin in between may be the one
	for low < high {
		middle := low + (high-low)/2
		start, hash, next, err := f.line(middle)
		switch {
		case err == io.EOF || err == nil && start >= high:
			high = middle // none begins behind it
		case err != nil:
			return false, err
		case hash == sha1:
			return true, nil
		case hash < sha1:
			low = next
		default:
			high = middle
		}
	}
	return false, nil
}
