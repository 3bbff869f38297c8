package connector

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/connector/convert"
	"kafka-firehose/connector/deadletter"
	"kafka-firehose/connector/firehose"
	"kafka-firehose/connector/offset"
)

// openLetters makes the way to the dead-letter topic, if that is the policy, and
// asks whether the topic is there. Its error names it.
func (c *Connector) openLetters(ctx context.Context, o Options) error {
	if c.cfg.fallbackPolicy() != policyDeadLetter {
		return nil
	}
	c.letters = deadletter.New(c.cfg.DeadLetter, deadletter.Options{
		Log: c.log, Metrics: o.Metrics.DeadLetter, Group: c.cfg.Kafka.GroupID,
		Client: append(c.broker.FetchOptions(c.budget.reread), o.Kafka...),
	})
	return c.letters.CheckTopic(ctx)
}

// ExpectTopic implements kafka.Handler: the counters of a topic's bad and filtered records and claim checks are there before the first of them.
func (c *Connector) ExpectTopic(topic string) {
	if c.cfg.Record.Filter.IsSet() {
		c.metrics.Pipeline.Filtered.WithLabelValues(topic)
	}
	if c.letters != nil {
		c.letters.ExpectTopic(topic)
	}
	if c.schemas != nil && c.unusable != nil {
		c.metrics.Schema.ExpectTopic(topic)
	}
	if c.uploader != nil {
		c.metrics.ClaimCheck.ExpectTopic(topic)
	}
}

// sendToDeadLetter sends a record that can't be delivered to the dead-letter topic. It does not
// wait: the record's span is open until the topic has it, and so is the commit of
// its partition.
func (b *batcher) sendToDeadLetter(c fetchedRecords, r *kgo.Record, bad *convert.BadRecord) {
	b.builder.FlushRecord()
	span := c.lease.CoverAlone(offset.MarkAfter(r.Offset, r.LeaderEpoch), c.polled)
	b.log.Warn("bad record goes to the dead-letter topic", "topic", r.Topic, "partition", r.Partition, "offset", r.Offset, "bytes", bad.Size, "reason", bad.Reason, "error", bad)
	b.sendLetter(deadletter.Letter{
		Record: r, Reason: string(bad.Reason), Stage: deadletter.StageConvert, Error: bad.Error(),
		Leases: []*offset.Lease{c.lease}, Done: func(bool) { span.Settle() },
	})
}

// sendLetter sends a letter and counts it, in the memory of the pipeline and when it is given
// up because its partition went.
func (l *pipeline) sendLetter(letter deadletter.Letter) {
	weight, done, values := deadletter.RecordWeight(letter.Record), letter.Done, max(letter.Values, 1)
	letter.Done = func(acknowledged bool) {
		if !acknowledged {
			l.metrics.Skipped.WithLabelValues("revoked").Add(float64(values))
		}
		done(acknowledged)
		l.dead.Add(-weight)
		l.freed()
		l.wakeBatcher()
	}
	l.dead.Add(weight)
	l.letters.SendLetter(letter)
}

// sendRefusedToDeadLetter sends a record that the stream alone refuses to the dead-letter topic, and
// waits until that has it: when it returns, the record settles with its batch.
//
// The batch has only the bytes that were made of the record's value, so the record is read
// from Kafka once more. Where Kafka has it no longer, or another record in its place, the
// letter holds those bytes, without key and headers.
func (l *pipeline) sendRefusedToDeadLetter(ctx context.Context, r firehose.Refusal) error {
	l.log.Warn("record refused by the stream goes to the dead-letter topic", "topic", r.Topic, "partition", r.Partition, "offset", r.Offset, "bytes", r.Size, "values", r.Values, "code", r.Code)
	// A copy: the client may still hold a letter that was dropped when the
	// buffer of its batch is reused.
	record := &kgo.Record{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, Value: bytes.Clone(r.Data)}
	reason := r.Error()
	if r.Values == 1 {
		original, err := l.letters.RecoverOriginal(ctx, r.Leases, r.Topic, r.Partition, r.Offset)
		matches := false
		if err == nil && original != nil {
			matches, err = l.matchesSent(ctx, r.Leases, original, r.Data)
		}
		switch {
		case err != nil:
			return err
		case original == nil:
			reason += "; Kafka does not have the record any more: this is its value as it was sent"
		case !matches:
			l.log.Warn("another record is at the offset of a dead letter by now; the letter has the value as it was sent to Firehose, without key and headers", "topic", r.Topic, "partition", r.Partition, "offset", r.Offset)
			reason += "; Kafka has another record at its offset by now: this is its value as it was sent"
		default:
			record = original
		}
	}
	done := make(chan struct{})
	l.sendLetter(deadletter.Letter{
		Record: record, Reason: "refused", Stage: deadletter.StagePut, Error: reason, Values: r.Values,
		Leases: r.Leases, Done: func(bool) { close(done) },
	})
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// matchesSent reports whether the record is converted to sent. In a topic that was
// created again, another record has its offset. It waits for a schema that is no longer
// kept; the error is that of ctx.
func (l *pipeline) matchesSent(ctx context.Context, leases []*offset.Lease, r *kgo.Record, sent []byte) (bool, error) {
	made, err := l.convertAgain(ctx, leases, r)
	if ctx.Err() != nil {
		return false, context.Cause(ctx)
	}
	return err == nil && isSent(made, sent), nil
}

// isSent reports whether a converted record is sent, compressed or not.
func isSent(made, sent []byte) bool {
	if bytes.Equal(made, sent) {
		return true
	}
	unzip, err := gzip.NewReader(bytes.NewReader(sent))
	if err != nil {
		return false
	}
	text, err := io.ReadAll(io.LimitReader(unzip, int64(len(made))+1))
	return err == nil && bytes.Equal(made, text)
}

// convertAgain converts a record that was sent before. It fetches a schema that is missing, until ctx is over or the leases have ended.
func (l *pipeline) convertAgain(ctx context.Context, leases []*offset.Lease, r *kgo.Record) ([]byte, error) {
	open := func(lease *offset.Lease) bool { return !lease.Closed() }
	for {
		made, err := l.convert.Append(nil, r)
		missing, waits := errors.AsType[*convert.MissingSchema](err)
		if !waits || !slices.ContainsFunc(leases, open) {
			return made, err
		}
		select {
		case <-l.schemas.FetchFor(ctx, missing.Ref, time.Now()):
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}
