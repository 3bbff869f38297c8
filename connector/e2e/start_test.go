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
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kafka-firehose/connector"
	"kafka-firehose/connector/firehose/firehosetest"
	"kafka-firehose/connector/longtest"
)

// history produces n records, from 100000 on, that a start at the end leaves out.
func (w *world) history(n int) {
	w.t.Helper()
	w.produce(100000, 100000+n)
	for i := range n {
		w.judge.allow(w.judge.placeOf(fmt.Sprint(100000 + i)))
	}
}

func latestMode(c *connector.Config) { c.Kafka.AutoOffsetReset.Mode = "latest" }

// down is a stream that takes nothing until the faults are cleared.
var down = firehosetest.Fault{Effect: firehosetest.RefuseRequest, Code: "ServiceUnavailableException"}

// TestLatestIsAskedOnce: a process that starts at the end is killed before it
// commits a record. The next one must go on where the first began.
func TestLatestIsAskedOnce(t *testing.T) { bubble(t, latestIsAskedOnce(10)) }

// TestLatestOfAnEmptyTopic: the end of an empty partition is offset 0, and has to
// be committed like any other.
func TestLatestOfAnEmptyTopic(t *testing.T) { bubble(t, latestIsAskedOnce(0)) }

func latestIsAskedOnce(history int) func(*world) {
	return func(w *world) {
		w.history(history)
		w.stream.AddFault(down)
		first := w.start(latestMode, func(c *connector.Config) {
			c.Kafka.CommitInterval = time.Hour
			c.Kafka.SessionTimeout = either(w, c.Kafka.SessionTimeout, 6*time.Second) // it is killed
		})
		w.until("its start is committed", patience, func() bool { return w.judge.committedParts() == 4 })
		w.produce(0, 100)
		w.until("it tries to send", patience, func() bool { return w.stream.Stats().Requests > 0 })
		first.kill()
		w.produce(100, 200)
		w.stream.ClearFaults()
		second := w.start(latestMode)
		w.untilCommitted(history + 200)
		second.mustStop()
		w.wantExactly(200)
		if got := w.judge.copiesOf("100003"); got != 0 {
			w.t.Error("a record from before the start was delivered")
		}
	}
}

// TestLatestSkipsNothingNew: partitions that are added later, while it runs or
// while it does not, have no records from before it came.
func TestLatestSkipsNothingNew(t *testing.T) { bubble(t, latestSkipsNothingNew) }

func latestSkipsNothingNew(w *world) {
	m := w.start(latestMode)
	w.until("its start is committed", patience, func() bool { return w.judge.committedParts() == 4 })
	w.grow(w.in, 5)
	w.produceWith(0, 10, func(i int) *kgo.Record {
		return &kgo.Record{Topic: w.in, Partition: 4, Value: fmt.Appendf(nil, "%d", i)}
	})
	w.untilCommitted(10)
	m.mustStop()
	w.grow(w.in, 6)
	w.produceWith(10, 20, func(i int) *kgo.Record {
		return &kgo.Record{Topic: w.in, Partition: 5, Value: fmt.Appendf(nil, "%d", i)}
	})
	m = w.start(latestMode)
	w.untilCommitted(20)
	m.mustStop()
	w.wantExactly(20)
}

// grow adds partitions to a topic and waits until the producer knows them.
func (w *world) grow(topic string, partitions int) {
	w.t.Helper()
	grown, err := w.admin.UpdatePartitions(context.Background(), partitions, topic)
	if err == nil {
		err = grown.Error()
	}
	if err != nil {
		w.t.Fatal(err)
	}
	w.until("every broker knows that the topic has grown", patience, func() bool { return w.known(topic, partitions) })
	w.producer.Close()
	w.connect()
}

func TestStartAtATime(t *testing.T) { bubble(t, startAtATime) }

func startAtATime(w *world) {
	w.history(10)
	time.Sleep(either(w, time.Hour, time.Second))
	at := time.Now()
	time.Sleep(10 * time.Millisecond)
	w.produce(0, 10)
	m := w.start(func(c *connector.Config) { c.Kafka.AutoOffsetReset.Mode, c.Kafka.AutoOffsetReset.At = "time", at })
	w.untilCommitted(20)
	m.mustStop()
	w.wantExactly(10)
	if got := w.judge.copiesOf("100003"); got != 0 {
		w.t.Error("a record from before the time was delivered")
	}
}

func TestNoneIsAnError(t *testing.T) { bubble(t, noneIsAnError) }

func noneIsAnError(w *world) {
	w.produce(0, 10)
	m := w.start(func(c *connector.Config) { c.Kafka.AutoOffsetReset.Mode = "none" })
	err := <-m.done
	if err == nil || !strings.Contains(err.Error(), "KAFKA_AUTO_OFFSET_RESET") || !strings.Contains(err.Error(), "topic "+w.in) {
		w.t.Errorf("ended with %v", err)
	}
	w.judge.commits++ // there must be none
}

// TestRetentionPassesTheCommit: with latest as the start, the records that are
// left must still be read, and the gap told.
func TestRetentionPassesTheCommit(t *testing.T) { bubble(t, retentionPassesTheCommit) }

func retentionPassesTheCommit(w *world) {
	m := w.start(latestMode)
	w.until("its start is committed", patience, func() bool { return w.judge.committedParts() == 4 })
	w.produce(0, 40)
	w.untilCommitted(40)
	m.mustStop()
	w.produce(40, 80)
	cut := kadm.Offsets{}
	cut.AddOffset(w.in, 1, 15, -1) // 10 are committed, 5 more go
	if _, err := w.admin.DeleteRecords(context.Background(), cut); err != nil {
		w.t.Fatal(err)
	}
	for o := int64(10); o < 15; o++ {
		w.judge.allow(place{part{w.in, 1}, o})
	}
	m = w.start(latestMode)
	w.untilCommitted(80)
	m.mustStop()
	w.wantExpired(m, 80, 5)
}

// wantExpired fails unless just so many of the records 0 to n-1 are missing, and the
// member knows that retention took them.
func (w *world) wantExpired(m *member, n, expired int) {
	w.t.Helper()
	if lost, copies := w.judge.count(n); lost != expired || copies != 0 {
		w.t.Errorf("%d lost and %d twice, want the %d that retention took", lost, copies, expired)
	}
	if got := m.metric("kafka_offsets_expired_total"); got != float64(expired) {
		w.t.Errorf("%v offsets counted as expired, want %d", got, expired)
	}
}

// TestLatestNewTopicAfterRestart: a topic that appears has no records from before,
// also when the process found commits for all that was there at its start.
func TestLatestNewTopicAfterRestart(t *testing.T) { bubble(t, latestNewTopicAfterRestart) }

func latestNewTopicAfterRestart(w *world) {
	old, later := w.name("log-a"), w.name("log-b")
	w.topic(old, 1)
	to := func(topic string) func(int) *kgo.Record {
		return func(i int) *kgo.Record { return &kgo.Record{Topic: topic, Value: fmt.Appendf(nil, "%d", i)} }
	}
	pat := func(c *connector.Config) { c.Kafka.Topics, c.Kafka.TopicPattern = nil, w.name("log-[a-z]") }
	m := w.start(latestMode, pat)
	w.until("its start is committed", patience, func() bool { return w.judge.committedParts() == 1 })
	w.produceWith(0, 10, to(old))
	w.untilCommitted(10)
	m.mustStop()
	m = w.start(latestMode, pat)
	w.untilShared(1, m)
	time.Sleep(either(w, 30*time.Second, time.Second))
	w.topic(later, 1)
	w.produceWith(10, 20, to(later))
	w.untilCommitted(20)
	m.mustStop()
	w.wantExactly(20)
}

// TestLatestAfterAnError: the first answer to "where is latest" is an error; the
// second must not be taken for that of a partition that appeared later.
func TestLatestAfterAnError(t *testing.T) {
	bubble(t, func(w *world) {
		w.history(100)
		var left atomic.Int32
		left.Store(1)
		w.cluster.ControlKey(int16(kmsg.ListOffsets), func(r kmsg.Request) (kmsg.Response, error, bool) {
			w.cluster.KeepControl()
			if left.Add(-1) < 0 {
				return nil, nil, false
			}
			return listed(r.(*kmsg.ListOffsetsRequest), -1, kerr.UnknownServerError.Code), nil, true
		})
		m := w.start(latestMode)
		time.Sleep(30 * time.Second)
		w.produce(0, 10)
		time.Sleep(10 * time.Second)
		m.mustStop()
		w.wantExactly(10)
		if got := w.judge.copiesOf("100003"); got != 0 {
			t.Error("latest read the history")
		}
	})
}

// TestLatestGrownWhileDown: partitions are added while no member runs, and members start together, each with a part
// of the topic. What was written into the new partitions is delivered.
func TestLatestGrownWhileDown(t *testing.T) {
	t.Parallel()
	for _, protocol := range protocols {
		t.Run(protocol, func(t *testing.T) { bubble(t, latestGrownWhileDown(protocol)) })
	}
}

func latestGrownWhileDown(protocol string) func(*world) {
	return func(w *world) {
		speaks := func(c *connector.Config) { c.Kafka.GroupProtocol = protocol }
		m := w.start(latestMode, speaks)
		w.until("its start is committed", patience, func() bool { return w.judge.committedParts() == 4 })
		w.produce(0, 40)
		w.untilCommitted(40)
		m.mustStop()
		w.grow(w.in, 8)
		w.produceWith(40, 80, func(i int) *kgo.Record {
			return &kgo.Record{Topic: w.in, Partition: 4 + int32(i%4), Value: fmt.Appendf(nil, "%d", i)}
		})
		w.stream.AddFault(down)
		var all []*member
		for range 4 {
			all = append(all, w.start(latestMode, speaks))
		}
		w.untilShared(2, all...)
		w.stream.ClearFaults()
		w.untilCommitted(80)
		for _, m := range all {
			m.mustStop()
		}
		w.wantAll(80, 80)
	}
}

// TestLatestRecreated: a topic that is created again is newer than the group, also for a process that has only found
// offsets of the old one, also when no process ran while it happened as long as the group has read another topic.
func TestLatestRecreated(t *testing.T) {
	t.Parallel()
	for _, when := range []string{"while it runs", "after a restart", "while it is down"} {
		t.Run(when, func(t *testing.T) { bubble(t, latestRecreated(when)) })
	}
}

func latestRecreated(when string) func(*world) {
	return func(w *world) {
		other := w.name("other")
		w.topic(other, 1)
		two := func(c *connector.Config) { c.Kafka.Topics = append(c.Kafka.Topics, other) }
		m := w.start(latestMode, two)
		w.until("its start is committed", patience, func() bool { return w.judge.committedParts() == 5 })
		w.produce(0, 40)
		w.untilCommitted(40)
		if when == "after a restart" {
			m.mustStop()
			m = w.start(latestMode, two)
			w.untilShared(5, m)
			time.Sleep(either(w, 20*time.Second, 2*time.Second))
		}
		if when == "while it is down" {
			m.mustStop()
		}
		w.anew(w.in, 4)
		w.produce(40, 80)
		if when == "while it is down" {
			m = w.start(latestMode, two)
		}
		w.untilArrived(40, 80)
		w.produce(80, 120)
		w.untilCommitted(80)
		m.mustStop()
		w.wantExactly(120)
	}
}

// TestLatestOfAnAddedTopic: a topic with a history is added to KAFKA_TOPICS of a group that exists. The group sees it
// for the first time, so it starts at its end.
func TestLatestOfAnAddedTopic(t *testing.T) { bubble(t, latestOfAnAddedTopic) }

func latestOfAnAddedTopic(w *world) {
	added := w.name("added")
	to := func(i int) *kgo.Record { return &kgo.Record{Topic: added, Value: fmt.Appendf(nil, "%d", i)} }
	m := w.start(latestMode)
	w.until("its start is committed", patience, func() bool { return w.judge.committedParts() == 4 })
	m.mustStop()
	w.topic(added, 1)
	w.produceWith(100000, 100100, to)
	for i := range 100 {
		w.judge.allow(w.judge.placeOf(fmt.Sprint(100000 + i)))
	}
	time.Sleep(time.Second)
	m = w.start(latestMode, func(c *connector.Config) { c.Kafka.Topics = append(c.Kafka.Topics, added) })
	w.until("its start is committed", patience, func() bool { return w.judge.lastCommit(added, 0) == 100 })
	w.produceWith(0, 10, to)
	w.untilCommitted(110)
	m.mustStop()
	w.wantExactly(10)
	if w.judge.copiesOf("100003") > 0 {
		w.t.Error("the history was delivered")
	}
}

// TestLatestOfMembersThatStartTogether: a new group whose members start at once, while brokers take their time to say
// where the logs end. Nothing from before comes, nothing after it is missing.
func TestLatestOfMembersThatStartTogether(t *testing.T) {
	t.Parallel()
	for _, protocol := range protocols {
		for _, slow := range longtest.Pick([]time.Duration{4 * time.Second}, []time.Duration{0, 300 * time.Millisecond, 4 * time.Second}) {
			t.Run(fmt.Sprintf("%s/%v", protocol, slow), func(t *testing.T) {
				bubble(t, func(w *world) {
					w.history(400)
					time.Sleep(time.Second)
					var asked atomic.Int32
					w.cluster.ControlKey(int16(kmsg.ListOffsets), func(kmsg.Request) (kmsg.Response, error, bool) {
						w.cluster.KeepControl()
						if asked.Add(1) < 8 {
							w.cluster.SleepControl(func() { time.Sleep(slow) })
						}
						return nil, nil, false
					})
					// Between its two questions for the group's offsets a member may find those of another one.
					w.cluster.ControlKey(int16(kmsg.OffsetFetch), func(r kmsg.Request) (kmsg.Response, error, bool) {
						w.cluster.KeepControl()
						if g := r.(*kmsg.OffsetFetchRequest).Groups; len(g) == 1 && g[0].Topics == nil {
							w.cluster.SleepControl(func() { time.Sleep(slow / 2) })
						}
						return nil, nil, false
					})
					var all []*member
					for range 3 {
						all = append(all, w.start(latestMode, func(c *connector.Config) { c.Kafka.GroupProtocol = protocol }))
						time.Sleep(100 * time.Millisecond)
					}
					time.Sleep(90 * time.Second)
					w.produce(0, 40)
					w.untilStored(40, 40)
					for _, m := range all {
						m.mustStop()
					}
					w.wantExactly(40)
					for i := range 400 {
						if w.judge.copiesOf(fmt.Sprint(100000+i)) > 0 {
							t.Fatalf("record %d of the history was delivered", i)
						}
					}
				})
			})
		}
	}
}

// TestNoneWithAddedPartitions: with none, a partition that was added has no records from before the group, so its
// beginning is no guess.
func TestNoneWithAddedPartitions(t *testing.T) { bubble(t, noneWithAddedPartitions) }

func noneWithAddedPartitions(w *world) {
	offsets := kadm.Offsets{}
	for p := range int32(4) {
		offsets.AddOffset(w.in, p, 0, -1)
	}
	if err := w.admin.CommitAllOffsets(context.Background(), w.group, offsets); err != nil {
		w.t.Fatal(err)
	}
	none := func(c *connector.Config) { c.Kafka.AutoOffsetReset.Mode = "none" }
	m := w.start(none)
	w.produce(0, 40)
	w.untilCommitted(40)
	m.mustStop()
	w.grow(w.in, 5)
	w.produceWith(40, 50, func(i int) *kgo.Record {
		return &kgo.Record{Topic: w.in, Partition: 4, Value: fmt.Appendf(nil, "%d", i)}
	})
	m = w.start(none)
	w.untilCommitted(50)
	m.mustStop()
	w.wantExactly(50)
}

// TestTopicCreatedAnewLatest: the only topic of a group is created again while it is read. Brokers delete the group's
// offsets with the topic, so only the process knows that the topic is newer than the group.
func TestTopicCreatedAnewLatest(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"latest", "time"} {
		t.Run(mode, func(t *testing.T) { bubble(t, topicCreatedAnewLatest(mode)) })
	}
}

func topicCreatedAnewLatest(mode string) func(*world) {
	return func(w *world) {
		m := w.start(func(c *connector.Config) {
			c.Kafka.AutoOffsetReset.Mode, c.Kafka.AutoOffsetReset.At = mode, time.Now().Add(-time.Minute)
		})
		w.until("its start is committed", patience, func() bool { return w.judge.committedParts() == 4 })
		w.produce(0, 40)
		w.untilCommitted(40)
		w.anew(w.in, 4)
		w.produce(40, 80)
		w.untilArrived(40, 80)
		w.untilCommitted(40) // in the new topic
		m.mustStop()
		w.wantExactly(80)
	}
}
