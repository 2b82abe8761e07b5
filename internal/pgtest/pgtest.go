// Package pgtest starts a throw-away PostgreSQL server for tests from the installed binaries.
//
// A test process has at most one server of each kind, started when the first test asks for it. Nothing has to stop it:
// the server is held by a process that ends with the test process, however that ends.
package pgtest

import (
	"bufio"
	"bytes"
	"context"
	_ "embed"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// script is the same that make and the end-to-end tests call as scripts/postgres-temp.sh.
//
//go:embed postgres-temp.sh
var script string

const folderPrefix = "guildhall-postgres-"

var (
	quick   = server{}
	durable = server{flags: []string{"--durable"}}
)

// URL returns the address of a new, empty database, which is dropped when t ends. The server behind it answers before
// its data has reached the disk; see DurableURL. When no PostgreSQL is installed the test fails and says what to install.
func URL(t testing.TB) string {
	t.Helper()
	return quick.database(t)
}

// DurableURL is URL on a server that waits for the disk at each commit, as one in production does. Benchmarks use it.
func DurableURL(t testing.TB) string {
	t.Helper()
	return durable.database(t)
}

// Copy is URL with a copy of a database that fill was given once in this process. All callers pass the same fill, which
// leaves nobody connected.
func Copy(t testing.TB, fill func(address string) error) string {
	t.Helper()
	return quick.copied(t, fill)
}

// A Server is a PostgreSQL server of one test, which can do to it what it likes.
type Server struct {
	URL string // of an empty database
	dir string
}

// Own starts a server for t alone, which waits for the disk at each commit.
func Own(t testing.TB) *Server {
	t.Helper()
	s := &server{flags: []string{"--durable"}} // what it acknowledges outlives a crash
	t.Cleanup(func() {                         // after the database was dropped
		if s.hold != nil {
			_ = s.hold.Close()
		}
	})
	return &Server{URL: s.database(t), dir: s.dir}
}

// Crash ends all processes of the server without giving them time for anything, and
// starts it again at the same address. It returns when connections are accepted.
func (s *Server) Crash(t testing.TB) {
	t.Helper()
	if out, err := exec.Command("/bin/sh", "-c", script, "postgres-temp.sh", "crash", s.dir).CombinedOutput(); err != nil {
		t.Fatalf("pgtest: %v: %s", err, out)
	}
}

// A server is one PostgreSQL server of this process.
type server struct {
	flags []string
	dir   string

	start sync.Once
	err   error
	url   *url.URL
	// hold keeps the server alive: when this process ends the pipe ends, and with it the server. It is never closed and
	// must stay reachable, or the garbage collector would close it.
	hold io.Closer

	mu    sync.Mutex // one CREATE DATABASE at a time: they share a template
	count int

	fill   sync.Once // of the database that is copied
	filled error
}

const filledName = "filled"

// database creates a database for t.
func (s *server) database(t testing.TB) string {
	t.Helper()
	s.started(t)
	return s.create(t, "template0")
}

// copied creates a database for t that is a copy of a filled one.
func (s *server) copied(t testing.TB, fill func(address string) error) string {
	t.Helper()
	s.started(t)
	s.fill.Do(func() {
		if s.filled = s.admin("CREATE DATABASE " + filledName + " TEMPLATE template0"); s.filled == nil {
			s.filled = fill(s.address(filledName))
		}
	})
	if s.filled != nil {
		t.Fatalf("pgtest: fill a database: %v", s.filled)
	}
	return s.create(t, filledName)
}

func (s *server) started(t testing.TB) {
	t.Helper()
	s.start.Do(func() {
		removeAbandoned()
		s.err = s.launch()
	})
	if s.err != nil {
		t.Fatalf("pgtest: %v", s.err)
	}
}

func (s *server) create(t testing.TB, template string) string {
	t.Helper()
	name := s.nextName()
	if err := s.admin(fmt.Sprintf("CREATE DATABASE %s TEMPLATE %s", name, template)); err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	t.Cleanup(func() {
		if err := s.admin(fmt.Sprintf("DROP DATABASE %s WITH (FORCE)", name)); err != nil {
			t.Errorf("pgtest: %v", err)
		}
	})
	return s.address(name)
}

func (s *server) address(database string) string {
	at := *s.url
	at.Path = "/" + database
	return at.String()
}

func (s *server) nextName() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.count++
	return fmt.Sprintf("test_%d", s.count)
}

// admin runs one statement in the server's own database.
func (s *server) admin(statement string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, s.url.String())
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	_, err = conn.Exec(ctx, statement)
	return err
}

// launch starts the holder and waits until the server behind it accepts connections.
func (s *server) launch() error {
	dir, err := os.MkdirTemp("", folderPrefix)
	if err != nil {
		return err
	}
	s.dir = dir
	lock, err := lockFolder(dir)
	if err != nil {
		return err
	}
	defer func() { _ = lock.Close() }() // the holder has it as well, and keeps it
	args := append([]string{"-c", script, "postgres-temp.sh", "hold", dir}, s.flags...)
	cmd := exec.Command("/bin/sh", args...)
	cmd.ExtraFiles = []*os.File{lock}
	// A session of its own: an interrupt from the keyboard must not reach the holder before it has cleaned up.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	var said bytes.Buffer
	cmd.Stderr = &said
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if s.hold, err = cmd.StdinPipe(); err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		_ = cmd.Wait()
		_ = os.Remove(dir)
		return fmt.Errorf("%s", strings.TrimSpace(said.String()))
	}
	s.url, err = url.Parse(strings.TrimSpace(line))
	return err
}

// lockFolder takes the lock that tells a server in use from one whose owner and holder were both killed.
func lockFolder(dir string) (*os.File, error) {
	folder, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(folder.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = folder.Close()
		return nil, err
	}
	return folder, nil
}

// removeAbandoned stops and removes servers that nobody holds any more. It leaves alone what it may not touch, and
// folders so young that their owner may be about to lock them.
func removeAbandoned() {
	folders, _ := filepath.Glob(filepath.Join(os.TempDir(), folderPrefix+"*"))
	for _, dir := range folders {
		info, err := os.Stat(dir)
		if err != nil || time.Since(info.ModTime()) < time.Minute {
			continue
		}
		lock, err := lockFolder(dir)
		if err != nil {
			continue
		}
		_ = exec.Command("/bin/sh", "-c", script, "postgres-temp.sh", "stop", dir).Run()
		_ = lock.Close()
	}
}
