package e2e_test

import (
	"bytes"
	"context"
	"errors"
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
	"kafka-firehose/connector/longtest"
)

// partitionErrors are the errors that a broker can have for one partition of a request, by request.
var partitionErrors = map[kmsg.Key][]*kerr.Error{
	kmsg.Fetch: {
		kerr.UnknownServerError, kerr.OffsetOutOfRange, kerr.CorruptMessage, kerr.UnknownTopicOrPartition, kerr.LeaderNotAvailable,
		kerr.NotLeaderForPartition, kerr.ReplicaNotAvailable, kerr.TopicAuthorizationFailed, kerr.KafkaStorageError,
		kerr.UnknownLeaderEpoch, kerr.UnsupportedCompressionType, kerr.OffsetNotAvailable, kerr.UnknownTopicID, kerr.InconsistentTopicID,
		kerr.UnsupportedVersion, kerr.GroupAuthorizationFailed, kerr.InvalidTopicException,
	},
	kmsg.OffsetFetch: {
		kerr.UnknownServerError, kerr.TopicAuthorizationFailed, kerr.UnknownTopicID, kerr.UnknownTopicOrPartition,
	},
	kmsg.ListOffsets: {
		kerr.UnknownServerError, kerr.LeaderNotAvailable, kerr.NotLeaderForPartition, kerr.OffsetNotAvailable, kerr.TopicAuthorizationFailed,
		kerr.ReplicaNotAvailable, kerr.KafkaStorageError, kerr.UnknownTopicOrPartition, kerr.UnsupportedForMessageFormat,
	},
	kmsg.OffsetCommit: {
		kerr.UnknownServerError, kerr.TopicAuthorizationFailed, kerr.UnknownTopicOrPartition, kerr.UnknownTopicID, kerr.InvalidCommitOffsetSize,
		kerr.OffsetMetadataTooLarge, kerr.RequestTimedOut,
	},
}

// TestErrorOfOnePartition: a broker refuses one partition for ten minutes, from before the start or from the middle.
// The other partitions are delivered and committed as if nothing was, the fault is told each minute and in the
// readiness, and the partition goes on by itself when the cause is gone. Nothing is lost, nothing comes twice.
func TestErrorOfOnePartition(t *testing.T) {
	t.Parallel()
	for key, errs := range partitionErrors {
		for i, e := range errs {
			for m, mode := range []string{"earliest", "latest"} {
				for _, early := range []bool{true, false} {
					if (key == kmsg.ListOffsets || key == kmsg.OffsetFetch) && !early {
						continue // it is not asked again
					}
					if !longtest.Enabled() && (i%3 != 0 || m != i/3%2 || !early) {
						continue
					}
					t.Run(fmt.Sprintf("%s/%s/%s/early=%v", key.Name(), e.Message, mode, early), func(t *testing.T) {
						bubble(t, errorOfOnePartition(key, e, mode, early))
					})
				}
			}
		}
	}
}

func errorOfOnePartition(key kmsg.Key, e *kerr.Error, mode string, early bool) func(*world) {
	return func(w *world) {
		const faulty = 2
		var h *kfake.FaultHandle
		fault := func() {
			h = w.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{key}, Topic: w.in, Partitions: []int32{faulty}, Count: -1, Err: e})
		}
		if early {
			fault()
		}
		m := w.start(func(c *connector.Config) { c.Kafka.AutoOffsetReset.Mode = mode })
		w.untilShared(4, m)
		time.Sleep(5 * time.Second)
		if !early {
			w.produce(0, 40)
			time.Sleep(5 * time.Second)
			fault()
		}
		w.produce(40, 80)
		time.Sleep(10 * time.Second)
		for i := 40; i < 80; i++ {
			if i%4 != faulty && w.judge.copiesOf(fmt.Sprint(i)) == 0 {
				w.t.Errorf("record %d of another partition has not come in ten seconds", i)
			}
		}
		for p := range int32(4) {
			if got := w.judge.lastCommit(w.in, p); p != faulty && got < 10 {
				w.t.Errorf("partition %d is committed to %d", p, got)
			}
		}
		stuck := w.judge.copiesOf(fmt.Sprint(40+faulty)) == 0
		logged := len(w.log.String())
		time.Sleep(10 * time.Minute)
		if stuck || key == kmsg.OffsetCommit {
			if err := m.connector.Ready(); err == nil || !strings.Contains(err.Error(), w.in) {
				w.t.Errorf("a partition stands still, and readiness says %v", err)
			}
			if n := minutesWith(e.Message, w.log.String()[logged:]); n < 9 {
				w.t.Errorf("the error was logged in %d of ten minutes\n%s", n, w.log.tail())
			}
		}
		if got := m.metric("kafka_rebalances_total", "lost") + m.metric("kafka_rebalances_total", "revoked"); got != 0 {
			w.t.Errorf("the group lost partitions %v times", got)
		}
		h.Remove()
		first := 0
		if early {
			first = 40
		}
		if !came(90*time.Second, func() bool { return w.committed() == int64(80-first) }) {
			w.t.Errorf("committed %d of %d a minute and a half after the cause is gone\n%s", w.committed(), 80-first, w.log.tail())
		}
		time.Sleep(time.Minute)
		if err := m.connector.Ready(); err != nil {
			w.t.Errorf("not ready after the cause is gone: %v", err)
		}
		m.mustStop()
		for i := first; i < 80; i++ {
			if n := w.judge.copiesOf(fmt.Sprint(i)); n != 1 {
				w.t.Errorf("record %d was delivered %d times", i, n)
			}
		}
	}
}

// TestRefusedCommitIsNoStandstill: the commit of one partition is refused for minutes, and those of the others are progress.
func TestRefusedCommitIsNoStandstill(t *testing.T) {
	bubble(t, func(w *world) {
		w.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Topic: w.in, Partitions: []int32{0}, Count: -1, Err: kerr.UnknownServerError})
		m := w.start()
		stop := w.load(0, 20, 100*time.Millisecond)
		time.Sleep(5 * time.Minute)
		stop()
		if age := float64(time.Now().Unix()) - m.metric("kafka_last_commit_timestamp_seconds"); age > 30 {
			t.Errorf("the last progress was %v s ago, and three partitions of four are committed", age)
		}
		_ = m.stop()
	})
}

// TestUnansweredCommit: the coordinator leaves a partition out of its answers to commits. Nothing says that its offset is
// committed, so it is committed again, and told.
func TestUnansweredCommit(t *testing.T) {
	bubble(t, func(w *world) {
		var leaves atomic.Bool
		leaves.Store(true)
		w.cluster.ControlKey(kmsg.OffsetCommit.Int16(), func(r kmsg.Request) (kmsg.Response, error, bool) {
			w.cluster.KeepControl()
			req := r.(*kmsg.OffsetCommitRequest)
			if !leaves.Load() {
				return nil, nil, false
			}
			resp := req.ResponseKind().(*kmsg.OffsetCommitResponse)
			for _, rt := range req.Topics {
				st := kmsg.NewOffsetCommitResponseTopic()
				st.Topic, st.TopicID = rt.Topic, rt.TopicID
				resp.Topics = append(resp.Topics, st)
			}
			return resp, nil, true
		})
		m := w.start()
		w.produce(0, 40)
		time.Sleep(2 * time.Minute)
		if err := m.connector.Ready(); err == nil || !strings.Contains(err.Error(), "did not answer for the partition") {
			t.Errorf("readiness says %v", err)
		}
		leaves.Store(false)
		w.untilCommitted(40)
		m.mustStop()
		w.wantExactly(40)
	})
}

// minutesWith is in how many minutes a text was logged. The process repeats no line within a minute.
func minutesWith(text, log string) int {
	minutes := map[string]bool{}
	for line := range strings.Lines(log) {
		if _, at, ok := strings.Cut(line, "time=2000-01-01T"); ok && strings.Contains(line, text) {
			minutes[at[:len("00:00")]] = true
		}
	}
	return len(minutes)
}

// TestTopicWithoutPermission: READ on one of two topics is missing, from the start. The other topic is read.
func TestTopicWithoutPermission(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"earliest", "latest", "time"} {
		t.Run(mode, func(t *testing.T) {
			bubble(t, func(w *world) {
				secret := "secret"
				w.topic(secret, 2)
				w.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch, kmsg.OffsetCommit}, Topic: secret, Count: -1, Err: kerr.TopicAuthorizationFailed})
				m := w.start(func(c *connector.Config) {
					c.Kafka.Topics = []string{w.in, secret}
					c.Kafka.AutoOffsetReset.Mode, c.Kafka.AutoOffsetReset.At = mode, time.Now().Add(-time.Hour)
				})
				w.untilShared(6, m)
				time.Sleep(5 * time.Second)
				w.produce(0, 1000)
				w.untilCommitted(1000)
				time.Sleep(10 * time.Minute)
				if err := m.connector.Ready(); err == nil || !strings.Contains(err.Error(), secret) {
					t.Errorf("readiness says %v", err)
				}
				if got := m.metric("kafka_rebalances_total", "lost"); got != 0 {
					t.Errorf("the group lost partitions %v times", got)
				}
				_ = m.stop()
				w.wantExactly(1000)
			})
		})
	}
}

// TestBatchTooLarge: the client gives up on a batch that is too large once decompressed. The fault is told as long as
// it lasts, and the partition is read on after retention has removed the batch.
func TestBatchTooLarge(t *testing.T) {
	bubble(t, func(w *world) {
		p := w.client(kgo.ProducerBatchCompression(kgo.GzipCompression()), kgo.ProducerBatchMaxBytes(40<<20), kgo.ManualFlushing(), kgo.MaxBufferedBytes(1<<30))
		large := bytes.Repeat([]byte("x"), 900_000)
		if err := w.tryProduce(p, 0, 40, func(int) *kgo.Record { return &kgo.Record{Topic: w.in, Partition: 1, Value: large} }); err != nil {
			t.Fatal(err)
		}
		p.Close()
		for o := range int64(40) {
			w.judge.allow(place{part{w.in, 1}, o})
		}
		m := w.start(func(c *connector.Config) { c.MaxBufferedBytes = 32 << 20 })
		time.Sleep(time.Minute)
		w.produce(0, 400)
		time.Sleep(5 * time.Minute)
		if err := m.connector.Ready(); err == nil || !strings.Contains(err.Error(), "partition 1") {
			t.Errorf("partition 1 stands still, and readiness says %v", err)
		}
		if n := strings.Count(w.log.String(), "level=ERROR"); n < 4 || n > 10 {
			t.Errorf("%d error lines in six minutes, want one a minute\n%s", n, w.log.tail())
		}
		if n := m.metric("kafka_faulty_partitions", "decode"); n != 1 {
			t.Errorf("%v unreadable partitions, want 1", n)
		}
		cut := kadm.Offsets{}
		cut.AddOffset(w.in, 1, 40, -1)
		if _, err := w.admin.DeleteRecords(context.Background(), cut); err != nil {
			t.Fatal(err)
		}
		w.until("partition 1 is read on", time.Minute, func() bool { lost, _ := w.judge.count(400); return lost == 0 })
		time.Sleep(time.Minute)
		if err := errors.Join(m.connector.Ready(), m.connector.Live()); err != nil {
			t.Error(err)
		}
		m.mustStop()
		w.wantExactly(400)
	})
}
