package e2e_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kafka-firehose/connector"
)

// TestLateTopicOfANewGroup: two topics of a new group, and the leader of one can't be asked for five seconds. The starts of
// the other topic, committed meanwhile, don't make it newer than the group: its history is not delivered.
func TestLateTopicOfANewGroup(t *testing.T) {
	bubble(t, func(w *world) {
		w.topic("b", 1)
		w.history(40)
		w.produceWith(200000, 200040, func(i int) *kgo.Record {
			return &kgo.Record{Topic: "b", Partition: 0, Value: fmt.Appendf(nil, "%d", i)}
		})
		for i := range 40 {
			w.judge.allow(w.judge.placeOf(fmt.Sprint(200000 + i)))
		}
		time.Sleep(time.Hour)
		h := w.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.ListOffsets}, Topic: "b", Count: -1, Err: kerr.LeaderNotAvailable})
		m := w.start(latestMode, func(c *connector.Config) { c.Kafka.Topics = []string{w.in, "b"} })
		time.Sleep(5 * time.Second)
		h.Remove()
		time.Sleep(time.Minute)
		old := 0
		for i := range 40 {
			old += w.judge.copiesOf(fmt.Sprint(200000 + i))
		}
		if old != 0 {
			t.Errorf("%d records of topic b from before the start were delivered", old)
		}
		_ = m.stop()
	})
}

// TestRefusedOffsetIsNoCommit: a partition is added while nothing runs, and the group's offset of the partition that was there is
// refused. What it says is not known, so the new partition waits, and nothing of it is lost.
func TestRefusedOffsetIsNoCommit(t *testing.T) {
	bubble(t, func(w *world) {
		w.topic("one", 1)
		only := func(c *connector.Config) { c.Kafka.Topics = []string{"one"} }
		m := w.start(latestMode, only)
		w.until("its start is committed", patience, func() bool { return w.judge.committedParts() == 1 })
		m.mustStop()
		w.grow("one", 2)
		w.produceWith(0, 10, func(i int) *kgo.Record {
			return &kgo.Record{Topic: "one", Partition: 1, Value: fmt.Appendf(nil, "%d", i)}
		})
		h := w.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetFetch}, Topic: "one", Partitions: []int32{0}, Count: -1, Err: kerr.UnknownServerError})
		m = w.start(latestMode, only)
		time.Sleep(20 * time.Second)
		h.Remove()
		time.Sleep(time.Minute)
		lost, _ := w.judge.count(10)
		if lost != 0 {
			t.Errorf("%d of 10 records of the added partition are lost; committed %d", lost, w.judge.lastCommit("one", 1))
		}
		_ = m.stop()
	})
}

// TestUnansweredGroupIsAFaultOfEach: partitions wait for their positions, and the coordinator answers for none of them. They
// stay faults for as long as that lasts, and no longer.
func TestUnansweredGroupIsAFaultOfEach(t *testing.T) {
	bubble(t, func(w *world) {
		ends := w.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.ListOffsets}, Topic: w.in, Count: -1, Err: kerr.LeaderNotAvailable})
		m := w.start(latestMode)
		w.until("the partitions are faulty", patience, func() bool { return m.metric("kafka_faulty_partitions", `value:"position"`) == 4 })
		group := w.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetFetch}, Count: -1, Err: kerr.CoordinatorNotAvailable})
		ends.Remove()
		for range 10 {
			time.Sleep(15 * time.Second)
			if got := m.metric("kafka_faulty_partitions", `value:"position"`); got != 4 {
				t.Fatalf("%v partitions are faulty while nobody answers for the group's offsets, want 4\n%s", got, w.log.tail())
			}
		}
		group.Remove()
		time.Sleep(time.Minute)
		if got := m.metric("kafka_faulty_partitions", `value:"position"`); got != 0 {
			t.Errorf("%v partitions are faulty after that", got)
		}
		m.mustStop()
	})
}

// TestRecordBetweenTwoQuestions: a late start asks for a time and for the end. A record that is written in between is delivered.
func TestRecordBetweenTwoQuestions(t *testing.T) {
	bubble(t, func(w *world) {
		w.topic("one", 1)
		var written, asked atomic.Bool
		h := w.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.ListOffsets}, Topic: "one", Count: -1, Err: kerr.LeaderNotAvailable})
		w.cluster.ControlKey(int16(kmsg.ListOffsets), func(r kmsg.Request) (kmsg.Response, error, bool) {
			w.cluster.KeepControl()
			req := r.(*kmsg.ListOffsetsRequest)
			if asked.Load() && !written.Load() && len(req.Topics) > 0 && req.Topics[0].Topic == "one" && req.Topics[0].Partitions[0].Timestamp > 0 {
				written.Store(true)
				// The log has nothing so new: the answer is -1. Then the record comes.
				resp := req.ResponseKind().(*kmsg.ListOffsetsResponse)
				st := kmsg.NewListOffsetsResponseTopic()
				st.Topic = "one"
				sp := kmsg.NewListOffsetsResponseTopicPartition()
				sp.Partition, sp.Offset, sp.Timestamp = 0, -1, -1
				st.Partitions = append(st.Partitions, sp)
				resp.Topics = append(resp.Topics, st)
				w.cluster.SleepControl(func() {
					w.produceWith(0, 1, func(i int) *kgo.Record {
						return &kgo.Record{Topic: "one", Partition: 0, Value: fmt.Appendf(nil, "%d", i)}
					})
				})
				return resp, nil, true
			}
			return nil, nil, false
		})
		m := w.start(latestMode, func(c *connector.Config) { c.Kafka.Topics = []string{"one"} })
		time.Sleep(5 * time.Second)
		h.Remove()
		asked.Store(true)
		time.Sleep(time.Minute)
		if !written.Load() {
			t.Fatal("no question for a time")
		}
		if lost, _ := w.judge.count(1); lost != 0 {
			t.Errorf("the record is lost; committed %d", w.judge.lastCommit("one", 0))
		}
		_ = m.stop()
	})
}

// TestSecondElection: after each of two elections, five minutes apart, the leader of a partition is behind for a second.
// Nothing is read again.
func TestSecondElection(t *testing.T) {
	bubble(t, func(w *world) {
		w.topic("one", 1) // with several, the elections may be of different partitions
		m := w.start(func(c *connector.Config) { c.Kafka.Topics, c.Kafka.AutoOffsetReset.Mode = []string{"one"}, "earliest" })
		stop := w.loadWith(0, 4, 100*time.Millisecond, func(i int) *kgo.Record { return &kgo.Record{Topic: "one", Value: fmt.Append(nil, i)} })
		time.Sleep(10 * time.Second)
		behind := w.endBehind(20)
		for range 2 {
			behind.Store(true)
			w.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Topic: "one", Count: 1, Err: kerr.OffsetOutOfRange})
			time.Sleep(1500 * time.Millisecond)
			behind.Store(false)
			time.Sleep(5 * time.Minute)
		}
		n := stop()
		w.untilCommitted(n)
		m.mustStop()
		w.wantExactly(n)
	})
}

// TestRefusedOffsetEndsNothing: with none, an offset that is refused is not one that is missing: the process stays.
func TestRefusedOffsetEndsNothing(t *testing.T) {
	bubble(t, func(w *world) {
		w.topic("one", 1)
		only := func(c *connector.Config) { c.Kafka.Topics = []string{"one"}; c.Kafka.AutoOffsetReset.Mode = "none" }
		offsets := kadm.Offsets{}
		offsets.AddOffset("one", 0, 0, -1)
		if err := w.admin.CommitAllOffsets(context.Background(), w.group, offsets); err != nil {
			t.Fatal(err)
		}
		one := func(p int32) func(i int) *kgo.Record {
			return func(i int) *kgo.Record {
				return &kgo.Record{Topic: "one", Partition: p, Value: fmt.Appendf(nil, "%d", i)}
			}
		}
		m := w.start(only)
		w.produceWith(0, 10, one(0))
		w.untilCommitted(10)
		m.mustStop()
		w.grow("one", 2)
		w.produceWith(10, 20, one(1))
		h := w.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetFetch}, Topic: "one", Partitions: []int32{0}, Count: -1, Err: kerr.UnknownServerError})
		m = w.start(only)
		select {
		case err := <-m.done:
			t.Fatalf("the process ended: %v", err)
		case <-time.After(20 * time.Second):
		}
		h.Remove()
		w.untilCommitted(20)
		m.mustStop()
		w.wantExactly(20)
	})
}

// TestRefusedOffsetBesideALateStart: the start of one partition is late, and the offset of the other is refused at that moment. The
// history of the first is not delivered.
func TestRefusedOffsetBesideALateStart(t *testing.T) {
	bubble(t, func(w *world) {
		w.topic("one", 2)
		w.produceWith(200000, 200040, func(i int) *kgo.Record {
			return &kgo.Record{Topic: "one", Partition: 1, Value: fmt.Appendf(nil, "%d", i)}
		})
		time.Sleep(time.Hour)
		late := w.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.ListOffsets}, Topic: "one", Partitions: []int32{1}, Count: -1, Err: kerr.LeaderNotAvailable})
		m := w.start(latestMode, func(c *connector.Config) { c.Kafka.Topics = []string{"one"} })
		time.Sleep(5 * time.Second)
		refused := w.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetFetch}, Topic: "one", Partitions: []int32{0}, Count: -1, Err: kerr.UnknownServerError})
		late.Remove()
		time.Sleep(time.Minute)
		refused.Remove()
		old := 0
		for i := range 40 {
			old += w.judge.copiesOf(fmt.Sprint(200000 + i))
		}
		if old != 0 {
			t.Errorf("%d records from before the start were delivered", old)
		}
		_ = m.stop()
	})
}

// TestLateByTheCoordinator: the coordinator refuses the offset of a new group for a minute. Records that come meanwhile are
// delivered.
func TestLateByTheCoordinator(t *testing.T) {
	bubble(t, func(w *world) {
		w.topic("one", 1)
		h := w.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetFetch}, Topic: "one", Count: -1, Err: kerr.UnknownServerError})
		m := w.start(latestMode, func(c *connector.Config) { c.Kafka.Topics = []string{"one"} })
		time.Sleep(30 * time.Second)
		w.produceWith(0, 10, func(i int) *kgo.Record {
			return &kgo.Record{Topic: "one", Partition: 0, Value: fmt.Appendf(nil, "%d", i)}
		})
		time.Sleep(30 * time.Second)
		h.Remove()
		time.Sleep(time.Minute)
		if lost, _ := w.judge.count(10); lost != 0 {
			t.Errorf("%d of 10 records that came after the process joined are lost", lost)
		}
		_ = m.stop()
	})
}

// TestRangeBesideTheCoordinator: a coordinator that loads its offsets holds up no partition whose position has left the log.
func TestRangeBesideTheCoordinator(t *testing.T) {
	bubble(t, func(w *world) {
		w.topic("b", 1)
		offsets, cut := kadm.Offsets{}, kadm.Offsets{}
		for p := range int32(4) {
			offsets.AddOffset(w.in, p, 0, -1)
		}
		if err := w.admin.CommitAllOffsets(context.Background(), w.group, offsets); err != nil {
			t.Fatal(err)
		}
		w.produce(0, 80)
		cut.AddOffset(w.in, 1, 10, -1)
		if _, err := w.admin.DeleteRecords(context.Background(), cut); err != nil {
			t.Fatal(err)
		}
		for o := range int64(10) {
			w.judge.allow(place{part{w.in, 1}, o})
		}
		w.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.ListOffsets}, Topic: "b", Count: -1, Err: kerr.LeaderNotAvailable})
		var asked atomic.Int32
		w.cluster.ControlKey(int16(kmsg.OffsetFetch), func(r kmsg.Request) (kmsg.Response, error, bool) {
			w.cluster.KeepControl()
			if asked.Add(1) == 1 { // the client's own, after the assignment
				return nil, nil, false
			}
			resp := r.ResponseKind().(*kmsg.OffsetFetchResponse)
			for _, g := range r.(*kmsg.OffsetFetchRequest).Groups {
				sg := kmsg.NewOffsetFetchResponseGroup()
				sg.Group, sg.ErrorCode = g.Group, kerr.CoordinatorLoadInProgress.Code
				resp.Groups = append(resp.Groups, sg)
			}
			return resp, nil, true
		})
		m := w.start(func(c *connector.Config) { c.Kafka.Topics = []string{w.in, "b"} })
		time.Sleep(5 * time.Minute)
		if w.judge.copiesOf("41") == 0 {
			t.Errorf("partition 1 is not read after five minutes\n%s", w.log.tail())
		}
		_ = m.stop()
	})
}

// TestRevokeBesideARefusedCommit: the commits of one partition are refused. Partitions that are delivered and committed are handed
// over at once.
func TestRevokeBesideARefusedCommit(t *testing.T) {
	t.Parallel()
	for faulty := range int32(4) {
		t.Run(fmt.Sprint(faulty), func(t *testing.T) {
			bubble(t, func(w *world) {
				m := w.start()
				w.untilShared(4, m)
				w.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Topic: w.in, Partitions: []int32{faulty}, Count: -1, Err: kerr.UnknownServerError})
				w.produce(0, 400)
				time.Sleep(20 * time.Second)
				m2 := w.start()
				w.untilShared(2, m, m2)
				for line := range strings.Lines(w.log.String()) {
					if strings.Contains(line, "partitions revoked") {
						t.Log(line)
						if strings.Contains(line, "last commit failed") && strings.Contains(line, "records_again=0") {
							t.Error("partitions that were committed waited for one that stays")
						}
					}
				}
				_, _ = m.stop(), m2.stop()
			})
		})
	}
}
