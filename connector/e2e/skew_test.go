package e2e_test

import (
	"testing"
	"time"

	"kafka-firehose/connector/firehose/firehosetest"
	"kafka-firehose/connector/longtest"
)

// TestClockSkew: Firehose's clock jumps ten minutes ahead, back, and ten minutes
// behind, under load, as ours would against it. Each jump costs a few refused
// requests, which are counted and told once; nothing is lost and nothing is
// ambiguous.
func TestClockSkew(t *testing.T) {
	longtest.Require(t)
	t.Parallel()
	h := newHost(t)
	p := h.start(patient...)
	const refused = `outcome="credentials"`
	for i, skew := range []time.Duration{0, 10 * time.Minute, 0, -10 * time.Minute, 0} {
		before := p.metric(t, requestsTotal, refused)
		h.stream.SetFaults([]firehosetest.Fault{{Effect: firehosetest.ClockSkew, Skew: skew}})
		stored := h.stream.Stats().Streams["s"].Records
		h.until(p, "records arrive at "+skew.String(), func() bool {
			h.produce(50)
			return h.stream.Stats().Streams["s"].Records > stored+1000
		})
		n := p.metric(t, requestsTotal, refused) - before
		t.Logf("service %v ahead: %v requests refused", skew, n)
		if i > 0 && n == 0 {
			t.Errorf("service %v ahead: no request was refused, so nothing was tested", skew)
		}
		if i == 0 && n > 0 || n > 30 {
			t.Errorf("service %v ahead: %v requests were refused", skew, n)
		}
	}
	h.delivered(time.Minute)
	if n := p.metric(t, ambiguousTotal); n > 0 {
		t.Errorf("%v records are counted as ambiguous, though every request was answered", n)
	}
	if len(p.lines(`"level":"WARN"`, "InvalidSignatureException", "refuses our credentials")) == 0 {
		t.Errorf("nobody was told\n%s", p.log.String())
	}
	h.drain(p)
	if lost, copies := h.judge.count(h.produced); lost > 0 || copies > 0 {
		t.Errorf("of %d records %d are lost and %d came twice", h.produced, lost, copies)
	}
	h.judge.verdict(t)
}
