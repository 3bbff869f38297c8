package kafka

import (
	"maps"
	"slices"
	"time"

	"kafka-firehose/connector/offset"
)

// recommitEvery is how often the offset of a partition that is not to be read is committed again. Brokers before Kafka 2.1
// drop an offset by the age of its commit, after a day by default.
const recommitEvery = time.Hour

// PauseReading has no record fetched of the topics for which unwanted is true, and has all others fetched. Partitions
// stay assigned and keep their positions; records that were polled are delivered and committed. It holds for partitions
// that are assigned later, too. It replaces the function of the last call, and may be called by any goroutine.
//
// The pause is one of partitions, not of topics: PauseTopics pauses topics in the client while their stream takes no records, and
// ResumeTopics must not end this one.
func (s *Source) PauseReading(unwanted func(topic string) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unwanted = unwanted
	for k, p := range s.partitions {
		s.updateUnwanted(k, p)
		s.metrics.SetTopicPaused(k.topic, p.unwanted)
	}
}

// updateUnwanted pauses or resumes a partition if that changes with the function of PauseReading. One that has just been
// assigned is paused before the client fetches it. It needs s.mu.
func (s *Source) updateUnwanted(k partitionID, p *partition) {
	was := p.unwanted
	p.unwanted = s.unwanted(k.topic)
	switch {
	case p.unwanted && !was:
		p.recommitted = time.Now()
		s.pauseFetching(k)
	case was && !p.unwanted:
		s.resumeFetching(k, p)
	}
}

// recommitUnwanted has the offsets committed again that are due, of partitions that are not to be read.
func (s *Source) recommitUnwanted() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.partitions {
		if p.unwanted && p.committed >= 0 && time.Since(p.recommitted) >= recommitEvery {
			p.recommitted = time.Now()
			p.lease.StartAt(offset.Mark{Offset: p.committed, Epoch: -1}) // where nothing was read since the assignment
			p.lease.ResendMark()
		}
	}
}

// ConsumedTopics returns the topics that this process reads, or would if partitions of them were assigned, sorted. With a
// pattern they are not known before the client has found them; known is false until then.
func (s *Source) ConsumedTopics() (topics []string, known bool) {
	topics = s.listTopics(s.copyAssignment())
	return topics, s.cfg.TopicPattern == "" || s.HasJoined() && len(topics) > 0
}

// listTopics returns the topics that the client consumes and those of the owned partitions, sorted.
func (s *Source) listTopics(owned map[string][]int32) []string {
	topics := slices.AppendSeq(s.client.GetConsumeTopics(), maps.Keys(owned))
	slices.Sort(topics)
	return slices.Compact(topics)
}

// ownsAny reports whether partitions of a topic are owned. It needs s.mu.
func (s *Source) ownsAny(topic string) bool {
	for k := range s.partitions {
		if k.topic == topic {
			return true
		}
	}
	return false
}
