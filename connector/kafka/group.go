package kafka

import (
	"context"
	"errors"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/connector/offset"
)

// onAssigned opens a lease for each partition that this member was given. A
// partition that is there already was taken away without a word (its topic was
// purged): its old lease ends here.
//
// A member that was thrown out of the group joins again under a new id, and the client keeps the partitions that
// it had without a word, although others may have owned them meanwhile. Their leases end here, and they are read
// again from the group's offsets.
func (s *Source) onAssigned(_ context.Context, client *kgo.Client, added map[string][]int32) {
	member, _ := client.GroupMetadata()
	s.mu.Lock()
	var ended []*offset.Lease
	if s.member != "" && s.member != member {
		ended = s.startOver()
	}
	s.member = member
	s.joined, s.wasMember, s.turnedAway = true, true, time.Time{}
	s.abandoned = 0
	if s.joinedAt.IsZero() {
		s.joinedAt = time.Now()
	}
	n := 0
	for topic, ids := range added {
		if !s.routed(topic) {
			s.leaveAlone(topic)
			continue
		}
		s.metrics.ExpectTopic(topic)
		s.metrics.SetTopicPaused(topic, s.unwanted(topic))
		s.handler.ExpectTopic(topic)
		for _, p := range ids {
			k := partitionID{topic, p}
			old, opened := s.partitions[k], newPartition(topic, p)
			if old != nil {
				old.lease.Close()
				s.releaseHold(k, old)
			}
			if opened.early = old != nil || !s.clientKnows(k); opened.early {
				s.pauseFetching(k)
			}
			s.partitions[k] = opened
			s.updateUnwanted(k, opened)
			n++
		}
	}
	total := len(s.partitions)
	if s.unplaced.IsZero() || total == 0 {
		s.noteSession()
	}
	s.mu.Unlock()
	if len(ended) > 0 {
		s.endLeases(ended)
	}
	if len(ended) > 0 || !s.knowsTopics() { // topics that appear from here on are new
		s.wakePositions()
	}

	s.metrics.Member.Set(1)
	s.metrics.Partitions.Set(float64(total))
	s.updateShares()
	if n > 0 {
		s.metrics.Rebalances.WithLabelValues("assigned").Inc()
		s.log.Info("partitions assigned", "added", n, "owned", total)
	}
}

// startOver replaces the leases of all partitions by new ones, which wait for their positions. It returns the old
// leases. It needs s.mu.
func (s *Source) startOver() (ended []*offset.Lease) {
	for k, p := range s.partitions {
		ended = append(ended, p.lease)
		p.lease.Close()
		s.releaseHold(k, p)
		s.partitions[k] = newPartition(k.topic, k.partition)
		s.updateUnwanted(k, s.partitions[k])
		s.holdPartition(k, s.partitions[k])
	}
	return ended
}

// endLeases tells of leases that ended without a drain, and has their records dropped.
func (s *Source) endLeases(ended []*offset.Lease) {
	again := countOutstanding(ended)
	s.abandonOutstanding(again)
	s.handler.ReleaseLeases(ended)
	s.metrics.Rebalances.WithLabelValues("lost").Inc()
	s.log.Warn("this process was thrown out of the group and has joined again: partitions that it kept are read again from the group's offsets", "kept", len(ended), "records_again", again)
}

// countOutstanding is the number of records of leases that were put in a batch and are not committed.
func countOutstanding(leases []*offset.Lease) (n int64) {
	for _, l := range leases {
		n += l.Begun()
	}
	return n
}

// thrownOut reports whether the client has joined the group again under a new id, of which assigned has not heard yet.
// The partitions may have had other owners since.
func (s *Source) thrownOut() bool {
	member, _ := s.client.GroupMetadata()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.member != "" && member != s.member
}

// onRevoked delivers and commits the records in flight of the partitions that go, and
// then fences them. It is called at the end of every group session, mostly with
// no partitions.
//
// The story of a revoke: the poller is parked in a poll, which does not return
// before this does; so the pipelines are asked directly, and a batch that lingers is
// sealed by them, not by the poller. Whatever is not accepted when the time is
// over stays uncommitted and is delivered by the next owner. Once this returns,
// nothing of these partitions is committed here: their leases are closed, and a
// commit that read their marks before carries a generation that ends with this
// rebalance.
func (s *Source) onRevoked(ctx context.Context, _ *kgo.Client, gone map[string][]int32) {
	leases := s.leasesOf(gone)
	if len(leases) == 0 {
		return
	}
	if s.thrownOut() {
		s.dropPartitions(gone)
		s.endLeases(leases)
		return
	}
	begin := time.Now()
	late := s.awaitSettled(ctx, begin, s.handler.ReleaseLeases(leases))

	final, cancel := context.WithTimeout(ctx, finalCommit)
	err := s.commitLast(final, leases)
	cancel()
	again := countOutstanding(leases)
	s.dropPartitions(gone)
	s.abandonOutstanding(again)

	s.metrics.Rebalances.WithLabelValues("revoked").Inc()
	if late > 0 {
		s.metrics.DrainLate.Inc()
	}
	log := s.log.With("records_again", again, "removed", len(leases), "owned", s.countOwned(), "took", time.Since(begin).Round(time.Millisecond).String())
	switch {
	case err != nil:
		log.Warn("partitions revoked; their last commit failed, the next owner delivers again what it would have covered", "error", err)
	case late > 0:
		log.Warn("partitions revoked before all of their records were accepted; the next owner delivers the rest again")
	default:
		log.Info("partitions revoked")
	}
}

// finalCommit bounds the commit of a revoke.
const finalCommit = 5 * time.Second

// awaitSettled waits until everything in the batches of the leases is accepted, until
// KAFKA_REVOKE_DRAIN_TIMEOUT after begin at most, and returns how many leases were too late.
func (s *Source) awaitSettled(ctx context.Context, begin time.Time, leases []PendingLease) (late int) {
	ctx, cancel := context.WithDeadline(ctx, begin.Add(s.cfg.RevokeDrainTimeout))
	defer cancel()
	for _, l := range leases {
		drained := l.Lease.Drained()
		select {
		case <-drained:
		case <-l.InVain:
		case <-s.leaving: // the pipelines have ended; nothing settles any more
		case <-ctx.Done():
		}
		select {
		case <-drained:
		case <-l.InVain:
		default:
			late++
		}
	}
	return late
}

// onLost fences partitions that other members own already: no drain, no commit.
func (s *Source) onLost(_ context.Context, _ *kgo.Client, gone map[string][]int32) {
	leases := s.leasesOf(gone)
	s.mu.Lock()
	s.joined = false
	s.noteUnplacedLost(gone)
	s.mu.Unlock()
	s.metrics.Member.Set(0)
	if len(leases) == 0 {
		return
	}
	for _, l := range leases {
		l.Close() // first of all, before anything that could wait
	}
	again := countOutstanding(leases)
	s.dropPartitions(gone)
	s.abandonOutstanding(again)
	s.handler.ReleaseLeases(leases)
	s.metrics.Rebalances.WithLabelValues("lost").Inc()
	s.log.Warn("partitions lost: this process is out of the group, or can't reach it; what was not committed is delivered again by their next owner", "removed", len(leases), "records_again", again, "owned", s.countOwned())
}

// noteSession notes that the group serves this process: its offsets are known, or it has no partition. It needs s.mu.
func (s *Source) noteSession() {
	s.unplaced = time.Time{}
	s.access.noteGranted("group", "group "+s.cfg.GroupID)
}

// errUnplaced is that of sessions of the group in which nothing could be read.
var errUnplaced = errors.New("each session of the group ends before the offsets of its partitions are known")

// noteUnplacedLost notes that partitions are lost before they had a position. The client gives a session up when the coordinator does not
// answer for the offsets, and joins again at once: it is a member nearly all the time, and reads nothing. It needs s.mu.
func (s *Source) noteUnplacedLost(gone map[string][]int32) {
	for topic, ids := range gone {
		for _, n := range ids {
			p := s.partitions[partitionID{topic, n}]
			if p != nil && !p.isPlaced() && (s.unplaced.IsZero() || p.assignedAt.Before(s.unplaced)) {
				s.unplaced = p.assignedAt
			}
		}
	}
	if !s.unplaced.IsZero() && time.Since(s.unplaced) >= faultGrace {
		s.access.noteRefusal(place{"group", "group " + s.cfg.GroupID}, "the group's coordinator lets this process in and does not answer for the group's offsets; its log says why", errUnplaced)
	}
}

// dropPartitions closes the leases of partitions and forgets them.
func (s *Source) dropPartitions(gone map[string][]int32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for topic, ids := range gone {
		for _, n := range ids {
			p := s.partitions[partitionID{topic, n}]
			if p == nil {
				continue
			}
			p.lease.Close()
			delete(s.partitions, partitionID{topic, n})
			s.metrics.ForgetPartition(topic, n)
			s.faults.endFault(partitionID{topic, n})
			s.commits.endFault(partitionID{topic, n})
			s.stops.forgetPartition(partitionID{topic, n}) // its next owner stops, too
			s.releaseHold(partitionID{topic, n}, p)
		}
		if !s.ownsAny(topic) {
			s.metrics.ForgetTopicPaused(topic)
		}
	}
	s.metrics.Partitions.Set(float64(len(s.partitions)))
	s.updateShares()
}

// releaseHold ends the pauses of a partition that has gone: the client remembers them by
// name, for its next assignment. It needs s.mu.
func (s *Source) releaseHold(k partitionID, p *partition) {
	if p.paused {
		s.metrics.Paused.Dec()
	}
	if p.heldBack() || p.left || p.early {
		s.client.ResumeFetchPartitions(map[string][]int32{k.topic: {k.partition}})
	}
}

func (s *Source) countOwned() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.partitions)
}

// HasJoined reports whether the process is a member of the group, with or without
// partitions.
func (s *Source) HasJoined() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.joined
}
