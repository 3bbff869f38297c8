package e2e_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// TestFetchErrorsAreNotAskedForInALoop: each fetch is answered at once, with an
// error for every partition. An error that passes by itself is polled four times a second;
// after another one a partition is left alone for five seconds.
func TestFetchErrorsAreNotAskedForInALoop(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]func(*world){
		"passes": fetchErrors(kerr.OffsetNotAvailable, 100, 300),
		"lasts":  fetchErrors(kerr.UnknownServerError, 8, 60),
	} {
		t.Run(name, func(t *testing.T) { bubble(t, body) })
	}
}

func fetchErrors(e *kerr.Error, low, high int32) func(*world) {
	return func(w *world) {
		m := w.start()
		time.Sleep(5 * time.Second)
		var refusing atomic.Bool
		var refused atomic.Int32
		w.cluster.ControlKey(int16(kmsg.Fetch), func(r kmsg.Request) (kmsg.Response, error, bool) {
			w.cluster.KeepControl()
			req := r.(*kmsg.FetchRequest)
			if !refusing.Load() {
				return nil, nil, false
			}
			refused.Add(1)
			resp := req.ResponseKind().(*kmsg.FetchResponse)
			if len(req.Topics) == 0 { // an incremental fetch: ask for a full one
				resp.ErrorCode = kerr.FetchSessionIDNotFound.Code
				return resp, nil, true
			}
			for _, rt := range req.Topics {
				st := kmsg.NewFetchResponseTopic()
				st.Topic, st.TopicID = rt.Topic, rt.TopicID
				for _, rp := range rt.Partitions {
					sp := kmsg.NewFetchResponseTopicPartition()
					sp.Partition, sp.ErrorCode = rp.Partition, e.Code
					st.Partitions = append(st.Partitions, sp)
				}
				resp.Topics = append(resp.Topics, st)
			}
			return resp, nil, true
		})
		refusing.Store(true)
		w.produce(0, 40)
		time.Sleep(time.Minute)
		if got := refused.Load(); got < low || got > high {
			w.t.Errorf("%d fetches in a minute of refusals, want %d to %d", got, low, high)
		}
		refusing.Store(false)
		time.Sleep(10 * time.Second)
		w.wantExactly(40)
		m.mustStop()
	}
}
