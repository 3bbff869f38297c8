package limiter

import (
	"testing"
	"time"
)

// TestSetLimits: limits that change hold at once, in every phase, and without a limit the rate rises again.
func TestSetLimits(t *testing.T) {
	t.Parallel()
	const latencyEstimate = 50 * time.Millisecond
	l, s := New(testConfig()), newStream(10<<20, 0)
	now := start
	// run sends for some time and returns the bytes a second of its second half.
	run := func(d time.Duration) float64 {
		now, _ = send(t, l, now, d/2, latencyEstimate, s.put)
		begin := s.sent - s.refused
		now, _ = send(t, l, now, d/2, latencyEstimate, s.put)
		return (s.sent - s.refused - begin) / (d / 2).Seconds() * 1024
	}
	want := func(what string, got, low, high float64) {
		t.Helper()
		if got < low || got > high {
			t.Errorf("%s: %.0f bytes a second, want %.0f to %.0f", what, got, low, high)
		}
	}
	want("without limits", run(10*time.Second), 9<<20, 10.2*(1<<20))
	l.SetLimits(now, Load{Bytes: 2 << 20}, Load{})
	if got := l.Snapshot().Rate.Bytes; got != 2<<20 {
		t.Errorf("the rate is %.0f right after the change", got)
	}
	want("with a hard limit", run(4*time.Second), 1.8*(1<<20), 2.1*(1<<20))
	l.SetLimits(now, Load{Bytes: 8 << 20}, Load{})
	want("with a higher one", run(20*time.Second), 7.2*(1<<20), 8.2*(1<<20))
	l.SetLimits(now, Load{}, Load{Bytes: 5 << 20})
	if got := l.Snapshot().Part.Bytes; got != 5<<20 {
		t.Errorf("the part of the quota is %.0f", got)
	}
	want("with a quota", run(4*time.Second), 4.8*(1<<20), 5.2*(1<<20))
	l.SetLimits(now, Load{Bytes: 1 << 20}, Load{Bytes: 5 << 20})
	want("with a hard limit below the quota", run(4*time.Second), 0.9*(1<<20), 1.1*(1<<20))
	l.SetLimits(now, Load{}, Load{Bytes: 5 << 20})
	want("with the quota alone again", run(4*time.Second), 4.8*(1<<20), 5.2*(1<<20))
	l.SetLimits(now, Load{}, Load{})
	want("without limits again", run(10*time.Second), 9<<20, 10.5*(1<<20))
	before := l.Snapshot()
	if l.SetLimits(now, Load{}, Load{}); l.Snapshot() != before {
		t.Error("limits that are the same change the state")
	}
}
