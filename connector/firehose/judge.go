package firehose

import (
	"math"
	"time"
)

const (
	// tolerated is the refused share that is not worth a cut.
	tolerated = 0.02
	// below what was accepted the pace restarts after a cut.
	belowAccepted = 0.98
	// afterCut is the pause after a cut, in seconds of the new pace: the quota is
	// used up at that moment.
	afterCut = 0.25
	// fairStep is by how many bytes a second the pace grows each second after a cut: an
	// amount, the same for all, where a cut takes a share. So those who have more of a
	// quota lose more, all gain alike, and the members of a group come to equal shares
	// without knowing of each other. It is a hundredth of the smallest quota there is.
	fairStep = (1 << 20) / 100
	// leastStep and mostStep bound it, as shares of what was last accepted.
	leastStep, mostStep = 0.0002, 0.04
	// steadySeconds without a refusal, then the step doubles every stepDoubles
	// seconds: at the old quota a refusal is due by then, so there is a new one.
	steadySeconds = 5
	stepDoubles   = 1
	// trusted is how long a baseline is believed. Then it is found anew, which
	// costs a few slower seconds, or it is found to be wrong.
	trusted = time.Minute
	// sample is how many records a verdict must rest on to lift a limit at once.
	sample = 200
	// maxBaseline keeps a wrong baseline from doing much harm.
	maxBaseline = 0.5
)

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
	accepted := p.accepted().most(paceFloor)
	step := min(mostStep, max(leastStep, fairStep/accepted.bytes))
	if late := p.clean - steadySeconds; late > 0 {
		step *= math.Pow(2, min(float64(late)/stepDoubles, 10))
	}
	p.rate = p.rate.plus(accepted.times(step)).least(p.cap)
}
