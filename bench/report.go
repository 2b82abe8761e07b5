package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"
)

// A report is everything that was measured.
type report struct {
	machine string
	engines []engineReport
}

// A table is printed aligned or as Markdown.
type table struct {
	title string
	head  []string
	rows  [][]string
}

func (t table) text() string {
	width := make([]int, len(t.head))
	all := append([][]string{t.head}, t.rows...)
	for _, row := range all {
		for i, cell := range row {
			width[i] = max(width[i], len([]rune(cell)))
		}
	}
	var b strings.Builder
	b.WriteString("\n" + t.title + "\n")
	for _, row := range all {
		for i, cell := range row {
			pad := strings.Repeat(" ", width[i]-len([]rune(cell)))
			if i == 0 {
				b.WriteString("  " + cell + pad)
			} else {
				b.WriteString("  " + pad + cell)
			}
		}
		b.WriteString("\n")
	}
	return b.String()
}

// markdown also says what was measured on what.
func (t table) markdown(on string) string {
	var b strings.Builder
	b.WriteString("\n### " + t.title + "\n\n" + on + "\n\n| " + strings.Join(t.head, " | ") + " |\n|---|" + strings.Repeat("---:|", len(t.head)-1) + "\n")
	for _, row := range t.rows {
		b.WriteString("| " + strings.Join(row, " | ") + " |\n")
	}
	return b.String()
}

func (r engineReport) text() string {
	var b strings.Builder
	for _, t := range r.tables() {
		b.WriteString(t.text())
	}
	return b.String()
}

// misses lists the aims that were not reached.
func (r engineReport) misses() (list []string) {
	for _, t := range r.tables() {
		for _, row := range t.rows {
			for i, cell := range row {
				aim, missed := strings.CutSuffix(cell, missedMark)
				switch {
				case !missed:
				case strings.Contains(aim, ","): // of several values of the row
					list = append(list, fmt.Sprintf("%s: %s: %s", t.title, row[0], aim))
				default:
					list = append(list, fmt.Sprintf("%s: %s: %s %s, aim %s", t.title, row[0], t.head[i-1], row[i-1], aim))
				}
			}
		}
	}
	return list
}

// tables leaves out what was not measured.
func (r engineReport) tables() (all []table) {
	for _, t := range []table{r.operationTable(), r.rawTable(), r.coreTable(), r.coreLatencyTable(), r.deletionTable(), r.purgeTable(), r.foregroundTable(), r.processTable()} {
		if len(t.rows) > 0 {
			t.title = r.engine.name + ": " + t.title
			all = append(all, t)
		}
	}
	return all
}

func (r engineReport) operationTable() table {
	t := table{title: "requests against a bare handler", head: []string{"operation", "p50", "p99", "requests/s", "CPU", "database CPU", "bare p50", "bare CPU", "times bare", "aim"}}
	for _, c := range r.comparisons {
		aim := ""
		if most, ok := c.aim[r.engine.name]; ok {
			aim = verdict(c.ratio() <= most, fmt.Sprintf("≤ %g", most))
		}
		t.rows = append(t.rows, []string{
			c.group + ", " + c.name, short(median(c.served.latencies)), short(quantile(c.served.latencies, .99)), rate(c.served),
			short(c.served.perRequest()), database(c.served), short(median(c.bare.latencies)), short(c.bare.perRequest()),
			fmt.Sprintf("%.1f", c.ratio()), aim,
		})
	}
	return t
}

func (r engineReport) rawTable() table {
	t := table{title: "writes against the same statements, and tokens against one signature", head: []string{"operation", "p50", "raw p50", "p99", "raw p99", "CPU with database", "raw", "times raw"}}
	for _, c := range r.comparisons {
		if c.raw.requests == 0 {
			continue
		}
		t.rows = append(t.rows, []string{
			c.group + ", " + c.name, short(median(c.served.latencies)), short(median(c.raw.latencies)), short(quantile(c.served.latencies, .99)),
			short(quantile(c.raw.latencies, .99)), short((c.served.cpu + c.served.database) / time.Duration(c.served.requests)),
			short((c.raw.cpu + c.raw.database) / time.Duration(c.raw.requests)), fmt.Sprintf("%.2f", median(c.rawRatio)),
		})
	}
	return t
}

func (r engineReport) processTable() table {
	t := table{title: "the process", head: []string{"", "value", "aim"}}
	if len(r.start.took) == 0 {
		return t // rather than one that takes the place of a whole one
	}
	took, idle := median(r.start.took), r.start.idle
	t.rows = append(t.rows,
		[]string{"start on existing data to first answer", short(took), verdict(took < 100*time.Millisecond, "< 100 ms")},
		[]string{"slowest start", short(quantile(r.start.took, 1)), ""},
		[]string{"CPU until the first answer", short(median(r.start.cpu)), ""},
		[]string{"idle memory, anonymous", megabytes(idle.Anonymous), verdict(idle.Anonymous < 30e6, "< 30 MB")},
		[]string{"idle memory, of the program file", megabytes(idle.File), ""},
		[]string{"memory after all load, anonymous", megabytes(r.end.Anonymous), ""},
		[]string{"memory after all load, of the program file", megabytes(r.end.File), ""},
		[]string{"stripped program", megabytes(r.size), verdict(r.size < 45e6, "< 45 MB")},
	)
	return t
}

const missedMark = " MISSED"

func verdict(met bool, aim string) string {
	if met {
		return aim + " met"
	}
	return aim + missedMark
}

func database(s sample) string {
	if s.database == 0 {
		return ""
	}
	return short(s.database / time.Duration(s.requests))
}

func rate(s sample) string {
	if s.wall <= 0 {
		return ""
	}
	return thousands(int64(float64(s.requests) / s.wall.Seconds()))
}

// short writes three significant digits.
func short(d time.Duration) string {
	switch {
	case d < 100*time.Microsecond:
		return fmt.Sprintf("%.1f µs", float64(d)/1e3)
	case d < time.Millisecond:
		return fmt.Sprintf("%.0f µs", float64(d)/1e3)
	case d < 100*time.Millisecond:
		return fmt.Sprintf("%.2f ms", float64(d)/1e6)
	}
	return fmt.Sprintf("%.0f ms", float64(d)/1e6)
}

func thousands(n int64) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return thousands(n/1000) + fmt.Sprintf(",%03d", n%1000)
}

// machine names what the figures were taken on.
func (b *bench) machine() (string, error) {
	model := "unknown processor"
	if raw, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(raw)) {
			if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
				model = strings.TrimSpace(value)
				break
			}
		}
	}
	out, err := exec.Command(b.binary, "version").Output()
	if err != nil {
		return "", fmt.Errorf("%s version: %w (build it first: make build)", b.binary, err)
	}
	return fmt.Sprintf("%d shared virtual cores (%s), %s, %s; %s", runtime.NumCPU(), model, runtime.Version(), strings.TrimSpace(string(out)), time.Now().Format("2 January 2006")), nil
}
