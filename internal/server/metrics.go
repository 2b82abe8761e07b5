package server

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"guildhall/internal/webhook"
)

// metrics are what the server tells of itself. Labels never hold ids: their
// number must not grow with the data.
type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.HistogramVec
	rows     prometheus.Counter
	batches  prometheus.Histogram

	deliveries *prometheus.HistogramVec
}

func newMetrics(version string) *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "guildhall_request_seconds", Help: "Time taken by requests.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 5},
		}, []string{"dialect", "operation", "status"}),
		rows: prometheus.NewCounter(prometheus.CounterOpts{Name: "guildhall_purged_rows_total", Help: "Rows removed, unlinked or handed over by purges."}),
		batches: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "guildhall_purge_batch_seconds", Help: "Time taken by batches of purges.",
			Buckets: []float64{.0005, .001, .002, .005, .01, .025, .05, .1, .5},
		}),
	}
	m.deliveries = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "guildhall_webhook_seconds", Help: "Time taken by attempts to deliver to webhooks, by the class of the answer.",
		Buckets: []float64{.01, .05, .1, .25, .5, 1, 2.5, 5, 15},
	}, []string{"answer"})
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "guildhall_build_info", Help: "Always 1; the label tells the version.", ConstLabels: prometheus.Labels{"version": version},
	})
	build.Set(1)
	m.registry.MustRegister(m.requests, m.rows, m.batches, m.deliveries, build, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func (m *metrics) request(dialect, operation string, status int, took time.Duration) {
	m.requests.WithLabelValues(dialect, operation, strconv.Itoa(status)).Observe(took.Seconds())
}

func (m *metrics) batch(rows int, took time.Duration) {
	m.rows.Add(float64(rows))
	m.batches.Observe(took.Seconds())
}

func (m *metrics) delivery(o webhook.Outcome) {
	answer := "none"
	if o.Code >= 100 && o.Code < 600 {
		answer = strconv.Itoa(o.Code/100) + "xx"
	}
	m.deliveries.WithLabelValues(answer).Observe(o.Took.Seconds())
}

// watch tells whether the database finds room to write.
func (m *metrics) watch(writable func() bool) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "guildhall_database_writable", Help: "0 while the database cannot be written, because its disk is full or fails.",
	}, func() float64 {
		if writable() {
			return 1
		}
		return 0
	}))
}

// Metrics answers with the metrics in Prometheus's text format.
func (s *Server) Metrics() http.Handler {
	return promhttp.HandlerFor(s.metrics.registry, promhttp.HandlerOpts{})
}
