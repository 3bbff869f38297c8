package limiter

import "time"

const (
	// lostEvidence is how many more large requests must be lost than answered to
	// lower the request size. Where chance loses 5 % of the requests, six in excess
	// take 26 days on average at 25 requests per second; 15 % take 40 minutes. The
	// next fast answers take it back.
	lostEvidence = 6
	// Once the size is lowered, chance is a poor explanation and fewer are enough;
	// when a larger request is tried, two.
	lostEvidenceLowered, lostEvidenceTried = 3, 2
	// A request is large above largeRequest of its permitted size and small below
	// smallRequest of it. A small request that is lost speaks for another reason.
	largeRequest, smallRequest = 0.5, 0.25
	// maxHalvings leave a 64th of the size at which answers were lost: the reason is
	// not the size then.
	maxHalvings = 6
	// timeoutHalvings is after how many halvings a request has twice Config.Timeout.
	timeoutHalvings = 3
	// slowestUplink is the rate, in bytes of data per second, at which a body can be
	// sent without running into the timeout: 4 MB get 16 seconds more. Each halving
	// halves it, and maxTimeForSize bounds the time of a single large record.
	slowestUplink  = 256 << 10
	maxTimeForSize = time.Minute
	// More is tried after minNeeded fast answers in a row, and after twice as many
	// each time that it fails, up to maxNeeded.
	minNeeded, maxNeeded = 8, 256
	// fast is the part of the time limit at the next larger size that an answer may
	// take to be fast: with size and number of requests doubled, it takes four times
	// as long on an uplink that is full.
	fast = 0.25
	// triedAnswers of a larger size prove that it passes.
	triedAnswers = 16
)

// lostAnswers limits a request to a size that is answered in time. On an
// uplink that is too slow for a large request, or behind something that ends
// connections with large bodies, the same records would be sent again and again,
// and each time they may have been stored.
//
// It halves the size and the number of requests in flight, and gives the service
// a little more time. That is taken back step by step when a full request is
// answered so fast that twice as much would have been in time.
type lostAnswers struct {
	timeout  time.Duration
	halvings int
	size     Load // the largest lost request when halving began
	score    int  // lost large requests minus answered ones and lost small ones
	lost     Load // the largest lost request since the score was zero
	answers  int  // full requests that were answered fast in a row; all answers while tried
	needed   int  // answers until more is tried
	before   int  // halvings before the full size was tried after an outage; zero without a trial
	futile   bool // that trial failed, so the size is the reason
	tried    bool // more is being tried: it has not proved itself yet
}

// limitLoad returns the maximum load of a request.
func (l *lostAnswers) limitLoad(configured Load) Load {
	if l.halvings == 0 {
		return configured
	}
	return configured.AtMost(l.size.Times(1 / float64(int(1)<<l.halvings)))
}

// maxInFlight returns how many requests may be in flight.
func (l *lostAnswers) maxInFlight(configured int) int { return max(1, configured>>l.halvings) }

// countLost enters that the result of a request is unknown. permitted and halvings are its
// maximum load and the number of halvings at its start.
func (l *lostAnswers) countLost(size, permitted Load, halvings int) {
	switch {
	case halvings != l.halvings: // it was larger or smaller than requests are now
		return
	case size.Exceeds(permitted.Times(largeRequest)):
		l.score++
		l.lost = l.lost.AtLeast(size)
	case !size.Exceeds(permitted.Times(smallRequest)):
		l.scoreDown()
	}
	if l.score < l.lossThreshold() {
		return
	}
	if l.halvings == 0 {
		l.size = l.lost
	}
	if l.tried {
		l.needed = min(maxNeeded, 2*l.needed)
	}
	l.futile = l.futile || l.before > 0
	l.halvings = min(maxHalvings, max(l.halvings+1, l.before))
	l.needed = max(minNeeded, l.needed)
	l.score, l.lost, l.answers, l.tried, l.before = 0, Load{}, 0, false, 0
}

// restartCount is called when the service answers again after an outage. In an outage requests
// of every size are lost, so the full size is tried at once. If it is lost again, the size
// falls back to the size from before, and rises as it does without an outage.
func (l *lostAnswers) restartCount() {
	if l.halvings == 0 || l.futile {
		return
	}
	l.before, l.halvings, l.tried = l.halvings, 0, true
	l.score, l.lost, l.answers = 0, Load{}, 0
}

func (l *lostAnswers) lossThreshold() int {
	switch {
	case l.tried:
		return lostEvidenceTried
	case l.halvings > 0:
		return lostEvidenceLowered
	}
	return lostEvidence
}

func (l *lostAnswers) scoreDown() {
	if l.score--; l.score <= 0 {
		l.score, l.lost = 0, Load{}
	}
}

// countAnswer enters that a request was answered after a time.
func (l *lostAnswers) countAnswer(size, permitted Load, halvings int, took time.Duration) {
	if halvings != l.halvings || !size.Exceeds(permitted.Times(largeRequest)) {
		return
	}
	l.scoreDown()
	l.answers++
	switch {
	case l.tried && l.answers >= triedAnswers:
		l.tried, l.answers, l.needed, l.before = false, 0, minNeeded, 0
		l.futile = l.futile && l.halvings > 0
	case l.tried, l.halvings == 0:
	case took > time.Duration(fast*float64(l.halvingPatience(l.halvings-1))):
		l.answers = 0
	case l.answers >= l.needed:
		l.halvings--
		l.answers, l.tried = 0, true
	}
}

// halvingPatience is how long a request without a body would have.
func (l *lostAnswers) halvingPatience(halvings int) time.Duration {
	return l.timeout * time.Duration(timeoutHalvings+halvings) / timeoutHalvings
}

// timeLimit returns the time limit of a request of that many bytes.
func (l *lostAnswers) timeLimit(bytes float64) time.Duration {
	forSize := bytes / slowestUplink * float64(int(1)<<l.halvings) * float64(time.Second)
	return l.halvingPatience(l.halvings) + min(time.Duration(forSize), maxTimeForSize)
}
