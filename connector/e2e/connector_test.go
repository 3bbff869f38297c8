package e2e_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/connector"
	"kafka-firehose/connector/firehose/firehosetest"
)

func TestDeliversAndCommits(t *testing.T) { bubble(t, deliversAndCommits) }

func deliversAndCommits(w *world) {
	w.produce(0, 5000)
	m := w.start()
	w.untilCommitted(5000) // while it runs
	m.mustStop()
	w.wantExactly(5000)
}

// TestPartialFailures: a fifth of the records is refused at random, whatever the
// pace. Only those go again, so nothing comes twice.
func TestPartialFailures(t *testing.T) {
	t.Parallel()
	for _, code := range []string{"ServiceUnavailableException", "InternalFailure"} {
		t.Run(code, func(t *testing.T) { bubble(t, partialFailures(code)) })
	}
}

func partialFailures(code string) func(*world) {
	return func(w *world) {
		w.stream.AddFault(firehosetest.Fault{Effect: firehosetest.RefuseRecords, Share: 0.2, Code: code})
		w.produce(0, 20000)
		m := w.start()
		w.untilCommitted(20000)
		if m.metric("records_retried_total") == 0 {
			w.t.Error("no record was retried, so nothing was tested")
		}
		m.mustStop()
		w.wantExactly(20000)
	}
}

// emptyAnswers are answers that were a 200 or a broken connection.
var emptyAnswers = []firehosetest.Effect{
	firehosetest.EmptyObject, firehosetest.EmptyBody, firehosetest.ShortAnswer, firehosetest.CutBody,
	firehosetest.BlankEntries, firehosetest.Reset, firehosetest.Close, firehosetest.Hang,
}

// TestAnswersThatProveNothing: each of these answers was a 200 or a broken
// connection. What was not stored must come again; what was stored may.
func TestAnswersThatProveNothing(t *testing.T) {
	t.Parallel()
	for _, effect := range emptyAnswers {
		for _, stored := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/stored=%v", effect, stored), func(t *testing.T) { bubble(t, answerProvesNothing(effect, stored)) })
		}
	}
}

func answerProvesNothing(effect firehosetest.Effect, stored bool) func(*world) {
	return func(w *world) {
		const n = 8000
		w.stream.AddFault(firehosetest.Fault{Effect: effect, Stored: stored, Probability: 0.3, Times: 20})
		w.produce(0, n)
		m := w.start(func(c *connector.Config) {
			c.Firehose.RequestTimeout = either(w, c.Firehose.RequestTimeout, 2*time.Second) // what a hang lasts
		})
		w.untilCommitted(n)
		m.mustStop()
		unanswered := w.stream.Stats().Streams["s"].Unanswered
		if stored && unanswered == 0 {
			w.t.Error("no answer was destroyed, so nothing was tested")
		}
		if effect == firehosetest.ShortAnswer {
			unanswered = n // the other entries say "accepted" and prove nothing
		}
		w.wantAll(n, unanswered)
	}
}

// TestOutageOfAnHour: lag grows, memory does not, the membership holds, and
// nothing comes twice afterwards.
func TestOutageOfAnHour(t *testing.T) {
	bubble(t, func(w *world) {
		w.stream.AddFault(firehosetest.Fault{Effect: firehosetest.RefuseRequest, Code: "ServiceUnavailableException", Until: time.Hour})
		w.produce(0, 5000)
		m := w.start(func(c *connector.Config) { c.MaxBufferedBytes = 16 << 20 })
		for i := range 12 {
			time.Sleep(5 * time.Minute)
			w.produce(5000+i*100, 5100+i*100)
			if held := m.metric("buffered_bytes"); held > 16<<20 {
				t.Errorf("%.0f bytes held, the bound is 16 MiB", held)
			}
		}
		time.Sleep(time.Minute)
		w.wantExactly(6200)
		if n := len(w.stream.Requests()); n > 5*3600 {
			t.Errorf("%d requests in an hour", n)
		}
		if got := m.metric("kafka_rebalances_total", "lost"); got != 0 {
			t.Errorf("the group threw the member out %v times", got)
		}
		m.mustStop()
	})
}

// TestOneHotPartition: all records come from one partition, a request takes
// 200 ms, and yet more than ten are in flight.
func TestOneHotPartition(t *testing.T) { bubble(t, oneHotPartition) }

func oneHotPartition(w *world) {
	w.stream.AddFault(firehosetest.Fault{Effect: firehosetest.Delay, Delay: 200 * time.Millisecond})
	w.produceWith(0, 40000, func(i int) *kgo.Record {
		return &kgo.Record{Topic: w.in, Partition: 2, Value: fmt.Appendf(nil, "%d", i)}
	})
	m := w.start()
	w.untilCommitted(40000)
	peak := w.stream.Stats().PeakInFlight
	w.t.Logf("%d requests in flight at once", peak)
	if peak <= 10 {
		w.t.Error("want more than 10")
	}
	m.mustStop()
	w.wantExactly(40000)
}

func TestStopAndRestartUnderLoad(t *testing.T) { bubble(t, stopAndRestartUnderLoad) }

func stopAndRestartUnderLoad(w *world) {
	for i := range 10 {
		w.produce(i*3000, (i+1)*3000)
		m := w.start()
		w.untilStored(i*3000+1, (i+1)*3000)
		time.Sleep(time.Duration(i*17) * time.Millisecond)
		m.mustStop()
	}
	m := w.start()
	w.untilCommitted(30000)
	m.mustStop()
	w.wantExactly(30000)
}

// TestMembersComeAndGo: one member, then three, then one, under load. When they
// leave politely nothing comes twice.
func TestMembersComeAndGo(t *testing.T) { bubble(t, membersComeAndGo) }

func membersComeAndGo(w *world) {
	pause := func() { time.Sleep(either(w, 5*time.Second, time.Second)) } // under load
	stop := w.load(0, 100, 50*time.Millisecond)
	first := w.start()
	w.untilShared(4, first)
	pause()
	second := w.start()
	w.untilShared(2, first, second)
	third := w.start()
	all := func() int { return first.owns() + second.owns() + third.owns() }
	w.until("each of three has some of the partitions", patience, func() bool {
		return first.owns() > 0 && second.owns() > 0 && third.owns() > 0 && all() == 4
	})
	pause()
	second.mustStop()
	w.until("the others have its partitions", patience, func() bool { return first.owns()+third.owns() == 4 })
	pause()
	first.mustStop()
	w.untilShared(4, third)
	pause()
	produced := stop()
	w.untilCommitted(produced)
	third.mustStop()
	w.wantExactly(produced)
}

// TestRevokeDeliversWhatLingers: a batch is half full and may linger for an hour,
// the poller is parked, and a second member joins.
func TestRevokeDeliversWhatLingers(t *testing.T) { bubble(t, revokeDeliversWhatLingers) }

func revokeDeliversWhatLingers(w *world) {
	slow := func(c *connector.Config) { c.Firehose.BatchLinger = time.Hour }
	first := w.start(slow)
	w.untilShared(4, first)
	w.produce(0, 40)
	w.until("the records are polled", patience, func() bool { return first.metric("kafka_records_consumed_total") == 40 })
	time.Sleep(2 * time.Second)
	if lost, _ := w.judge.count(40); lost != 40 {
		w.t.Fatalf("%d of 40 lingering records were sent before the revoke", 40-lost)
	}
	second := w.start(slow)
	w.untilShared(2, first, second)
	w.untilStored(40, 40)
	if got := w.committed(); got < 20 {
		w.t.Errorf("committed %d, want the 20 of the revoked partitions at least", got)
	}
	first.mustStop()
	second.mustStop()
	w.wantExactly(40)
}

func TestBadRecordExits(t *testing.T) { bubble(t, badRecordExits) }

func badRecordExits(w *world) {
	w.produce(0, 100)
	w.produceWith(100, 101, func(int) *kgo.Record {
		return &kgo.Record{Topic: w.in, Partition: 1, Value: make([]byte, 1_024_000)} // one more with its delimiter
	})
	w.judge.allow(place{part{w.in, 1}, 25})
	w.produce(101, 201)
	m := w.start(func(c *connector.Config) { c.BadRecordPolicy = "exit" })
	err := <-m.done
	var bad *connector.BadRecordError
	if !errors.As(err, &bad) || bad.Topic != w.in || bad.Partition != 1 || bad.Offset != 25 || bad.Size != 1_024_001 {
		w.t.Fatalf("ended with %v", err)
	}
	if at := w.judge.lastCommit(w.in, 1); at != 25 {
		w.t.Errorf("partition 1 is committed to %d, want 25: everything before the record and nothing past it", at)
	}
}

func TestBadRecordSkipped(t *testing.T) { bubble(t, badRecordSkipped) }

func badRecordSkipped(w *world) {
	w.produce(0, 100)
	w.produceWith(100, 101, func(int) *kgo.Record {
		return &kgo.Record{Topic: w.in, Partition: 1, Value: make([]byte, 1_024_000)}
	})
	w.judge.allow(place{part{w.in, 1}, 25})
	m := w.start(func(c *connector.Config) { c.BadRecordPolicy = "skip" })
	w.untilCommitted(101) // the skipped record too
	w.wantExactly(100)
	if got := m.metric("records_skipped_total", "too_large"); got != 1 {
		w.t.Errorf("counted %v, want 1", got)
	}
	m.mustStop()
}

func TestTombstonesLeaveNoLag(t *testing.T) { bubble(t, tombstonesLeaveNoLag) }

func tombstonesLeaveNoLag(w *world) {
	w.produceWith(0, 100, func(i int) *kgo.Record {
		r := &kgo.Record{Topic: w.in, Partition: int32(i % 4), Key: []byte("k"), Value: fmt.Appendf(nil, "%d", i)}
		if i%4 == 3 || i >= 96 {
			r.Value = nil
		}
		return r
	})
	m := w.start()
	w.untilCommitted(100)
	m.untilNoLag()
	if got := m.metric("records_skipped_total", "tombstone"); got != 28 {
		w.t.Errorf("counted %v tombstones, want 28", got)
	}
	m.mustStop()
}

func TestAggregation(t *testing.T) { bubble(t, aggregation) }

func aggregation(w *world) {
	var large atomic.Int64 // records of more values than Firehose takes apart
	w.stream = firehosetest.New(firehosetest.Options{
		Streams: []firehosetest.Stream{{Name: "s"}}, Credentials: []firehosetest.Credentials{{AccessKey: accessKey, SecretKey: secretKey}},
		Latency: firehosetest.Fixed(5 * time.Millisecond), Keep: firehosetest.KeepCounts,
		OnStored: func(r firehosetest.Stored) {
			w.judge.stored(r)
			if bytes.Count(r.Data, []byte{'\n'}) > 500 {
				large.Add(1)
			}
		},
	})
	w.stream.AddFault(firehosetest.Fault{Effect: firehosetest.RefuseRecords, Share: 0.2})
	w.produce(0, 30000)
	m := w.start(func(c *connector.Config) { c.Record.Aggregate = true })
	w.untilCommitted(30000)
	m.mustStop()
	w.wantExactly(30000)
	if n := large.Load(); n > 0 {
		w.t.Errorf("%d records have more values than the 500 that Firehose takes apart", n)
	}
	if got := w.stream.Stats().Streams["s"].Records; got > 1000 {
		w.t.Errorf("%d Firehose records for 30,000 values", got)
	}
}

// TestDrainRunsOutOfTime: Firehose is down at the stop. The error says how many
// records come again, and they do.
func TestDrainRunsOutOfTime(t *testing.T) { bubble(t, drainRunsOutOfTime) }

func drainRunsOutOfTime(w *world) {
	timeout := either(w, 25*time.Second, 6*time.Second)
	w.produce(0, 300)
	w.stream.AddFault(firehosetest.Fault{Effect: firehosetest.Hang})
	m := w.start(func(c *connector.Config) { c.ShutdownTimeout = timeout })
	w.until("all of it is in flight", patience, func() bool { return m.metric("kafka_records_consumed_total") == 300 })
	time.Sleep(3 * time.Second)
	begin := time.Now()
	err := m.stop()
	var undelivered *connector.ErrUndelivered
	if !errors.As(err, &undelivered) || undelivered.Records != 300 {
		w.t.Errorf("ended with %v, want 300 records to come again", err)
	}
	if took := time.Since(begin); took > timeout+either(w, 0, time.Second) {
		w.t.Errorf("the stop took %v, SHUTDOWN_TIMEOUT is %v", took, timeout)
	}
	groups, err := w.admin.DescribeGroups(context.Background(), w.group)
	if err != nil || groups[w.group].Err != nil {
		w.t.Fatal(err, groups[w.group].Err)
	}
	if n := len(groups[w.group].Members); n > 0 {
		w.t.Errorf("%d members are left in the group", n)
	}
	w.stream.ClearFaults()
	m = w.start()
	w.untilCommitted(300)
	m.mustStop()
	w.wantExactly(300)
}
