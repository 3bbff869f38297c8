package main

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// audit reads along, past the connector: the topic, as any reader of committed records
// does, and the coordinator's own log of the group's commits. It needs no group.
func (w *world) audit(ctx context.Context) error {
	client, err := kgo.NewClient(
		kgo.SeedBrokers(w.cluster.Addrs("PLAINTEXT")...), kgo.ConsumeTopics(topic, "__consumer_offsets"),
		kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(), // the last record of a partition may be the marker of a transaction
		kgo.MetadataMaxAge(5*time.Second), kgo.FetchMaxBytes(4<<20), kgo.FetchMaxPartitionBytes(2<<20),
	)
	if err != nil {
		return err
	}
	defer client.Close()
	for ctx.Err() == nil {
		client.PollFetches(ctx).EachRecord(func(r *kgo.Record) {
			if r.Topic != topic {
				w.offsets(r)
				return
			}
			if !r.Attrs.IsControl() {
				w.books.found(r.Value, r.Partition, r.Offset)
			}
			w.read(r.Partition, r.Offset+1)
		})
	}
	return nil
}

// offsets takes a record of __consumer_offsets if it is a commit of ours.
func (w *world) offsets(r *kgo.Record) {
	key, value := kmsg.NewOffsetCommitKey(), kmsg.NewOffsetCommitValue()
	if r.Attrs.IsControl() || key.ReadFrom(r.Key) != nil || key.Version > 1 || key.Group != group || key.Topic != topic || r.Value == nil || value.ReadFrom(r.Value) != nil {
		return
	}
	w.books.committed(key.Partition, value.Offset, value.CommitTimestamp)
}

// read notes what the audit reads next of a partition.
func (w *world) read(partition int32, next int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.audited[partition] = next
}

// settled waits until the group has committed the end of every partition and the
// audit has seen all of it.
func (w *world) settled(ctx context.Context, patience time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var last error
	for {
		if last = w.behind(ctx); last == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("after %v of quiet not everything is delivered and committed: %w", patience, last)
		case <-time.After(500 * time.Millisecond):
		}
	}
}

// behind says what is missing.
func (w *world) behind(ctx context.Context) error {
	ends, err := w.admin.ListCommittedOffsets(ctx, topic)
	if err != nil {
		return err
	}
	group, err := w.admin.FetchOffsets(ctx, group)
	if err != nil {
		return err
	}
	var missing error
	ends.Each(func(end kadm.ListedOffset) {
		at, _ := group.Lookup(end.Topic, end.Partition)
		w.mu.Lock()
		audited := w.audited[end.Partition]
		w.mu.Unlock()
		switch {
		case end.Err != nil:
			missing = end.Err
		case end.Offset > max(at.At, 0):
			missing = fmt.Errorf("partition %d ends at %d, the group stands at %d", end.Partition, end.Offset, at.At)
		case w.books.standing(end.Partition) < end.Offset:
			missing = fmt.Errorf("partition %d: the coordinator's log is read to %d of %d", end.Partition, w.books.standing(end.Partition), end.Offset)
		case audited < end.Offset:
			missing = fmt.Errorf("partition %d: the audit has read to %d of %d", end.Partition, audited, end.Offset)
		}
	})
	return missing
}
