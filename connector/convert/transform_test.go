package convert

import (
	"errors"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

// transformer is a Converter with a change of the defaults.
func transformer(t testing.TB, lookup Lookup, change func(*Config)) *Converter {
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
	if reject, ok := errors.AsType[*Reject](err); ok {
		return string(reject.Reason)
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
		"the schema 7 is not here yet": &Missing{Ref{ID: 7}},
		"unknown_schema":               Unusable(Ref{ID: 7}, UnknownSchema, errors.New("gone")),
	} {
		c := transformer(t, func(Ref) (Schema, error) { return nil, err }, withFilter(t, "avro", `value.a == 1 || true`))
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

// TestWithoutTransformation: without filter a record costs no allocation.
func TestWithoutTransformation(t *testing.T) {
	c, r, buf := transformer(t, nil, func(*Config) {}), &kgo.Record{Value: []byte("v")}, make([]byte, 0, 100)
	if n := testing.AllocsPerRun(100, func() { buf, _ = c.Append(buf[:0], r) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
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
	} {
		b.Run(test.name, func(b *testing.B) {
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
