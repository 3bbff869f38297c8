package kafka

import (
	"math"
	"time"

	"kafka-firehose/connector/offset"
)

// stopRetry is how long a partition stands before its record is tried again: a schema may be there by then, or
// retention may have removed the record.
const stopRetry = 5 * time.Minute

// StopPartition ends the delivery of a partition, because its record at an offset can't be delivered, and nothing behind a
// record may be committed before it. The other partitions continue. Until the record passes, the stop is reported in the log
// each minute, in PartitionFaults and in the metric of faulty partitions. A record that was never sent is tried again every
// stopRetry; where it was, others behind it have been accepted, and would come twice each time. offset is -1 if the record
// is in another partition.
func (s *Source) StopPartition(lease *offset.Lease, offset int64, reason error) {
	k := partitionID{lease.Topic, lease.Partition}
	s.mu.Lock()
	p := s.partitions[k]
	owned := p != nil && p.lease == lease
	if owned {
		p.stoppedAt, p.stoppedSince, p.stopReason = offset, time.Now(), reason
		s.pauseFetching(k)
	}
	lease.Stop(reason)
	s.mu.Unlock()
	if owned {
		s.watchStops()
		s.wakePositions()
	}
}

// watchStops notes the stopped partitions again, or their faults would count as over, and has those read again that are
// due. It ends the faults of those whose record has passed.
func (s *Source) watchStops() {
	stopped, passed := map[partitionID]partitionFault{}, []partitionID{}
	s.mu.Lock()
	for k, p := range s.partitions {
		stands := p.lease.Stopped() != nil
		if stands && time.Since(p.stoppedSince) >= stopRetry && !p.lease.HasFailed() && p.isSettled() && max(p.committed, p.begin) >= 0 {
			s.restartPartition(k, p, math.MaxInt64) // from the group's offset, which is that of the record
		}
		switch tried := !stands && p.stopReason != nil; { // again, since the last stop
		case tried && p.committed > p.stoppedAt:
			p.stopReason = nil
			passed = append(passed, k)
		case tried, stands:
			stopped[k] = partitionFault{reason: "bad_record", message: "BAD_RECORD_POLICY is stop", err: p.stopReason, offset: p.stoppedAt}
		}
	}
	s.mu.Unlock()
	for k, f := range stopped {
		s.stops.beginFault(k, f)
	}
	for _, k := range passed {
		s.stops.endFault(k)
	}
}

// isSettled reports whether everything that was sent of the partition is committed, so that nothing comes twice if it is
// read again.
func (p *partition) isSettled() bool {
	_, waits := p.lease.CommitMark()
	_, open := p.lease.Oldest()
	return !waits && !open
}
