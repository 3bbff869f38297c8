package e2e_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kafka-firehose/connector"
	"kafka-firehose/connector/firehose/firehosetest"
)

// TestFailedCommitIsRetried: the coordinator refuses commits for a while, for one
// partition and then for all.
func TestFailedCommitIsRetried(t *testing.T) {
	bubble(t, func(w *world) {
		refusals := 0
		w.cluster.ControlKey(int16(kmsg.OffsetCommit), func(r kmsg.Request) (kmsg.Response, error, bool) {
			if refusals >= 20 {
				return nil, nil, false
			}
			refusals++
			w.cluster.KeepControl()
			req := r.(*kmsg.OffsetCommitRequest)
			resp := req.ResponseKind().(*kmsg.OffsetCommitResponse)
			for _, t := range req.Topics {
				rt := kmsg.OffsetCommitResponseTopic{Topic: t.Topic, TopicID: t.TopicID}
				for i, p := range t.Partitions {
					code := int16(0)
					if refusals > 5 || i == 0 {
						code = kerr.NotCoordinator.Code
						if refusals%2 == 0 {
							code = kerr.InvalidCommitOffsetSize.Code
						}
					}
					rt.Partitions = append(rt.Partitions, kmsg.OffsetCommitResponseTopicPartition{Partition: p.Partition, ErrorCode: code})
				}
				resp.Topics = append(resp.Topics, rt)
			}
			return resp, nil, true
		})
		w.produce(0, 400)
		m := w.start()
		time.Sleep(2 * time.Minute)
		if refusals < 20 {
			t.Errorf("%d commits were refused, want 20", refusals)
		}
		m.mustStop()
		w.wantExactly(400)
	})
}

// TestForgottenCommitIsSentAgain: the broker handles a commit so late that the
// client has given up on it and a newer one is in. The group stands behind what
// was acknowledged, until somebody looks.
func TestForgottenCommitIsSentAgain(t *testing.T) {
	bubble(t, func(w *world) {
		m := w.start()
		time.Sleep(10 * time.Second)
		var n atomic.Int32
		w.cluster.ControlKey(int16(kmsg.OffsetCommit), func(_ kmsg.Request) (kmsg.Response, error, bool) {
			w.cluster.KeepControl()
			if n.Add(1) == 1 {
				w.cluster.SleepControl(func() { time.Sleep(14 * time.Second) })
			}
			return nil, nil, false
		})
		w.produce(0, 100)
		time.Sleep(5 * time.Second)
		w.produce(100, 200)
		time.Sleep(time.Minute)
		if got := w.committed(); got != 200 {
			t.Errorf("committed %d, want 200", got)
		}
		m.mustStop()
		w.wantExactly(200)
		if got := w.committed(); got != 200 {
			t.Errorf("after a clean stop committed %d, want 200", got)
		}
	})
}

// protocols are those of consumer groups.
var protocols = []string{"classic", "consumer"}

// TestTwoLeaveAtOnce: the commits of each fall into the rebalance of the other.
func TestTwoLeaveAtOnce(t *testing.T) {
	t.Parallel()
	for _, proto := range protocols {
		t.Run(proto, func(t *testing.T) { bubble(t, twoLeaveAtOnce(proto)) })
	}
}

func twoLeaveAtOnce(proto string) func(*world) {
	return func(w *world) {
		p := func(c *connector.Config) { c.Kafka.GroupProtocol = proto }
		a, b, c := w.start(p), w.start(p), w.start(p)
		w.until("each of three has some of the partitions", patience, func() bool {
			return a.owns() > 0 && b.owns() > 0 && c.owns() > 0 && a.owns()+b.owns()+c.owns() == 4
		})
		for i := range 20 {
			w.produce(i*200, i*200+200)
		}
		time.Sleep(300 * time.Millisecond)
		a.cancel()
		b.cancel()
		if err := <-a.done; err != nil {
			w.t.Error("a", err)
		}
		if err := <-b.done; err != nil {
			w.t.Error("b", err)
		}
		w.untilShared(4, c)
		w.untilCommitted(4000)
		c.mustStop()
		w.wantExactly(4000)
	}
}

// TestChurn: members come and go faster than the group settles. All of them are
// polite, so nothing comes twice.
func TestChurn(t *testing.T) {
	t.Parallel()
	for _, proto := range protocols {
		t.Run(proto, func(t *testing.T) { bubble(t, churn(proto)) })
	}
}

func churn(proto string) func(*world) {
	return func(w *world) {
		w.stream.AddFault(firehosetest.Fault{Effect: firehosetest.RefuseRecords, Code: "InternalFailure", Probability: 0.2})
		p := func(c *connector.Config) {
			c.Kafka.GroupProtocol = proto
			c.Kafka.CommitInterval = 700 * time.Millisecond
		}
		total := 0
		var live []*member
		for i := range either(w, 60, 20) {
			switch {
			case len(live) < 3 && i%2 == 0:
				live = append(live, w.start(p))
			case i%5 == 4 && len(live) > 1:
				if err := live[0].stop(); err != nil {
					w.t.Error(i, err)
				}
				live = live[1:]
			}
			w.produce(total, total+137)
			total += 137
			time.Sleep(time.Duration(i*313%2900) * time.Millisecond)
		}
		w.untilCommitted(total)
		for _, m := range live {
			m.mustStop()
		}
		w.wantExactly(total)
	}
}

// TestStopBesideADeadMember: the group waits for a member that was killed, a new
// one waits to get in, and one stops. What it has delivered must be committed all
// the same.
func TestStopBesideADeadMember(t *testing.T) { bubble(t, stopBesideADeadMember) }

func stopBesideADeadMember(w *world) {
	stays, dies := w.start(), w.start()
	w.untilShared(2, stays, dies)
	dies.kill()
	comes := w.start()
	time.Sleep(2 * time.Second)
	w.produce(0, 2000)
	w.untilStored(1000, 2000)
	if lost, _ := w.judge.count(2000); lost != 1000 {
		w.t.Fatalf("%d of 2000 records are not delivered; want those of the dead member", lost)
	}
	stays.mustStop()
	w.untilShared(4, comes)
	w.untilCommitted(2000)
	comes.mustStop()
	w.wantExactly(2000)
}

// TestDeletedTopicHoldsUpNoOther: a topic is deleted before its first commit. The
// commits of the others must not fail with it.
func TestDeletedTopicHoldsUpNoOther(t *testing.T) { bubble(t, deletedTopicHoldsUpNoOther) }

func deletedTopicHoldsUpNoOther(w *world) {
	doomed := w.name("doomed")
	w.topic(doomed, 1)
	w.stream.AddFault(firehosetest.Fault{Effect: firehosetest.Delay, Delay: 5 * time.Second, Times: 1})
	w.produceWith(0, 1, func(int) *kgo.Record { return &kgo.Record{Topic: doomed, Value: []byte("0")} })
	m := w.start(func(c *connector.Config) { c.Kafka.Topics = []string{w.in, doomed} })
	w.until("its record is on the way", patience, func() bool { return w.stream.Stats().InFlight > 0 })
	w.deleteTopic(doomed)
	w.produce(1, 401)
	w.untilStored(401, 401)
	w.untilCommitted(400) // of the topic that is there
	_ = m.stop()
	w.wantExactly(401)
}
