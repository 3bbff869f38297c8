package kafka

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/connector/offset"
)

// start is called after an assignment with the offsets that the group has
// committed, before anything of the new partitions is fetched. Partitions
// without a commit hold the start option instead.
//
// Where "latest" or a time is now is asked once and committed at once. Asked
// again after a crash it would have moved, and the records between would be
// skipped although this process may have read them already.
func (s *Source) start(ctx context.Context, fetched map[string]map[int32]kgo.Offset) (map[string]map[int32]kgo.Offset, error) {
	open := map[string][]int32{}
	s.mu.Lock()
	for topic, parts := range fetched {
		for n, o := range parts {
			p := s.partitions[id{topic, n}]
			if at := o.EpochOffset().Offset; at >= 0 && p != nil {
				p.begin, p.expected, p.committed = at, at, at
				s.know(topic, 0) // the group has been here before
			} else if p != nil {
				open[topic] = append(open[topic], n)
			}
		}
	}
	if len(open) == 0 {
		s.resolved = true
	}
	s.mu.Unlock()
	if len(open) == 0 || s.cfg.AutoOffsetReset.Mode == "earliest" {
		return fetched, nil
	}
	if s.cfg.AutoOffsetReset.Mode == "none" {
		for topic, parts := range open {
			s.fail(fmt.Errorf("topic %s partition %d has no committed offset in group %s, and KAFKA_AUTO_OFFSET_RESET is none: commit one, or say where to start with earliest, latest or a time", topic, parts[0], s.cfg.GroupID))
			for _, n := range parts {
				delete(fetched[topic], n)
			}
		}
		return fetched, nil
	}
	if err := s.resolve(ctx, open, fetched); err != nil {
		return nil, fmt.Errorf("find where %s is: %w", s.cfg.AutoOffsetReset, err)
	}
	if err := s.Commit(ctx); err != nil && s.uncommittedStart(open) {
		return nil, err
	}
	return fetched, nil
}

// uncommittedStart reports whether one of the partitions has a start that Kafka
// has not acknowledged. Others may have failed in the same commit.
func (s *Source) uncommittedStart(open map[string][]int32) bool {
	for _, l := range s.leases(open) {
		if _, ok := l.Mark(); ok {
			return true
		}
	}
	return false
}

// resolve replaces the start option of the open partitions by an offset, and
// makes it their first mark.
func (s *Source) resolve(ctx context.Context, open map[string][]int32, fetched map[string]map[int32]kgo.Offset) error {
	listed, err := s.list(ctx, open)
	if err != nil {
		return err
	}
	topics, err := s.admin.ListTopicsWithInternal(ctx, slices.Collect(maps.Keys(open))...)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for topic, parts := range open {
		for _, n := range parts {
			l, ok := listed.Lookup(topic, n)
			if !ok {
				return fmt.Errorf("topic %s partition %d: the broker did not answer for it", topic, n)
			}
			if l.Err != nil {
				return fmt.Errorf("topic %s partition %d: %w", topic, n, l.Err)
			}
			if s.appeared(topic, n, len(listed[topic])) {
				fetched[topic][n] = kgo.NewOffset().AtStart()
				continue
			}
			fetched[topic][n] = kgo.NewOffset().At(l.Offset)
			if p := s.partitions[id{topic, n}]; p != nil {
				p.begin, p.expected, p.topicID = l.Offset, l.Offset, [16]byte(topics[topic].ID)
				p.lease.Start(offset.Mark{Offset: l.Offset, Epoch: l.LeaderEpoch})
			}
		}
	}
	s.resolved = true
	return nil
}

// appeared reports whether a partition was not there yet when the group came to
// its topic, or the topic not when the process came to the group. With latest, all
// its records are newer than that, also those that were written before it was
// found. partitions is how many the topic has now. It needs s.mu.
func (s *Source) appeared(topic string, partition int32, partitions int) bool {
	if s.resolved {
		partitions = 0
	}
	s.know(topic, partitions)
	return s.cfg.AutoOffsetReset.Mode == "latest" && int(partition) >= s.known[topic]
}

// know notes how many partitions of a topic have no records that latest would
// leave out, unless that was noted before.
func (s *Source) know(topic string, partitions int) {
	if _, seen := s.known[topic]; !seen {
		s.known[topic] = partitions
	}
}

func (s *Source) list(ctx context.Context, open map[string][]int32) (kadm.ListedOffsets, error) {
	topics := slices.Collect(maps.Keys(open))
	if s.cfg.AutoOffsetReset.Mode == "time" {
		return s.admin.ListOffsetsAfterMilli(ctx, s.cfg.AutoOffsetReset.At.UnixMilli(), topics...)
	}
	return s.ends(ctx, topics)
}

// ends lists where topics end for this reader.
func (s *Source) ends(ctx context.Context, topics []string) (kadm.ListedOffsets, error) {
	return endsOf(ctx, s.admin, s.cfg.IsolationLevel, topics)
}

// endsOf lists where topics end at an isolation level: with read_committed that is
// before the first open transaction.
func endsOf(ctx context.Context, admin *kadm.Client, isolation string, topics []string) (kadm.ListedOffsets, error) {
	if isolation == "read_committed" {
		return admin.ListCommittedOffsets(ctx, topics...)
	}
	return admin.ListEndOffsets(ctx, topics...)
}
