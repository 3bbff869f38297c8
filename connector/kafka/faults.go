package kafka

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"
)

// partitionFaults keeps why owned partitions can't be read, or can't be committed, as long as it lasts: for
// readiness, the metric, and a log line each minute. It is safe for concurrent use.
type partitionFaults struct {
	log *slog.Logger
	can string // the operation that fails: read, committed or delivered
	// grace is for how long a fault does not count against readiness: most pass by
	// themselves, such as the election of a leader.
	grace time.Duration

	mu     sync.Mutex
	all    map[partitionID]partitionFault // the partition is -1 for a whole topic
	minute time.Time                      // when the lines were last counted from 0
	lines  int                            // logged since then
	untold int                            // not logged since then, because there were too many
}

// partitionFault is why it can't be done to one partition, or to one topic, now.
type partitionFault struct {
	reason  string // one of metrics.FaultReasons
	message string
	err     error
	offset  int64 // the next offset that is wanted, -1 if unknown

	since, last, told time.Time
}

// The operations that fail for partitions with faults.
const (
	read        = "read"
	committable = "committed"
	deliverable = "delivered"
)

const (
	// faultFor is how long a fault counts that is not repeated. Everything is tried again
	// within 20 seconds.
	faultFor = 30 * time.Second
	// faultTold is how often a fault is logged while it lasts.
	faultTold = time.Minute
	// faultGrace is the grace of faults that pass by themselves.
	faultGrace = 30 * time.Second
	// faultsNamed is how many partitions a text names; of the others it has the number.
	faultsNamed = 5
	// faultLines is how many faults are logged in a minute; of the others the log has the number.
	faultLines = 20
)

// beginFault notes a fault, and logs it when it is new and each minute.
func (f *partitionFaults) beginFault(k partitionID, now partitionFault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now.last = time.Now()
	now.since = now.last
	if old, ok := f.all[k]; ok && !old.isOver(now.last) {
		now.since = old.since
		if old.reason == now.reason {
			now.told = old.told
		}
	}
	f.all[k] = now
	f.tellIfDue(k, now.last)
}

// dropEnded drops the faults that are over, and those of partitions that went while their error was polled, and logs those
// that are due. It reports whether there are any.
func (f *partitionFaults) dropEnded(owned map[partitionID]bool) (some bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now()
	maps.DeleteFunc(f.all, func(k partitionID, one partitionFault) bool { return one.isOver(now) || k.partition >= 0 && !owned[k] })
	for k := range f.all {
		f.tellIfDue(k, now)
	}
	f.countFrom(now)
	return len(f.all) > 0
}

// countFrom begins a new minute of lines when the last one is over. It needs f.mu.
func (f *partitionFaults) countFrom(now time.Time) {
	if now.Sub(f.minute) < faultTold {
		return
	}
	if f.untold > 0 {
		f.log.Error("more partitions have faults than are named here; kafka_firehose_kafka_faulty_partitions counts them", "not_named", f.untold)
	}
	f.minute, f.lines, f.untold = now, 0, 0
}

// tellIfDue logs a fault at most once a minute. It needs f.mu.
func (f *partitionFaults) tellIfDue(k partitionID, now time.Time) {
	one := f.all[k]
	if now.Sub(one.told) < faultTold {
		return
	}
	one.told = now
	f.all[k] = one
	f.countFrom(now)
	if f.lines == faultLines {
		f.untold++
		return
	}
	f.lines++
	log := f.log.With("topic", k.topic)
	if k.partition >= 0 {
		log = log.With("partition", k.partition)
	}
	if one.offset >= 0 {
		log = log.With("offset", one.offset)
	}
	lasted := now.Sub(one.since)
	if lasted >= time.Second {
		log = log.With("for", lasted.Round(time.Second).String())
	}
	level := slog.LevelWarn
	if lasted >= f.grace {
		level = slog.LevelError
	}
	switch f.can {
	case read:
		log.Log(context.Background(), level, "a partition can't be read", "cause", one.message, "error", one.err)
	case committable:
		log.Log(context.Background(), level, "the offset of a partition can't be committed", "cause", one.message, "error", one.err)
	case deliverable:
		log.Log(context.Background(), level, "a partition is stopped at a record that can't be delivered", "cause", one.message, "error", one.err)
	}
}

// endFault says that the fault of a partition is over, or that the partition has gone.
func (f *partitionFaults) endFault(k partitionID) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.all) == 0 {
		return
	}
	for _, k := range []partitionID{k, {k.topic, -1}} {
		one, ok := f.all[k]
		if !ok {
			continue
		}
		delete(f.all, k)
		if lasted := time.Since(one.since); lasted >= f.grace {
			f.log.Info("the fault of a partition is over", "topic", k.topic, "partition", k.partition, "after", lasted.Round(time.Second).String())
		}
	}
}

// forgetPartition drops the fault of a partition that has gone, which is not the end of it.
func (f *partitionFaults) forgetPartition(k partitionID) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.all, k)
}

// joinedError names the partitions that have a fault now and why, nil for none.
func (f *partitionFaults) joinedError() error {
	type named struct {
		partitionID
		partitionFault
	}
	var all []named
	now := time.Now()
	f.mu.Lock()
	for k, one := range f.all {
		if !one.isOver(now) && now.Sub(one.since) >= f.grace {
			all = append(all, named{k, one})
		}
	}
	f.mu.Unlock()
	slices.SortFunc(all, func(a, b named) int {
		return cmp.Or(a.since.Compare(b.since), cmp.Compare(a.topic, b.topic), cmp.Compare(a.partition, b.partition))
	})
	var errs []error
	for i, n := range all {
		if i == faultsNamed {
			errs = append(errs, fmt.Errorf("and %d more partitions can't be %s, the first of them for %s", len(all)-i, f.can, now.Sub(n.since).Round(time.Second)))
			break
		}
		where := "topic " + n.topic
		if n.partition >= 0 {
			where += fmt.Sprintf(" partition %d", n.partition)
		}
		errs = append(errs, fmt.Errorf("%s can't be %s for %s: %s: %w", where, f.can, now.Sub(n.since).Round(time.Second), n.message, n.err))
	}
	return errors.Join(errs...)
}

// countReason is the number of partitions, and of topics as a whole, that have a fault for a reason.
func (f *partitionFaults) countReason(reason string) (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now()
	for _, one := range f.all {
		if one.reason == reason && !one.isOver(now) {
			n++
		}
	}
	return n
}

func (f partitionFault) isOver(now time.Time) bool { return now.Sub(f.last) >= faultFor }
