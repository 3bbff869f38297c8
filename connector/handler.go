package connector

import (
	"context"
	"math"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/connector/kafka"
	"kafka-firehose/connector/offset"
)

// Take implements kafka.Handler.
func (c *Connector) Take(lease *offset.Lease, records []*kgo.Record, weight int64, polled time.Time) {
	if l := c.lanes[c.streamOf(lease.Topic)]; l != nil {
		l.put(chunk{lease: lease, records: records, weight: weight, polled: polled})
	}
}

// Release implements kafka.Handler.
//
// It waits for the lanes, which answer within one record, but for no longer than a revoke may
// take: a conversion that never returns must not keep partitions from their next owners. For
// leases that have been closed already nothing is left to wait for.
func (c *Connector) Release(leases []*offset.Lease) (wait []kafka.Pending) {
	going, open := make(map[*offset.Lease]bool, len(leases)), false
	for _, l := range leases {
		going[l] = true
		open = open || !l.Closed()
	}
	answers := map[*lane]<-chan struct{}{}
	for _, l := range c.lanes {
		answers[l] = l.ask(func(lease *offset.Lease) bool { return going[lease] })
	}
	if !open {
		return nil
	}
	limit, cancel := context.WithTimeout(context.Background(), c.cfg.Kafka.RevokeDrainTimeout)
	defer cancel()
	for l, answer := range answers {
		select {
		case <-answer:
		case <-l.ended:
		case <-c.abandoned:
		case <-limit.Done():
		}
	}
	for _, lease := range leases {
		// A lane that has ended, or a dead letter that its topic doesn't take, is not worth
		// waiting for.
		if l := c.lanes[c.streamOf(lease.Topic)]; l != nil && !l.over() && !c.stuck(lease) {
			wait = append(wait, kafka.Pending{Lease: lease, InVain: l.stream.Stranded(lease)})
		}
	}
	return wait
}

// Shares implements kafka.Handler.
func (c *Connector) Shares(shares map[string]kafka.Share) {
	sums := map[string]kafka.Share{}
	for topic, share := range shares {
		sum := sums[c.streamOf(topic)]
		sums[c.streamOf(topic)] = kafka.Share{Owned: sum.Owned + share.Owned, All: sum.All + share.All}
	}
	for name, sum := range sums {
		if l := c.lanes[name]; l != nil && sum.All > 0 {
			l.setShare(sum)
		}
	}
}

// setShare notes the member's share of a stream's partitions.
func (l *lane) setShare(share kafka.Share) {
	part := float64(share.Owned) / float64(share.All)
	l.partitions.Store(math.Float64bits(part))
	if share.Owned > 0 {
		l.stream.SetShare(part)
	}
}

func (c *Connector) streamOf(topic string) string {
	stream, _ := c.cfg.Firehose.StreamFor(topic)
	return stream
}
