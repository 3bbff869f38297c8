package limiter

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// start is the time at which tests begin. No test looks at the clock.
var start = time.Unix(1_800_000_000, 0)

func after(d time.Duration) time.Time { return start.Add(d) }

func testConfig() Config {
	return Config{
		MaxRequest: Load{Bytes: 4_000_000, Records: 500}, MaxInFlight: 16, Timeout: 10 * time.Second,
		Random: rand.New(rand.NewPCG(1, 1)).Float64,
	}
}

// answered is the result of a request with a refused share.
func answered(size Load, refused float64) Result {
	n := math.Round(size.Records * refused)
	return Result{Accepted: size.Times(1 - n/size.Records), Refused: n}
}

// send runs a limiter for a time, one request after another, each answered after a
// latency. It returns the time at the end and the bytes that were sent.
func send(t *testing.T, l *Limiter, now time.Time, length, latency time.Duration, respond func(now time.Time, size Load) Result) (time.Time, float64) {
	t.Helper()
	type flight struct {
		r   Request
		at  time.Time
		res Result
	}
	var flights []flight
	sent, end := 0.0, now.Add(length)
	for now.Before(end) {
		for len(flights) > 0 && !flights[0].at.After(now) {
			l.ObserveResult(flights[0].at, flights[0].r, flights[0].res)
			flights = flights[1:]
		}
		next := now.Add(time.Second)
		if d, ok := l.WaitTime(now); ok && d == 0 {
			size := l.MaxRequest()
			size.Records = min(size.Records, math.Ceil(size.Bytes/1024)) // records of 1 KiB
			flights = append(flights, flight{l.StartRequest(now, size), now.Add(latency), respond(now, size)})
			sent += size.Bytes
			next = now
		} else if ok {
			next = now.Add(d)
		}
		if len(flights) > 0 && flights[0].at.Before(next) {
			next = flights[0].at
		}
		now = next
	}
	for _, f := range flights {
		l.ObserveResult(now, f.r, f.res)
	}
	return now, sent
}

func accept(_ time.Time, size Load) Result { return answered(size, 0) }

// The first request goes out at once, and a stream that never refuses is not held
// back once slow start is over.
func TestNoLimitWithoutEvidence(t *testing.T) {
	t.Parallel()
	l := New(testConfig())
	if d, ok := l.WaitTime(start); d != 0 || !ok {
		t.Errorf("the first request waits for %v, %v", d, ok)
	}
	if rate := l.Snapshot().Rate; !math.IsInf(rate.Bytes, 1) || !math.IsInf(rate.Records, 1) {
		t.Errorf("rate %+v without evidence", rate)
	}
	now, _ := send(t, l, start, time.Second, 50*time.Millisecond, accept)
	_, sent := send(t, l, now, time.Second, 50*time.Millisecond, accept)
	if sent < 30<<20 {
		t.Errorf("%.1f MiB in the second second", sent/(1<<20))
	}
}

// A hard limit is kept from the first second.
func TestMax(t *testing.T) {
	t.Parallel()
	for _, limit := range []float64{100_000, 20_000, 500_000} {
		c := testConfig()
		c.Max = Load{Bytes: limit}
		l := New(c)
		if rate := l.Snapshot().Rate; rate.Bytes != limit || !math.IsInf(rate.Records, 1) {
			t.Errorf("rate %+v with a limit of %g bytes/s", rate, limit)
		}
		_, sent := send(t, l, start, 10*time.Second, 50*time.Millisecond, accept)
		if sent > 10.5*limit || sent < 9*limit {
			t.Errorf("%.0f bytes in 10 s with a limit of %g bytes/s", sent, limit)
		}
	}
}

// A member starts from its part of a known quota, refusals lead back to that part and
// not below, and a rebalance moves it.
func TestFleetQuota(t *testing.T) {
	t.Parallel()
	c := testConfig()
	c.Quota = Load{Bytes: 8 << 20, Records: 100_000}
	l := New(c)
	l.SetShare(start, 0.25)
	part := Load{Bytes: 2 << 20, Records: 25_000}
	if s := l.Snapshot(); s.Rate != part || s.Part != part {
		t.Errorf("rate %+v, part %+v at the start, want %+v", s.Rate, s.Part, part)
	}
	now, _ := send(t, l, start, 50*time.Second, 50*time.Millisecond, accept)
	if rate := l.Snapshot().Rate; rate.Bytes < 1.2*part.Bytes {
		t.Errorf("rate %.0f after 50 s without refusals, part %.0f", rate.Bytes, part.Bytes)
	}
	now, _ = send(t, l, now, 3*time.Second, 50*time.Millisecond, func(_ time.Time, size Load) Result { return answered(size, 0.4) })
	now, _ = send(t, l, now, 3*time.Second, 50*time.Millisecond, accept)
	if rate := l.Snapshot().Rate; rate != part {
		t.Errorf("rate %+v after refusals, part %+v", rate, part)
	}
	l.SetShare(now, 0.5)
	if rate := l.Snapshot().Rate; rate != part.Times(2) {
		t.Errorf("rate %+v after a rebalance, want %+v", rate, part.Times(2))
	}
}

// The number of requests in flight doubles with each success up to the limit, and
// not with a request that is refused entirely.
func TestInFlight(t *testing.T) {
	t.Parallel()
	l := New(testConfig())
	size := Load{Bytes: 100, Records: 1}
	for i, want := range []int{1, 1, 2, 4, 8, 16, 16} {
		res := answered(size, 0)
		if i == 0 {
			res = answered(size, 1)
		}
		if got := l.Snapshot().Allowed; got != want {
			t.Errorf("%d allowed after %d answers, want %d", got, i, want)
		}
		now := after(time.Duration(i) * 100 * time.Millisecond)
		l.ObserveResult(now, l.StartRequest(now, size), res)
	}
}

// The rate stays above zero, so that the limiter recovers, when nothing is accepted
// for minutes.
func TestNothingAccepted(t *testing.T) {
	t.Parallel()
	l := New(testConfig())
	now, _ := send(t, l, start, 3*time.Minute, 50*time.Millisecond, func(_ time.Time, size Load) Result { return answered(size, 1) })
	now, _ = send(t, l, now, time.Minute, 50*time.Millisecond, accept)
	_, sent := send(t, l, now, 10*time.Second, 50*time.Millisecond, accept)
	if sent < 10<<20 {
		t.Errorf("%.2f MiB in 10 s, a minute after the stream accepts again", sent/(1<<20))
	}
}

// No call allocates.
func TestAllocations(t *testing.T) {
	l, now := New(testConfig()), start
	size := Load{Bytes: 1000, Records: 10}
	allocations := testing.AllocsPerRun(1000, func() {
		now = now.Add(10 * time.Millisecond)
		l.WaitTime(now)
		l.MaxRequest()
		l.ObserveResult(now.Add(time.Millisecond), l.StartRequest(now, size), answered(size, 0.1))
		l.Snapshot()
	})
	if allocations != 0 {
		t.Errorf("%.1f allocations per request", allocations)
	}
}
