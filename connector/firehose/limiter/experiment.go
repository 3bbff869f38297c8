package limiter

import (
	"math"
	"time"
)

const (
	// Refused shares that are evidence where smaller ones are not: in slow start,
	// whose overshoot is always large, and in a hold.
	startFlood = 0.3
	holdFlood  = 0.5

	// cutTo is the part of the accepted rate that a cut leaves, so that the stream's
	// bucket fills while the refused share is measured.
	cutTo = 0.9
	// minCut bounds a single cut: a window may have no accepted record at all.
	minCut = 0.1
	// cutPause follows a cut, since the stream's bucket is empty at that moment. It
	// costs nothing: the bucket saves up to a second of the quota. Requests from before
	// the cut are in flight for a latency and take from the bucket.
	cutPause        = 150 * time.Millisecond
	cutPauseLatency = 1.5

	// blockRequests answers end a hold, and correct the baseline afterwards.
	blockRequests = 16
	// confidence is how many standard deviations the baseline stays below the
	// measured share: a few refusals, caused by other members, are no baseline.
	confidence = 1
	// maxBaseline bounds the damage of a wrong baseline.
	maxBaseline = 0.3
	// baselineWeight is the weight of a later block in the baseline.
	baselineWeight = 0.25
	// A cut helped if at most helped above the baseline is still refused. It was
	// futile if at least the part futile of the share from before is.
	helped = 0.03
	futile = 0.8

	// The rate goes below the floor after less than the part nearFloor of the floor
	// was accepted for floorPatience.
	nearFloor     = 0.75
	floorPatience = 2 * time.Second
	// minRate is the lowest rate as a part of the smallest quota: a stream that refuses
	// each record is still asked, or it would be minutes until it is used again.
	minRate = 1.0 / 16
)

// experiment is a cut that has not proved itself: the state that is restored if
// the refusals go on.
type experiment struct {
	phase ratePhase
	load  Load
	share float64 // of the records that was refused before the last cut
}

// cutRate lowers the rate below the part of the speed that was accepted, and begins a hold.
func (r *rateControl) cutRate(now time.Time, share float64, speed Load) {
	if r.phase != holding {
		r.experiment = experiment{phase: r.phase, load: r.load}
	}
	r.experiment.share = share
	if r.yields {
		r.lowerRate(now, r.yieldedRate(share, speed))
		return
	}
	to := speed.Times(max(minCut, cutTo*(1-share)/(1-r.evidence.baseline)))
	to = to.AtLeast(r.ownPart())
	if floor := smallestQuota.Bytes * r.share; to.Bytes < floor && now.Sub(r.nearFloor) < floorPatience {
		// Both units, since it isn't known which one is short.
		to = to.Times(floor / to.Bytes)
	}
	r.lowerRate(now, to.AtLeast(smallestQuota.Times(r.share*minRate)).AtMost(r.max))
}

// lowerRate lowers the rate to a load, pauses, and begins a hold.
func (r *rateControl) lowerRate(now time.Time, to Load) {
	r.phase = holding
	r.beginBlock(now)
	if r.load.Exceeds(to) {
		r.load = r.load.AtMost(to)
		r.cuts++
	}
	r.bucket.limitTokens(r.load, r.latency.AtLeast(cutPauseLatency, cutPause).Seconds())
}

func (r *rateControl) beginBlock(now time.Time) { r.block, r.blockBegin = tally{}, now }

// endBlock ends the hold after a cut, or corrects the baseline later. If little
// more than the baseline is still refused, a quota was exceeded. If the refusals
// go on, they have nothing to do with the rate, and the cuts are undone. Between
// the two, the cut was too small: the first windows of an exceeded quota contain
// the burst that the stream had saved.
func (r *rateControl) endBlock(now time.Time) {
	b := r.block
	r.blockTime = time.Duration(float64(now.Sub(r.blockBegin)) * blockRequests / b.requests)
	r.beginBlock(now)
	share := max(0, b.refusedShare()-confidence*math.Sqrt(b.refusedShare()/max(1, b.records)))
	next, skipped := growing, time.Duration(0)
	switch {
	case r.phase != holding:
		r.setBaseline(r.evidence.baseline + (share-r.evidence.baseline)*baselineWeight)
		return
	case share <= r.evidence.baseline+helped:
		if r.experiment.phase == starting {
			skipped = afterStart * r.growDoubling()
		}
	case r.yields || share > maxBaseline || share < futile*r.experiment.share:
		r.cutRate(now, b.refusedShare(), r.load)
		return
	default:
		next = r.experiment.phase
		r.load = r.load.AtLeast(r.experiment.load).AtMost(r.max)
	}
	r.setBaseline(share)
	r.phase, r.quiet = next, now.Add(-skipped)
}

// setBaseline sets the share of records that is refused at any rate. To a sender that yields no refusal is such.
func (r *rateControl) setBaseline(share float64) {
	if !r.yields {
		r.evidence.baseline = share
	}
}
