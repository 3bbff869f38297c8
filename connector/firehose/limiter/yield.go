package limiter

// A sender that yields uses the part of a quota that others leave: a replay beside the service. Both see the same refusals, and a sender
// can't tell whose load they are. A member of the service never goes below its part of the quota. If a replay did the same, the service
// would get the rest of the quota alone, and its lag would grow without end where it needs more than that rest.
//
// So refusals are never taken for chance: a cut is not undone although the refusals continue, their share is no baseline, and the floor is
// far below a quota. The price is that refusals by chance slow such a sender down for as long as they last.

const (
	// yieldTo is the part of the accepted rate that a cut leaves to a sender that yields.
	yieldTo = 0.5
	// minYieldedRate is its lowest rate, as a part of the smallest quota: it still asks whether there is room.
	minYieldedRate = 1.0 / 128
)

// yieldedRate returns the rate after a cut, from the speed of which a share was refused.
func (r *rateControl) yieldedRate(share float64, speed Load) Load {
	to := speed.Times(max(minCut, yieldTo*(1-share)))
	return to.AtLeast(smallestQuota.Times(minYieldedRate)).AtMost(r.max)
}
