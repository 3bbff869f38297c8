package firehose

import (
	"math"
	"time"
)

const (
	// paceWindow is how often the pace looks at what became of what was sent.
	paceWindow = time.Second
	// batchShare is how much of a second a batch may hold: a full batch is four
	// seconds of the default quota in most regions, and most of it would be
	// refused however long it had waited.
	batchShare = 0.25
	// flood is the refused share at which the end of the window is not waited for.
	flood = 0.5
	// forgotten is how long nothing may have been refused until the pace is
	// given up. The next refusal sets it anew, within a second.
	forgotten = 5 * time.Minute
)

// paceFloor is the slowest pace: less than a tenth of the smallest quota there
// is, so going slower can't be what is needed.
var paceFloor = amount{bytes: 64 << 10, records: 50}

// pace decides how many bytes and records a second may be sent. It has no
// limit, other than the configured one, until something is refused. Then it
// goes down to what was accepted and feels its way up again.
//
// Failures that slowing down does not cure would strangle it: with one record
// in five refused by chance, each cut would be followed by the next. So after a
// cut the refused share is compared with the one before. If it is a quota that
// refuses, what is accepted stays the same and the share falls; if not, the
// share stays the same and what is accepted falls. In the second case the cut
// is undone and the share becomes the baseline, which is subtracted from then on
// (see trial).
//
// It is a pure state machine: the time is passed in, and must not go backwards.
type pace struct {
	cap   amount // the configured limits
	rate  amount // per second; unlimited until a cut, never above cap
	flows flows

	tokens amount // what may be sent now; negative after a large request
	filled time.Time

	start   time.Time // of the open window
	window  tally
	speed   amount    // sent per second in the last window
	recent  [4]amount // accepted per second in the last windows, newest first
	clean   int       // windows since something was refused
	refused time.Time // when something last was

	baseline float64   // share of the records that fails at any pace
	learned  time.Time // when the baseline was found
	trial    *trial    // a cut that has not proved itself yet
}

// tally is what became of the requests answered in one window.
type tally struct {
	sent, accepted amount
	requests       int     // that were started under the present rate
	judged, failed float64 // records of those
}

func newPace(maxBytes, maxRecords float64) *pace {
	p := &pace{cap: unlimited}
	if maxBytes > 0 {
		p.cap.bytes = maxBytes
	}
	if maxRecords > 0 {
		p.cap.records = maxRecords
	}
	p.rate = p.cap
	return p
}

// limits are the bytes and records that the next batch may hold: a quarter of a
// second of the pace, at least one record.
func (p *pace) limits(most amount) amount {
	l := p.rate.times(batchShare).least(most)
	return amount{max(1, math.Floor(l.bytes)), max(1, math.Floor(l.records))}
}

// wait is how long it takes until a request may start: until both buckets hold
// something. Its real size is taken afterwards, and paid for by those after it.
func (p *pace) wait(now time.Time) time.Duration {
	p.fill(now)
	short := func(tokens, rate float64) float64 {
		if tokens > 0 {
			return 0
		}
		return (-tokens + rate*1e-6) / rate // a little more than nothing
	}
	seconds := max(short(p.tokens.bytes, p.rate.bytes), short(p.tokens.records, p.rate.records))
	return time.Duration(math.Ceil(seconds * float64(time.Second)))
}

func (p *pace) fill(now time.Time) {
	if p.filled.IsZero() {
		p.filled = now
		p.tokens = p.rate.times(batchShare)
	}
	passed := now.Sub(p.filled).Seconds()
	p.filled = now
	full := p.rate.times(batchShare)
	p.tokens.bytes = fillUp(p.tokens.bytes, p.rate.bytes*passed, full.bytes)
	p.tokens.records = fillUp(p.tokens.records, p.rate.records*passed, full.records)
}

// fillUp adds to a bucket. One without a limit is always full; 0 times infinity
// is not a number.
func fillUp(tokens, more, full float64) float64 {
	if math.IsInf(full, 1) {
		return full
	}
	return min(full, tokens+more)
}

// take pays for a request that starts, and give takes the payment back. The
// flow that take returns comes back with the request's result, or with forget if
// it has none.
func (p *pace) take(now time.Time, a amount) flow {
	p.tokens = p.tokens.plus(a.times(-1))
	return p.flows.start(now)
}

func (p *pace) give(a amount) { p.tokens = p.tokens.plus(a) }

func (p *pace) forget(f flow) { p.flows.end(f) }

// result enters what became of a request. failed counts only records whose
// failure can be a matter of pace.
func (p *pace) result(now time.Time, f flow, sent, accepted amount, failed float64) {
	p.roll(now)
	p.window.sent = p.window.sent.plus(sent)
	p.window.accepted = p.window.accepted.plus(accepted)
	if p.flows.end(f) {
		p.window.requests++
		p.window.judged += accepted.records + failed
		p.window.failed += failed
	}
	if failed > 0 {
		p.refused = now
	}
	// The first refusal does not wait for the window's end: without a limit, a
	// second of it may be a hundred times the quota.
	if p.rate == p.cap && p.throttled() && p.window.failed > (p.baseline+flood*(1-p.baseline))*p.window.judged {
		p.close(now)
	}
}

// whole enters a request that was refused as a whole. It waits for the window's
// end: the next two may tell that this is an outage, and then calm is called.
func (p *pace) whole(now time.Time, f flow, sent amount) {
	p.roll(now)
	p.window.sent = p.window.sent.plus(sent)
	if p.flows.end(f) {
		p.window.requests++
		p.window.judged += sent.records
		p.window.failed += sent.records
	}
	p.refused = now
}

// calm forgets the open window.
func (p *pace) calm(now time.Time) { p.start, p.window = now, tally{} }

// roll ends the open window if its time is over.
func (p *pace) roll(now time.Time) {
	if p.start.IsZero() {
		p.start, p.refused = now, now
	}
	switch passed := now.Sub(p.start); {
	case passed < paceWindow:
	case passed > 2*paceWindow && p.window.judged == 0:
		p.start, p.window = now, tally{} // idle, nothing learned
	case p.window.judged > 0:
		p.close(now)
	}
	if p.rate != p.cap && now.Sub(p.refused) >= forgotten {
		p.rate, p.trial, p.clean = p.cap, nil, 0
	}
}
