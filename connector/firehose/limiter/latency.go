package limiter

import "time"

const (
	// latencyWeight is the weight of a new answer in the mean: the mean follows a
	// change within about ten answers and one slow answer doesn't move it much.
	latencyWeight = 0.125
	// maxLatency bounds the measure. Answers that take longer wait for an uplink,
	// not for the service, and windows of many seconds would be useless.
	maxLatency = time.Second
)

// latencyEstimate is the mean time from the start of a request to its answer. A window
// or pause that is shorter than an answer would judge the rate of before.
type latencyEstimate struct{ mean time.Duration }

func (l *latencyEstimate) observeLatency(took time.Duration) {
	took = min(took, maxLatency)
	if l.mean == 0 {
		l.mean = took
	}
	l.mean += time.Duration(latencyWeight * float64(took-l.mean))
}

// atLeast returns a number of latencies, and no less than a minimum. The minima
// were found at a latency of 50 ms; at 10 ms shorter ones gain nothing, because
// requests are 40 ms apart.
func (l *latencyEstimate) AtLeast(latencies float64, minimum time.Duration) time.Duration {
	return max(minimum, time.Duration(latencies*float64(l.mean)))
}
