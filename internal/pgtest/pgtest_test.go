package pgtest

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

func TestEachURLIsAnEmptyDatabaseOfItsOwn(t *testing.T) {
	first, second := connect(t, URL(t)), connect(t, URL(t))
	if _, err := first.Exec(t.Context(), "CREATE TABLE only_here (id BIGINT)"); err != nil {
		t.Fatal(err)
	}
	var tables int
	err := second.QueryRow(t.Context(), "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").Scan(&tables)
	if err != nil || tables != 0 {
		t.Fatalf("the second database has %d tables, %v", tables, err)
	}
}

func TestCopiesAreFilledOnceAndEachIsItsOwn(t *testing.T) {
	fills := 0
	fill := func(address string) error {
		fills++
		conn, err := pgx.Connect(t.Context(), address)
		if err != nil {
			return err
		}
		defer conn.Close(context.Background())
		_, err = conn.Exec(t.Context(), "CREATE TABLE filled (id BIGINT)")
		return err
	}
	first, second := connect(t, Copy(t, fill)), connect(t, Copy(t, fill))
	if _, err := first.Exec(t.Context(), "INSERT INTO filled VALUES (1)"); err != nil {
		t.Fatal(err)
	}
	var rows int
	if err := second.QueryRow(t.Context(), "SELECT count(*) FROM filled").Scan(&rows); err != nil || rows != 0 || fills != 1 {
		t.Fatalf("the second copy has %d rows, %v, after %d fills", rows, err, fills)
	}
}

func TestTextIsUTF8InByteOrder(t *testing.T) {
	var encoding, collation string
	err := connect(t, URL(t)).QueryRow(t.Context(),
		"SELECT pg_encoding_to_char(encoding), datcollate FROM pg_database WHERE datname = current_database()").Scan(&encoding, &collation)
	if err != nil || encoding != "UTF8" || collation != "C" {
		t.Fatalf("encoding %q, collation %q, %v", encoding, collation, err)
	}
}

func TestOnlyTheDurableServerWaitsForTheDisk(t *testing.T) {
	for want, url := range map[string]string{"off": URL(t), "on": DurableURL(t)} {
		var fsync string
		if err := connect(t, url).QueryRow(t.Context(), "SHOW fsync").Scan(&fsync); err != nil || fsync != want {
			t.Errorf("fsync is %q, want %q, %v", fsync, want, err)
		}
	}
}

func TestADatabaseIsDroppedWithItsTestThoughInUse(t *testing.T) {
	var url string
	t.Run("user", func(t *testing.T) {
		url = URL(t)
		conn, err := pgx.Connect(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		_ = conn // left open on purpose
	})
	if conn, err := pgx.Connect(t.Context(), url); err == nil {
		_ = conn.Close(t.Context())
		t.Fatal("the database is still there")
	}
}

// The helper is this test binary again, asked to start a server and die.
const helper = "GUILDHALL_PGTEST_HELPER"

func TestTheServerEndsWithAKilledProcess(t *testing.T) {
	if folder := os.Getenv(helper); folder != "" {
		url := URL(t)
		if err := os.WriteFile(filepath.Join(folder, "url"), []byte(url), 0o600); err != nil {
			t.Fatal(err)
		}
		self, err := os.FindProcess(os.Getpid())
		if err != nil {
			t.Fatal(err)
		}
		_ = self.Kill()
		select {}
	}
	folder := t.TempDir()
	if err := os.Chmod(filepath.Dir(folder), 0o755); err != nil { // the server's user has to pass through it
		t.Fatal(err)
	}
	if err := os.Chmod(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestTheServerEndsWithAKilledProcess$")
	cmd.Env = append(os.Environ(), helper+"="+folder, "TMPDIR="+folder)
	out, _ := cmd.CombinedOutput()
	url, err := os.ReadFile(filepath.Join(folder, "url"))
	if err != nil {
		t.Fatalf("the helper did not start a server: %v\n%s", err, out)
	}
	deadline := time.Now().Add(time.Minute)
	for {
		left, _ := filepath.Glob(filepath.Join(folder, folderPrefix+"*"))
		conn, err := pgx.Connect(t.Context(), string(url))
		if err == nil {
			_ = conn.Close(t.Context())
		}
		if err != nil && len(left) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("after the kill: folders %v, connection error %v", left, err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func TestMissingBinariesAreNamed(t *testing.T) {
	// A PATH without PostgreSQL hides what is not below /usr/lib/postgresql; the rest is hidden in the script's text.
	hidden := strings.ReplaceAll(script, "/usr/lib/postgresql", "/nonexistent")
	dir := filepath.Join(t.TempDir(), "server")
	cmd := exec.Command("/bin/sh", "-c", hidden, "postgres-temp.sh", "start", dir)
	cmd.Env = []string{"PATH=/bin:/usr/bin"}
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "apt-get install postgresql") {
		t.Fatalf("%v: %s", err, out)
	}
}

func TestAnAbandonedServerIsRemovedByTheNextOne(t *testing.T) {
	folder := t.TempDir()
	t.Setenv("TMPDIR", folder)
	if err := os.Chmod(filepath.Dir(folder), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	abandoned := filepath.Join(folder, folderPrefix+"abandoned")
	out, err := exec.Command("/bin/sh", "-c", script, "postgres-temp.sh", "start", abandoned).Output()
	if err != nil {
		t.Fatal(err)
	}
	long := time.Now().Add(-time.Hour)
	if err := os.Chtimes(abandoned, long, long); err != nil {
		t.Fatal(err)
	}
	removeAbandoned()
	if _, err := os.Stat(abandoned); !os.IsNotExist(err) {
		t.Errorf("the folder is still there: %v", err)
	}
	if conn, err := pgx.Connect(t.Context(), strings.TrimSpace(string(out))); err == nil {
		_ = conn.Close(t.Context())
		t.Error("the server still runs")
	}
}
