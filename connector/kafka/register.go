package kafka

import (
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/connector/offset"
)

// register counts the records of one partition with its lease and hands them
// over. Between the poll and here no rebalance can begin, unless the group is being
// left, so a partition without a lease is one that was given up on purpose: its
// topic was created anew, and what is left of the old one is nobody's. It is false when the records are from
// before others that the lease has seen.
func (s *Source) register(p kgo.FetchTopicPartition, topicID [16]byte, polled time.Time) bool {
	first, last := p.Records[0].Offset, p.Records[len(p.Records)-1].Offset
	s.mu.Lock()
	delete(s.recreated, p.Topic)
	s.access.granted("topic", p.Topic)
	k := id{p.Topic, p.Partition}
	part := s.partitions[k]
	if part == nil || part.lease.Closed() {
		s.mu.Unlock()
		s.log.Warn("records of a partition that is not owned any more were left out", "topic", p.Topic, "partition", p.Partition, "records", len(p.Records))
		return true
	}
	if !part.lease.Register(first, last, len(p.Records)) {
		s.mu.Unlock()
		return false
	}
	s.gap(p, part, first)
	if part.begin < 0 {
		part.begin = first
	}
	part.topicID = topicID
	part.expected = last + 1
	part.sample(p.Records[len(p.Records)-1], polled)
	lease := part.lease
	s.holdIfFar(k, part)
	s.mu.Unlock()

	bytes, batches, headers := int64(0), int64(0), 0
	for i, r := range p.Records {
		bytes += int64(Size(r))
		headers += len(r.Headers)
		if i == 0 || r.Context != p.Records[i-1].Context { // one for all records of a batch
			batches++
		}
	}
	s.metrics.Records.WithLabelValues(p.Topic).Add(float64(len(p.Records)))
	s.metrics.Bytes.WithLabelValues(p.Topic).Add(float64(bytes))
	s.handler.Take(lease, p.Records, bytes+int64(len(p.Records))*RecordBytes+int64(headers)*headerBytes+batches*batchBytes, polled)
	return true
}

// goBack begins a partition again that was rewound under its lease, because the
// log was cut or the client reset its position.
//
// The old lease's marks no longer mean what they say: the offsets above the
// rewind may hold other records now. So it is closed, and whatever of it was not
// accepted is given up. That may lie before the rewind, hence the partition is
// read again from the group's commit, or from where it was first read; what was
// accepted since comes twice.
func (s *Source) goBack(p kgo.FetchTopicPartition, back map[string]map[int32]kgo.EpochOffset) {
	first := p.Records[0].Offset
	s.mu.Lock()
	defer s.mu.Unlock()
	part := s.partitions[id{p.Topic, p.Partition}]
	if part == nil {
		return
	}
	to := first
	if from := max(part.committed, part.begin); from >= 0 {
		to = min(first, from)
	}
	s.log.Error("the partition went back to an earlier offset: its log was cut or reset; reading again from the last commit, and what was accepted since comes twice",
		"topic", p.Topic, "partition", p.Partition, "expected", part.expected, "offset", first, "again_from", to)
	part.lease.Close()
	part.lease = offset.NewLease(p.Topic, p.Partition)
	part.expected, part.begin, part.committed = to, to, min(part.committed, to)
	part.samples = nil
	if back[p.Topic] == nil {
		back[p.Topic] = map[int32]kgo.EpochOffset{}
	}
	back[p.Topic][p.Partition] = kgo.EpochOffset{Epoch: -1, Offset: to}
}

// gap tells when retention was faster than the group: the log begins after the
// offset that should have come next.
func (s *Source) gap(p kgo.FetchTopicPartition, part *partition, first int64) {
	if part.expected < 0 || first <= part.expected || p.LogStartOffset <= part.expected {
		return
	}
	n := min(p.LogStartOffset, first) - part.expected
	s.metrics.Expired.WithLabelValues(p.Topic).Add(float64(n))
	s.log.Error("records were removed from Kafka before they were read: retention has passed the group's position; going on at the start of the log",
		"topic", p.Topic, "partition", p.Partition, "expected", part.expected, "log_start", p.LogStartOffset, "offsets", n)
}

// Size is what a record weighs in bytes: key, value and headers.
func Size(r *kgo.Record) int {
	n := len(r.Key) + len(r.Value)
	for i := range r.Headers {
		n += len(r.Headers[i].Key) + len(r.Headers[i].Value)
	}
	return n
}
