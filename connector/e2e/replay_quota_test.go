package e2e_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/connector"
	"kafka-firehose/connector/env"
	"kafka-firehose/connector/firehose/firehosetest"
	"kafka-firehose/connector/longtest"
	"kafka-firehose/connector/recovery"
)

// TestReplayBesideTheService: a replay and the two members of the service share the quota of a stream. The records of the service are
// delivered later by less than a half, also where the service alone needs nine tenths of the quota, and the replay makes progress.
func TestReplayBesideTheService(t *testing.T) {
	t.Parallel()
	for _, percent := range longtest.Pick([]int{90}, []int{50, 75, 90, 95}) {
		t.Run(fmt.Sprintf("%d percent", percent), func(t *testing.T) {
			bubble(t, func(w *world) { replayBesideTheService(w, percent) })
		})
	}
}

func replayBesideTheService(w *world, percent int) {
	const quota, recordBytes = 1 << 20, 32 << 10
	w.stream.SetQuota("s", firehosetest.Quota{BytesPerSecond: quota})
	settings := func(c *connector.Config) { c.Firehose.QuotaBytesPerSecond = env.Bytes(quota) }
	first, second := w.start(settings), w.start(settings)
	w.untilShared(2, first, second)
	// Four records at a time, one for each partition.
	every := time.Duration(float64(time.Second) * 4 * recordBytes * 100 / quota / float64(percent))
	stop := w.loadWith(0, 4, every, func(i int) *kgo.Record {
		return &kgo.Record{Topic: w.in, Partition: int32(i % 4), Value: fmt.Appendf(nil, "%0*d", recordBytes, i)}
	})
	time.Sleep(20 * time.Second)
	meanDelay := func(during func()) time.Duration {
		var counts, before, seconds, secondsBefore float64
		sum := func(count, total *float64) {
			*count, *total = 0, 0
			for _, m := range []*member{first, second} {
				n, s := m.histogram("kafka_delivery_delay_seconds")
				*count, *total = *count+float64(n), *total+s
			}
		}
		sum(&before, &secondsBefore)
		during()
		sum(&counts, &seconds)
		return time.Duration((seconds - secondsBefore) / (counts - before) * float64(time.Second))
	}
	from := time.Now()
	alone := meanDelay(func() { time.Sleep(time.Minute) })
	var report recovery.ReplayReport
	beside := meanDelay(func() {
		cfg, r := w.replayOf(func(c *connector.Config, r *recovery.ReplayRequest) {
			settings(c)
			r.From, r.MaxBytesPerSecond = from, 0
		})
		ctx, cancel := context.WithTimeout(w.t.Context(), 2*time.Minute)
		defer cancel()
		o, _ := w.boundedOptions()
		report, _ = connector.Replay(ctx, cfg, r, o)
	})
	w.t.Logf("the mean delay is %v alone and %v beside a replay that takes %.0f %% of the quota", alone, beside, float64(report.Bytes)/(2*60*quota)*100)
	if beside > alone*3/2 {
		w.t.Errorf("the mean delay is %v beside a replay, and %v without it", beside, alone)
	}
	if least := int64(2 * 60 * quota / 50); report.Bytes < least {
		w.t.Errorf("the replay has sent %d bytes in two minutes, want a fiftieth of the quota, %d, or more", report.Bytes, least)
	}
	n := stop()
	w.until("all is delivered", 10*time.Minute, func() bool { return w.judge.storedFewer(1) == 0 })
	if n == 0 {
		w.t.Error("no record was produced")
	}
	first.mustStop()
	second.mustStop()
}
