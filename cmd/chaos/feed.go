package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// oversizedEvery is how often a record comes that Firehose can't take.
const oversizedEvery = 20_000

// feed writes to the topic, at a rate, until ctx ends. The compressions take turns, and
// one producer writes transactions, every third of which it aborts. What Kafka then
// holds is for the audit to find out: a producer that saw an error doesn't know.
func (w *world) feed(ctx context.Context) error {
	rng := rand.New(rand.NewPCG(w.run.seed, 2))
	var producers []*kgo.Client
	for _, codec := range []kgo.CompressionCodec{kgo.NoCompression(), kgo.GzipCompression(), kgo.SnappyCompression(), kgo.Lz4Compression(), kgo.ZstdCompression()} {
		p, err := w.producer(kgo.ProducerBatchCompression(codec))
		if err != nil {
			return err
		}
		defer p.Close()
		producers = append(producers, p)
	}
	tx, err := w.producer(kgo.TransactionalID("chaos"), kgo.TransactionTimeout(20*time.Second))
	if err != nil {
		return err
	}
	defer tx.Close()

	const step = 20 * time.Millisecond
	tick := time.NewTicker(step)
	defer tick.Stop()
	for n := 0; ctx.Err() == nil; n++ {
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
		count := w.run.rate / int(time.Second/step)
		if n%50 == 49 {
			w.transaction(ctx, tx, rng, count, n%150 == 149)
			continue
		}
		p := producers[n/10%len(producers)]
		for range count {
			p.TryProduce(context.Background(), w.record(rng), nil) // with a full buffer it is left out, and the audit knows
		}
	}
	for _, p := range producers {
		flush, cancel := context.WithTimeout(context.Background(), 2*patience) // brokers may be on their way back
		err := p.Flush(flush)
		cancel()
		if err != nil {
			return fmt.Errorf("flush what was produced: %w", err)
		}
	}
	return nil
}

func (w *world) producer(o ...kgo.Opt) (*kgo.Client, error) {
	return kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(w.cluster.Addrs("PLAINTEXT")...), kgo.DefaultProduceTopic(topic), kgo.ProducerBatchMaxBytes(topicMaxBytes),
		kgo.RecordPartitioner(kgo.UniformBytesPartitioner(4<<10, false, false, nil)), kgo.MetadataMaxAge(5 * time.Second), kgo.ProducerLinger(10 * time.Millisecond),
	}, o...)...)
}

// transaction writes one. What goes wrong in it is Kafka's business and the audit's.
func (w *world) transaction(ctx context.Context, tx *kgo.Client, rng *rand.Rand, count int, abort bool) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 15*time.Second)
	defer cancel()
	if err := tx.BeginTransaction(); err != nil {
		return
	}
	for range count {
		tx.TryProduce(ctx, w.record(rng), nil)
	}
	end := kgo.TryCommit
	if err := tx.Flush(ctx); err != nil || abort {
		_ = tx.AbortBufferedRecords(ctx)
		end = kgo.TryAbort
	}
	if err := tx.EndTransaction(ctx, end); err != nil {
		_ = tx.EndTransaction(ctx, kgo.TryAbort)
	}
}

// record makes the next one: mostly some hundred bytes, now and then 20 KB, and
// rarely more than Firehose takes.
func (w *world) record(rng *rand.Rand) *kgo.Record {
	size := 60 + rng.IntN(700)
	if rng.IntN(200) == 0 {
		size = 20_000
	}
	oversized := rng.IntN(oversizedEvery) == 0
	if oversized {
		size = 1_100_000
	}
	value := fmt.Appendf(make([]byte, 0, size+64), `%s%d,"pad":"`, idPrefix, w.books.issue(oversized))
	for len(value) < size {
		value = append(value, letters[rng.IntN(len(letters))])
	}
	return &kgo.Record{Value: append(value, `"}`...)}
}

const letters = "abcdefghijklmnopqrstuvwxyz     0123456789"
