package limiter

import "time"

// Config of a Limiter.
type Config struct {
	Max         Load          // hard limit of this process per second; a zero unit has none
	Quota       Load          // of the stream per second, for all members; a zero unit is unknown
	MaxRequest  Load          // limit of a request at any rate
	MaxInFlight int           // requests
	Timeout     time.Duration // of a request without a body
	// Yields is true for a sender beside others that have precedence: see yield.go.
	Yields bool
	// Random returns numbers from 0 up to 1, for the jitter of the breaker's delays.
	Random func() float64
}

// Limiter decides when one process sends how much to one delivery stream. It is
// not safe for concurrent use.
type Limiter struct {
	maxRequest Load
	latency    latencyEstimate
	rate       *rateControl
	breaker    breaker
	sizes      sizeRefusals
	lost       lostAnswers
	inFlight   inFlight
}

// Request is a request in flight. The zero Request is none.
type Request struct {
	size      Load
	permitted Load // MaxRequest when it started
	started   time.Time
	rate      sentRate
	lowered   int // times that the size was lowered after refusals
	halvings  int // after lost answers
	probe     bool
	trial     bool // of a larger size
}

// State is a snapshot of a Limiter for metrics and logs.
type State struct {
	Rate         Load // limit per second; +Inf is unlimited
	Unlimited    bool // by refusals: Rate is the configured limit
	Part         Load // of the stream's quota per second; a zero unit is unknown
	MaxRequest   Load
	SizeLimit    float64 // bytes of a request after refusals for size; zero for none
	Halvings     int     // of the request size after lost answers
	Breaker      BreakerState
	BreakerSince time.Time // when the breaker opened; zero while it is closed
	InFlight     int       // requests
	Allowed      int       // requests that may be in flight
}

// New returns a Limiter for a member that owns all partitions (see SetShare).
func New(c Config) *Limiter {
	c.MaxInFlight = max(1, c.MaxInFlight)
	l := &Limiter{
		maxRequest: c.MaxRequest.zeroIsUnlimited(),
		breaker:    breaker{random: c.Random},
		lost:       lostAnswers{timeout: c.Timeout},
		inFlight:   inFlight{max: c.MaxInFlight, allowed: 1},
	}
	l.rate = newRate(c, &l.latency)
	return l
}

// SetShare sets the part, from 0 to 1, of the stream's partitions that this member
// owns; 1 if that is unknown. The rate follows it.
func (l *Limiter) SetShare(now time.Time, share float64) { l.rate.setShare(now, share) }

// SetLimits changes Config.Max and Config.Quota.
func (l *Limiter) SetLimits(now time.Time, max, quota Load) { l.rate.setLimits(now, max, quota) }

// WaitTime returns the time until a request may start. If ok is false, only the end
// of a request in flight can help. Call it when there are records to send: waiting
// for tokens is a sign that the rate is used.
func (l *Limiter) WaitTime(now time.Time) (d time.Duration, ok bool) {
	if l.inFlight.isFull(l.allowedInFlight(), l.breaker.isTrusted()) {
		return 0, false
	}
	return max(l.breaker.openFor(now), l.rate.waitTime(now)), true
}

// allowedInFlight is how many requests may be in flight.
func (l *Limiter) allowedInFlight() int {
	if !l.breaker.isTrusted() {
		return 1
	}
	return min(l.inFlight.allowed, l.lost.maxInFlight(l.inFlight.max))
}

// MaxRequest returns the limit of the next request: a request holds at most this
// load, or a single record.
func (l *Limiter) MaxRequest() Load {
	r := l.lost.limitLoad(l.maxRequest).AtMost(l.rate.maxRequest())
	r.Bytes = l.sizes.maxBytes(r.Bytes)
	return r.AtLeast(Load{1, 1})
}

// MaxSealed returns the maximum load of a request with records that are already in a batch.
// The rate may have fallen since the batch was sealed, so the maximum is twice that of a new
// request: a few more records are refused, but the batch is not split into many small requests.
func (l *Limiter) MaxSealed() Load {
	r := l.lost.limitLoad(l.maxRequest).AtMost(l.rate.maxRequest().Times(2))
	r.Bytes = l.sizes.maxBytes(r.Bytes)
	return r.AtLeast(Load{1, 1})
}

// TimeLimit returns how long a request of that load has until its answer counts as lost.
func (l *Limiter) TimeLimit(size Load) time.Duration { return l.lost.timeLimit(size.Bytes) }

// StartRequest enters that a request starts. ObserveResult must follow.
func (l *Limiter) StartRequest(now time.Time, size Load) Request {
	probe := !l.breaker.isTrusted()
	l.inFlight.startRequest(probe)
	permitted := l.MaxRequest()
	return Request{
		size: size, permitted: permitted, started: now,
		rate: l.rate.startRequest(now, size), lowered: l.sizes.lowered, halvings: l.lost.halvings,
		probe: probe, trial: l.sizes.startTrial(size.Bytes),
	}
}

// ObserveResult enters the result of a request.
func (l *Limiter) ObserveResult(now time.Time, r Request, res Result) {
	l.inFlight.endRequest(r.probe)
	l.sizes.endTrial(r.trial)
	l.observeSize(now, r, res.Outcome)
	switch closed := l.breaker.observeOutcome(now, r.probe, res.Outcome); {
	case closed:
		l.inFlight.restartWindow()
		l.lost.restartCount()
		l.rate.resumeRate(now)
	case !l.breaker.isTrusted(): // an outage says nothing about the rate
	default:
		if res.anyAccepted() {
			l.inFlight.countSuccess()
		}
		l.rate.observeResult(now, r.rate, r.size, res)
	}
}

// observeSize enters a result for the latency and the request size.
func (l *Limiter) observeSize(now time.Time, r Request, o Outcome) {
	took := now.Sub(r.started)
	switch o {
	case Answered:
		l.latency.observeLatency(took)
		l.sizes.passSize(r.size.Bytes, l.maxRequest.Bytes)
		l.lost.countAnswer(r.size, r.permitted, r.halvings, took)
	case TooLarge:
		l.sizes.refuseSize(r.size.Bytes, r.lowered, r.trial)
	case Ambiguous:
		l.lost.countLost(r.size, r.permitted, r.halvings)
	case Throttled, Unavailable, Failed, Blocked, Canceled:
	}
}

// CurrentBreaker returns whether requests go out.
func (l *Limiter) CurrentBreaker() BreakerState { return l.breaker.state }

// Snapshot returns the state for metrics and logs.
func (l *Limiter) Snapshot() State {
	s := State{
		Rate: l.rate.rateLimit(), Unlimited: l.rate.phase == starting, Part: l.rate.ownPart(), MaxRequest: l.MaxRequest(),
		SizeLimit: l.sizes.limit, Halvings: l.lost.halvings,
		Breaker: l.breaker.state, InFlight: l.inFlight.count, Allowed: l.allowedInFlight(),
	}
	if s.Breaker != BreakerClosed {
		s.BreakerSince = l.breaker.since
	}
	return s
}
