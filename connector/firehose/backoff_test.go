package firehose

import (
	"context"
	"testing"
	"time"

	"kafka-firehose/connector/firehose/firehosetest"
)

// A record that is refused for ever is sent again every few seconds, and no more
// often than that. Of a batch, each part that the pace has split off does so.
func TestRefusedRecordsAreNotHammered(t *testing.T) {
	for records, most := range map[int]int{1: 60, 100: 400} {
		o := firehosetest.Options{Latency: firehosetest.Fixed(20 * time.Millisecond), Faults: []fault{{Effect: firehosetest.RefuseRecords, Code: "InternalFailure"}}}
		virtual(t, o, settings(), func(w *world) {
			ctx, cancel := context.WithCancel(w.t.Context())
			w.start(ctx, w.batch(records, 100))
			time.Sleep(time.Minute) // 2.5 s between two attempts, on average, after the first few
			if n := w.requests(); n < 12 || n > most {
				t.Errorf("%d requests in a minute for %d records that are refused, want 12 to %d", n, records, most)
			}
			cancel()
			w.wg.Wait()
		})
	}
}
