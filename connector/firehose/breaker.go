package firehose

import (
	"math/rand/v2"
	"time"
)

// condition is what a breaker makes of the last requests.
type condition int

const (
	closed  condition = iota // requests go out
	open                     // the service does not answer: one probe at a time
	blocked                  // the service refuses for good: the same, slower
)

const (
	// breakAfter whole-request failures in a row, with nothing accepted between,
	// are an outage and not bad luck.
	breakAfter = 3
	// The time to the next probe of an open breaker is drawn from zero to this,
	// which doubles with each failed probe.
	openFirst, openMost = 200 * time.Millisecond, 3 * time.Second
	// The time to the next probe of a blocked one. Someone has to repair
	// something first, so there is no hurry.
	blockedFirst, blockedMost = time.Second, 30 * time.Second
)

// breaker decides how many requests may be in flight. It starts like one that
// has just closed, with a single one: the first batches find out what the
// stream takes before a whole wave of them is refused.
//
// It is a pure state machine: the time is passed in.
type breaker struct {
	most   int // configured requests in flight
	random func() float64

	state   condition
	reason  *Failure  // the last one, while not closed
	since   time.Time // when it left closed
	allowed int       // requests in flight while closed; doubles with each success
	inARow  int       // whole-request failures without a success between
	failed  int       // probes that failed
	probeAt time.Time
}

func newBreaker(most int) *breaker {
	return &breaker{most: most, allowed: 1, random: rand.Float64}
}

// wait is how long it takes until a request may start beside those in flight.
// ok is false while only the end of one of them can help.
func (b *breaker) wait(now time.Time, inFlight int) (d time.Duration, ok bool) {
	if b.state == closed {
		return 0, inFlight < b.allowed
	}
	return max(0, b.probeAt.Sub(now)), inFlight < 1
}

// now is how many requests may be in flight.
func (b *breaker) now() int {
	if b.state == closed {
		return b.allowed
	}
	return 1
}

// success is a request of which something was accepted, and answered one that
// was answered, if only with a refusal of each record: the service is there.
// probe says that it was started while the breaker was not closed. What was
// started before an outage and ends well in it says nothing about the outage.
func (b *breaker) success(probe bool) {
	if b.state == closed {
		b.allowed = min(b.most, 2*b.allowed)
	}
	b.answered(probe)
}

func (b *breaker) answered(probe bool) {
	if b.state != closed && !probe {
		return
	}
	if b.state != closed {
		b.allowed = 1
	}
	b.state, b.reason, b.inARow, b.failed = closed, nil, 0, 0
}

// failure is a request that failed as a whole. What those say that were started
// before an outage is known already.
func (b *breaker) failure(now time.Time, f *Failure, probe bool) {
	b.inARow++
	fatal := f.Class == Blocked
	switch {
	case b.state == closed && !fatal && b.inARow < breakAfter:
		return
	case b.state == closed:
		b.since = now
	case b.state == open && fatal: // worse than it seemed
		b.failed = 0
	case !probe:
		return
	}
	switch {
	case fatal:
		b.state, b.reason = blocked, f
	case b.state != blocked:
		b.state, b.reason = open, f
	}
	b.probeAt = now.Add(b.delay(fatal))
	b.failed++
}

// delay is the time to the next probe. A blocked lane whose probe now fails for
// a passing reason is looked at as soon as an open one.
func (b *breaker) delay(fatal bool) time.Duration {
	if fatal {
		d := min(blockedMost, blockedFirst<<min(b.failed, 10))
		return d - time.Duration(b.random()*0.2*float64(d))
	}
	d := min(openMost, openFirst<<min(b.failed, 10))
	return time.Duration(b.random() * float64(d))
}
