package limiter

const (
	// documentedBytes is the largest request under every reading of the service's
	// "4 MB". A larger one that is refused is first followed by this.
	documentedBytes = 4_000_000
	// fullRequest is the part of the limit that a request must hold to say something
	// about it. Large records leave up to half of a request empty.
	fullRequest = 0.5
	// closeEnough ends the search for the limit: the size that passes is that part of
	// the size that is refused.
	closeEnough = 0.75
	// A larger request is tried after minTrialAnswers full requests that passed, and
	// after twice as many each time it is refused, up to maxTrialAnswers: at most one
	// request in 20 is refused, and in the end one in 160. At one request a second,
	// a limit that is gone is noticed within three minutes.
	minTrialAnswers, maxTrialAnswers = 20, 160
)

// sizeRefusals is the largest request that the way to the service takes, in bytes
// of data. Proxies and gateways limit the size of a body (413). It searches
// between the largest size that passed and the smallest that was refused, and
// keeps trying the latter, because a limit may go away.
type sizeRefusals struct {
	limit   float64 // zero for none
	passed  float64 // the largest size that was answered
	refused float64 // the smallest size that was refused; zero for none
	lowered int     // times that the limit was lowered; requests from before say nothing new
	answers int     // full requests that passed since the last trial
	needed  int     // answers until the next trial
	trial   bool    // a trial is in flight
}

func (s *sizeRefusals) trialDue() bool { return s.limit > 0 && !s.trial && s.answers >= s.needed }

// maxBytes returns the maximum bytes of the next request within the configured limit.
func (s *sizeRefusals) maxBytes(configured float64) float64 {
	switch {
	case s.limit == 0:
		return configured
	case !s.trialDue():
		return min(configured, s.limit)
	case s.refused == 0 || s.answers >= 2*s.needed:
		// Where no request was larger than the limit, another record didn't fit.
		return min(configured, 2*s.limit)
	case s.limit < closeEnough*s.refused:
		return min(configured, (s.limit+s.refused)/2)
	}
	return min(configured, s.refused)
}

// startTrial returns whether a request is a trial.
func (s *sizeRefusals) startTrial(bytes float64) bool {
	if !s.trialDue() || bytes <= s.limit {
		return false
	}
	s.trial = true
	return true
}

// endTrial is called for each trial that ends, before its result is entered.
func (s *sizeRefusals) endTrial(trial bool) { s.trial = s.trial && !trial }

// passSize enters that a request was answered, with the configured limit.
func (s *sizeRefusals) passSize(bytes, configured float64) {
	s.passed = max(s.passed, bytes)
	switch {
	case s.limit == 0:
	case bytes > s.limit:
		s.limit, s.answers = bytes, 0
		if bytes >= s.refused {
			// The limit is gone or higher: from now on, each answer doubles it.
			s.refused, s.needed = 0, 1
		}
		if s.limit >= fullRequest*configured && s.refused == 0 {
			s.limit = 0
		}
	case bytes >= fullRequest*s.limit:
		s.answers++
	}
}

// refuseSize enters that a request was refused for its size. lowered is the number
// from its start.
func (s *sizeRefusals) refuseSize(bytes float64, lowered int, trial bool) {
	if s.refused == 0 || bytes < s.refused {
		s.refused = bytes
	}
	switch {
	case trial:
		s.needed, s.answers = min(maxTrialAnswers, 2*s.needed), 0
		return
	case lowered != s.lowered, s.limit > 0 && bytes > s.limit:
		return
	}
	if s.passed >= bytes { // another way to the service, or the limit fell
		s.passed = 0
	}
	if s.limit = max(s.passed, bytes/2); bytes > documentedBytes {
		s.limit = documentedBytes
	}
	s.refused = bytes
	s.lowered++
	s.needed, s.answers = minTrialAnswers, 0
}
