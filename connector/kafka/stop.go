package kafka

import "kafka-firehose/connector/offset"

// Stop delivers nothing more of a partition, because its record at an offset can't be, and nothing behind a
// record may be committed before it. The other partitions go on. It lasts until the lease ends, and is told in the log
// each minute, in Faults and in the metric of faulty partitions. offset is -1 if the record is in another partition.
func (s *Source) Stop(lease *offset.Lease, offset int64, reason error) {
	lease.Stop(reason)
	k := id{lease.Topic, lease.Partition}
	s.mu.Lock()
	p := s.partitions[k]
	owned := p != nil && p.lease == lease
	if owned {
		p.stoppedAt = offset
		s.client.PauseFetchPartitions(map[string][]int32{k.topic: {k.partition}})
	}
	s.mu.Unlock()
	if owned {
		s.repeatStops()
		s.kick()
	}
}

// repeatStops notes all stopped partitions again, or their faults would count as over.
func (s *Source) repeatStops() {
	stopped := map[id]fault{}
	s.mu.Lock()
	for k, p := range s.partitions {
		if reason := p.lease.Stopped(); reason != nil {
			stopped[k] = fault{reason: "bad_record", message: "BAD_RECORD_POLICY is stop", err: reason, offset: p.stoppedAt}
		}
	}
	s.mu.Unlock()
	for k, f := range stopped {
		s.stops.begin(k, f)
	}
}
