package deadletter

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/connector/offset"
	"kafka-firehose/connector/retry"
)

const (
	originalTimeout = 30 * time.Second
	// One fetch holds as little as brokers allow: a batch comes whole in any case.
	originalFetch = 64 << 10
	// goneAfter is how long every attempt must find no record, or no topic, until the
	// record counts as gone without a proof: such errors also pass while leaders move.
	goneAfter = 5 * time.Minute
)

// errGone is a record that is proved to be gone; errMissing is one that was not found, for
// now.
var (
	errGone    = errors.New("the record is not in the partition any more")
	errMissing = errors.New("the record was not found")
)

// RecoverOriginal reads a record again that was delivered as far as Firehose, which has
// only the bytes that were made of its value: the key and the headers are still in Kafka.
// It tries until it knows; the record is nil when Kafka doesn't have it any more. The
// error is the context's, or nil without a record when the leases have ended.
//
// It reads one record at a time, for all callers, to hold one batch in memory and not
// many.
func (w *Writer) RecoverOriginal(ctx context.Context, leases []*offset.Lease, topic string, partition int32, at int64) (*kgo.Record, error) {
	select {
	case w.reading <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-w.reading }()
	open := func(l *offset.Lease) bool { return !l.Closed() }
	var missing time.Time // since when no attempt has ended otherwise
	for failures := 1; ctx.Err() == nil && slices.ContainsFunc(leases, open); failures++ {
		r, err := w.fetchOriginal(ctx, topic, partition, at)
		switch {
		case err == nil:
			return r, nil
		case !errors.Is(err, errMissing):
			missing = time.Time{}
		case missing.IsZero():
			missing = time.Now()
		}
		if errors.Is(err, errGone) || !missing.IsZero() && time.Since(missing) >= goneAfter {
			w.log.Warn("the record of a dead letter is gone from Kafka; the letter has the value as it was sent to Firehose, without key and headers", "topic", topic, "partition", partition, "offset", at, "error", err)
			return nil, nil
		}
		w.log.Warn("could not read a record again for its dead letter, trying again", "topic", topic, "partition", partition, "offset", at, "error", err)
		_ = retry.Sleep(ctx, backoff.Jittered(failures-1)) // the loop sees that ctx has ended
	}
	return nil, ctx.Err()
}

func (w *Writer) fetchOriginal(ctx context.Context, topic string, partition int32, at int64) (*kgo.Record, error) {
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
	failed := func(err error) error {
		return fmt.Errorf("read topic %s partition %d offset %d: %w", topic, partition, at, err)
	}
	if err := stillKept(ctx, client, topic, partition, at); err != nil {
		return nil, failed(err)
	}
	for {
		fetches := client.PollFetches(ctx)
		for it := fetches.RecordIter(); !it.Done(); {
			switch r := it.Next(); {
			case r.Offset == at:
				return r, nil
			case r.Offset > at:
				return nil, failed(fmt.Errorf("%w: the next one is at offset %d", errGone, r.Offset)) // compacted away
			}
		}
		if ctx.Err() != nil {
			return nil, failed(ctx.Err())
		}
		for _, e := range fetches.Errors() {
			if errors.Is(e.Err, kerr.OffsetOutOfRange) { // but the log begins before it
				return nil, failed(fmt.Errorf("%w: %w", errMissing, e.Err))
			}
			// Errors come as fast as they are polled: the caller pauses.
			return nil, failed(e.Err)
		}
	}
}

// stillKept returns an error unless retention has kept the offset: errGone if the
// partition begins after it, errMissing if there is no such topic, for now.
func stillKept(ctx context.Context, client *kgo.Client, topic string, partition int32, at int64) error {
	starts, err := kadm.NewClient(client).ListStartOffsets(ctx, topic)
	if err != nil {
		return err
	}
	start, ok := starts.Lookup(topic, partition)
	if !ok {
		start.Err = starts.Error() // of the topic
	}
	switch {
	case errors.Is(start.Err, kerr.UnknownTopicOrPartition), errors.Is(start.Err, kerr.UnknownTopicID):
		return fmt.Errorf("%w: %w", errMissing, start.Err)
	case start.Err != nil:
		return start.Err
	case !ok:
		return errors.New("the brokers did not answer for the partition")
	case start.Offset > at:
		return fmt.Errorf("%w: it begins at offset %d", errGone, start.Offset)
	}
	return nil
}
