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
	// below what was accepted the pace restarts after a cut.
	belowAccepted = 0.98
	// firstStep is how much the pace grows in a second after a cut, as a share
	// of what was last accepted. It grows itself when nothing is refused.
	firstStep = 0.01
	// steadySeconds without a refusal, then the step doubles every stepDoubles
	// seconds: at the old quota a refusal is due by then, so there is a new one.
	steadySeconds = 6
	stepDoubles   = 2
	// forgotten is how long nothing may have been refused until the pace is
	// given up. The next refusal sets it anew, within a second.
	forgotten = 5 * time.Minute
	// baselineDecay lets the baseline fade, so that what was taken for failures
	// that slowing down does not cure is looked into again.
	baselineDecay = 0.995
	// telling is the least difference between the two explanations of a refused
	// share that is worth choosing one for.
	telling = 0.1
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
// is undone and the share becomes the baseline, which is subtracted from then on.
//
// It is a pure state machine: the time is passed in, and must not go backwards.
type pace struct {
	cap   amount // the configured limits
	rate  amount // per second; unlimited until a cut, never above cap
	epoch int    // counts cuts: a request belongs to the rate it was started under

	tokens amount // what may be sent now; negative after a large request
	filled time.Time

	start   time.Time // of the open window
	window  tally
	recent  [4]amount // accepted per second in the last windows, newest first
	clean   int       // windows since something was refused
	refused time.Time // when something last was

	baseline float64 // share of the records that fails at any pace
	trial    *trial  // a cut that has not proved itself yet
}

// tally is what became of the requests answered in one window.
type tally struct {
	sent, accepted amount
	judged, failed float64 // records of requests that were started under the present rate
}

// trial remembers what was before a cut.
type trial struct {
	rate  amount  // what to go back to
	speed amount  // what was really sent a second
	share float64 // of the records failed
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
// epoch that take returns comes back with the request's result.
func (p *pace) take(a amount) (epoch int) {
	p.tokens = p.tokens.plus(a.times(-1))
	return p.epoch
}

func (p *pace) give(a amount) { p.tokens = p.tokens.plus(a) }

// result enters what became of a request. failed counts only records whose
// failure can be a matter of pace.
func (p *pace) result(now time.Time, epoch int, sent, accepted amount, failed float64) {
	p.roll(now)
	p.window.sent = p.window.sent.plus(sent)
	p.window.accepted = p.window.accepted.plus(accepted)
	if epoch == p.epoch { // those sent before a cut say nothing about the rate after it
		p.window.judged += accepted.records + failed
		p.window.failed += failed
	}
	if failed > 0 {
		p.refused = now
	}
	// The first refusal does not wait for the window's end: without a limit, a
	// second of it may be a hundred times the quota.
	if p.rate == p.cap && p.throttled() {
		p.close(now)
	}
}

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
	noise := 3 * math.Sqrt(w.judged*p.baseline*(1-p.baseline))
	return w.failed-p.baseline*w.judged > max(tolerated*w.judged, noise)
}

// close judges the window and starts the next.
func (p *pace) close(now time.Time) {
	length := max(now.Sub(p.start), paceWindow)
	w := p.window
	share := w.failed / max(1, w.judged)
	throttled := p.throttled()
	accepted := w.accepted.over(length)
	if passed := now.Sub(p.start).Seconds(); passed < 1 { // closed early: the last second reaches into the window before
		accepted = accepted.plus(p.recent[0].times(1 - passed))
	}
	copy(p.recent[1:], p.recent[:])
	p.recent[0] = accepted
	p.fade(share, w.judged)

	switch {
	case throttled && p.futile(share):
		p.rate, p.baseline, p.trial = p.trial.rate, min(share, 0.9), nil
		p.epoch++
	case throttled:
		p.cut(share, w.sent.over(length))
	default:
		p.trial = nil
		p.grow(w.sent.over(length))
	}
	p.start, p.window = now, tally{}
}

// fade lowers the baseline where it is seen to be lower, and always a little.
func (p *pace) fade(share, judged float64) {
	p.baseline *= baselineDecay
	if judged >= 20 && share < p.baseline {
		p.baseline += 0.3 * (share - p.baseline)
	}
}

// cut lowers the rate to what was accepted, at most to half.
func (p *pace) cut(share float64, speed amount) {
	if p.trial == nil {
		p.trial = &trial{rate: p.rate, speed: p.rate.least(speed.most(p.best())), share: share}
	}
	from := p.rate.least(speed.most(p.best())) // a rate that isn't used is not what was too fast
	to := p.accepted().times(belowAccepted / (1 - p.baseline))
	p.rate = to.most(from.times(0.5)).least(p.rate).most(paceFloor).least(p.cap)
	p.tokens = p.tokens.least(amount{})
	p.clean = 0
	p.epoch++
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

// futile reports that the last cuts did not help: the failed share is closer to
// what it was before them than to what a quota would have made of it.
func (p *pace) futile(share float64) bool {
	t := p.trial
	if t == nil {
		return false
	}
	slower := math.Min(p.rate.bytes/t.speed.bytes, p.rate.records/t.speed.records)
	if !(slower < 1) {
		return false
	}
	quota := max(0, 1-(1-t.share)/slower)
	return t.share-quota >= telling && share > (t.share+quota)/2
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
