package store

import (
	"errors"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"
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
	if err := s.wait(); err != nil {
		t.Fatal(err)
	}
}

func TestFlushReachesTheRealDisk(t *testing.T) {
	if err := newTestLogSync(t, nil).wait(); err != nil {
		t.Fatal(err)
	}
}
