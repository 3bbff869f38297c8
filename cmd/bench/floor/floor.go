// Package floor does what no bridge from Kafka to Firehose can leave out, and nothing
// else: fetch, decompress, one copy into a batch, base64, SHA-256, one write, and the
// answer read to its end. What a connector costs beyond it is the connector's own.
//
// It joins no group, commits nothing, retries nothing and looks at no answer beyond its
// status: never use it to move data that matters.
package floor

import (
	"context"
	"crypto/tls"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Options are where it reads and writes.
type Options struct {
	Brokers  []string
	Topic    string
	Endpoint string      // URL of Firehose
	TLS      *tls.Config // nil: without
	Stream   string
	Region   string
	Keys     Keys
	InFlight int // requests at once
	// Values is how many values, each with a newline behind it, go into a record: 1, or
	// 500 with aggregation.
	Values int
}

// From 1 to 4 MiB in a fetch there is no difference that outlasts the noise, and less is
// dearer.
const (
	fetchBytes = 2 << 20
	maxPoll    = 10_000 // records
	idle       = 200 * time.Millisecond
)

// Run moves records until ctx ends.
func Run(ctx context.Context, o Options) error {
	client, err := kgo.NewClient(
		kgo.SeedBrokers(o.Brokers...),
		kgo.ConsumeTopics(o.Topic),
		kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()),
		kgo.FetchMaxBytes(fetchBytes),
		kgo.FetchMaxPartitionBytes(fetchBytes/2),
		kgo.WithPools(&pool{}),
	)
	if err != nil {
		return fmt.Errorf("connect to Kafka: %w", err)
	}
	defer client.Close()
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	var senders sync.WaitGroup
	defer senders.Wait()
	full, empty := make(chan *batch), make(chan *batch, o.InFlight)
	sink := newClient(o)
	defer sink.CloseIdleConnections()
	for range o.InFlight {
		s := &sender{options: o, client: sink, keys: signer{keys: o.Keys, region: o.Region}}
		senders.Go(func() {
			if err := s.run(ctx, full, empty); err != nil && ctx.Err() == nil {
				fail(err)
			}
		})
	}
	if err := fill(ctx, client, o.Values, full, empty); ctx.Err() == nil {
		fail(err)
	}
	return context.Cause(ctx)
}

// fill copies what is fetched into batches. It waits for nothing but fetches and senders.
func fill(ctx context.Context, client *kgo.Client, values int, full chan<- *batch, empty <-chan *batch) error {
	b := &batch{values: values}
	hand := func() error {
		select {
		case full <- b:
		case <-ctx.Done():
			return ctx.Err()
		}
		select {
		case b = <-empty:
			b.reset()
		default:
			b = &batch{values: values}
		}
		return nil
	}
	for {
		polling, done := context.WithTimeout(ctx, idle)
		fetches := client.PollRecords(polling, maxPoll)
		done()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		for _, e := range fetches.Errors() {
			if polling.Err() == nil {
				return fmt.Errorf("fetch %s[%d]: %w", e.Topic, e.Partition, e.Err)
			}
		}
		if fetches.NumRecords() == 0 && len(b.data) > 0 { // the end: nothing more will fill it
			if err := hand(); err != nil {
				return err
			}
		}
		for records := fetches.RecordIter(); !records.Done(); {
			r := records.Next()
			if !b.fits(len(r.Value) + 1) {
				if err := hand(); err != nil {
					return err
				}
			}
			b.add(r.Value)
			r.Recycle()
		}
	}
}
