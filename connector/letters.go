package connector

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/connector/convert"
	"kafka-firehose/connector/deadletter"
	"kafka-firehose/connector/firehose"
	"kafka-firehose/connector/kafka"
	"kafka-firehose/connector/offset"
)

// openLetters makes the way to the dead-letter topic, if that is the policy, and
// asks whether the topic is there. Its error names it.
func (c *Connector) openLetters(ctx context.Context, connection *kafka.Connection, o Options) error {
	if c.cfg.BadRecordPolicy != "dead-letter" {
		return nil
	}
	c.letters = deadletter.New(c.cfg.DeadLetter, deadletter.Options{
		Log: c.log, Metrics: o.Metrics.DeadLetter, Group: c.cfg.Kafka.GroupID,
		Client: append(connection.FetchOptions(int64(c.cfg.MaxBufferedBytes)), o.Kafka...),
	})
	return c.letters.Check(ctx)
}

// Expect implements kafka.Handler: the counters of a topic's letters are there
// before the first letter.
func (c *Connector) Expect(topic string) {
	if c.letters != nil {
		c.letters.Expect(topic)
	}
}

// bury sends a record that can't be delivered to the dead-letter topic. It does not
// wait: the record's span is open until the topic has it, and so is the commit of
// its partition.
func (l *lane) bury(c chunk, r *kgo.Record, reject *convert.Reject) {
	l.builder.Flush()
	span := c.lease.Alone(offset.After(r.Offset, r.LeaderEpoch), c.polled)
	l.log.Warn("bad record goes to the dead-letter topic", "topic", r.Topic, "partition", r.Partition, "offset", r.Offset, "bytes", reject.Size, "reason", reject.Reason, "error", reject)
	l.send(deadletter.Letter{
		Record: r, Reason: string(reject.Reason), Stage: deadletter.StageConvert, Error: reject.Error(),
		Leases: []*offset.Lease{c.lease}, Done: func(bool) { span.Settle() },
	})
}

// send sends a letter and counts it, in the memory of the lane and when it is given
// up because its partition went.
func (l *lane) send(letter deadletter.Letter) {
	weight, done, values := deadletter.Weight(letter.Record), letter.Done, max(letter.Values, 1)
	letter.Done = func(acknowledged bool) {
		if !acknowledged {
			l.metrics.Skipped.WithLabelValues("revoked").Add(float64(values))
		}
		done(acknowledged)
		l.dead.Add(-weight)
		l.freed()
		l.poke()
	}
	l.dead.Add(weight)
	l.letters.Send(letter)
}

// buryRefused sends what the stream alone refuses to the dead-letter topic, and
// waits until that has it: when it returns, the record settles with its batch.
//
// All that is here of the record is what was made of its value, so it is read from
// Kafka once more. What many values were packed into goes as it is, with the place
// of the first: it is rare, and nothing of it is lost.
func (l *lane) buryRefused(ctx context.Context, r firehose.Refusal) error {
	l.log.Warn("record refused by the stream goes to the dead-letter topic", "topic", r.Topic, "partition", r.Partition, "offset", r.Offset, "bytes", r.Size, "values", r.Values, "code", r.Code)
	// A copy: a letter that is given up may be in the client's hands still when the
	// buffer of its batch serves the next.
	record := &kgo.Record{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, Value: bytes.Clone(r.Data)}
	if r.Values == 1 {
		original, err := l.letters.Original(ctx, r.Leases, r.Topic, r.Partition, r.Offset)
		if err != nil {
			return err
		}
		if original != nil {
			record = original
		}
	}
	done := make(chan struct{})
	l.send(deadletter.Letter{
		Record: record, Reason: "refused", Stage: deadletter.StagePut, Error: r.Error(), Values: r.Values,
		Leases: r.Leases, Done: func(bool) { close(done) },
	})
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// stuck reports whether a lease waits for a dead letter that its topic doesn't take.
func (c *Connector) stuck(lease *offset.Lease) bool {
	return c.letters != nil && c.letters.Stuck(lease)
}

// lettersReady reports why the dead-letter topic has not taken letters for a while,
// nil while it does.
func (c *Connector) lettersReady(now time.Time) error {
	if c.letters == nil {
		return nil
	}
	if t := c.letters.Trouble(); t != nil && (t.Final || now.Sub(t.Since) >= idleFor) {
		return fmt.Errorf("dead-letter topic %s: %w", c.letters.Topic(), t.Err)
	}
	return nil
}
