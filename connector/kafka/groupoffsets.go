package kafka

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// groupOffsets fetches the group's offsets of all partitions of topics.
func (s *Source) groupOffsets(ctx context.Context, view topicView, topics []string) (map[partitionID]committedOffset, error) {
	req := kmsg.NewPtrOffsetFetchRequest()
	req.RequireStable = true // an offset that is about to be committed in a transaction counts
	g := kmsg.NewOffsetFetchRequestGroup()
	g.Group = s.cfg.GroupID
	names := map[[16]byte]string{}
	for _, topic := range topics {
		t := kmsg.NewOffsetFetchRequestGroupTopic()
		t.Topic, t.TopicID = topic, view.topics[topic].id
		names[t.TopicID] = topic
		for n := range view.topics[topic].leaders {
			t.Partitions = append(t.Partitions, int32(n))
		}
		if len(t.Partitions) > 0 {
			g.Topics = append(g.Topics, t)
		}
	}
	if len(g.Topics) == 0 {
		return nil, nil
	}
	req.Groups = append(req.Groups, g)
	ctx, cancel := context.WithTimeout(ctx, positionTimeout)
	defer cancel()
	client, err := s.standing.openClient()
	if err != nil {
		return nil, err
	}
	resp, err := req.RequestWith(ctx, client)
	if err != nil {
		return nil, fmt.Errorf("fetch the offsets of group %s: %w", s.cfg.GroupID, err)
	}
	offsets := map[partitionID]committedOffset{}
	for _, g := range resp.Groups {
		if err := kerr.ErrorForCode(g.ErrorCode); err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
			return nil, fmt.Errorf("fetch the offsets of group %s: %w", s.cfg.GroupID, err)
		}
		for _, t := range g.Topics {
			topic := t.Topic
			if topic == "" {
				topic = names[t.TopicID]
			}
			for _, p := range t.Partitions {
				offsets[partitionID{topic, p.Partition}] = committedOf(p)
			}
		}
	}
	return offsets, nil
}

func committedOf(p kmsg.OffsetFetchResponseGroupTopicPartition) committedOffset {
	c := committedOffset{offset: p.Offset, epoch: p.LeaderEpoch, err: kerr.ErrorForCode(p.ErrorCode)}
	if p.Metadata != nil {
		c.marker, c.marked = parseMarker(*p.Metadata)
	}
	return c
}

// allGroupOffsets are those of all topics that the group has offsets of, by topic.
func (s *Source) allGroupOffsets(ctx context.Context) (map[string][]committedOffset, error) {
	ctx, cancel := context.WithTimeout(ctx, positionTimeout)
	defer cancel()
	client, err := s.standing.openClient()
	if err != nil {
		return nil, err
	}
	offsets, err := kadm.NewClient(client).FetchOffsets(ctx, s.cfg.GroupID)
	if err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
		return nil, fmt.Errorf("fetch the offsets of group %s: %w", s.cfg.GroupID, err)
	}
	all := map[string][]committedOffset{}
	for topic, partitions := range offsets {
		for _, o := range partitions {
			c := committedOffset{offset: o.At, epoch: o.LeaderEpoch, err: o.Err}
			c.marker, c.marked = parseMarker(o.Metadata)
			all[topic] = append(all[topic], c)
		}
	}
	return all, nil
}
