package limiter

import (
	"math"
	"time"
)

const (
	// A request that is refused as a whole is one event, however many records it
	// has, and chance makes some. It counts while more than wholeShare of about the
	// last wholeMemory requests were refused like that: weather of 5 % 503 and 5 %
	// throttling at once stays below.
	wholeShare  = 0.3
	wholeMemory = 30

	// A window is judged after minRequests answers and minWindow, or after
	// maxWindow. Two answers were too few: with 5 MiB/s only 64 % arrived.
	minRequests = 4
	minWindow   = 100 * time.Millisecond
	maxWindow   = time.Second

	// tolerated is the refused share above the baseline that is no evidence.
	tolerated = 0.03
	// deviations of the binomial distribution are taken for chance, of a share of
	// at least minShare: in a small window one refused record more means nothing.
	deviations = 3
	minShare   = 0.01
)

// tally counts answered requests and their records.
type tally struct {
	requests, records, refused float64
	rate                       float64 // sum of the rates in bytes per second at which the requests were sent
}

func (t tally) refusedShare() float64 { return t.refused / max(1, t.records) }

func (t tally) Plus(u tally) tally {
	return tally{t.requests + u.requests, t.records + u.records, t.refused + u.refused, t.rate + u.rate}
}

// evidence decides which results may be refusals by a quota, and collects them
// in windows.
type evidence struct {
	whole    float64 // share of the last requests that were refused as a whole
	nothing  float64 // share of the last requests of which nothing was accepted, for throttling or a quota
	window   tally
	opened   time.Time // when the window began
	baseline float64   // share of the records that is refused at any rate
}

// classifyResult returns a result as evidence about the quota. ok is false if it is none: 500, resets, timeouts, cut answers and entries with InternalFailure
// have nothing to do with the rate.
func (e *evidence) classifyResult(size Load, res Result) (t tally, ok bool) {
	switch res.Outcome {
	case Answered:
		e.whole -= e.whole / wholeMemory
		e.nothing -= e.nothing / wholeMemory
		if res.refusedEntirely() {
			e.nothing += 1.0 / wholeMemory
		}
		records := res.Accepted.Records + res.Refused
		return tally{requests: 1, records: records, refused: res.Refused}, records > 0
	case Throttled, Unavailable:
		e.whole += (1 - e.whole) / wholeMemory
		e.nothing += (1 - e.nothing) / wholeMemory
		return tally{requests: 1, records: size.Records, refused: size.Records}, e.whole > wholeShare
	case Failed, Ambiguous, TooLarge, Blocked, Canceled:
	}
	return tally{}, false
}

// addTally enters a result into the window. The first refusal restarts the window: the
// stream's bucket has just run empty, and from here on the accepted rate is the
// quota. The last minWindow before it still belongs to the window.
func (e *evidence) addTally(now time.Time, t tally, restart bool) {
	if restart && e.window.refused == 0 && t.refused > 0 {
		e.window = tally{}
		if begin := now.Add(-minWindow); begin.After(e.opened) {
			e.opened = begin
		}
	}
	e.window = e.window.Plus(t)
}

// completeWindow reports whether the window can be judged, and returns its age. The
// window has at least the shortest age.
func (e *evidence) completeWindow(now time.Time, shortest time.Duration) (age time.Duration, ok bool) {
	age = now.Sub(e.opened)
	return age, age >= shortest && e.window.requests >= minRequests || age >= maxWindow && e.window.requests > 0
}

func (e *evidence) resetWindow(now time.Time) { e.window, e.opened = tally{}, now }

// Exceeds reports whether a window has more refusals than baseline and chance explain.
func (e *evidence) Exceeds(w tally) bool {
	chance := deviations * math.Sqrt(w.records*max(e.baseline, minShare))
	return w.refused > (e.baseline+tolerated)*w.records+chance
}
