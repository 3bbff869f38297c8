package connector

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/connector/convert"
	"kafka-firehose/connector/firehose"
	"kafka-firehose/connector/offset"
	"kafka-firehose/connector/schema"
)

// BadRecordError stops a partition under BAD_RECORD_POLICY=stop, and ends the connector under exit. Everything
// before the record is delivered and committed, nothing after it.
type BadRecordError struct {
	Topic     string
	Partition int32
	Offset    int64
	Size      int // bytes with the delimiter
	Err       error
	// Skip is the command that moves the group past the record. Kafka refuses it while the group has members.
	Skip string
}

func (e *BadRecordError) Error() string {
	return fmt.Sprintf("bad record at topic %s partition %d offset %d (%d bytes): %v; to skip it, stop all members of the group, run `%s`, and start them; or set BAD_RECORD_POLICY to skip, which counts such records, or to dead-letter, which keeps them in a topic", e.Topic, e.Partition, e.Offset, e.Size, e.Err, e.Skip)
}

func (e *BadRecordError) Unwrap() error { return e.Err }

// errStopped says that a partition is stopped at a record, and the others go on.
var errStopped = errors.New("the partition is stopped")

// leftOutRecord is a Firehose record that is not delivered.
type leftOutRecord struct {
	leases []*offset.Lease // of all the Kafka records in it
	offset int64           // of the first of them, which is of the first lease
	values int             // how many they are
	reason string          // one of metrics.SkipReasons
	bad    bool            // it can't be delivered, and no setting asks for leaving it out
}

func (l *pipeline) tellLeftOut(r leftOutRecord) {
	if l.leftOut != nil {
		l.leftOut(r)
	}
}

// stopAt stops the partitions of all Kafka records in a Firehose record, and returns errStopped, under
// BAD_RECORD_POLICY=stop. Under exit it returns the error that ends the connector.
func (l *pipeline) stopAt(leases []*offset.Lease, bad *BadRecordError) error {
	if l.policy != policyStop {
		return bad
	}
	for _, lease := range leases {
		at := int64(-1)
		if lease.Topic == bad.Topic && lease.Partition == bad.Partition {
			at = bad.Offset
		}
		l.stopPartition(lease, at, bad)
	}
	return errStopped
}

// endConnector reports whether an error of the stream ends the connector.
func endConnector(fail func(error)) func(error) {
	return func(err error) {
		if !errors.Is(err, errStopped) {
			fail(err)
		}
	}
}

// skipCommand moves the group past a record, with Kafka's own tool.
func (c Config) skipCommand(topic string, partition int32, offset int64) string {
	command := fmt.Sprintf("kafka-consumer-groups.sh --bootstrap-server %s --group %s --topic %s:%d --reset-offsets --to-offset %d --execute",
		strings.Join(c.Kafka.Brokers, ","), c.Kafka.GroupID, topic, partition, offset+1)
	if c.Kafka.TLS.Enabled || c.Kafka.SASL.Mechanism != "" {
		command += " --command-config client.properties"
	}
	return command
}

// handleBadRecord does with a record that can't be delivered what the policy says; the error ends the
// connector, or is errStopped, or a *convert.MissingSchema: then the record is not bad yet.
func (b *batcher) handleBadRecord(c fetchedRecords, r *kgo.Record, err error) error {
	var bad *convert.BadRecord
	if !errors.As(err, &bad) {
		return err
	}
	if missing := schema.RefreshAbsent(err, c.polled); missing != nil {
		return missing
	}
	if !bad.Skip {
		b.bad.Add(1)
	}
	switch {
	case bad.Skip:
	case b.letters != nil:
		b.sendToDeadLetter(c, r, bad)
		b.countUnusable(r.Topic, bad)
		return nil
	case b.policy != policySkip:
		stop := &BadRecordError{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, Size: bad.Size, Err: err, Skip: b.skipCommand(r.Topic, r.Partition, r.Offset)}
		b.builder.FlushRecord() // the records before it still count
		return b.stopAt([]*offset.Lease{c.lease}, stop)
	default:
		b.log.Warn("bad record skipped", "topic", r.Topic, "partition", r.Partition, "offset", r.Offset, "bytes", bad.Size, "reason", bad.Reason, "error", bad)
		b.countUnusable(r.Topic, bad)
	}
	b.tellLeftOut(leftOutRecord{leases: []*offset.Lease{c.lease}, offset: r.Offset, values: 1, reason: string(bad.Reason), bad: !bad.Skip})
	b.metrics.Skipped.WithLabelValues(string(bad.Reason)).Inc()
	b.builder.FlushRecord()
	c.lease.SkipRecords(offset.MarkAfter(r.Offset, r.LeaderEpoch), 1)
	return nil
}

// countFiltered counts records that RECORD_FILTER has left out.
func (l *pipeline) countFiltered(topic string, records int) {
	if records > 0 {
		l.metrics.Filtered.WithLabelValues(topic).Add(float64(records))
		l.metrics.Skipped.WithLabelValues(string(convert.Filtered)).Add(float64(records))
	}
}

// handleRefusal does with a record that the service will never take what the policy
// says; the error ends the connector, or is errStopped.
func (l *pipeline) handleRefusal(ctx context.Context, r firehose.Refusal) error {
	l.bad.Add(int64(r.Values))
	switch {
	case l.letters != nil:
		return l.sendRefusedToDeadLetter(ctx, r)
	case l.policy != policySkip:
		r.Data = nil // the buffer of the batch, which the error would keep
		return l.stopAt(r.Leases, &BadRecordError{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, Size: r.Size, Err: r, Skip: l.skipCommand(r.Topic, r.Partition, r.Offset)})
	}
	l.tellLeftOut(leftOutRecord{leases: r.Leases, offset: r.Offset, values: r.Values, reason: "refused", bad: true})
	l.log.Warn("record refused by the stream and skipped", "topic", r.Topic, "partition", r.Partition, "offset", r.Offset, "bytes", r.Size, "values", r.Values, "code", r.Code)
	l.metrics.Skipped.WithLabelValues("refused").Add(float64(r.Values))
	return nil
}
