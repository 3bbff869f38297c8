package convert

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/connector/batch"
	"kafka-firehose/connector/convert/jsontext"
)

// enveloper is a Converter of envelopes with the given fields, all by default.
func enveloper(t testing.TB, fields string) *Converter {
	t.Helper()
	c := configForValidate()
	c.Format, c.Tombstones = "json", "envelope"
	if fields != "" {
		if err := c.Fields.Decode(fields); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	return New(c, nil)
}

func TestEnvelope(t *testing.T) {
	at := time.UnixMilli(1_769_846_400_007).In(time.FixedZone("east", 3600)) // not UTC, and no ms would be written of .000
	r := &kgo.Record{
		Topic: "orders", Partition: 3, Offset: 42, Timestamp: at, Key: []byte("k-1"), Value: []byte(" {\n \"a\" : [ 1 , 2 ] }\n"),
		Headers: []kgo.RecordHeader{
			{Key: "trace", Value: []byte("1")},
			{Key: "trace", Value: []byte("2")},
			{Key: "none"},
			{Key: "empty", Value: []byte{}},
			{Key: "bytes", Value: []byte{0xff}},
			{Key: "a\"\n\x01\xff", Value: []byte("\t")},
		},
	}
	f := func(fields, want string) {
		t.Helper()
		got, err := enveloper(t, fields).Append([]byte("before "), r)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff("before "+want+"\n", string(got)); diff != "" {
			t.Errorf("%s: %s", fields, diff)
		}
	}
	const headers = `[{"key":"trace","value":"1"},{"key":"trace","value":"2"},{"key":"none","value":null},{"key":"empty","value":""},` +
		`{"key":"bytes","value":"/w==","value_encoding":"base64"},{"key":"a\"\n\u0001` + "\ufffd" + `","value":"\t"}]`
	f("", `{"id":"orders-3-42","topic":"orders","partition":3,"offset":42,"timestamp":"2026-01-31T08:00:00.007Z","key":"k-1","headers":`+
		headers+`,"value":{"a":[1,2]}}`)
	f("value", `{"value":{"a":[1,2]}}`)
	f("offset=o, id=_id ,value:text=v,key:base64=k", `{"o":42,"_id":"orders-3-42","v":" {\n \"a\" : [ 1 , 2 ] }\n","k":"ay0x","k_encoding":"base64"}`)
	f("timestamp:date,timestamp:hour=h,timestamp", `{"date":"2026-01-31","h":"08","timestamp":"2026-01-31T08:00:00.007Z"}`)
	f("header(trace)=t,header(bytes)=b,header(none)=n,header(gone)=g,header(empty):base64=e", `{"t":"2","b":"/w==","b_encoding":"base64","n":null,"g":null,"e":"","e_encoding":"base64"}`)
	f("header(trace):json=t", `{"t":2}`)
	f("const(eu \"1\")=region,const(a=b:c)=x", `{"region":"eu \"1\"","x":"a=b:c"}`)
	f("timestamp_ms,tombstone", `{"timestamp_ms":1769846400007,"tombstone":false}`)
	f("headers:base64=h", `{"h":[{"key":"trace","value":"MQ==","value_encoding":"base64"},{"key":"trace","value":"Mg==","value_encoding":"base64"},`+
		`{"key":"none","value":null},{"key":"empty","value":"","value_encoding":"base64"},{"key":"bytes","value":"/w==","value_encoding":"base64"},`+
		`{"key":"a\"\n\u0001`+"\ufffd"+`","value":"CQ==","value_encoding":"base64"}]}`)
}

// TestEnvelopeNull: no key, no headers, no value and no timestamp.
func TestEnvelopeNull(t *testing.T) {
	got, err := enveloper(t, "timestamp,timestamp_ms,key,headers,value,tombstone").Append(nil, &kgo.Record{Timestamp: time.UnixMilli(-1)})
	const want = `{"timestamp":null,"timestamp_ms":null,"key":null,"headers":[],"value":null,"tombstone":true}` + "\n"
	if err != nil || string(got) != want {
		t.Errorf("%s%v", got, err)
	}
}

// TestEnvelopeValue shows what becomes of a value, and of a key.
func TestEnvelopeValue(t *testing.T) {
	const b64 = `,"value_encoding":"base64"`
	deep := strings.Repeat("[", jsontext.MaxDepth) + strings.Repeat("]", jsontext.MaxDepth)
	for in, want := range map[string]string{
		``:               `""`,
		`null`:           `null`,
		`"a"`:            `"a"`,
		`a`:              `"a"`,
		`00123`:          `"00123"`,
		`0`:              `0`,
		` 1 `:            `1`,
		"\r\n{}\r\n":     `{}`,
		"{\"a\":\n1}":    `{"a":1}`,
		`[ " \" " , 1 ]`: `[" \" ",1]`,
		`{"a":1,"a":2}`:  `{"a":1,"a":2}`,
		`1234567890123456789012345678901234567890.10`: `1234567890123456789012345678901234567890.10`,
		`-1.5E+400`:                `-1.5E+400`,
		`"\ud800"`:                 `"\ud800"`,
		`"\u0000"`:                 `"\u0000"`,
		"\"a\u2028b\"":             "\"a\u2028b\"",
		"a\u2028b":                 "\"a\u2028b\"",
		`<&>`:                      `"<&>"`,
		"a\x00b":                   `"a\u0000b"`,
		"\x00":                     `"\u0000"`,
		"\x1f\x7f":                 "\"\\u001f\x7f\"",
		"\b\f\n\r\t\"\\":           `"\b\f\n\r\t\"\\"`,
		"two\nlines":               `"two\nlines"`,
		"\"two\nlines\"":           `"\"two\nlines\""`,
		"{}{}":                     `"{}{}"`,
		"{\"a\":\"\xff\"}":         `"eyJhIjoi/yJ9"` + b64,
		"\xed\xa0\x80":             `"7aCA"` + b64, // half of a surrogate pair, as bytes
		"\xc0\x80":                 `"wIA="` + b64, // NUL as Java has it
		"\x00\x00\x00\x00\x01\xfe": `"AAAAAAH+"` + b64,
		deep:                       deep,
		"[" + deep + "]":           `"[` + deep + `]"`,
	} {
		got, err := enveloper(t, "value").Append(nil, &kgo.Record{Value: []byte(in)})
		if err != nil || string(got) != `{"value":`+want+"}\n" {
			t.Errorf("%.80q: %.80s %v; want %.80s", in, got, err, want)
		}
		got, err = enveloper(t, "key=value").Append(nil, &kgo.Record{Key: []byte(in)})
		if err != nil || string(got) != `{"value":`+want+"}\n" {
			t.Errorf("key %.80q: %.80s %v; want %.80s", in, got, err, want)
		}
	}
}

// TestEnvelopeSize puts envelopes at the limit and one byte above it, for each form.
func TestEnvelopeSize(t *testing.T) {
	c := enveloper(t, "value")
	const frame = len(`{"value":}` + "\n")
	for name, test := range map[string]struct{ unit, around string }{
		"json":   {"1", ""},
		"text":   {"a", `""`},
		"blanks": {"1", ""},
	} {
		n := batch.MaxRecordBytes - frame - len(test.around)
		for extra, fits := range map[int]bool{0: true, 1: false} {
			value := strings.Repeat(test.unit, n+extra)
			if name == "blanks" {
				value = "\n " + value + strings.Repeat(" ", 1_000_000)
			}
			got, err := c.Append([]byte("x"), &kgo.Record{Value: []byte(value)})
			var bad *BadRecord
			switch {
			case fits && (err != nil || len(got) != 1+batch.MaxRecordBytes):
				t.Errorf("%s: %d bytes, %v", name, len(got)-1, err)
			case !fits && (!errors.As(err, &bad) || bad.Reason != TooLarge || bad.Size != batch.MaxRecordBytes+1 || string(got) != "x" || cap(got) > 8):
				t.Errorf("%s: %v, %d appended", name, err, len(got)-1)
			}
		}
	}
}

// TestEnvelopeAllocates nothing for a record.
func TestEnvelopeAllocates(t *testing.T) {
	c, buf := enveloper(t, "id,topic,partition,offset,timestamp,timestamp_ms,key,headers,value,tombstone"), make([]byte, 0, 4<<10)
	for name, r := range envelopeRecords() {
		if n := testing.AllocsPerRun(100, func() { buf, _ = c.Append(buf[:0], r) }); n != 0 {
			t.Errorf("%s: %v allocations for each record", name, n)
		}
	}
}

func envelopeRecords() map[string]*kgo.Record {
	const object = `{"order":"a-1","customer":{"id":12345,"name":"Jürgen"},"lines":[{"sku":"x","n":1},{"sku":"y","n":2}],"note":"said \"no\"","total":12.50}`
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, []byte(object), "", "  "); err != nil {
		panic(err)
	}
	r := func(value []byte) *kgo.Record {
		return &kgo.Record{
			Topic: "orders", Partition: 12, Offset: 123456789, Timestamp: time.UnixMilli(1_769_846_400_007), Key: []byte("customer-12345"), Value: value,
			Headers: []kgo.RecordHeader{{Key: "traceparent", Value: []byte("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")}, {Key: "b", Value: []byte{0xff}}},
		}
	}
	return map[string]*kgo.Record{
		"json": r([]byte(object)), "pretty": r(pretty.Bytes()), "text": r([]byte(strings.Repeat("said \"no\"\n", 20))),
		"binary": r(bytes.Repeat([]byte{0, 0xff}, 100)), "tombstone": r(nil),
	}
}

// FuzzEnvelope: whatever a record holds, its envelope is one line, is JSON, is as
// long as was measured, and what was put in can be read from it.
func FuzzEnvelope(f *testing.F) {
	for _, r := range envelopeRecords() {
		f.Add(r.Key, r.Headers[0].Key, r.Headers[0].Value, r.Value, int64(7), int32(1), int64(1), uint8(0))
	}
	f.Add([]byte("{"), "\xff\"", []byte("\x00"), []byte("\"\\ud800\xff"), int64(1), int32(-1), int64(-1), uint8(1))
	forms := []string{"json", "text", "base64"}
	var all []*Converter
	for _, form := range forms {
		headers := strings.Replace(form, "json", "text", 1)
		all = append(all, enveloper(f, fmt.Sprintf("id,topic,partition,offset,timestamp,timestamp_ms,key:%s,headers:%s,value:%s,tombstone", form, headers, form)))
	}
	f.Fuzz(func(t *testing.T, key []byte, name string, header, value []byte, offset int64, partition int32, ms int64, form uint8) {
		r := &kgo.Record{
			Topic: "a.b-c_d", Partition: partition, Offset: offset, Timestamp: time.Unix(0, ms*1e6), // as the client does, overflow and all
			Key: key, Value: value, Headers: []kgo.RecordHeader{{Key: name, Value: header}, {Key: name}},
		}
		c := all[int(form)%len(all)]
		var m measuredRecord
		c.envelope.measureRecord(&m, r)
		line, err := c.Append(nil, r)
		if err != nil {
			t.Fatal(err)
		}
		if len(line) != m.size+1 {
			t.Fatalf("%d bytes were measured, %d written: %s", m.size+1, len(line), line)
		}
		if i := bytes.IndexFunc(line, func(r rune) bool { return r < ' ' }); i != len(line)-1 || !utf8.Valid(line) {
			t.Fatalf("not one line of UTF-8: %q", line)
		}
		var got struct {
			ID                         string
			Key, Value                 json.RawMessage
			KeyEncoding, ValueEncoding string
			Headers                    []struct{ Key, Value, ValueEncoding *string }
			Partition                  int32
			Offset                     int64
			Tombstone                  bool
		}
		plain := bytes.ReplaceAll(line, []byte("_encoding\":"), []byte("Encoding\":"))
		if err := json.Unmarshal(plain, &got); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		if got.ID != fmt.Sprintf("a.b-c_d-%d-%d", partition, offset) || got.Partition != partition || got.Offset != offset || got.Tombstone != (value == nil) || len(got.Headers) != 2 {
			t.Errorf("%s", line)
		}
		if bytes.Contains(value, []byte("_encoding")) || bytes.Contains(key, []byte("_encoding")) {
			return // what stood for the markers has changed it
		}
		wantBack(t, "key", key, got.Key, got.KeyEncoding)
		wantBack(t, "value", value, got.Value, got.ValueEncoding)
	})
}

// wantBack fails unless the member was made of want.
func wantBack(t *testing.T, name string, want []byte, got json.RawMessage, encoding string) {
	t.Helper()
	if want == nil {
		if string(got) != "null" {
			t.Errorf("%s is null and was written as %s", name, got)
		}
		return
	}
	var text string
	isText := json.Unmarshal(got, &text) == nil && got[0] == '"'
	switch {
	case encoding == "base64":
		if b, err := base64.StdEncoding.DecodeString(text); err != nil || !bytes.Equal(b, want) {
			t.Errorf("%s %q comes back as %q, %v", name, want, b, err)
		}
	case isText && text == string(want):
	default:
		var compact bytes.Buffer
		if err := json.Compact(&compact, want); err != nil || !bytes.Equal(compact.Bytes(), got) {
			t.Errorf("%s %q was written as %s, %v", name, want, got, err)
		}
	}
}

// BenchmarkEnvelope is one record, beside the same record in the format raw:
//
//	go test ./connector/convert -run '^$' -bench Envelope -benchmem
func BenchmarkEnvelope(b *testing.B) {
	raw, json := New(Config{Delimiter: "\n"}, nil), enveloper(b, "")
	buf := make([]byte, 0, 4<<10)
	for name, r := range envelopeRecords() {
		for format, c := range map[string]*Converter{"raw": raw, "json": json} {
			if r.Value == nil {
				continue
			}
			b.Run(name+"/"+format, func(b *testing.B) {
				b.ReportAllocs()
				b.SetBytes(int64(len(r.Value)))
				for b.Loop() {
					buf, _ = c.Append(buf[:0], r)
				}
			})
		}
	}
}
