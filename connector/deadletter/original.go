package deadletter

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/connector/offset"
)

const (
	originalTimeout = 30 * time.Second
	// One fetch holds as little as brokers allow: a batch comes whole in any case.
	originalFetch = 64 << 10
)

// Original reads a record again that was delivered as far as Firehose, which has
// only what was made of its value: the key and the headers are still in Kafka. It
// tries until it knows; the record is nil when Kafka doesn't have it any more. The
// error is the context's, or nil without a record when the leases have ended.
//
// It reads one record at a time, whoever asks, to hold one batch in memory and not
// many.
func (w *Writer) Original(ctx context.Context, leases []*offset.Lease, topic string, partition int32, at int64) (*kgo.Record, error) {
	select {
	case w.reading <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-w.reading }()
	open := func(l *offset.Lease) bool { return !l.Closed() }
	for failures := 1; ctx.Err() == nil && slices.ContainsFunc(leases, open); failures++ {
		r, err := w.original(ctx, topic, partition, at)
		if err == nil {
			return r, nil
		}
		w.log.Warn("could not read a record again for its dead letter, trying again", "topic", topic, "partition", partition, "offset", at, "error", err)
		pause(ctx, failures)
	}
	return nil, ctx.Err()
}

func (w *Writer) original(ctx context.Context, topic string, partition int32, at int64) (*kgo.Record, error) {
	ctx, cancel := context.WithTimeout(ctx, originalTimeout)
	defer cancel()
	client, err := kgo.NewClient(append([]kgo.Opt{
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {partition: kgo.NewOffset().At(at)}}),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()),
		kgo.FetchMaxBytes(originalFetch), kgo.FetchMaxPartitionBytes(originalFetch),
	}, w.connect...)...)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	for {
		fetches := client.PollFetches(ctx)
		for it := fetches.RecordIter(); !it.Done(); {
			switch r := it.Next(); {
			case r.Offset == at:
				return r, nil
			case r.Offset > at:
				return nil, nil // compacted away
			}
		}
		if ctx.Err() != nil {
			return nil, fmt.Errorf("read topic %s partition %d offset %d: %w", topic, partition, at, ctx.Err())
		}
		for _, e := range fetches.Errors() {
			if errors.Is(e.Err, kerr.OffsetOutOfRange) || errors.Is(e.Err, kerr.UnknownTopicOrPartition) {
				return nil, nil // retention was faster, or the topic is gone
			}
			// Errors come as fast as they are polled: the caller pauses.
			return nil, fmt.Errorf("read topic %s partition %d offset %d: %w", topic, partition, at, e.Err)
		}
	}
}

// pause waits before the next attempt, for longer with each.
func pause(ctx context.Context, failures int) {
	t := time.NewTimer(pauseAfter(failures))
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
