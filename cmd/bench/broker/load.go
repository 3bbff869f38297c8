package broker

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// overhead is what a record weighs in a batch beside its value, or less.
const overhead = 12

// load creates the topic and fills its partitions in turns, a batch each: however many
// there are, the batches are as large, as those of a busy producer are.
func load(ctx context.Context, brokers []string, o Options) error {
	codec := kgo.NoCompression()
	if o.Codec == "zstd" {
		codec = kgo.ZstdCompression()
	}
	client, err := kgo.NewClient(
		kgo.SeedBrokers(brokers...),
		kgo.ProducerBatchCompression(codec),
		kgo.ProducerBatchMaxBytes(int32(o.BatchBytes+o.BatchBytes/8)),
		kgo.ProducerLinger(200*time.Millisecond),
		kgo.MaxBufferedRecords(1_000_000),
		kgo.MaxBufferedBytes(64<<20),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
	)
	if err != nil {
		return err
	}
	defer client.Close()
	if _, err := kadm.NewClient(client).CreateTopic(ctx, int32(o.Partitions), 1, nil, Topic); err != nil {
		return fmt.Errorf("create the topic: %w", err)
	}
	v := newValues(o.Seed, o.Size)
	next := map[string]func() []byte{JSON: v.json, Avro: v.avro, Glue: v.glue, Debezium: v.debezium}[o.Format]
	if next == nil {
		return fmt.Errorf("%q is no format of values", o.Format)
	}
	failed := make(chan error, 1)
	run := max(o.BatchBytes/(o.Size+overhead), 1)
	for i := range o.Records() {
		r := &kgo.Record{Topic: Topic, Partition: int32(i / int64(run) % int64(o.Partitions)), Value: append([]byte(nil), next()...)}
		client.Produce(ctx, r, func(_ *kgo.Record, err error) {
			if err != nil {
				select {
				case failed <- err:
				default:
				}
			}
		})
	}
	if err := client.Flush(ctx); err != nil {
		return err
	}
	select {
	case err := <-failed:
		return err
	default:
		return nil
	}
}

// Records is how many there are.
func (o Options) Records() int64 { return max(o.Bytes/int64(o.Size), 1) }
