package main

import (
	"errors"
	"fmt"
	"time"
)

// A comparison is an operation with both of its sides.
type comparison struct {
	operation
	served   sample
	bare     sample
	raw      sample
	ratios   []float64 // CPU of the server to CPU of the bare handler, by repetition
	rawRatio []float64 // CPU of server and database to CPU of the raw statements and database
	each     []float64 // seconds of CPU of server and database for one request
}

// ratio is the median over the repetitions.
func (c comparison) ratio() float64 { return median(c.ratios) }

// turns say how long and how often each side has its turn.
type turns struct {
	repetitions int
	length      time.Duration // of one turn: short, since whatever else runs on the machine comes and goes
}

// compare lets server, bare handler and raw statements take turns.
func (b *bench) compare(s *server, w *worker, o operation) (c comparison, err error) {
	c.operation = o
	b.say("%s: %s, %s", s.engine.name, o.group, o.name)
	one := o.next(number.Add(1))
	last, err := s.perform(one)
	if err != nil {
		return c, fmt.Errorf("%s, %s: %w", o.group, o.name, err)
	}
	if err := errors.Join(b.bare.repeat(last), s.analyze()); err != nil {
		return c, err
	}
	for range b.turns.repetitions {
		var bare sample
		if !o.unbared {
			if bare, err = b.bare.load(b.turns.length, always(one.alone())); err != nil {
				return c, err
			}
		}
		database := s.databaseCPU()
		served, err := s.load(b.turns.length, o.next)
		if err != nil {
			return c, fmt.Errorf("%s, %s: %w", o.group, o.name, err)
		}
		if served.requests == 0 || served.cpu <= 0 {
			return c, fmt.Errorf("%s, %s: %d requests for %s of CPU in %s: the machine is too busy, or does not tell", o.group, o.name, served.requests, served.cpu, served.wall)
		}
		served.database = s.databaseCPU() - database
		c.each = append(c.each, (served.cpu+served.database).Seconds()/float64(served.requests))
		c.bare.add(bare)
		c.served.add(served)
		if !o.unbared {
			c.ratios = append(c.ratios, share(served.perRequest(), bare.perRequest()))
		}
		if o.raw == "" {
			continue
		}
		raw, err := b.rawTurn(s, w, o)
		if err != nil {
			return c, err
		}
		c.raw.add(raw)
		c.rawRatio = append(c.rawRatio, share(
			(served.cpu+served.database)/time.Duration(served.requests), (raw.cpu+raw.database)/time.Duration(raw.requests)))
	}
	return c, nil
}

// rawTurn does the same without a server. Members need users who are none yet.
func (b *bench) rawTurn(s *server, w *worker, o operation) (sample, error) {
	t := task{Do: o.raw, Least: b.turns.length / 2, Count: 1}
	if o.raw == "add member" {
		const enough = 1500
		if _, err := w.do(s.engine, task{Do: "create user", Count: enough}); err != nil {
			return sample{}, err
		}
		t = task{Do: o.raw, Count: enough}
	}
	return w.do(s.engine, t)
}

func share(a, b time.Duration) float64 {
	if b <= 0 {
		return 0
	}
	return float64(a) / float64(b)
}
