package e2e_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"kafka-firehose/connector"
	"kafka-firehose/connector/firehose/firehosetest"
	"kafka-firehose/connector/status"
)

// checked has the streams described at the start.
func checked(c *connector.Config) { c.Firehose.StartupCheck = true }

// describeFault is a fault of DescribeDeliveryStream.
func describeFault(f firehosetest.Fault) firehosetest.Fault {
	f.Operation = "DescribeDeliveryStream"
	return f
}

// notPassed fails the test unless the check of the stream s holds its records: the process is in the group, none
// is sent or committed, and readiness has the reason.
func (m *member) notPassed(reason string) {
	m.w.t.Helper()
	if m.owns() == 0 {
		m.w.t.Errorf("the member owns no partitions while the stream is checked\n%s", m.w.log.tail())
	}
	if n := len(m.w.stream.Stored("s")); n > 0 || m.w.judge.progress() > 0 {
		m.w.t.Errorf("%d records were sent and %d committed before the check has passed", n, m.w.judge.progress())
	}
	if err := m.connector.Ready(); err == nil || !strings.Contains(err.Error(), "stream s: ") || !strings.Contains(err.Error(), reason) {
		m.w.t.Errorf("readiness says %v, want %q of the stream s", err, reason)
	}
}

// TestStartWithoutWaits: the check takes one request and runs beside the group's join. In virtual time everything
// else takes no time, so the time of the first accepted record is exact: what takes longer of the two, and
// the 5 ms of its own request.
func TestStartWithoutWaits(t *testing.T) {
	t.Parallel()
	const request = 5 * time.Millisecond
	for name, test := range map[string]struct {
		unchecked        bool
		describing, join time.Duration
		first            time.Duration
	}{
		"no check":        {unchecked: true, first: request},
		"check":           {first: request + request},
		"slow check":      {describing: 100 * time.Millisecond, first: 100*time.Millisecond + request + request},
		"slow join":       {join: 100 * time.Millisecond, first: 100*time.Millisecond + request},
		"check in a join": {describing: 90 * time.Millisecond, join: 100 * time.Millisecond, first: 100*time.Millisecond + request},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				w.produce(0, 4)
				if test.describing > 0 {
					w.stream.AddFault(describeFault(firehosetest.Fault{Effect: firehosetest.Delay, Delay: test.describing}))
				}
				if test.join > 0 {
					w.cluster.ControlKey(int16(kmsg.SyncGroup), func(kmsg.Request) (kmsg.Response, error, bool) {
						time.Sleep(test.join)
						return nil, nil, false
					})
				}
				begin := time.Now()
				m := w.start(func(c *connector.Config) {
					c.Firehose.StartupCheck, c.Firehose.BatchLinger = !test.unchecked, 0
				})
				w.untilStored(4, 4)
				if took := w.stream.Stored("s")[0].Time.Sub(begin); took != test.first {
					t.Errorf("the first record was accepted after %v, want %v", took, test.first)
				}
				m.mustStop()
				w.wantExactly(4)
			})
		})
	}
}

// TestCheckHoldsRecords: while DescribeDeliveryStream fails in a way that proves nothing about the stream, the
// member is in the group and holds its records. After the last attempt the records are sent nevertheless.
func TestCheckHoldsRecords(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		fault  firehosetest.Fault
		reason string
		after  time.Duration // the checks to be looked at
		within time.Duration
	}{
		"throttled for a minute": {firehosetest.Fault{Effect: firehosetest.RefuseRequest, Code: "ThrottlingException", Until: time.Minute}, "ThrottlingException", 20 * time.Millisecond, 15 * time.Second},
		"hangs":                  {firehosetest.Fault{Effect: firehosetest.Hang}, "not answered", 9 * time.Second, time.Minute},
		"hangs again":            {firehosetest.Fault{Effect: firehosetest.Hang}, "timeout", 39 * time.Second, time.Minute},
		"no permission":          {firehosetest.Fault{Effect: firehosetest.RefuseRequest, Code: "AccessDeniedException"}, "", 0, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				w.stream.AddFault(describeFault(test.fault))
				w.produce(0, 100)
				begin := time.Now()
				m := w.start(checked, func(c *connector.Config) { c.Kafka.SessionTimeout, c.Firehose.BatchLinger = 6*time.Second, 0 })
				if time.Sleep(test.after); test.after > 0 {
					m.notPassed(test.reason)
				}
				w.untilCommitted(100)
				if took := w.stream.Stored("s")[0].Time.Sub(begin); took > test.within {
					t.Errorf("the first record was accepted after %v, want %v at most", took, test.within)
				}
				if log := w.log.String(); !strings.Contains(log, "could not describe the delivery stream") || strings.Contains(log, "partitions lost") {
					t.Errorf("the log has no warning, or the member lost its partitions meanwhile:\n%s", w.log.tail())
				}
				if err := m.connector.Ready(); err != nil {
					t.Errorf("not ready: %v", err)
				}
				m.mustStop()
				w.wantExactly(100)
			})
		})
	}
}

// TestStreamIsBeingCreated: records are held until the stream is ACTIVE.
func TestStreamIsBeingCreated(t *testing.T) {
	bubble(t, func(w *world) {
		w.stream.AddStream(firehosetest.Stream{Name: "s", Status: "CREATING"})
		w.produce(0, 100)
		m := w.start(checked)
		time.Sleep(time.Minute)
		m.notPassed("is being created")
		w.stream.AddStream(firehosetest.Stream{Name: "s"})
		w.untilCommitted(100)
		m.mustStop()
		w.wantExactly(100)
	})
}

// TestStopInsideACheck: a stop does not wait for the answer, is clean, and nothing was committed.
func TestStopInsideACheck(t *testing.T) {
	bubble(t, func(w *world) {
		w.stream.AddFault(describeFault(firehosetest.Fault{Effect: firehosetest.Hang}))
		w.produce(0, 100)
		m := w.start(checked)
		time.Sleep(5 * time.Second)
		m.notPassed("not answered")
		begin := time.Now()
		m.mustStop()
		if took := time.Since(begin); took > 100*time.Millisecond {
			t.Errorf("the stop took %v", took)
		}
		if n := w.judge.progress(); n != 0 {
			t.Errorf("%d records were committed", n)
		}
		w.stream.ClearFaults()
		second := w.start(checked)
		w.untilCommitted(100)
		second.mustStop()
		w.wantExactly(100)
	})
}

// TestRevokeInsideACheck: partitions whose records are held go to another member without a drain.
func TestRevokeInsideACheck(t *testing.T) {
	bubble(t, func(w *world) {
		w.stream.AddFault(describeFault(firehosetest.Fault{Effect: firehosetest.Hang}))
		w.produce(0, 100)
		first := w.start(checked)
		time.Sleep(time.Second)
		first.notPassed("not answered")
		second := w.start()
		w.untilShared(2, first, second)
		w.untilStored(50, 100)
		if log := w.log.String(); !strings.Contains(log, "partitions revoked\" records_again=0 removed=2") || !strings.Contains(log, "took=0s") {
			t.Errorf("the revoke was not without records and without a wait:\n%s", w.log.tail())
		}
		w.untilCommitted(100) // the first check ends at last
		first.mustStop()
		second.mustStop()
		w.wantExactly(100)
	})
}

// TestUnusableStreamHoldsItsRecords: of two streams one can't be used. The other's records are delivered, readiness,
// a metric and the log name the first as long as that lasts, and its records are sent when a check passes.
func TestUnusableStreamHoldsItsRecords(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		stream firehosetest.Stream // instead of s; without a name for none
		reason string
	}{
		"missing":    {firehosetest.Stream{}, "s does not exist"},
		"wrong type": {firehosetest.Stream{Name: "s", Type: "KinesisStreamAsSource"}, "s is of type KinesisStreamAsSource"},
		"not active": {firehosetest.Stream{Name: "s", Status: "CREATING_FAILED"}, "s is CREATING_FAILED"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				streams := w.twoStreams()
				w.stream.DeleteStream("s")
				if test.stream.Name != "" {
					w.stream.AddStream(test.stream)
				}
				w.produce(0, 100)
				w.produceWith(100, 200, toGood)
				begin := time.Now()
				m := w.start(checked, streams)
				w.untilStored(100, 200)
				if took := time.Since(begin); took > 2*time.Second {
					t.Errorf("the other stream has its records %v after the start, want 2 s at most", took)
				}
				time.Sleep(5 * time.Minute)
				if got := w.committed(); got != 100 {
					t.Errorf("committed %d, want the 100 records of the other stream", got)
				}
				if err := m.connector.Ready(); err == nil || !strings.Contains(err.Error(), test.reason) || strings.Contains(err.Error(), "other") {
					t.Errorf("readiness says %v, want %q alone", err, test.reason)
				}
				if got := m.metric("blocked", `value:"s"`); got != 1 {
					t.Errorf("the metric blocked of the stream is %v, want 1", got)
				}
				s := m.connector.Status()
				if one := s.Streams[slices.IndexFunc(s.Streams, func(one status.Stream) bool { return one.Name == "s" })]; one.State != "blocked" || !strings.Contains(one.Reason, test.reason) || s.At.Sub(one.Since) < 4*time.Minute {
					t.Errorf("the status of the stream: %+v", one)
				}
				if len(s.Faults) != 1 || s.At.Sub(s.Faults[0].Since) < 4*time.Minute || s.Faults[0].Since.IsZero() || s.Memory.OldestAge < 4*60 {
					t.Errorf("the status has the faults %+v, and the oldest record for %v s", s.Faults, s.Memory.OldestAge)
				}
				if n := s.Faults[0].Failures; n < 6 || n > 11 || n != strings.Count(w.log.String(), "delivery stream can't be used") {
					t.Errorf("the status says that %d attempts failed in five minutes, with one each 30 to 60 s", n)
				}
				for _, p := range s.Partitions {
					if waits := p.Topic == w.in; waits != (p.OldestAge > 4*60) || !waits && p.OldestAge > 0 {
						t.Errorf("the oldest record of %s/%d is in memory for %v s", p.Topic, p.Partition, p.OldestAge)
					}
				}
				if n := strings.Count(w.log.String(), "delivery stream can't be used"); n < 5 || n > 11 {
					t.Errorf("the log says %d times in five minutes that the stream can't be used", n)
				}
				w.stream.DeleteStream("s")
				w.stream.AddStream(firehosetest.Stream{Name: "s"})
				time.Sleep(time.Minute + 5*time.Second)
				if err := m.connector.Ready(); err != nil || m.metric("blocked") != 0 {
					t.Errorf("not ready a minute after the stream can be used, or blocked: %v", err)
				}
				if s := m.connector.Status(); len(s.Faults) > 0 || s.Streams[0].State == "blocked" || s.Streams[1].State == "blocked" {
					t.Errorf("the status after the fault: %+v, %+v", s.Faults, s.Streams)
				}
				m.mustStop()
				if got := w.committed(); got != 200 {
					t.Errorf("committed %d, want all 200 records", got)
				}
				w.wantExactly(200)
			})
		})
	}
}

// TestNoUsableStream: the process ends with the fault of each stream, has committed nothing and left the group.
func TestNoUsableStream(t *testing.T) {
	bubble(t, func(w *world) {
		streams := w.twoStreams()
		w.stream.DeleteStream("s")
		w.stream.AddStream(firehosetest.Stream{Name: "other", Type: "KinesisStreamAsSource"})
		w.produce(0, 100)
		m := w.start(checked, streams)
		err := <-m.done
		if want := "the delivery stream other is of type KinesisStreamAsSource: only DirectPut streams take records from us\nthe delivery stream s does not exist"; err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("it ended with %v, want %q", err, want)
		}
		if w.judge.progress() != 0 || len(w.cluster.GroupInfo(w.group).Members) > 0 {
			t.Errorf("it committed %d records, or is still in the group", w.judge.progress())
		}
		w.stream.AddStream(firehosetest.Stream{Name: "s"})
		second := w.start(checked, streams)
		w.untilCommitted(100)
		second.mustStop()
		w.wantExactly(100)
	})
}

// TestCheckOfAHangingStream: a stream that is not described yet holds up no other.
func TestCheckOfAHangingStream(t *testing.T) {
	bubble(t, func(w *world) {
		w.stream.AddFault(describeFault(firehosetest.Fault{Stream: "s", Effect: firehosetest.Hang}))
		streams := w.twoStreams()
		w.produce(0, 100)
		w.produceWith(100, 200, toGood)
		begin := time.Now()
		m := w.start(checked, streams, func(c *connector.Config) { c.Firehose.BatchLinger = 0 })
		w.untilStored(100, 200)
		if took := w.stream.Stored("other")[0].Time.Sub(begin); took != 10*time.Millisecond {
			t.Errorf("the other stream's first record was accepted after %v, want 10ms", took)
		}
		m.notPassed("not answered")
		w.untilCommitted(200)
		m.mustStop()
		w.wantExactly(200)
	})
}
