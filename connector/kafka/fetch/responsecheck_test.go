package fetch

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kbin"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// batchOf is a batch to be made.
type batchOf struct {
	records  int
	declared int // 0 for as many as there are
	value    []byte
	headers  int // of each record, empty ones
	claimed  int // headers that each record says it has, 0 for as many as there are
	codec    kgo.CompressionCodecType
	format   int8 // 0 for 2
	lastSub  int  // by how much the last offset is too low
}

// bytes returns the batch as brokers send it.
func (o batchOf) bytes(offset int64) []byte {
	var raw []byte
	for i := range o.records {
		r := []byte{0, 0}
		r = kbin.AppendVarint(r, int32(i))
		r = kbin.AppendVarint(r, -1)
		r = kbin.AppendVarintBytes(r, o.value)
		r = kbin.AppendVarint(r, int32(max(o.headers, o.claimed)))
		for range o.headers {
			r = append(r, 0, 1) // an empty key, null
		}
		raw = append(kbin.AppendVarint(raw, int32(len(r))), r...)
	}
	b := kmsg.RecordBatch{
		FirstOffset: offset, PartitionLeaderEpoch: -1, Magic: cmp.Or(o.format, 2), Attributes: int16(o.codec), LastOffsetDelta: int32(max(o.records, o.declared) - 1 - o.lastSub),
		ProducerID: -1, ProducerEpoch: -1, FirstSequence: -1, NumRecords: int32(o.records), Records: packBytes(o.codec, raw),
	}
	if o.declared != 0 {
		b.NumRecords = int32(o.declared)
	}
	b.Length = int32(len(b.AppendTo(nil)) - 12)
	out := b.AppendTo(nil)
	binary.BigEndian.PutUint32(out[17:], crc32.Checksum(out[21:], crc32.MakeTable(crc32.Castagnoli)))
	return out
}

const mebi = 1 << 20

// checked are batches that have one budget of 32 MiB, and what becomes of them.
var checked = map[string]struct {
	batches []batchOf
	records int    // that the client gets
	refused string // the error's text; empty for none
}{
	"records":                       {[]batchOf{{records: 3, value: []byte("v"), headers: 2}}, 3, ""},
	"two batches":                   {[]batchOf{{records: 3}, {records: 4}}, 7, ""},
	"compressed":                    {[]batchOf{{records: 3, codec: kgo.CodecZstd}, {records: 3, codec: kgo.CodecGzip}}, 6, ""},
	"no batch":                      {nil, 0, ""},
	"too few declared":              {[]batchOf{{records: 3, declared: 2}}, 0, "batch at offset 7 declares 2 records and has 3 that can be read"},
	"too many declared":             {[]batchOf{{records: 3, declared: 4}}, 0, "batch at offset 7 declares 4 records and has 3 that can be read"},
	"very many declared":            {[]batchOf{{records: 3, declared: 1 << 30}}, 0, "declares 1073741824 records"},
	"too few declared, compressed":  {[]batchOf{{records: 3, declared: 2, codec: kgo.CodecZstd}}, 0, "batch at offset 7 declares 2 records and has 3"},
	"too many declared, compressed": {[]batchOf{{records: 3, declared: 4, codec: kgo.CodecSnappy}}, 0, "batch at offset 7 declares 4 records and has 3"},
	"negative count":                {[]batchOf{{records: 3, declared: -2}}, 0, "declares -2 records"},
	"headers that are not there":    {[]batchOf{{records: 3, claimed: 1 << 20}}, 0, "declares 3 records and has 0 that can be read"},
	"unknown format":                {[]batchOf{{records: 1, format: 3}}, 0, "batch at offset 7 has the unknown format 3"},
	"negative format":               {[]batchOf{{records: 3, format: -1}}, 0, "batch at offset 7 has the unknown format 255"},
	"unknown, behind a good one":    {[]batchOf{{records: 3}, {records: 1, format: 3}}, 3, ""},
	"last offset before the first":  {[]batchOf{{records: 1, lastSub: 1}}, 0, "batch at offset 7 declares 1 records up to offset 6"},
	"last offset too low":           {[]batchOf{{records: 3, lastSub: 1, codec: kgo.CodecGzip}}, 0, "batch at offset 7 declares 3 records up to offset 8"},
	"many small records":            {[]batchOf{{records: 150_000}}, 150_000, ""},
	"too many small records":        {[]batchOf{{records: 200_000}}, 0, "has 200000 records with 0 headers, which take "},
	"the same, compressed":          {[]batchOf{{records: 200_000, codec: kgo.CodecZstd}}, 0, "has 200000 records, which take "},
	"too many headers":              {[]batchOf{{records: 1, headers: 900_000}}, 0, "has 1 records with 900000 headers, which take "},
	"the same headers, compressed":  {[]batchOf{{records: 1, headers: 900_000, codec: kgo.CodecLz4}}, 0, "has 1 records with 900000 headers, which take "},
	"too many bytes":                {[]batchOf{{records: 40, value: make([]byte, mebi), codec: kgo.CodecZstd}}, 0, "has more than 32MiB when it is decompressed: MAX_BUFFERED_BYTES=64MiB allows a batch of 32MiB; set MAX_BUFFERED_BYTES to 128MiB or more"},
	"a bad one behind a good one":   {[]batchOf{{records: 3}, {records: 3, declared: 2}}, 3, ""},
	"a large one behind a good one": {[]batchOf{{records: 3, codec: kgo.CodecZstd}, {records: 40, value: make([]byte, mebi), codec: kgo.CodecZstd}}, 3, ""},
	"no room for the second":        {[]batchOf{{records: 100_000}, {records: 100_000}}, 100_000, ""},
	"the same second, compressed":   {[]batchOf{{records: 100_000, codec: kgo.CodecGzip}, {records: 100_000, codec: kgo.CodecGzip}}, 100_000, ""},
}

// TestBatchesAreChecked: in every version of a response, the client makes no record of a
// batch that contradicts itself or needs too much memory, and of all others each record.
func TestBatchesAreChecked(t *testing.T) {
	t.Parallel()
	last := kmsg.NewPtrFetchRequest().MaxVersion()
	for name, test := range checked {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var set []byte
			offset := int64(7)
			for _, b := range test.batches {
				set = append(set, b.bytes(offset)...)
				offset += int64(b.records)
			}
			for version := int16(0); version <= last; version++ {
				if len(set) > 1000 && version > 0 && version < last {
					continue
				}
				records, err := throughCheck(t, version, set)
				if text := fmt.Sprint(err); records != test.records || err == nil != (test.refused == "") || !strings.Contains(text, test.refused) && err != nil {
					t.Errorf("version %d: %d records and %v, want %d and %q", version, records, err, test.records, test.refused)
				}
			}
		})
	}
}

// messageOf returns a message of format 1 as brokers send it.
func messageOf(offset int64, codec int8, value []byte) []byte {
	m := kmsg.MessageV1{Offset: offset, Magic: 1, Attributes: codec, Value: value}
	m.MessageSize = int32(len(m.AppendTo(nil)) - 12)
	out := m.AppendTo(nil)
	binary.BigEndian.PutUint32(out[messageCRC:], crc32.ChecksumIEEE(out[batchMagic:]))
	return out
}

// TestDamagedMessageSets: the client would count the offsets of a compressed message from the last one in it that it can read,
// and pass over as many records as it can't.
func TestDamagedMessageSets(t *testing.T) {
	t.Parallel()
	const n = 8 // the offset of a compressed message is that of the last one in it
	wrap := func(codec int8, damage func(sixth []byte)) []byte {
		var inner []byte
		for i := range n {
			m := messageOf(int64(i), 0, []byte("value"))
			if i == 5 {
				damage(m)
			}
			inner = append(inner, m...)
		}
		return messageOf(n-1, codec, packBytes(kgo.CompressionCodecType(codec), inner))
	}
	for name, test := range map[string]struct {
		set     []byte
		records int
		refused string
	}{
		"whole":               {wrap(1, func([]byte) {}), n, ""},
		"a changed value":     {wrap(1, func(m []byte) { m[len(m)-1]++ }), 0, "batch at offset 7 has a damaged message inside of a compressed message"},
		"an unknown format":   {wrap(2, func(m []byte) { m[batchMagic] = 3 }), 0, "batch at offset 7 has a message of the unknown format 3"},
		"unknown compression": {wrap(4, func([]byte) {}), 0, "batch at offset 7 has the unknown compression 4"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			records, err := throughCheck(t, 2, test.set)
			if text := fmt.Sprint(err); records != test.records || err == nil != (test.refused == "") || !strings.Contains(text, test.refused) && err != nil {
				t.Errorf("%d records and %v, want %d and %q", records, err, test.records, test.refused)
			}
		})
	}
}

// throughCheck has batches checked and decoded that are those of the first partition of
// nine. The others must come through.
func throughCheck(t *testing.T, version int16, set []byte) (records int, reason error) {
	t.Helper()
	good := batchOf{records: 2}.bytes(0)
	resp := kmsg.NewPtrFetchResponse()
	resp.Version = version
	for i := range 3 {
		topic := kmsg.NewFetchResponseTopic()
		topic.Topic, topic.TopicID = fmt.Sprint("topic", i), [16]byte{byte(i + 1)}
		for p := range 3 {
			part := kmsg.NewFetchResponseTopicPartition()
			part.Partition, part.RecordBatches = int32(p), slices.Clone(good)
			part.AbortedTransactions = make([]kmsg.FetchResponseTopicPartitionAbortedTransaction, p)
			part.CurrentLeader.LeaderID = 5
			part.UnknownTags.Set(99, []byte("unknown"))
			if i == 0 && p == 0 {
				part.RecordBatches = slices.Clone(set)
			}
			topic.Partitions = append(topic.Partitions, part)
		}
		resp.Topics = append(resp.Topics, topic)
	}
	body := []byte{0, 0, 0, 0}
	if version >= 12 {
		body = append(body, 0) // the header's tags
	}
	start := len(body)
	body = resp.AppendTo(body)

	b := NewBudget(testBytes(64 << 20))
	check := &responseCheck{budget: b, response: b.beginResponse("broker", int64(len(body))), responseReader: responseReader{buf: body, at: 4}}
	if check.readResponse(version); check.err != nil || check.at != len(body) && version < 12 {
		t.Fatalf("version %d: %v at %d of %d", version, check.err, check.at, len(body))
	}
	got := kmsg.NewPtrFetchResponse()
	got.Version = version
	if err := got.ReadFrom(body[start:]); err != nil {
		t.Fatalf("version %d: %v", version, err)
	}
	d := NewDecompressor(b, Pool{})
	var fetch kgo.Fetch
	for i := range got.Topics {
		topic := kgo.FetchTopic{Topic: got.Topics[i].Topic, TopicID: got.Topics[i].TopicID}
		for p := range got.Topics[i].Partitions {
			o := kgo.ProcessFetchPartitionOpts{Topic: topic.Topic, Partition: int32(p), Pools: []kgo.Pool{NewPool(Bytes{PooledRecords: 1 << 20})}}
			part, _ := kgo.ProcessFetchPartition(o, &got.Topics[i].Partitions[p], d, nil)
			topic.Partitions = append(topic.Partitions, part)
		}
		fetch.Topics = append(fetch.Topics, topic)
	}
	b.ExplainFetches(kgo.Fetches{fetch})
	for i, topic := range fetch.Topics {
		for p, part := range topic.Partitions {
			if i == 0 && p == 0 {
				records, reason = len(part.Records), part.Err
			} else if part.Err != nil || len(part.Records) != 2 {
				t.Errorf("version %d: topic %d partition %d: %d records and %v", version, i, p, len(part.Records), part.Err)
			}
		}
	}
	var batch *BatchError
	if reason != nil && (!errors.As(reason, &batch) || batch.Partition != 0 || batch.Topic != fetch.Topics[0].Topic || batch.Offset != 7) {
		t.Errorf("version %d: %#v", version, reason)
	}
	b.countRequest("broker")
	if b.used != 0 || b.excess != nil || len(b.packed) != 0 || len(b.refused) != 0 {
		t.Errorf("version %d: the budget keeps %d bytes, %d batches, %d reasons", version, b.used, len(b.packed), len(b.refused))
	}
	return records, reason
}

// TestBrokenResponses: a response that is cut off anywhere, or has wrong bytes, is left to
// the client to complain about.
func TestBrokenResponses(t *testing.T) {
	t.Parallel()
	resp := kmsg.NewPtrFetchResponse()
	resp.Version = 13
	topic := kmsg.NewFetchResponseTopic()
	part := kmsg.NewFetchResponseTopicPartition()
	part.RecordBatches = append(batchOf{records: 3}.bytes(0), batchOf{records: 3, codec: kgo.CodecZstd}.bytes(3)...)
	topic.Partitions = append(topic.Partitions, part)
	resp.Topics = append(resp.Topics, topic)
	whole := resp.AppendTo(make([]byte, 5))
	for version := range int16(20) {
		for n := 4; n <= len(whole); n++ {
			b := NewBudget(testBytes(64 << 20))
			check := &responseCheck{budget: b, response: b.beginResponse("broker", 1), responseReader: responseReader{buf: slices.Clone(whole[:n]), at: 4}}
			check.readResponse(version)
		}
	}
	rng := rand.New(rand.NewPCG(9, 9))
	for range 5000 {
		body := slices.Clone(whole)
		for range 1 + rng.IntN(4) {
			body[4+rng.IntN(len(body)-4)] = byte(rng.Uint32())
		}
		b := NewBudget(testBytes(64 << 20))
		check := &responseCheck{budget: b, response: b.beginResponse("broker", 1), responseReader: responseReader{buf: body, at: 4}}
		check.readResponse(13)
		if b.used > 10*mebi {
			t.Fatalf("%d bytes are counted for a response of %d", b.used, len(body))
		}
		got := kmsg.NewPtrFetchResponse()
		got.Version = 13
		if got.ReadFrom(body[5:]) != nil {
			continue
		}
		for _, topic := range got.Topics {
			for i := range topic.Partitions {
				_, _ = kgo.ProcessFetchPartition(kgo.ProcessFetchPartitionOpts{DisableCRCValidation: true}, &topic.Partitions[i], NewDecompressor(b, Pool{}), nil)
			}
		}
	}
}
