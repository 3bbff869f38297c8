package limiter

import (
	"math"
	"time"
)

const (
	// usedShare of the rate must be sent for it to grow, or limitedShare if requests
	// had to wait for tokens: the meter looks back for up to a second, in which the
	// rate may have grown by half.
	usedShare, limitedShare = 0.85, 0.5

	// startDoubling is how fast slow start doubles the rate: from 1 MiB/s to
	// 32 MiB/s within a second. A doubling takes a latency at least, or the first
	// refusal comes when the rate is many times the quota. Two latencies would refuse
	// less when members join at 200 ms, but 20 MiB/s would take two seconds.
	startDoubling        = 200 * time.Millisecond
	startDoublingLatency = 1

	// growStep is the first step of the growth in bytes per second. It is an
	// amount, where a cut takes a part, so that members come to equal rates. It is
	// multiplied by the root of the member's share: with the share itself many
	// members would need minutes for that; without it they would overshoot together.
	growStep = 28 << 10
	// The first step is between these parts of the rate. With more than 0.012, a
	// quota of 1000 small records per second is exceeded every four seconds (2.3 %
	// refused).
	minGrowStep, maxGrowStep = 0.001, 0.012
	// growDoubling is how fast the step doubles: any quota is found from any rate
	// within ten seconds, and the overshoot is the same part of every quota. Refusals
	// come a latency later, so the doubling takes growDoublingLatency at least: with
	// 4.5 latencies, 16 members refuse 3.9 % at 200 ms; with more than 5.5, a fourfold
	// quota isn't found in ten seconds.
	growDoubling        = 720 * time.Millisecond
	growDoublingLatency = 5.5
	// afterStart is how many doublings of the step the growth skips after slow start,
	// whose end is a rough estimate of the quota.
	afterStart = 3
	// maxGrowth bounds the growth, as a part of the rate per second.
	maxGrowth = 0.5
	// A member that knows its part of the quota stays there for quotaQuiet before it
	// tries for more, and doubles the step more slowly: the part is right mostly.
	quotaQuiet    = 14 * time.Second
	quotaDoubling = 4 * time.Second
	// yieldQuiet is the same for one that yields to others, which have to find what they need first.
	yieldQuiet = 20 * time.Second

	// idleTime without a request discards the rate that was reached without a refusal:
	// after it, slow start begins again. It takes less than a second.
	idleTime = 10 * time.Second
)

// savedSeconds is how much of its part of a known quota a member saves while it could not send: a process
// without CPU for a moment, or a rebalance. The stream's bucket has saved as much, and no other member has
// used it. With a request's worth alone, a process that stands still for 100 ms of each second loses 6 % of its part.
const savedSeconds = 0.25

// savedLoad returns the load that may be sent at once after the member was held up; zero where the
// quota is not known, or where the hard limit of the process is below its part.
func (r *rateControl) savedLoad() Load {
	part := r.quota.Times(r.share)
	if r.yields || part.Exceeds(r.max) {
		return Load{}
	}
	return part.Times(savedSeconds)
}

// growRate raises the rate after a window of an age that used the rate and has no
// evidence of a quota.
func (r *rateControl) growRate(now time.Time, age time.Duration) {
	switch r.phase {
	case holding:
	case starting:
		doubling := r.latency.AtLeast(startDoublingLatency, startDoubling)
		r.load = r.load.Times(math.Exp2(min(1, age.Seconds()/doubling.Seconds()))).AtMost(r.max)
	case growing:
		r.load = r.load.Times(1 + r.growthFactor(now)*age.Seconds()).AtMost(r.max)
	}
}

// growthFactor returns the part of the rate by which the rate grows per second.
func (r *rateControl) growthFactor(now time.Time) float64 {
	quiet, doubling, delay := now.Sub(r.quiet), r.growDoubling(), 1.0
	switch {
	case r.yields:
		quiet, doubling = quiet-yieldQuiet, quotaDoubling
	case r.knowsQuota():
		quiet, doubling = quiet-quotaQuiet, quotaDoubling
	default:
		delay = doubling.Seconds() / growDoubling.Seconds()
	}
	if quiet < 0 {
		return 0
	}
	// A member with few requests sees few refusals: the step doubles once per block
	// of answers.
	doubling = max(doubling, r.blockTime)
	step := min(maxGrowStep/delay, delay*max(minGrowStep, growStep*math.Sqrt(r.share)/r.load.Bytes))
	return min(maxGrowth, step*math.Ln2/doubling.Seconds()*math.Exp2(quiet.Seconds()/doubling.Seconds()))
}

func (r *rateControl) growDoubling() time.Duration {
	return r.latency.AtLeast(growDoublingLatency, growDoubling)
}

// endIdle forgets, after a pause in sending, what no refusal has confirmed: a rate
// that was reached without one, or beyond the known part of the quota, may be
// used by others now.
func (r *rateControl) endIdle() {
	if r.phase == starting || r.knowsQuota() {
		r.beginLimiting()
	}
}

// resumeRate begins new windows after a time without evidence.
func (r *rateControl) resumeRate(now time.Time) {
	r.evidence.resetWindow(now)
	r.beginBlock(now)
	r.quiet, r.nearFloor, r.used = now, now, true
}
