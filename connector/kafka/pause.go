package kafka

import (
	"time"

	"kafka-firehose/connector/offset"
)

// commitSoon is how often partitions that are too far ahead of their commit are looked at: a
// commit that lets one continue does not wait for KAFKA_COMMIT_INTERVAL. After one that failed
// the next waits for commitLater.
const (
	commitSoon  = 100 * time.Millisecond
	commitLater = time.Second
)

// holdIfFar pauses a partition that is too far ahead of its commit, so that what a
// crash delivers twice stays bounded. The commit that ends the pause comes as soon as enough
// records have settled; behind a record that is never accepted the pause lasts. It needs s.mu.
func (s *Source) holdIfFar(k partitionID, p *partition) {
	n, limit := p.lease.CountUncommitted(), int64(s.cfg.MaxUncommittedRecords)
	if p.paused || n < limit {
		return
	}
	p.paused = true
	s.metrics.Paused.Inc()
	s.pauseFetching(k)
	s.log.Info("partition paused: it is as far ahead of its commit as KAFKA_MAX_UNCOMMITTED_RECORDS allows", "topic", k.topic, "partition", k.partition, "uncommitted", n, "limit", limit)
	select {
	case s.held <- struct{}{}:
	default:
	}
}

// resumeBelow is the number of uncommitted records at which a paused partition continues.
func (s *Source) resumeBelow() int64 { return int64(s.cfg.MaxUncommittedRecords) / 2 }

// canResume reports whether a commit now would let a paused partition continue.
func (s *Source) canResume() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.partitions {
		if p.paused && p.lease.Unsettled() <= s.resumeBelow() {
			return true
		}
	}
	return false
}

// hasHolds reports whether a partition is paused until its commit.
func (s *Source) hasHolds() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.partitions {
		if p.paused {
			return true
		}
	}
	return false
}

// resumeWhenRoom lets partitions continue that were paused until their commit.
func (s *Source) resumeWhenRoom() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for k, p := range s.partitions {
		n := p.lease.CountUncommitted()
		s.metrics.SetUncommitted(k.topic, k.partition, n)
		if !p.paused || n > s.resumeBelow() {
			continue
		}
		p.paused = false
		s.metrics.Paused.Dec()
		s.resumeFetching(k, p)
		s.log.Info("partition resumed", "topic", k.topic, "partition", k.partition, "uncommitted", n)
	}
}

// PauseWaiting pauses partitions whose records wait for a schema. Leases that have ended are
// left out.
func (s *Source) PauseWaiting(leases []*offset.Lease) {
	s.mu.Lock()
	defer s.mu.Unlock()
	paused := map[string][]int32{}
	for _, l := range leases {
		if p := s.partitions[partitionID{l.Topic, l.Partition}]; p != nil && p.lease == l && !p.waiting {
			p.waiting = true
			paused[l.Topic] = append(paused[l.Topic], l.Partition)
		}
	}
	if len(paused) > 0 {
		s.client.PauseFetchPartitions(paused)
	}
}

// ResumeWaiting undoes PauseWaiting. A lease may have been replaced since, as restartPartition does.
func (s *Source) ResumeWaiting(leases []*offset.Lease) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range leases {
		k := partitionID{l.Topic, l.Partition}
		if p := s.partitions[k]; p != nil && p.waiting {
			p.waiting = false
			s.resumeFetching(k, p)
		}
	}
}

// heldBack reports whether there is a reason not to fetch the partition.
func (p *partition) heldBack() bool {
	return p.paused || p.waiting || p.resting || p.unwanted || p.lease.Stopped() != nil
}

// pauseFetching keeps the client from fetching a partition. The caller notes the reason in the partition, or the next
// resumeFetching ends the pause. It needs s.mu.
func (s *Source) pauseFetching(k partitionID) {
	s.client.PauseFetchPartitions(map[string][]int32{k.topic: {k.partition}})
}

// resumeFetching has the client fetch a partition unless there is another reason to pause it.
// It needs s.mu.
func (s *Source) resumeFetching(k partitionID, p *partition) {
	if !p.heldBack() && p.reading {
		s.client.ResumeFetchPartitions(map[string][]int32{k.topic: {k.partition}})
	}
}
