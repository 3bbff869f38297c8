package connector

import (
	"encoding/binary"
	"fmt"
	"runtime"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/connector/convert"
	"kafka-firehose/connector/offset"
)

// BenchmarkAhead converts the records of a full queue of twelve partitions, each in its
// turn, and ahead on more and more cores:
//
//	go test ./connector -run '^$' -bench Ahead -benchmem
//
// What is held is what a process holds: with less, the collector alone would keep a core
// busy. It does not go by -cpu: with b.Loop, the first number of its list is not in force.
func BenchmarkAhead(b *testing.B) {
	held := make([]byte, 128<<20)
	defer runtime.KeepAlive(held)
	for _, f := range costly(b) {
		for cores := 1; cores <= runtime.GOMAXPROCS(0); cores *= 2 {
			b.Run(fmt.Sprintf("%s/%d", f.name, cores), func(b *testing.B) {
				a := newParallelConverter(f.converter, nobodyCalls, cores, 8<<20)
				buf, q := make([]byte, 0, 1<<20), recordQueue{}
				polls := f.fetchedRecords(12, 500)
				b.SetBytes(int64(12 * 500 * len(f.value)))
				b.ReportAllocs()
				for b.Loop() { // a queue of 6,000 records
					for _, c := range polls {
						q.putRecords(c)
					}
					for c, ok := q.takeRecords(); ok; c, ok = q.takeRecords() {
						buf = f.convert(b, a, c, &q, buf)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*12*500), "ns/record")
			})
		}
	}
}

// format is one that is costly, with a value of it.
type format struct {
	name      string
	converter *convert.Converter
	value     []byte
}

// convert converts the records of c, ahead or each in its turn.
func (f format) convert(tb testing.TB, a *parallelConverter, c fetchedRecords, q *recordQueue, buf []byte) []byte {
	tb.Helper()
	for i, r := range c.records {
		var err error
		if a == nil {
			buf, err = f.converter.Append(buf[:0], r)
		} else {
			buf, err = a.appendRecord(buf[:0], c, i, q)
		}
		if err != nil {
			tb.Fatal(err)
		}
	}
	return buf
}

func (f format) fetchedRecords(partitions, records int) (polls []fetchedRecords) {
	for p := range partitions {
		c := fetchedRecords{lease: offset.NewLease("t", int32(p)), weight: 1}
		for i := range records {
			c.records = append(c.records, &kgo.Record{Topic: "t", Partition: int32(p), Offset: int64(i), Value: f.value})
		}
		polls = append(polls, c)
	}
	return polls
}

const (
	aheadAvro = `{"type":"record","name":"Order","fields":[{"name":"order","type":"string"},{"name":"customer","type":{"type":"record","name":"C","fields":[{"name":"id","type":"long"},{"name":"name","type":"string"}]}},
		{"name":"note","type":["null","string"]},{"name":"created","type":{"type":"long","logicalType":"timestamp-millis"}}]}`
	aheadProto = `syntax = "proto3"; message Order { string order = 1; Customer customer = 2; string note = 3; int64 created = 4; } message Customer { int64 id = 1; string name = 2; }`
	aheadJSON  = `{"type":"object","required":["order"],"properties":{"order":{"type":"string"},"customer":{"type":"object","properties":{"id":{"type":"integer"},"name":{"type":"string","maxLength":80}}},"note":{"type":["string","null"]},"created":{"type":"integer","minimum":0}}}`
	aheadOrder = `{"order":"a-1","customer":{"id":12345,"name":"Jurgen"},"note":"said no more","created":1769846400007}`
)

// costly are the formats, with one order in each.
func costly(tb testing.TB) []format {
	tb.Helper()
	named := func(payload []byte) []byte { return append([]byte{0, 0, 0, 0, 1}, payload...) }
	text := func(b []byte, s string) []byte { return append(binary.AppendVarint(b, int64(len(s))), s...) }
	avro := text(nil, "a-1")
	avro = text(binary.AppendVarint(avro, 12345), "Jurgen")
	avro = text(binary.AppendVarint(avro, 1), "said no more")
	avro = binary.AppendVarint(avro, 1_769_846_400_007)
	field := func(b []byte, n byte, s string) []byte { return append(append(b, n<<3|2, byte(len(s))), s...) }
	customer := field(binary.AppendUvarint([]byte{1 << 3}, 12345), 2, "Jurgen")
	proto := field(field(field([]byte{0}, 1, "a-1"), 2, string(customer)), 3, "said no more")
	proto = binary.AppendUvarint(append(proto, 4<<3), 1_769_846_400_007)
	var formats []format
	for _, f := range []struct {
		name, format, schema string
		validated            bool
		value                []byte
	}{
		{"avro", "avro", aheadAvro, false, named(avro)},
		{"protobuf", "protobuf", aheadProto, false, named(proto)},
		{"json-schema compared", "json-schema", aheadJSON, true, named([]byte(aheadOrder))},
		{"json-schema", "json-schema", "", false, named([]byte(aheadOrder))},
		{"json", "json", "", false, []byte(aheadOrder)},
	} {
		cfg := DefaultConfig().Record
		cfg.Format, cfg.Validated = f.format, f.validated
		var schema convert.Schema
		if f.schema != "" {
			var err error
			if schema, err = convert.CompileFor(cfg, cfg.SchemaFormats(), convert.SchemaDefinition{Kind: f.format, Text: f.schema}); err != nil {
				tb.Fatal(f.name, err)
			}
		}
		c := convert.New(cfg, func(convert.SchemaRef) (convert.Schema, error) { return schema, nil })
		if _, err := c.Append(nil, &kgo.Record{Topic: "t", Value: f.value}); err != nil {
			tb.Fatal(f.name, fmt.Errorf("%q: %w", f.value, err))
		}
		formats = append(formats, format{f.name, c, f.value})
	}
	return formats
}
