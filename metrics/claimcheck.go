package metrics

import "github.com/prometheus/client_golang/prometheus"

// ClaimCheck are the metrics of values that are uploaded to the claim-check bucket.
type ClaimCheck struct {
	Uploads *prometheus.CounterVec // by topic
	Bytes   prometheus.Counter
	Errors  *prometheus.CounterVec // by reason, see ClaimCheckErrors
	Pending prometheus.Gauge
	Blocked prometheus.Gauge
	Latency prometheus.Histogram
}

// ClaimCheckErrors are why the bucket did not take a value.
var ClaimCheckErrors = []string{"no_bucket", "authorization", "kms", "credentials", "throttled", "unavailable", "connection", "other"}

func newClaimCheck(f metricFactory) *ClaimCheck {
	m := &ClaimCheck{
		Uploads: f.counterVec("uploads_total", "Values that the claim-check bucket has acknowledged, by the topic that they came from. A value whose record is read again is uploaded again, to the same key.", "topic"),
		Bytes:   f.newCounter("bytes_total", "Bytes of the values that the claim-check bucket has acknowledged."),
		Errors:  f.counterVec("errors_total", "Uploads to the claim-check bucket that failed; they are repeated until the bucket takes them.", "reason"),
		Pending: f.newGauge("pending", "Values that the claim-check bucket has not acknowledged yet; the partition of each waits for it."),
		Blocked: f.newGauge("blocked", "1 while the last attempt to upload some value has failed, else 0."),
		Latency: f.newHistogram("duration_seconds", "Time from finding that a record is too large to the acknowledgement by the claim-check bucket, in seconds.",
			[]float64{.025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300}),
	}
	for _, v := range ClaimCheckErrors {
		m.Errors.WithLabelValues(v)
	}
	return m
}

// ExpectTopic has the counter of a topic exist from here on, at 0.
func (m *ClaimCheck) ExpectTopic(topic string) { m.Uploads.WithLabelValues(topic) }
