package e2e_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kafka-firehose/connector/firehose/firehosetest"
)

// TestRetentionTakesAll: retention has passed the group's offset and nothing comes after it. The loss is counted and
// told, and the group's offset follows without a record.
func TestRetentionTakesAll(t *testing.T) { bubble(t, retentionTakesAll) }

func retentionTakesAll(w *world) {
	m := w.start()
	w.produce(0, 400)
	w.untilCommitted(400)
	m.mustStop()
	w.produce(400, 800)
	cut := kadm.Offsets{}
	for p := range int32(4) {
		cut.AddOffset(w.in, p, 200, -1)
		for o := range int64(100) {
			w.judge.allow(place{part{w.in, p}, 100 + o})
		}
	}
	if _, err := w.admin.DeleteRecords(context.Background(), cut); err != nil {
		w.t.Fatal(err)
	}
	m = w.start()
	w.untilCommitted(800)
	m.untilNoLag()
	m.mustStop()
	w.wantExpired(m, 800, 400)
	if n := strings.Count(w.log.String(), "retention has passed the group's position"); n != 4 {
		w.t.Errorf("%d lines, want one for each partition", n)
	}
}

// TestOffsetBeyondTheEnd: the group stands beyond the end of a log that was cut, or its offsets are from elsewhere. It
// begins at the start of the log, says so, and the group's offset follows at once: records that come later, even after a
// restart, are not skipped.
func TestOffsetBeyondTheEnd(t *testing.T) { bubble(t, offsetBeyondTheEnd) }

func offsetBeyondTheEnd(w *world) {
	offsets := kadm.Offsets{}
	for p := range int32(4) {
		offsets.AddOffset(w.in, p, 1000, -1)
	}
	if err := w.admin.CommitAllOffsets(context.Background(), w.group, offsets); err != nil {
		w.t.Fatal(err)
	}
	m := w.start()
	w.until("the group's offset follows", patience, func() bool { return w.judge.committedParts() == 4 })
	if !strings.Contains(w.log.String(), "the log ends before the group's position") {
		w.t.Error("nobody was told")
	}
	m.mustStop()
	if got := w.committed(); got != 0 {
		w.t.Errorf("committed %d, want 0", got)
	}
	w.produce(0, 4800)
	m = w.start()
	w.untilCommitted(4800)
	m.mustStop()
	w.wantExactly(4800)
}

// TestOutOfRangePasses: a leader that was just elected says that an offset is out of range which is there. Nothing is
// read again, with records on their way or without.
func TestOutOfRangePasses(t *testing.T) {
	bubble(t, func(w *world) {
		w.stream.AddFault(firehosetest.Fault{Effect: firehosetest.Delay, Delay: 2 * time.Second})
		m := w.start()
		stop := w.load(0, 20, 100*time.Millisecond)
		time.Sleep(20 * time.Second)
		for range 3 {
			w.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Topic: w.in, Count: 3, Err: kerr.OffsetOutOfRange})
			time.Sleep(30 * time.Second)
		}
		n := stop()
		w.untilCommitted(n)
		m.mustStop()
		w.wantExactly(n)
	})
}

// endBehind has the leaders say that their logs end at an offset, as long as the answer is true.
func (w *world) endBehind(at int64) *atomic.Bool {
	var behind atomic.Bool
	w.cluster.ControlKey(int16(kmsg.ListOffsets), func(r kmsg.Request) (kmsg.Response, error, bool) {
		w.cluster.KeepControl()
		req := r.(*kmsg.ListOffsetsRequest)
		if !behind.Load() || len(req.Topics) == 0 || req.Topics[0].Partitions[0].Timestamp != -1 {
			return nil, nil, false
		}
		return listed(req, at, 0), nil, true
	})
	return &behind
}

// listed answers a question for offsets with the same offset and error code for each partition.
func listed(req *kmsg.ListOffsetsRequest, at int64, code int16) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.ListOffsetsResponse)
	for _, rt := range req.Topics {
		st := kmsg.NewListOffsetsResponseTopic()
		st.Topic = rt.Topic
		for _, rp := range rt.Partitions {
			sp := kmsg.NewListOffsetsResponseTopicPartition()
			sp.Partition, sp.Offset, sp.ErrorCode = rp.Partition, at, code
			st.Partitions = append(st.Partitions, sp)
		}
		resp.Topics = append(resp.Topics, st)
	}
	return resp
}

// TestEndBehindForAMoment: after an election the leader's end of the log is behind what was read, for some seconds.
// That is no cut: nothing is read again.
func TestEndBehindForAMoment(t *testing.T) {
	bubble(t, func(w *world) {
		w.stream.AddFault(firehosetest.Fault{Effect: firehosetest.Delay, Delay: 2 * time.Second})
		m := w.start()
		w.produce(0, 400)
		w.untilCommitted(400)
		behind := w.endBehind(60)
		behind.Store(true)
		w.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Topic: w.in, Count: 3, Err: kerr.OffsetOutOfRange})
		w.produce(400, 404)
		time.Sleep(6 * time.Second)
		behind.Store(false)
		w.produce(404, 800)
		w.untilCommitted(800)
		m.mustStop()
		w.wantExactly(800)
	})
}

// TestLogIsCut: an unclean election has removed the end of the log, and the new leader says where. Records that were
// not accepted are read again; the group's offset follows although no record comes from there.
func TestLogIsCut(t *testing.T) {
	bubble(t, func(w *world) {
		w.stream.AddFault(firehosetest.Fault{Effect: firehosetest.RefuseRequest, Code: "ServiceUnavailableException", Until: 3 * time.Minute})
		m := w.start()
		time.Sleep(5 * time.Second)
		w.produce(0, 200)
		time.Sleep(10 * time.Second)
		w.cluster.ControlKey(int16(kmsg.OffsetForLeaderEpoch), func(r kmsg.Request) (kmsg.Response, error, bool) {
			w.cluster.KeepControl()
			req := r.(*kmsg.OffsetForLeaderEpochRequest)
			resp := req.ResponseKind().(*kmsg.OffsetForLeaderEpochResponse)
			for _, rt := range req.Topics {
				st := kmsg.NewOffsetForLeaderEpochResponseTopic()
				st.Topic = rt.Topic
				for _, rp := range rt.Partitions {
					sp := kmsg.NewOffsetForLeaderEpochResponseTopicPartition()
					sp.Partition, sp.EndOffset, sp.LeaderEpoch = rp.Partition, 30, 0
					st.Partitions = append(st.Partitions, sp)
				}
				resp.Topics = append(resp.Topics, st)
			}
			return resp, nil, true
		})
		w.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Topic: w.in, Count: 1, Err: kerr.FencedLeaderEpoch})
		w.produce(200, 204) // or the fetch waits
		time.Sleep(5 * time.Minute)
		m.mustStop()
		w.wantAll(204, 204)
		if !strings.Contains(w.log.String(), "lost records at the end") && !strings.Contains(w.log.String(), "went back to an earlier offset") {
			t.Errorf("nobody was told\n%s", w.log.tail())
		}
	})
}

// TestIdleCommitIsForgotten: the coordinator has lost the group's offsets of partitions in which nothing happens. They
// are committed again, or the next start would begin elsewhere.
func TestIdleCommitIsForgotten(t *testing.T) {
	bubble(t, func(w *world) {
		m := w.start()
		w.produce(0, 400)
		w.untilCommitted(400)
		m.mustStop()
		m = w.start() // and polls nothing
		w.untilShared(4, m)
		time.Sleep(20 * time.Second)
		before := w.commitRequests()
		w.cluster.ControlKey(int16(kmsg.OffsetFetch), func(r kmsg.Request) (kmsg.Response, error, bool) {
			resp := r.ResponseKind().(*kmsg.OffsetFetchResponse)
			for _, g := range r.(*kmsg.OffsetFetchRequest).Groups {
				sg := kmsg.NewOffsetFetchResponseGroup()
				sg.Group = g.Group
				resp.Groups = append(resp.Groups, sg)
			}
			return resp, nil, true
		})
		time.Sleep(time.Minute)
		if w.commitRequests() == before {
			t.Errorf("nothing was committed again\n%s", w.log.tail())
		}
		m.mustStop()
		if got := w.committed(); got != 400 {
			t.Errorf("committed %d, want 400", got)
		}
	})
}

// commitRequests is how many commits the members have sent.
func (w *world) commitRequests() int {
	w.judge.mu.Lock()
	defer w.judge.mu.Unlock()
	return w.judge.commits
}
