package convert

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/encoding/protowire"

	"kafka-firehose/connector/batch"
)

const shopProto = `syntax = "proto3";
package shop;
import "google/protobuf/timestamp.proto";
import "google/protobuf/wrappers.proto";
import "google/protobuf/struct.proto";
import "google/protobuf/any.proto";
import "confluent/meta.proto";
import "confluent/type/decimal.proto";
import "people/customer.proto";
message Order {
  option (confluent.message_meta) = {doc: "an order"};
  string id = 1;
  people.Customer by_whom = 2;
  map<string, int64> counts = 3;
  message Line {
    message Part { string sku = 1; }
    repeated Part parts = 1;
  }
  repeated Line lines = 4;
  google.protobuf.Timestamp at = 5;
  google.protobuf.Int64Value maybe = 6;
  google.protobuf.Value any_json = 7;
  enum State { OPEN = 0; PAID = 1; }
  repeated State states = 8;
  bytes raw = 9;
  double ratio = 10;
  google.protobuf.Any other = 11;
  confluent.type.Decimal total = 12;
  oneof way { string post = 13; Order inner = 14; }
  int64 big = 15;
}
message Second { bool yes = 1; }`

const peopleProto = `syntax = "proto3"; package people; import "people/address.proto"; message Customer { string name = 1; Address at = 2; }`

const addressProto = `syntax = "proto3"; package people; message Address { string city = 1; }`

func shop(t testing.TB) Schema {
	t.Helper()
	s, err := compileSchema(Config{Format: "protobuf"}, SchemaDefinition{Kind: "protobuf", Text: shopProto, References: []SchemaReference{{"people/address.proto", addressProto}, {"people/customer.proto", peopleProto}}})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// wire builds a message of fields; a value is a string, bytes or a number.
func wire(fields ...any) (b []byte) {
	for i := 0; i < len(fields); i += 2 {
		n := protowire.Number(fields[i].(int))
		switch v := fields[i+1].(type) {
		case string:
			b = protowire.AppendString(protowire.AppendTag(b, n, protowire.BytesType), v)
		case []byte:
			b = protowire.AppendBytes(protowire.AppendTag(b, n, protowire.BytesType), v)
		case int:
			b = protowire.AppendVarint(protowire.AppendTag(b, n, protowire.VarintType), uint64(v))
		}
	}
	return b
}

func TestProtobuf(t *testing.T) {
	order := wire(
		1, "a-1", 2, wire(1, "Jürgen", 2, wire(1, "Bonn")), 3, wire(1, "x", 2, 5), 4, wire(1, wire(1, "p"), 1, wire(1, "q")),
		5, wire(1, 1_769_846_400, 2, 7_000_000), 6, wire(1, 3), 7, wire(3, "text \"quoted\"  twice"), 8, []byte{0, 1, 7}, 9, []byte{0xff},
		11, wire(1, "type.googleapis.com/people.Customer", 2, wire(1, "Any")), 12, wire(1, []byte{4, 0xe2}, 2, 4, 3, 2), 14, wire(15, -1), 99, "unknown",
	)
	const want = `{"id":"a-1","byWhom":{"name":"Jürgen","at":{"city":"Bonn"}},"counts":{"x":"5"},"lines":[{"parts":[{"sku":"p"},{"sku":"q"}]}],` +
		`"at":"2026-01-31T08:00:00.007Z","maybe":"3","anyJson":"text \"quoted\"  twice","states":["OPEN","PAID",7],"raw":"/w==",` +
		`"other":{"@type":"type.googleapis.com/people.Customer","name":"Any"},"total":{"value":"BOI=","precision":4,"scale":2},"inner":{"big":"-1"}}`
	schemas := lookupOf(map[uint64]Schema{1: shop(t)})
	guid := append(append([]byte{1}, make([]byte, 15)...), 1)
	f := func(name string, r *kgo.Record, want string) {
		t.Helper()
		cfg := configForValidate()
		cfg.Format = "protobuf"
		got, err := New(cfg, schemas).Append([]byte("x"), r)
		if err != nil {
			got = append(got, " error "+err.Error()...)
		}
		if diff := cmp.Diff(want, string(got)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	value := func(index []byte, payload []byte) *kgo.Record {
		return &kgo.Record{Value: confluent(1, append(append([]byte{}, index...), payload...))}
	}
	f("the first message", value(varint(0), order), "x"+want+"\n")
	f("the first by its index", value(varint(1, 0), order), "x"+want+"\n")
	f("the second", value(varint(1, 1), wire(1, 1)), `x{"yes":true}`+"\n")
	f("inside, beside the entries of a map", value(varint(2, 0, 0), wire(1, wire(1, "s"))), `x{"parts":[{"sku":"s"}]}`+"\n")
	f("inside of that", value(varint(3, 0, 0, 0), wire(1, "s")), `x{"sku":"s"}`+"\n")
	f("nothing", value(varint(0), nil), "x{}\n")
	f("by header", &kgo.Record{Value: wire(1, 1), Headers: []kgo.RecordHeader{{Key: "__value_schema_id", Value: append(append([]byte{}, guid...), varint(1, 1)...)}}}, `x{"yes":true}`+"\n")
	f("no index", value(nil, nil), "x error "+errIndex.Error())
	f("an index that is cut", value(varint(2, 0), nil), "x error "+errIndex.Error())
	f("many indexes", value(varint(17), make([]byte, 17)), "x error "+errIndex.Error())
	f("a negative index", value(varint(1, -1), nil), "x error "+errIndex.Error())
	f("no such message", value(varint(1, 2), nil), "x error its schema has no message 2 at depth 1")
	f("no such message inside", value(varint(2, 1, 0), nil), "x error its schema has no message 0 at depth 2")
	f("cut", value(varint(0), order[:9]), "x error it is not in the wire format of its message, or nested too deep")
	f("not UTF-8", value(varint(0), wire(1, "\xff")), "x error it is not in the wire format of its message, or nested too deep")
	f("a time out of range", value(varint(0), wire(5, wire(1, 1<<40))), "x error at: it has no form as JSON: a google.protobuf.Timestamp outside of the years 1 to 9999")
	f("an Any of nothing", value(varint(0), wire(11, wire(1, "type.googleapis.com/no.Such", 2, "secret"))), "x error other: it has no form as JSON: a google.protobuf.Any of a type that its schema does not know")
	deep := []byte{}
	for range 200 {
		deep = wire(14, deep)
	}
	f("deep", value(varint(0), deep), "x error it is not in the wire format of its message, or nested too deep")
	f("large", value(varint(0), wire(9, make([]byte, 800_000))), "x error 800010 bytes that become too many as JSON: Firehose takes at most 1024000 bytes")
}

// TestProtobufGroups: of proto2, which also has fields that must be there.
func TestProtobufGroups(t *testing.T) {
	s, err := compileSchema(Config{Format: "protobuf"}, SchemaDefinition{Kind: "protobuf", Text: `syntax = "proto2"; message M { required string must = 1; optional group G = 2 { optional int32 n = 3; } optional int32 d = 4 [default = 7]; }`})
	if err != nil {
		t.Fatal(err)
	}
	group := protowire.AppendTag(append(protowire.AppendTag(nil, 2, protowire.StartGroupType), wire(3, 5)...), 2, protowire.EndGroupType)
	got, err := s.AppendJSON(nil, group, MessageIndex{depth: 1}, 1000)
	if err != nil || string(got) != `{"g":{"n":5}}` {
		t.Errorf("%s %v", got, err)
	}
}

func TestProtobufCompileRefuses(t *testing.T) {
	for text, want := range map[string]string{
		`syntax = "proto3"; enum E { A = 0; }`: "defines no message",
		`{"type":"string"}`:                    "syntax error",
		``:                                     "defines no message",
	} {
		if _, err := compileSchema(Config{Format: "protobuf"}, SchemaDefinition{Kind: "protobuf", Text: text}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

func FuzzProtobuf(f *testing.F) {
	s := shop(f)
	f.Add([]byte{}, uint8(0))
	f.Add(wire(1, "a", 2, wire(1, "b"), 3, wire(1, "x", 2, 5), 8, []byte{0, 1, 7}, 11, wire(1, "type.googleapis.com/shop.Order", 2, wire(1, "z"))), uint8(0))
	f.Add(wire(7, wire(5, wire(1, wire(1, "k", 2, wire(2, 0))))), uint8(0))
	f.Add(protowire.AppendTag(nil, 2, protowire.StartGroupType), uint8(1))
	f.Fuzz(func(t *testing.T, payload []byte, which uint8) {
		const most = 5000
		index := MessageIndex{depth: 1 + int(which)%3}
		index.at[0] = int32(which) % 3
		got, err := s.AppendJSON([]byte("["), payload, index, most)
		switch {
		case err != nil && string(got) != "[":
			t.Fatalf("%q after %v", got, err)
		case err == nil && len(got) > most+1:
			t.Fatalf("%d bytes, asked for %d", len(got), most)
		case err == nil && !json.Valid(append(got, ']')):
			t.Fatalf("not JSON: %s", got)
		}
	})
}

// BenchmarkProtobuf is one order of some fields:
//
//	go test ./connector/convert -run '^$' -bench Protobuf -benchmem
func BenchmarkProtobuf(b *testing.B) {
	s := shop(b)
	order := wire(1, "a-1", 2, wire(1, "Jurgen"), 4, wire(1, wire(1, "p"), 1, wire(1, "q")), 5, wire(1, 1_769_846_400), 15, 12345)
	buf, first := make([]byte, 0, 4<<10), FirstMessage
	b.ReportAllocs()
	b.SetBytes(int64(len(order)))
	for b.Loop() {
		var err error
		if buf, err = s.AppendJSON(buf[:0], order, first, batch.MaxRecordBytes); err != nil {
			b.Fatal(err)
		}
	}
}
