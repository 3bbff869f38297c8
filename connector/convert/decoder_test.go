package convert

import (
	"encoding/binary"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/connector/batch"
)

// avroText compiles an Avro schema.
func avroText(t testing.TB, text string) Schema {
	t.Helper()
	s, err := compileSchema(Config{Format: "avro"}, SchemaDefinition{Kind: "avro", Text: text, SizedBytes: true})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// varint is n as Avro writes numbers.
func varint(n ...int64) (b []byte) {
	for _, n := range n {
		b = binary.AppendVarint(b, n)
	}
	return b
}

// TestKindOfSchema: a schema of another kind than the records is of no use to them.
func TestKindOfSchema(t *testing.T) {
	if _, err := compileSchema(Config{Format: "avro"}, SchemaDefinition{Kind: "protobuf"}); err == nil || !strings.Contains(err.Error(), "has it as protobuf, and the records are to be avro") {
		t.Errorf("%v", err)
	}
}

// confluent is a payload behind the id of its schema.
func confluent(id byte, payload []byte) []byte { return append([]byte{0, 0, 0, 0, id}, payload...) }

// lookupOf finds schemas by their number.
func lookupOf(schemas map[uint64]Schema) SchemaLookup {
	return func(r SchemaRef) (Schema, error) {
		if r.ByGUID() {
			r.ID = uint64(r.GUID[15])
		}
		if s, ok := schemas[r.ID]; ok {
			return s, nil
		}
		return nil, &MissingSchema{Ref: r}
	}
}

// TestDecoded: values alone and in envelopes, keys, the two ways to name a schema.
func TestDecoded(t *testing.T) {
	schemas := lookupOf(map[uint64]Schema{1: avroText(t, `"string"`), 2: avroText(t, `"long"`)})
	text, number := append(varint(2), "hi"...), varint(42)
	guid := append(append([]byte{1}, make([]byte, 15)...), 2)
	f := func(name string, change func(*Config), r *kgo.Record, want string) {
		t.Helper()
		cfg := configForValidate()
		cfg.Format, cfg.Tombstones = "avro", "envelope"
		change(&cfg)
		if err := cfg.Validate(); err != nil && cfg.hasEnvelope() {
			t.Fatal(err)
		}
		got, err := New(cfg, schemas).Append([]byte("x"), r)
		if err != nil {
			got = append(got, " error "+err.Error()...)
		}
		if string(got) != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	alone := func(*Config) {}
	enveloped := func(c *Config) {
		c.Envelope, c.KeyFormat, c.Fields = true, "avro", Fields{{"value", "json", "v"}, {"offset", "", "o"}, {"key", "json", "k"}}
	}
	f("alone", alone, &kgo.Record{Value: confluent(1, text)}, "x\"hi\"\n")
	f("key is not looked at", alone, &kgo.Record{Value: confluent(2, number), Key: []byte("k")}, "x42\n")
	f("by header", alone, &kgo.Record{Value: number, Headers: []kgo.RecordHeader{{Key: "__value_schema_id", Value: guid}, {Key: "__key_schema_id", Value: []byte{9}}}}, "x42\n")
	f("the last header counts", alone, &kgo.Record{Value: number, Headers: []kgo.RecordHeader{{Key: "__value_schema_id", Value: []byte{9}}, {Key: "__value_schema_id", Value: guid}}}, "x42\n")
	f("id in a header", alone, &kgo.Record{Value: number, Headers: []kgo.RecordHeader{{Key: "__value_schema_id", Value: []byte{0, 0, 0, 0, 2}}}}, "x42\n")
	f("GUID before the data", alone, &kgo.Record{Value: append(append([]byte{}, guid...), number...)}, "x42\n")
	f("both", enveloped, &kgo.Record{Key: confluent(1, text), Value: confluent(2, number), Offset: 7}, `x{"v":42,"o":7,"k":"hi"}`+"\n")
	f("nulls", enveloped, &kgo.Record{}, `x{"v":null,"o":0,"k":null}`+"\n")
	f("a key alone", func(c *Config) { enveloped(c); c.Format = "json" }, &kgo.Record{Key: confluent(2, number), Value: []byte("7 ")}, `x{"v":7,"o":0,"k":42}`+"\n")
	f("a value alone", func(c *Config) { enveloped(c); c.KeyFormat = "json" }, &kgo.Record{Key: []byte("k"), Value: confluent(2, number)}, `x{"v":42,"o":0,"k":"k"}`+"\n")
	f("no magic", alone, &kgo.Record{Value: []byte("{}")}, "x error "+errNoMagic.Error())
	f("empty", alone, &kgo.Record{Value: []byte{}}, "x error "+errNoMagic.Error())
	f("cut", alone, &kgo.Record{Value: []byte{0, 0, 0, 0}}, "x error "+errNoMagic.Error())
	f("no GUID", alone, &kgo.Record{Value: append([]byte{1}, make([]byte, 17)...)}, "x error "+errNoMagic.Error())
	f("bad header", alone, &kgo.Record{Value: number, Headers: []kgo.RecordHeader{{Key: "__value_schema_id", Value: []byte{7}}}}, "x error "+errHeader.Error())
	f("missing", alone, &kgo.Record{Value: confluent(9, nil)}, "x error the schema 9 is not here yet")
	f("missing for the key", enveloped, &kgo.Record{Value: confluent(1, text), Key: confluent(9, nil)}, "x error the schema 9 is not here yet")
	f("bad key", enveloped, &kgo.Record{Value: confluent(1, text), Key: []byte("k")}, "x error the key: "+errNoMagic.Error())
	f("bad value", enveloped, &kgo.Record{Value: confluent(1, varint(9))}, "x error it ends too early")
}

// TestDecodedSize: what is decoded is counted while it is written, with all that is
// around it.
func TestDecodedSize(t *testing.T) {
	schemas := lookupOf(map[uint64]Schema{1: avroText(t, `"string"`)})
	for _, envelope := range []bool{false, true} {
		cfg := configForValidate()
		cfg.Format, cfg.Envelope = "avro", envelope
		frame := len(`""` + "\n")
		if envelope {
			cfg.KeyFormat, cfg.Fields = "avro", Fields{{"value", "json", "v"}, {"key", "json", "k"}, {"offset", "", "o"}}
			frame = len(`{"v":"","k":"kk","o":0}` + "\n")
		}
		for extra, fits := range map[int]bool{0: true, 1: false} {
			n := batch.MaxRecordBytes - frame + extra
			text := append(varint(int64(n)), strings.Repeat("a", n)...)
			got, err := New(cfg, schemas).Append([]byte("x"), &kgo.Record{Key: confluent(1, append(varint(2), "kk"...)), Value: confluent(1, text)})
			var bad *BadRecord
			switch {
			case fits && (err != nil || len(got) != 1+batch.MaxRecordBytes):
				t.Errorf("envelope %v: %d bytes, %v", envelope, len(got)-1, err)
			case !fits && (!errors.As(err, &bad) || bad.Reason != TooLarge || string(got) != "x"):
				t.Errorf("envelope %v: %v, %d appended", envelope, err, len(got)-1)
			}
		}
	}
}

// TestDecodedAllocates nothing for a record, alone or in an envelope, with its schema by id or by header.
func TestDecodedAllocates(t *testing.T) {
	logical := `{"type":"record","name":"L","fields":[{"name":"at","type":{"type":"long","logicalType":"timestamp-millis"}},
		{"name":"day","type":{"type":"int","logicalType":"date"}},{"name":"total","type":{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}}]}`
	schemas := lookupOf(map[uint64]Schema{1: avroText(t, logical)})
	second := append(varint(1_769_846_400_007, 20484, 2), 0x04, 0xe2)
	guid := append(append([]byte{1}, make([]byte, 15)...), 1)
	buf := make([]byte, 0, 4<<10)
	for name, r := range map[string]*kgo.Record{
		"logical":   {Value: confluent(1, second), Key: confluent(1, second)},
		"by header": {Value: second, Headers: []kgo.RecordHeader{{Key: valueHeaders.schemaID, Value: guid}}},
	} {
		for _, envelope := range []bool{false, true} {
			cfg := configForValidate()
			cfg.Format, cfg.KeyFormat, cfg.Envelope = "avro", "avro", envelope
			c := New(cfg, schemas)
			if _, err := c.Append(nil, r); err != nil {
				t.Fatal(err)
			}
			if n := testing.AllocsPerRun(100, func() { buf, _ = c.Append(buf[:0], r) }); n != 0 {
				t.Errorf("%s, envelope %v: %v allocations for each record", name, envelope, n)
			}
		}
	}
}

// BenchmarkAvro is one record of some fields, beside the same as JSON in an envelope
// and as it is:
//
//	go test ./connector/convert -run '^$' -bench Avro -benchmem
func BenchmarkAvro(b *testing.B) {
	const schema = `{"type":"record","name":"Order","fields":[{"name":"order","type":"string"},{"name":"customer","type":{"type":"record","name":"C","fields":[{"name":"id","type":"long"},{"name":"name","type":"string"}]}},
		{"name":"lines","type":{"type":"array","items":{"type":"record","name":"L","fields":[{"name":"sku","type":"string"},{"name":"n","type":"int"}]}}},
		{"name":"note","type":["null","string"]},{"name":"created","type":{"type":"long","logicalType":"timestamp-millis"}},{"name":"total","type":{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}}]}`
	payload := append(varint(3), "a-1"...)
	payload = append(append(payload, varint(12345, 6)...), "Jurgen"...)
	payload = append(append(payload, varint(2, 1)...), 'x', 2, 2, 'y', 4, 0)
	payload = append(append(payload, varint(1, 12)...), "said no more"...)
	payload = append(append(payload, varint(1_769_846_400_007, 2)...), 0x04, 0xe2)
	schemas := lookupOf(map[uint64]Schema{1: avroText(b, schema)})
	cfg := configForValidate()
	r := &kgo.Record{Topic: "orders", Partition: 12, Offset: 123456789, Timestamp: time.UnixMilli(1_769_846_400_007), Key: []byte("customer-12345"), Value: confluent(1, payload)}
	buf := make([]byte, 0, 4<<10)
	for _, format := range []string{"raw", "avro", "avro-envelope"} {
		cfg.Format, cfg.Envelope = strings.TrimSuffix(format, "-envelope"), strings.HasSuffix(format, "-envelope")
		c := New(cfg, schemas)
		b.Run(format, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(r.Value)))
			for b.Loop() {
				var err error
				if buf, err = c.Append(buf[:0], r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
