package master_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"guildhall/internal/vault"
	"guildhall/internal/vault/master"
)

var ctx = context.Background()

const (
	one = "rMqR4GL7kXyfpZNSwWvp0Z0m5dVwkkXnA0cTJ0zU0yQ="
	two = "QmFzZSA2NCBvZiBhbm90aGVyIGtleSwgMzIgYnl0ZXM="
)

func open(t *testing.T, from master.Sources) vault.Master {
	t.Helper()
	m, err := master.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// wraps wraps with one master key and unwraps with another that is to know it.
func wraps(t *testing.T, by, with vault.Master) {
	t.Helper()
	wrapped, name, err := by.Wrap(ctx, []byte("a keyset"), []byte("bound"))
	if err != nil {
		t.Fatal(err)
	}
	if current, err := by.Current(ctx); err != nil || current != name {
		t.Errorf("it wraps with %q and says that %q is current, %v", name, current, err)
	}
	if bytes.Contains(wrapped, []byte("keyset")) {
		t.Error("it is wrapped as it is")
	}
	if plain, err := with.Unwrap(ctx, name, wrapped, []byte("bound")); err != nil || string(plain) != "a keyset" {
		t.Errorf("it unwraps as %q, %v", plain, err)
	}
	if _, err := with.Unwrap(ctx, name, wrapped, []byte("elsewhere")); err == nil {
		t.Error("it unwraps where it does not belong")
	}
	if _, err := with.Unwrap(ctx, "0123456789abcdef", wrapped, []byte("bound")); err == nil {
		t.Error("it unwraps by another name")
	}
}

func TestKeysOfTheEnvironment(t *testing.T) {
	wraps(t, open(t, master.Sources{Keys: one}), open(t, master.Sources{Keys: two + ", " + one}))
	for what, from := range map[string]master.Sources{
		"short": {Keys: "c2hvcnQ="}, "no base64": {Keys: strings.Repeat("*", 44)}, "typed": {Keys: "YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWE="},
		"empty between": {Keys: one + ",," + two}, "two sources": {Keys: one, File: "x"}, "two others": {Command: "x", File: "x"},
	} {
		if _, err := master.Open(from); err == nil {
			t.Errorf("%s: accepted", what)
		} else if strings.Contains(err.Error(), one) {
			t.Errorf("%s: the error tells the key", what)
		}
	}
	if _, _, err := open(t, master.Sources{}).Wrap(ctx, nil, nil); err == nil || !strings.Contains(err.Error(), "--master-key-file") {
		t.Errorf("without a key: %v", err)
	}
}

func TestAFileIsMadeOnceAndShared(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sub", "master.key")
	if _, err := open(t, master.Sources{File: path}).Current(ctx); err == nil {
		t.Fatal("a file is made although nobody said so")
	}
	var wait sync.WaitGroup
	names := make([]string, 8)
	for n := range names {
		wait.Go(func() {
			var err error
			if names[n], err = (&master.File{Path: path, Create: true}).Current(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	for _, n := range names {
		if n != names[0] || n == "" {
			t.Fatalf("processes disagree: %q", names)
		}
	}
	if left, _ := filepath.Glob(path + ".*"); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
	a, b := &master.File{Path: path}, &master.File{Path: path}
	wraps(t, a, b)
	old, name, err := a.Wrap(ctx, []byte("x"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Add(time.Now()); err != nil {
		t.Fatal(err)
	}
	wraps(t, b, a)
	if _, err := a.Unwrap(ctx, name, old, nil); err != nil {
		t.Errorf("the key before the current one: %v", err)
	}
	if err := b.Destroy(name, names[0], "unknown"); err != nil {
		t.Fatal(err)
	}
	var unknown *master.UnknownError
	if _, err := a.Unwrap(ctx, name, old, nil); !errors.As(err, &unknown) {
		t.Errorf("a key that was destroyed: %v", err)
	}
	current, _ := a.Current(ctx)
	if err := b.Destroy(current); err != nil {
		t.Fatal(err)
	}
	wraps(t, a, b) // the current one stays
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

func TestAHalfChangedFileIsNotChangedByOthers(t *testing.T) {
	f := &master.File{Path: filepath.Join(t.TempDir(), "master.key"), Create: true}
	if _, err := f.Current(ctx); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(f.Path+".new", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Add(time.Now()); err == nil {
		t.Error("two change it at once")
	}
	wraps(t, f, f)
}

// program is what an operator would write, with xor for a key management service.
const program = `#!/bin/sh
read -r a; read -r b
case "$1" in
current) echo service/key-1 ;;
wrap) echo "service/key-1 $(printf '%s %s' "$a" "$b" | base64 -w0)" ;;
unwrap) [ "$2" = service/key-1 ] || { echo "no such key" >&2; exit 3; }
  set -- $(printf '%s' "$a" | base64 -d); [ "$2" = "$b" ] || { echo "wrong context" >&2; exit 4; }; echo "$1" ;;
esac
`

func TestAProgramWraps(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kms")
	if err := os.WriteFile(path, []byte(program), 0o700); err != nil {
		t.Fatal(err)
	}
	m := open(t, master.Sources{Command: path})
	wraps(t, m, m)
	wrapped, name, _ := m.Wrap(ctx, []byte("x"), []byte("y"))
	if _, err := m.Unwrap(ctx, name, wrapped, []byte("z")); err == nil || !strings.Contains(err.Error(), "wrong context") {
		t.Errorf("what the program says is lost: %v", err)
	}
	for n, text := range []string{"echo", "echo two words here", "exit 1", "head -c 100000 /dev/zero | base64 -w0", "echo name ???"} {
		odd := filepath.Join(t.TempDir(), fmt.Sprint(n))
		if err := os.WriteFile(odd, []byte("#!/bin/sh\n"+text+"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
		m := open(t, master.Sources{Command: odd})
		if _, _, err := m.Wrap(ctx, []byte("x"), nil); err == nil {
			t.Errorf("%q: it wraps", text)
		}
		if plain, err := m.Unwrap(ctx, "k", []byte("x"), nil); err == nil && len(plain) > 0 {
			t.Errorf("%q: it unwraps as %q", text, plain)
		}
	}
	if _, err := open(t, master.Sources{Command: "/nonexistent/kms"}).Current(ctx); err == nil {
		t.Error("a program that is not there")
	}
}

// FuzzFile: whatever a file holds, it is a ring of keys or an error.
func FuzzFile(f *testing.F) {
	for _, s := range []string{"", "# nothing", "2026-01-02T03:04:05Z " + one, "2026-01-02T03:04:05Z  " + one + "\r\n", "yesterday " + one, "2026-01-02T03:04:05Z", one, "\x00"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		path := filepath.Join(t.TempDir(), "master.key")
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		keys, err := (&master.File{Path: path}).Keys()
		if (err == nil) != (len(keys) > 0) {
			t.Fatalf("%d keys, %v", len(keys), err)
		}
	})
}
