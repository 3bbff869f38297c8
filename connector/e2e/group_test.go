package e2e_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kafka-firehose/connector"
	"kafka-firehose/connector/firehose/firehosetest"
)

// TestTransactions: what was aborted is not delivered, what was committed is,
// and neither the markers nor the aborted records leave lag behind.
func TestTransactions(t *testing.T) { bubble(t, transactions) }

func transactions(w *world) {
	tx := w.client(kgo.TransactionalID(w.name("tx")))
	defer tx.Close()
	transaction := func(values []string, end kgo.TransactionEndTry) {
		if err := tx.BeginTransaction(); err != nil {
			w.t.Fatal(err)
		}
		for _, v := range values {
			r := &kgo.Record{Topic: w.in, Partition: 0, Value: []byte(v)}
			if err := tx.ProduceSync(context.Background(), r).FirstErr(); err != nil {
				w.t.Fatal(err)
			}
			if end == kgo.TryCommit {
				w.judge.produced(r)
			}
		}
		if err := tx.EndTransaction(context.Background(), end); err != nil {
			w.t.Fatal(err)
		}
	}
	m := w.start()
	transaction([]string{"0", "1"}, kgo.TryCommit)
	transaction([]string{"aborted"}, kgo.TryAbort)
	w.untilCommitted(5) // three records and two markers
	m.untilNoLag()
	m.mustStop()
	w.wantExactly(2)
	if got := w.judge.copiesOf("aborted"); got != 0 {
		w.t.Errorf("an aborted record was delivered %d times", got)
	}
}

// TestTopicCreatedAnew: by default the client waits for the old topic for ever,
// without a record and without an error.
func TestTopicCreatedAnew(t *testing.T) {
	t.Parallel()
	for _, pattern := range []bool{false, true} {
		t.Run(fmt.Sprintf("pattern=%v", pattern), func(t *testing.T) { bubble(t, topicCreatedAnew(pattern)) })
	}
}

func topicCreatedAnew(pattern bool) func(*world) {
	return func(w *world) {
		w.produce(0, 400)
		m := w.start(func(c *connector.Config) {
			if pattern {
				c.Kafka.Topics, c.Kafka.TopicPattern = nil, w.name("i.")
			}
		})
		w.untilCommitted(400)
		w.anew(w.in, 4)
		w.produce(400, 500)
		w.untilStored(500, 500)
		w.untilCommitted(100) // in the new topic
		w.wantExactly(500)
		if !strings.Contains(w.log.String(), "deleted and created again") {
			w.t.Error("nobody was told")
		}
		m.mustStop()
	}
}

// TestPattern: a topic that appears while running is found within 30 s; one that
// only contains the pattern, or has no stream, is left alone.
func TestPattern(t *testing.T) { bubble(t, pattern) }

func pattern(w *world) {
	first, later, unrouted, longer, excluded := w.name("log-a"), w.name("log-b"), w.name("log-x"), "my-"+w.name("log-b"), w.name("log-t")
	w.topic(first, 1)
	to := func(topic string) func(int) *kgo.Record {
		return func(i int) *kgo.Record { return &kgo.Record{Topic: topic, Value: fmt.Appendf(nil, "%d", i)} }
	}
	w.produceWith(0, 10, to(first))
	m := w.start(func(c *connector.Config) {
		c.Kafka.Topics, c.Kafka.TopicPattern, c.Kafka.TopicExclude = nil, w.name("log-[a-z]"), w.name("log-[tu]")
		c.Firehose.Stream = ""
		if err := c.Firehose.Routes.Decode(fmt.Sprintf("%s=s,/%s/=s", first, w.name("log-[bc]"))); err != nil {
			w.t.Fatal(err)
		}
	})
	w.untilStored(10, 10)
	for _, topic := range []string{later, unrouted, longer, excluded} {
		w.topic(topic, 1)
	}
	w.produceWith(10, 20, to(later))
	w.produceWith(100000, 100001, to(unrouted))
	w.produceWith(100001, 100002, to(longer))
	w.produceWith(100002, 100003, to(excluded))
	w.until("the new topic is found", 30*time.Second, func() bool { lost, _ := w.judge.count(20); return lost == 0 })
	w.until("one topic has no stream", patience, func() bool { return m.metric("kafka_unrouted_topics") == 1 })
	w.untilCommitted(20)
	m.mustStop()
	w.wantExactly(20)
	for _, v := range []string{"100000", "100001", "100002"} {
		if w.judge.copiesOf(v) != 0 {
			w.t.Errorf("record %s of a topic that is not to be read was delivered", v)
		}
	}
	if got := strings.Count(w.log.String(), "it is not consumed"); got != 1 {
		w.t.Errorf("told %d times that %s has no stream, want once", got, unrouted)
	}
}

// TestStaticMember: a restart within the session timeout moves nothing.
func TestStaticMember(t *testing.T) { bubble(t, staticMember) }

func staticMember(w *world) {
	static := func(id string) func(*connector.Config) {
		return func(c *connector.Config) { c.Kafka.GroupInstanceID = id }
	}
	a, b := w.start(static("a")), w.start(static("b"))
	w.produce(0, 1000)
	w.untilShared(2, a, b)
	w.untilCommitted(1000)
	before := b.metric("kafka_rebalances_total")
	a.mustStop()
	time.Sleep(either(w, 5*time.Second, time.Second))
	a = w.start(static("a"))
	w.produce(1000, 2000)
	w.untilCommitted(2000)
	if got := b.metric("kafka_rebalances_total"); got != before {
		w.t.Errorf("the other member was rebalanced %v times", got-before)
	}
	if got := a.owns(); got != 2 {
		w.t.Errorf("the member came back to %v partitions, want 2", got)
	}
	a.mustStop()
	b.mustStop()
	w.wantExactly(2000)
}

// TestStaticConsumer: the same with KIP-848. A member that steps out has to say which
// instance it is: real brokers refuse it otherwise, hold its place until the session
// is over, and turn the restarted process away until then.
func TestStaticConsumer(t *testing.T) { bubble(t, staticConsumer) }

func staticConsumer(w *world) {
	if w.cluster != nil { // which is not as strict
		w.cluster.ControlKey(kmsg.ConsumerGroupHeartbeat.Int16(), func(r kmsg.Request) (kmsg.Response, error, bool) {
			w.cluster.KeepControl()
			if r := r.(*kmsg.ConsumerGroupHeartbeatRequest); r.MemberEpoch == -2 && r.InstanceID == nil {
				a := r.ResponseKind().(*kmsg.ConsumerGroupHeartbeatResponse)
				a.ErrorCode = kerr.InvalidRequest.Code
				return a, nil, true
			}
			return nil, nil, false
		})
	}
	adapt := w.adapt
	w.adapt = func(c *connector.Config) { adapt(c); c.Kafka.GroupProtocol = "consumer" }
	staticMember(w)
	if got := w.groupType(); got != "consumer" {
		w.t.Errorf("the group is of type %q, want consumer", got)
	}
}

// TestTwoUnderOneName: two processes were given one name by mistake. One of them has to
// go, with a word that names the setting, and neither commits what is the other's. With
// the classic protocol it is the first; with KIP-848 the second is turned away, and gets
// in when the first has gone.
func TestTwoUnderOneName(t *testing.T) {
	t.Parallel()
	for _, proto := range protocols {
		t.Run(proto, func(t *testing.T) { bubble(t, twoUnderOneName(proto)) })
	}
}

func twoUnderOneName(proto string) func(w *world) {
	return func(w *world) {
		named := func(c *connector.Config) { c.Kafka.GroupProtocol, c.Kafka.GroupInstanceID = proto, "one" }
		const setting = `"one" of KAFKA_GROUP_INSTANCE_ID`
		first, n := w.start(named), 1000
		w.untilShared(4, first)
		w.produce(0, n)
		w.untilCommitted(n)
		second := w.start(named)
		if proto == "classic" {
			err := <-first.done
			if err == nil || !strings.Contains(err.Error(), setting) {
				w.t.Errorf("the first one ended with %v, want the name of the setting", err)
			}
		} else {
			w.until("the second one says why it is not in the group", patience, func() bool {
				err := second.connector.Ready()
				return err != nil && strings.Contains(err.Error(), setting)
			})
			w.produce(n, n+1000)
			n += 1000
			w.untilCommitted(n)
			if n := second.metric("kafka_records_consumed_total"); n > 0 {
				w.t.Errorf("the second one read %v records", n)
			}
			first.mustStop()
		}
		w.untilShared(4, second)
		w.produce(n, n+1000)
		w.untilCommitted(n + 1000)
		if err := second.connector.Ready(); err != nil {
			w.t.Errorf("the second one is not ready: %v", err)
		}
		second.mustStop()
		w.wantExactly(n + 1000)
	}
}

// TestConsumerProtocol: KIP-848, with members that come and go.
func TestConsumerProtocol(t *testing.T) { bubble(t, consumerProtocol) }

func consumerProtocol(w *world) {
	next := func(c *connector.Config) { c.Kafka.GroupProtocol = "consumer" }
	w.produce(0, 2000)
	a := w.start(next)
	w.untilShared(4, a)
	if got := w.groupType(); got != "consumer" {
		w.t.Errorf("the group is of type %q, want consumer", got)
	}
	b := w.start(next)
	w.untilShared(2, a, b)
	w.produce(2000, 4000)
	w.untilStored(3000, 4000)
	a.mustStop()
	w.untilShared(4, b)
	w.untilCommitted(4000)
	b.mustStop()
	w.wantExactly(4000)
}

// TestClassicProtocol is its control: the group's type tells the two apart.
func TestClassicProtocol(t *testing.T) { bubble(t, classicProtocol) }

func classicProtocol(w *world) {
	w.produce(0, 100)
	a, b := w.start(), w.start()
	w.untilShared(2, a, b)
	w.untilCommitted(100)
	if got := w.groupType(); got != "classic" {
		w.t.Errorf("the group is of type %q, want classic", got)
	}
	groups, err := w.admin.DescribeGroups(context.Background(), w.group)
	if err != nil {
		w.t.Fatal(err)
	}
	if got := groups[w.group].Protocol; got != "cooperative-sticky" {
		w.t.Errorf("the group balances by %q, want cooperative-sticky", got)
	}
	a.mustStop()
	b.mustStop()
}

// groupType is classic or consumer, as the brokers have it.
func (w *world) groupType() string {
	w.t.Helper()
	for _, kind := range []string{"classic", "consumer"} {
		groups, err := w.admin.ListGroupsByType(context.Background(), []string{kind})
		if err != nil {
			w.t.Fatal(err)
		}
		if slices.Contains(groups.Groups(), w.group) {
			return kind
		}
	}
	return ""
}

// TestLostPartitionIsFenced: a member is cut off from the group for longer than
// its session, while the stream is down, and comes back as a zombie. Its records
// are the new owner's; it must neither commit nor send them again.
func TestLostPartitionIsFenced(t *testing.T) { bubble(t, lostPartitionIsFenced) }

func lostPartitionIsFenced(w *world) {
	w.stream.AddFault(firehosetest.Fault{Effect: firehosetest.RefuseRequest, Code: "ServiceUnavailableException"})
	zombie := w.start(func(c *connector.Config) { c.Kafka.ClientID = "zombie" })
	w.untilShared(4, zombie)
	w.produce(0, 400)
	w.until("the zombie tries to send", patience, func() bool { return w.stream.Stats().Requests > 0 })
	zombie.kafka.cut()
	time.Sleep(either(w, time.Minute, 5*time.Second))
	heir := w.start()
	w.untilShared(4, heir)
	w.stream.ClearFaults()
	w.untilCommitted(400)
	zombie.kafka.mend()
	w.untilShared(2, heir, zombie)
	heir.mustStop()
	zombie.mustStop()
	w.wantAll(400, 400) // the zombie may have sent before it learned
	if got := w.committed(); got != 400 {
		w.t.Errorf("committed %d, want 400", got)
	}
}

// TestNothingRevokedIsSentAgain: all records are refused by index, so they are
// in retries when half of the partitions go. Once the revoke has returned, no
// attempt of the old owner contains them.
func TestNothingRevokedIsSentAgain(t *testing.T) { bubble(t, nothingRevokedIsSentAgain) }

func nothingRevokedIsSentAgain(w *world) {
	w.stream.AddFault(firehosetest.Fault{Effect: firehosetest.RefuseRecords, Code: "InternalFailure"})
	w.produce(0, 400)
	first := w.start()
	w.until("all records are in retries", patience, func() bool { return first.metric("records_retried_total") >= 400 })
	second := w.start()
	w.untilShared(2, first, second) // after the drain has taken all of its time
	first.firehose.sent()
	var values []int
	w.until("it tries again what it has", patience, func() bool {
		values = append(values, first.firehose.sent()...)
		return len(values) >= 600
	})
	partitions := map[int]bool{}
	for _, v := range values {
		partitions[v%4] = true
	}
	if len(partitions) != 2 {
		w.t.Errorf("records of the partitions %v were sent by a member that owns two", partitions)
	}
	w.stream.ClearFaults()
	w.untilCommitted(400)
	first.mustStop()
	second.mustStop()
	w.wantExactly(400)
}
