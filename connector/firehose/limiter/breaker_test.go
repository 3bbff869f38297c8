package limiter

import (
	"testing"
	"time"
)

// newTestBreaker has a breaker whose delays are the longest ones.
func newTestBreaker() *breaker { return &breaker{random: func() float64 { return 1 }} }

// Three failures in a row are bad luck when they come within a second, and an outage
// when they last longer.
func TestBreakerNeedsTime(t *testing.T) {
	t.Parallel()
	b := newTestBreaker()
	for i := range 5 {
		b.observeOutcome(after(time.Duration(i)*200*time.Millisecond), false, Failed)
	}
	if b.state != BreakerClosed {
		t.Error("open after 0.8 s of failures")
	}
	if d := b.openFor(after(800 * time.Millisecond)); d != spacing {
		t.Errorf("the next request waits for %v, want %v", d, spacing)
	}
	b.observeOutcome(after(time.Second), false, Failed)
	if b.state != BreakerOpen || !b.since.Equal(after(time.Second)) {
		t.Errorf("state %d since %v after a second of failures", b.state, b.since)
	}
}

// An answer between failures keeps it closed, also one that refuses all records.
func TestBreakerAnswerBetween(t *testing.T) {
	t.Parallel()
	b := newTestBreaker()
	for i := range 100 {
		o := Ambiguous
		if i%3 == 2 {
			o = Answered
		}
		b.observeOutcome(after(time.Duration(i)*time.Second), false, o)
	}
	if b.state != BreakerClosed || !b.isTrusted() {
		t.Errorf("state %d although each third request is answered", b.state)
	}
}

// openBreaker returns a breaker that opened at start plus one second.
func openBreaker() *breaker {
	b := newTestBreaker()
	for i := range openFailures {
		b.observeOutcome(after(time.Duration(i)*500*time.Millisecond), false, Unavailable)
	}
	return b
}

// Probes go out after 0.2 s, doubling to 3 s. The results of requests from before the
// outage change nothing; an answered probe closes it.
func TestBreakerProbes(t *testing.T) {
	t.Parallel()
	b, now := openBreaker(), after(time.Second)
	for _, ms := range []int{200, 400, 800, 1600, 3000, 3000} {
		want := time.Duration(ms) * time.Millisecond
		b.observeOutcome(now, false, Failed)
		if b.observeOutcome(now, false, Answered); b.state != BreakerOpen {
			t.Fatal("closed by a request from before the outage")
		}
		if d := b.openFor(now); d != want {
			t.Errorf("wait %v, want %v", d, want)
		}
		now = now.Add(want)
		b.observeOutcome(now, true, Throttled)
	}
	if !b.observeOutcome(now, true, Answered) || b.state != BreakerClosed || b.openFor(now) != 0 {
		t.Errorf("state %d, wait %v after an answered probe", b.state, b.openFor(now))
	}
}

// A Blocked outcome opens it at once, with 1 s doubling to 30 s. A probe that fails for
// a passing reason is repeated sooner, and a size refusal of a probe waits, too.
func TestBreakerBlocked(t *testing.T) {
	t.Parallel()
	b := &breaker{random: func() float64 { return 0 }}
	now := start
	for _, seconds := range []int{1, 2, 4, 8, 16, 30, 30} {
		want := time.Duration(seconds) * time.Second
		b.observeOutcome(now, b.state != BreakerClosed, Blocked)
		if d := b.openFor(now); b.state != BreakerBlocked || d != want {
			t.Errorf("state %d, wait %v, want %v", b.state, d, want)
		}
	}
	b.random = func() float64 { return 1 }
	for _, o := range []Outcome{Failed, TooLarge} {
		if b.observeOutcome(now, true, o); b.state != BreakerBlocked || b.openFor(now) != maxOpenDelay {
			t.Errorf("state %d, wait %v after a probe with outcome %d", b.state, b.openFor(now), o)
		}
	}
}

// An open breaker that learns that it is blocked begins with the first delay.
func TestBreakerOpenThenBlocked(t *testing.T) {
	t.Parallel()
	b, now := openBreaker(), after(2*time.Second)
	for range 5 {
		b.observeOutcome(now, true, Failed)
	}
	b.random = func() float64 { return 0 }
	if b.observeOutcome(now, false, Blocked); b.state != BreakerBlocked || b.openFor(now) != minBlockedDelay {
		t.Errorf("state %d, wait %v", b.state, b.openFor(now))
	}
}

// An outage through the limiter: one request at a time, one in flight after it, and a
// rate that has not changed, because 503 from a service that is down is no quota.
func TestOutage(t *testing.T) {
	t.Parallel()
	l := New(testConfig())
	now, _ := send(t, l, start, 5*time.Second, 50*time.Millisecond, accept)
	before := l.MaxRequest()
	requests := 0
	now, _ = send(t, l, now, 20*time.Second, 50*time.Millisecond, func(time.Time, Load) Result {
		requests++
		return Result{Outcome: Unavailable}
	})
	if s := l.Snapshot(); s.Breaker != BreakerOpen || s.BreakerSince.IsZero() || s.Allowed != 1 {
		t.Errorf("state in the outage: %+v", s)
	}
	if requests > 60 {
		t.Errorf("%d requests in an outage of 20 s", requests)
	}
	if got := l.MaxRequest(); got != before {
		t.Errorf("a request may hold %+v after the outage, before it %+v", got, before)
	}
	now, _ = send(t, l, now, 4*time.Second, 50*time.Millisecond, accept)
	if _, sent := send(t, l, now, time.Second, 50*time.Millisecond, accept); sent < 30<<20 {
		t.Errorf("%.1f MiB/s after the outage", sent/(1<<20))
	}
}
