package limiter

const (
	// requestSeconds is the part of a second of the rate that a request holds. A full
	// batch is four seconds of the smallest quota, and most of it would be refused:
	// a small request loses little when the stream's bucket runs empty, and many
	// small ones give many answers to judge.
	requestSeconds = 0.04
	// maxRequestSeconds bounds a request where answers are slow or few. A quarter of
	// the stream's one-second bucket can be refused at once then.
	maxRequestSeconds = 0.25
	// unusedStartSeconds is the same while nothing is known of a quota and the rate is
	// not used: all that the stream's bucket holds.
	unusedStartSeconds = 1
	// requestsPerSecond is half of the smallest quota of requests that AWS gives, for
	// all members: the request's time grows for members with a small share.
	requestsPerSecond = 500
	// inFlightMargin is how many times the rate could be sent with the permitted
	// requests in flight: fewer would limit the load before the rate does, and a
	// rate that isn't used doesn't grow.
	inFlightMargin = 2

	// While more than manyWhole of the requests are refused entirely, each one that
	// is makes requests larger by spreadUp: with 5 % of them refused by chance that is
	// rare. Below fewWhole each answer makes them smaller by spreadDown: the quota of
	// requests is tried again slowly, and a factor of 6 is gone after 1800 answers,
	// about two minutes.
	fewWhole, manyWhole  = 0.03, 0.10
	spreadUp, spreadDown = 0.1, 0.001
)

// requestTime returns how many seconds of the rate a request may hold.
func (r *rateControl) requestTime() float64 {
	forAnswers := inFlightMargin * r.latency.mean.Seconds() / float64(r.inFlight)
	return min(maxRequestSeconds, r.spread*max(requestSeconds, forAnswers, 1/(requestsPerSecond*r.share)))
}

// adjustSpread makes fewer and larger requests of the same load while many are
// refused entirely: that may be the quota of requests per second.
func (r *rateControl) adjustSpread(res Result) {
	refused := res.Outcome == Throttled || res.Outcome == Unavailable || res.refusedEntirely()
	switch {
	case res.anyAccepted() && r.evidence.nothing < fewWhole:
		r.spread = max(1, r.spread*(1-spreadDown))
	case refused && r.evidence.nothing > manyWhole:
		r.spread = min(r.spread*(1+spreadUp), maxRequestSeconds/requestSeconds)
	}
}

// maxRequest returns the maximum load of a request. While no quota is known and the rate is
// not used, requests are few. Large ones are then worth more than many answers, because an
// aggregated record is billed by its size.
func (r *rateControl) maxRequest() Load {
	if r.phase == starting && !r.used {
		return r.load.Times(unusedStartSeconds)
	}
	return r.load.Times(r.requestTime())
}
