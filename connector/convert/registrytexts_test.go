package convert

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/connector/batch"
)

// convertHex is what becomes of a value, in hexadecimal, behind the id of its schema.
func convertHex(t *testing.T, cfg Config, d SchemaDefinition, value string) string {
	t.Helper()
	cfg.Format = d.Kind
	b, err := hex.DecodeString(strings.ReplaceAll(value, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	s, err := compileSchema(cfg, d)
	if err != nil {
		return "schema: " + err.Error()
	}
	out, err := New(cfg, func(SchemaRef) (Schema, error) { return s, nil }).Append(nil, &kgo.Record{Value: append([]byte{0, 0, 0, 0, 1}, b...)})
	if err != nil {
		return "error: " + err.Error()
	}
	return string(out)
}

const shopEvent = `syntax = "proto3";
package shop;
message Event {
  map<string, string> labels = 1;
  message Created { string order_id = 1; int64 cents = 2; }
  message Deleted { string reason = 1; }
}`

// shopEventEntries is the same as a registry renders it whose clients register descriptors.
const shopEventEntries = `syntax = "proto3";
package shop;
message Event {
  repeated .shop.Event.LabelsEntry labels = 1;

  message LabelsEntry {
    option map_entry = true;

    string key = 1;
    string value = 2;
  }
  message Created {
    string order_id = 1;
    int64 cents = 2;
  }
  message Deleted {
    string reason = 1;
  }
}`

// TestProtobufTexts: texts that registries return, and that no compiler takes, read their records.
func TestProtobufTexts(t *testing.T) {
	t.Parallel()
	const proto3 = `syntax = "proto3"; `
	b := []SchemaReference{{"b.proto", proto3 + `package b; message B { string v = 1; }`}}
	for name, c := range map[string]struct {
		text       string
		value      string // behind the id
		want       string
		references []SchemaReference
	}{
		"entries of a map":                 {shopEventEntries, "00 0a06 0a0161 120162", `{"labels":{"a":"b"}}`, nil},
		"a message behind them":            {shopEventEntries, "040002 0a036f2d31 10e209", `{"orderId":"o-1","cents":"1250"}`, nil},
		"and another":                      {shopEventEntries, "040004 0a0178", `{"reason":"x"}`, nil},
		"entries with labels":              {`syntax = "proto3"; message M { repeated LabelsEntry labels = 1; message LabelsEntry { option map_entry = true; optional string k = 1; optional string v = 2; } }`, "00 0a06 0a0161 120162", `{"labels":{"a":"b"}}`, nil},
		"entries of another name":          {`syntax = "proto3"; message M { repeated Pair labels = 1; message Pair { option map_entry = true; string key = 1; string value = 2; } }`, "00 0a06 0a0161 120162", `{"labels":[{"key":"a","value":"b"}]}`, nil},
		"behind a map, counted with it":    {shopEvent, "040002 0a036f2d31 10e209", `{"orderId":"o-1","cents":"1250"}`, nil},
		"another, counted with it":         {shopEvent, "040004 0a0178", `{"reason":"x"}`, nil},
		"behind a map, counted without":    {shopEvent, "040000 0a036f2d31 10e209", `{"orderId":"o-1","cents":"1250"}`, nil},
		"either, and it makes no matter":   {shopEvent, "040002", `{}`, nil},
		"either, and it matters":           {shopEvent, "040002 0a0178", "error: its message index is that of shop.Event.Deleted as Java's serializers count, and that of shop.Event.Created as those of Python, Go and .NET do; set RECORD_PROTOBUF_INDEX to text or to descriptor", nil},
		"behind a group":                   {`message M { optional group G = 1 { optional int32 n = 1; } message A { optional string a = 1; } message B { optional int32 b = 1; } }`, "040000 0a0178", `{"a":"x"}`, nil},
		"a descriptor":                     {"Cgp1c2VyLnByb3RvIkUKBFVzZXISDAoEbmFtZRgBIAEoCRIXCg9mYXZvcml0ZV9udW1iZXIYAiABKAMSFgoOZmF2b3JpdGVfY29sb3IYAyABKAliBnByb3RvMw==", "00 0a03616e6e 1007", `{"name":"ann","favoriteNumber":"7"}`, nil},
		"base64 of something":              {"aGVsbG8gd29ybGQ=", "00", "schema: it is base64 of something that is no descriptor of a file", nil},
		"reserved ranges overlap":          {proto3 + `message Shape { reserved 1 to 2; reserved 6 to 7; reserved 7 to 8; reserved 8 to 9; string guid = 2; }`, "00 120178", `{"guid":"x"}`, nil},
		"a reserved range backwards":       {proto3 + `message M { E e = 1; } enum E { reserved 3 to 2; A = 0; B = 1; C = 2; }`, "00 0801", `{"e":"B"}`, nil},
		"reserved numbers and names":       {proto3 + `message A { reserved 5, 7 to 9, "foo"; string a = 1; }`, "00 0a0178", `{"a":"x"}`, nil},
		"fields that are keywords":         {proto3 + `message A { string reserved = 1; string option = 2; string service = 3; }`, "00 0a0178 120179 1a017a", `{"reserved":"x","option":"y","service":"z"}`, nil},
		"an alias":                         {proto3 + `enum E { Z = 0; ONE = 1; UNO = 1; } message A { .E e = 1; }`, "00 0801", `{"e":"ONE"}`, nil},
		"zero is not first":                {proto3 + `enum E { ONE = 1; Z = 0; } message A { E e = 1; }`, "00 0801", `{"e":"ONE"}`, nil},
		"there is no zero":                 {proto3 + `enum E { ONE = 1; } message A { E e = 1; repeated E es = 2; }`, "00 0801 12020001", `{"e":"ONE","es":[0,"ONE"]}`, nil},
		"names that are one without case":  {proto3 + `enum E { Z = 0; E_A = 1; a = 2; } message A { E e = 1; }`, "00 0801", `{"e":"E_A"}`, nil},
		"an option's number":               {proto3 + `option optimize_for = 2; message A { string a = 1; }`, "00 0a0178", `{"a":"x"}`, nil},
		"no syntax":                        {`message A { string a = 1; }`, "00 0a0178", `{"a":"x"}`, nil},
		"an enum without syntax":           {proto3 + `import "e.proto"; message A { E e = 1; }`, "00 0805", `{"e":5}`, []SchemaReference{{"e.proto", `enum E { ONE = 1; }`}}},
		"an option that is gone":           {proto3 + `option php_generic_services = true; message A { string a = 1; }`, "00 0a0178", `{"a":"x"}`, nil},
		"an import twice":                  {proto3 + `import "b.proto"; import public "b.proto"; message A { b.B b = 1; }`, "00 0a030a0178", `{"b":{"v":"x"}}`, b},
		"an import that is lost":           {proto3 + `message A { b.B b = 1; }`, "00 0a030a0178", `{"b":{"v":"x"}}`, b},
		"a public import that is no more":  {proto3 + `import "c.proto"; message A { b.B b = 1; }`, "00 0a030a0178", `{"b":{"v":"x"}}`, append(b, SchemaReference{"c.proto", proto3 + `import "b.proto";`})},
		"options of a field":               {proto3 + `message A { string a = 1 [deprecated = true, json_name = "x,y", (z) = {s: "]" l: [1, 2]}]; string b_c = 2 [json_name="d"]; }`, "00 0a0178 120179", `{"x,y":"x","d":"y"}`, nil},
		"a default that does not fit":      {`message A { optional int32 a = 1 [default = "x"]; }`, "00 0801", `{"a":1}`, nil},
		"extension ranges overlap":         {`message A { extensions 5 to 9, 7 to max; optional string a = 1; } extend A { optional int32 x = 8; }`, "00 0a0178 4001", `{"a":"x","[x]":1}`, nil},
		"google/type":                      {proto3 + `import "google/type/money.proto"; message Order { string id = 1; google.type.Money price = 2; }`, "00 0a0178 12050a03455552", `{"id":"x","price":{"currencyCode":"EUR"}}`, nil},
		"google/type without import":       {proto3 + `message Order { google.type.DayOfWeek day = 1; }`, "00 0802", `{"day":"TUESDAY"}`, nil},
		"google/api":                       {proto3 + `import "google/api/annotations.proto"; message Order { string id = 1; } service S { rpc Get(Order) returns (Order) { option (google.api.http) = { get: "/v1/{id=*}" }; } }`, "00 0a0178", `{"id":"x"}`, nil},
		"an import that nothing needs":     {proto3 + `import "buf/validate/validate.proto"; message Order { string id = 1 [(buf.validate.field).string.min_len = 1]; }`, "00 0a0178", `{"id":"x"}`, nil},
		"an option that does not fit":      {proto3 + `import "google/protobuf/descriptor.proto"; extend google.protobuf.FieldOptions { int32 level = 50001; } message A { string a = 1 [(level) = "high", (gone).deep = {x: 1}]; }`, "00 0a0178", `{"a":"x"}`, nil},
		"an option of another file":        {proto3 + `import "o.proto"; message A { string a = 1 [(o.level) = HIGH]; }`, "00 0a0178", `{"a":"x"}`, []SchemaReference{{"o.proto", proto3 + `package o; import "google/protobuf/descriptor.proto"; extend google.protobuf.FieldOptions { int32 level = 50001; }`}}},
		"a type that no record has":        {proto3 + `message A { string a = 1; Absent b = 2; } message C { oneof o { no.Such d = 1; string e = 2; } }`, "00 0a0178", `{"a":"x"}`, nil},
		"in a oneof":                       {proto3 + `message C { oneof o { no.Such d = 1; string e = 2; } oneof p { no.Such q = 3; } map<string, no.Such> m = 4; }`, "00 120178", `{"e":"x"}`, nil},
		"a type that a record has":         {proto3 + `import "gone.proto"; message A { string a = 1; Absent b = 2; }`, "00 0a0178 1200", `error: schema 1: a part of its A can't be read: b: its type Absent is not defined; the import gone.proto can't be used: it is not among the references of the schema`, nil},
		"a map of it":                      {proto3 + `message C { map<string, no.Such> m = 4; }`, "00 22030a0178", `error: schema 1: a part of its C can't be read: m: value: its type no.Such is not defined`, nil},
		"a type of a service":              {proto3 + `message A { string a = 1; } service S { rpc Get(Absent) returns (Absent); rpc Put(A) returns (A) {} }`, "00 0a0178", `{"a":"x"}`, nil},
		"a reference that can't be parsed": {proto3 + `import "b.proto"; import "c.proto"; message A { b.B b = 1; }`, "00 0a030a0178", `{"b":{"v":"x"}}`, append(b, SchemaReference{"c.proto", `message {`})},
		"a message set":                    {`message A { optional string a = 1; optional S s = 2; } message S { option message_set_wire_format = true; extensions 4 to max; }`, "00 0a0178 1200", `error: schema 1: a part of its S can't be read: it is a MessageSet, which can't be read`, nil},
		"an edition":                       {`edition = "2023"; option features.field_presence = IMPLICIT; message A { option (x) = 1; string a = 1; int32 b = 2 [features = {field_presence: EXPLICIT}]; repeated int32 c = 3 [features.repeated_field_encoding = EXPANDED]; }`, "00 0a00 1000", `{"b":0}`, nil},
	} {
		got := strings.TrimSuffix(convertHex(t, Config{Delimiter: "\n"}, SchemaDefinition{Kind: "protobuf", Text: c.text, References: c.references}, c.value), "\n")
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// TestProtobufReasons: the reason for a message without a form as JSON names the field, and what it is.
func TestProtobufReasons(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ text, value, want string }{
		{`message A { optional string a = 1; }`, "0a02fffe", "{\"a\":\"\uFFFD\uFFFD\"}"},
		{`syntax = "proto3"; message A { google.protobuf.Struct s = 1; }`, "0a100a0e0a0161120911000000000000f87f", "error: s: it has no form as JSON: a google.protobuf.Value that is NaN or infinite"},
		{`syntax = "proto3"; message A { google.protobuf.Struct s = 1; }`, "0a070a050a01611200", `{"s":{"a":null}}`},
		{`syntax = "proto3"; message A { google.protobuf.FieldMask m = 1; }`, "0a0a0a08757365724e616d65", "error: m: it has no form as JSON: a google.protobuf.FieldMask with a path that is not in snake_case"},
		{`syntax = "proto3"; message A { google.protobuf.FieldMask m = 1; }`, "0a0b0a09757365725f6e616d65", `{"m":"userName"}`},
		{`syntax = "proto3"; message A { string id = 1; google.protobuf.Timestamp t = 2; }`, "0a0178120708fbc9c398c133", "error: t: it has no form as JSON: a google.protobuf.Timestamp outside of the years 1 to 9999"},
		{`syntax = "proto3"; message A { B b = 1; } message B { google.protobuf.Duration d = 1; }`, "0a0f0a0d08ffffffffffffffffff01100a", "error: b: d: it has no form as JSON: a google.protobuf.Duration beyond 10,000 years, or of two signs"},
	} {
		if diff := cmp.Diff(c.want, convertHex(t, Config{}, SchemaDefinition{Kind: "protobuf", Text: c.text}, "00"+c.value)); diff != "" {
			t.Errorf("%s %s: %s", c.text, c.value, diff)
		}
	}
}

// TestProtobufIndexSetting: what serializers count can be set, where it can't be seen.
func TestProtobufIndexSetting(t *testing.T) {
	t.Parallel()
	for setting, want := range map[string]string{"text": `{"reason":"x"}`, "descriptor": `{"orderId":"x"}`} {
		if diff := cmp.Diff(want, convertHex(t, Config{ProtobufIndex: setting}, SchemaDefinition{Kind: "protobuf", Text: shopEvent}, "040002 0a0178")); diff != "" {
			t.Errorf("%s: %s", setting, diff)
		}
	}
}

// TestProtobufScrubIsLinear: texts that are made to be scanned again and again take no longer than others.
func TestProtobufScrubIsLinear(t *testing.T) {
	t.Parallel()
	for _, part := range []string{"reserved{", "option{", "option;", "service{", "service s{", "reserved=", "option=", "[[", "[features=", "/*", "reserved a", "{option x={"} {
		begin := time.Now()
		_, err := compileSchema(Config{Format: "protobuf"}, SchemaDefinition{Kind: "protobuf", Text: strings.Repeat(part, MaxSchemaBytes/len(part))})
		if took := time.Since(begin); took > 10*time.Second {
			t.Errorf("%q: %v, %v", part, took, err)
		}
	}
}

// TestAvroTexts: schemas that registries take without a look, and that Java's parser reads.
func TestAvroTexts(t *testing.T) {
	t.Parallel()
	field := func(name, text string) string {
		return `{"type":"record","name":"R","fields":[{"name":"` + name + `",` + text + `}]}`
	}
	decimal := func(attributes string) string {
		return field("a", `"type":{"type":"bytes","logicalType":"decimal",`+attributes+`}`)
	}
	for _, c := range []struct{ schema, value, want string }{
		// Defaults that don't fit their type.
		{field("a", `"type":"string","default":null`), "0278", `{"a":"x"}`},
		{field("a", `"type":{"type":"array","items":"string"},"default":null`), "00", `{"a":[]}`},
		{field("a", `"type":"int","default":"0"`), "02", `{"a":1}`},
		{field("a", `"type":"boolean","default":"false"`), "01", `{"a":true}`},
		{field("a", `"type":"int","default":3000000000`), "02", `{"a":1}`},
		{field("a", `"type":{"type":"enum","name":"E","symbols":["A","B"]},"default":"C"`), "02", `{"a":"B"}`},
		{field("a", `"type":{"type":"enum","name":"E","symbols":["A","B"],"default":"C"}`), "02", `{"a":"B"}`},
		{field("a", `"type":{"type":"fixed","name":"X","size":4},"default":"ab"`), "61626364", `{"a":"YWJjZA=="}`},
		{field("a", `"type":{"type":"record","name":"S","fields":[{"name":"x","type":"int"},{"name":"y","type":"int"}]},"default":{"x":1}`), "0204", `{"a":{"x":1,"y":2}}`},
		{field("a", `"type":{"type":"map","values":"int"},"default":null`), "00", `{"a":{}}`},
		{field("a", `"type":{"type":"bytes","logicalType":"decimal","precision":4,"scale":2},"default":0`), "0201", `{"a":0.01}`},
		{field("a", `"type":["null",{"type":"bytes","logicalType":"decimal","precision":4,"scale":2}],"default":0`), "00", `{"a":null}`},
		{field("a", `"type":{"type":"long","logicalType":"timestamp-millis"},"default":"2020-01-01"`), "02", `{"a":"1970-01-01T00:00:00.001Z"}`},
		// Logical types with invalid attributes.
		{field("TAX_RATE", `"type":["null",{"type":"bytes","scale":127,"precision":64,"connect.version":1,"connect.parameters":{"scale":"127"},"connect.name":"org.apache.kafka.connect.data.Decimal","logicalType":"decimal"}],"default":null`), "020404d2", `{"TAX_RATE":"BNI="}`},
		{decimal(`"precision":4,"scale":8`), "0404d2", `{"a":"BNI="}`},
		{decimal(`"scale":2`), "0404d2", `{"a":"BNI="}`},
		{decimal(`"precision":0`), "0404d2", `{"a":"BNI="}`},
		{decimal(`"precision":4,"scale":-2`), "0404d2", `{"a":"BNI="}`},
		{decimal(`"precision":"10","scale":"2"`), "0404d2", `{"a":"BNI="}`},
		{decimal(`"precision":10.5,"scale":2`), "0404d2", `{"a":"BNI="}`},
		{decimal(`"precision":10,"scale":null`), "0404d2", `{"a":1234}`},
		{decimal(`"precision":10`), "0404d2", `{"a":1234}`},
		{decimal(`"precision":100000,"scale":2`), "0404d2", `{"a":12.34}`},
		{field("a", `"type":["null",{"type":"bytes","logicalType":"decimal","precision":100000000,"scale":99999999}]`), "00", `{"a":null}`},
		{field("a", `"type":{"type":"bytes","logicalType":"decimal","precision":100000000,"scale":99999999}`), "0201", "error: a: a decimal has too many digits"},
		{field("a", `"type":{"type":"fixed","name":"F","size":2,"logicalType":"decimal","precision":20,"scale":2}`), "04d2", `{"a":"BNI="}`},
		{field("a", `"type":{"type":"fixed","name":"F","size":2,"logicalType":"decimal","precision":4,"scale":2}`), "04d2", `{"a":12.34}`},
		{field("a", `"type":{"type":"fixed","name":"F","size":2,"logicalType":"uuid"}`), "04d2", `{"a":"BNI="}`},
		{field("a", `"type":{"type":"string","logicalType":"decimal","precision":"x"}`), "0278", `{"a":"x"}`},
		{field("a", `"type":{"type":"long","logicalType":7}`), "02", `{"a":1}`},
		{field("a", `"type":{"type":"long","logicalType":null,"precision":"x","scale":[]}`), "02", `{"a":1}`},
		// Keywords of other types.
		{field("a", `"type":{"type":"string","items":"none","size":"many","symbols":[1],"fields":3}`), "0278", `{"a":"x"}`},
		{field("a", `"type":{"type":"enum","name":"E","symbols":["A"],"size":1}`), "00", `{"a":"A"}`},
		// All of a value.
		{`"bytes"`, "0861626364", `"CGFiY2Q="`},
		{`{"type":"bytes"}`, "68656c6c6f", `"aGVsbG8="`},
		{`"bytes"`, "", `""`},
		{`{"type":"bytes","logicalType":"decimal","precision":4,"scale":2}`, "04d2", `12.34`},
		{`["null","bytes"]`, "020261", `"YQ=="`},
		// Times without a zone, in the form that Firehose's format conversion reads.
		{
			`{"type":"record","name":"R","fields":[{"name":"l","type":{"type":"long","logicalType":"local-timestamp-millis"}},{"name":"u","type":{"type":"long","logicalType":"timestamp-millis"}}]}`,
			"f6d2a1a8f266 f6d2a1a8f266", `{"l":"2026-01-06 08:54:56.443","u":"2026-01-06T08:54:56.443Z"}`,
		},
	} {
		if diff := cmp.Diff(c.want, convertHex(t, Config{}, SchemaDefinition{Kind: "avro", Text: c.schema}, c.value)); diff != "" {
			t.Errorf("%s %s: %s", c.schema, c.value, diff)
		}
	}
	whole, err := compileSchema(Config{Format: "avro"}, SchemaDefinition{Kind: "avro", Text: `"bytes"`})
	if err != nil {
		t.Fatal(err)
	}
	for value, want := range map[string]string{"\x08abcd": "CGFiY2Q=", "hello": "aGVsbG8="} { // all of a key, too
		c := New(Config{Format: "json", Envelope: true, KeyFormat: "avro", Fields: Fields{{"key", "json", "k"}}}, lookupOf(map[uint64]Schema{1: whole}))
		if got, err := c.Append(nil, &kgo.Record{Key: confluent(1, []byte(value)), Value: []byte("1")}); err != nil || string(got) != `{"k":"`+want+`"}` {
			t.Errorf("a key: %s %v, want %s", got, err, want)
		}
	}
	unread := []SchemaReference{{"other", `{"type":"record"}`}}
	if got := convertHex(t, Config{}, SchemaDefinition{Kind: "avro", Text: `"int"`, References: unread}, "02"); got != "1" {
		t.Errorf("a reference that is not needed: %s", got)
	}
	if got := convertHex(t, Config{}, SchemaDefinition{Kind: "avro", Text: `"Other"`, References: unread}, "02"); !strings.Contains(got, "refers to as other") {
		t.Errorf("a reference that is needed: %s", got)
	}
	if got := convertHex(t, Config{}, SchemaDefinition{Kind: "avro", Text: `"bytes"`, SizedBytes: true}, "0861626364"); got != `"YWJjZA=="` {
		t.Errorf("bytes with their length: %s", got)
	}
}

// TestProtobufManyFields: what a message does not have takes no time, however many fields its type has.
func TestProtobufManyFields(t *testing.T) {
	t.Parallel()
	text := repeated("message M{repeated M m=1;", 8_000, func(i int) string { return fmt.Sprintf("optional int32 a%d=%d;", i, i+2) }, "}")
	for _, form := range []string{jsonCanonical, jsonDefaults} {
		s, err := compileSchema(Config{Format: "protobuf", ProtobufJSON: []string{form}}, SchemaDefinition{Kind: "protobuf", Text: text})
		if err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		if _, err := s.AppendJSON(nil, bytes.Repeat(wire(1, ""), 100_000), FirstMessage, batch.MaxRecordBytes); err != nil && form == jsonCanonical {
			t.Error(err)
		}
		if took := time.Since(begin); took > 10*time.Second {
			t.Errorf("%s: %v", form, took)
		}
	}
}
