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
	demand   float64 // share of the time in which there is something to send; 0 is 1
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
		s.breaker.success()
	} else {
		s.breaker.answered()
	}
	s.pace.result(s.now, f.flow, amount{float64(f.n) * s.size, float64(f.n)}, amount{ok * s.size, ok}, pacing)
}

const mib = 1 << 20

func TestPaceSustainsQuota(t *testing.T) {
	for _, quota := range []float64{1, 5, 20} {
		for _, size := range []float64{100, 1000, 100_000, 900_000} {
			for _, latency := range []time.Duration{5 * time.Millisecond, 30 * time.Millisecond, 300 * time.Millisecond, 2 * time.Second} {
				t.Run(fmt.Sprintf("%vMiB/s %vB %v", quota, size, latency), func(t *testing.T) {
					s := newPaceSim(1)
					s.size, s.latency = size, latency
					s.quota.set(s.now, quota*mib, 0)
					sent0, acc0 := s.run(10 * time.Second)
					sent, accepted := s.run(120 * time.Second)
					t.Logf("first 10 s: sent %.2f accepted %.2f of quota; then sent %.3f accepted %.3f", sent0/quota/mib, acc0/quota/mib, sent/quota/mib, accepted/quota/mib)
					// Sixteen small requests in flight carry only so much.
					line := 16 * min(500*size, 4e6) / (1.5 * latency.Seconds())
					if accepted < 0.9*min(quota*mib, line) {
						t.Errorf("sustained %.0f %% of the quota", 100*accepted/quota/mib)
					}
					if sent > 1.1*accepted {
						t.Errorf("sent %.0f %% of what was accepted", 100*sent/accepted)
					}
				})
			}
		}
	}
}

func TestPaceRandomFailure(t *testing.T) {
	for _, share := range []float64{0.02, 0.05, 0.2, 0.5} {
		t.Run(fmt.Sprint(share), func(t *testing.T) {
			full := newPaceSim(1)
			full.uplink = 50 * mib
			_, want := full.run(2 * time.Minute)
			s := newPaceSim(1)
			s.uplink = 50 * mib
			s.quota.random = share
			_, first := s.run(10 * time.Second)
			sent, got := s.run(2 * time.Minute)
			t.Logf("sent %.3f, accepted: first 10s %.3f of it, %.3f of full", sent/want, first/want, got/want)
			if got < (1-share)*0.95*want {
				t.Errorf("%.1f %% of full speed", 100*got/want)
			}
		})
	}
}

func TestPaceRandomFailureUnderQuota(t *testing.T) {
	for _, quota := range []float64{1, 5, 20} {
		s := newPaceSim(1)
		s.quota.set(s.now, quota*mib, 0)
		s.quota.random = 0.2
		s.run(10 * time.Second)
		sent, got := s.run(2 * time.Minute)
		t.Logf("%v: sent %.3f accepted %.3f base %.2f", quota, sent/quota/mib, got/quota/mib, s.pace.baseline)
		if got < 0.9*quota*mib {
			t.Errorf("sustained %.0f %%", 100*got/quota/mib)
		}
		if sent > 1.45*got {
			t.Errorf("sent %.0f %%", 100*sent/got)
		}
	}
}

func TestPaceFollowsQuota(t *testing.T) {
	s := newPaceSim(1)
	for _, q := range []float64{20, 1, 5, 20, 2} {
		s.quota.set(s.now, q*mib, 0)
		for range 6 {
			sent, got := s.run(10 * time.Second)
			t.Logf("%v MiB/s: sent %.2f accepted %.2f, rate %.2f base %.2f", q, sent/q/mib, got/q/mib, s.pace.rate.bytes/q/mib, s.pace.baseline)
		}
	}
}

func TestPaceDebug(t *testing.T) {
	s := newPaceSim(1)
	s.uplink = 50 * mib
	s.quota.random = 0.5
	for range 60 {
		sent, got := s.run(time.Second)
		tr := "-"
		if s.pace.trial != nil {
			tr = fmt.Sprintf("%.2f share %.2f w%d %.0f %.0f q%.0f c%.0f", s.pace.trial.speed.bytes/mib, s.pace.trial.share, s.pace.trial.windows, s.pace.trial.judged, s.pace.trial.failed, s.pace.trial.quota, s.pace.trial.chance)
		}
		t.Logf("sent %.2f acc %.2f rate %.2f base %.2f trial %s clean %d retries %d", sent/mib, got/mib, s.pace.rate.bytes/mib, s.pace.baseline, tr, s.pace.clean, len(s.retries))
	}
}
