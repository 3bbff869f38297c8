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

	"kafka-firehose/connector/retry"
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
// audit has seen all of it. It gives up when that has not come nearer for the given
// patience, and after the limit in any case. The members are to blame if the group is behind
// and stands still; all else is the world's.
func (w *world) settled(ctx context.Context, patience, limit time.Duration) (blame, world error) {
	least, begin, moved := int64(math.MaxInt64), time.Now(), time.Now()
	for {
		b, err := w.behind(ctx)
		if err == nil && b.missing() == 0 {
			return nil, nil
		}
		if err == nil && b.missing() < least {
			least, moved = b.missing(), time.Now()
		}
		switch still, all := time.Since(moved), time.Since(begin); {
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		case still <= patience && all <= limit:
		case err != nil:
			return nil, fmt.Errorf("after %v of quiet Kafka can't be asked for offsets: %w", all.Round(time.Second), err)
		case still <= patience:
			return nil, fmt.Errorf("after %v of quiet %d offsets are still to come, and they do come: this machine is too slow for the rate", all.Round(time.Second), least)
		case b.group == 0:
			return nil, fmt.Errorf("everything is delivered and committed, but the audit has stood still for %v: %s", patience, b.example)
		default:
			return fmt.Errorf("after %v in which nothing moved, not everything is delivered and committed: %s; %s", patience, b.example, w.tails()), nil
		}
		_ = retry.Sleep(ctx, 500*time.Millisecond)
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

// backlog is how many offsets are missing up to the ends of the partitions.
type backlog struct {
	group   int64 // that the group has not committed
	audit   int64 // that the audit has not seen
	example string
}

func (b backlog) missing() int64 { return b.group + b.audit }

// behind returns the backlog. Its error is Kafka's.
func (w *world) behind(ctx context.Context) (b backlog, err error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	ends, err := w.admin.ListCommittedOffsets(ctx, topic)
	if err != nil {
		return b, err
	}
	group, err := w.admin.FetchOffsets(ctx, group)
	if err != nil {
		return b, err
	}
	ends.Each(func(end kadm.ListedOffset) {
		if end.Err != nil {
			err = end.Err
			return
		}
		at, _ := group.Lookup(end.Topic, end.Partition)
		w.mu.Lock()
		audited := w.audited[end.Partition]
		w.mu.Unlock()
		for _, reader := range []struct {
			name    string
			at      int64
			missing *int64
		}{
			{"the audit", audited, &b.audit},
			{"the audit of the group's commits", w.books.standing(end.Partition), &b.audit},
			{"the group", max(at.At, 0), &b.group},
		} {
			if reader.at < end.Offset {
				*reader.missing += end.Offset - reader.at
				b.example = fmt.Sprintf("partition %d ends at %d, %s stands at %d", end.Partition, end.Offset, reader.name, reader.at)
			}
		}
	})
	return b, err
}
