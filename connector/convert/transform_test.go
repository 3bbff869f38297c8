package convert

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/connector/batch"
	"kafka-firehose/connector/convert/jsontext"
	"kafka-firehose/connector/env"
)

// transformer is a Converter with a change of the defaults.
func transformer(t testing.TB, lookup SchemaLookup, change func(*Config)) *Converter {
	t.Helper()
	c := configForValidate()
	change(&c)
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	return New(c, lookup)
}

// withFilter sets a filter and a format.
func withFilter(t testing.TB, format, expression string) func(*Config) {
	t.Helper()
	return func(c *Config) {
		c.Format = format
		if err := c.Filter.Decode(expression); err != nil {
			t.Fatal(err)
		}
	}
}

// outcome describes what Append made of a record.
func outcome(t testing.TB, c *Converter, r *kgo.Record) string {
	t.Helper()
	out, err := c.Append([]byte("before "), r)
	if err == nil {
		return strings.TrimSuffix(strings.TrimPrefix(string(out), "before "), "\n")
	}
	if string(out) != "before " {
		t.Errorf("%q was appended with the error %v", out, err)
	}
	if bad, ok := errors.AsType[*BadRecord](err); ok {
		return string(bad.Reason)
	}
	return err.Error()
}

// TestFilter: a record that matches is sent as it would be without a filter.
func TestFilter(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ format, expression, value, want string }{
		{"raw", `value.a > 1`, ` {"a" : 2}`, ` {"a" : 2}`},
		{"raw", `value.a > 1`, `{"a":1}`, "filtered"},
		{"raw", `value.a > 1`, `{"b":1}`, "filter_failed"},
		{"raw", `value.a > 1`, `{"a":2`, "filter_failed"},
		{"raw", `value.a > 1`, "{\"a\":2,\"b\":\"\xff\"}", "filter_failed"},
		{"raw", `size < 4`, "\xff\xfe", "\xff\xfe"},
		{"raw", `topic == "t" || value.a > 1`, "\xff", "\xff"},
		{"raw", `headers.h == "x"`, "v", "v"},
		{"raw", `key == "other"`, "v", "filtered"},
		{"raw", `value == "text"`, `"text"`, `"text"`},
		{"json", `value.a > 1`, ` {"a" : 2}`, `{"id":"t-0-0","value":{"a":2}}`},
		{"json", `value.a > 1`, `{"a":1}`, "filtered"},
		{"json", `key == "k"`, "no JSON", `{"id":"t-0-0","value":"no JSON"}`},
		{"json-schema", `value.a > 1`, "\x00\x00\x00\x00\x01 {\"a\": 2}", `{"a":2}`},
		{"json-schema", `value.a > 1`, "\x00\x00\x00\x00\x01{\"a\":1}", "filtered"},
		{"json-schema", `value.a > 1`, "no framing", "undecodable"},
		{"json-schema", `topic == "other" && value.a > 1`, "no framing", "filtered"},
	} {
		c := transformer(t, nil, func(c *Config) {
			withFilter(t, test.format, test.expression)(c)
			if test.format == "json" {
				c.Fields = Fields{{Source: "id", Name: "id"}, {Source: "value", Form: "json", Name: "value"}}
			}
		})
		r := &kgo.Record{Topic: "t", Key: []byte("k"), Headers: []kgo.RecordHeader{{Key: "h", Value: []byte("x")}}, Value: []byte(test.value)}
		for range 2 { // buffers of the first record serve the second
			if got := outcome(t, c, r); got != test.want {
				t.Errorf("%s, %s, %q: %q, want %q", test.format, test.expression, test.value, got, test.want)
			}
		}
	}
}

// TestFilterOfTombstones: RECORD_TOMBSTONES comes first; the filter sees those that would be sent, with a null value.
func TestFilterOfTombstones(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ policy, expression, want string }{
		{"skip", `false`, "tombstone"},
		{"bad", `false`, "tombstone"},
		{"envelope", `value == null`, `{"value":null}`},
		{"envelope", `value != null && value.a == 1`, "filtered"},
		{"envelope", `value.a == 1`, "filter_failed"},
	} {
		c := transformer(t, nil, func(c *Config) {
			withFilter(t, "json", test.expression)(c)
			c.Tombstones, c.Fields = test.policy, Fields{{Source: "value", Form: "json", Name: "value"}}
		})
		if got := outcome(t, c, &kgo.Record{}); got != test.want {
			t.Errorf("%s, %s: %s, want %s", test.policy, test.expression, got, test.want)
		}
	}
}

// TestFilterWaitsForSchemas: a schema that is not here yet is fetched before the filter decides. One that does not exist
// makes the record bad, and not the filter's failure.
func TestFilterWaitsForSchemas(t *testing.T) {
	t.Parallel()
	value := []byte{0, 0, 0, 0, 7, 2}
	for want, err := range map[string]error{
		"the schema 7 is not here yet": &MissingSchema{SchemaRef{ID: 7}},
		"unknown_schema":               UnusableSchema(SchemaRef{ID: 7}, UnknownSchema, errors.New("gone")),
	} {
		c := transformer(t, func(SchemaRef) (Schema, error) { return nil, err }, withFilter(t, "avro", `value.a == 1 || true`))
		if got := outcome(t, c, &kgo.Record{Value: value}); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// TestFilterOfSchemaKeys: a key with a schema is decoded for the filter, and once more for the envelope.
func TestFilterOfSchemaKeys(t *testing.T) {
	t.Parallel()
	c := transformer(t, nil, func(c *Config) {
		withFilter(t, "json", `key.id == 7`)(c)
		c.KeyFormat, c.Fields = "json-schema", Fields{{Source: "key", Form: "json", Name: "k"}}
	})
	for key, want := range map[string]string{`{"id":7}`: `{"k":{"id":7}}`, `{"id":8}`: "filtered", `{`: "undecodable"} {
		if got := outcome(t, c, &kgo.Record{Key: append([]byte{0, 0, 0, 0, 1}, key...), Value: []byte("v")}); got != want {
			t.Errorf("%s: %s, want %s", key, got, want)
		}
	}
}

// withMask sets a mask, its key and a format.
func withMask(t testing.TB, format, rules string) func(*Config) {
	t.Helper()
	return func(c *Config) {
		c.Format = format
		if err := c.Mask.Decode(rules); err != nil {
			t.Fatal(err)
		}
		if c.Mask.HasDigest() {
			c.MaskSecret = env.NewSecret("0123456789abcdef")
		}
	}
}

// TestMask: a masked value is sent in every format, and one that can't be masked in none.
func TestMask(t *testing.T) {
	t.Parallel()
	const framed = "\x00\x00\x00\x00\x01"
	for _, test := range []struct{ format, value, want string }{
		{"raw", ` { "a" : "planted", "b" : 1 }`, `{"b":1}`},
		{"raw", `[{"a":"planted"}]`, `[{}]`},
		{"raw", `{"a":"planted"`, "undecodable"},
		{"raw", "{\"a\":\"planted\",\"b\":\"\xff\"}", "undecodable"},
		{"raw", `a planted text`, "undecodable"},
		{"raw", ``, "undecodable"},
		{"raw", strings.Repeat("[", 600) + `{"a":"planted"}` + strings.Repeat("]", 600), "undecodable"},
		{"json", `{"a":"planted","b":1}`, `{"value":{"b":1}}`},
		{"json", `{"a":"planted"`, "undecodable"},
		{"json", "\ufeff{\"a\":\"planted\"}", "undecodable"},
		{"json-schema", framed + `{"a":"planted","b":1}`, `{"b":1}`},
		{"json-schema", framed + `{"a":"planted"`, "undecodable"},
		{"json-schema", `{"a":"planted"}`, "undecodable"},
		{"raw", `{"a":"planted","b":"` + strings.Repeat("x", batch.MaxRecordBytes) + `"}`, "too_large"},
		{"raw", `{"a":"` + strings.Repeat("x", batch.MaxRecordBytes) + `","b":1}`, `{"b":1}`},
	} {
		c := transformer(t, nil, func(c *Config) {
			withMask(t, test.format, "a=drop")(c)
			if test.format == "json" {
				c.Fields = Fields{{Source: "value", Form: "json", Name: "value"}}
			}
		})
		r := &kgo.Record{Value: []byte(test.value)}
		if got := outcome(t, c, r); got != test.want {
			t.Errorf("%s %.100q: %.100q, want %q", test.format, test.value, got, test.want)
		}
		if _, err := c.Append(nil, r); err != nil && strings.Contains(err.Error(), "planted") {
			t.Errorf("the error repeats the value: %v", err)
		}
	}
}

// TestMaskAndFilter: the filter sees a value before it is masked. A tombstone has nothing to mask.
func TestMaskAndFilter(t *testing.T) {
	t.Parallel()
	c := transformer(t, nil, func(c *Config) {
		withFilter(t, "json", `value == null || value.a == "x"`)(c)
		withMask(t, "json", "a=sha256,b=redact")(c)
		c.Tombstones, c.Fields = "envelope", Fields{{Source: "value", Form: "json", Name: "value"}}
	})
	for value, want := range map[string]string{
		`{"a":"x","b":[1]}`: `{"value":{"a":"` + "3bd7c4a1" + `","b":["***"]}}`,
		`{"a":"y"}`:         "filtered",
		"":                  `{"value":null}`,
	} {
		r := &kgo.Record{}
		if value != "" {
			r.Value = []byte(value)
		}
		got := outcome(t, c, r)
		if before, after, ok := strings.Cut(got, `"a":"`); ok && len(after) > 64 {
			got = before + `"a":"3bd7c4a1` + after[64:]
		}
		if got != want {
			t.Errorf("%s: %s, want %s", value, got, want)
		}
	}
}

// TestMaskWithoutKey: while the key can't be read nothing is sent, and no record is bad for it.
func TestMaskWithoutKey(t *testing.T) {
	t.Parallel()
	cfg := configForValidate()
	withMask(t, "raw", "a=sha256")(&cfg)
	cfg.MaskSecret = env.NewSecretFile("RECORD_MASK_SECRET", "/nowhere/key")
	out, err := New(cfg, nil).Append(nil, &kgo.Record{Value: []byte(`{"a":1}`)})
	if _, bad := errors.AsType[*BadRecord](err); err == nil || bad || len(out) > 0 || !strings.Contains(err.Error(), "RECORD_MASK_SECRET_FILE") {
		t.Errorf("%s, %v", out, err)
	}
}

// withUnwrap sets RECORD_UNWRAP and a format, whose envelope has the value and the mark of tombstones.
func withUnwrap(format, mode string) func(*Config) {
	return func(c *Config) {
		c.Format, c.Unwrap = format, mode
		if format == "json" {
			c.Fields = Fields{{Source: "value", Form: "json", Name: "value"}, {Source: "tombstone", Name: "gone"}}
		}
	}
}

// TestUnwrap: an unwrapped value is sent in every format as one line, and one in another envelope in none.
func TestUnwrap(t *testing.T) {
	t.Parallel()
	const (
		framed = "\x00\x00\x00\x00\x01"
		row    = `{"id":12345678901234567890,"x":"\u0041 \ud800","x":1e400}`
		made   = `{"__op":"update","__offset":9,"__ts_ms":5,"__source":{"ts_ms":5},"id":12345678901234567890,"x":"\u0041 \ud800","x":1e400}`
		event  = `{"op":"u","before":{"id":"planted"},"after":` + row + `,"source":{"ts_ms":5}}`
	)
	for _, test := range []struct{ format, mode, value, want string }{
		{"raw", "connect", `{"schema":null,"payload":` + row + `}`, row},
		{"raw", "connect", " {\n\t\"schema\": null,\r\n \"payload\": {\"a b\": [1, 2]}} ", `{"a b":[1,2]}`},
		{"raw", "connect", `{"schema":null,"payload":"text"}`, `"text"`},
		{"json", "connect", `{"schema":null,"payload":` + row + `}`, `{"value":` + row + `,"gone":false}`},
		{"json-schema", "connect", framed + `{"schema":null,"payload":` + row + `}`, row},
		{"raw", "debezium", event, made},
		{"raw", "debezium", strings.ReplaceAll(event, `,"`, ",\n\t\""), made},
		{"json", "debezium", `{"schema":null,"payload":` + event + `}`, `{"value":` + made + `,"gone":false}`},
		{"json-schema", "debezium", framed + event, made},
		{"raw", "connect", `{"schema":null,"payload":"planted"`, "unwrap_failed"},
		{"raw", "connect", `{"schema":null,"payload":{"planted":1},"more":1}`, "unwrap_failed"},
		{"raw", "connect", "{\"schema\":null,\"payload\":\"planted\xff\"}", "unwrap_failed"},
		{"raw", "debezium", `{"planted":1}`, "unwrap_failed"},
		{"raw", "debezium", ``, "unwrap_failed"},
		{"raw", "debezium", "planted", "unwrap_failed"},
		{"raw", "debezium", `{"op":"c","after":{"__op":"planted"}}`, "unwrap_failed"},
		{"raw", "debezium", `{"op":"c","after":{"a":` + strings.Repeat("[", 600) + strings.Repeat("]", 600) + `}}`, "unwrap_failed"},
		{"json-schema", "debezium", framed + `{"planted":1}`, "unwrap_failed"},
		{"json-schema", "debezium", framed + `{"planted"`, "undecodable"},
		{"json-schema", "debezium", event, "undecodable"},
		{"raw", "debezium", `{"op":"u","before":{"a":"` + strings.Repeat("x", batch.MaxRecordBytes-100) + `"},"after":{"a":1}}`, `{"__op":"update","__offset":9,"__ts_ms":null,"__source":null,"a":1}`},
		{"json-schema", "debezium", framed + `{"op":"u","before":{"a":"` + strings.Repeat("x", batch.MaxRecordBytes+100) + `"},"after":{"a":1}}`, `{"__op":"update","__offset":9,"__ts_ms":null,"__source":null,"a":1}`},
		{"raw", "debezium", `{"op":"u","before":{"a":"` + strings.Repeat("x", maxUntransformed) + `"},"after":{"a":1}}`, "too_large"},
		{"raw", "debezium", ` { "op":"u","before":{"a":"` + strings.Repeat("x", maxUntransformed) + `"},"after":{"a":1}}`, "too_large"},
		{"raw", "debezium", `{"op":"u","after":{"a":1}` + strings.Repeat(" ", 2*maxUntransformed) + `}`, `{"__op":"update","__offset":9,"__ts_ms":null,"__source":null,"a":1}`},
		{"raw", "debezium", `{"op":"u","after":{"a":"` + strings.Repeat("x", batch.MaxRecordBytes-100) + `"},"source":{"a":"` + strings.Repeat("x", 100) + `"}}`, "too_large"},
	} {
		c := transformer(t, nil, withUnwrap(test.format, test.mode))
		r := &kgo.Record{Value: []byte(test.value), Offset: 9}
		for range 2 { // buffers of the first record serve the second
			if got := outcome(t, c, r); got != test.want {
				t.Errorf("%s, %s %.200q: %.200q, want %q", test.format, test.mode, test.value, got, test.want)
			}
		}
		if string(r.Value) != test.value {
			t.Errorf("%s, %s %.200q: the record is changed", test.format, test.mode, test.value)
		}
		if _, err := c.Append(nil, r); err != nil && strings.Contains(err.Error(), "planted") {
			t.Errorf("the error repeats the value: %v", err)
		}
	}
}

// TestLargeBeforeTransformation: a value that is too large for Firehose as it is decoded, or as zlib decompresses it, is filtered and masked,
// and only what is left of it has to fit.
func TestLargeBeforeTransformation(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		size                   int
		filter, mask, expected string
	}{
		{batch.MaxRecordBytes, `true`, "a=drop", `{"b":1}`},
		{batch.MaxRecordBytes, `value.b == 1`, "a=redact", `{"a":"***","b":1}`},
		{batch.MaxRecordBytes, `value.b == 2`, "c=drop", "filtered"},
		{batch.MaxRecordBytes, `value.b == 1`, "c=drop", "too_large"},
		{maxUntransformed, `true`, "a=drop", "too_large"},
	} {
		c := transformer(t, nil, func(c *Config) {
			withMask(t, "json-schema", test.mask)(c)
			withFilter(t, "json-schema", test.filter)(c)
		})
		value := []byte(`{"a":"` + strings.Repeat("x", test.size) + `","b":1}`)
		if got := outcome(t, c, &kgo.Record{Value: append([]byte{0, 0, 0, 0, 1}, value...)}); got != test.expected {
			t.Errorf("%d bytes, %s, %s: %.100s, want %s", test.size, test.filter, test.mask, got, test.expected)
		}
		c.SetFraming(Glue, false)
		if got := outcome(t, c, &kgo.Record{Value: glued(t, glueZlib, value)}); got != test.expected {
			t.Errorf("%d bytes by zlib, %s, %s: %.100s, want %s", test.size, test.filter, test.mask, got, test.expected)
		}
	}
}

// TestUnwrapNull: a payload that is null is a tombstone, as a value that is null.
func TestUnwrapNull(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"connect", "debezium"} {
		for policy, want := range map[string]string{"skip": "tombstone", "bad": "tombstone", "envelope": `{"value":null,"gone":true}`} {
			for _, value := range []string{`{"schema":{"type":"struct"},"payload":null}`, ` null `, "\x00"} {
				for _, expression := range []string{"", `value == null || value.a == 1`} {
					c := transformer(t, nil, func(c *Config) {
						withUnwrap("json", mode)(c)
						c.Tombstones = policy
						if expression != "" {
							withFilter(t, "json", expression)(c)
						}
					})
					r := &kgo.Record{Value: []byte(value)}
					if value == "\x00" {
						r.Value = nil
					}
					if got := outcome(t, c, r); got != want {
						t.Errorf("%s, %s, %q, %s: %s, want %s", mode, policy, value, expression, got, want)
					}
				}
			}
		}
	}
}

// TestOrderOfTransformations: values are unwrapped, then filtered, then masked, and put into the envelope last. What the filter
// leaves out without a look at the value is not unwrapped.
func TestOrderOfTransformations(t *testing.T) {
	t.Parallel()
	c := transformer(t, nil, func(c *Config) {
		withMask(t, "json", "name=redact,__source.query=drop")(c)
		withFilter(t, "json", `topic == "rows" && value.__op != "delete" && value.name == "planted" && value.__source.table == "t"`)(c)
		withUnwrap("json", "debezium")(c)
	})
	const source = `,"source":{"table":"t","query":"planted"}}`
	for _, test := range []struct{ topic, value, want string }{
		{"rows", `{"op":"u","after":{"name":"planted"}` + source, `{"value":{"__op":"update","__offset":0,"__ts_ms":null,"__source":{"table":"t"},"name":"***"},"gone":false}`},
		{"rows", `{"schema":null,"payload":{"op":"c","after":{"name":"planted"}` + source + `}`, `{"value":{"__op":"insert","__offset":0,"__ts_ms":null,"__source":{"table":"t"},"name":"***"},"gone":false}`},
		{"rows", `{"op":"d","before":{"name":"planted"}` + source, "filtered"},
		{"rows", `{"op":"u","after":{"name":"another"}` + source, "filtered"},
		{"rows", `{"op":"u","after":{}` + source, "filter_failed"},
		{"rows", `{"op":"t","after":{"name":"planted"}` + source, "unwrap_failed"},
		{"rows", `{"name":"planted"}`, "unwrap_failed"},
		{"others", `planted`, "filtered"},
	} {
		if got := outcome(t, c, &kgo.Record{Topic: test.topic, Value: []byte(test.value)}); got != test.want {
			t.Errorf("%s %s: %s, want %s", test.topic, test.value, got, test.want)
		}
	}
}

// TestUnwrapDocumented: the event in the documentation becomes the row beside it.
func TestUnwrapDocumented(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../deploy/docs/transform.md")
	if err != nil {
		t.Fatal(err)
	}
	var example []string
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, `{"before":`) || strings.HasPrefix(line, `{"__op":`) {
			example = append(example, line)
		}
	}
	if len(example) != 2 {
		t.Fatalf("%d lines of the example, want 2", len(example))
	}
	r := &kgo.Record{Value: []byte(example[0]), Offset: 42}
	if got := outcome(t, transformer(t, nil, withUnwrap("raw", "debezium")), r); got != example[1] {
		t.Errorf("the event becomes %s, and not %s", got, example[1])
	}
}

// TestUnwrapAllocates: to unwrap a record costs no memory in the long run. The race detector, which runs with -short, empties pools at
// random.
func TestUnwrapAllocates(t *testing.T) {
	limit := 0.0
	if testing.Short() {
		limit = 5
	}
	for _, format := range []string{"raw", "json"} {
		c, buf := transformer(t, nil, withUnwrap(format, "debezium")), make([]byte, 0, 1000)
		r := &kgo.Record{Value: []byte(`{"op":"u","after":{"a":1}}`)}
		if n := testing.AllocsPerRun(1000, func() { buf, _ = c.Append(buf[:0], r) }); n > limit || len(buf) == 0 {
			t.Errorf("%s: %v allocations", format, n)
		}
	}
}

// FuzzUnwrap: whatever a value is, a record with it is one line of JSON, or bad.
func FuzzUnwrap(f *testing.F) {
	f.Add([]byte(`{"op":"u","after":{"a":1},"source":{"ts_ms":5}}`), uint8(0))
	f.Add([]byte(" {\n\"schema\" : null , \"payload\" : {\"op\":\"d\",\"before\":\"{}\"}}"), uint8(7))
	f.Fuzz(func(t *testing.T, value []byte, which uint8) {
		c := transformer(t, nil, func(c *Config) {
			if which&1 != 0 {
				withMask(t, "raw", "a=redact,__source=drop")(c)
			}
			if which&2 != 0 {
				withFilter(t, "raw", `!has(value.a) || value.a != 2`)(c)
			}
			withUnwrap([]string{"raw", "json"}[which>>2&1], []string{"connect", "debezium"}[which>>3&1])(c)
		})
		r := &kgo.Record{Value: value, Offset: 7}
		out, err := c.Append([]byte("x"), r)
		if _, bad := errors.AsType[*BadRecord](err); err != nil && !bad || err != nil && string(out) != "x" {
			t.Fatalf("%q: %q, %v", value, out, err)
		}
		if err != nil {
			return
		}
		line := strings.TrimSuffix(string(out[1:]), "\n")
		if blanks, ok := jsontext.ScanDocument([]byte(line)); !ok || blanks > 0 {
			t.Fatalf("%q: %q is no line of JSON", value, line)
		}
	})
}

// TestWithoutTransformation: without filter a record costs no allocation.
func TestWithoutTransformation(t *testing.T) {
	c, r, buf := transformer(t, nil, func(*Config) {}), &kgo.Record{Value: []byte("v")}, make([]byte, 0, 100)
	if n := testing.AllocsPerRun(100, func() { buf, _ = c.Append(buf[:0], r) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// wrapped returns an envelope with a value in it.
func wrapped(mode string, value []byte) []byte {
	if mode == "connect" {
		return fmt.Appendf(nil, `{"schema":null,"payload":%s}`, value)
	}
	return fmt.Appendf(nil, `{"before":null,"after":%s,"source":{"connector":"postgresql","ts_ms":1767225600123,"table":"orders","lsn":33227776},"op":"c","ts_ms":1}`, value)
}

// BenchmarkTransform is a value of 1 KiB, with and without what can be done to it:
//
//	go test ./connector/convert -run '^$' -bench Transform -benchmem
func BenchmarkTransform(b *testing.B) {
	value := []byte(`{"id":123456,"status":"paid","user":{"name":"Ann Example","email":"ann@example.com"},"lines":[{"sku":"x","n":1},{"sku":"y","n":2}],"text":"` + strings.Repeat("words and words ", 54) + `"}`)
	r := &kgo.Record{Topic: "orders", Value: value}
	for _, test := range []struct {
		name   string
		change func(*Config)
	}{
		{"raw", func(*Config) {}},
		{"filter-topic", withFilter(b, "raw", `topic == "orders"`)},
		{"filter-value", withFilter(b, "raw", `value.status == "paid"`)},
		{"mask-drop", withMask(b, "raw", "user.email=drop")},
		{"unwrap-connect", withUnwrap("raw", "connect")},
		{"unwrap-debezium", withUnwrap("raw", "debezium")},
		{"mask-sha256", withMask(b, "raw", "user.email=sha256")},
	} {
		b.Run(test.name, func(b *testing.B) {
			r := &kgo.Record{Topic: r.Topic, Value: r.Value}
			if mode, ok := strings.CutPrefix(test.name, "unwrap-"); ok {
				r.Value = wrapped(mode, value)
			}
			c, buf := transformer(b, nil, test.change), make([]byte, 0, 4<<10)
			b.SetBytes(int64(len(value)))
			b.ReportAllocs()
			for b.Loop() {
				var err error
				if buf, err = c.Append(buf[:0], r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
