package firehose

import (
	"fmt"
	"testing"
	"time"

	"kafka-firehose/connector/longtest"
)

const mib = 1 << 20

func TestPaceSustainsQuota(t *testing.T) {
	measuresThroughput(t)
	for _, quota := range []float64{1, 5, 20} {
		for _, size := range longtest.Pick([]float64{1000}, []float64{100, 1000, 100_000}) {
			for _, latency := range longtest.Pick([]time.Duration{30 * time.Millisecond}, []time.Duration{5 * time.Millisecond, 30 * time.Millisecond, 300 * time.Millisecond}) {
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
					// A refusal that comes late, or of a record that is a tenth of a second's
					// quota, is followed by more of them.
					wasted := 0.02
					if size > 1000 || latency > 100*time.Millisecond {
						wasted = 0.05
					}
					if sent-accepted > wasted*sent {
						t.Errorf("%.1f %% of what was sent was refused", 100*(sent-accepted)/sent)
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
	for _, share := range longtest.Pick([]float64{0.05}, []float64{0.001, 0.02, 0.05, 0.2, 0.5}) {
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

// TestPaceSharesQuota: members that don't know of each other, one after the other, each
// with more to send than there is quota. None is starved, and little is wasted.
func TestPaceSharesQuota(t *testing.T) {
	measuresThroughput(t)
	for _, quota := range []float64{1, 5, 20} {
		for _, latency := range []time.Duration{5 * time.Millisecond, 30 * time.Millisecond} {
			t.Run(fmt.Sprintf("%vMiB/s %v", quota, latency), func(t *testing.T) {
				shared := new(quotaSim)
				shared.set(time.Unix(1e9, 0), quota*mib, 0)
				var members []*paceSim
				advance := func(d time.Duration) {
					for range d / time.Millisecond {
						for _, m := range members {
							m.step()
						}
					}
				}
				for i := range 3 {
					m := newPaceSim(uint64(i))
					m.latency, m.quota = latency, shared
					if i > 0 {
						m.now = members[0].now
					}
					members = append(members, m)
					advance(30 * time.Second)
				}
				advance(3 * time.Minute)
				var sent, accepted float64
				for _, m := range members {
					m.sent, m.accepted = 0, 0
				}
				advance(2 * time.Minute)
				for _, m := range members {
					sent, accepted = sent+m.sent, accepted+m.accepted
				}
				if used := accepted / 120 / quota / mib; used < 0.95 || sent-accepted > 0.02*sent {
					t.Errorf("%.1f %% of the quota is used, and %.1f %% of what is sent refused", 100*used, 100*(sent-accepted)/sent)
				}
				for i, m := range members {
					if share := m.accepted / accepted; share < 0.5/3 || share > 1.5/3 {
						t.Errorf("member %d of three has %.0f %% of the quota", i, 100*share)
					}
				}
			})
		}
	}
}
