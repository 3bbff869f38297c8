package e2e_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kbin"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kafka-firehose/connector"
)

// rawBatch is a batch that no producer of ours writes.
type rawBatch struct {
	records int
	value   func(i int) []byte // nil for null
	headers int                // of each record, empty ones
	codec   kgo.CompressionCodecType
	pack    func([]byte) []byte // compresses as codec says; nil for none
}

// bytes returns the batch as it is sent.
func (b rawBatch) bytes() []byte {
	var raw []byte
	for i := range b.records {
		r := []byte{0, 0}
		r = kbin.AppendVarint(r, int32(i))
		r = kbin.AppendVarint(r, -1)
		if b.value == nil {
			r = kbin.AppendVarint(r, -1)
		} else {
			r = kbin.AppendVarintBytes(r, b.value(i))
		}
		r = kbin.AppendVarint(r, int32(b.headers))
		r = append(r, bytes.Repeat([]byte{0, 1}, b.headers)...)
		raw = append(kbin.AppendVarint(raw, int32(len(r))), r...)
	}
	if b.pack != nil {
		raw = b.pack(raw)
	}
	now := time.Now().UnixMilli()
	batch := kmsg.RecordBatch{
		PartitionLeaderEpoch: -1, Magic: 2, Attributes: int16(b.codec), LastOffsetDelta: int32(b.records - 1), FirstTimestamp: now, MaxTimestamp: now,
		ProducerID: -1, ProducerEpoch: -1, FirstSequence: -1, NumRecords: int32(b.records), Records: raw,
	}
	batch.Length = int32(len(batch.AppendTo(nil)) - 12)
	out := batch.AppendTo(nil)
	binary.BigEndian.PutUint32(out[17:], crc32.Checksum(out[21:], crc32.MakeTable(crc32.Castagnoli)))
	return out
}

// zstdPack compresses in a stream, so that the frame does not say how much it holds, and
// with a window of so many bytes.
func zstdPack(window int) func([]byte) []byte {
	return func(raw []byte) []byte {
		var out bytes.Buffer
		e, err := zstd.NewWriter(&out, zstd.WithWindowSize(window), zstd.WithEncoderConcurrency(1), zstd.WithLowerEncoderMem(true))
		if err != nil {
			panic(err)
		}
		_, _ = e.Write(raw)
		_ = e.Flush()
		_ = e.Close()
		return out.Bytes()
	}
}

func gzipPack(raw []byte) []byte {
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	_, _ = z.Write(raw)
	_ = z.Close()
	return out.Bytes()
}

// writeBatch has the broker append a batch as it is.
func writeBatch(t *testing.T, by *kgo.Client, topic string, partition int32, batch []byte) {
	t.Helper()
	meta := kmsg.NewPtrMetadataRequest()
	mt := kmsg.NewMetadataRequestTopic()
	mt.Topic = &topic
	meta.Topics = append(meta.Topics, mt)
	found, err := meta.RequestWith(context.Background(), by)
	if err != nil {
		t.Fatal(err)
	}
	req := kmsg.NewPtrProduceRequest()
	req.Acks, req.TimeoutMillis = -1, 10000
	rt := kmsg.NewProduceRequestTopic()
	rt.Topic, rt.TopicID = topic, found.Topics[0].TopicID
	rp := kmsg.NewProduceRequestTopicPartition()
	rp.Partition, rp.Records = partition, batch
	rt.Partitions = append(rt.Partitions, rp)
	req.Topics = append(req.Topics, rt)
	leader := int32(-1)
	for _, p := range found.Topics[0].Partitions {
		if p.Partition == partition {
			leader = p.Leader
		}
	}
	resp, err := req.RequestWith(context.Background(), by.Broker(int(leader)))
	if err != nil {
		t.Fatal(err)
	}
	if err := kerr.ErrorForCode(resp.Topics[0].Partitions[0].ErrorCode); err != nil {
		t.Fatal(err)
	}
}

// TestZstdWindows: batches of zstd levels 19 to 22, which have windows of 8 to 128 MiB
// around a few bytes, are read with the least MAX_BUFFERED_BYTES.
func TestZstdWindows(t *testing.T) { bubble(t, zstdWindows) }

func zstdWindows(w *world) {
	const windows = 5
	for i := range windows {
		p := w.client(kgo.WithCompressor(windowed{8 << 20 << i}))
		if err := w.tryProduce(p, i*100, i*100+100, w.numbered); err != nil {
			w.t.Fatal(err)
		}
		p.Close()
	}
	m := w.start(func(c *connector.Config) { c.MaxBufferedBytes = 26 << 20 })
	w.untilCommitted(windows * 100)
	m.mustStop()
	w.wantExactly(windows * 100)
}

// zstdLevels: the broker compresses what it stores, with the levels whose windows are large.
func zstdLevels(w *world) {
	var topics []string
	for level := 19; level <= 22; level++ {
		topic := w.name(fmt.Sprint("level", level))
		w.topic(topic, 1, "compression.type", "zstd", "compression.zstd.level", fmt.Sprint(level))
		topics = append(topics, topic)
	}
	const each = 300
	read := w.watch()
	pad := strings.Repeat(" ", 120)
	for i, topic := range topics {
		w.produceWith(i*each, i*each+each, func(i int) *kgo.Record {
			w.judge.alias(fmt.Sprint(i, pad), fmt.Sprint(i))
			return &kgo.Record{Topic: topic, Value: fmt.Append(nil, i, pad)}
		})
	}
	m := w.start(func(c *connector.Config) { c.MaxBufferedBytes, c.Kafka.Topics = 32<<20, topics })
	w.untilCommitted(each * len(topics))
	m.mustStop()
	w.wantExactly(each * len(topics))
	if zstd := read.codecs[uint8(kgo.CodecZstd)]; zstd < len(topics) || len(read.codecs) != 1 {
		w.t.Errorf("read batches with compressions %v, want zstd", read.codecs)
	}
}

// windowed compresses with a window of so many bytes.
type windowed struct{ window int }

func (z windowed) Compress(dst *bytes.Buffer, src []byte, _ ...kgo.CompressFlag) ([]byte, kgo.CompressionCodecType) {
	dst.Write(zstdPack(z.window)(src))
	return dst.Bytes(), kgo.CodecZstd
}

// tooLargeBatches have no room with MAX_BUFFERED_BYTES=32MiB, each with what the log has to
// say about it.
var tooLargeBatches = map[string]struct {
	rawBatch
	says string
}{
	"null records, zstd":     {rawBatch{records: 300_000, codec: kgo.CodecZstd, pack: zstdPack(1 << 20)}, "batch at offset 10 has 300000 records, which take 54MiB of memory"},
	"null records":           {rawBatch{records: 300_000}, "batch at offset 10 has 300000 records with 0 headers, which take "},
	"headers, gzip":          {rawBatch{records: 1, headers: 700_000, codec: kgo.CodecGzip, pack: gzipPack}, "batch at offset 10 has 1 records with 700000 headers, which take "},
	"zeros, gzip":            {rawBatch{records: 20, value: func(int) []byte { return make([]byte, 1_000_000) }, codec: kgo.CodecGzip, pack: gzipPack}, "batch at offset 10 has more than 16MiB when it is decompressed"},
	"noise, above the fetch": {rawBatch{records: 18, value: noise}, "batch at offset 10 has 18MiB: "},
}

// noise is a value of a million bytes.
func noise(i int) []byte {
	v := make([]byte, 1_000_000)
	_, _ = rand.NewChaCha8([32]byte{byte(i)}).Read(v)
	return v
}

// TestBatchThatIsTooLarge: its partition stands still and the log says why, the others are
// read on, and the partition is read on when the batch is gone.
func TestBatchThatIsTooLarge(t *testing.T) {
	t.Parallel()
	for name := range tooLargeBatches {
		t.Run(name, func(t *testing.T) { bubble(t, batchThatIsTooLarge(name)) })
	}
}

func batchThatIsTooLarge(name string) func(*world) {
	return func(w *world) { standsStill(w, tooLargeBatches[name].rawBatch, tooLargeBatches[name].says) }
}

func standsStill(w *world, batch rawBatch, says string) {
	topic := w.name("large")
	w.topic(topic, 1, "max.message.bytes", "100000000")
	of := func(topic string, partition int32) func(i int) *kgo.Record {
		return func(i int) *kgo.Record {
			return &kgo.Record{Topic: topic, Partition: partition, Value: fmt.Append(nil, i)}
		}
	}
	w.produceWith(0, 10, of(topic, 0))
	writeBatch(w.t, w.producer, topic, 0, batch.bytes())
	w.produceWith(10, 20, of(topic, 0))
	w.produce(20, 420)
	m := w.start(func(c *connector.Config) {
		c.MaxBufferedBytes = 32 << 20
		c.Kafka.Topics = []string{topic, w.in}
	})
	w.untilCommitted(410)
	w.produce(420, 820)
	begin := time.Now()
	w.untilCommitted(810)
	if took := time.Since(begin); took > 10*time.Second {
		w.t.Errorf("the other partitions took %v", took)
	}
	time.Sleep(12 * time.Second)
	if at := w.judge.lastCommit(topic, 0); at != 10 {
		w.t.Errorf("committed to %d, want 10", at)
	}
	log := w.log.String()
	for _, want := range []string{says, "topic=" + topic + " partition=0", "MAX_BUFFERED_BYTES=32MiB allows a batch of 16MiB; set MAX_BUFFERED_BYTES to "} {
		if !strings.Contains(log, want) {
			w.t.Errorf("the log does not say %q\n%s", want, w.log.tail())
		}
	}
	for _, no := range []string{"SASL", "partition=-1", `topic=""`} {
		if strings.Contains(log, no) {
			w.t.Errorf("the log says %q\n%s", no, w.log.tail())
		}
	}
	if got := m.metric("kafka_fetch_errors_total", `value:"decode"`); got == 0 {
		w.t.Error("not counted as a batch that can't be decoded")
	}
	if n := strings.Count(log, "MAX_BUFFERED_BYTES=32MiB allows"); n > 12 {
		w.t.Errorf("the batch was asked for %d times in a quarter of a minute", n)
	}
	gone := kadm.Offsets{}
	gone.AddOffset(topic, 0, int64(10+batch.records), -1)
	if _, err := w.admin.DeleteRecords(context.Background(), gone); err != nil {
		w.t.Fatal(err)
	}
	w.until("what is behind the batch is delivered", time.Minute, func() bool { return w.judge.lastCommit(topic, 0) == int64(20+batch.records) })
	m.mustStop()
	w.wantExactly(820)
}
