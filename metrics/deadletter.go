package metrics

import "github.com/prometheus/client_golang/prometheus"

// DeadLetter are the metrics of records sent to the dead-letter topic.
type DeadLetter struct {
	Letters *prometheus.CounterVec // by topic and reason, see DeadLetterReasons
	Digests prometheus.Counter
	Errors  *prometheus.CounterVec // by reason, see DeadLetterErrors
	Pending prometheus.Gauge
	Bytes   prometheus.Gauge
	Blocked prometheus.Gauge
	Latency prometheus.Histogram
}

var (
	// DeadLetterReasons are why records go there: they can't be converted, or the
	// stream alone refuses them.
	DeadLetterReasons = []string{"tombstone", "too_large", "undecodable", "unknown_schema", "unwrap_failed", "filter_failed", "refused"}
	// DeadLetterErrors are why the dead-letter topic did not take them.
	DeadLetterErrors = []string{"unknown_topic", "authorization", "too_large", "unavailable", "connection", "other"}
)

func newDeadLetter(f metricFactory) *DeadLetter {
	m := &DeadLetter{
		Letters: f.counterVec("dead_letters_total", "Dead letters that the dead-letter topic has acknowledged, by the topic that they came from. An aggregated record that Firehose refuses is one.", "topic", "reason"),
		Digests: f.newCounter("dead_letter_digests_total", "Dead letters that were too large for the dead-letter topic: it has a digest and the size instead of the value, which only the topic they came from still has."),
		Errors:  f.counterVec("dead_letter_produce_errors_total", "Attempts to write dead letters that failed; they are repeated until the topic takes them.", "reason"),
		Pending: f.newGauge("dead_letters_pending", "Dead letters that are not acknowledged yet; each holds back the commit of its partition."),
		Bytes:   f.newGauge("dead_letters_pending_bytes", "Bytes of memory that pending dead letters take, out of MAX_BUFFERED_BYTES."),
		Blocked: f.newGauge("dead_letter_blocked", "1 since an attempt to write dead letters failed, until one succeeds; else 0."),
		Latency: f.newHistogram("dead_letter_duration_seconds", "Time from finding that a record can't be delivered to the acknowledgement by the dead-letter topic, in seconds.",
			[]float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300}),
	}
	for _, v := range DeadLetterErrors {
		m.Errors.WithLabelValues(v)
	}
	return m
}

// ExpectTopic has the counters of a topic exist from here on, at 0, so that its first
// letter is seen.
func (m *DeadLetter) ExpectTopic(topic string) {
	for _, reason := range DeadLetterReasons {
		m.Letters.WithLabelValues(topic, reason)
	}
}
