package limitertest

import (
	"math"
	"math/rand/v2"
	"time"

	"kafka-firehose/connector/firehose/limiter"
)

// Quota of a delivery stream per second; +Inf where there is none.
type Quota struct{ Bytes, Records, Requests float64 }

// Faults are shares between 0 and 1 that don't depend on the load.
type Faults struct {
	Record      float64 // of the records: refused with ServiceUnavailableException
	Unavailable float64 // of the requests: 503
	Internal    float64 // 500
	Throttled   float64 // refused as a whole with a throttling code
	ResetBefore float64 // connection reset before the records are stored
	ResetAfter  float64 // connection reset after the records are stored
	Cut         float64 // the answer is cut off; the records are stored
}

// passing is the share of the sent records that the faults let through.
func (f Faults) passing() float64 {
	requests := f.Unavailable + f.Internal + f.Throttled + f.ResetBefore + f.ResetAfter + f.Cut
	return (1 - f.Record) * (1 - requests)
}

// service is one delivery stream and the way to it. Each bucket holds one second
// of the quota.
type service struct {
	quota    Quota
	tokens   Quota
	filled   time.Time
	faults   Faults
	maxBody  float64 // limit of a proxy, in bytes of the body; zero is none
	outage   bool    // each request is answered 503
	randomly *rand.Rand
}

func newService(q Quota, f Faults, r *rand.Rand, now time.Time) *service {
	return &service{quota: q, tokens: q, faults: f, randomly: r, filled: now}
}

func (s *service) setQuota(now time.Time, q Quota) {
	s.fill(now)
	s.quota = q
	s.tokens = Quota{min(s.tokens.Bytes, q.Bytes), min(s.tokens.Records, q.Records), min(s.tokens.Requests, q.Requests)}
}

func (s *service) fill(now time.Time) {
	passed := now.Sub(s.filled).Seconds()
	s.filled = now
	fill := func(tokens, rate float64) float64 {
		if math.IsInf(rate, 1) {
			return rate
		}
		return min(rate, tokens+rate*passed)
	}
	s.tokens = Quota{
		fill(s.tokens.Bytes, s.quota.Bytes), fill(s.tokens.Records, s.quota.Records),
		fill(s.tokens.Requests, s.quota.Requests),
	}
}

// body is the size of a request's body: base64 and JSON.
func body(records int, size float64) float64 {
	const jsonOfRecord = 12
	return float64(records) * (size*4/3 + jsonOfRecord)
}

// put handles a request of some records of a size in bytes.
func (s *service) put(now time.Time, records int, size float64) limiter.Result {
	s.fill(now)
	f, x := s.faults, s.randomly.Float64()
	happens := func(share float64) bool { x -= share; return x < 0 }
	switch {
	case s.maxBody > 0 && body(records, size) > s.maxBody:
		return limiter.Result{Outcome: limiter.TooLarge}
	case s.outage, happens(f.Unavailable):
		return limiter.Result{Outcome: limiter.Unavailable}
	case happens(f.Internal):
		return limiter.Result{Outcome: limiter.Failed}
	case happens(f.ResetBefore):
		return limiter.Result{Outcome: limiter.Ambiguous}
	case happens(f.Throttled), s.tokens.Requests < 1:
		return limiter.Result{Outcome: limiter.Throttled}
	}
	s.tokens.Requests--
	stored := float64(records - s.binomial(records, f.Record))
	stored = max(0, min(stored, math.Floor(s.tokens.Bytes/size), math.Floor(s.tokens.Records)))
	s.tokens.Bytes -= stored * size
	s.tokens.Records -= stored
	if happens(f.ResetAfter) || happens(f.Cut) {
		return limiter.Result{Outcome: limiter.Ambiguous}
	}
	return limiter.Result{Accepted: limiter.Load{Bytes: stored * size, Records: stored}, Refused: float64(records) - stored}
}

// binomial returns how many of n events of probability p happen.
func (s *service) binomial(n int, p float64) (happened int) {
	if p <= 0 {
		return 0
	}
	for i := 0; ; happened++ {
		// The gap to the next event has a geometric distribution.
		i += 1 + int(math.Log(1-s.randomly.Float64())/math.Log(1-p))
		if i > n {
			return happened
		}
	}
}
