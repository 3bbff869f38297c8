package metrics

import (
	"github.com/prometheus/client_golang/prometheus"
)

// Pipeline are the metrics between the poll and the put.
type Pipeline struct {
	Skipped      *prometheus.CounterVec // by reason, see SkipReasons
	Filtered     *prometheus.CounterVec // by topic
	Backpressure prometheus.Counter
	// RuntimeFault is 1 while the runtime settings can't be used, RuntimeApplied when they were last applied.
	RuntimeFault, RuntimeApplied prometheus.Gauge

	limit prometheus.Gauge
	r     prometheus.Registerer
}

// SkipReasons are the values of the label reason.
var SkipReasons = []string{"tombstone", "too_large", "undecodable", "unknown_schema", "unwrap_failed", "filter_failed", "refused", "revoked", "filtered"}

func newPipeline(f metricFactory) *Pipeline {
	m := &Pipeline{
		Skipped:        f.counterVec("records_skipped_total", "Records that were left out: all are committed past but revoked, which is left to the partition's next owner. Dead letters are not among them.", "reason"),
		Filtered:       f.counterVec("records_filtered_total", "Records that RECORD_FILTER left out, by topic. They are in kafka_firehose_records_skipped_total, too.", "topic"),
		Backpressure:   f.newCounter("backpressure_seconds_total", "Seconds in which polling waited until records that were read before had left memory."),
		RuntimeFault:   f.newGauge("runtime_settings_fault", "1 while RUNTIME_SETTINGS_FILE is missing or can't be used, and the last good settings stay in use; 0 otherwise, and without one."),
		RuntimeApplied: f.newGauge("runtime_settings_applied_timestamp_seconds", "When the settings of RUNTIME_SETTINGS_FILE that hold now were read, in Unix time; 0 without one."),
		limit:          f.newGauge("buffer_limit_bytes", "MAX_BUFFERED_BYTES."),
		r:              f.r,
	}
	for _, v := range SkipReasons {
		m.Skipped.WithLabelValues(v)
	}
	return m
}

// WatchBuffered adds the gauges that are read at scrape time: the buffered bytes, and
// the age of the oldest unsettled record, in seconds.
func (m *Pipeline) WatchBuffered(limit int64, buffered func() int64, oldest func() float64) {
	m.limit.Set(float64(limit))
	m.r.MustRegister(
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Namespace: namespace, Name: "buffered_bytes",
			Help: "Bytes held between the fetch and the commit.",
		}, func() float64 { return float64(buffered()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Namespace: namespace, Name: "oldest_unsettled_age_seconds",
			Help: "Time since the oldest record that is not settled was polled; 0 when all are.",
		}, oldest),
	)
}
