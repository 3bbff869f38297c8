package kafka

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"
)

// sampleEvery is how often a record of each partition is followed to its commit:
// often enough for a percentile, and few enough to remember when commits
// are held up for long.
const sampleEvery = time.Second

// delaySample is a record that is not committed yet.
type delaySample struct {
	offset  int64
	created time.Time
}

// sampleDelay follows r, the last record of a poll, to its commit, unless another one
// was begun less than sampleEvery ago. It needs the source's mu.
func (p *partition) sampleDelay(r *kgo.Record, polled time.Time) {
	if polled.Sub(p.sampled) < sampleEvery {
		return
	}
	// Producers of long ago set no timestamp, which Kafka stores as -1 ms.
	if r.Timestamp.UnixMilli() > 0 {
		p.samples, p.sampled = append(p.samples, delaySample{r.Offset, r.Timestamp}), polled
	}
}

// observeDelay observes the delay of what a commit of the offset next has passed. The
// clock of a producer may be ahead of ours. It needs the source's mu.
func (p *partition) observeDelay(next int64, delay prometheus.Observer) {
	for len(p.samples) > 0 && p.samples[0].offset < next {
		delay.Observe(max(time.Since(p.samples[0].created), 0).Seconds())
		p.samples = p.samples[1:]
	}
}
