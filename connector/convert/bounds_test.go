package convert

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"kafka-firehose/connector/batch"
	"kafka-firehose/connector/convert/jsontext"
)

// repeated is head, n pieces and tail.
func repeated(head string, n int, piece func(i int) string, tail string) string {
	var b strings.Builder
	b.WriteString(head)
	for i := range n {
		b.WriteString(piece(i))
	}
	return b.String() + tail
}

// counted is a piece of text with its number in it.
func counted(format string) func(int) string {
	return func(i int) string { return strings.ReplaceAll(format, "#", fmt.Sprint(i)) }
}

// nestedRecords are Avro records that each use the one inside of them several times.
func nestedRecords(levels, times int, field string) string {
	s := `{"type":"record","name":"q0","fields":[{"name":"z","type":"int","default":1}]}`
	for i := 1; i < levels; i++ {
		others := repeated("", times, func(n int) string { return fmt.Sprintf(`,{"name":"b%d","type":"q%d"%s}`, n, i-1, field) }, "")
		s = fmt.Sprintf(`{"type":"record","name":"q%d","fields":[{"name":"a","type":%s%s}%s]}`, i, s, field, others)
	}
	return s
}

const proto3 = `syntax="proto3"; `

// TestSchemaBounds: a schema that would take too much memory or time to compile is refused
// before that, and the error says which bound it exceeds and how far.
func TestSchemaBounds(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 90_000)
	for name, c := range map[string]struct{ kind, text, want string }{
		"avro: text":       {"avro", `"` + strings.Repeat(" ", MaxSchemaBytes) + `"`, "it has 1048578 bytes, at most 1048576 are taken"},
		"avro: fields":     {"avro", repeated(`{"type":"record","name":"R","fields":[{"name":"f","type":"int"}`, 16_000, counted(`,{"name":"f#","type":"int"}`), "]}"), "more than 30000 types, fields"},
		"avro: values":     {"avro", repeated(`{"type":"int","x":[0`, 200_000, counted(`,1`), "]}"), "200006 values and names, at most 150000"},
		"avro: levels":     {"avro", nestedRecords(100, 60, ""), "the sum of their levels is above 1000000"},
		"avro: depth":      {"avro", nestedRecords(200, 1, ""), "nested too deep: more than 512 levels"},
		"avro: namespace":  {"avro", `{"type":"record","name":"R","namespace":"` + long + `","fields":[]}`, "90000 bytes, at most 512 are taken"},
		"protobuf: text":   {"protobuf", proto3 + strings.Repeat(" ", MaxSchemaBytes), "at most 1048576 are taken"},
		"protobuf: parts":  {"protobuf", repeated(proto3, 30_000, counted("message M#{int32 a=1;}"), ""), "to compile it takes more than 64 MiB"},
		"protobuf: option": {"protobuf", repeated(proto3+"message M{int32 a=1[features.x=1", 60_000, counted(",features.x=1"), "];}"), "to compile it takes more than 64 MiB"},
		"protobuf: name":   {"protobuf", repeated(proto3+"message "+long+"{", 100, counted("message M#{}"), "}"), "a name has 90000 bytes, at most 1000"},
		"protobuf: paths":  {"protobuf", repeated(proto3+strings.Repeat("message "+long[:900]+"{", 9), 5_000, counted("int32 f#=#;"), strings.Repeat("}", 9)), "to compile it takes more than 64 MiB"},
		"protobuf: deep":   {"protobuf", proto3 + "message M{int32 a=1[features={" + strings.Repeat("o<", 10_000) + strings.Repeat(">", 10_000) + "}];}", "nested more than 100 levels"},
		"protobuf: binary": {"protobuf", base64.StdEncoding.EncodeToString(bytes.Repeat(wire(4, ""), 300_000)), "has too many parts"},
		"protobuf: types":  {"protobuf", base64.StdEncoding.EncodeToString(bytes.Repeat(wire(4, wire(1, "a")), 60_000)), "to compile it takes more than 64 MiB"},
		"json: text":       {"json-schema", `{}` + strings.Repeat(" ", MaxSchemaBytes), "at most 1048576 are taken"},
		"json: depth":      {"json-schema", strings.Repeat(`{"not":`, 4000) + `{}` + strings.Repeat(`}`, 4000), "nested more than 250 levels"},
	} {
		_, err := compileSchema(Config{Format: c.kind, Validated: true}, SchemaDefinition{Kind: c.kind, Text: c.text})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %.300v, want %q", name, err, c.want)
		}
	}
}

// TestReferenceBounds: references count like the schema itself, each and together.
func TestReferenceBounds(t *testing.T) {
	t.Parallel()
	references := func(n, bytes int) (all []SchemaReference) {
		for i := range n {
			all = append(all, SchemaReference{fmt.Sprint("r", i), `"int"` + strings.Repeat(" ", bytes)})
		}
		return all
	}
	for want, references := range map[string][]SchemaReference{
		"refers to as r0 has 1048581 bytes":             references(1, MaxSchemaBytes),
		"bytes with all that it refers to, at most":     references(5, MaxSchemaBytes-10),
		"it has 501 references, at most 500 are taken":  references(501, 0),
		"the schema that it refers to as big: it has m": {{"big", repeated(`{"type":"record","name":"R","fields":[{"name":"f","type":"int"}`, 16_000, counted(`,{"name":"f#","type":"int"}`), "]}")}},
	} {
		_, err := compileSchema(Config{Format: "avro"}, SchemaDefinition{Kind: "avro", Text: `"int"`, References: references})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.200v, want %q", err, want)
		}
	}
}

// TestSchemaErrorsAreShort: an error about a schema does not repeat all of it.
func TestSchemaErrorsAreShort(t *testing.T) {
	t.Parallel()
	for kind, text := range map[string]string{
		"avro":        `["` + strings.Repeat(`","x`, 10_000) + `"]`,
		"json-schema": repeated(`{"allOf":[{}`, 5_000, counted(`,{"type":"x#"}`), `]}`),
		"protobuf":    proto3 + `message M { int32 ` + strings.Repeat("x", 990) + ` = 1; int32 ` + strings.Repeat("x", 990) + ` = 2; }`,
	} {
		_, err := compileSchema(Config{Format: kind, Validated: true}, SchemaDefinition{Kind: kind, Text: text})
		if err == nil || len(err.Error()) > maxErrorBytes+len("...") {
			t.Errorf("%s: %v", kind, err)
		}
	}
}

// TestLargeSchemas: schemas as large as people write them are within the bounds.
func TestLargeSchemas(t *testing.T) {
	t.Parallel()
	avro := repeated(`{"type":"record","name":"Order","namespace":"com.example.shop","doc":"An order.","fields":[{"name":"id","type":"string"}`, 2000, counted(
		`,{"name":"field_#","doc":"A field with some words that say what it is for.","default":null,"type":["null",{"type":"long","logicalType":"timestamp-millis"},{"type":"record","name":"Part#","fields":[{"name":"a","type":"string","default":""},{"name":"b","type":{"type":"array","items":"string"}}]}]}`), "]}")
	proto := repeated(`syntax = "proto3";
package com.example.shop;
import "google/protobuf/timestamp.proto";
`, 500, counted(`
// Order# is an order, with some words about it that fill a line as they do in such files.
message Order# {
  // The state of it.
  enum State# { STATE_UNKNOWN_# = 0; STATE_NEW_# = 1; STATE_PAID_# = 2; }
  string order_id = 1 [deprecated = true];
  google.protobuf.Timestamp created_at = 2; // when it was created
  State# state = 3;
  repeated Order# parts = 4;
  map<string, int64> counts_by_name = 5;
  oneof payment { string card_number = 6; int64 bank_account = 7; }
  optional double amount = 8;
}
`), "")
	for kind, text := range map[string]string{"avro": avro, "protobuf": proto} {
		s, err := compileSchema(Config{Format: kind}, SchemaDefinition{Kind: kind, Text: text})
		if err != nil {
			t.Errorf("%s of %d bytes: %v", kind, len(text), err)
			continue
		}
		t.Logf("%s: %d bytes weigh %d", kind, len(text), SchemaWeight(s))
		if n := SchemaWeight(s); len(text) < 200_000 || n < len(text) || n > 32<<20 {
			t.Errorf("%s: %d bytes weigh %d", kind, len(text), n)
		}
	}
}

// TestAvroDefaults: a default has no part in reading a value with the schema that it was
// written with. It may not fit its type, and it takes no time, though it stands for twice
// as many values with each level.
func TestAvroDefaults(t *testing.T) {
	t.Parallel()
	s := avroText(t, nestedRecords(18, 1, `,"default":{}`))
	if _, err := s.AppendJSON(nil, []byte{2}, MessageIndex{}, 1000); err == nil || !strings.Contains(err.Error(), "it ends too early") && !errors.Is(err, jsontext.ErrTooLong) {
		t.Errorf("%v", err)
	}
	for _, c := range [][3]string{
		{`{"name":"a","type":"string","default":null}`, "0278", `{"a":"x"}`},
		{`{"name":"a","type":{"type":"array","items":"string"},"default":null}`, "00", `{"a":[]}`},
		{`{"name":"a","type":"int","default":3000000000}`, "02", `{"a":1}`},
		{`{"name":"a","type":{"type":"enum","name":"E","symbols":["A","B"],"default":"C"},"default":"C"}`, "02", `{"a":"B"}`},
		{`{"name":"a","type":{"type":"fixed","name":"X","size":4},"default":"ab"}`, "61626364", `{"a":"YWJjZA=="}`},
		{`{"name":"a","type":{"type":"record","name":"S","fields":[{"name":"x","type":"int"},{"name":"y","type":"int"}]},"default":{"x":1}}`, "0204", `{"a":{"x":1,"y":2}}`},
		{`{"name":"a","type":["null",{"type":"bytes","logicalType":"decimal","precision":4,"scale":2}],"default":0}`, "00", `{"a":null}`},
		{`{"name":"a","type":{"type":"long","logicalType":"timestamp-millis"},"default":"2020-01-01"}`, "02", `{"a":"1970-01-01T00:00:00.001Z"}`},
	} {
		payload, err := hex.DecodeString(c[1])
		if err != nil {
			t.Fatal(err)
		}
		out, err := avroText(t, `{"type":"record","name":"R","fields":[`+c[0]+`]}`).AppendJSON(nil, payload, MessageIndex{}, 1000)
		if err != nil || string(out) != c[2] {
			t.Errorf("%s: %s %v, want %s", c[0], out, err, c[2])
		}
	}
}

// TestSmallPayloadsOfMuch: a payload that would become much larger as JSON ends when that is
// too large for Firehose, and takes no memory for the rest.
func TestSmallPayloadsOfMuch(t *testing.T) {
	const most = batch.MaxRecordBytes
	name := strings.Repeat("N", 900)
	proto, err := compileSchema(Config{Format: "protobuf"}, SchemaDefinition{Kind: "protobuf", Text: proto3 + "enum E{" + name + "=0;} message M{repeated E e=1; repeated M m=2; map<int32,E> by=3;}"})
	if err != nil {
		t.Fatal(err)
	}
	packed := func(n int) []byte {
		return protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), make([]byte, n))
	}
	var entries []byte // the library reads them, because they are many
	for i := range 80_000 {
		entry := protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), uint64(i))
		entries = protowire.AppendBytes(protowire.AppendTag(entries, 3, protowire.BytesType), entry)
	}
	record := avroText(t, `{"type":"array","items":{"type":"record","name":"R","fields":[{"name":"`+name[:500]+`","type":"null"}]}}`)
	enum := avroText(t, `{"type":"array","items":{"type":"enum","name":"E","symbols":["`+name+`"]}}`)
	for what, c := range map[string]struct {
		schema  Schema
		payload []byte
		errs    string
	}{
		"protobuf: packed enums":   {proto, packed(900_000), jsontext.ErrTooLong.Error()},
		"protobuf: enums in a map": {proto, entries, "too much memory"},
		"protobuf: enums again":    {proto, append(packed(1), packed(200_000)...), jsontext.ErrTooLong.Error()},
		"avro: records of nothing": {record, varint(1 << 60), jsontext.ErrTooLong.Error()},
		"avro: a block of them":    {record, varint(-1<<60, 0), jsontext.ErrTooLong.Error()},
		"avro: enums":              {enum, append(varint(500_000), make([]byte, 500_001)...), jsontext.ErrTooLong.Error()},
	} {
		took := allocated(func() {
			if _, err := c.schema.AppendJSON(nil, c.payload, FirstMessage, most); err == nil || !strings.Contains(err.Error(), c.errs) {
				t.Errorf("%s: %v, want %s", what, err, c.errs)
			}
		})
		if took > 200<<20 {
			t.Errorf("%s: %d bytes took %d MiB", what, len(c.payload), took>>20)
		}
	}
}

// TestNestedFieldNames: an error names the fields of some levels, not of 500.
func TestNestedFieldNames(t *testing.T) {
	t.Parallel()
	s := avroText(t, `{"type":"record","name":"L","fields":[{"name":"`+strings.Repeat("n", 500)+`","type":["null","L"]}]}`)
	_, err := s.AppendJSON(nil, bytes.Repeat(varint(1), 200), MessageIndex{}, 1_000_000)
	if err == nil || !strings.Contains(err.Error(), "it ends too early") || len(err.Error()) > 510*jsontext.NamedDepth {
		t.Errorf("%.100v, of %d bytes", err, len(fmt.Sprint(err)))
	}
}
