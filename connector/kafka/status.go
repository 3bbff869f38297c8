package kafka

import (
	"cmp"
	"slices"
	"time"

	"kafka-firehose/connector/offset"
)

// PartitionStatus is an owned partition, for people to look at.
type PartitionStatus struct {
	Topic       string
	Partition   int32
	Lag         int64 // records behind the end of the log, when it was last asked for
	Committed   int64 // the group's offset, -1 if there is none or it is unknown
	Uncommitted int64 // records that were polled since then
	State       string
	Reason      string    // why it is paused; empty in other states
	OldestPoll  time.Time // of its records that are not settled; zero if there are none
}

// PartitionStatuses are the owned partitions, by topic and number. queued is when the oldest record of a partition was polled
// that is in no batch yet.
func (s *Source) PartitionStatuses(queued map[*offset.Lease]time.Time) []PartitionStatus {
	s.mu.Lock()
	all := make([]PartitionStatus, 0, len(s.partitions))
	for k, p := range s.partitions {
		state, reason := p.stateName()
		oldest, open := p.lease.Oldest()
		if at, waits := queued[p.lease]; waits && (!open || at.Before(oldest)) {
			oldest = at
		}
		all = append(all, PartitionStatus{k.topic, k.partition, p.lag, p.committed, p.lease.CountUncommitted(), state, reason, oldest})
	}
	s.mu.Unlock()
	slices.SortFunc(all, func(a, b PartitionStatus) int {
		return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
	})
	return all
}

// stateName returns how the partition is read, and why it is paused.
func (p *partition) stateName() (state, reason string) {
	switch stopped := p.lease.Stopped(); {
	case stopped != nil:
		return "stopped", ""
	case p.unwanted:
		return "paused", "runtime settings"
	case !p.isPlaced():
		return "starting", ""
	case p.paused:
		return "paused", "uncommitted records"
	case p.waiting:
		return "waiting for a schema", ""
	case p.resting:
		return "resting", ""
	}
	return "reading", ""
}
