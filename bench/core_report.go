package main

import (
	"fmt"
	"time"
)

// coreTable is the identity core by CPU: what a second of it does, and how much of
// that is more than what nobody can do without.
func (r engineReport) coreTable() table {
	t := table{
		title: "signing in, tokens and checks, by CPU",
		head:  []string{"operation", "CPU", "database CPU", "in a second of CPU", "aim", "bare CPU", "times bare", "aim", "one signature or hash alone", "its share", "aim", "without it"},
	}
	for _, c := range r.core {
		each := median(c.each)
		row := []string{
			c.comparison.group + ", " + c.comparison.name, short(c.served.perRequest()), database(c.served), thousands(int64(1 / each)),
			"", "", "", "", "", "", "", "",
		}
		if c.perSecond > 0 {
			row[4] = verdict(1/each >= c.perSecond, fmt.Sprintf("≥ %g", c.perSecond))
		}
		if len(c.ratios) > 0 {
			row[5], row[6] = short(c.bare.perRequest()), fmt.Sprintf("%.1f", c.ratio())
		}
		if most, ok := c.comparison.aim[r.engine.name]; ok {
			row[7] = verdict(c.ratio() <= most, fmt.Sprintf("≤ %g", most))
		}
		if len(c.rawRatio) > 0 {
			whole := time.Duration(each * float64(time.Second))
			alone := time.Duration(float64(whole) / median(c.rawRatio))
			row[8], row[9], row[11] = short(alone), fmt.Sprintf("%.2f", 1/median(c.rawRatio)), short(whole-alone)
		}
		if c.signature > 0 {
			row[10] = verdict(1/median(c.rawRatio) >= c.signature, fmt.Sprintf("≥ %g", c.signature))
		}
		t.rows = append(t.rows, row)
	}
	return t
}

// coreLatencyTable is how long callers wait when many ask at once.
func (r engineReport) coreLatencyTable() table {
	t := table{
		title: "signing in, tokens and checks, with many connections",
		head:  []string{"operation", fmt.Sprintf("%d at once: a second", some), "p50", "p99", fmt.Sprintf("%d at once: a second", many), "p50", "p99", fmt.Sprintf("at %.0f %% load: a second", 100*calmShare), "p50", "p99", "aim", "bare handler at its own: a second", "p99"},
	}
	for _, c := range r.core {
		row := []string{c.comparison.group + ", " + c.comparison.name}
		for _, s := range []sample{c.some, c.many} {
			if s.requests == 0 {
				row = append(row, "", "", "")
				continue
			}
			row = append(row, rate(s), short(median(s.latencies)), short(quantile(s.latencies, .99)))
		}
		if c.paced.sent == 0 {
			row = append(row, "", "", "", "", "", "")
		} else {
			slowest := quantile(c.paced.latencies, .99)
			row = append(row, thousands(int64(float64(c.paced.sent)/c.paced.length.Seconds())), short(median(c.paced.latencies)), short(slowest), verdict(slowest < calmMost, "< "+short(calmMost)),
				thousands(int64(float64(c.bareCalm.sent)/c.bareCalm.length.Seconds())), short(quantile(c.bareCalm.latencies, .99)))
		}
		t.rows = append(t.rows, row)
	}
	return t
}
