//go:build linux

package main

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"guildhall/internal/store"
)

// A narrow place is where a database has no more room than the test gives it.
type narrow struct {
	shrink func(l *life) // leaves room for little more than there is
	widen  func(l *life)
}

// slack is what is left to be written when a place is made narrow.
const slack = 1 << 20

// limited is a limit on the size of files, which everybody may set.
func limited(c *crash) narrow {
	c.address = c.t.TempDir()
	set := func(l *life, limit string) {
		out, err := exec.Command("prlimit", "--pid", strconv.Itoa(l.command.Process.Pid), "--fsize="+limit+":unlimited").CombinedOutput()
		if err != nil {
			c.t.Fatalf("prlimit: %v: %s", err, out)
		}
	}
	return narrow{
		shrink: func(l *life) {
			var largest int64 = 4096
			for _, name := range []string{store.FileName, store.FileName + "-wal"} {
				if info, err := os.Stat(filepath.Join(c.address, name)); err == nil {
					largest = max(largest, info.Size())
				}
			}
			set(l, strconv.FormatInt(largest+slack, 10))
		},
		widen: func(l *life) { set(l, "unlimited") },
	}
}

// mounted is a file system in memory, for whoever may mount one.
func mounted(c *crash) narrow {
	c.address = filepath.Join(c.t.TempDir(), "disk")
	c.must(os.Mkdir(c.address, 0o700))
	c.must(syscall.Mount("guildhall-test", c.address, "tmpfs", 0, "size=1g"))
	c.t.Cleanup(func() { _ = syscall.Unmount(c.address, syscall.MNT_DETACH) })
	size := func(bytes int64) {
		c.must(syscall.Mount("guildhall-test", c.address, "tmpfs", syscall.MS_REMOUNT, fmt.Sprintf("size=%d", bytes)))
	}
	return narrow{
		shrink: func(*life) {
			var at syscall.Statfs_t
			c.must(syscall.Statfs(c.address, &at))
			size(int64(at.Blocks-at.Bfree)*at.Bsize + slack)
		},
		widen: func(*life) { size(1 << 30) },
	}
}

// mayMount reports whether this process may mount a file system.
func mayMount(t *testing.T) bool {
	folder := t.TempDir()
	if err := syscall.Mount("guildhall-test", folder, "tmpfs", 0, "size=64k"); err != nil {
		t.Logf("only with a limit on files, since nothing can be mounted here: %v", err)
		return false
	}
	return syscall.Unmount(folder, 0) == nil
}

// TestT_P12_AFullDiskIsReadAndLosesNothing lets the disk run full in the middle of a
// purge and of others' writes, and makes room again.
func TestT_P12_AFullDiskIsReadAndLosesNothing(t *testing.T) {
	members, times := sized(t, "FAULT_MEMBERS", 4000), sized(t, "FAULT_TIMES", 3)
	binary := builtBinary(t)
	places := map[string]func(c *crash) narrow{"a limit on the size of files": limited}
	if mayMount(t) {
		places["a small file system"] = mounted
	}
	for name, on := range places {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := &crash{t: t, binary: binary, listen: freeAddress(t)}
			place := on(c)
			c.populate(members)
			c.inPeace()
			c.filled(times, place)
		})
	}
}

// filled deletes the other tenant on a disk that runs full again and again.
func (c *crash) filled(times int, place narrow) {
	l := c.start()
	w := c.join()
	rows := c.rows(c.calm)
	c.insist()
	watched := c.watch()
	for n := range times {
		place.shrink(l)
		c.stuck(w)
		time.Sleep(time.Duration(rand.IntN(1000)) * time.Millisecond) // some writes find room again, others do not
		place.widen(l)
		before := w.wrote.Load()
		for end := time.Now().Add(time.Minute); w.wrote.Load() < before+20; time.Sleep(10 * time.Millisecond) {
			if time.Now().After(end) {
				c.t.Fatal("there is room, and nothing is written")
			}
		}
		c.t.Logf("full %d times: %d of %d rows are purged", n+1, c.purgedRows(), rows)
	}
	c.finish(l, w, watched)
	raw := c.beside()
	defer raw.Close()
	var said string
	c.must(raw.QueryRow("PRAGMA integrity_check").Scan(&said))
	if said != "ok" {
		c.t.Errorf("the file is damaged: %s", said)
	}
	if told := strings.Count(l.output.String(), "the database cannot be written"); told < 1 || told > times {
		c.t.Errorf("the log tells %d times that the disk is full, which happened %d times", told, times)
	}
}

func (c *crash) purgedRows() int {
	beside := c.beside()
	defer beside.Close()
	done, _, _ := c.at(beside, c.hit)
	return sum(done)
}

// stuck keeps the write-ahead log from being begun anew, as a long backup does, so
// that there is no room at all, and looks how it goes on.
func (c *crash) stuck(w *crowd) {
	beside := c.beside()
	defer beside.Close()
	tx, err := beside.Begin()
	c.must(err)
	defer tx.Rollback()
	var n int
	c.must(tx.QueryRow("SELECT count(*) FROM realms").Scan(&n))
	for end := time.Now().Add(time.Minute); ; {
		wrote, read, refused := w.wrote.Load(), w.read.Load(), w.refused.Load()
		time.Sleep(300 * time.Millisecond)
		if w.wrote.Load() == wrote && w.refused.Load() > refused+5 && w.read.Load() > read+5 {
			break
		}
		if time.Now().After(end) {
			c.t.Fatal("the disk does not run full")
		}
	}
	purged := c.purgedRows()
	for path, want := range map[string]int{"/readyz": http.StatusOK, "/healthz": http.StatusOK} {
		reply, err := http.Get("http://" + c.listen + path)
		c.must(err)
		reply.Body.Close()
		if reply.StatusCode != want {
			c.t.Errorf("%s on a full disk: %d", path, reply.StatusCode)
		}
	}
	c.dead()
	if now := c.purgedRows(); now != purged {
		c.t.Errorf("%d rows were purged without room", now-purged)
	}
}
