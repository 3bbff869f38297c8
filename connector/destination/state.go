package destination

import (
	"cmp"
	"time"
)

const (
	// valueLife is how long a value counts. CloudWatch publishes values some minutes late, and none while a stream is
	// idle, which it is once Firehose has delivered or dropped all of its records.
	valueLife = time.Hour
	// lookback is the age of the oldest value that a process asks for when it begins, to continue where another ended.
	lookback = Retention
	// vanishMargin is how close to Retention a destination was if the records that Firehose no longer has may have been
	// dropped. With more time left they have been delivered.
	vanishMargin = time.Hour
)

// MetricValue is a value of a metric. Its time is zero if there is none.
type MetricValue struct {
	Amount float64
	At     time.Time
}

// newerOf returns the newer of two values.
func (v MetricValue) newerOf(other MetricValue) MetricValue {
	if other.At.After(v.At) {
		return other
	}
	return v
}

// currentAt returns v, or no value if v no longer counts.
func (v MetricValue) currentAt(now time.Time) MetricValue {
	if now.Sub(v.At) >= valueLife {
		return MetricValue{}
	}
	return v
}

// ageOf is a value in seconds as a duration.
func (v MetricValue) ageOf() time.Duration { return time.Duration(v.Amount * float64(time.Second)) }

// State is the known state of a stream's destination.
type State struct {
	Freshness MetricValue // age of the oldest record that the destination does not have, in seconds; none without a value of the last hour
	Success   MetricValue // share of the deliveries that succeeded, from 0 to 1; none without a value of the last hour
	Held      bool
	Since     time.Time // when the stream was held; zero while it is not

	last     MetricValue // the newest Freshness, however old
	doubtAt  time.Time   // when Firehose may last have dropped records; zero if it has not, or a delivery succeeded since
	probedAt time.Time   // when the last probe was allowed; zero without one since the stream was held
	dropping Drop        // of the outage that may still last
	dropped  []Drop      // of outages that are over, in their order, maxDrops at most; never changed in place
}

// LateBy is how late the destination is, 0 if that is unknown.
func (s State) LateBy() time.Duration { return s.Freshness.ageOf() }

// TimeLeft is the time until Firehose drops records, 0 if it drops them already.
func (s State) TimeLeft() time.Duration { return max(Retention-s.LateBy(), 0) }

// AtRisk is the time in which Firehose accepted the records that a held stream's destination does not have. Firehose drops each of them
// 24 hours after it accepted it, and no later one is sent. Both are zero if the time is unknown, or if a probe was sent since.
func (s State) AtRisk() (from, until time.Time) {
	if !s.Held || s.IsProbing() || s.Freshness.At.IsZero() {
		return time.Time{}, time.Time{}
	}
	return s.Freshness.At.Add(-s.LateBy()), s.Since
}

// Answer is what CloudWatch has answered for a stream.
type Answer struct {
	Freshness, Success MetricValue
	DoubtAt            time.Time // of the newest value that is so late that Firehose may drop records
	Dropped            Drop      // by all values; none of values that are not that late
	Failed             bool      // it did not answer, and there are no values
	// NoHistory says that the older values are not known yet, so that a drop may have begun earlier.
	NoHistory bool
	// ProbeOpen says that the last probe was not sent yet.
	ProbeOpen bool
}

// IsProbing reports whether a held stream waits for the result of the last probe.
func (s State) IsProbing() bool { return s.Held && !s.probedAt.IsZero() }

// stateChange is the change that a step has made.
type stateChange struct {
	held, released bool
	probe          bool // one batch may be sent to see whether it is delivered
	dropped        Drop // set when the outage is over in which Firehose has dropped records
}

// nextState applies an answer. pauseAfter is 0 if no stream is held.
func (s State) nextState(now time.Time, a Answer, pauseAfter time.Duration) (State, stateChange) {
	next := s
	next.last = cmp.Or(a.Freshness, s.last)
	next.Freshness = next.last.currentAt(now)
	next.Success = cmp.Or(a.Success, s.Success).currentAt(now)
	next.noteDoubt(a)
	var c stateChange
	switch {
	case pauseAfter == 0:
	case !s.Held && next.LateBy() > pauseAfter:
		c.held = true
	case !s.Held && s.last.At.IsZero() && next.shouldTry(a, pauseAfter):
		c.held, c.probe = true, true // another process has held it
	case s.Held && a.ProbeOpen && !next.succeededSince(s.probedAt):
		next.probedAt = now
	case s.Held && next.hasDelivered(now, a, pauseAfter):
		c.released = true
	case s.Held && next.shouldTry(a, pauseAfter):
		c.probe = true
	}
	switch {
	case c.held:
		next.Held, next.Since = true, now
	case c.released:
		next.Held, next.Since, next.probedAt, next.doubtAt = false, time.Time{}, time.Time{}, time.Time{}
	}
	if c.probe {
		next.probedAt = now
	}
	c.dropped = next.noteDropped(a, s)
	return next, c
}

// mayDrop reports whether a destination is so late that the records that Firehose no longer has may have been dropped.
func (v MetricValue) mayDrop() bool { return v.ageOf() >= Retention-vanishMargin }

// noteDoubt notes that Firehose may have dropped records, or that a delivery succeeded since.
func (s *State) noteDoubt(a Answer) {
	if a.DoubtAt.After(s.doubtAt) {
		s.doubtAt = a.DoubtAt
	}
	if s.succeededSince(s.doubtAt) || a.Success.At.After(s.doubtAt) && a.Success.Amount > 0 { // however old: the stream may be idle since
		s.doubtAt = time.Time{}
	}
}

// succeededSince reports whether a delivery succeeded after some time.
func (s State) succeededSince(at time.Time) bool {
	return s.Success.At.After(at) && s.Success.Amount > 0
}

// hasVanished reports whether CloudWatch answers and has no value of the last hour: Firehose has no record of the stream.
func (s State) hasVanished(a Answer) bool {
	return !a.Failed && s.Freshness.At.IsZero() && !s.last.At.IsZero()
}

// isGone reports whether Firehose no longer has the records that its destination was late with: delivered or dropped.
func (s State) isGone(a Answer, pauseAfter time.Duration) bool {
	return s.hasVanished(a) || !s.Freshness.At.IsZero() && s.LateBy() <= pauseAfter/2
}

// shouldTry reports whether the destination has to be tried, because Firehose may have dropped the records that are gone. A
// probe that was dropped is followed by another.
func (s State) shouldTry(a Answer, pauseAfter time.Duration) bool {
	return s.doubtAt.After(s.probedAt) && s.isGone(a, pauseAfter)
}

// hasDelivered reports whether a held stream may continue.
//
// Before a probe, its destination has caught up, or Firehose has delivered all. After one, a young record proves nothing:
// a delivery has succeeded, or the probe vanished too early to have been dropped. If there is no value of the probe at
// all, or if CloudWatch has failed for as long as Firehose keeps records, nothing is known, and that holds no stream.
func (s State) hasDelivered(now time.Time, a Answer, pauseAfter time.Duration) bool {
	doubtful := s.doubtAt.After(s.probedAt)
	switch {
	case a.Failed:
		return now.Sub(s.last.At) >= Retention
	case s.probedAt.IsZero():
		return s.isGone(a, pauseAfter) && !doubtful
	case s.succeededSince(s.probedAt):
		return true
	case s.last.At.Before(s.probedAt):
		return now.Sub(s.probedAt) >= valueLife
	}
	return s.hasVanished(a) && !doubtful
}
