package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/connector"
	"kafka-firehose/connector/env"
	"kafka-firehose/connector/firehose/firehosetest"
	"kafka-firehose/connector/longtest"
)

// In the simulation a member has four requests of 8 KiB on their way at once, and an answer takes a
// quarter of a second: 128 KiB a second, which stands for any limit that a member has by itself.
const (
	scalePartitions = 64
	scaleRecord     = 4 << 10
	scaleBatch      = 2 // records
	scaleInFlight   = 4
	scaleLatency    = 250 * time.Millisecond
	scaleMember     = scaleInFlight * scaleBatch * scaleRecord * float64(time.Second/scaleLatency)
	scaleQuota      = 1 << 20 // what AWS gives a stream in most regions
)

// TestScaling: one to sixteen members with all the lag they can take. As long as each sends what it
// can, n members deliver n times as much as one. Where the stream's quota is less than that they
// deliver the quota; the share of refused records depends on whether each is told its part.
//
// The share that members without their part have refused is a mean over many experiments with the
// rate. No seed fixes it: select, the order of maps and the scheduler decide inside of the bubble,
// too, which member sends first. So the long run alone measures it, for long enough: over six minutes
// it was 2.8 %.
func TestScaling(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("measures throughput; the run without the race detector has it")
	}
	quick := []scaling{{members: 1, least: 0.98}, {members: 4, least: 0.98}}
	for _, c := range longtest.Pick(quick, append(quick, []scaling{
		{members: 2, least: 0.98},
		{members: 8, least: 0.98},
		{members: 16, least: 0.98},
		{members: 16, quota: scaleQuota, window: 6 * time.Minute, least: 0.95, refused: 0.05},
		{members: 16, quota: scaleQuota, window: 90 * time.Second, told: true, least: 0.98, refused: 0.01},
		{members: 6, quota: scaleQuota, window: 3 * time.Minute, fleet: true, least: 0.98, refused: 0.012},
		{members: 16, quota: scaleQuota, window: 3 * time.Minute, fleet: true, least: 0.98, refused: 0.012},
	}...)) {
		t.Run(fmt.Sprintf("%d members quota=%v told=%v fleet=%v", c.members, c.quota > 0, c.told, c.fleet), func(t *testing.T) {
			bubble(t, func(w *world) {
				rate, refused := w.scale(c)
				t.Logf("%2d members: %5.0f KiB/s, %.1f %% of what was sent refused", c.members, rate/1024, 100*refused)
				want := c.limit()
				if rate < c.least*want || rate > 1.02*want || refused > c.refused {
					t.Errorf("%.0f KiB/s and %.1f %% refused, want %.0f KiB/s and at most %.0f %%", rate/1024, 100*refused, want/1024, 100*c.refused)
				}
			})
		})
	}
}

// scaling is one case.
type scaling struct {
	members int
	quota   float64       // bytes a second, 0 for none
	window  time.Duration // in which it is measured where there is a quota
	told    bool          // each has its part of the quota in FIREHOSE_MAX_BYTES_PER_SECOND
	fleet   bool          // all have the quota in FIREHOSE_QUOTA_BYTES_PER_SECOND
	least   float64       // part of the limit that is delivered
	refused float64       // at most this part of what is sent
}

// partitions are as many for each member.
func (c scaling) partitions() int32 { return int32(c.members * (scalePartitions / c.members)) }

// limit is what the members can deliver. Where there is a quota, they have no other.
func (c scaling) limit() float64 {
	if c.quota > 0 {
		return c.quota
	}
	return float64(c.members) * scaleMember
}

// scale runs so many members and measures what they deliver in bytes a second, after the group has
// settled and each has found its pace, and which part of what they sent was refused.
func (w *world) scale(c scaling) (rate, refused float64) {
	lag := w.name("lag")
	w.topic(lag, c.partitions())
	// The requests that end in the moment in which the window begins or ends count or don't: of those of a minute that is 0.4 %.
	warmUp, window, latency := 5*time.Second, time.Minute, scaleLatency
	if c.quota > 0 { // until each has found its pace, and then over some of the times at which it tries for more
		warmUp, window, latency = 2*time.Minute, c.window, 30*time.Millisecond
	}
	w.stream = firehosetest.New(firehosetest.Options{
		Streams: []firehosetest.Stream{{Name: "s", Quota: firehosetest.Quota{BytesPerSecond: c.quota}}}, Latency: firehosetest.Fixed(latency),
		Credentials: []firehosetest.Credentials{{AccessKey: accessKey, SecretKey: secretKey}},
		OnStored:    w.judge.stored, Keep: firehosetest.KeepCounts,
	})
	defer w.keepLag(lag, c)()
	var all []*member
	for range c.members {
		all = append(all, w.start(func(cfg *connector.Config) {
			cfg.Kafka.Topics, cfg.MaxBufferedBytes = []string{lag}, 16*env.MiB // they are many, and all fill it
			if c.quota == 0 {
				cfg.Firehose.BatchMaxRecords, cfg.Firehose.MaxInFlight = scaleBatch, scaleInFlight
			}
			if c.told {
				cfg.Firehose.MaxBytesPerSecond = env.Bytes(c.quota) / env.Bytes(c.members)
			}
			if c.fleet {
				cfg.Firehose.QuotaBytesPerSecond = env.Bytes(c.quota)
			}
		}))
	}
	w.untilShared(int(c.partitions())/c.members, all...)
	time.Sleep(warmUp)
	before := w.stream.Stats().Streams["s"]
	time.Sleep(window)
	after := w.stream.Stats().Streams["s"]
	if slices.ContainsFunc(all, func(m *member) bool { return m.owns() != int(c.partitions())/c.members }) {
		w.t.Error("partitions moved while it was measured")
	}
	sent := float64(after.Records - before.Records + after.Refused - before.Refused)
	return float64(after.Bytes-before.Bytes) / window.Seconds(), float64(after.Refused-before.Refused) / sent
}

// keepLag writes records until stop is called, so that each partition has more of them than all members together can deliver
// until it looks again: members without their share of a quota don't have equal ones.
func (w *world) keepLag(topic string, c scaling) (stop func()) {
	const look = time.Second
	fastest := c.limit() // of a partition
	if c.quota == 0 {
		fastest = scaleMember
	}
	least := int64(fastest * (look + 3*time.Second).Seconds() / scaleRecord)
	written := make([]int64, c.partitions())
	filler, n := strings.Repeat("x", scaleRecord), 0
	fill := func() error {
		first := n == 0
		offsets, err := w.admin.FetchOffsets(context.Background(), w.group)
		if err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
			return err
		}
		var missing []int64
		for p := range written {
			o, _ := offsets.Lookup(topic, int32(p))
			lag := written[p] - max(o.At, 0)
			if lag == 0 && !first {
				return fmt.Errorf("partition %d has no lag", p)
			}
			missing = append(missing, least-lag)
		}
		var more []*kgo.Record
		for row := range least { // in turns, as they are to be read
			for p := range written {
				if row < missing[p] {
					text := fmt.Sprintf("%d ", n)
					more = append(more, &kgo.Record{Topic: topic, Partition: int32(p), Value: []byte(text + filler[len(text)+1:])})
					written[p]++
					n++
				}
			}
		}
		return w.tryProduce(w.producer, 0, len(more), func(i int) *kgo.Record { return more[i] })
	}
	if err := fill(); err != nil {
		w.t.Fatal(err)
	}
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for ticks := time.Tick(look); ; {
			select {
			case <-end:
				return
			case <-ticks:
				if err := fill(); err != nil {
					w.t.Error(err)
				}
			}
		}
	}()
	return func() { close(end); <-ended }
}
