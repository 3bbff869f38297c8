package limiter

import "time"

// BreakerState says whether requests go out.
type BreakerState int

// States of the breaker.
const (
	BreakerClosed  BreakerState = iota // requests go out
	BreakerOpen                        // the service doesn't answer: one probe at a time
	BreakerBlocked                     // the service refuses until an operator changes something: slower probes
)

const (
	// openFailures requests in a row that fail as a whole, the last of them openTime
	// after the first, are an outage. Three in a row are common where 30 % of the
	// requests fail, once a second; a second full of them is not.
	openFailures = 3
	openTime     = time.Second
	// spacing is the time between requests after openFailures in a row, until the
	// breaker opens: failures that take no time would be sent by the hundred.
	spacing = 50 * time.Millisecond
	// The time to the next probe of an open breaker is drawn from zero to
	// minOpenDelay, which doubles with each failed probe up to maxOpenDelay.
	minOpenDelay, maxOpenDelay = 200 * time.Millisecond, 3 * time.Second
	// The same for a blocked breaker, drawn from the upper fifth. An operator has to
	// change something first, so there is no hurry.
	minBlockedDelay, maxBlockedDelay = time.Second, 30 * time.Second
	blockedJitter                    = 0.2
)

// breaker stops sending while the service doesn't answer.
type breaker struct {
	random func() float64

	state    BreakerState
	since    time.Time // when it left BreakerClosed
	failures int       // whole-request failures in a row while closed
	first    time.Time // the first of these failures
	probes   int       // probes that failed
	next     time.Time // when the next request may start, unless trusted
}

// isTrusted reports whether the service answers as far as is known. Otherwise one
// request at a time is sent, even before the breaker opens.
func (b *breaker) isTrusted() bool { return b.state == BreakerClosed && b.failures < openFailures }

// openFor returns the time until a request may start.
func (b *breaker) openFor(now time.Time) time.Duration {
	if b.isTrusted() {
		return 0
	}
	return max(0, b.next.Sub(now))
}

// observeOutcome enters the result of a request. probe says that it was started while
// the breaker was not closed: the results of requests from before an outage say
// nothing about it. It returns whether the breaker has just closed.
func (b *breaker) observeOutcome(now time.Time, probe bool, o Outcome) (closed bool) {
	switch o {
	case Answered: // the service is there, even if it refused each record
		closed = probe && b.state != BreakerClosed
		if closed || b.state == BreakerClosed {
			b.state, b.failures, b.probes = BreakerClosed, 0, 0
		}
	case TooLarge: // the size is the reason, but a probe must have a successor later
		if probe && b.state != BreakerClosed {
			b.delayProbe(now, false)
		}
	case Canceled:
	case Blocked:
		b.countFailure(now, probe, true)
	case Throttled, Unavailable, Failed, Ambiguous:
		b.countFailure(now, probe, false)
	}
	return closed
}

// countFailure enters a request that failed as a whole.
func (b *breaker) countFailure(now time.Time, probe, blocked bool) {
	switch {
	case b.state == BreakerClosed:
		if b.failures++; b.failures == 1 {
			b.first = now
		}
		if !blocked && (b.failures < openFailures || now.Sub(b.first) < openTime) {
			b.next = now.Add(spacing)
			return
		}
		b.since = now
	case b.state == BreakerOpen && blocked: // worse than it seemed
		b.probes = 0
	case !probe:
		return
	}
	switch {
	case blocked:
		b.state = BreakerBlocked
	case b.state != BreakerBlocked:
		b.state = BreakerOpen
	}
	b.delayProbe(now, blocked)
}

// delayProbe sets the time of the next probe. If the probe of a blocked breaker fails
// for a passing reason, the next one is sent as soon as for an open one.
func (b *breaker) delayProbe(now time.Time, blocked bool) {
	doublings := min(b.probes, 10)
	b.probes++
	if blocked {
		d := min(maxBlockedDelay, minBlockedDelay<<doublings)
		b.next = now.Add(d - time.Duration(b.random()*blockedJitter*float64(d)))
		return
	}
	d := min(maxOpenDelay, minOpenDelay<<doublings)
	b.next = now.Add(time.Duration(b.random() * float64(d)))
}
