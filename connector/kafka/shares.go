package kafka

import (
	"context"
	"slices"
	"time"
)

// sharesEvery is how often the partitions of the group's topics are counted, without a rebalance. A
// topic that gets more partitions makes one within minutes.
const sharesEvery = 30 * time.Second

// watchShares tells the handler which part of the topics this member owns, after each rebalance.
func (s *Source) watchShares(ctx context.Context) {
	tick := time.NewTicker(sharesEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.regrouped:
		case <-tick.C:
		}
		s.countShares(ctx)
	}
}

// regroup has the shares counted now.
func (s *Source) regroup() {
	select {
	case s.regrouped <- struct{}{}:
	default:
	}
}

// countShares counts the owned partitions and all partitions, of each topic of the group. What a broker
// does not say is left as it was: a share that is a little old does no harm.
func (s *Source) countShares(ctx context.Context) {
	owned := map[string]int{}
	s.mu.Lock()
	for k := range s.partitions {
		owned[k.topic]++
	}
	s.mu.Unlock()
	topics := s.client.GetConsumeTopics()
	for topic := range owned {
		topics = append(topics, topic)
	}
	topics = slices.DeleteFunc(topics, func(topic string) bool { return !s.routed(topic) })
	slices.Sort(topics)
	topics = slices.Compact(topics)
	if len(owned) == 0 || len(topics) == 0 {
		return
	}
	view, err := s.describe(ctx, topics)
	if err != nil {
		s.log.Debug("the partitions of the topics are not known, trying again", "error", err)
		return
	}
	shares := make(map[string]Share, len(topics))
	for _, topic := range topics {
		all := max(len(view.topics[topic].leaders), owned[topic])
		shares[topic] = Share{Owned: owned[topic], All: all}
	}
	s.handler.Shares(shares)
}

// Share is the part of a topic's partitions that this member owns.
type Share struct{ Owned, All int }
