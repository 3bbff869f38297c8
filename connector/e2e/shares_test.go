package e2e_test

import (
	"context"
	"testing"
	"time"

	"kafka-firehose/connector"
)

// TestShares: each member's part of a stream's quota is its share of the partitions that are routed to
// the stream, and follows the group and the topics. Another stream's partitions have no part in it.
func TestShares(t *testing.T) {
	bubble(t, func(w *world) {
		const quota = 4 << 20
		other := w.name("other")
		w.topic(other, 1)
		settings := func(c *connector.Config) {
			c.Kafka.Topics = []string{w.in, other}
			c.Firehose.QuotaBytesPerSecond = quota
			if err := c.Firehose.Routes.Decode(other + "=t"); err != nil {
				t.Fatal(err)
			}
		}
		part := func(m *member) float64 { return m.metric("quota_part_bytes_per_second", `value:"s"`) / quota }
		w.produce(0, 100)
		first := w.start(settings)
		w.until("one member has all of it", time.Minute, func() bool { return part(first) == 1 })
		second := w.start(settings)
		w.until("two have half of it each", time.Minute, func() bool { return part(first) == 0.5 && part(second) == 0.5 })
		if got := first.metric("quota_part_bytes_per_second", `value:"t"`) + second.metric("quota_part_bytes_per_second", `value:"t"`); got < quota {
			t.Errorf("the parts of the other stream are %v, want %d for the one that has its partition", got, quota)
		}
		if _, err := w.admin.CreatePartitions(context.Background(), 4, w.in); err != nil {
			t.Fatal(err)
		}
		w.until("the new partitions are divided, too", 10*time.Minute, func() bool {
			return first.owns()+second.owns() == 9 && part(first)+part(second) == 1 && part(first) < 0.7 && part(second) < 0.7
		})
		second.mustStop()
		w.until("the one that is left has all of it", time.Minute, func() bool { return part(first) == 1 })
		first.mustStop()
		w.wantExactly(100)
	})
}
