package firehose

import (
	"math"
	"time"
)

// trial is a cut of the pace that has not proved itself yet. It weighs two
// explanations of the failures that go on after it: a quota, which takes as much
// as before and so fails a smaller share of less; or something that has nothing
// to do with the pace, which fails the same share of whatever is sent.
type trial struct {
	rate  amount  // the pace before the cut
	speed amount  // what was really sent a second then
	share float64 // of the records that failed then
	first bool    // of two cuts that it takes to believe that none helps

	windows        int     // since
	requests       int     // since
	judged, failed float64 // records since
	quota, chance  float64 // failed records that either explanation expects
}

// verdict is what a trial has come to.
type verdict int

const (
	none      verdict = iota // no trial, or both explanations expect the same
	undecided                // too little was sent to tell them apart
	helped                   // it was a quota, or it is something new
	futile                   // slowing down does not help
)

const (
	// certain is how many standard deviations the explanations must be apart.
	certain = 4
	// leastWindows is how many windows a verdict takes: requests are few and
	// large, so much of what belongs to one window may be sent in the next.
	leastWindows = 2
	// leastRequests is how many requests it takes: a quota that is used up refuses
	// all that is left of a request, so its records are not independent of each other.
	leastRequests = 16
	// leastRecords is how many records it takes: a few large ones fill a quota so
	// unevenly that they fail by chance.
	leastRecords = 100
	// mostWindows is when the better explanation has to do.
	mostWindows = 30
)

// judge adds a window of records sent at a rate. A nil trial has no verdict.
func (t *trial) judge(w *tally, rate amount) verdict {
	if t == nil || w.judged == 0 {
		return none
	}
	slower := min(1, rate.bytes/t.speed.bytes, rate.records/t.speed.records)
	t.windows++
	t.requests += w.requests
	t.judged += w.judged
	t.failed += w.failed
	t.chance += w.judged * t.share
	t.quota += w.judged * max(0, 1-(1-t.share)/slower)
	apart := t.chance - t.quota
	switch {
	case apart < t.judged*min(0.1, t.share/2):
		return none
	case t.windows < leastWindows,
		t.windows < mostWindows && (t.requests < leastRequests || t.judged < leastRecords || apart < certain*math.Sqrt(t.chance)):
		return undecided
	case t.failed <= t.quota+0.6*apart:
		return helped
	case t.failed > 1.25*t.chance+certain*math.Sqrt(t.chance):
		// More than before, at less speed: whatever it is, it is not the same
		// thing. So it was with the burst that a stream saves up while idle.
		return helped
	}
	return futile
}

// seen is the share that failed since the cut, at the upper end of what chance
// makes of it.
func (t *trial) seen() float64 {
	share := t.failed / t.judged
	return share + 2*math.Sqrt(share*(1-share)/t.judged)
}

// flow says what a request is evidence of: the rate it was started under. The
// zero flow is evidence of nothing.
type flow int

// settling is how long the requests of before a change of the rate are waited
// for, until those after it count.
const settling = 2 * time.Second

// flows tells the requests that are evidence of the present rate from the
// others. Those in flight when the rate falls are not, and neither are those
// started before the last of them has ended: what they still take of the quota
// is missing for the new ones.
type flows struct {
	now    flow
	flying int       // requests of the present rate
	old    int       // requests of earlier rates
	turned time.Time // when the rate last changed
}

func (f *flows) start(now time.Time) flow {
	if f.old > 0 && now.Sub(f.turned) < settling {
		return 0
	}
	f.flying++
	return f.now + 1
}

// end reports whether a request that ends is evidence of the present rate.
func (f *flows) end(of flow) bool {
	switch of {
	case 0:
		return false
	case f.now + 1:
		f.flying--
		return true
	}
	f.old--
	return false
}

func (f *flows) turn(now time.Time) {
	f.now++
	f.old += f.flying
	f.flying, f.turned = 0, now
}
