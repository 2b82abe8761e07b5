package main

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// The plane of a plot, in units of its own. Latencies are drawn on a logarithmic
// scale from 100 µs to 1 s.
const (
	plotWidth, plotHeight = 860, 360
	plotLeft, plotRight   = 70, 20
	plotTop, plotBottom   = 56, 48
	decades               = 4 // 0.1 ms to 1,000 ms
)

// A plot draws the latencies of readers and writers over a purge.
type plot struct {
	strings.Builder
	length time.Duration
}

func (p *plot) x(at time.Duration) float64 {
	return plotLeft + (plotWidth-plotLeft-plotRight)*float64(at)/float64(p.length)
}

func (p *plot) y(took time.Duration) float64 {
	decade := math.Log10(max(float64(took)/float64(100*time.Microsecond), 1))
	return plotHeight - plotBottom - (plotHeight-plotTop-plotBottom)*min(decade/decades, 1)
}

func (p *plot) text(x, y float64, anchor, s string) {
	fmt.Fprintf(p, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">%s</text>\n", x, y, anchor, s)
}

func (p *plot) line(x1, y1, x2, y2 float64, color string) {
	fmt.Fprintf(p, "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"%s\"/>\n", x1, y1, x2, y2, color)
}

// Colors that people with any colour vision tell apart (Okabe and Ito).
const (
	colorWrites = "#d55e00"
	colorReads  = "#0072b2"
)

// draw gives a cycle of traffic as an SVG picture.
func (f foregroundReport) draw(title string) string {
	p := &plot{length: time.Second}
	for _, m := range append(f.shown.reads[:len(f.shown.reads):len(f.shown.reads)], f.shown.writes...) {
		p.length = max(p.length, m.due)
	}
	fmt.Fprintf(p, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" font-family=\"sans-serif\" font-size=\"12\" role=\"img\">\n<title>%s</title>\n", plotWidth, plotHeight, title)
	fmt.Fprintf(p, "<rect width=\"%d\" height=\"%d\" fill=\"#fff\"/>\n", plotWidth, plotHeight)
	fmt.Fprintf(p, "<rect x=\"%.1f\" y=\"%d\" width=\"%.1f\" height=\"%d\" fill=\"#eee\"/>\n", p.x(f.from), plotTop, p.x(f.to)-p.x(f.from), plotHeight-plotTop-plotBottom)
	p.text(plotLeft, 20, "start", title)
	p.text((p.x(f.from)+p.x(f.to))/2, plotTop+16, "middle", "purge")
	for d := range decades + 1 {
		at := time.Duration(float64(100*time.Microsecond) * math.Pow10(d))
		p.line(plotLeft, p.y(at), plotWidth-plotRight, p.y(at), "#ccc")
		p.text(plotLeft-8, p.y(at)+4, "end", fmt.Sprint(at))
	}
	step := time.Second * time.Duration(math.Ceil(p.length.Seconds()/12))
	for at := time.Duration(0); at <= p.length; at += step {
		p.line(p.x(at), plotHeight-plotBottom, p.x(at), plotHeight-plotBottom+4, "#666")
		p.text(p.x(at), plotHeight-plotBottom+18, "middle", fmt.Sprint(at))
	}
	p.curves(f.shown.writes, colorWrites)
	p.curves(f.shown.reads, colorReads)
	for i, entry := range [][2]string{{"writes", colorWrites}, {"reads", colorReads}} {
		at := plotLeft + float64(i)*90
		p.line(at, 38, at+22, 38, entry[1])
		p.text(at+28, 42, "start", entry[0])
	}
	p.text(plotLeft+190, 42, "start", "line: median of 200 ms; dots: every request above it")
	p.WriteString("</svg>\n")
	return p.String()
}

const plotBucket = 200 * time.Millisecond

// curves draws the median of each bucket, and the requests that took longer as dots.
func (p *plot) curves(of []moment, color string) {
	var line, dots strings.Builder
	for from := time.Duration(0); from < p.length; from += plotBucket {
		some := between(of, from, from+plotBucket)
		if len(some) == 0 {
			continue
		}
		middle := median(latencies(some))
		fmt.Fprintf(&line, "%.1f,%.1f ", p.x(from+plotBucket/2), p.y(middle))
		for _, m := range some {
			if m.took > middle {
				fmt.Fprintf(&dots, "M%.1f %.1fh0", p.x(m.due), p.y(m.took))
			}
		}
	}
	fmt.Fprintf(p, "<path d=\"%s\" stroke=\"%s\" stroke-width=\"2.5\" stroke-linecap=\"round\" stroke-opacity=\"0.25\"/>\n", dots.String(), color)
	fmt.Fprintf(p, "<polyline points=\"%s\" fill=\"none\" stroke=\"%s\" stroke-width=\"1.5\"/>\n", strings.TrimSpace(line.String()), color)
}

// plots draws each purge that ran beside traffic into a folder and gives the
// sections that show them.
func (r engineReport) plots(folder string) (shown []section, err error) {
	for _, d := range r.deletion {
		if len(d.foreground.shown.writes) == 0 {
			continue
		}
		title := fmt.Sprintf("%s: latency beside the purge of %s members", r.engine.name, thousands(int64(d.members)))
		name := fmt.Sprintf("latency-%s-%d.svg", strings.ToLower(r.engine.name), d.members)
		if err := os.WriteFile(filepath.Join(folder, name), []byte(d.foreground.draw(title)), 0o644); err != nil {
			return nil, err
		}
		shown = append(shown, section{title, fmt.Sprintf("\n### %s\n\n![%s](%s)\n", title, title, name)})
	}
	return shown, nil
}
