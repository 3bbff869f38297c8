package limiter

import "time"

// minPartitionShare bounds the share of a member that has nearly no partitions: it
// still has retries to send.
const minPartitionShare = 0.001

// smallestQuota is the smallest quota per second that AWS gives a stream. Slow
// start begins with it and it is the floor of the rate.
var smallestQuota = Load{Bytes: 1 << 20, Records: 100_000}

type ratePhase int

const (
	starting ratePhase = iota // no evidence of a quota yet: the rate doubles while it is used
	holding                   // after a cut: the refused share at the lower rate is measured
	growing                   // a quota is known: the rate grows until something is refused
)

// rateControl is the load per second that may be sent.
//
// Refusals by a quota stop when less is sent than was accepted; refusals by
// chance go on. So each cut is an experiment: the rate is held for some answers,
// and if the refusals go on, the cut is undone and their share becomes the
// baseline, above which evidence begins.
type rateControl struct {
	max      Load    // hard limit of this process
	quota    Load    // of the stream; zero where it is unknown
	share    float64 // of the partitions that this member owns
	inFlight int     // the configured number of requests in flight
	yields   bool    // others have precedence
	load     Load    // per second

	bucket  tokenBucket
	meter   sentMeter
	limited bool // a request had to wait for tokens since the last judged window
	used    bool // the rate limited the load, in the last judged window or because there was none yet
	latency *latencyEstimate

	phase      ratePhase
	evidence   evidence
	experiment experiment
	block      tally         // answers since the cut, or since the baseline was last corrected
	blockBegin time.Time     // when the block began
	blockTime  time.Duration // of the last complete block
	cuts       int           // number of cuts
	spread     float64       // factor of the request time, from 1; see adjustSpread
	quiet      time.Time     // since when the rate is used and nothing is refused
	nearFloor  time.Time     // when the accepted rate was last near the floor
	started    time.Time     // when the last request started
}

func newRate(c Config, lat *latencyEstimate) *rateControl {
	r := &rateControl{max: c.Max.zeroIsUnlimited(), quota: c.Quota, share: 1, inFlight: c.MaxInFlight, yields: c.Yields, latency: lat, spread: 1}
	r.beginLimiting()
	return r
}

// beginLimiting sets the load and phase of a member that knows nothing about the stream
// but, perhaps, its quota.
func (r *rateControl) beginLimiting() {
	r.used = true
	r.phase, r.load = starting, smallestQuota.Times(r.share).AtMost(r.max)
	if r.knowsQuota() {
		r.phase, r.load = growing, r.ownPart().zeroIsUnlimited().AtMost(r.max)
	}
}

func (r *rateControl) knowsQuota() bool { return r.quota != Load{} }

// ownPart is this member's part of the stream's quota, zero where that is unknown.
func (r *rateControl) ownPart() Load { return r.quota.Times(r.share).AtMost(r.max) }

// setShare follows a rebalance: the rate moves with the partitions.
func (r *rateControl) setShare(now time.Time, share float64) {
	share = min(1, max(share, minPartitionShare))
	if share == r.share {
		return
	}
	factor := share / r.share
	r.share = share
	switch {
	case r.knowsQuota():
		r.beginLimiting()
		r.quiet = now
	case r.started.IsZero():
		r.beginLimiting()
	case r.phase != starting || factor < 1:
		r.load = r.load.Times(factor).AtMost(r.max)
	}
}

// setLimits changes the hard limit and the quota. A member that knows its part of the quota goes to it. One that knows
// no quota keeps the rate that it has found, below the new limit.
func (r *rateControl) setLimits(now time.Time, max, quota Load) {
	max = max.zeroIsUnlimited()
	if max == r.max && quota == r.quota {
		return
	}
	known := r.knowsQuota()
	r.max, r.quota = max, quota
	if known || r.knowsQuota() {
		r.beginLimiting()
		r.resumeRate(now)
		return
	}
	r.load = r.load.AtMost(r.max)
}

// rateLimit returns the rate for people. Without evidence there is none but the
// configured one: slow start only bounds how fast the load rises.
func (r *rateControl) rateLimit() Load {
	if r.phase == starting {
		return r.max.unlimitedIsInf()
	}
	return r.load.unlimitedIsInf()
}

// waitTime returns the time until a request may start.
func (r *rateControl) waitTime(now time.Time) time.Duration {
	r.addTokens(now)
	d := r.bucket.waitForTokens(r.load)
	r.limited = r.limited || d > 0
	return d
}

func (r *rateControl) addTokens(now time.Time) {
	r.bucket.addTokens(now, r.load, r.requestTime(), r.savedLoad())
}

// sentRate is the rate under which a request started.
type sentRate struct {
	cuts  int     // requests from before the last cut are no evidence
	bytes float64 // per second
}

// startRequest pays for a request. observe needs its result.
func (r *rateControl) startRequest(now time.Time, size Load) sentRate {
	if now.Sub(r.started) > idleTime {
		r.endIdle()
		r.resumeRate(now)
		r.bucket.dropSaved(r.load, r.requestTime())
	}
	r.started = now
	r.addTokens(now)
	r.bucket.takeTokens(size)
	r.meter.addSent(now, size)
	return sentRate{r.cuts, r.load.Bytes}
}

// observeResult enters the result of a request.
func (r *rateControl) observeResult(now time.Time, sent sentRate, size Load, res Result) {
	t, ok := r.evidence.classifyResult(size, res)
	if ok && sent.cuts == r.cuts {
		t.rate = sent.bytes
		r.evidence.addTally(now, t, r.phase != holding)
		r.block = r.block.Plus(t)
	}
	r.adjustSpread(res)
	shortest := minWindow
	if r.phase == starting { // each moment counts when the rate doubles
		shortest = minWindow / 2
	}
	if age, ok := r.evidence.completeWindow(now, shortest); ok {
		r.judgeWindow(now, age)
	}
}

// judgeWindow ends a window.
func (r *rateControl) judgeWindow(now time.Time, age time.Duration) {
	w := r.evidence.window
	r.evidence.resetWindow(now)
	speed, used := r.windowSpeed(now, w)
	r.used = used
	if speed.Bytes*(1-w.refusedShare()) >= nearFloor*smallestQuota.Bytes*r.share {
		r.nearFloor = now
	}
	if r.quotaRefuses(w, used) {
		r.cutRate(now, w.refusedShare(), speed)
		return
	}
	if r.block.requests >= blockRequests {
		r.endBlock(now)
	}
	if used {
		r.growRate(now, age)
	} else {
		r.quiet = r.quiet.Add(age) // a rate that isn't used proves nothing
	}
}

// windowSpeed returns the load per second at which the answered requests of a window
// were sent, and whether the rate was its limit. The meter lags behind a rate that
// grows fast; waiting is the sign then.
func (r *rateControl) windowSpeed(now time.Time, w tally) (speed Load, used bool) {
	speed = r.meter.perSecond(now)
	enough := usedShare
	switch {
	case r.limited && r.phase == starting:
		enough = 0
	case r.limited:
		enough = limitedShare
	}
	used = speed.Exceeds(r.load.Times(enough))
	r.limited = false
	if used {
		// The rate of a latency ago: slow start has doubled it since.
		speed = r.load.Times(min(1, w.rate/w.requests/r.load.Bytes))
	}
	return speed, used
}

// quotaRefuses reports whether a window is evidence of a quota below the rate.
func (r *rateControl) quotaRefuses(w tally, used bool) bool {
	switch {
	case r.phase == starting && used && !r.yields:
		return w.refusedShare() > r.evidence.baseline+startFlood
	case r.phase == holding: // one cut at a time, unless the last one was far too small
		return w.refusedShare() > max(holdFlood, r.experiment.share)
	}
	return r.evidence.Exceeds(w)
}
