package connector

import (
	"context"
	"math"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/connector/kafka"
	"kafka-firehose/connector/offset"
)

// TakeRecords implements kafka.Handler.
func (c *Connector) TakeRecords(lease *offset.Lease, records []*kgo.Record, weight int64, polled time.Time) {
	if l := c.pipelines[c.cfg.streamOf(lease.Topic)]; l != nil {
		l.enqueueRecords(fetchedRecords{lease: lease, records: records, weight: weight, polled: polled})
	}
}

// ReleaseLeases implements kafka.Handler.
//
// It waits for the pipelines, which answer within one record, but for no longer than a revoke may
// take: a conversion that never returns must not keep partitions from their next owners. For
// leases that have been closed already nothing is left to wait for.
func (c *Connector) ReleaseLeases(leases []*offset.Lease) (wait []kafka.PendingLease) {
	going, open := make(map[*offset.Lease]bool, len(leases)), false
	for _, l := range leases {
		going[l] = true
		open = open || !l.Closed()
	}
	answers := map[*pipeline]<-chan struct{}{}
	for _, l := range c.pipelines {
		answers[l] = l.callBatcher(func(lease *offset.Lease) bool { return going[lease] })
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
		// A pipeline that has ended, or a dead letter that its topic doesn't take, is not worth
		// waiting for.
		if l := c.pipelines[c.cfg.streamOf(lease.Topic)]; l != nil && !l.hasEnded() && (c.letters == nil || !c.letters.LetterStuck(lease)) {
			wait = append(wait, kafka.PendingLease{Lease: lease, InVain: l.stream.DropRevoked(lease)})
		}
	}
	return wait
}

// UpdateShares implements kafka.Handler.
func (c *Connector) UpdateShares(shares map[string]kafka.TopicShare) {
	sums, topics := map[string]kafka.TopicShare{}, map[string][]string{}
	for topic, share := range shares {
		stream := c.cfg.streamOf(topic)
		topics[stream] = append(topics[stream], topic)
		sum := sums[stream]
		sums[stream] = kafka.TopicShare{Owned: sum.Owned + share.Owned, All: sum.All + share.All}
	}
	for name, l := range c.pipelines {
		sum := sums[name]
		l.setShare(sum)
		if sum.All > 0 {
			routed := slices.Sorted(slices.Values(topics[name]))
			l.topics.Store(&routed)
		}
	}
}

// setShare notes the member's share of a stream's partitions. The limiter keeps the last share above 0.
func (l *pipeline) setShare(share kafka.TopicShare) {
	part := 0.0
	if share.Owned > 0 {
		part = float64(share.Owned) / float64(share.All)
		l.stream.SetShare(part)
	}
	l.partitions.Store(math.Float64bits(part))
}

// streamOf is the stream that a topic is routed to, empty for none.
func (c Config) streamOf(topic string) string {
	stream, _ := c.Firehose.StreamFor(topic)
	return stream
}
