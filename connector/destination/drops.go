package destination

import (
	"cmp"
	"slices"
	"sync/atomic"
	"time"
)

const (
	// dropMargin is how close to Retention a destination is while Firehose drops records.
	dropMargin = 15 * time.Minute
	// maxDrops is the number of drops that are over and that a State has.
	maxDrops = 5
)

// Drop is an outage of a destination in which Firehose has probably dropped records.
type Drop struct {
	From, Until time.Time // when Firehose accepted the first and the last of the records
	LastAt      time.Time // when Firehose last dropped some
	// ReplayTo is after the timestamps of all of the records. It is zero while the outage lasts: records that try the destination may
	// still be dropped. It is before Until if the records had waited in Kafka, for a hold.
	ReplayTo time.Time

	wasHeld bool // the stream was held while Firehose dropped records
}

// isZero reports whether d is no drop.
func (d Drop) isZero() bool { return d.LastAt.IsZero() }

// isDropping reports whether Firehose drops records at the value.
func (v MetricValue) isDropping() bool { return v.ageOf() >= Retention-dropMargin }

// dropAt is what Firehose has dropped by a value of a time that is width long.
func dropAt(v MetricValue, width time.Duration) Drop {
	return Drop{From: v.At.Add(-v.ageOf()), Until: v.At.Add(width + dropMargin - Retention), LastAt: v.At}
}

// mergedWith returns the drop that both are a part of.
func (d Drop) mergedWith(other Drop) Drop {
	switch {
	case d.isZero():
		return other
	case other.isZero():
		return d
	}
	return Drop{
		From: earlierOf(d.From, other.From), Until: laterOf(d.Until, other.Until), LastAt: laterOf(d.LastAt, other.LastAt),
		ReplayTo: laterOf(d.ReplayTo, other.ReplayTo), wasHeld: d.wasHeld || other.wasHeld,
	}
}

// overlaps reports whether Firehose accepted records of both drops at the same time.
func (d Drop) overlaps(other Drop) bool {
	return !d.From.After(other.Until) && !other.From.After(d.Until)
}

func earlierOf(a, b time.Time) time.Time { return slices.MinFunc([]time.Time{a, b}, time.Time.Compare) }

func laterOf(a, b time.Time) time.Time { return slices.MaxFunc([]time.Time{a, b}, time.Time.Compare) }

// noteDropped extends the drop of the outage, or returns it when the outage is over: the destination is not that late, and the stream is
// not held, nor was it before. So a process that begins to read a partition when the hold ends has found out how far it was sent.
func (s *State) noteDropped(a Answer, before State) (over Drop) {
	if !a.Dropped.isZero() && !slices.ContainsFunc(s.dropped, a.Dropped.overlaps) { // else the answer has values that were told before
		s.dropping = s.dropping.mergedWith(a.Dropped)
	}
	if s.dropping.isZero() {
		return Drop{}
	}
	s.dropping.wasHeld = s.dropping.wasHeld || s.Held
	if s.Freshness.isDropping() || a.Failed || a.NoHistory || s.Held || before.Held {
		return Drop{}
	}
	over, s.dropping = s.dropping, Drop{}
	return over
}

// addHistory adds the drops that CloudWatch's older values show, in their order, and returns those that are over and that the state
// did not have. The last of them becomes part of the drop that may still last: the next step decides whether it does.
func (s *State) addHistory(found []Drop) (over []Drop) {
	for i, d := range found {
		switch {
		case slices.ContainsFunc(s.dropped, d.overlaps):
		case i == len(found)-1 || d.overlaps(s.dropping):
			s.dropping = d.mergedWith(s.dropping)
		default:
			over = append(over, d)
		}
	}
	return over
}

// addDropped adds a drop that is over, and removes those that are older than CloudWatch's values.
func (s *State) addDropped(now time.Time, d Drop) {
	all := slices.DeleteFunc(append(slices.Clone(s.dropped), d), func(d Drop) bool { return now.Sub(d.LastAt) > history })
	slices.SortFunc(all, func(a, b Drop) int { return cmp.Or(a.LastAt.Compare(b.LastAt), a.From.Compare(b.From)) })
	s.dropped = all[max(len(all)-maxDrops, 0):]
}

// Dropped are the drops of the last 15 days, as far as they are known: the newest that are over, in their order, and the one that may
// still last, which has no ReplayTo.
func (s State) Dropped(now time.Time) (all []Drop) {
	for _, d := range s.dropped {
		if now.Sub(d.LastAt) <= history {
			all = append(all, d)
		}
	}
	if !s.dropping.isZero() {
		all = append(all, s.dropping)
	}
	return all
}

// sentRecords is up to which timestamp records of a stream were sent, in milliseconds.
type sentRecords struct {
	packed, polled atomic.Int64 // by this process; before it, by others
	held           int64        // packed when the last hold ended whose drop is not reported yet; AskOnce's alone, 0 without one
}

// raise sets at if it is later.
func raise(to *atomic.Int64, at time.Time) {
	for ms := at.UnixMilli(); ; {
		old := to.Load()
		if ms <= old || to.CompareAndSwap(old, ms) {
			return
		}
	}
}

// replayTo is the end of a replay of the records that were sent before the hold ended, the zero time if none are known.
func (r *sentRecords) replayTo() time.Time {
	ms := max(cmp.Or(r.held, r.packed.Load()), r.polled.Load())
	if ms <= 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).Truncate(time.Second).Add(time.Second)
}

// NotePolled notes the timestamp of the first record of a partition that was assigned: another process has sent those before.
func (s *Stream) NotePolled(at time.Time) { raise(&s.sent.polled, at) }

// NotePacked notes the newest timestamp of records that may be sent from now on.
func (s *Stream) NotePacked(at time.Time) { raise(&s.sent.packed, at) }
