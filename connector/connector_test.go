package connector_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/connector"
	"kafka-firehose/connector/firehose/firehosetest"
)

func TestDeliversAndCommits(t *testing.T) {
	bubble(t, func(w *world) {
		w.produce(0, 5000)
		m := w.start()
		time.Sleep(30 * time.Second)
		w.wantExactly(5000)
		if got := w.committed(); got != 5000 {
			t.Errorf("committed %d while running, want 5000", got)
		}
		m.mustStop()
	})
}

// TestPartialFailures: a fifth of the records is refused at random, whatever the
// pace. Only those go again, so nothing comes twice.
func TestPartialFailures(t *testing.T) {
	for _, code := range []string{"ServiceUnavailableException", "InternalFailure"} {
		t.Run(code, func(t *testing.T) {
			bubble(t, func(w *world) {
				w.stream.AddFault(firehosetest.Fault{Effect: firehosetest.RefuseRecords, Share: 0.2, Code: code})
				w.produce(0, 20000)
				m := w.start()
				time.Sleep(30 * time.Second)
				w.wantExactly(20000)
				if m.metric("records_retried_total") == 0 {
					t.Error("no record was retried, so nothing was tested")
				}
				m.mustStop()
				if got := w.committed(); got != 20000 {
					t.Errorf("committed %d, want 20000", got)
				}
			})
		})
	}
}

// TestAnswersThatProveNothing: each of these answers was a 200 or a broken
// connection. What was not stored must come again; what was stored may.
func TestAnswersThatProveNothing(t *testing.T) {
	const n = 8000
	for _, effect := range []firehosetest.Effect{
		firehosetest.EmptyObject, firehosetest.EmptyBody, firehosetest.ShortAnswer, firehosetest.CutBody,
		firehosetest.BlankEntries, firehosetest.Reset, firehosetest.Close, firehosetest.Hang,
	} {
		for _, stored := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/stored=%v", effect, stored), func(t *testing.T) {
				bubble(t, func(w *world) {
					w.stream.AddFault(firehosetest.Fault{Effect: effect, Stored: stored, Probability: 0.3, Times: 20})
					w.produce(0, n)
					m := w.start()
					time.Sleep(3 * time.Minute)
					m.mustStop()
					unanswered := w.stream.Stats().Streams["s"].Unanswered
					if stored && unanswered == 0 {
						t.Error("no answer was destroyed, so nothing was tested")
					}
					if effect == firehosetest.ShortAnswer {
						unanswered = n // the other entries say "accepted" and prove nothing
					}
					w.wantAll(n, unanswered)
					if got := w.committed(); got != n {
						t.Errorf("committed %d, want %d", got, n)
					}
				})
			})
		}
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
			w.produceWith(5000+i*100, 5100+i*100, func(i int) *kgo.Record {
				return &kgo.Record{Topic: "in", Partition: int32(i % 4), Value: fmt.Appendf(nil, "%d", i)}
			})
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
func TestOneHotPartition(t *testing.T) {
	bubble(t, func(w *world) {
		w.stream.AddFault(firehosetest.Fault{Effect: firehosetest.Delay, Delay: 200 * time.Millisecond})
		w.produceWith(0, 40000, func(i int) *kgo.Record {
			return &kgo.Record{Topic: "in", Partition: 2, Value: fmt.Appendf(nil, "%d", i)}
		})
		m := w.start()
		time.Sleep(30 * time.Second)
		w.wantExactly(40000)
		peak := w.stream.Stats().PeakInFlight
		t.Logf("%d requests in flight at once", peak)
		if peak <= 10 {
			t.Error("want more than 10")
		}
		m.mustStop()
	})
}

func TestStopAndRestartUnderLoad(t *testing.T) {
	bubble(t, func(w *world) {
		for i := range 10 {
			w.produce(i*3000, (i+1)*3000)
			m := w.start()
			time.Sleep(time.Duration(3000+i*7) * time.Millisecond)
			m.mustStop()
		}
		m := w.start()
		time.Sleep(time.Minute)
		m.mustStop()
		w.wantExactly(30000)
	})
}

// TestMembersComeAndGo: one member, then three, then one, under load. When they
// leave politely nothing comes twice.
func TestMembersComeAndGo(t *testing.T) {
	bubble(t, func(w *world) {
		produced := 0
		load := func(d time.Duration) {
			for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
				w.produce(produced, produced+100)
				produced += 100
			}
		}
		first := w.start()
		load(10 * time.Second)
		second := w.start()
		load(5 * time.Second)
		third := w.start()
		load(20 * time.Second)
		for _, m := range []*member{first, second, third} {
			if m.metric("kafka_assigned_partitions") == 0 {
				t.Error("a member owns nothing")
			}
		}
		second.mustStop()
		load(5 * time.Second)
		first.mustStop()
		load(20 * time.Second)
		third.mustStop()
		w.wantExactly(produced)
		if got := w.committed(); got != int64(produced) {
			t.Errorf("committed %d, want %d", got, produced)
		}
	})
}

// TestRevokeDeliversWhatLingers: a batch is half full and may linger for an hour,
// the poller is parked, and a second member joins.
func TestRevokeDeliversWhatLingers(t *testing.T) {
	bubble(t, func(w *world) {
		slow := func(c *connector.Config) { c.Firehose.BatchLinger = time.Hour }
		first := w.start(slow)
		time.Sleep(5 * time.Second)
		w.produce(0, 40)
		time.Sleep(10 * time.Second)
		if lost, _ := w.judge.count(40); lost != 40 {
			t.Fatalf("%d of 40 lingering records were sent before the revoke", 40-lost)
		}
		second := w.start(slow)
		time.Sleep(10 * time.Second)
		if got := second.metric("kafka_assigned_partitions"); got != 2 {
			t.Fatalf("the second member owns %v partitions, want 2", got)
		}
		w.wantExactly(40)
		if got := w.committed(); got < 20 {
			t.Errorf("committed %d, want the 20 of the revoked partitions at least", got)
		}
		first.mustStop()
		second.mustStop()
	})
}

func TestBadRecordStops(t *testing.T) {
	bubble(t, func(w *world) {
		w.produce(0, 100)
		w.produceWith(100, 101, func(int) *kgo.Record {
			return &kgo.Record{Topic: "in", Partition: 1, Value: make([]byte, 1_024_000)} // one more with its delimiter
		})
		w.judge.allow(place{part{"in", 1}, 25})
		w.produce(101, 201)
		m := w.start()
		err := <-m.done
		var bad *connector.BadRecordError
		if !errors.As(err, &bad) || bad.Topic != "in" || bad.Partition != 1 || bad.Offset != 25 || bad.Size != 1_024_001 {
			t.Fatalf("ended with %v", err)
		}
		if at := w.judge.lastCommit("in", 1); at != 25 {
			t.Errorf("partition 1 is committed to %d, want 25: everything before the record and nothing past it", at)
		}
	})
}

func TestBadRecordSkipped(t *testing.T) {
	bubble(t, func(w *world) {
		w.produce(0, 100)
		w.produceWith(100, 101, func(int) *kgo.Record {
			return &kgo.Record{Topic: "in", Partition: 1, Value: make([]byte, 1_024_000)}
		})
		w.judge.allow(place{part{"in", 1}, 25})
		m := w.start(func(c *connector.Config) { c.BadRecordPolicy = "skip" })
		time.Sleep(20 * time.Second)
		w.wantExactly(100)
		if got := m.metric("records_skipped_total", "too_large"); got != 1 {
			t.Errorf("counted %v, want 1", got)
		}
		m.mustStop()
		if got := w.committed(); got != 101 {
			t.Errorf("committed %d, want 101: the skipped record too", got)
		}
	})
}

func TestTombstonesLeaveNoLag(t *testing.T) {
	bubble(t, func(w *world) {
		w.produceWith(0, 100, func(i int) *kgo.Record {
			r := &kgo.Record{Topic: "in", Partition: int32(i % 4), Key: []byte("k"), Value: fmt.Appendf(nil, "%d", i)}
			if i%4 == 3 || i >= 96 {
				r.Value = nil
			}
			return r
		})
		m := w.start()
		time.Sleep(30 * time.Second)
		if got := w.committed(); got != 100 {
			t.Errorf("committed %d, want 100", got)
		}
		if got := m.metric("kafka_lag_records"); got != 0 {
			t.Errorf("lag %v, want 0", got)
		}
		if got := m.metric("records_skipped_total", "tombstone"); got != 28 {
			t.Errorf("counted %v tombstones, want 28", got)
		}
		m.mustStop()
	})
}

func TestAggregation(t *testing.T) {
	bubble(t, func(w *world) {
		w.stream.AddFault(firehosetest.Fault{Effect: firehosetest.RefuseRecords, Share: 0.2})
		w.produce(0, 30000)
		m := w.start(func(c *connector.Config) { c.Record.Aggregate = true })
		time.Sleep(30 * time.Second)
		m.mustStop()
		w.wantExactly(30000)
		for _, s := range w.stream.Stored("s") {
			if n := strings.Count(string(s.Data), "\n"); n > 500 {
				t.Fatalf("%d values in a record, Firehose takes apart 500", n)
			}
		}
		if got := w.stream.Stats().Streams["s"].Records; got > 1000 {
			t.Errorf("%d Firehose records for 30,000 values", got)
		}
	})
}

// TestDrainRunsOutOfTime: Firehose is down at the stop. The error says how many
// records come again, and they do.
func TestDrainRunsOutOfTime(t *testing.T) {
	bubble(t, func(w *world) {
		w.produce(0, 300)
		w.stream.AddFault(firehosetest.Fault{Effect: firehosetest.Hang})
		m := w.start()
		time.Sleep(5 * time.Second)
		begin := time.Now()
		err := m.stop()
		var undelivered *connector.ErrUndelivered
		if !errors.As(err, &undelivered) || undelivered.Records != 300 {
			t.Errorf("ended with %v, want 300 records to come again", err)
		}
		if took := time.Since(begin); took > 25*time.Second {
			t.Errorf("the stop took %v, SHUTDOWN_TIMEOUT is 25s", took)
		}
		if g := w.cluster.GroupInfo(group); g != nil && len(g.Members) > 0 {
			t.Errorf("%d members are left in the group", len(g.Members))
		}
		w.stream.ClearFaults()
		m = w.start()
		time.Sleep(30 * time.Second)
		m.mustStop()
		w.wantExactly(300)
	})
}
