package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/connector"
	"kafka-firehose/connector/firehose/firehosetest"
	"kafka-firehose/connector/longtest"
)

// fetched notes where the batches come from that a member reads.
type fetched struct {
	mu     sync.Mutex
	codecs map[uint8]int // :: compression, as in a batch's attributes -> batches
	racks  map[string]int
}

// OnFetchBatchRead implements kgo.HookFetchBatchRead.
func (f *fetched) OnFetchBatchRead(from kgo.BrokerMetadata, _ string, _ int32, m kgo.FetchBatchMetrics) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.codecs[m.CompressionType]++
	rack := "none"
	if from.Rack != nil {
		rack = *from.Rack
	}
	f.racks[rack]++
}

// watch has the members that start from now on tell what they read.
func (w *world) watch() *fetched {
	f := &fetched{codecs: map[uint8]int{}, racks: map[string]int{}}
	w.hooks = append(w.hooks, f)
	return f
}

// TestCompressions: one topic, written in turns with each kind of compression.
func TestCompressions(t *testing.T) { bubble(t, compressions) }

func compressions(w *world) {
	codecs := []kgo.CompressionCodec{kgo.NoCompression(), kgo.GzipCompression(), kgo.SnappyCompression(), kgo.Lz4Compression()}
	if w.apache != nil { // the decoder of zstd has a finalizer, which runs outside of a bubble
		codecs = append(codecs, kgo.ZstdCompression())
	}
	for i, codec := range codecs {
		p := w.client(kgo.ProducerBatchCompression(codec))
		if err := w.tryProduce(p, i*400, i*400+400, w.numbered); err != nil {
			w.t.Fatal(err)
		}
		p.Close()
	}
	read := w.watch()
	m := w.start()
	w.untilCommitted(400 * len(codecs))
	m.mustStop()
	w.wantExactly(400 * len(codecs))
	for codec := range codecs {
		if read.codecs[uint8(codec)] == 0 {
			w.t.Errorf("no batch with compression %d was read, but %v", codec, read.codecs)
		}
	}
}

// TestLargeBatches: a topic that allows 10 MB has a batch of ten large records, then
// a record that no Firehose takes, then small ones. The process ends at it; told to
// skip, it goes on behind it.
func TestLargeBatches(t *testing.T) { bubble(t, largeBatches) }

func largeBatches(w *world) {
	topic := w.name("large")
	w.topic(topic, 1, "max.message.bytes", "10485760")
	p := w.client(kgo.ProducerBatchMaxBytes(10_485_760), kgo.ProducerBatchCompression(kgo.NoCompression()), kgo.ManualFlushing())
	defer p.Close()
	pad := strings.Repeat(" ", 1_000_000)
	produce := func(from, to int, value func(i int) string) {
		err := w.tryProduce(p, from, to, func(i int) *kgo.Record { return &kgo.Record{Topic: topic, Value: []byte(value(i))} })
		if err != nil {
			w.t.Fatal(err)
		}
	}
	long := func(i int) string { return fmt.Sprintf("%d%s", i, pad) }
	produce(0, 10, long)
	for i := range 10 {
		w.judge.alias(long(i), fmt.Sprint(i))
	}
	const size = 10_485_000
	produce(10, 11, func(int) string { return strings.Repeat("x", size) })
	produce(11, 100, func(i int) string { return fmt.Sprint(i - 1) })

	reads := func(c *connector.Config) { c.Kafka.Topics, c.BadRecordPolicy = []string{topic}, "exit" }
	m := w.start(reads)
	err := <-m.done
	var bad *connector.BadRecordError
	if !errors.As(err, &bad) || bad.Topic != topic || bad.Partition != 0 || bad.Offset != 10 || bad.Size != size+1 {
		w.t.Fatalf("ended with %v", err)
	}
	if got := w.committed(); got != 10 {
		w.t.Errorf("committed %d, want the 10 before the record", got)
	}
	w.judge.allow(place{part{topic, 0}, 10})
	m = w.start(reads, func(c *connector.Config) { c.BadRecordPolicy = "skip" })
	w.untilCommitted(100)
	m.mustStop()
	w.wantExactly(99)
	if got := m.metric("records_skipped_total", "too_large"); got != 1 {
		w.t.Errorf("counted %v, want 1", got)
	}
}

// TestLargeBatchesOfThreeBrokers: the client holds a fetch of each broker, and a fetch has
// a whole batch, however large. While Firehose is slow, all of it together stays within
// the bound.
func TestLargeBatchesOfThreeBrokers(t *testing.T) {
	longtest.Require(t)
	if testing.Short() {
		t.Skip("moves 180 MB; the run without the race detector has it")
	}
	three := door{cluster: []kfake.Opt{kfake.NumBrokers(3), kfake.Ports(9092, 9093, 9094)}}
	guarded(t, func() door { return three }, func(w *world) {
		const n, bound = 180, 64 << 20
		w.topic("large", 6, "max.message.bytes", "10485760")
		w.stream.AddFault(firehosetest.Fault{Effect: firehosetest.Delay, Delay: 2 * time.Second})
		p := w.client(kgo.ProducerBatchMaxBytes(10_485_760), kgo.ProducerBatchCompression(kgo.NoCompression()), kgo.ManualFlushing(),
			kgo.RecordPartitioner(kgo.ManualPartitioner()))
		defer p.Close()
		pad := strings.Repeat(" ", 1_000_000)
		long := func(i int) string { return fmt.Sprintf("%d%s", i, pad) }
		for i := range n {
			w.judge.alias(long(i), fmt.Sprint(i))
		}
		for from := 0; from < n; from += 60 { // a batch of ten for each partition
			if err := w.tryProduce(p, from, from+60, func(i int) *kgo.Record {
				return &kgo.Record{Topic: "large", Partition: int32(i % 6), Value: []byte(long(i))}
			}); err != nil {
				t.Fatal(err)
			}
		}
		m := w.start(func(c *connector.Config) { c.Kafka.Topics, c.MaxBufferedBytes = []string{"large"}, bound })
		var most float64
		w.until("all of it is delivered", patience, func() bool {
			most = max(most, m.metric("buffered_bytes"))
			return w.stream.Stats().Streams["s"].Records >= n
		})
		t.Logf("%.0f of %d bytes held at most", most, bound)
		if most > bound || most < bound/4 {
			t.Errorf("%.0f bytes held at most, the bound is %d, and much less would prove nothing", most, bound)
		}
		w.untilCommitted(n)
		m.mustStop()
		w.wantExactly(n)
	})
}

// TestPartitionsAdded: a topic grows while a member reads it. Another one gets its
// share of the new partitions.
func TestPartitionsAdded(t *testing.T) { bubble(t, partitionsAdded) }

func partitionsAdded(w *world) {
	w.produce(0, 400)
	first := w.start()
	w.untilCommitted(400)
	w.grow(w.in, 6)
	w.produceWith(400, 1000, sixth(w))
	w.untilCommitted(1000)
	second := w.start()
	w.untilShared(3, first, second)
	w.produceWith(1000, 1600, sixth(w))
	w.untilCommitted(1600)
	first.mustStop()
	second.mustStop()
	w.wantExactly(1600)
}

// sixth spreads records over six partitions.
func sixth(w *world) func(i int) *kgo.Record {
	return func(i int) *kgo.Record {
		return &kgo.Record{Topic: w.in, Partition: int32(i % 6), Value: fmt.Appendf(nil, "%d", i)}
	}
}

// survey reads all of a partition with a client of its own: what is there, whoever
// wrote it.
func (w *world) survey(topic string, partition int32) (records []*kgo.Record) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	ends, err := w.admin.ListEndOffsets(ctx, topic)
	if err != nil {
		w.t.Fatal(err)
	}
	end, _ := ends.Lookup(topic, partition)
	c := w.client(kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {partition: kgo.NewOffset().AtStart()}}), kgo.KeepControlRecords())
	defer c.Close()
	for at := int64(0); at < end.Offset; {
		fetches := c.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			w.t.Fatal(err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			records = append(records, r)
			at = r.Offset + 1
		})
	}
	return records
}
