package kafka

import (
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/connector/kafka/fetch"
)

// registerFetched counts the records of one partition with its lease and hands them
// over. Between the poll and here no rebalance can begin, unless the group is being
// left, so a partition without a lease is one that was given up on purpose: its
// topic was created again, and records that are left of the old topic have no owner. It is false when the
// records are from before others that the lease has seen.
func (s *Source) registerFetched(p kgo.FetchTopicPartition, topicID [16]byte, polled time.Time) bool {
	first, last := p.Records[0].Offset, p.Records[len(p.Records)-1].Offset
	s.mu.Lock()
	s.access.noteGranted("topic", p.Topic)
	k := partitionID{p.Topic, p.Partition}
	part := s.partitions[k]
	if part != nil && (!part.reading || part.seekTo >= 0) {
		s.mu.Unlock()
		return true // it is about to be read from elsewhere, these records with it
	}
	if part == nil || part.lease.Closed() || part.foreignTo(topicID) {
		s.mu.Unlock()
		s.log.Warn("records of a partition that is not owned any more were left out", "topic", p.Topic, "partition", p.Partition, "records", len(p.Records))
		return true
	}
	if !part.lease.RegisterRecords(first, last, len(p.Records)) {
		s.mu.Unlock()
		return false
	}
	if part.begin < 0 {
		part.begin = first
	}
	part.expected = last + 1
	part.lastTime = p.Records[len(p.Records)-1].Timestamp
	part.outOfRange = false
	part.sampleDelay(p.Records[len(p.Records)-1], polled)
	s.faults.endFault(k)
	lease := part.lease
	s.holdIfFar(k, part)
	s.mu.Unlock()

	bytes, weight := Weigh(p.Records)
	s.metrics.Records.WithLabelValues(p.Topic).Add(float64(len(p.Records)))
	s.metrics.Bytes.WithLabelValues(p.Topic).Add(float64(bytes))
	s.handler.TakeRecords(lease, p.Records, weight, polled)
	return true
}

// Weigh returns the bytes of keys, values and headers of records, and their memory with everything beside.
func Weigh(records []*kgo.Record) (bytes, memory int64) {
	batches, headers := int64(0), 0
	for i, r := range records {
		bytes += int64(RecordSize(r))
		headers += len(r.Headers)
		if i == 0 || r.Context != records[i-1].Context { // one for all records of a batch
			batches++
		}
	}
	return bytes, bytes + int64(len(records))*fetch.RecordBytes + int64(headers)*fetch.HeaderBytes + batches*fetch.BatchBytes
}

// foreignTo reports whether the partition belongs to another topic of the same name than records that came
// under the id. Brokers before Kafka 3.1 send records without one.
func (p *partition) foreignTo(topicID [16]byte) bool {
	return topicID != [16]byte{} && p.topicID != [16]byte{} && topicID != p.topicID
}

// rewindPartition begins a partition again whose records came from before others that its lease has seen: its log was
// cut, and the client has found the offset from which the log holds other records.
func (s *Source) rewindPartition(p kgo.FetchTopicPartition) {
	first := p.Records[0].Offset
	s.mu.Lock()
	defer s.mu.Unlock()
	k := partitionID{p.Topic, p.Partition}
	part := s.partitions[k]
	if part == nil {
		return
	}
	expected := part.expected
	to := s.restartPartition(k, part, first)
	s.log.Error("the partition went back to an earlier offset: its log was cut or reset; reading again from the last commit, and records accepted since then come twice",
		"topic", p.Topic, "partition", p.Partition, "expected", expected, "offset", first, "again_from", to)
}

// RecordSize is what a record weighs in bytes: key, value and headers.
func RecordSize(r *kgo.Record) int {
	n := len(r.Key) + len(r.Value)
	for i := range r.Headers {
		n += len(r.Headers[i].Key) + len(r.Headers[i].Value)
	}
	return n
}
