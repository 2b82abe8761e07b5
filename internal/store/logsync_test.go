package store

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"guildhall/internal/fault"
	"guildhall/internal/realm"
)

func newTestLogSync(t *testing.T, flush func(*os.File) error) *logSync {
	t.Helper()
	path := filepath.Join(t.TempDir(), "log")
	if err := os.WriteFile(path, []byte("frames"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := newLogSync(path)
	t.Cleanup(s.close)
	if flush != nil {
		s.flush = flush
	}
	return s
}

func TestWaitersShareAFlushThatBeganAfterTheyCame(t *testing.T) {
	var clock, flushes atomic.Int64
	var begun atomic.Int64 // when the last flush that ended had begun
	s := newTestLogSync(t, func(*os.File) error {
		start := clock.Add(1)
		time.Sleep(2 * time.Millisecond)
		begun.Store(start)
		flushes.Add(1)
		return nil
	})
	const writers, commits = 8, 20
	var wait sync.WaitGroup
	for range writers {
		wait.Add(1)
		go func() {
			defer wait.Done()
			for range commits {
				came := clock.Add(1)
				if err := s.wait(); err != nil {
					t.Error(err)
				}
				if begun.Load() < came {
					t.Error("a commit counts as durable that no flush can have seen")
				}
			}
		}()
	}
	wait.Wait()
	if n := flushes.Load(); n > writers*commits/2 {
		t.Errorf("%d flushes for %d commits of %d writers", n, writers*commits, writers)
	}
}

func TestACommitThatIsNotFlushedIsNotAcknowledged(t *testing.T) {
	broken := errors.New("the disk is gone")
	failing := true
	s := newTestLogSync(t, func(f *os.File) error {
		if failing {
			return broken
		}
		return flush(f)
	})
	if err := s.wait(); !errors.Is(err, broken) {
		t.Fatalf("got %v", err)
	}
	failing = false
	if err := s.wait(); !errors.Is(err, broken) {
		t.Fatalf("the system says that all is well, which it may have forgotten to write: %v", err)
	}
	s.mended()
	if err := s.wait(); err != nil {
		t.Fatal(err)
	}
}

// TestT_P12_AfterAFailedFlushNothingIsAcknowledgedUntilTheFileHoldsAll fails one flush
// of a real database, which the system would not report twice.
func TestT_P12_AfterAFailedFlushNothingIsAcknowledgedUntilTheFileHoldsAll(t *testing.T) {
	db, err := Open(t.Context(), Options{Address: t.TempDir(), Migrate: true, Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	log := db.embedded.log
	var once sync.Once
	log.flush = func(f *os.File) (err error) {
		once.Do(func() { err = errors.New("input/output error") })
		if err == nil {
			err = flush(f)
		}
		return err
	}
	realms := Realms{DB: db}
	make := func(n int) error {
		_, err := (&realm.Service{Store: realms}).Create(t.Context(), realm.Realm{Name: fmt.Sprint("Realm ", n)})
		return err
	}
	if err := make(0); fault.KindOf(err) != fault.Unavailable || db.Writable() {
		t.Fatalf("a commit that was not flushed: %v, writable: %v", err, db.Writable())
	}
	for n, end := 1, time.Now().Add(20*time.Second); ; n++ {
		err := make(n)
		if err == nil {
			break
		}
		if fault.KindOf(err) != fault.Unavailable {
			t.Fatal(err)
		}
		if time.Now().After(end) {
			t.Fatal("the log is never begun anew")
		}
		time.Sleep(20 * time.Millisecond)
	}
	if log.failed() != nil {
		t.Error("the failure is remembered for ever")
	}
}

func TestFlushReachesTheRealDisk(t *testing.T) {
	if err := newTestLogSync(t, nil).wait(); err != nil {
		t.Fatal(err)
	}
}
