package connector

import (
	"errors"
	"testing"
	"time"
)

// TestFaultSince: a fault that changes its kind, such as a stream that fails and then refuses, has lasted since its first kind; one that
// nothing knows the beginning of begins now.
func TestFaultSince(t *testing.T) {
	now := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	ago := func(minutes int) time.Time { return now.Add(-time.Duration(minutes) * time.Minute) }
	for name, test := range map[string]struct{ seen, own, want time.Time }{
		"unknown":     {want: now},
		"seen":        {seen: ago(3), want: ago(3)},
		"its own":     {own: ago(2), want: ago(2)},
		"seen before": {seen: ago(3), own: ago(2), want: ago(3)},
		"seen late":   {seen: ago(3), own: ago(4), want: ago(4)},
	} {
		c := &Connector{}
		if !test.seen.IsZero() {
			c.publishFaults(map[string]*knownFault{"stream s": {since: test.seen}})
		}
		if got := c.faultSince(fault{what: "stream s", since: test.own}, now); !got.Equal(test.want) {
			t.Errorf("%s: since %v, want %v", name, got, test.want)
		}
	}
}

// TestFaultLines: each line of a reason has its beginning.
func TestFaultLines(t *testing.T) {
	f := fault{err: errors.Join(errors.New("one"), errors.New("two")), since: time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)}
	for _, test := range []struct {
		failures int
		dated    bool
		want     string
	}{
		{0, false, "one (since 2026-11-30T12:00:00Z)\ntwo (since 2026-11-30T12:00:00Z)"},
		{3, false, "one (since 2026-11-30T12:00:00Z, 3 failed attempts)\ntwo (since 2026-11-30T12:00:00Z, 3 failed attempts)"},
		{3, true, "one\ntwo"},
	} {
		f.failures, f.dated = test.failures, test.dated
		if got := f.lines().Error(); got != test.want {
			t.Errorf("%q, want %q", got, test.want)
		}
	}
}
