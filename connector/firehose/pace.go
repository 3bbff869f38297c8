package firehose

import (
	"math"
	"time"
)

// amount is a quantity in both of the units that a quota is given in: bytes of
// data before base64, and records.
type amount struct{ bytes, records float64 }

func (a amount) plus(b amount) amount   { return amount{a.bytes + b.bytes, a.records + b.records} }
func (a amount) times(f float64) amount { return amount{a.bytes * f, a.records * f} }
func (a amount) least(b amount) amount {
	return amount{min(a.bytes, b.bytes), min(a.records, b.records)}
}

func (a amount) most(b amount) amount {
	return amount{max(a.bytes, b.bytes), max(a.records, b.records)}
}
func (a amount) exceeds(b amount) bool       { return a.bytes > b.bytes || a.records > b.records }
func (a amount) over(d time.Duration) amount { return a.times(1 / d.Seconds()) }

var unlimited = amount{math.Inf(1), math.Inf(1)}

const (
	// paceWindow is how often the pace looks at what became of what was sent.
	paceWindow = time.Second
	// batchShare is how much of a second a batch may hold: a full batch is four
	// seconds of the default quota in most regions, and most of it would be
	// refused however long it had waited.
	batchShare = 0.25
	// tolerated is the refused share that is not worth a cut.
	tolerated = 0.02
	// flood is the refused share at which the end of the window is not waited for.
	flood = 0.5
	// below what was accepted the pace restarts after a cut.
	belowAccepted = 0.98
	// afterCut is the pause after a cut, in seconds of the new pace: the quota is
	// used up at that moment.
	afterCut = 0.25
	// firstStep is how much the pace grows in a second after a cut, as a share
	// of what was last accepted. It grows itself when nothing is refused.
	firstStep = 0.01
	// steadySeconds without a refusal, then the step doubles every stepDoubles
	// seconds: at the old quota a refusal is due by then, so there is a new one.
	steadySeconds = 5
	stepDoubles   = 1
	// forgotten is how long nothing may have been refused until the pace is
	// given up. The next refusal sets it anew, within a second.
	forgotten = 5 * time.Minute
	// trusted is how long a baseline is believed. Then it is found anew, which
	// costs a few slower seconds, or it is found to be wrong.
	trusted = time.Minute
	// sample is how many records a verdict must rest on to lift a limit at once.
	sample = 200
	// maxBaseline keeps a wrong baseline from doing much harm.
	maxBaseline = 0.5
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

// throttled reports whether more failed than the baseline and chance explain.
func (p *pace) throttled() bool {
	w := &p.window
	if !w.sent.exceeds(paceFloor) {
		return false
	}
	return w.failed-p.baseline*w.judged > max(tolerated*w.judged, p.chance())
}

// close judges the window and starts the next.
func (p *pace) close(now time.Time) {
	length := max(now.Sub(p.start), paceWindow)
	w := p.window
	p.doubt(now)
	throttled := p.throttled()
	accepted, speed := w.accepted.over(length), w.sent.over(length)
	if passed := now.Sub(p.start).Seconds(); passed < 1 { // closed early: the last second reaches into the window before
		accepted = accepted.plus(p.recent[0].times(1 - passed))
		speed = speed.plus(p.speed.times(1 - passed))
	}
	copy(p.recent[1:], p.recent[:])
	p.recent[0], p.speed = accepted, speed

	switch v := p.trial.judge(&w, p.rate); {
	case v == undecided:
	case v == futile && p.trial.first:
		p.repeat(now)
	case v == futile:
		p.learn(now)
	case throttled:
		p.cut(now, w.failed/max(1, w.judged))
	default:
		if v == helped {
			p.trial = nil
		}
		p.grow(speed)
	}
	p.start, p.window = now, tally{}
}

// doubt gives the baseline up when it is old, and lowers it where less fails.
func (p *pace) doubt(now time.Time) {
	if now.Sub(p.learned) >= trusted {
		p.baseline = 0
		return
	}
	w := &p.window
	if share := w.failed / max(1, w.judged); share < p.baseline-p.chance()/max(1, w.judged) {
		p.baseline = share
	}
}

// chance is by how many records the failed ones may differ from the baseline
// without meaning anything.
func (p *pace) chance() float64 {
	return certain * math.Sqrt(p.window.judged*p.baseline*(1-p.baseline))
}

// cut lowers the rate to what was accepted, at most to half. While the baseline
// is fresh, what it explains is left out of that; else the cut is a trial.
func (p *pace) cut(now time.Time, share float64) {
	from := p.rate.least(p.speed.most(p.best())) // a rate that isn't used is not what was too fast
	to := p.accepted()
	if p.baseline > 0 {
		to = to.times(1 / (1 - p.baseline))
		p.trial = nil
	} else {
		p.trial = &trial{rate: p.rate, speed: from, share: share, first: true}
	}
	p.slow(now, to.times(belowAccepted).most(from.times(0.5)).least(p.rate))
	p.tokens = p.tokens.least(amount{}).plus(p.rate.times(-afterCut))
	p.clean = 0
}

// slow sets the rate. What is in flight says nothing about the new one.
func (p *pace) slow(now time.Time, rate amount) {
	p.rate = rate.most(paceFloor).least(p.cap)
	p.flows.turn(now)
}

// repeat cuts once more before the verdict is believed. A quota lets more pass at
// first than it does in the long run, so the first cut may have stopped short of
// it; the second is down to what was accepted after the first.
func (p *pace) repeat(now time.Time) {
	share := p.trial.failed / p.trial.judged
	p.trial = &trial{rate: p.trial.rate, speed: p.rate, share: share}
	p.slow(now, p.rate.times((1-share)*belowAccepted))
}

// learn ends a trial that did not help: what fails now fails at any pace. The
// rate goes back to what it was.
func (p *pace) learn(now time.Time) {
	t := p.trial
	p.trial, p.learned = nil, now
	p.baseline = min(t.seen(), maxBaseline) // doubt lowers it if that is too much
	to := t.rate
	if t.judged < sample {
		to = to.least(t.speed)
	}
	p.slow(now, to)
}

// accepted is what was accepted a second: in the last window, or on average
// where answers come in lumps.
func (p *pace) accepted() amount {
	var sum amount
	for _, a := range p.recent {
		sum = sum.plus(a)
	}
	return p.recent[0].most(sum.times(1 / float64(len(p.recent))))
}

func (p *pace) best() amount {
	var best amount
	for _, a := range p.recent {
		best = best.most(a)
	}
	return best
}

// grow raises the rate: slowly while the old quota can be the reason for the
// cut, then faster and faster. A rate that isn't used stays, as nothing is
// learned about it.
func (p *pace) grow(speed amount) {
	p.clean++
	if p.rate == p.cap || !speed.exceeds(p.rate.times(0.5)) {
		return
	}
	step := firstStep
	if late := p.clean - steadySeconds; late > 0 {
		step *= math.Pow(2, min(float64(late)/stepDoubles, 10))
	}
	p.rate = p.rate.plus(p.accepted().most(paceFloor).times(step)).least(p.cap)
}
