package kafka

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kafka-firehose/connector/offset"
	"kafka-firehose/connector/retry"
)

// positionTimeout bounds the question where the group stands.
const positionTimeout = 10 * time.Second

// Run commits every interval, compares the group's position and keeps the gauges fresh until ctx ends. It is
// beside the poller, because a poll may be parked for long, and none of the three waits for another.
func (s *Source) Run(ctx context.Context) {
	var all sync.WaitGroup
	all.Go(func() { s.watchCommits(ctx) })
	all.Go(func() { runEvery(ctx, lagFirst, lagEvery, func() { s.comparePosition(ctx) }) })
	all.Go(func() { s.watchPositions(ctx) })
	all.Go(func() { s.watchLag(ctx) })
	all.Go(func() { s.tellProtocol(ctx) })
	all.Go(func() { s.watchShares(ctx) })
	all.Wait()
}

// watchCommits commits every interval until ctx ends, and earlier where a partition is paused until its commit.
func (s *Source) watchCommits(ctx context.Context) {
	tick := time.NewTicker(s.cfg.CommitInterval)
	defer tick.Stop()
	soon := time.NewTimer(time.Hour) // for partitions that are paused until their commit
	defer soon.Stop()
	soon.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.held:
			soon.Reset(commitSoon)
		case <-soon.C:
			next := commitSoon
			if s.canResume() {
				if !s.commitAgain(ctx) {
					next = commitLater
				}
				s.resumeWhenRoom()
			}
			if s.hasHolds() {
				soon.Reset(next)
			}
		case <-tick.C:
			s.recommitUnwanted()
			s.commitAgain(ctx)
			s.resumeWhenRoom()
			s.sizeFetches()
		}
	}
}

// runEvery calls do after first and then at each interval until ctx ends. An interval that passes while do runs is
// left out.
func runEvery(ctx context.Context, first, interval time.Duration, do func()) {
	if _ = retry.Sleep(ctx, first); ctx.Err() != nil {
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

// commitAgain commits, and reports whether that succeeded; the next call repeats a commit that failed. A refused
// partition is reported as its fault. The wait is bounded, so that a broker that hangs does not keep the rest of Run.
func (s *Source) commitAgain(ctx context.Context) bool {
	bounded, cancel := context.WithTimeout(ctx, 2*finalCommit)
	defer cancel()
	err := s.CommitMarks(bounded)
	if isMoving(err) {
		s.log.Debug("no commit while the group rebalances", "error", err)
	} else if err != nil && ctx.Err() == nil && refusedPartitions(err) == nil && !s.access.isKnown([]any{err}) {
		s.log.Warn("committing failed, trying again at the next interval", "error", err)
	}
	return err == nil
}

func (s *Source) comparePosition(ctx context.Context) {
	bounded, cancel := context.WithTimeout(ctx, positionTimeout)
	defer cancel()
	err := errors.Join(s.recommitForgotten(bounded), s.checkIDs(bounded))
	if err != nil && ctx.Err() == nil && !s.access.isKnown([]any{err}) {
		s.log.Warn("the group's position is unknown, trying again", "error", err)
	}
}

// PauseTopics pauses the assigned topics for which match is true, and returns
// them. ResumeTopics undoes it.
func (s *Source) PauseTopics(match func(topic string) bool) (paused []string) {
	paused = s.matchingTopics(func(k partitionID, _ *partition) bool { return match(k.topic) })
	s.client.PauseFetchTopics(paused...)
	return paused
}

// ResumeTopics has paused topics fetched again.
func (s *Source) ResumeTopics(topics []string) { s.client.ResumeFetchTopics(topics...) }

// recommitForgotten reads the group's commits and commits again the marks that it has lost. A
// broker that was slow may handle a commit after one that came later, when the
// client had given up on the first.
func (s *Source) recommitForgotten(ctx context.Context) error {
	s.mu.Lock()
	acknowledged := map[partitionID]commitPosition{}
	for k, p := range s.partitions {
		acknowledged[k] = commitPosition{lease: p.lease, mark: offset.Mark{Offset: p.committed, Epoch: -1}, topicID: p.topicID}
	}
	s.mu.Unlock()
	if len(acknowledged) == 0 {
		s.standing.closeIdle()
		return nil
	}
	client, err := s.standing.openClient()
	if err != nil {
		return err
	}
	group, err := kadm.NewClient(client).FetchOffsets(ctx, s.cfg.GroupID)
	if err != nil {
		return err
	}
	for k, p := range acknowledged {
		at, ok := group.Lookup(k.topic, k.partition)
		if !ok && p.topicID == [16]byte{} {
			continue // the topic may have been deleted, and the offset with it: without ids that is unknown
		} else if !ok {
			at.At = -1
		}
		if at.Err == nil && at.At < p.mark.Offset && !p.lease.Closed() {
			s.log.Warn("the group stands behind an offset that was acknowledged; committing it again", "topic", k.topic, "partition", k.partition, "offset", at.At, "acknowledged", p.mark.Offset)
			p.lease.StartAt(p.mark) // where nothing was read since the assignment
			p.lease.ResendMark()
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
