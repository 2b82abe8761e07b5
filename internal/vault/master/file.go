package master

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// A File holds master keys, one a line: when it was made, and the key in base64.
// The last one is the current one. Processes that share the file see each other's
// changes.
type File struct {
	Path   string
	Create bool // when a key is needed and the file is not there

	mu   sync.Mutex
	ring Ring // the current key first
	seen fs.FileInfo
}

// Current names the newest key.
func (f *File) Current(ctx context.Context) (string, error) {
	ring, err := f.load(true)
	if err != nil {
		return "", err
	}
	return ring.Current(ctx)
}

// Wrap encrypts with the newest key.
func (f *File) Wrap(ctx context.Context, plain, bound []byte) ([]byte, string, error) {
	ring, err := f.load(true)
	if err != nil {
		return nil, "", err
	}
	return ring.Wrap(ctx, plain, bound)
}

// Unwrap decrypts with the named key. A file that is missing is never made for
// it: what is to be unwrapped was wrapped by a key that exists somewhere.
func (f *File) Unwrap(ctx context.Context, key string, wrapped, bound []byte) ([]byte, error) {
	ring, err := f.load(false)
	if err != nil {
		return nil, err
	}
	return ring.Unwrap(ctx, key, wrapped, bound)
}

// load reads the file unless it is the one that was read last.
func (f *File) load(create bool) (Ring, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	info, err := os.Stat(f.Path)
	if errors.Is(err, fs.ErrNotExist) {
		if !create || !f.Create {
			return nil, fmt.Errorf("the master key file %s is not there: put it back, or name it with --master-key-file", f.Path)
		}
		if err := f.begin(); err != nil {
			return nil, err
		}
		info, err = os.Stat(f.Path)
	}
	if err != nil {
		return nil, err
	}
	if f.seen != nil && os.SameFile(f.seen, info) && f.seen.ModTime().Equal(info.ModTime()) && f.seen.Size() == info.Size() {
		return f.ring, nil
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("the master key file %s can be read by others: chmod 600 it", f.Path)
	}
	ring, err := read(f.Path)
	if now, again := os.Stat(f.Path); err != nil && again == nil && !os.SameFile(info, now) {
		info = now // it was replaced, and what was opened was overwritten
		ring, err = read(f.Path)
	}
	if err != nil {
		return nil, fmt.Errorf("the master key file %s: %w", f.Path, err)
	}
	f.ring, f.seen = ring, info
	return ring, nil
}

func read(path string) (Ring, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return parseFile(text)
}

const explanation = `# Master keys of a Guildhall server: when each was made, and the key. The last one is in use.
# Whoever has this file and the database can read every secret in it. Without this file nobody can.
# Keep a copy apart from the backups of the database, and only the newest one.
`

// parseFile reads the lines of a key file, the newest key first.
func parseFile(text []byte) (Ring, error) {
	var ring Ring
	n := 0
	for line := range strings.Lines(string(text)) {
		n++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		made, secret, ok := strings.Cut(line, " ")
		created, err := time.Parse(time.RFC3339, made)
		if !ok || err != nil {
			return nil, fmt.Errorf("line %d is not a time and a key", n)
		}
		k, err := newKey(strings.TrimSpace(secret), created)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		ring = append(ring, k)
	}
	if len(ring) == 0 {
		return nil, errors.New("it holds no key")
	}
	slices.Reverse(ring)
	return ring, nil
}

func (r Ring) lines() []byte {
	out := bytes.NewBufferString(explanation)
	for _, k := range slices.Backward(r) {
		fmt.Fprintf(out, "%s %s\n", k.Created.UTC().Format(time.RFC3339), base64.StdEncoding.EncodeToString(k.secret))
	}
	return out.Bytes()
}

func random(now time.Time) (Key, error) {
	secret := make([]byte, size)
	rand.Read(secret) // never fails (crypto/rand)
	return newKey(base64.StdEncoding.EncodeToString(secret), now)
}

// begin makes the file with one key. Of several processes that begin at once one
// makes it, for all.
func (f *File) begin() error {
	k, err := random(time.Now())
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(f.Path), 0o700); err != nil {
		return err
	}
	fresh := f.Path + "." + k.Name
	if err := writeNew(fresh, Ring{k}.lines()); err != nil {
		return err
	}
	defer os.Remove(fresh)
	if err := os.Link(fresh, f.Path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncFolder(f.Path)
}

// Add makes a new key the current one. The ones before it still unwrap.
func (f *File) Add(now time.Time) (Key, error) {
	k, err := random(now)
	if err != nil {
		return k, err
	}
	return k, f.rewrite(func(ring Ring) Ring { return append(Ring{k}, ring...) })
}

// Keys lists the keys, the current one first.
func (f *File) Keys() ([]Key, error) {
	ring, err := f.load(true)
	return slices.Clone(ring), err
}

// Destroy takes keys out of the file, for good, and overwrites the file that held
// them. What only they unwrap is lost. The current key stays.
func (f *File) Destroy(names ...string) error {
	return f.rewrite(func(ring Ring) Ring {
		rest := Ring{ring[0]}
		for _, k := range ring[1:] {
			if !slices.Contains(names, k.Name) {
				rest = append(rest, k)
			}
		}
		return rest
	})
}

// rewrite replaces the file in one step: whoever reads it sees it whole. The name
// of the new file is the lock.
func (f *File) rewrite(change func(Ring) Ring) error {
	if _, err := f.load(true); err != nil {
		return err
	}
	fresh := f.Path + ".new"
	if err := writeNew(fresh, nil); err != nil {
		return fmt.Errorf("somebody else is changing the master keys; if nobody is, remove %s: %w", fresh, err)
	}
	defer os.Remove(fresh) // does nothing after the rename
	old, err := os.OpenFile(f.Path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer old.Close()
	f.mu.Lock()
	f.seen = nil // read it again, now that nobody changes it
	f.mu.Unlock()
	ring, err := f.load(false)
	if err != nil {
		return err
	}
	if err := write(fresh, os.O_WRONLY|os.O_TRUNC, change(ring).lines()); err != nil {
		return err
	}
	if err := os.Rename(fresh, f.Path); err != nil {
		return err
	}
	if err := syncFolder(f.Path); err != nil {
		return err
	}
	// Keys that were taken out are not left behind on the disk, as far as the file
	// system writes in place.
	info, err := old.Stat()
	if err == nil {
		_, err = old.WriteAt(make([]byte, info.Size()), 0)
	}
	return errors.Join(err, old.Sync())
}

func writeNew(path string, text []byte) error {
	return write(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, text)
}

func write(path string, flags int, text []byte) error {
	file, err := os.OpenFile(path, flags, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(text)
	return errors.Join(err, file.Sync(), file.Close())
}

// syncFolder makes a rename or a link survive a loss of power.
func syncFolder(path string) error {
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
