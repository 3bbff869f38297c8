package e2e_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/connector"
	"kafka-firehose/connector/firehose/firehosetest"
)

// anew deletes a topic and creates it again.
func (w *world) anew(topic string, partitions int32) {
	w.t.Helper()
	w.deleteTopic(topic)
	time.Sleep(2 * time.Second)
	w.topic(topic, partitions)
}

// untilArrived waits until each of the records from and up to, but not including,
// to is stored.
func (w *world) untilArrived(from, to int) {
	w.t.Helper()
	missing := 0
	if !came(either(w, 15*time.Minute, 90*time.Second), func() bool {
		missing = 0
		for i := from; i < to; i++ {
			if w.judge.copiesOf(strconv.Itoa(i)) == 0 {
				missing++
			}
		}
		return missing == 0
	}) {
		w.t.Fatalf("%d of %d records never came\n%s", missing, to-from, w.log.tail())
	}
}

// TestTopicCreatedAnewInAnOutage: nobody polls, so nobody learns that the topic is
// another one now. What was delivered of the old one is committed when the stream
// is back, and must not land in the new one.
func TestTopicCreatedAnewInAnOutage(t *testing.T) { bubble(t, topicCreatedAnewInAnOutage) }

func topicCreatedAnewInAnOutage(w *world) {
	w.stream.AddFault(firehosetest.Fault{Effect: firehosetest.RefuseRequest, Code: "ServiceUnavailableException"})
	m := w.start(func(c *connector.Config) { c.MaxBufferedBytes = 26 << 20 })
	pad := strings.Repeat(" ", 100_000)
	w.produceWith(0, 400, func(i int) *kgo.Record {
		return &kgo.Record{Topic: w.in, Partition: int32(i % 4), Value: fmt.Appendf(nil, "%d%s", i, pad)}
	})
	since, polled := time.Now(), 0.0
	w.until("memory is full, and nobody polls", patience, func() bool {
		if now := m.metric("kafka_records_consumed_total"); now != polled {
			since, polled = time.Now(), now
		}
		return polled > 0 && time.Since(since) > 3*time.Second
	})
	if polled >= 400 {
		w.t.Fatalf("all of %v records fit into memory", polled)
	}
	time.Sleep(either(w, time.Minute, 2*time.Second))
	w.anew(w.in, 4)
	w.produce(1000, 1800) // 200 a partition
	time.Sleep(either(w, 2*time.Minute, 2*time.Second))
	w.stream.ClearFaults()
	w.untilArrived(1000, 1800)
	m.mustStop()
}

// TestTopicCreatedAnewWhileHeld: a partition that is paused because its commit is
// too far behind fetches nothing, and its commits are refused for ever.
func TestTopicCreatedAnewWhileHeld(t *testing.T) { bubble(t, topicCreatedAnewWhileHeld) }

func topicCreatedAnewWhileHeld(w *world) {
	one := w.name("one")
	w.topic(one, 1)
	held := func(c *connector.Config) { c.Kafka.Topics = []string{one}; c.Kafka.MaxUncommittedRecords = 100 }
	rec := func(i int) *kgo.Record { return &kgo.Record{Topic: one, Value: fmt.Appendf(nil, "%d", i)} }
	m := w.start(held)
	w.produceWith(0, 50, rec)
	w.untilCommitted(50)
	w.stream.AddFault(firehosetest.Fault{Effect: firehosetest.RefuseRequest, Code: "ServiceUnavailableException"})
	w.produceWith(50, 1000, rec)
	w.until("the partition is paused", patience, func() bool { return m.metric("kafka_paused_partitions") == 1 })
	w.anew(one, 1)
	w.produceWith(1000, 1100, rec)
	time.Sleep(either(w, 30*time.Second, 2*time.Second))
	w.stream.ClearFaults()
	w.untilArrived(1000, 1100)
	m.mustStop()
}

// TestPausedTopicComesBack: a topic that leaves while its stream is down and comes
// back later must not stay paused.
func TestPausedTopicComesBack(t *testing.T) {
	bubble(t, func(w *world) {
		w.stream.AddStream(firehosetest.Stream{Name: "d"})
		w.stream.AddFault(firehosetest.Fault{Stream: "d", Effect: firehosetest.RefuseRequest, Code: "ServiceUnavailableException", Until: 3 * time.Minute})
		topics := []string{"in"}
		for i := range 6 {
			n := fmt.Sprintf("log-%c", 'a'+i)
			topics = append(topics, n)
			w.topic(n, 1)
		}
		pad := strings.Repeat(" ", 50_000)
		conf := func(c *connector.Config) {
			c.Kafka.Topics = topics
			c.Firehose.Stream = ""
			if err := c.Firehose.Routes.Decode("in=s,/log-.*/=d"); err != nil {
				t.Fatal(err)
			}
			c.MaxBufferedBytes = 32 << 20
		}
		m := w.start(conf)
		time.Sleep(5 * time.Second)
		rec := func(i int) *kgo.Record {
			return &kgo.Record{Topic: fmt.Sprintf("log-%c", 'a'+i%6), Value: fmt.Appendf(nil, "%d%s", i, pad)}
		}
		w.produceWith(0, 1200, rec) // 60 MB
		for i := range 1200 {
			w.judge.alias(fmt.Sprintf("%d%s", i, pad), fmt.Sprint(i))
		}
		time.Sleep(30 * time.Second)
		m2 := w.start(conf)
		time.Sleep(6 * time.Minute) // the stream is up again after three
		m2.mustStop()
		time.Sleep(time.Minute)
		w.produceWith(1200, 1260, func(i int) *kgo.Record { r := rec(i); r.Value = fmt.Appendf(nil, "%d", i); return r })
		time.Sleep(5 * time.Minute)
		w.wantAll(1260, 1200)
		m.mustStop()
	})
}

// TestStopOutOfTheGroup: the group can't be reached, what was accepted can't be
// committed, and the stop must say so.
func TestStopOutOfTheGroup(t *testing.T) {
	bubble(t, func(w *world) {
		m := w.start(func(c *connector.Config) { c.Kafka.CommitInterval = 10 * time.Minute })
		time.Sleep(5 * time.Second)
		w.produce(0, 400)
		time.Sleep(5 * time.Second)
		m.kafka.cut()
		time.Sleep(2 * time.Minute)
		err := m.stop()
		if err == nil {
			t.Errorf("a clean stop, but %d of 400 accepted records are committed", w.committed())
		}
		w.judge.commits++
		time.Sleep(3 * time.Minute)
	})
}
