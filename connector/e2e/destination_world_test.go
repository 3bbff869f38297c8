package e2e_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"

	"kafka-firehose/connector"
	"kafka-firehose/connector/firehose/firehosetest"
)

const (
	// firehoseKeeps is how long Firehose keeps what its destination does not take.
	firehoseKeeps = 24 * time.Hour
	// metricsLate is how late CloudWatch publishes.
	metricsLate = 3 * time.Minute
)

// backend is the part of Firehose behind its answers: it delivers records to the destination of stream s in their order,
// drops those that the destination did not take for a day, and publishes both.
type backend struct {
	cloudWatch *firehosetest.CloudWatch

	mu       sync.Mutex
	pending  []accepted
	takes    int // records a minute
	got      map[string]int
	dropped  []accepted
	accepted []accepted
}

type accepted struct {
	at    time.Time
	value string
}

// anyLease is more records a minute than any test sends.
const anyLease = 1_000_000

// withBackend gives the world such a Firehose, for as long as the test lasts.
func (w *world) withBackend() *backend {
	w.t.Helper()
	keys := []firehosetest.Credentials{{AccessKey: accessKey, SecretKey: secretKey}}
	b := &backend{cloudWatch: firehosetest.NewCloudWatch(firehosetest.CloudWatchOptions{Credentials: keys}), takes: anyLease, got: map[string]int{}}
	w.stream = firehosetest.New(firehosetest.Options{
		Streams: []firehosetest.Stream{{Name: "s"}, {Name: "other"}}, Credentials: keys, Latency: firehosetest.Fixed(5 * time.Millisecond), Keep: firehosetest.KeepCounts,
		OnStored: func(r firehosetest.Stored) {
			w.judge.stored(r)
			if r.Stream == "s" {
				b.accept(string(r.Data))
			}
		},
	})
	w.watched = append(w.watched, func(o *cloudwatch.Options) { o.HTTPClient = b.cloudWatch })
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		ticks := time.NewTicker(time.Minute)
		defer ticks.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticks.C:
				b.pass(time.Now())
			}
		}
	}()
	w.t.Cleanup(func() { cancel(); <-ended })
	return b
}

func (b *backend) accept(data string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for value := range strings.FieldsSeq(data) {
		a := accepted{time.Now(), value}
		b.pending, b.accepted = append(b.pending, a), append(b.accepted, a)
	}
}

// take sets how many records the destination takes a minute.
func (b *backend) take(records int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.takes = records
}

// pass is what happens in a minute.
func (b *backend) pass(now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.pending) == 0 {
		return // and no metric
	}
	delivered := min(b.takes, len(b.pending))
	for _, a := range b.pending[:delivered] {
		b.got[a.value]++
	}
	b.pending = b.pending[delivered:]
	for len(b.pending) > 0 && now.Sub(b.pending[0].at) >= firehoseKeeps {
		b.dropped, b.pending = append(b.dropped, b.pending[0]), b.pending[1:]
	}
	late, success := 0.0, 0.0
	if len(b.pending) > 0 {
		late = now.Sub(b.pending[0].at).Seconds()
	}
	if delivered > 0 {
		success = 1
	}
	time.AfterFunc(metricsLate, func() {
		b.cloudWatch.Publish("s", "DeliveryToS3.DataFreshness", now, late)
		b.cloudWatch.Publish("s", "DeliveryToS3.Success", now, success)
	})
}

// books are the records that the destination has, those that came more than once, and those that Firehose dropped.
func (b *backend) books() (got, twice int, dropped []accepted) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, n := range b.got {
		if n > 1 {
			twice++
		}
	}
	return len(b.got), twice, slices.Clone(b.dropped)
}

// acceptedSince is how many records Firehose accepted since a time.
func (b *backend) acceptedSince(at time.Time) (n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, a := range b.accepted {
		if !a.at.Before(at) {
			n++
		}
	}
	return n
}

// watching has members watch, and hold the stream after a time.
func watching(pauseAfter time.Duration) func(*connector.Config) {
	return func(c *connector.Config) { c.Destination.Watch, c.Destination.PauseAfter = true, pauseAfter }
}

// untilHeld waits until the member holds the stream, or no longer.
func (m *member) untilHeld(held bool, within time.Duration) {
	m.w.t.Helper()
	for end := time.Now().Add(within); (m.metric("destination_held") == 1) != held; time.Sleep(10 * time.Second) {
		if time.Now().After(end) {
			m.w.t.Fatalf("after %v held is not %v\n%s", within, held, m.w.log.tail())
		}
	}
}

// wantAlive fails the test unless the member is live and ready.
func (m *member) wantAlive(t *testing.T) {
	t.Helper()
	if err := m.connector.Ready(); err != nil {
		t.Errorf("not ready: %v", err)
	}
	if err := m.connector.Live(); err != nil {
		t.Errorf("not live: %v", err)
	}
}
