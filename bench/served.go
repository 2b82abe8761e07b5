package main

import (
	"errors"
	"fmt"
	"net/http"
)

// An engineReport is everything measured on one engine. What was not asked for
// is empty.
type engineReport struct {
	engine
	comparisons []comparison
	core        []coreReport
	deletion    []sizeReport
	end         footprint
	start       startReport
	size        int64 // of the program
}

// served measures a server on an engine; raw is the same kind of database without
// a server.
func (b *bench) served(e, raw engine) (r engineReport, err error) {
	r.engine = e
	s, err := startDev(b.binary, e, b.profiles != "")
	if err != nil {
		return r, err
	}
	stopped := false
	defer func() {
		if !stopped {
			err = errors.Join(err, s.stop())
		}
	}()
	if err := b.requests(s, raw, &r); err != nil {
		return r, err
	}
	if b.profiles != "" {
		if b.only.MatchString("purge") {
			err = b.profilePurge(s)
		}
		return r, err
	}
	if b.only.MatchString("deletion") {
		if err := b.part(e.name+": deletions", func() (err error) { r.deletion, err = b.deletions(s, raw); return err }); err != nil {
			return r, err
		}
	}
	if r.end, err = s.memory(); err != nil {
		return r, err
	}
	if !b.only.MatchString("start") {
		return r, nil
	}
	return r, b.part(e.name+": starts", func() (err error) {
		if _, err := s.seed(b.binary, 1, 100_000); err != nil { // so that there is something to start on
			return err
		}
		if stopped, err = true, s.stop(); err != nil {
			return err
		}
		if r.size, err = binarySize(b.binary); err != nil {
			return err
		}
		r.start, err = b.starts(e, s.Native.Token)
		return err
	})
}

// homes is how many organizations there are to list and to join, and how many
// users there are to join them.
const homes = 200

// requests compares the operations that were asked for, or profiles them.
func (b *bench) requests(s *server, raw engine, r *engineReport) (err error) {
	if _, err := s.seed(b.binary, 1, homes); err != nil {
		return err
	}
	people, err := s.people()
	if err != nil {
		return err
	}
	organizations, err := s.seed(b.binary, homes, 5)
	if err != nil {
		return err
	}
	all, err := s.reads()
	if err != nil {
		return err
	}
	all = append(append(all, s.writes(people, organizations)...), s.tokens())
	w, err := raw.startWorker()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.stop()) }()
	for _, do := range []string{"create realm", "create organization"} {
		if _, err := w.do(raw, task{Do: do, Count: 1}); err != nil {
			return err
		}
	}
	if err := b.part(s.engine.name+": requests", func() error { return b.operations(s, w, r, all) }); err != nil {
		return err
	}
	return b.part(s.engine.name+": signing in, tokens and checks", func() error { return b.core(s, w, r) })
}

func (b *bench) operations(s *server, w *worker, r *engineReport, all []operation) (err error) {
	for _, o := range all {
		switch {
		case !b.only.MatchString(o.group + " " + o.name):
		case b.profiles != "":
			err = b.profileOperation(s, o)
		default:
			var c comparison
			c, err = b.compare(s, w, o)
			r.comparisons = append(r.comparisons, c)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// people gives the native ids of the users there are.
func (s *server) people() (ids []string, err error) {
	var page struct {
		Items []struct{ ID string }
	}
	if err := s.ask(s.native(http.MethodGet, "/users?limit=200", nil), &page); err != nil {
		return nil, err
	}
	for _, u := range page.Items {
		ids = append(ids, u.ID)
	}
	if len(ids) == 0 {
		err = errors.New("no users")
	}
	return ids, err
}

func (e engine) String() string {
	if e.cluster != nil {
		return fmt.Sprintf("%s %s", e.name, e.cluster.version)
	}
	return e.name
}
