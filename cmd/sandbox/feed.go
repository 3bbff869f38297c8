package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// feeder produces what a source holds and notes it in the journal.
type feeder struct {
	topic   string
	client  *kgo.Client
	journal *journal
	failed  atomic.Pointer[error] // the first record that was not produced
	stop    context.CancelFunc
}

func openFeeder(b *broker, o options, j *journal) (*feeder, error) {
	client, err := kgo.NewClient(
		kgo.SeedBrokers(b.addr),
		kgo.ProducerBatchCompression(codecs[o.compression]),
		kgo.ProducerBatchMaxBytes(maxBatch),
	)
	if err != nil {
		return nil, fmt.Errorf("connect the producer: %w", err)
	}
	return &feeder{topic: o.topic, client: client, journal: j}, nil
}

// feed produces until the source ends, so many records are fed (-1 is no end), or ctx ends, which is
// no error. When it returns, all that it fed is in the topic.
func (f *feeder) feed(ctx context.Context, from source, most int64, rate int) error {
	ctx, f.stop = context.WithCancel(ctx)
	defer f.stop()
	begin := time.Now()
	var err error
	for n := int64(0); n != most && err == nil; n++ {
		if err = pace(ctx, begin, n, rate); err == nil {
			err = f.one(ctx, from)
		}
	}
	// What was begun is finished, even after Ctrl-C: it is in the journal.
	if flushErr := f.client.Flush(context.WithoutCancel(ctx)); flushErr != nil {
		return flushErr
	}
	if failed := f.failed.Load(); failed != nil {
		return fmt.Errorf("produce: %w", *failed)
	}
	if errors.Is(err, io.EOF) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return nil
	}
	return err
}

func (f *feeder) one(ctx context.Context, from source) error {
	key, value, err := from.next(ctx)
	if err != nil {
		return err
	}
	if err := f.journal.add(value); err != nil {
		return err
	}
	// Not with ctx, which would take back what is on its way. It blocks while the producer's buffer
	// is full.
	f.client.Produce(context.WithoutCancel(ctx), &kgo.Record{Topic: f.topic, Key: key, Value: value}, func(_ *kgo.Record, err error) {
		if err != nil && f.failed.CompareAndSwap(nil, &err) {
			f.stop()
		}
	})
	return nil
}

// pace waits until record n is due. Short waits are saved up: a timer for each record would be slower
// than the records.
func pace(ctx context.Context, begin time.Time, n int64, rate int) error {
	const least = 5 * time.Millisecond
	if rate == 0 {
		return nil
	}
	ahead := time.Duration(float64(n)/float64(rate)*float64(time.Second)) - time.Since(begin)
	if ahead < least {
		return nil
	}
	select {
	case <-time.After(ahead):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
