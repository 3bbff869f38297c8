package firehose

import (
	"math/rand/v2"
	"time"
)

// quotaSim is what a simulated stream takes, record by record, like the service:
// a token bucket of one second.
type quotaSim struct {
	bytes, records        float64 // a second; 0 is unlimited
	byteTokens, recTokens float64
	last                  time.Time
	random                float64 // share refused whatever the rate
}

func (q *quotaSim) set(now time.Time, bytes, records float64) {
	*q = quotaSim{bytes: bytes, records: records, byteTokens: bytes, recTokens: records, last: now, random: q.random}
}

func (q *quotaSim) admit(now time.Time, n int, size float64, dice *rand.Rand) (refused int) {
	passed := now.Sub(q.last).Seconds()
	q.last = now
	q.byteTokens = min(q.bytes, q.byteTokens+q.bytes*passed)
	q.recTokens = min(q.records, q.recTokens+q.records*passed)
	for range n {
		if q.random > 0 && dice.Float64() < q.random {
			refused++
			continue
		}
		if q.bytes > 0 && q.byteTokens < size || q.records > 0 && q.recTokens < 1 {
			refused++
			continue
		}
		q.byteTokens -= size
		q.recTokens--
	}
	return refused
}

// paceSim sends an endless backlog through a pace and a breaker in virtual time.
type paceSim struct {
	pace     *pace
	breaker  *breaker
	quota    *quotaSim
	size     float64 // bytes a record
	latency  time.Duration
	uplink   float64 // bytes a second that the line takes; 0 is unlimited
	dice     *rand.Rand
	now      time.Time
	busy     time.Time // until when the line is taken
	flights  []flight
	retries  []part1
	sent     float64 // bytes
	accepted float64
	requests int
}

type flight struct {
	parts []part1
	n     int
	flow  flow
	end   time.Time
}

// part1 is what is left of a batch.
type part1 struct {
	n, attempts int
	end         time.Time // of its backoff
}

func newPaceSim(seed uint64) *paceSim {
	s := &paceSim{
		pace: newPace(0, 0), breaker: newBreaker(16), quota: new(quotaSim), size: 1000, latency: 30 * time.Millisecond,
		dice: rand.New(rand.NewPCG(seed, 1)), now: time.Unix(1e9, 0),
	}
	s.busy = s.now
	s.quota.last = s.now
	return s
}

// run advances the simulation by d and returns the bytes sent and accepted a
// second meanwhile.
func (s *paceSim) run(d time.Duration) (sent, accepted float64) {
	sent0, accepted0 := s.sent, s.accepted
	for end := s.now.Add(d); s.now.Before(end); {
		s.step()
	}
	return (s.sent - sent0) / d.Seconds(), (s.accepted - accepted0) / d.Seconds()
}

// step does what is due now and goes on to the next millisecond.
func (s *paceSim) step() {
	flights := s.flights
	s.flights = nil
	for _, f := range flights {
		if f.end.After(s.now) {
			s.flights = append(s.flights, f)
		} else {
			s.land(f)
		}
	}
	for s.launch() {
	}
	s.now = s.now.Add(time.Millisecond)
}

func (s *paceSim) launch() bool {
	if d, ok := s.breaker.wait(s.now, len(s.flights)); !ok || d > 0 || s.pace.wait(s.now) > 0 || s.busy.After(s.now.Add(50*time.Millisecond)) {
		return false
	}
	l := s.pace.limits(amount{4e6, 500})
	var f flight
	fits := func(n int) bool {
		return n == 1 || float64(n) <= l.records && float64(n)*s.size <= l.bytes
	}
	left := s.retries[:0]
	for _, r := range s.retries {
		switch {
		case r.end.After(s.now), f.n > 0 && !fits(f.n+r.n):
			left = append(left, r)
		default:
			f.parts, f.n = append(f.parts, r), f.n+r.n
		}
	}
	s.retries = left
	if f.n == 0 {
		if len(s.retries) > 400 { // memory is bounded
			return false
		}
		f.n = int(max(1, min(l.records, l.bytes/s.size)))
		f.parts = []part1{{n: f.n}}
	}
	for len(f.parts) == 1 && !fits((f.n+1)/2) {
		half := part1{n: f.n / 2, attempts: f.parts[0].attempts, end: s.now}
		f.n -= half.n
		f.parts[0].n = f.n
		s.retries = append(s.retries, half)
	}
	f.flow = s.pace.take(s.now, amount{float64(f.n) * s.size, float64(f.n)})
	start := s.now
	if s.uplink > 0 {
		if s.busy.Before(s.now) {
			s.busy = s.now
		}
		s.busy = s.busy.Add(time.Duration(float64(f.n) * s.size / s.uplink * 1e9))
		start = s.busy
	}
	f.end = start.Add(s.latency + time.Duration(s.dice.Float64()*float64(s.latency)))
	s.flights = append(s.flights, f)
	s.requests++
	s.sent += float64(f.n) * s.size
	return true
}

func (s *paceSim) land(f flight) {
	all, pacing := 0, 0.0
	for _, p := range f.parts {
		refused := s.quota.admit(s.now, p.n, s.size, s.dice)
		all += refused
		p.attempts++
		if refused < p.n {
			p.attempts = 0
		}
		if p.attempts <= paceAttempts {
			pacing += float64(refused)
		}
		if p.n = refused; refused > 0 {
			backoff := min(backoffMost, backoffFirst<<min(max(0, p.attempts-1), 10))
			p.end = s.now.Add(time.Duration(s.dice.Float64() * float64(backoff)))
			s.retries = append(s.retries, p)
		}
	}
	ok := float64(f.n - all)
	s.accepted += ok * s.size
	if ok > 0 {
		s.breaker.success(true)
	} else {
		s.breaker.answered(true)
	}
	s.pace.result(s.now, f.flow, amount{float64(f.n) * s.size, float64(f.n)}, amount{ok * s.size, ok}, pacing)
}
