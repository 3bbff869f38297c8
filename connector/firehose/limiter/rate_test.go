package limiter

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// stream refuses what exceeds a quota in bytes per second, with a bucket of a second,
// and a share of the records by chance.
type stream struct {
	quota, tokens float64
	filled        time.Time
	chance        float64
	random        *rand.Rand

	sent, refused float64 // records
}

func newStream(quota, chance float64) *stream {
	return &stream{quota: quota, tokens: quota, filled: start, chance: chance, random: rand.New(rand.NewPCG(5, 5))}
}

func (s *stream) put(now time.Time, size Load) Result {
	s.tokens = min(s.quota, s.tokens+s.quota*now.Sub(s.filled).Seconds())
	s.filled = now
	accepted := 0.0
	each := size.Bytes / size.Records
	for range int(size.Records) {
		if s.random.Float64() >= s.chance && s.tokens >= each {
			s.tokens -= each
			accepted++
		}
	}
	s.sent += size.Records
	s.refused += size.Records - accepted
	return Result{Accepted: Load{Bytes: accepted * each, Records: accepted}, Refused: size.Records - accepted}
}

// A quota is found within seconds, is used nearly entirely, and little is refused.
func TestQuota(t *testing.T) {
	t.Parallel()
	for _, quota := range []float64{1 << 20, 5 << 20, 20 << 20} {
		l, s := New(testConfig()), newStream(quota, 0)
		now, _ := send(t, l, start, 10*time.Second, 50*time.Millisecond, s.put)
		s.sent, s.refused = 0, 0
		_, sent := send(t, l, now, 60*time.Second, 50*time.Millisecond, s.put)
		if refused := s.refused / s.sent; refused > 0.03 || sent*(1-refused) < 0.95*60*quota {
			t.Errorf("quota %.0f: %.0f bytes/s accepted, %.1f %% refused", quota, sent*(1-refused)/60, 100*refused)
		}
	}
}

// A member that knows its part of the quota catches up after it was held up, whether for the
// time slices of its CPU or for a rebalance: the stream has saved the quota meanwhile. It does not exceed the hard
// limit of its process, and catches up with a moment only, however long it had nothing to send.
func TestCatchingUp(t *testing.T) {
	t.Parallel()
	const part = 2 << 20
	for _, tt := range []struct {
		name        string
		max, quota  float64
		away, every time.Duration
		least, most float64 // of the part
		burst       float64 // highest 100 ms, of a second of the part
	}{
		{"without CPU for 100 ms of 250", 0, 4 * part, 100 * time.Millisecond, 250 * time.Millisecond, 0.98, 1.01, 0.30},
		{"held up for 200 ms of each second", 0, 4 * part, 200 * time.Millisecond, time.Second, 0.98, 1.01, 0.40},
		{"idle for 9 of 10 s", 0, 4 * part, 9 * time.Second, 10 * time.Second, 0, 0.17, 0.45},
		{"idle for 15 of 16 s", 0, 4 * part, 15 * time.Second, 16 * time.Second, 0, 0.07, 0.20},
		{"hard limit", part, 8 * part, 200 * time.Millisecond, time.Second, 0, 0.86, 0.16},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := testConfig()
			c.Max, c.Quota = Load{Bytes: tt.max}, Load{Bytes: tt.quota}
			l, s := New(c), newStream(part, 0)
			l.SetShare(start, 0.25)
			length := max(quotaQuiet, 2*tt.every) // after quotaQuiet a member tries for more than its part
			end, sent := start.Add(length), 0.0
			slots := make([]float64, length/(100*time.Millisecond))
			for now := start; now.Before(end); now = now.Add(time.Millisecond) {
				if now.Sub(start)%tt.every >= tt.every-tt.away {
					continue
				}
				for d, ok := l.WaitTime(now); ok && d == 0; d, ok = l.WaitTime(now) {
					size := l.MaxRequest()
					size.Records = math.Ceil(size.Bytes / 1024)
					l.ObserveResult(now, l.StartRequest(now, size), s.put(now, size))
					sent += size.Bytes
					slots[now.Sub(start)/(100*time.Millisecond)] += size.Bytes
				}
			}
			if used := sent / (part * length.Seconds()); used < tt.least || used > tt.most {
				t.Errorf("%.1f %% of the part was sent", 100*used)
			}
			if highest := slices.Max(slots); highest > tt.burst*part {
				t.Errorf("%.2f of a second's part was sent within 100 ms", highest/part)
			}
			if refused := s.refused / s.sent; refused > 0.012 {
				t.Errorf("%.1f %% of the records were refused", 100*refused)
			}
		})
	}
}

// Records that are refused by chance don't slow the sender down: each cut is undone,
// and their share becomes the baseline.
func TestChanceIsNoQuota(t *testing.T) {
	t.Parallel()
	l, s := New(testConfig()), newStream(1e12, 0.05)
	now, _ := send(t, l, start, 5*time.Second, 50*time.Millisecond, s.put)
	if _, sent := send(t, l, now, 20*time.Second, 50*time.Millisecond, s.put); sent < 20*40<<20 {
		t.Errorf("%.1f MiB/s", sent/20/(1<<20))
	}
}

// The same where a quota has been found before, far above what chance would be cut to.
func TestChanceAfterQuota(t *testing.T) {
	t.Parallel()
	const quota = 20 << 20
	l, s := New(testConfig()), newStream(quota, 0)
	now, _ := send(t, l, start, 20*time.Second, 50*time.Millisecond, s.put)
	s.quota, s.tokens, s.chance = 1e12, 1e12, 0.1
	if _, sent := send(t, l, now, 5*time.Second, 50*time.Millisecond, s.put); sent < 0.85*5*quota {
		t.Errorf("%.1f MiB/s with a tenth of the records refused by chance, the quota was %d MiB/s", sent/5/(1<<20), quota>>20)
	}
}

// The rate is above the smallest quota of AWS although nothing is accepted, for two
// seconds, and goes below it then.
func TestFloor(t *testing.T) {
	t.Parallel()
	l := New(testConfig())
	refuse := func(_ time.Time, size Load) Result { return answered(size, 1) }
	now, _ := send(t, l, start, 1500*time.Millisecond, 50*time.Millisecond, refuse)
	if got := l.Snapshot().Rate.Bytes; got < smallestQuota.Bytes {
		t.Errorf("rate %.0f after 1.5 s", got)
	}
	send(t, l, now, 5*time.Second, 50*time.Millisecond, refuse)
	if got := l.Snapshot().Rate.Bytes; got >= smallestQuota.Bytes/2 {
		t.Errorf("rate %.0f after 6.5 s", got)
	}
}

// Only refusals that a quota makes are evidence.
func TestEvidence(t *testing.T) {
	t.Parallel()
	size := Load{Bytes: 1000, Records: 10}
	for o, counts := range map[Outcome]bool{
		Answered: true, Throttled: true, Unavailable: true,
		Failed: false, Ambiguous: false, TooLarge: false, Blocked: false, Canceled: false,
	} {
		e := evidence{whole: 0.5}
		if _, ok := e.classifyResult(size, Result{Outcome: o, Refused: 10}); ok != counts {
			t.Errorf("outcome %d is evidence: %v", o, ok)
		}
	}
	var e evidence
	if tally, ok := e.classifyResult(size, Result{Accepted: Load{900, 9}}); !ok || tally.refused != 0 || tally.records != 9 {
		t.Errorf("an entry with InternalFailure counts: %+v", tally)
	}
}

// A request that is refused as a whole counts only while 30 % of the last ones are.
func TestWholeRequests(t *testing.T) {
	t.Parallel()
	var e evidence
	first := 0
	for i := 1; i <= 30 && first == 0; i++ {
		if _, ok := e.classifyResult(Load{1000, 10}, Result{Outcome: Throttled}); ok {
			first = i
		}
	}
	if first != 11 {
		t.Errorf("request %d is the first that counts", first)
	}
	for range 10 {
		e.classifyResult(Load{1000, 10}, Result{Accepted: Load{1000, 10}})
	}
	if _, ok := e.classifyResult(Load{1000, 10}, Result{Outcome: Unavailable}); ok {
		t.Error("a refused request counts after ten answered ones")
	}
}

// A member that sends nothing for a while begins with slow start again.
func TestIdle(t *testing.T) {
	t.Parallel()
	l := New(testConfig())
	now, _ := send(t, l, start, 5*time.Second, 50*time.Millisecond, accept)
	now = now.Add(time.Minute)
	if _, sent := send(t, l, now, 200*time.Millisecond, 50*time.Millisecond, accept); sent > 4_500_000 {
		t.Errorf("%.0f bytes in the first 0.2 s after a minute without records", sent)
	}
}

// A request holds more of the rate where answers are slow, where a member has a small
// share, and where many requests are refused as a whole, until they no longer are.
func TestRequestTime(t *testing.T) {
	t.Parallel()
	var lat latencyEstimate
	r := newRate(testConfig(), &lat)
	want := func(seconds float64, when string) {
		t.Helper()
		if got := r.requestTime(); got < 0.999*seconds || got > 1.001*seconds {
			t.Errorf("%.3f s %s, want %.3f s", got, when, seconds)
		}
	}
	want(requestSeconds, "at first")
	lat.mean = 800 * time.Millisecond
	want(0.1, "with answers after 0.8 s")
	lat.mean = 0
	r.setShare(start, 1.0/64)
	want(0.128, "with a 64th of the partitions")
	r.setShare(start, 1)
	enter := func(n int, res Result) {
		for range n {
			r.evidence.classifyResult(Load{1000, 10}, res)
			r.adjustSpread(res)
		}
	}
	accepted := Result{Accepted: Load{1000, 10}}
	for _, refused := range []Result{{Outcome: Throttled}, {Refused: 20}} {
		enter(30, refused)
		want(maxRequestSeconds, "while nothing of the requests is accepted")
		enter(5000, accepted)
		want(requestSeconds, "after 5000 answers")
	}
}

// A rebalance moves a rate that refusals have confirmed.
func TestShareWithoutQuota(t *testing.T) {
	t.Parallel()
	l, s := New(testConfig()), newStream(5<<20, 0)
	now, _ := send(t, l, start, 10*time.Second, 50*time.Millisecond, s.put)
	before := l.Snapshot().Rate
	if l.SetShare(now, 0.5); l.Snapshot().Rate != before.Times(0.5) {
		t.Errorf("rate %+v with half of the partitions, before %+v", l.Snapshot().Rate, before)
	}
	if l.SetShare(now, 0); l.Snapshot().Rate.Bytes <= 0 {
		t.Errorf("rate %+v without partitions", l.Snapshot().Rate)
	}
}

// The latency follows a change within some answers, and one slow answer hardly moves it.
func TestLatency(t *testing.T) {
	t.Parallel()
	var lat latencyEstimate
	for range 20 {
		lat.observeLatency(50 * time.Millisecond)
	}
	if lat.observeLatency(time.Minute); lat.mean > 200*time.Millisecond {
		t.Errorf("mean %v after a slow answer", lat.mean)
	}
	for range 30 {
		lat.observeLatency(200 * time.Millisecond)
	}
	if got := lat.AtLeast(2, 100*time.Millisecond); got < 390*time.Millisecond || got > 410*time.Millisecond {
		t.Errorf("two latencies are %v", got)
	}
	if got := lat.AtLeast(2, time.Second); got != time.Second {
		t.Errorf("the minimum of a second is %v", got)
	}
}

// A sender that yields takes what others leave and no more. One that doesn't stays at its limit, and most of that is refused.
func TestYields(t *testing.T) {
	t.Parallel()
	const left = 96 << 10
	for _, yields := range []bool{true, false} {
		c := testConfig()
		c.Max, c.Quota, c.Yields = Load{Bytes: 256 << 10}, Load{Bytes: 1 << 20}, yields
		l, s := New(c), newStream(left, 0)
		now, _ := send(t, l, start, 10*time.Second, 50*time.Millisecond, s.put)
		s.sent, s.refused = 0, 0
		_, sent := send(t, l, now, 2*time.Minute, 50*time.Millisecond, s.put)
		refused := s.refused / s.sent
		if accepted := sent * (1 - refused) / 120 / left; yields && (accepted < 0.6 || refused > 0.06) || !yields && refused < 0.5 {
			t.Errorf("yields %v: %.2f of what is left is used, and %.1f %% are refused", yields, accepted, 100*refused)
		}
	}
}

// While others need more than the quota, all senders see refusals that no cut ends. A sender that yields goes to its lowest rate,
// and afterwards comes back to its limit.
func TestYieldsToTheFloor(t *testing.T) {
	t.Parallel()
	for _, share := range []float64{0.2, 1} {
		c := testConfig()
		c.Max, c.Yields = Load{Bytes: 4 << 20, Records: 100_000}, true
		l := New(c)
		refuse := func(_ time.Time, size Load) Result {
			return Result{Accepted: size.Times(1 - share), Refused: size.Records * share}
		}
		now, _ := send(t, l, start, 30*time.Second, 50*time.Millisecond, refuse)
		if got := l.Snapshot().Rate.Bytes; got > smallestQuota.Bytes*minYieldedRate {
			t.Errorf("rate %.0f after half a minute in which the share %.1f is refused", got, share)
		}
		send(t, l, now, 2*time.Minute, 50*time.Millisecond, accept)
		if got := l.Snapshot().Rate; got != c.Max {
			t.Errorf("rate %+v after two minutes without refusals, want the limit %+v", got, c.Max)
		}
	}
}
