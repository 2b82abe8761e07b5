package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// A bar shows how far long work has come: as a line that moves on a terminal, as
// a line every few seconds elsewhere.
type bar struct {
	out      io.Writer
	total    int
	start    time.Time
	last     time.Time
	terminal bool
}

func newBar(out io.Writer, total int) *bar {
	b := &bar{out: out, total: total, start: time.Now()}
	if f, ok := out.(*os.File); ok {
		b.terminal = isTerminal(f)
	}
	return b
}

func (b *bar) set(n int) {
	every := 5 * time.Second
	if b.terminal {
		every = 100 * time.Millisecond
	}
	if time.Since(b.last) < every || b.total == 0 {
		return
	}
	b.last = time.Now()
	b.print(n)
}

func (b *bar) print(n int) {
	const width = 30
	share := min(float64(n)/float64(b.total), 1)
	took := time.Since(b.start)
	rest := "?"
	if n > 0 && took > time.Second {
		rest = (time.Duration(float64(took)*(1/share-1)) + time.Second/2).Round(time.Second).String()
	}
	full := int(share * width)
	line := fmt.Sprintf("[%s%s] %3.0f%%  %d of %d, %.0f/s, %s left", strings.Repeat("#", full), strings.Repeat(".", width-full),
		share*100, n, b.total, float64(n)/took.Seconds(), rest)
	if b.terminal {
		fmt.Fprintf(b.out, "\r\x1b[K%s", line)
	} else {
		fmt.Fprintln(b.out, line)
	}
}

func (b *bar) done() {
	if b.terminal && !b.last.IsZero() {
		fmt.Fprint(b.out, "\r\x1b[K")
	}
}

// A counter shows on a terminal how many bytes were written whose number nobody knows
// beforehand.
type counter struct {
	io.Writer
	bar *bar
	n   int64
}

func newCounter(out, into io.Writer) *counter { return &counter{Writer: into, bar: newBar(out, 0)} }

func (c *counter) Write(b []byte) (int, error) {
	n, err := c.Writer.Write(b)
	c.n += int64(n)
	if c.bar.terminal && time.Since(c.bar.last) >= 100*time.Millisecond {
		c.bar.last = time.Now()
		fmt.Fprintf(c.bar.out, "\r\x1b[K%.1f MB exported, %s", float64(c.n)/1e6, time.Since(c.bar.start).Round(time.Second))
	}
	return n, err
}

func (c *counter) done() { c.bar.done() }
