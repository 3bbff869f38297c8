package kafka

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kafka-firehose/connector/offset"
)

// lagEvery is how often lag is asked for, lagFirst when for the first time, and
// lagTimeout how long that may take.
const (
	lagFirst   = 3 * time.Second
	lagEvery   = 15 * time.Second
	lagTimeout = 10 * time.Second
)

// Run commits every interval and keeps the gauges fresh until ctx ends. It is
// beside the poller, because a poll may be parked for long.
func (s *Source) Run(ctx context.Context) {
	commit := time.NewTicker(s.cfg.CommitInterval)
	defer commit.Stop()
	lag := time.NewTimer(lagFirst)
	defer lag.Stop()
	soon := time.NewTimer(time.Hour) // for partitions that wait for their commit
	defer soon.Stop()
	soon.Stop()
	s.tellProtocol(ctx)
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.held:
			soon.Reset(commitSoon)
		case <-soon.C:
			next := commitSoon
			if s.resumable() {
				if !s.commitAgain(ctx) {
					next = commitLater
				}
				s.resume()
			}
			if s.holds() {
				soon.Reset(next)
			}
		case <-commit.C:
			s.commitAgain(ctx)
			s.renewStale()
			s.resume()
			s.sizeFetches()
		case <-lag.C:
			lag.Reset(lagEvery)
			if err := s.refreshLag(ctx); err != nil && ctx.Err() == nil && !s.access.knows([]any{err}) {
				s.log.Warn("lag is unknown for now", "error", err)
			}
		}
	}
}

// commitAgain is a commit that is repeated later if it fails; it reports whether it did not.
func (s *Source) commitAgain(ctx context.Context) bool {
	err := s.commitWithin(ctx)
	if moving(err) {
		s.log.Debug("no commit while the group rebalances", "error", err)
	} else if err != nil && ctx.Err() == nil && !s.access.knows([]any{err}) {
		s.log.Warn("committing failed, trying again at the next interval", "error", err)
	}
	return err == nil
}

// renewStale begins again with topics whose commits are refused because they were
// created anew.
func (s *Source) renewStale() {
	s.mu.Lock()
	topics := slices.Collect(maps.Keys(s.stale))
	clear(s.stale)
	s.mu.Unlock()
	for _, t := range topics {
		s.renew(t)
	}
}

// commitWithin bounds the wait for a periodic commit, so that a broker that hangs
// does not keep the rest of Run.
func (s *Source) commitWithin(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*finalCommit)
	defer cancel()
	return s.Commit(ctx)
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

// refreshLag asks where the partitions end. The high watermark of fetches is
// there for nothing, and freezes exactly when nothing is fetched.
func (s *Source) refreshLag(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, lagTimeout)
	defer cancel()
	topics := s.topics()
	if len(topics) == 0 {
		return nil
	}
	if err := s.compare(ctx); err != nil {
		return err
	}
	ends, err := s.ends(ctx, topics)
	if err != nil {
		return err
	}
	starts, err := s.admin.ListStartOffsets(ctx, topics...)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for k, p := range s.partitions {
		end, ok := ends.Lookup(k.topic, k.partition)
		if !ok || end.Err != nil {
			continue
		}
		from := p.committed
		if start, ok := starts.Lookup(k.topic, k.partition); ok && start.Err == nil {
			if from >= 0 {
				s.metrics.SetHeadroom(k.topic, k.partition, max(from-start.Offset, 0))
			}
			from = max(from, start.Offset)
		}
		s.metrics.SetLag(k.topic, k.partition, max(end.Offset-from, 0))
	}
	return nil
}

// compare looks where the group stands and commits again what it has forgotten. A
// broker that was slow may handle a commit after one that came later, when the
// client had given up on the first.
func (s *Source) compare(ctx context.Context) error {
	s.mu.Lock()
	acknowledged := map[id]position{}
	for k, p := range s.partitions {
		acknowledged[k] = position{lease: p.lease, mark: offset.Mark{Offset: p.committed}}
	}
	s.mu.Unlock()
	group, err := s.admin.FetchOffsets(ctx, s.cfg.GroupID)
	if err != nil {
		return err
	}
	for k, p := range acknowledged {
		at, ok := group.Lookup(k.topic, k.partition)
		if ok && at.Err == nil && at.At < p.mark.Offset && !p.lease.Closed() {
			s.log.Warn("the group stands behind an offset that was acknowledged; committing it again", "topic", k.topic, "partition", k.partition, "offset", at.At, "acknowledged", p.mark.Offset)
			p.lease.Resend()
		}
	}
	return nil
}

func (s *Source) topics() (topics []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	seen := map[string]bool{}
	for k := range s.partitions {
		if !seen[k.topic] {
			seen[k.topic] = true
			topics = append(topics, k.topic)
		}
	}
	return topics
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
