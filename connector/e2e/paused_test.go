package e2e_test

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kafka-firehose/connector"
)

// TestPausedPartitionsResumeSoon: partitions reach KAFKA_MAX_UNCOMMITTED_RECORDS again and again,
// and Firehose accepts everything at once. They do not wait for KAFKA_COMMIT_INTERVAL, and
// commits are few all the same.
func TestPausedPartitionsResumeSoon(t *testing.T) {
	bubble(t, func(w *world) {
		const n = 20_000
		var count atomic.Int32
		w.cluster.ControlKey(kmsg.OffsetCommit.Int16(), func(kmsg.Request) (kmsg.Response, error, bool) {
			w.cluster.KeepControl()
			count.Add(1)
			return nil, nil, false
		})
		m := w.start(func(c *connector.Config) {
			c.Kafka.CommitInterval = 10 * time.Minute
			c.Kafka.MaxUncommittedRecords = 100
			c.MaxBufferedBytes = 16 << 20 // so that a fetch is small
		})
		w.untilShared(4, m)
		begin := time.Now()
		for i := 0; i < n; i += 1000 {
			w.produce(i, i+1000)
		}
		w.untilStored(n, n)
		took := time.Since(begin)
		if took > time.Minute {
			t.Errorf("it took %v", took)
		}
		commits := int(count.Load())
		if limit := int(took / (100 * time.Millisecond)); commits > limit || commits < 2 {
			t.Errorf("%d commits in %v, want 2 to %d", commits, took, limit)
		}
		m.mustStop()
		w.wantExactly(n)
	})
}

// TestFailedCommitsOfPausedPartitions: as long as a partition is paused for its commit and the
// coordinator refuses commits, they are repeated once a second, not ten times.
func TestFailedCommitsOfPausedPartitions(t *testing.T) {
	bubble(t, func(w *world) {
		var commits atomic.Int32
		var refuse atomic.Bool
		refuse.Store(true)
		w.cluster.ControlKey(kmsg.OffsetCommit.Int16(), func(r kmsg.Request) (kmsg.Response, error, bool) {
			w.cluster.KeepControl()
			if commits.Add(1); !refuse.Load() {
				return nil, nil, false
			}
			return refuseCommit(r), nil, true
		})
		m := w.start(func(c *connector.Config) {
			c.Kafka.CommitInterval = 10 * time.Minute
			c.Kafka.MaxUncommittedRecords = 1000
		})
		w.untilShared(4, m)
		w.produce(0, 8000)
		time.Sleep(time.Minute)
		if n := commits.Load(); n < 30 || n > 62 {
			t.Errorf("%d commits in a minute in which they are refused, want about one a second", n)
		}
		refuse.Store(false)
		w.untilStored(8000, 8000)
		m.mustStop()
		w.wantExactly(8000)
	})
}

// refuseCommit refuses a commit for a reason that may pass.
func refuseCommit(r kmsg.Request) kmsg.Response {
	req := r.(*kmsg.OffsetCommitRequest)
	resp := req.ResponseKind().(*kmsg.OffsetCommitResponse)
	for _, t := range req.Topics {
		rt := kmsg.OffsetCommitResponseTopic{Topic: t.Topic, TopicID: t.TopicID}
		for _, p := range t.Partitions {
			rt.Partitions = append(rt.Partitions, kmsg.OffsetCommitResponseTopicPartition{Partition: p.Partition, ErrorCode: kerr.InvalidCommitOffsetSize.Code})
		}
		resp.Topics = append(resp.Topics, rt)
	}
	return resp
}

// TestLastCommitIsRepeated: the coordinator refuses the last commit twice. It is repeated, or
// everything since the commit before would be delivered again.
func TestLastCommitIsRepeated(t *testing.T) {
	bubble(t, func(w *world) {
		var refusals atomic.Int32
		w.cluster.ControlKey(kmsg.OffsetCommit.Int16(), func(r kmsg.Request) (kmsg.Response, error, bool) {
			w.cluster.KeepControl()
			if refusals.Add(1) > 2 {
				return nil, nil, false
			}
			return refuseCommit(r), nil, true
		})
		m := w.start(func(c *connector.Config) { c.Kafka.CommitInterval = time.Hour })
		w.untilShared(4, m)
		w.produce(0, 400)
		w.untilStored(400, 400)
		m.mustStop()
		if n := refusals.Load(); n != 3 {
			t.Errorf("%d commits were sent, want 3", n)
		}
		if got := w.committed(); got != 400 {
			t.Errorf("committed %d, want 400", got)
		}
	})
}

// TestCommitOutlivesItsWait: the broker takes longer to answer the last commit of a revoke than
// the revoke waits for it. The commit stays under way, and its answer counts: if it was cut off,
// the next could go out on another connection and be handled first, and the group would go back.
func TestCommitOutlivesItsWait(t *testing.T) {
	bubble(t, func(w *world) {
		const late = 8 * time.Second
		var commits atomic.Int32
		w.cluster.ControlKey(kmsg.OffsetCommit.Int16(), func(kmsg.Request) (kmsg.Response, error, bool) {
			w.cluster.KeepControl()
			if commits.Add(1) == 1 {
				w.cluster.SleepControl(func() { time.Sleep(late) })
			}
			return nil, nil, false
		})
		rarely := func(c *connector.Config) { c.Kafka.CommitInterval = time.Hour }
		first := w.start(rarely)
		w.untilShared(4, first)
		w.produce(0, 400)
		w.untilStored(400, 400)
		second := w.start(rarely)
		w.until("the revoke has stopped waiting", patience, func() bool { return strings.Contains(w.log.String(), "their last commit failed") })
		time.Sleep(late)
		if got := first.metric("kafka_committed_offset"); got != 200 || commits.Load() != 1 {
			t.Errorf("after %d commits, whose answers came, the two partitions that it kept are committed to %v; want 1 and 200", commits.Load(), got)
		}
		first.mustStop()
		second.mustStop()
		w.untilCommitted(400)
	})
}
