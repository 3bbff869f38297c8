package connector_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kafka-firehose/connector"
	"kafka-firehose/connector/firehose/firehosetest"
)

// TestTransactions: what was aborted is not delivered, what was committed is,
// and neither the markers nor the aborted records leave lag behind.
func TestTransactions(t *testing.T) {
	bubble(t, func(w *world) {
		tx, err := kgo.NewClient(append(w.dial(), kgo.TransactionalID("tx"), kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
		if err != nil {
			t.Fatal(err)
		}
		defer tx.Close()
		transaction := func(values []string, end kgo.TransactionEndTry) {
			if err := tx.BeginTransaction(); err != nil {
				t.Fatal(err)
			}
			for _, v := range values {
				r := &kgo.Record{Topic: "in", Partition: 0, Value: []byte(v)}
				if err := tx.ProduceSync(context.Background(), r).FirstErr(); err != nil {
					t.Fatal(err)
				}
				if end == kgo.TryCommit {
					w.judge.produced(r)
				}
			}
			if err := tx.EndTransaction(context.Background(), end); err != nil {
				t.Fatal(err)
			}
		}
		m := w.start()
		transaction([]string{"0", "1"}, kgo.TryCommit)
		transaction([]string{"aborted"}, kgo.TryAbort)
		time.Sleep(40 * time.Second)
		w.wantExactly(2)
		if got := w.judge.copiesOf("aborted"); got != 0 {
			t.Errorf("an aborted record was delivered %d times", got)
		}
		if got := w.committed(); got != 5 {
			t.Errorf("committed %d, want 5: three records and two markers", got)
		}
		if got := m.metric("kafka_lag_records"); got != 0 {
			t.Errorf("lag %v, want 0", got)
		}
		m.mustStop()
	})
}

// TestTopicCreatedAnew: by default the client waits for the old topic for ever,
// without a record and without an error.
func TestTopicCreatedAnew(t *testing.T) {
	for _, pattern := range []bool{false, true} {
		t.Run(fmt.Sprintf("pattern=%v", pattern), func(t *testing.T) {
			bubble(t, func(w *world) {
				w.produce(0, 400)
				m := w.start(func(c *connector.Config) {
					if pattern {
						c.Kafka.Topics, c.Kafka.TopicPattern = nil, "i."
					}
				})
				time.Sleep(10 * time.Second)
				if err := w.cluster.DeleteTopic("in"); err != nil {
					t.Fatal(err)
				}
				w.judge.forget("in")
				time.Sleep(2 * time.Second)
				w.topic("in", 4)
				w.producer.PurgeTopicsFromClient("in")
				time.Sleep(2 * time.Second)
				w.produce(400, 500)
				time.Sleep(90 * time.Second)
				w.wantExactly(500)
				if got := w.committed(); got != 100 {
					t.Errorf("committed %d in the new topic, want 100", got)
				}
				if !strings.Contains(w.log.String(), "deleted and created again") {
					t.Error("nobody was told")
				}
				m.mustStop()
			})
		})
	}
}

// TestPattern: a topic that appears while running is found within 30 s; one that
// only contains the pattern, or has no stream, is left alone.
func TestPattern(t *testing.T) {
	bubble(t, func(w *world) {
		w.topic("log-a", 1)
		to := func(topic string) func(int) *kgo.Record {
			return func(i int) *kgo.Record { return &kgo.Record{Topic: topic, Value: fmt.Appendf(nil, "%d", i)} }
		}
		w.produceWith(0, 10, to("log-a"))
		m := w.start(func(c *connector.Config) {
			c.Kafka.Topics, c.Kafka.TopicPattern = nil, "log-[a-z]"
			c.Firehose.Stream = ""
			if err := c.Firehose.Routes.Decode("log-a=s,/log-[bc]/=s"); err != nil {
				t.Fatal(err)
			}
		})
		time.Sleep(10 * time.Second)
		for _, topic := range []string{"log-b", "log-x", "my-log-b"} {
			w.topic(topic, 1)
		}
		w.produceWith(10, 20, to("log-b"))
		w.produceWith(100000, 100001, to("log-x"))
		w.produceWith(100001, 100002, to("my-log-b"))
		time.Sleep(30 * time.Second)
		w.wantExactly(20)
		for _, v := range []string{"100000", "100001"} {
			if w.judge.copiesOf(v) != 0 {
				t.Errorf("record %s of a topic that is not to be read was delivered", v)
			}
		}
		if got := m.metric("kafka_unrouted_topics"); got != 1 {
			t.Errorf("%v topics without a stream, want 1", got)
		}
		if got := strings.Count(w.log.String(), "it is not consumed"); got != 1 {
			t.Errorf("told %d times that log-x has no stream, want once", got)
		}
		m.mustStop()
	})
}

// TestStaticMember: a restart within the session timeout moves nothing.
func TestStaticMember(t *testing.T) {
	bubble(t, func(w *world) {
		static := func(id string) func(*connector.Config) {
			return func(c *connector.Config) { c.Kafka.GroupInstanceID = id }
		}
		a, b := w.start(static("a")), w.start(static("b"))
		w.produce(0, 1000)
		time.Sleep(20 * time.Second)
		before := b.metric("kafka_rebalances_total")
		a.mustStop()
		time.Sleep(5 * time.Second)
		a = w.start(static("a"))
		w.produce(1000, 2000)
		time.Sleep(20 * time.Second)
		if got := b.metric("kafka_rebalances_total"); got != before {
			t.Errorf("the other member was rebalanced %v times", got-before)
		}
		if got := a.metric("kafka_assigned_partitions"); got != 2 {
			t.Errorf("the member came back to %v partitions, want 2", got)
		}
		a.mustStop()
		b.mustStop()
		w.wantExactly(2000)
	})
}

// TestConsumerProtocol: KIP-848, with members that come and go.
func TestConsumerProtocol(t *testing.T) {
	bubble(t, func(w *world) {
		next := func(c *connector.Config) { c.Kafka.GroupProtocol = "consumer" }
		heartbeats := 0
		w.cluster.ControlKey(int16(kmsg.ConsumerGroupHeartbeat), func(kmsg.Request) (kmsg.Response, error, bool) {
			w.cluster.KeepControl()
			heartbeats++
			return nil, nil, false
		})
		w.produce(0, 2000)
		a := w.start(next)
		time.Sleep(10 * time.Second)
		b := w.start(next)
		time.Sleep(20 * time.Second)
		if got := b.metric("kafka_assigned_partitions"); got != 2 {
			t.Errorf("the second member owns %v partitions, want 2", got)
		}
		w.produce(2000, 4000)
		time.Sleep(5 * time.Second)
		a.mustStop()
		time.Sleep(30 * time.Second)
		b.mustStop()
		w.wantExactly(4000)
		if got := w.committed(); got != 4000 {
			t.Errorf("committed %d, want 4000", got)
		}
		if heartbeats == 0 {
			t.Error("the group used the classic protocol")
		}
	})
}

// TestLostPartitionIsFenced: a member is cut off from the group for longer than
// its session, while the stream is down, and comes back as a zombie. Its records
// are the new owner's; it must neither commit nor send them again.
func TestLostPartitionIsFenced(t *testing.T) {
	bubble(t, func(w *world) {
		w.stream.AddFault(firehosetest.Fault{Effect: firehosetest.RefuseRequest, Code: "ServiceUnavailableException", Until: 3 * time.Minute})
		zombie := w.start(func(c *connector.Config) { c.Kafka.ClientID = "zombie" })
		time.Sleep(5 * time.Second)
		w.produce(0, 400)
		time.Sleep(5 * time.Second)
		zombie.kafka.cut()
		time.Sleep(time.Minute)
		heir := w.start()
		time.Sleep(3 * time.Minute)
		zombie.kafka.mend()
		time.Sleep(time.Minute)
		heir.mustStop()
		zombie.mustStop()
		w.wantAll(400, 400) // the zombie may have sent before it learned
		if got := w.committed(); got != 400 {
			t.Errorf("committed %d, want 400", got)
		}
	})
}

// TestNothingRevokedIsSentAgain: all records are refused by index, so they are
// in retries when half of the partitions go. Once the revoke has returned, no
// attempt of the old owner contains them.
func TestNothingRevokedIsSentAgain(t *testing.T) {
	bubble(t, func(w *world) {
		w.stream.AddFault(firehosetest.Fault{Effect: firehosetest.RefuseRecords, Code: "InternalFailure", Until: 2 * time.Minute})
		w.produce(0, 400)
		first := w.start()
		time.Sleep(10 * time.Second)
		second := w.start()
		time.Sleep(30 * time.Second) // the drain takes its ten seconds
		if got := first.metric("kafka_assigned_partitions"); got != 2 {
			t.Fatalf("the first member owns %v partitions, want 2", got)
		}
		first.firehose.sent()
		time.Sleep(30 * time.Second)
		partitions := map[int]bool{}
		for _, v := range first.firehose.sent() {
			partitions[v%4] = true
		}
		if len(partitions) != 2 {
			t.Errorf("records of the partitions %v were sent by a member that owns two", partitions)
		}
		time.Sleep(2 * time.Minute)
		first.mustStop()
		second.mustStop()
		w.wantExactly(400)
	})
}
