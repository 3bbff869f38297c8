package firehose

import (
	"fmt"
	"math/rand/v2"
	"testing"
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
	quota    quotaSim
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
		pace: newPace(0, 0), breaker: newBreaker(16), size: 1000, latency: 30 * time.Millisecond,
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
	for end := s.now.Add(d); s.now.Before(end); s.now = s.now.Add(time.Millisecond) {
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
	}
	return (s.sent - sent0) / d.Seconds(), (s.accepted - accepted0) / d.Seconds()
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

const mib = 1 << 20

func TestPaceSustainsQuota(t *testing.T) {
	measuresThroughput(t)
	for _, quota := range []float64{1, 5, 20} {
		for _, size := range []float64{100, 1000, 100_000} {
			for _, latency := range []time.Duration{5 * time.Millisecond, 30 * time.Millisecond, 300 * time.Millisecond} {
				t.Run(fmt.Sprintf("%vMiB/s %vB %v", quota, size, latency), func(t *testing.T) {
					s := newPaceSim(1)
					s.size, s.latency = size, latency
					s.quota.set(s.now, quota*mib, 0)
					s.run(10 * time.Second)
					sent, accepted := s.run(time.Minute)
					// Sixteen small requests in flight carry only so much.
					most := min(quota*mib, 16*min(500*size, 4e6)/(1.5*latency.Seconds()))
					if accepted < 0.95*most {
						t.Errorf("sustained %.1f %%", 100*accepted/most)
					}
					if sent > 1.1*accepted {
						t.Errorf("sent %.1f %% of what was accepted", 100*sent/accepted)
					}
				})
			}
		}
	}
}

// Records of which the quota takes a few a second fit it unevenly, at best.
func TestPaceLargeRecords(t *testing.T) {
	measuresThroughput(t)
	for _, quota := range []float64{1, 5, 20} {
		s := newPaceSim(1)
		s.size = 900_000
		s.quota.set(s.now, quota*mib, 0)
		s.run(10 * time.Second)
		sent, accepted := s.run(2 * time.Minute)
		t.Logf("%v MiB/s: sent %.2f, accepted %.2f", quota, sent/quota/mib, accepted/quota/mib)
		if accepted < 0.75*quota*mib || sent > 2*accepted {
			t.Errorf("%v MiB/s: sent %.2f, accepted %.2f of it", quota, sent/quota/mib, accepted/quota/mib)
		}
	}
}

// Every record in so many fails whatever the speed. Nothing but their share of
// the line may be lost to that.
func TestPaceIsNotStrangledByFailures(t *testing.T) {
	measuresThroughput(t)
	for _, share := range []float64{0.001, 0.02, 0.05, 0.2, 0.5} {
		s := newPaceSim(1)
		s.uplink, s.quota.random = 50*mib, share
		_, first := s.run(10 * time.Second)
		_, got := s.run(2 * time.Minute)
		t.Logf("%v: %.2f of the line, %.2f in the first seconds", share, got/s.uplink, first/s.uplink)
		if got < (1-share)*0.93*s.uplink {
			t.Errorf("%v fail: %.1f %% of the line", share, 100*got/s.uplink)
		}
	}
}

func TestPaceFailuresAndQuota(t *testing.T) {
	measuresThroughput(t)
	for _, quota := range []float64{1, 5, 20} {
		s := newPaceSim(1)
		s.quota.set(s.now, quota*mib, 0)
		s.quota.random = 0.2
		s.run(10 * time.Second)
		sent, got := s.run(2 * time.Minute)
		if got < 0.95*quota*mib || sent > 1.4*got { // 1.25 is what the failures cost
			t.Errorf("%v MiB/s: sent %.2f, accepted %.2f of it", quota, sent/quota/mib, got/quota/mib)
		}
	}
}

func TestPaceFollowsQuota(t *testing.T) {
	measuresThroughput(t)
	s := newPaceSim(1)
	for _, q := range []float64{20, 1, 5, 20, 2} {
		s.quota.set(s.now, q*mib, 0)
		s.run(20 * time.Second)
		sent, got := s.run(10 * time.Second)
		if got < 0.9*q*mib || sent > 1.15*got {
			t.Errorf("twenty seconds after a change to %v MiB/s: sent %.2f, accepted %.2f of it", q, sent/q/mib, got/q/mib)
		}
	}
}

// One record that fails for ever beside a stream that flows, and beside none.
func TestPaceStubbornRecord(t *testing.T) {
	p, now := newPace(0, 0), time.Unix(1e9, 0)
	for i := range 1000 {
		now = now.Add(100 * time.Millisecond)
		f := p.take(now, amount{1e6, 500})
		refused := 0.0
		if i%10 == 0 {
			refused = 1
		}
		p.result(now, f, amount{1e6, 500}, amount{1e6 - 2000*refused, 500 - refused}, refused)
	}
	if p.rate != unlimited {
		t.Errorf("slowed down to %v", p.rate)
	}
	for range 100 { // small enough to be below the floor
		now = now.Add(time.Second)
		p.result(now, p.take(now, amount{2000, 1}), amount{2000, 1}, amount{}, 1)
	}
	if p.rate != unlimited {
		t.Errorf("slowed down to %v", p.rate)
	}
}

// After five minutes without a refusal the limit is gone.
func TestPaceForgets(t *testing.T) {
	s := newPaceSim(1)
	s.quota.set(s.now, mib, 0)
	s.run(10 * time.Second)
	if s.pace.rate == unlimited {
		t.Fatal("not throttled")
	}
	p, now := s.pace, s.now
	for range 301 { // too little for the pace to grow
		now = now.Add(time.Second)
		p.result(now, p.take(now, amount{100, 1}), amount{100, 1}, amount{100, 1}, 0)
	}
	if p.rate != unlimited {
		t.Errorf("still %v", p.rate)
	}
}

func TestPaceNeverExceedsTheConfiguredLimit(t *testing.T) {
	s := newPaceSim(1)
	s.pace = newPace(2*mib, 0)
	if sent, _ := s.run(30 * time.Second); sent > 2.05*mib || sent < 1.95*mib {
		t.Errorf("sent %.2f MiB/s, the limit is 2", sent/mib)
	}
	s.quota.set(s.now, mib, 0)
	s.run(20 * time.Second)
	s.quota.set(s.now, 50*mib, 0)
	if sent, _ := s.run(time.Minute); sent > 2.05*mib {
		t.Errorf("sent %.2f MiB/s, the limit is 2", sent/mib)
	}
}

func TestPaceLimits(t *testing.T) {
	p := newPace(1000, 2)
	if l := p.limits(amount{4e6, 500}); l != (amount{250, 1}) {
		t.Errorf("limits are %v, want a quarter of a second and one record at least", l)
	}
	if l := newPace(0, 0).limits(amount{4e6, 500}); l != (amount{4e6, 500}) {
		t.Errorf("limits are %v, want the configured ones", l)
	}
}
