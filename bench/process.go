package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
	"unsafe"
)

// A process is a child whose CPU time and memory are looked at.
type process struct {
	command *exec.Cmd
	input   io.WriteCloser
	output  *lines
	done    chan struct{}
	err     error
}

// launch starts a child whose output is kept.
func launch(path string, args ...string) (*process, error) {
	p := &process{command: exec.Command(path, args...), output: newLines(), done: make(chan struct{})}
	p.command.Stdout, p.command.Stderr = p.output, p.output
	var err error
	if p.input, err = p.command.StdinPipe(); err != nil {
		return nil, err
	}
	if err := p.command.Start(); err != nil {
		return nil, err
	}
	go func() {
		p.err = p.command.Wait()
		close(p.done)
	}()
	return p, nil
}

// self starts this program again in another role.
func self(role string, args ...string) (*process, error) {
	path, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return launch(path, append([]string{role}, args...)...)
}

func (p *process) pid() int { return p.command.Process.Pid }

// stop asks the process to end, as an operator would.
func (p *process) stop() error {
	_ = p.input.Close()
	if err := p.command.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-p.done:
	case <-time.After(20 * time.Second):
		_ = p.command.Process.Kill()
		<-p.done
		return errors.New("did not stop within 20 seconds of SIGTERM")
	}
	var exit *exec.ExitError
	if errors.As(p.err, &exit) && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGTERM {
		return nil
	}
	return p.err
}

// clockOf reads the clock of CPU time that a process has, to the nanosecond:
// clock_getcpuclockid(3), as Linux lays such ids out.
func clockOf(pid int) (time.Duration, bool) {
	var t syscall.Timespec
	id := int32(^pid<<3 | 2)
	_, _, failed := syscall.Syscall(syscall.SYS_CLOCK_GETTIME, uintptr(id), uintptr(unsafe.Pointer(&t)), 0)
	return time.Duration(t.Nano()), failed == 0
}

// tick is the unit of CPU time in /proc. Linux shows it as 100 a second on every
// machine this runs on (proc_pid_stat(5), USER_HZ).
const tick = 10 * time.Millisecond

// usage is what /proc tells of one process.
type usage struct {
	parent   int
	own      time.Duration // utime + stime
	children time.Duration // of those that ended and were waited for
}

func usageOf(pid int) (u usage, err error) {
	raw, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return u, err
	}
	_, rest, _ := strings.Cut(string(raw), ") ") // the name before it may hold spaces, but no child of ours has a ")"
	field := strings.Fields(rest)
	if len(field) < 15 {
		return u, fmt.Errorf("/proc/%d/stat has %d fields", pid, len(field))
	}
	var n [5]int64
	for i, at := range []int{1, 11, 12, 13, 14} {
		if n[i], err = strconv.ParseInt(field[at], 10, 64); err != nil {
			return u, err
		}
	}
	u = usage{int(n[0]), time.Duration(n[1]+n[2]) * tick, time.Duration(n[3]+n[4]) * tick}
	if exact, ok := clockOf(pid); ok {
		u.own = exact
	}
	return u, nil
}

// cpu is the CPU time the process has used.
func (p *process) cpu() time.Duration {
	u, err := usageOf(p.pid())
	if err != nil {
		return 0 // it ended; whatever is measured next fails and says so
	}
	return u.own
}

// treeCPU is the CPU time of a process and everything it has started, as far as
// those run or were waited for.
func treeCPU(pid int) time.Duration {
	root, err := usageOf(pid)
	if err != nil {
		return 0
	}
	total := root.own + root.children
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return total
	}
	for _, e := range entries {
		child, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if u, err := usageOf(child); err == nil && u.parent == pid {
			total += u.own + u.children
		}
	}
	return total
}

// A footprint is resident memory in bytes. Pages of the program file are apart:
// they are shared with other processes and given back under pressure.
type footprint struct{ Anonymous, File int64 }

func (p *process) memory() (f footprint, err error) {
	raw, err := os.ReadFile("/proc/" + strconv.Itoa(p.pid()) + "/status")
	if err != nil {
		return f, err
	}
	for line := range strings.Lines(string(raw)) {
		field := strings.Fields(line)
		if len(field) < 2 {
			continue
		}
		kilobytes, _ := strconv.ParseInt(field[1], 10, 64)
		switch field[0] {
		case "RssAnon:":
			f.Anonymous = kilobytes << 10
		case "RssFile:":
			f.File = kilobytes << 10
		}
	}
	return f, nil
}

// lines keeps what a child prints and delivers it line by line to one reader.
type lines struct {
	mu   sync.Mutex
	all  bytes.Buffer
	rest []byte
	next chan string
}

func newLines() *lines { return &lines{next: make(chan string, 1024)} }

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all.Write(b)
	l.rest = append(l.rest, b...)
	for {
		line, rest, found := bytes.Cut(l.rest, []byte("\n"))
		if !found {
			return len(b), nil
		}
		select {
		case l.next <- string(line):
		default: // nobody reads; all keeps it
		}
		l.rest = rest
	}
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.String()
}

// line waits for the next line of a child.
func (p *process) line(within time.Duration) (string, error) {
	select {
	case s := <-p.output.next:
		return s, nil
	case <-p.done:
		return "", fmt.Errorf("the process ended: %v\n%s", p.err, p.output)
	case <-time.After(within):
		return "", fmt.Errorf("no answer within %s\n%s", within, p.output)
	}
}
