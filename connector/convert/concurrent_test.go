package convert

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

// TestConcurrent: one Converter, with its schemas, works on several cores at a time as on
// one. The race detector looks for what they share.
func TestConcurrent(t *testing.T) {
	proto, err := compileSchema(Config{Format: "protobuf"}, SchemaDefinition{Kind: "protobuf", Text: shopProto, References: []SchemaReference{{"people/address.proto", addressProto}, {"people/customer.proto", peopleProto}}})
	if err != nil {
		t.Fatal(err)
	}
	order, err := compileSchema(Config{Format: "json-schema", Validated: true}, SchemaDefinition{Kind: "json-schema", Text: orderSchema, References: []SchemaReference{customerSchema}})
	if err != nil {
		t.Fatal(err)
	}
	avro := avroText(t, `{"type":"record","name":"R","fields":[{"name":"s","type":"string"},{"name":"n","type":["null",{"type":"long","logicalType":"timestamp-millis"}]}]}`)
	values := map[string]func(i int) []byte{
		"json": func(i int) []byte { return fmt.Appendf(nil, ` {"n": %d, "s": "%s"}`, i, strings.Repeat("a\\n", i)) },
		"avro": func(i int) []byte {
			return confluent(1, append(append(varint(int64(i)), strings.Repeat("x", i)...), varint(1, int64(i)*1e9)...))
		},
		"protobuf": func(i int) []byte {
			m := wire(1, fmt.Sprint("a-", i), 2, wire(1, "Jurgen"), 5, wire(1, 1_769_846_400+i), 15, i)
			if i%3 == 0 {
				m = append(m, wire(15, i+1)...) // once more: the library reads it
			}
			return confluent(1, append([]byte{0}, m...))
		},
		"json-schema": func(i int) []byte {
			return confluent(1, fmt.Appendf(nil, `{"id": "%d", "mail": "a@b.c", "by": {"name": "%s"}}`, i, strings.Repeat("n", i)))
		},
	}
	schemas := map[string]Schema{"avro": avro, "protobuf": proto, "json-schema": order}
	for format, value := range values {
		for _, envelope := range []bool{false, true} {
			cfg := configForValidate()
			cfg.Format, cfg.Envelope, cfg.Validated = format, envelope && format != "json", format == "json-schema"
			c := New(cfg, lookupOf(map[uint64]Schema{1: schemas[format]}))
			var records []*kgo.Record
			for i := range 60 {
				v := value(i)
				if i%7 == 6 {
					v = v[:len(v)-1-i%3] // bad, most of them
				}
				records = append(records, &kgo.Record{Topic: "t", Offset: int64(i), Key: []byte("k"), Value: v})
			}
			t.Run(fmt.Sprintf("%s/%v", format, envelope), func(t *testing.T) { convertsAlike(t, c, records) })
		}
	}
}

// convertsAlike converts records on one core, and then all of them on each of several.
func convertsAlike(t *testing.T, c *Converter, records []*kgo.Record) {
	t.Helper()
	var want [][]byte
	good := 0
	for _, r := range records {
		out, err := c.Append(nil, r)
		if err != nil {
			out = []byte(err.Error())
		} else {
			good++
		}
		want = append(want, out)
	}
	if good < len(records)/2 {
		t.Fatalf("%d of %d records can be converted; the first becomes %s", good, len(records), want[0])
	}
	var cores sync.WaitGroup
	for range 4 {
		cores.Go(func() {
			for range 20 {
				for i, r := range records {
					got, err := c.Append(nil, r)
					if err != nil {
						got = []byte(err.Error())
					}
					if !bytes.Equal(got, want[i]) {
						t.Errorf("record %d became %s, want %s", i, got, want[i])
						return
					}
				}
			}
		})
	}
	cores.Wait()
}

// TestAppendWithin: what takes more than there is room for is a BadRecord, in every format,
// and nothing of it is kept.
func TestAppendWithin(t *testing.T) {
	for name, c := range map[string]*Converter{"raw": New(Config{Delimiter: "\n"}, nil), "json": enveloper(t, ""), "json-schema": New(Config{Format: "json-schema", Delimiter: "\n"}, nil)} {
		r := &kgo.Record{Topic: "t", Value: confluent(1, []byte(`{"a":[1,2,3]}`))}
		all, err := c.Append(nil, r)
		if err != nil {
			t.Fatal(name, err)
		}
		if got, err := c.AppendWithin([]byte("x"), r, len(all)); err != nil || string(got) != "x"+string(all) {
			t.Errorf("%s: %q %v, want %q", name, got, err, all)
		}
		var bad *BadRecord
		if got, err := c.AppendWithin([]byte("x"), r, len(all)-1); !errors.As(err, &bad) || bad.Reason != TooLarge || string(got) != "x" {
			t.Errorf("%s, without room: %q %v", name, got, err)
		}
	}
}
