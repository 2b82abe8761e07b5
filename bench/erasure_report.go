package main

import (
	"fmt"
	"time"
)

const (
	answerMost  = 25 * time.Millisecond // of the answer to a deletion, at p99
	previewMost = time.Second
	memoryMost  = 64e6 // above idle
)

func (r engineReport) deletionTable() table {
	t := table{
		title: "preview and deletion of an organization",
		head:  []string{"members", "previews p50", "slowest", "answers", "p50", "p99", "p50 to that of 1", "tried later", "let in", "aims"},
	}
	for _, d := range r.deletion {
		times := share(median(d.answers), median(r.deletion[0].answers))
		slowest, late := quantile(d.answers, .99), fmt.Sprint(d.late)
		met := slowest < answerMost && d.late == 0 && quantile(d.previews, 1) < previewMost
		t.rows = append(t.rows, []string{
			thousands(int64(d.members)), short(median(d.previews)), short(quantile(d.previews, 1)), fmt.Sprint(len(d.answers)),
			short(median(d.answers)), short(slowest), fmt.Sprintf("%.2f", times), thousands(d.tried), late,
			verdict(met, "< 25 ms, 0 let in, preview < 1 s"),
		})
	}
	return t
}

func (r engineReport) purgeTable() table {
	t := table{
		title: "purge, by CPU against the same rows removed otherwise",
		head:  []string{"members", "rows", "rows/s", "rows/s of CPU", "to one cascading DELETE", "aim", fmt.Sprintf("to batches of %d", rawBatch), "memory above idle", "aim", "database after", "log after"},
	}
	aim := map[string]float64{"SQLite": 1.2, "PostgreSQL": 1}[r.engine.name]
	for _, d := range r.deletion {
		if d.purge.requests == 0 {
			continue
		}
		above := d.peak - d.idle
		t.rows = append(t.rows, []string{
			thousands(int64(d.members)), thousands(int64(d.purge.requests)), rate(d.purge),
			thousands(int64(float64(d.purge.requests) / (d.purge.cpu + d.purge.database).Seconds())),
			fmt.Sprintf("%.2f", median(d.toCascade)), verdict(median(d.toCascade) >= aim, fmt.Sprintf("≥ %g", aim)),
			times(d.toBatches), megabytes(above), verdict(float64(above) < memoryMost, "< 64 MB"),
			megabytes(d.database), megabytes(d.log),
		})
	}
	return t
}

func (r engineReport) foregroundTable() table {
	t := table{
		title: fmt.Sprintf("%d reads and %d writes a second beside a purge", trafficRate, trafficRate),
		head:  []string{"", "p50", "p90", "p99", "aim"},
	}
	for _, d := range r.deletion {
		f := d.foreground
		if len(f.reads[0]) == 0 {
			continue
		}
		name := "purge of " + thousands(int64(d.members)) + ": "
		row := func(what string, of []moment) {
			all := latencies(of)
			t.rows = append(t.rows, []string{name + what, short(median(all)), short(quantile(all, .9)), short(quantile(all, .99)), ""})
		}
		times := func(what string, of [3][]float64, most [3]float64, aim string) {
			met, cells := true, []string{name + what}
			for i := range of {
				met = met && (most[i] == 0 || median(of[i]) <= most[i])
				cells = append(cells, fmt.Sprintf("%.1f", median(of[i])))
			}
			t.rows = append(t.rows, append(cells, verdict(met, aim)))
		}
		row("writes, idle", f.idle.writes)
		row("writes, purging", f.purging.writes)
		times("writes, times idle", f.writes, [3]float64{3, 3, 2}, "≤ 3, 3, 2")
		row("reads, idle", f.idle.reads)
		row("reads, purging", f.purging.reads)
		times("reads, times idle", f.reads, [3]float64{1.2, 1.2, 0}, "≤ 1.2, 1.2")
	}
	return t
}

// times is a ratio, or nothing where it was not measured.
func times(of []float64) string {
	if len(of) == 0 {
		return ""
	}
	return fmt.Sprintf("%.2f", median(of))
}

func megabytes(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/1e6) }
