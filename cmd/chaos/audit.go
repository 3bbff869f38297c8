package main

import (
	"context"
	"fmt"
	"math"
	"strings"
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
// audit has seen all of it. It gives up when that has not come nearer for so long.
func (w *world) settled(ctx context.Context, patience time.Duration) error {
	least, moved := int64(math.MaxInt64), time.Now()
	for {
		missing, why := w.behind(ctx)
		if why == nil {
			return nil
		}
		if missing < least {
			least, moved = missing, time.Now()
		}
		if ctx.Err() != nil || time.Since(moved) > patience {
			return fmt.Errorf("after %v in which nothing moved, not everything is delivered and committed: %w; %s", patience, why, w.tails())
		}
		wait(ctx, 500*time.Millisecond)
	}
}

// tails are the ends of the logs of the processes that live.
func (w *world) tails() string {
	var all []string
	for _, p := range w.all() {
		if p.alive() {
			all = append(all, p.tail())
		}
	}
	return strings.Join(all, "; ")
}

// behind says how many offsets are missing, and where. Their number is unknown, which is
// more than any, while Kafka does not say.
func (w *world) behind(ctx context.Context) (missing int64, why error) {
	const unknown = math.MaxInt64
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	ends, err := w.admin.ListCommittedOffsets(ctx, topic)
	if err != nil {
		return unknown, err
	}
	group, err := w.admin.FetchOffsets(ctx, group)
	if err != nil {
		return unknown, err
	}
	ends.Each(func(end kadm.ListedOffset) {
		at, _ := group.Lookup(end.Topic, end.Partition)
		w.mu.Lock()
		audited := w.audited[end.Partition]
		w.mu.Unlock()
		if end.Err != nil {
			err = end.Err
			return
		}
		for _, reader := range []struct {
			who string
			at  int64
		}{{"the audit", audited}, {"the audit of the group's commits", w.books.standing(end.Partition)}, {"the group", max(at.At, 0)}} {
			if reader.at < end.Offset {
				missing += end.Offset - reader.at
				why = fmt.Errorf("partition %d ends at %d, %s stands at %d", end.Partition, end.Offset, reader.who, reader.at)
			}
		}
	})
	if err != nil {
		return unknown, err
	}
	return missing, why
}
