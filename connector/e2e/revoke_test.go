package e2e_test

import (
	"regexp"
	"testing"
	"time"

	"kafka-firehose/connector"
	"kafka-firehose/connector/firehose/firehosetest"
)

// revokeTook returns how long the last revoke took.
func (w *world) revokeTook() time.Duration {
	w.t.Helper()
	lines := regexp.MustCompile(`msg="partitions revoked.* took=(\S+)`).FindAllStringSubmatch(w.log.String(), -1)
	if len(lines) == 0 {
		w.t.Fatalf("no partitions were revoked\n%s", w.log.tail())
	}
	took, err := time.ParseDuration(lines[len(lines)-1][1])
	if err != nil {
		w.t.Fatal(err)
	}
	return took
}

// TestRevokeInABlip: Firehose answers in 2.5 s, refuses new requests for two seconds, and
// another member joins meanwhile. The requests in flight are accepted in time, so none of their
// records comes twice.
func TestRevokeInABlip(t *testing.T) {
	t.Parallel()
	for _, at := range []time.Duration{0, 150 * time.Millisecond, 350 * time.Millisecond, time.Second, 2 * time.Second} {
		t.Run(at.String(), func(t *testing.T) {
			bubble(t, func(w *world) {
				small := func(c *connector.Config) { c.Firehose.BatchMaxRecords = 20 }
				first := w.start(small)
				w.untilShared(4, first)
				stop := w.load(0, 40, 100*time.Millisecond)
				time.Sleep(5 * time.Second)
				w.stream.AddFault(firehosetest.Fault{Effect: firehosetest.Delay, Delay: 2500 * time.Millisecond})
				time.Sleep(5 * time.Second)
				second := w.start(small) // the revoke comes with a heartbeat, 0 to 3 s later
				time.Sleep(at)
				w.stream.ClearFaults()
				w.stream.AddFault(firehosetest.Fault{Effect: firehosetest.RefuseRequest, Code: "ServiceUnavailableException", Until: 2 * time.Second})
				w.untilShared(2, first, second)
				time.Sleep(10 * time.Second)
				n := stop()
				w.untilCommitted(n)
				first.mustStop()
				second.mustStop()
				w.wantExactly(n)
			})
		})
	}
}

// TestRevokeInAnOutage: while Firehose accepts nothing, a revoke is not held up by records that
// wait for it: they have been accepted by nobody, and the next owner sends them.
func TestRevokeInAnOutage(t *testing.T) {
	bubble(t, func(w *world) {
		patient := func(c *connector.Config) { c.Kafka.RevokeDrainTimeout = 40 * time.Second }
		first := w.start(patient)
		w.untilShared(4, first)
		w.stream.AddFault(firehosetest.Fault{Effect: firehosetest.Outage})
		w.produce(0, 400)
		w.until("the breaker is open", patience, func() bool { return first.metric("breaker_open") == 1 })
		second := w.start(patient)
		w.untilShared(2, first, second)
		if took := w.revokeTook(); took > 4*time.Second {
			t.Errorf("the revoke took %v although Firehose is down", took)
		}
		if n := first.metric("kafka_revoke_drain_timeouts_total"); n > 0 {
			t.Errorf("%v revokes are counted as too late", n)
		}
		w.stream.ClearFaults()
		w.untilCommitted(400)
		first.mustStop()
		second.mustStop()
		w.wantExactly(400)
	})
}
