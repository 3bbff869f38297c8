package e2e_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Records that lay in Kafka for an hour are told as an hour late when they are
// delivered, however fast that went.
func TestDeliveryDelay(t *testing.T) {
	bubble(t, func(w *world) {
		created := time.Now().Add(-time.Hour)
		w.produceWith(0, 40, func(i int) *kgo.Record {
			return &kgo.Record{Topic: "in", Partition: int32(i % 4), Value: fmt.Appendf(nil, "%d", i), Timestamp: created}
		})
		m := w.start()
		time.Sleep(10 * time.Second)
		count, sum := m.histogram("kafka_delivery_delay_seconds")
		if count != 4 || sum < 4*time.Hour.Seconds() || sum > 4*(time.Hour+12*time.Second).Seconds() {
			t.Errorf("%d records are %v s late in all, want one of each of the 4 partitions, an hour each", count, sum)
		}
		// What is not accepted is not delivered: the clock runs on.
		m.firehose.down.Store(true)
		w.produce(40, 44)
		time.Sleep(time.Minute)
		if count, _ := m.histogram("kafka_delivery_delay_seconds"); count != 4 {
			t.Errorf("%d records observed while Firehose is down, want the 4 from before", count)
		}
		m.firehose.down.Store(false)
		time.Sleep(20 * time.Second)
		count, after := m.histogram("kafka_delivery_delay_seconds")
		if late := (after - sum) / 4; count != 8 || late < 60 || late > 80 {
			t.Errorf("%d records observed, the last 4 of them %v s late; want 8, and 60 s to 80 s", count, late)
		}
		m.mustStop()
	})
}

// Headroom is what retention can take before it takes what is not delivered.
func TestRetentionHeadroom(t *testing.T) {
	bubble(t, func(w *world) {
		w.produce(0, 40)
		m := w.start()
		time.Sleep(20 * time.Second)
		if got := m.metric("kafka_retention_headroom_records"); got != 40 {
			t.Errorf("headroom of %v records, want the 40 that are delivered and still there", got)
		}
		if err := w.cluster.DeleteRecords("in", 1, 7); err != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Second)
		if got := m.metric("kafka_retention_headroom_records"); got != 33 {
			t.Errorf("headroom of %v records after 7 were removed, want 33", got)
		}
		// It is there before anything expires, or increase() would miss the first.
		if n, err := testutil.GatherAndCount(m.registry, "kafka_firehose_kafka_offsets_expired_total"); n != 1 || err != nil {
			t.Errorf("%d series of expired offsets (%v), want one at 0", n, err)
		}
		if got := m.metric("kafka_offsets_expired_total"); got != 0 {
			t.Errorf("%v offsets expired, want none", got)
		}
		m.mustStop()
	})
}

// histogram is the count and the sum of a histogram over its labels.
func (m *member) histogram(name string) (count uint64, sum float64) {
	m.w.t.Helper()
	for _, s := range m.gather(name) {
		count += s.GetHistogram().GetSampleCount()
		sum += s.GetHistogram().GetSampleSum()
	}
	return count, sum
}
