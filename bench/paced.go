package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/textproto"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A line is a connection on which one request is sent again and again, for next to
// nothing. Whoever sends shares the processors with the server, and the client of
// net/http takes more of them than a small request takes of the server: latencies
// would tell how busy the sender is.
type line struct {
	conn    net.Conn
	in      *bufio.Reader
	request []byte
}

// dial opens lines to a target.
func (t *target) dial(n int, r request) (lines chan *line, err error) {
	host := strings.TrimPrefix(t.origin, "http://")
	out, err := http.NewRequest(r.method, t.origin+r.path, bytes.NewReader(r.body))
	if err != nil {
		return nil, err
	}
	out.Header = r.header
	var written bytes.Buffer
	if err := out.Write(&written); err != nil {
		return nil, err
	}
	lines = make(chan *line, n)
	for range n {
		conn, err := net.Dial("tcp", host)
		if err != nil {
			return nil, errors.Join(err, hangUp(lines))
		}
		lines <- &line{conn, bufio.NewReader(conn), written.Bytes()}
	}
	return lines, nil
}

func hangUp(lines chan *line) (err error) {
	for range len(lines) {
		err = errors.Join(err, (<-lines).conn.Close())
	}
	return err
}

// once sends the request and reads the answer to its end.
func (l *line) once() error {
	if _, err := l.conn.Write(l.request); err != nil {
		return err
	}
	first, err := l.in.ReadSlice('\n')
	if err != nil {
		return err
	}
	if len(first) < 12 || first[9] != '2' {
		return fmt.Errorf("%.100s", first)
	}
	length := -1
	for {
		field, err := l.in.ReadSlice('\n')
		if err != nil {
			return err
		}
		name, value, ok := bytes.Cut(bytes.TrimRight(field, "\r\n"), []byte(":"))
		if !ok {
			break
		}
		if textproto.CanonicalMIMEHeaderKey(string(name)) == "Content-Length" {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
				return err
			}
		}
	}
	if length < 0 {
		return errors.New("an answer without a length")
	}
	_, err = io.CopyN(io.Discard, l.in, int64(length))
	return err
}

// parts is in how many parts an operation is looked at calmly. What a machine that is
// shared can do changes from second to second, so each part begins with finding out.
const parts = 8

// A calm is an operation at a share of what server and sender can do together.
type calm struct {
	latencies []time.Duration // from when a request was due
	sent      int
	length    time.Duration
}

// calmly sends requests at a steady rate: an answer that is late holds up what is due
// on its line next, and that is counted as well. The sender keeps to one processor.
// Wherever it has several, it keeps looking for work on those that the server needs,
// and what is late then tells of the two taking turns.
func (t *target) calmly(length time.Duration, r request) (c calm, err error) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	lines, err := t.dial(some, r)
	if err != nil {
		return c, err
	}
	defer func() { err = errors.Join(err, hangUp(lines)) }()
	for range parts {
		most, err := flatOut(lines, length/parts/2)
		if err != nil {
			return c, err
		}
		if err := c.paced(lines, calmShare*most, length/parts); err != nil {
			return c, err
		}
	}
	return c, nil
}

// flatOut gives how many requests a second are answered when every line has one in
// flight all the time.
func flatOut(lines chan *line, length time.Duration) (perSecond float64, err error) {
	start, done := time.Now(), 0
	err = together(lines, func(l *line, count func()) error {
		for time.Since(start) < length {
			if err := l.once(); err != nil {
				return err
			}
			count()
		}
		return nil
	}, &done)
	return float64(done) / time.Since(start).Seconds(), err
}

// together has something done on every line at once.
func together(lines chan *line, do func(l *line, count func()) error, done *int) (err error) {
	var mu sync.Mutex
	var wait sync.WaitGroup
	for range len(lines) {
		l := <-lines
		wait.Go(func() {
			n := 0
			failed := do(l, func() { n++ })
			mu.Lock()
			defer mu.Unlock()
			*done, err = *done+n, errors.Join(err, failed)
			lines <- l
		})
	}
	wait.Wait()
	return err
}

// paced sends at a steady rate, each line at its share of it and in its turn.
func (c *calm) paced(lines chan *line, rate float64, length time.Duration) (err error) {
	if rate <= 0 {
		return errors.New("nothing was answered, so there is no rate to send at")
	}
	var mu sync.Mutex
	start, apart := time.Now(), time.Duration(float64(len(lines))/rate*float64(time.Second))
	all, turn, sent := time.Duration(len(lines)), time.Duration(0), 0
	err = together(lines, func(l *line, count func()) error {
		mu.Lock()
		due := apart * turn / all
		turn++
		mu.Unlock()
		var own []time.Duration
		for ; due < length; due += apart {
			time.Sleep(time.Until(start.Add(due)))
			if err := l.once(); err != nil {
				return err
			}
			own = append(own, time.Since(start)-due)
			count()
		}
		mu.Lock()
		defer mu.Unlock()
		c.latencies = append(c.latencies, own...)
		return nil
	}, &sent)
	c.sent += sent
	c.length += time.Since(start)
	return err
}
