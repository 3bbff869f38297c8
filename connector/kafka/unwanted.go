package kafka

import (
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
// The pause is one of partitions, not of topics: room.pauseOrResume pauses topics in the client while their stream is full, and
// its resume must not end this one.
func (s *Source) PauseReading(unwanted func(topic string) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unwanted = unwanted
	for k, p := range s.partitions {
		was := p.unwanted
		p.unwanted = unwanted(k.topic)
		s.metrics.SetTopicPaused(k.topic, p.unwanted)
		switch {
		case p.unwanted && !was:
			s.pauseFetching(k, p)
		case was && !p.unwanted:
			s.resumeFetching(k, p)
		}
	}
}

// pauseIfUnwanted pauses a partition that has just been assigned, before the client fetches it. It needs s.mu.
func (s *Source) pauseIfUnwanted(k partitionID) {
	if p := s.partitions[k]; s.unwanted(k.topic) {
		p.unwanted = true
		s.pauseFetching(k, p)
	}
}

func (s *Source) pauseFetching(k partitionID, p *partition) {
	p.recommitted = time.Now()
	s.client.PauseFetchPartitions(map[string][]int32{k.topic: {k.partition}})
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

// Reads reports whether the topic is one that this process reads, or would if partitions of it were assigned. With a pattern
// that is not known before the client has found the topics; known is false until then.
func (s *Source) Reads(topic string) (reads, known bool) {
	topics := s.client.GetConsumeTopics()
	_, owned := s.copyAssignment()[topic]
	return owned || slices.Contains(topics, topic), s.cfg.TopicPattern == "" || s.HasJoined() && len(topics) > 0
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
