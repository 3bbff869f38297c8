package connector_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kafka-firehose/connector"
	"kafka-firehose/connector/firehose/firehosetest"
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

// TestLatestIsAskedOnce: a process that starts at the end is killed before it
// commits a record. The next one must go on where the first began.
func TestLatestIsAskedOnce(t *testing.T) {
	bubble(t, func(w *world) {
		w.history(10)
		w.stream.AddFault(firehosetest.Fault{Effect: firehosetest.RefuseRequest, Code: "ServiceUnavailableException", Until: 20 * time.Second})
		first := w.start(latestMode, func(c *connector.Config) { c.Kafka.CommitInterval = time.Hour })
		time.Sleep(8 * time.Second)
		w.produce(0, 100)
		time.Sleep(8 * time.Second)
		first.kill()
		w.produce(100, 200)
		second := w.start(latestMode)
		time.Sleep(2 * time.Minute)
		second.mustStop()
		w.wantExactly(200)
		if got := w.judge.copiesOf("100003"); got != 0 {
			t.Error("a record from before the start was delivered")
		}
	})
}

// TestLatestSkipsNothingNew: partitions that are added later, while it runs or
// while it does not, have no records from before it came.
func TestLatestSkipsNothingNew(t *testing.T) {
	bubble(t, func(w *world) {
		grow := func(to int32, i int) {
			if _, err := w.admin.UpdatePartitions(context.Background(), int(to), "in"); err != nil {
				t.Fatal(err)
			}
			w.producer.ForceMetadataRefresh()
			time.Sleep(time.Second)
			w.produceWith(i, i+10, func(i int) *kgo.Record {
				return &kgo.Record{Topic: "in", Partition: to - 1, Value: fmt.Appendf(nil, "%d", i)}
			})
		}
		m := w.start(latestMode)
		time.Sleep(10 * time.Second)
		grow(5, 0)
		time.Sleep(time.Minute)
		m.mustStop()
		grow(6, 10)
		m = w.start(latestMode)
		time.Sleep(time.Minute)
		m.mustStop()
		w.wantExactly(20)
	})
}

func TestStartAtATime(t *testing.T) {
	bubble(t, func(w *world) {
		w.history(10)
		time.Sleep(time.Hour)
		at := time.Now()
		w.produce(0, 10)
		m := w.start(func(c *connector.Config) { c.Kafka.AutoOffsetReset.Mode, c.Kafka.AutoOffsetReset.At = "time", at })
		time.Sleep(20 * time.Second)
		m.mustStop()
		w.wantExactly(10)
		if got := w.judge.copiesOf("100003"); got != 0 {
			t.Error("a record from before the time was delivered")
		}
	})
}

func TestNoneIsAnError(t *testing.T) {
	bubble(t, func(w *world) {
		w.produce(0, 10)
		m := w.start(func(c *connector.Config) { c.Kafka.AutoOffsetReset.Mode = "none" })
		err := <-m.done
		if err == nil || !strings.Contains(err.Error(), "KAFKA_AUTO_OFFSET_RESET") || !strings.Contains(err.Error(), "topic in") {
			t.Errorf("ended with %v", err)
		}
		w.judge.commits++ // there must be none
	})
}

// TestRetentionPassesTheCommit: with latest as the start, the records that are
// left must still be read, and the gap told.
func TestRetentionPassesTheCommit(t *testing.T) {
	bubble(t, func(w *world) {
		m := w.start(latestMode)
		time.Sleep(10 * time.Second)
		w.produce(0, 40)
		time.Sleep(10 * time.Second)
		m.mustStop()
		w.produce(40, 80)
		if err := w.cluster.DeleteRecords("in", 1, 15); err != nil { // 10 are committed, 5 more go
			t.Fatal(err)
		}
		for o := int64(10); o < 15; o++ {
			w.judge.allow(place{part{"in", 1}, o})
		}
		m = w.start(latestMode)
		time.Sleep(20 * time.Second)
		m.mustStop()
		if lost, copies := w.judge.count(80); lost != 5 || copies != 0 {
			t.Errorf("%d lost and %d twice, want the 5 that retention took", lost, copies)
		}
		if got := m.metric("kafka_offsets_expired_total"); got != 5 {
			t.Errorf("%v offsets counted as expired, want 5", got)
		}
	})
}

// TestLatestOfAnEmptyTopic: the end of an empty partition is offset 0, and has to
// be committed like any other.
func TestLatestOfAnEmptyTopic(t *testing.T) {
	bubble(t, func(w *world) {
		w.stream.AddFault(firehosetest.Fault{Effect: firehosetest.RefuseRequest, Code: "ServiceUnavailableException", Until: 20 * time.Second})
		first := w.start(latestMode)
		time.Sleep(8 * time.Second)
		w.produce(0, 100)
		time.Sleep(8 * time.Second)
		first.kill()
		second := w.start(latestMode)
		time.Sleep(2 * time.Minute)
		second.mustStop()
		w.wantExactly(100)
	})
}

// TestLatestNewTopicAfterRestart: a topic that appears has no records from before,
// also when the process found commits for all that was there at its start.
func TestLatestNewTopicAfterRestart(t *testing.T) {
	bubble(t, func(w *world) {
		w.topic("log-a", 1)
		to := func(topic string) func(int) *kgo.Record {
			return func(i int) *kgo.Record { return &kgo.Record{Topic: topic, Value: fmt.Appendf(nil, "%d", i)} }
		}
		pat := func(c *connector.Config) { c.Kafka.Topics, c.Kafka.TopicPattern = nil, "log-[a-z]" }
		m := w.start(latestMode, pat)
		time.Sleep(10 * time.Second)
		w.produceWith(0, 10, to("log-a"))
		time.Sleep(5 * time.Second)
		m.mustStop()
		m = w.start(latestMode, pat)
		time.Sleep(30 * time.Second)
		w.topic("log-b", 1)
		w.produceWith(10, 20, to("log-b"))
		time.Sleep(60 * time.Second)
		m.mustStop()
		w.wantExactly(20)
	})
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
			req := r.(*kmsg.ListOffsetsRequest)
			resp := req.ResponseKind().(*kmsg.ListOffsetsResponse)
			for _, rt := range req.Topics {
				st := kmsg.NewListOffsetsResponseTopic()
				st.Topic = rt.Topic
				for _, rp := range rt.Partitions {
					sp := kmsg.NewListOffsetsResponseTopicPartition()
					sp.Partition, sp.ErrorCode = rp.Partition, kerr.UnknownServerError.Code
					st.Partitions = append(st.Partitions, sp)
				}
				resp.Topics = append(resp.Topics, st)
			}
			return resp, nil, true
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
