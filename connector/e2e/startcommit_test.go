package e2e_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// refuseCommits has the coordinator refuse the commit of each partition, as long as the answer is true.
func (w *world) refuseCommits(why *kerr.Error) *atomic.Bool {
	var refuses atomic.Bool
	refuses.Store(true)
	w.cluster.ControlKey(kmsg.OffsetCommit.Int16(), func(r kmsg.Request) (kmsg.Response, error, bool) {
		w.cluster.KeepControl()
		if !refuses.Load() {
			return nil, nil, false
		}
		req := r.(*kmsg.OffsetCommitRequest)
		resp := req.ResponseKind().(*kmsg.OffsetCommitResponse)
		for _, rt := range req.Topics {
			st := kmsg.NewOffsetCommitResponseTopic()
			st.Topic, st.TopicID = rt.Topic, rt.TopicID
			for _, rp := range rt.Partitions {
				sp := kmsg.NewOffsetCommitResponseTopicPartition()
				sp.Partition, sp.ErrorCode = rp.Partition, why.Code
				st.Partitions = append(st.Partitions, sp)
			}
			resp.Topics = append(resp.Topics, st)
		}
		return resp, nil, true
	})
	return &refuses
}

// TestLatestStartIsCommittedFirst: a start of latest that the group does not have yet is no start. While
// the coordinator refuses it nothing is read, and it is tried again; then everything from the start on
// is delivered.
func TestLatestStartIsCommittedFirst(t *testing.T) { bubble(t, latestStartIsCommittedFirst) }

func latestStartIsCommittedFirst(w *world) {
	w.history(40)
	refuses := w.refuseCommits(kerr.CoordinatorNotAvailable)
	m := w.start(latestMode)
	w.untilShared(4, m)
	time.Sleep(time.Minute)
	w.produce(0, 40)
	time.Sleep(time.Minute)
	if n := w.stream.Stats().Streams["s"].Records; n > 0 {
		w.t.Errorf("%d records were delivered before the start was committed", n)
	}
	refuses.Store(false)
	w.untilCommitted(80)
	m.mustStop()
	w.wantExactly(40)
}
