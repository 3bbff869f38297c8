package kafka

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// topicView is what one broker says of some topics.
type topicView struct {
	cluster string
	topics  map[string]topicState
}

type topicState struct {
	id      [16]byte // zero where brokers have no ids (before Kafka 2.8)
	leaders []int32  // by partition, -1 for none
	err     error    // the topic can't be described; the rest is empty then
}

// describeTopics asks a broker for topics, for all that it has with nil. It creates none.
func (s *Source) describeTopics(ctx context.Context, topics []string) (topicView, error) {
	resp, err := s.askAnyone(ctx, metadataRequest(topics))
	if err != nil {
		return topicView{}, fmt.Errorf("describe topics: %w", err)
	}
	return newTopicView(resp), nil
}

// metadataRequest asks for topics, for all with nil.
func metadataRequest(topics []string) *kmsg.MetadataRequest {
	req := kmsg.NewPtrMetadataRequest()
	if topics != nil {
		req.Topics = []kmsg.MetadataRequestTopic{}
	}
	for _, name := range topics {
		t := kmsg.NewMetadataRequestTopic()
		t.Topic = new(name)
		req.Topics = append(req.Topics, t)
	}
	return req
}

func newTopicView(resp *kmsg.MetadataResponse) topicView {
	view := topicView{topics: make(map[string]topicState, len(resp.Topics))}
	if resp.ClusterID != nil {
		view.cluster = *resp.ClusterID
	}
	for _, t := range resp.Topics {
		if t.Topic == nil {
			continue
		}
		state := topicState{id: t.TopicID, err: kerr.ErrorForCode(t.ErrorCode)}
		for _, p := range t.Partitions {
			for int(p.Partition) >= len(state.leaders) {
				state.leaders = append(state.leaders, -1)
			}
			state.leaders[p.Partition] = p.Leader
		}
		view.topics[*t.Topic] = state
	}
	return view
}

// topicsOf are the topics of partitions. They are not nil, which describe would take for all topics.
func topicsOf[V any](partitions map[partitionID]V) []string {
	topics := []string{}
	for k := range partitions {
		topics = append(topics, k.topic)
	}
	slices.Sort(topics)
	return slices.Compact(topics)
}

// matchingTopics are those of the owned partitions that match.
func (s *Source) matchingTopics(match func(k partitionID, p *partition) bool) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	matching := maps.Clone(s.partitions)
	maps.DeleteFunc(matching, func(k partitionID, p *partition) bool { return !match(k, p) })
	return topicsOf(matching)
}

// describeTimeouts bound the attempts to describe topics. Each asks another broker: one that hangs does not hold up a
// commit for long. For all topics of a cluster the answer may be large.
var describeTimeouts = []time.Duration{time.Second, 2 * time.Second, 4 * time.Second}

const describeAllTimeout = 10 * time.Second

// askAnyone asks one broker after the other.
func (s *Source) askAnyone(ctx context.Context, req *kmsg.MetadataRequest) (resp *kmsg.MetadataResponse, err error) {
	client, err := s.standing.openClient()
	if err != nil {
		return nil, err
	}
	timeouts := describeTimeouts
	if req.Topics == nil {
		timeouts = []time.Duration{describeAllTimeout}
	}
	for _, timeout := range timeouts {
		bounded, cancel := context.WithTimeout(ctx, timeout)
		resp, err = req.RequestWith(bounded, client)
		cancel()
		if err == nil || ctx.Err() != nil {
			break
		}
	}
	return resp, err
}

// topicSuspicion is a reason to believe that a topic was deleted and created again.
type topicSuspicion struct {
	client   [16]byte  // id that the client fetches, zero if unknown
	differed time.Time // when metadata first had another id; zero before
}

// confirmAfter is how long metadata has to show another id of a topic. A broker that is
// behind with its metadata shows an older id for a moment.
const confirmAfter = 2 * time.Second

// suspectTopic has the topic's id looked up. An answer UNKNOWN_TOPIC_ID alone proves nothing: a
// broker that has just started gives it for topics that it is about to hear of. client is
// the id that was not known, zero if the error does not say.
func (s *Source) suspectTopic(topic string, client [16]byte) {
	s.mu.Lock()
	about := s.suspects[topic]
	isNew := about == nil
	if isNew {
		about = &topicSuspicion{}
		s.suspects[topic] = about
	}
	if client != [16]byte{} {
		about.client = client
	}
	s.mu.Unlock()
	if isNew {
		s.wakePositions()
	}
}

// investigateSuspects compares the ids of suspected topics with those in the metadata, and reads
// the topics that were created again from their start.
func (s *Source) investigateSuspects(ctx context.Context) error {
	s.mu.Lock()
	topics := slices.Collect(maps.Keys(s.suspects))
	s.mu.Unlock()
	if len(topics) == 0 {
		return nil
	}
	view, err := s.describeTopics(ctx, topics)
	if err != nil {
		return err
	}
	for _, topic := range topics {
		switch s.verdictOn(topic, view.topics[topic], time.Now()) {
		case topicRecreated:
			s.log.Error("the topic was deleted and created again: reading the new topic from its beginning, or from the time in KAFKA_AUTO_OFFSET_RESET; records of the old topic that were not delivered are lost", "topic", topic)
			s.resubscribeTopic(topic)
		case topicUnclear, topicSame:
		case clientOutdated:
			s.log.Warn("the client has an outdated id of the topic: subscribing to it again", "topic", topic)
			s.resubscribeTopic(topic)
		}
	}
	return nil
}

type topicVerdict int

const (
	topicUnclear   topicVerdict = iota // it stays suspected
	topicSame                          // it was not created again
	topicRecreated                     // metadata has another id than the partitions here
	clientOutdated                     // metadata has the id of the partitions, and the client asks for another one
)

// verdictOn decides about a suspected topic by its id in the metadata.
func (s *Source) verdictOn(topic string, now topicState, at time.Time) (v topicVerdict) {
	s.mu.Lock()
	defer s.mu.Unlock()
	about := s.suspects[topic]
	v = topicSame
	for k, p := range s.partitions {
		switch {
		case k.topic != topic || about == nil:
		case now.err != nil || now.id == [16]byte{}:
			return topicUnclear
		case p.topicID != [16]byte{} && p.topicID != now.id:
			v = topicRecreated
		case v == topicSame && about.client != [16]byte{} && about.client != now.id:
			v = clientOutdated
		}
	}
	if v != topicSame && about.differed.IsZero() {
		about.differed = at
	}
	if v != topicSame && at.Sub(about.differed) < confirmAfter {
		return topicUnclear
	}
	delete(s.suspects, topic)
	return v
}

// resubscribeTopic begins again with a topic that was deleted and created under its old
// name. The client would ask for the id that it knows without end. The old leases must
// not commit offsets of the old topic into the new one, so they end first.
func (s *Source) resubscribeTopic(topic string) {
	gone := s.copyAssignment()
	maps.DeleteFunc(gone, func(other string, _ []int32) bool { return other != topic })
	leases := s.leasesOf(gone)
	s.dropPartitions(gone)
	s.handler.ReleaseLeases(leases)
	s.client.PurgeTopicsFromConsuming(topic)
	s.client.AddConsumeTopics(topic) // with a pattern the client finds the topic again
}

// checkIDs suspects the topics of owned partitions whose id in the metadata differs. Paused
// partitions fetch nothing, and brokers before Kafka 3.1 are asked for records by name, so
// no fetch would notice.
func (s *Source) checkIDs(ctx context.Context) error {
	topics := topicsOf(s.ownedPartitions())
	if len(topics) == 0 {
		return nil
	}
	view, err := s.describeTopics(ctx, topics)
	if err != nil {
		return err
	}
	for _, topic := range s.matchingTopics(func(k partitionID, p *partition) bool { return p.foreignTo(view.topics[k.topic].id) }) {
		s.suspectTopic(topic, [16]byte{})
	}
	return nil
}

// currentMarks leaves the marks of topics that have the id that their records came from. Before OffsetCommit v10
// (Kafka 4.2) a broker stores a commit under the topic's name, whatever topic has it now.
func (s *Source) currentMarks(ctx context.Context, marks map[partitionID]commitPosition, refused refusedCommits) (map[partitionID]commitPosition, error) {
	withID := maps.Clone(marks)
	maps.DeleteFunc(withID, func(_ partitionID, p commitPosition) bool { return p.topicID == [16]byte{} })
	if len(withID) == 0 {
		return marks, nil
	}
	view, err := s.describeTopics(ctx, topicsOf(withID))
	if err != nil {
		return nil, err
	}
	kept := make(map[partitionID]commitPosition, len(marks))
	for k, p := range marks {
		switch now := view.topics[k.topic]; {
		case p.topicID == [16]byte{}, p.topicID == now.id:
			kept[k] = p
		case now.err != nil:
			refused[k] = now.err
		case now.id != [16]byte{}:
			refused[k] = kerr.UnknownTopicID
			s.suspectTopic(k.topic, [16]byte{})
		default:
			kept[k] = p // the broker that answered has no ids: the cluster is being updated
		}
	}
	return kept, nil
}

// learnTopics notes once which topics there were when this process first was in the group. With latest, all
// other topics have appeared since.
func (s *Source) learnTopics(ctx context.Context) error {
	if s.knowsTopics() || !s.HasJoined() {
		return nil
	}
	var names []string // all
	if s.cfg.TopicPattern == "" {
		names = s.cfg.Topics
	}
	view, err := s.describeTopics(ctx, names)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.present = map[string][16]byte{}
	for name, t := range view.topics {
		if !errors.Is(t.err, kerr.UnknownTopicOrPartition) {
			s.present[name] = t.id
		}
	}
	return nil
}

// knowsTopics reports whether the topics are noted, or don't matter for where partitions start.
func (s *Source) knowsTopics() bool {
	mode := s.cfg.AutoOffsetReset.Mode
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.present != nil || mode == "earliest" || mode == "time"
}

// topicAppeared reports whether a topic was not there when this process first was in the group. It needs s.mu.
func (s *Source) topicAppeared(topic string, now [16]byte) bool {
	if s.present == nil {
		return false
	}
	then, there := s.present[topic]
	return !there || then != now && then != [16]byte{}
}
