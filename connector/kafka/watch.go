package kafka

import (
	"context"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kafka-firehose/connector/offset"
)

// positionTimeout bounds the question where the group stands.
const positionTimeout = 10 * time.Second

// Run commits every interval, compares the group's position and keeps the gauges fresh until ctx ends. It is
// beside the poller, because a poll may be parked for long, and none of the three waits for another.
func (s *Source) Run(ctx context.Context) {
	var all sync.WaitGroup
	all.Go(func() { every(ctx, s.cfg.CommitInterval, s.cfg.CommitInterval, func() { s.commitPeriodically(ctx) }) })
	all.Go(func() { every(ctx, lagFirst, lagEvery, func() { s.comparePosition(ctx) }) })
	all.Go(func() { s.watchPositions(ctx) })
	all.Go(func() { s.watchLag(ctx) })
	all.Go(func() { s.tellProtocol(ctx) })
	all.Wait()
}

// every calls do after first and then at each interval until ctx ends. An interval that passes while do runs is
// left out.
func every(ctx context.Context, first, interval time.Duration, do func()) {
	if pause(ctx, first); ctx.Err() != nil {
		return
	}
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		do()
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (s *Source) commitPeriodically(ctx context.Context) {
	if err := s.commitWithin(ctx); moving(err) {
		s.log.Debug("no commit while the group rebalances", "error", err)
	} else if err != nil && ctx.Err() == nil && refusedPartitions(err) == nil && !s.access.knows([]any{err}) {
		s.log.Warn("committing failed, trying again at the next interval", "error", err)
	}
	s.resume()
	s.sizeFetches()
}

func (s *Source) comparePosition(ctx context.Context) {
	bounded, cancel := context.WithTimeout(ctx, positionTimeout)
	defer cancel()
	err := s.compare(bounded)
	if err == nil {
		err = s.checkIDs(bounded)
	}
	if err != nil && ctx.Err() == nil && !s.access.knows([]any{err}) {
		s.log.Warn("the group's position is unknown, trying again", "error", err)
	}
}

// commitWithin bounds the wait for a periodic commit, so that a broker that hangs
// does not keep the rest of Run.
func (s *Source) commitWithin(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*finalCommit)
	defer cancel()
	return s.Commit(ctx)
}

// holdIfFar pauses a partition that is too far ahead of its commit, so that what a
// crash delivers twice stays bounded. Behind a record that is refused for ever
// that lasts; otherwise the next commit ends it. It needs s.mu.
func (s *Source) holdIfFar(k id, p *partition) {
	n, limit := p.lease.Uncommitted(), int64(s.cfg.MaxUncommittedRecords)
	if p.paused || n < limit {
		return
	}
	p.paused = true
	s.metrics.Paused.Inc()
	s.client.PauseFetchPartitions(map[string][]int32{k.topic: {k.partition}})
	s.log.Info("partition paused: it is as far ahead of its commit as KAFKA_MAX_UNCOMMITTED_RECORDS allows", "topic", k.topic, "partition", k.partition, "uncommitted", n, "limit", limit)
}

// resume lets partitions go on that were held, at half of the limit.
func (s *Source) resume() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for k, p := range s.partitions {
		n := p.lease.Uncommitted()
		s.metrics.SetUncommitted(k.topic, k.partition, n)
		if !p.paused || n > int64(s.cfg.MaxUncommittedRecords)/2 {
			continue
		}
		p.paused = false
		s.metrics.Paused.Dec()
		if !p.resting && p.reading {
			s.client.ResumeFetchPartitions(map[string][]int32{k.topic: {k.partition}})
		}
		s.log.Info("partition resumed", "topic", k.topic, "partition", k.partition, "uncommitted", n)
	}
}

// PauseTopics pauses the assigned topics for which match is true, and returns
// them. ResumeTopics undoes it.
func (s *Source) PauseTopics(match func(topic string) bool) (paused []string) {
	s.mu.Lock()
	seen := map[string]bool{}
	for k := range s.partitions {
		if !seen[k.topic] && match(k.topic) {
			seen[k.topic] = true
			paused = append(paused, k.topic)
		}
	}
	s.mu.Unlock()
	s.client.PauseFetchTopics(paused...)
	return paused
}

// ResumeTopics has paused topics fetched again.
func (s *Source) ResumeTopics(topics []string) { s.client.ResumeFetchTopics(topics...) }

// compare looks where the group stands and commits again what it has forgotten. A
// broker that was slow may handle a commit after one that came later, when the
// client had given up on the first.
func (s *Source) compare(ctx context.Context) error {
	s.mu.Lock()
	acknowledged := map[id]position{}
	for k, p := range s.partitions {
		acknowledged[k] = position{lease: p.lease, mark: offset.Mark{Offset: p.committed, Epoch: -1}}
	}
	s.mu.Unlock()
	if len(acknowledged) == 0 {
		s.standing.rest()
		return nil
	}
	client, err := s.standing.open()
	if err != nil {
		return err
	}
	group, err := kadm.NewClient(client).FetchOffsets(ctx, s.cfg.GroupID)
	if err != nil {
		return err
	}
	for k, p := range acknowledged {
		at, ok := group.Lookup(k.topic, k.partition)
		if !ok {
			at.At = -1
		}
		if at.Err == nil && at.At < p.mark.Offset && !p.lease.Closed() {
			s.log.Warn("the group stands behind an offset that was acknowledged; committing it again", "topic", k.topic, "partition", k.partition, "offset", at.At, "acknowledged", p.mark.Offset)
			p.lease.Start(p.mark) // where nothing was read since the assignment
			p.lease.Resend()
		}
	}
	return nil
}

// tellProtocol warns when the brokers don't know the group protocol that was
// asked for: the client falls back to classic without a word.
func (s *Source) tellProtocol(ctx context.Context) {
	if s.cfg.GroupProtocol != "consumer" {
		return
	}
	resp, err := kmsg.NewPtrApiVersionsRequest().RequestWith(ctx, s.client)
	if err != nil {
		return // not reachable yet; the warning is a courtesy
	}
	for _, k := range resp.ApiKeys {
		if k.ApiKey == int16(kmsg.ConsumerGroupHeartbeat) && k.MaxVersion >= 1 {
			return
		}
	}
	s.log.Warn("the brokers do not offer the consumer group protocol of KIP-848 (Kafka 4.0 or later): the group uses the classic one", "protocol", s.cfg.GroupProtocol)
}

var _ kgo.Hook = (*traffic)(nil)
