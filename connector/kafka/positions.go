package kafka

import (
	"context"
	"errors"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/connector/offset"
	"kafka-firehose/connector/retry"
)

// Every owned partition needs a position: the offset that the client reads next. After an
// assignment the client has the group's offsets, and partitions whose offset is
// trusted are read at once. The others wait here, each alone, for the question that is open:
// where the partition starts, whether the topic is still the same, where the log went. The
// client names an error of a partition once and expects the application to act, so
// nothing else would ever read those partitions again.
//
// A decision becomes a seek, which the polling goroutine passes to the client between two
// polls: no rebalance can begin there, so the partition is still owned.

const (
	// placeEvery is how often a partition without a position is tried again.
	placeEvery = 2 * time.Second
	// passGap is the least time between two looks: a commit that is refused asks for another one.
	passGap = 250 * time.Millisecond
	// idleEvery is how often the goroutine looks without a reason.
	idleEvery = 15 * time.Second
)

// wakePositions has the positions looked at now. It never blocks.
func (s *Source) wakePositions() {
	select {
	case s.kicked <- struct{}{}:
	default:
	}
}

// watchPositions finds positions until ctx ends.
func (s *Source) watchPositions(ctx context.Context) {
	wait, failed := idleEvery, 0
	for {
		t := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-s.kicked:
		case <-t.C:
		}
		t.Stop()
		if ctx.Err() != nil {
			return
		}
		open, err := s.findPositions(ctx)
		if failed++; err == nil {
			failed = 0
		}
		if wait = idleEvery; open {
			wait = retry.Backoff{Min: placeEvery, Max: idleEvery}.Doubled(failed)
		}
		_ = retry.Sleep(ctx, passGap)
	}
}

// findPositions looks at everything that is open once. open is true if something still is, or if there are faults to
// log; the error is that of a whole request.
func (s *Source) findPositions(ctx context.Context) (open bool, err error) {
	for _, step := range []func(context.Context) error{s.investigateSuspects, s.locateDoubted, s.learnTopics, s.placeWaiting} {
		err = errors.Join(err, step(ctx)) // they ask different brokers: one that fails keeps no other
	}
	if err != nil && ctx.Err() == nil && !s.access.isKnown([]any{err}) {
		s.log.Warn("some partitions have no position yet, trying again", "error", err)
	}
	s.noteSilentBrokers()
	owned := s.ownedPartitions()
	faulty := s.faults.dropEnded(owned)
	s.watchStops()
	for _, f := range []*partitionFaults{s.commits, s.stops} {
		faulty = f.dropEnded(owned) || faulty // their lines are due by the clock
	}
	return s.hasUnsettled() || faulty, err
}

// ownedPartitions is the set of owned partitions.
func (s *Source) ownedPartitions() map[partitionID]bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	owned := make(map[partitionID]bool, len(s.partitions))
	for k := range s.partitions {
		owned[k] = true
	}
	return owned
}

// hasUnsettled reports whether a question is open.
func (s *Source) hasUnsettled() bool {
	knows := s.knowsTopics()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.suspects) > 0 || s.joined && !knows {
		return true
	}
	for _, p := range s.partitions {
		if !p.isPlaced() || p.outOfRange || p.stopReason != nil {
			return true
		}
	}
	return false
}

// setFound has the polling goroutine read a partition on from an offset. It needs s.mu.
func (s *Source) setFound(p *partition, at offset.Mark) {
	p.seekTo, p.seekEpoch = at.Offset, at.Epoch
	p.expected = at.Offset
	if s.seeking = true; s.stopPoll != nil {
		s.stopPoll()
	}
}

// pendingSeeks takes the offsets that the client is to read on from. again has others for partitions
// where it may stand there already: it ignores a seek to its own position, and drops nothing then that is under way for an
// early partition. resume are the partitions that were held for want of a position.
func (s *Source) pendingSeeks() (to, again map[string]map[int32]kgo.EpochOffset, resume map[string][]int32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.seeking {
		return nil, nil, nil
	}
	s.seeking, resume = false, map[string][]int32{}
	put := func(into *map[string]map[int32]kgo.EpochOffset, k partitionID, at kgo.EpochOffset) {
		if *into == nil {
			*into = map[string]map[int32]kgo.EpochOffset{}
		}
		if (*into)[k.topic] == nil {
			(*into)[k.topic] = map[int32]kgo.EpochOffset{}
		}
		(*into)[k.topic][k.partition] = at
	}
	for k, p := range s.partitions {
		if p.seekTo < 0 {
			continue
		}
		if p.reading || p.early {
			put(&again, k, kgo.EpochOffset{Epoch: -1, Offset: p.seekTo + 1})
		}
		put(&to, k, kgo.EpochOffset{Epoch: p.seekEpoch, Offset: p.seekTo})
		if !p.reading && !p.heldBack() {
			resume[k.topic] = append(resume[k.topic], k.partition)
		}
		p.reading, p.early, p.seekTo = true, false, -1
		s.faults.endFault(k)
		if !s.unplaced.IsZero() {
			s.noteSession()
		}
	}
	return to, again, resume
}

// applySeeks passes the seeks to the client. It belongs to the polling goroutine, before rebalances
// are allowed. Nothing is polled between the two calls, so the offset of the first is never read.
func (s *Source) applySeeks() {
	to, again, resume := s.pendingSeeks()
	s.client.SetOffsets(again)
	s.client.SetOffsets(to)
	s.client.ResumeFetchPartitions(resume)
}
