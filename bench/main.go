package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"strconv"
	"strings"
	"time"
)

// A bench is one run.
type bench struct {
	binary   string
	folder   string
	engines  []string
	only     *regexp.Regexp
	profiles string // where to write profiles instead of measuring, or ""
	bare     *target
	turns    turns

	sizes  []int         // members of the organizations that are deleted
	purges int           // how often a large one is deleted
	calm   time.Duration // of traffic before a purge
	crowd  time.Duration // of looking at latencies

	starting int // how often the server is started

	took []string // by each part, told at the end
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// run plays one of the roles that this program starts itself in, or measures.
func run(args []string) error {
	if len(args) > 0 {
		switch args[0] {
		case "bare":
			return runBare()
		case "worker":
			return runWorker(args[1], args[2])
		case "profiled":
			return runProfiled(args[1], args[2])
		}
	}
	return measure(args)
}

func measure(args []string) error {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	engines := flags.String("engines", "sqlite,postgres", "`databases` to measure")
	quick := flags.Bool("quick", false, "fewer and shorter turns: a look, not a result")
	only := flags.String("only", "", "measure only what matches this `expression`: an operation such as \"list of 50\", identity, deletion, start (several as a|b)")
	sizes := flags.String("members", "1000,100000,1000000", "delete organizations of these `sizes`")
	binary := flags.String("binary", filepath.Join("bin", "guildhall"), "the stripped `program` to measure")
	markdown := flags.String("markdown", "", "write the tables into this `document`, between its two marks")
	profiles := flags.String("profile", "", "measure nothing; write profiles of the operations to this `folder`")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil
		}
		return err
	}
	debug.SetGCPercent(1000) // what collects garbage here takes processors from the server
	b := &bench{binary: *binary, profiles: *profiles, turns: turns{9, 400 * time.Millisecond}, purges: 5, calm: 5 * time.Second, crowd: 4 * time.Second, starting: 9}
	if *quick {
		b.turns, b.purges, b.calm, b.crowd, b.starting = turns{5, 150 * time.Millisecond}, 1, 3*time.Second, 400*time.Millisecond, 3
	}
	for size := range strings.SplitSeq(*sizes, ",") {
		n, err := strconv.Atoi(size)
		if err != nil || n < 1 {
			return fmt.Errorf("-members %q: give numbers such as 1000,100000", *sizes)
		}
		b.sizes = append(b.sizes, n)
	}
	b.engines = strings.Split(*engines, ",")
	var err error
	if b.only, err = regexp.Compile("(?i)" + *only); err != nil {
		return err
	}
	var out report
	if err := b.everything(&out); err != nil {
		return err
	}
	if *markdown == "" {
		return nil
	}
	return out.write(*markdown)
}

// say tells on standard error what is going on.
func (b *bench) say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, time.Now().Format("15:04:05 ")+format+"\n", args...)
}

// part measures something and tells how long that took.
func (b *bench) part(what string, do func() error) error {
	b.say("%s", what)
	start := time.Now()
	err := do()
	told := fmt.Sprintf("%s: %s", what, time.Since(start).Round(time.Second))
	b.say("%s", told)
	b.took = append(b.took, told)
	return err
}

// everything measures engine by engine and prints tables as they are ready.
func (b *bench) everything(out *report) (err error) {
	if b.folder, err = os.MkdirTemp("", "guildhall-bench-"); err != nil {
		return err
	}
	defer os.RemoveAll(b.folder)
	if err := os.Chmod(b.folder, 0o755); err != nil { // PostgreSQL may run as another user
		return err
	}
	if out.machine, err = b.machine(); err != nil {
		return err
	}
	if b.bare, err = startBare(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.bare.stop()) }()
	fmt.Println(out.machine)
	var missed []string
	for _, name := range b.engines {
		r, err := b.engine(name)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		out.engines = append(out.engines, r)
		fmt.Print(r.text())
		missed = append(missed, r.misses()...)
	}
	fmt.Fprintf(os.Stderr, "\nhow long each part took\n  %s\n", strings.Join(b.took, "\n  "))
	if len(missed) > 0 {
		fmt.Printf("\n%d aims missed:\n  %s\n", len(missed), strings.Join(missed, "\n  "))
	}
	return nil
}

// engine measures everything on one engine.
func (b *bench) engine(name string) (r engineReport, err error) {
	e := engine{name: "SQLite", folder: filepath.Join(b.folder, name)}
	if err := os.MkdirAll(e.folder, 0o755); err != nil {
		return r, err
	}
	raw := engine{name: "SQLite", folder: filepath.Join(e.folder, "raw")}
	switch name {
	case "sqlite":
	case "postgres":
		e.name, raw.name = "PostgreSQL", "PostgreSQL"
		if e.cluster, err = startPostgres(e.folder); err != nil {
			return r, err
		}
		defer e.cluster.stop()
		if e.database, err = e.cluster.create("served"); err != nil {
			return r, err
		}
		if raw.database, err = e.cluster.create("raw"); err != nil {
			return r, err
		}
	default:
		return r, errors.New("no such database: give sqlite or postgres")
	}
	if err := raw.run(b.binary, "migrate"); err != nil {
		return r, err
	}
	return b.served(e, raw)
}
