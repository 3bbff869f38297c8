package kafka

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kafka-firehose/connector/offset"
)

const (
	// promptly is how soon after the process came to the group the end of a log is where it was then.
	promptly = time.Second
	// assignedFor is how long the client may take to fetch the group's offsets after an
	// assignment before that counts as a fault.
	assignedFor = 10 * time.Second
	// assignedAgain is how long after the first assignment of an early partition the second one may come. The client
	// asks for it as soon as it has the metadata.
	assignedAgain = 2 * time.Second
	// farFuture is how far a record's timestamp may be ahead of the clock before it says
	// nothing about when the record was written.
	farFuture = time.Hour
)

// resolveStarts implements kgo.AdjustFetchOffsetsFn: it is called after an assignment with the
// offsets that the group has committed, before the new partitions are fetched. Partitions
// that have one and can be trusted are read from there.
//
// The others, among them those whose offset the coordinator refused to tell, wait for
// findPositions. The client forgets a partition that gets no offset here, and no later
// seek reaches it. So they get one, and are paused until the right one is known.
func (s *Source) resolveStarts(ctx context.Context, fetched map[string]map[int32]kgo.Offset) (map[string]map[int32]kgo.Offset, error) {
	view, err := s.describeTopics(ctx, s.matchingTopics(func(_ partitionID, p *partition) bool { return !p.reading }))
	if err != nil && ctx.Err() == nil {
		s.log.Warn("the topics of an assignment can't be described, trying again", "error", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	starts := map[string]map[int32]kgo.Offset{}
	for k, p := range s.partitions {
		at, found := fetched[k.topic][k.partition]
		switch {
		case !found && (p.reading || p.left):
			continue // of an assignment before
		case p.reading:
			at = kgo.NewOffset().At(p.expected)
		case !found || p.early || !s.placeAtOnce(k, p, view):
			s.holdPartition(k, p)
			at = kgo.NewOffset().At(max(p.expected, 0))
		}
		if starts[k.topic] == nil {
			starts[k.topic] = map[int32]kgo.Offset{}
		}
		starts[k.topic][k.partition] = at
	}
	clear(s.fetched)
	s.wakePositions()
	return starts, nil
}

// holdPartition keeps a partition without a position from being fetched. It needs s.mu.
func (s *Source) holdPartition(k partitionID, p *partition) {
	p.left = true
	s.pauseFetching(k)
}

// placeAtOnce places a partition that has an offset of the group and needs no further question. It needs s.mu.
func (s *Source) placeAtOnce(k partitionID, p *partition, view topicView) bool {
	t, described := view.topics[k.topic]
	own, fetched := s.fetched[k]
	if !described || t.err != nil || !fetched || own.err != nil || own.offset < 0 {
		return false
	}
	decided := s.startQuestionOf(k, view, own, groupSighting{}).decideStart()
	if decided.from != fromCommit {
		return false
	}
	p.setIdentity(decided.marker)
	p.begin, p.expected, p.committed = own.offset, own.offset, own.offset
	p.reading = true
	if !s.unplaced.IsZero() {
		s.noteSession()
	}
	return true
}

// offsetsFetched implements kgo.OnOffsetsFetched: it keeps the offsets with their metadata, which start is
// called without.
func (s *Source) offsetsFetched(_ context.Context, _ *kgo.Client, resp *kmsg.OffsetFetchResponse) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.fetched)
	for _, g := range resp.Groups {
		for _, t := range g.Topics {
			for _, p := range t.Partitions {
				s.fetched[partitionID{t.Topic, p.Partition}] = committedOf(p)
			}
		}
	}
	return nil
}

// startQuestionOf is the question where a partition starts. It needs s.mu.
func (s *Source) startQuestionOf(k partitionID, view topicView, own committedOffset, seen groupSighting) startQuestion {
	t := view.topics[k.topic]
	return startQuestion{
		reset:     s.cfg.AutoOffsetReset,
		now:       commitMarker{cluster: view.cluster, topic: t.id, subscription: s.cfg.subscriptionHash()},
		partition: k.partition, partitions: len(t.leaders),
		joined: s.joinedAt.UnixMilli() + 1, appeared: s.topicAppeared(k.topic, t.id),
		late: time.Since(s.joinedAt) > promptly, own: own, sighting: seen,
	}
}

// setIdentity notes which topic a partition belongs to and what its commits carry.
func (p *partition) setIdentity(m commitMarker) {
	p.topicID = m.topic
	p.marker = m.String()
}

// waitingPartitions are the partitions that have no position.
func (s *Source) waitingPartitions() map[partitionID]*partition {
	s.mu.Lock()
	defer s.mu.Unlock()
	open := map[partitionID]*partition{}
	for k, p := range s.partitions {
		switch {
		case p.isPlaced():
		case p.left && !s.awaitsMetadata(k, p):
			open[k] = p
		case time.Since(p.assignedAt) >= assignedFor && p.left:
			s.noteUnplaced(k, kerr.LeaderNotAvailable)
		case time.Since(p.assignedAt) >= assignedFor:
			s.noteUnplaced(k, errors.New("the group's coordinator has not answered for its offset"))
		}
	}
	return open
}

// clientKnows reports whether the client has a leader of the partition in its metadata.
func (s *Source) clientKnows(k partitionID) bool {
	leader, _, _ := s.client.PartitionLeader(k.topic, k.partition)
	return leader >= 0
}

// awaitsMetadata reports whether the client may still be assigned an early partition once more. It needs s.mu.
//
// The story of an early partition: a topic is created again under its name, this process subscribes to it anew, and the
// coordinator assigns its partitions before the client has metadata of them. The client asks where their logs begin
// and, when metadata has come, is assigned them a second time. It does not drop that question then: the answer comes a
// second later and sets the partition back to where it began, in the middle of its records. So nothing is
// fetched of an early partition until it was assigned for the last time. Then its position is set by
// two seeks, which drop the question.
func (s *Source) awaitsMetadata(k partitionID, p *partition) bool {
	return p.early && (time.Since(p.assignedAt) < assignedAgain || !s.clientKnows(k))
}

// placeWaiting finds where the partitions without a position start. A partition that can't be placed
// waits alone. A request for all of them that fails is a fault of each that has waited for assignedFor.
func (s *Source) placeWaiting(ctx context.Context) error {
	open := s.waitingPartitions()
	if len(open) == 0 {
		return nil
	}
	err := s.placePartitions(ctx, open)
	if err == nil || ctx.Err() != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for k, p := range open {
		if s.isWaiting(k, p) && time.Since(p.assignedAt) >= assignedFor {
			s.noteUnplaced(k, err)
		}
	}
	return err
}

func (s *Source) placePartitions(ctx context.Context, open map[partitionID]*partition) error {
	topics := topicsOf(open)
	view, err := s.describeTopics(ctx, topics)
	if err != nil {
		return err
	}
	offsets, err := s.groupOffsets(ctx, view, topics)
	if err != nil {
		return err
	}
	decided := s.decideStarts(ctx, open, view, offsets)
	s.startAt(open, s.answerStarts(ctx, view, decided))
	return s.confirmStarts(ctx, open)
}

// isWaiting reports whether a partition that had no position is still owned and still has none. It needs s.mu.
func (s *Source) isWaiting(k partitionID, p *partition) bool {
	return s.partitions[k] == p && !p.isPlaced()
}

// isPlaced reports whether the client has a position for the partition or is about to get one.
func (p *partition) isPlaced() bool { return p.reading || p.seekTo >= 0 }

// decideStarts decides for each partition. It returns the decisions that need an offset of the log.
func (s *Source) decideStarts(ctx context.Context, open map[partitionID]*partition, view topicView, offsets map[partitionID]committedOffset) map[partitionID]startDecision {
	sightings, doubts := s.findSightings(ctx, open, view, offsets)
	knows := s.knowsTopics()
	starts := map[partitionID]startDecision{}
	nowhere, missing := partitionID{}, false
	s.mu.Lock()
	defer s.mu.Unlock()
	for k, p := range open {
		if !s.isWaiting(k, p) {
			continue
		}
		own, asked := offsets[k]
		if reason := unplacedReason(view.topics[k.topic], own, asked); reason != nil {
			s.noteUnplaced(k, reason)
			continue
		}
		if p.begin >= 0 {
			continue // its start is to be committed
		}
		decided := s.startQuestionOf(k, view, own, sightings[k.topic]).decideStart()
		if decided.from != fromCommit && !knows {
			continue
		}
		if doubt := doubts[k.topic]; decided.from != fromCommit && doubt != nil {
			s.noteUnplaced(k, fmt.Errorf("the group's offsets of the topic are incomplete: %w", doubt))
			continue
		}
		if decided.recreated && p.foreign.IsZero() {
			p.foreign = time.Now()
		}
		if decided.recreated && time.Since(p.foreign) < confirmAfter {
			continue // the broker that was asked may be behind
		}
		switch decided.from {
		case fromCommit:
			p.setIdentity(decided.marker)
			p.begin, p.committed = own.offset, own.offset
			s.setFound(p, offset.Mark{Offset: own.offset, Epoch: own.epoch})
		case fromNowhere:
			nowhere, missing = k, true
		case fromBeginning, fromEnd, fromTime:
			starts[k] = decided
		}
		if decided.recreated {
			s.log.Warn("the group's offset belongs to a topic of the same name that was deleted; it is ignored", "topic", k.topic, "partition", k.partition, "offset", own.offset)
		}
	}
	if missing {
		s.failWith(fmt.Errorf("topic %s partition %d has no committed offset in group %s, and KAFKA_AUTO_OFFSET_RESET is none: commit one, or say where to start with earliest, latest or a time", nowhere.topic, nowhere.partition, s.cfg.GroupID))
	}
	return starts
}

// unplacedReason is the reason why nothing can be decided about a partition yet, nil for none.
func unplacedReason(t topicState, own committedOffset, asked bool) error {
	switch {
	case t.err != nil:
		return t.err
	case !asked: // metadata does not have the partition yet
		return kerr.UnknownTopicOrPartition
	}
	return own.err
}

// findSightings reads the offsets of the topics' partitions, and only if a topic has none those of the whole group.
// doubts are the topics whose offsets were not all told.
func (s *Source) findSightings(ctx context.Context, open map[partitionID]*partition, view topicView, offsets map[partitionID]committedOffset) (sightings map[string]groupSighting, doubts map[string]error) {
	if mode := s.cfg.AutoOffsetReset.Mode; mode == "earliest" || mode == "time" {
		return nil, nil
	}
	ofTopic := map[string][]committedOffset{}
	for topic, t := range view.topics {
		for n := range t.leaders {
			c, told := offsets[partitionID{topic, int32(n)}]
			if !told {
				c = committedOffset{offset: -1, err: errUnanswered}
			}
			ofTopic[topic] = append(ofTopic[topic], c)
		}
	}
	var all map[string][]committedOffset
	// Other members may have committed offsets of the topic itself since: these don't say that it is new.
	others := func(topic string) (of []committedOffset, err error) {
		if all == nil {
			all, err = s.allGroupOffsets(ctx)
		}
		for other, offsets := range all {
			if other != topic {
				of = append(of, offsets...)
			}
		}
		return of, err
	}
	sightings, doubts = map[string]groupSighting{}, map[string]error{}
	for _, topic := range topicsOf(open) {
		now := commitMarker{cluster: view.cluster, topic: view.topics[topic].id, subscription: s.cfg.subscriptionHash()}
		seen, err := findSighting(now, ofTopic[topic], func() ([]committedOffset, error) { return others(topic) })
		if err != nil {
			doubts[topic] = err
		}
		sightings[topic] = seen
	}
	return sightings, doubts
}

// noteUnplaced notes that a partition has no position.
func (s *Source) noteUnplaced(k partitionID, err error) {
	message := "the offset that the partition is read from is unknown, trying again"
	if d, ok := s.cfg.DiagnoseError(err); ok {
		message += ": " + d.Hint
	}
	s.faults.beginFault(k, partitionFault{reason: "position", message: message, err: err, offset: -1})
}
