package store

import (
	"os"
	"sync"
)

// A logSync makes commits durable: it has the system write what it holds of the
// write-ahead log to the disk. That is done outside the writing transaction, and
// once for all who wait, so that writers wait for the disk together and not one
// after the other. SQLite itself, told to wait at every commit, does neither.
type logSync struct {
	path  string
	flush func(*os.File) error

	mu    sync.Mutex
	done  *sync.Cond
	file  *os.File // of the log, which lives as long as any connection
	asked uint64   // commits that were to be made durable
	kept  uint64   // how many of them are
	busy  bool
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
		if s.busy {
			s.done.Wait()
			continue
		}
		if s.file == nil {
			file, err := os.Open(s.path)
			if err != nil {
				return err
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
			return err // whoever waits tries for himself
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
