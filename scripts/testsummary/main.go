// Command testsummary runs the steps of a test run one after the other, shows what fails, and closes with one summary
// over all of them. It ends with status 1 when anything failed, and runs every step nevertheless.
//
//	testsummary -check 'format: scripts/check-format.sh' -go 'unit: go test -json ./...' -node 'browser: npm test'
//
// A step is a name and a command for the shell. Commands of -go steps print what go test -json prints, those of -node
// steps what Node's test runner prints. A step of either kind that runs no test has failed.
package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"
)

// A result is what a step, or all of them, came to.
type result struct {
	passed, failed, skipped int
	broken                  []string // what failed without being a test
}

func (r *result) add(o result) {
	r.passed += o.passed
	r.failed += o.failed
	r.skipped += o.skipped
	r.broken = append(r.broken, o.broken...)
}

func (r result) bad() bool { return r.failed > 0 || len(r.broken) > 0 }

// A reader consumes the output of a step, writes what people should see of it, and counts.
type reader func(from io.Reader, to io.Writer) result

var readers = map[string]reader{"-check": readCheck, "-go": readGo, "-node": readNode}

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "testsummary:", err)
		os.Exit(1)
	}
}

func run(args []string, out io.Writer) error {
	if len(args) == 0 || len(args)%2 != 0 {
		return fmt.Errorf("want pairs of -check, -go or -node and 'name: command'")
	}
	var total result
	var lines []string
	began := time.Now()
	for i := 0; i < len(args); i += 2 {
		read := readers[args[i]]
		name, command, ok := strings.Cut(args[i+1], ": ")
		if read == nil || !ok {
			return fmt.Errorf("%s %q is not a step", args[i], args[i+1])
		}
		_, _ = fmt.Fprintf(out, "\n== %s: %s\n", name, command)
		start := time.Now()
		r := step(name, command, read, out)
		if args[i] != "-check" && r.passed+r.failed+r.skipped == 0 && !r.bad() {
			r.broken = append(r.broken, name+" ran no tests")
		}
		lines = append(lines, line(name, args[i] == "-check", r, time.Since(start)))
		total.add(r)
	}
	_, _ = fmt.Fprintf(out, "\n%s\n", strings.Join(lines, "\n"))
	for _, b := range total.broken {
		_, _ = fmt.Fprintf(out, "FAILED: %s\n", b)
	}
	_, _ = fmt.Fprintf(out, "%d tests passed, %d failed, %d skipped in %.1f seconds\n",
		total.passed, total.failed, total.skipped, time.Since(began).Seconds())
	if total.bad() {
		return fmt.Errorf("the run failed")
	}
	return nil
}

func line(name string, check bool, r result, took time.Duration) string {
	verdict := "ok    "
	if r.bad() {
		verdict = "FAILED"
	}
	counts := ""
	if !check {
		counts = fmt.Sprintf("%d passed, %d failed, %d skipped, ", r.passed, r.failed, r.skipped)
	}
	return fmt.Sprintf("%s %-14s %s%.1f s", verdict, name, counts, took.Seconds())
}

// step runs a command and reads what it prints.
func step(name, command string, read reader, out io.Writer) result {
	cmd := exec.Command("/bin/sh", "-c", command)
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		return result{broken: []string{name + ": " + err.Error()}}
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		return result{broken: []string{name + ": " + err.Error()}}
	}
	r := read(pipe, out)
	if err := cmd.Wait(); err != nil && !r.bad() {
		r.broken = append(r.broken, name+": "+err.Error())
	}
	return r
}

// readCheck shows everything: a check that passes says nothing.
func readCheck(from io.Reader, to io.Writer) result {
	_, _ = io.Copy(to, from)
	return result{}
}

// eachLine calls fn with every line, however long.
func eachLine(from io.Reader, fn func(string)) {
	lines := bufio.NewReader(from)
	for {
		text, err := lines.ReadString('\n')
		if text != "" {
			fn(strings.TrimSuffix(text, "\n"))
		}
		if err != nil {
			return
		}
	}
}
