package connector

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/connector/convert"
	"kafka-firehose/connector/firehose"
	"kafka-firehose/connector/offset"
	"kafka-firehose/connector/schema"
)

// BadRecordError ends the connector under BAD_RECORD_POLICY=stop. Everything
// before the record is delivered and committed, nothing after it.
type BadRecordError struct {
	Topic     string
	Partition int32
	Offset    int64
	Size      int // bytes with the delimiter
	Err       error
}

func (e *BadRecordError) Error() string {
	return fmt.Sprintf("bad record at topic %s partition %d offset %d (%d bytes): %v; BAD_RECORD_POLICY is stop: take the record out of the way, or set skip to count such records and go on, or dead-letter to keep them in a topic", e.Topic, e.Partition, e.Offset, e.Size, e.Err)
}

func (e *BadRecordError) Unwrap() error { return e.Err }

// reject does with a record that can't be delivered what the policy says; the
// error ends the connector, or is a *convert.Missing: then the record is not bad yet.
func (l *lane) reject(c chunk, r *kgo.Record, err error) error {
	var reject *convert.Reject
	if !errors.As(err, &reject) {
		return err
	}
	if missing := schema.Outdated(err, c.polled); missing != nil {
		return missing
	}
	switch {
	case reject.Skip:
	case l.letters != nil:
		l.bury(c, r, reject)
		return nil
	case l.policy != "skip":
		return &BadRecordError{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, Size: reject.Size, Err: err}
	default:
		l.log.Warn("bad record skipped", "topic", r.Topic, "partition", r.Partition, "offset", r.Offset, "bytes", reject.Size, "reason", reject.Reason, "error", reject)
	}
	l.metrics.Skipped.WithLabelValues(string(reject.Reason)).Inc()
	l.builder.Flush()
	c.lease.Skip(offset.After(r.Offset, r.LeaderEpoch), 1)
	return nil
}

// refused does with a record that the service will never take what the policy
// says; the error ends the connector.
func (l *lane) refused(ctx context.Context, r firehose.Refusal) error {
	switch {
	case l.letters != nil:
		return l.buryRefused(ctx, r)
	case l.policy != "skip":
		return &BadRecordError{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, Size: r.Size, Err: r}
	}
	l.log.Warn("record refused by the stream and skipped", "topic", r.Topic, "partition", r.Partition, "offset", r.Offset, "bytes", r.Size, "values", r.Values, "code", r.Code)
	l.metrics.Skipped.WithLabelValues("refused").Add(float64(r.Values))
	return nil
}
