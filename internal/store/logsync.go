package store

import (
	"os"
	"sync"
)

// A logSync makes commits durable: it has the system write what it holds of the
// write-ahead log to the disk. That is done outside the writing transaction, and
// once for all who wait, so that writers wait for the disk together and not one
// after the other. SQLite itself, told to wait at every commit, does neither.
//
// A system that failed to write something once may say the next time that all is
// well, and have forgotten what it did not write (PostgreSQL wiki, Fsync Errors). So
// after a failure nothing counts as durable until the database file itself holds
// everything; see embedded.checkpoint.
type logSync struct {
	path  string
	flush func(*os.File) error

	mu    sync.Mutex
	done  *sync.Cond
	file  *os.File // of the log, which lives as long as any connection
	asked uint64   // commits that were to be made durable
	kept  uint64   // how many of them are
	busy  bool
	lost  error // why what is in the log cannot be relied upon, or nil
}

// An unsynced error is a log that the system did not write to the disk.
type unsynced struct{ error }

func (u unsynced) Unwrap() error { return u.error }

// failed gives why nothing can be made durable at the moment, or nil.
func (s *logSync) failed() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lost
}

// mended forgets a failure: nothing of the log is needed any more.
func (s *logSync) mended() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lost = nil
}

func newLogSync(path string) *logSync {
	s := &logSync{path: path, flush: flush}
	s.done = sync.NewCond(&s.mu)
	return s
}

// wait returns when everything that was committed before the call is durable.
// Whoever comes while nobody else flushes does it, for all who came so far.
func (s *logSync) wait() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	for own := s.asked; s.kept < own; {
		if s.lost != nil {
			return s.lost
		}
		if s.busy {
			s.done.Wait()
			continue
		}
		if s.file == nil {
			file, err := os.Open(s.path)
			if err != nil {
				return unsynced{err}
			}
			s.file = file
		}
		upto := s.asked
		s.busy = true
		s.mu.Unlock()
		err := s.flush(s.file)
		s.mu.Lock()
		s.busy = false
		s.done.Broadcast()
		if err != nil {
			s.lost = unsynced{err}
			continue
		}
		s.kept = max(s.kept, upto)
	}
	return nil
}

func (s *logSync) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file != nil {
		_ = s.file.Close() // it was only read from
	}
}
