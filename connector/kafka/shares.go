package kafka

import (
	"context"
	"slices"
	"time"
)

// sharesEvery is how often the partitions of the group's topics are counted beside each rebalance: a count
// that failed is repeated.
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

// updateShares makes watchShares count the shares now.
func (s *Source) updateShares() {
	select {
	case s.regrouped <- struct{}{}:
	default:
	}
}

// countShares counts the owned partitions and all partitions of each topic of the group. If no broker
// answers, the handler keeps the shares from before. A member without partitions has a share of 0, and asks no broker.
func (s *Source) countShares(ctx context.Context) {
	owned := s.copyAssignment()
	if len(owned) == 0 {
		s.handler.UpdateShares(nil)
		return
	}
	topics := slices.DeleteFunc(s.listTopics(owned), func(topic string) bool { return !s.routed(topic) })
	view, err := s.describeTopics(ctx, topics)
	if err != nil {
		s.log.Debug("the partitions of the topics are not known, trying again", "error", err)
		return
	}
	shares := make(map[string]TopicShare, len(topics))
	for _, topic := range topics {
		n := len(owned[topic])
		shares[topic] = TopicShare{Owned: n, All: max(n, len(view.topics[topic].leaders))}
	}
	s.handler.UpdateShares(shares)
}

// TopicShare is the part of a topic's partitions that this member owns.
type TopicShare struct{ Owned, All int }
