package convert

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/connector/batch"
	"kafka-firehose/connector/env"
)

// TestClaimCheck: the envelope of a record with a claim check has the members of any other, in their order, and a null value.
// Without an envelope it tells where the record is.
func TestClaimCheck(t *testing.T) {
	t.Parallel()
	r := &kgo.Record{
		Topic: "orders", Partition: 3, Offset: 42, Timestamp: time.UnixMilli(1769846400123), Key: []byte("k"),
		Headers: []kgo.RecordHeader{{Key: "h", Value: []byte("v")}}, Value: bytes.Repeat([]byte("x"), batch.MaxRecordBytes+1),
	}
	claim := ClaimCheck{URL: "s3://b/p/orders/3/42-00", Bytes: len(r.Value), SHA256: "00ff", ContentType: "text/plain; charset=utf-8"}
	const envelopeMember = `"claim_check":{"url":"s3://b/p/orders/3/42-00","bytes":1024001,"sha256":"00ff","content_type":"text/plain; charset=utf-8"}}`
	const place = `"topic":"orders","partition":3,"offset":42,"timestamp":"2026-01-31T08:00:00.123Z",`
	for name, test := range map[string]struct {
		change func(*Config)
		want   string
	}{
		"raw":      {func(*Config) {}, `{"id":"orders-3-42",` + place + envelopeMember + "\n"},
		"decoded":  {func(c *Config) { c.Format, c.Delimiter = "avro", "" }, `{"id":"orders-3-42",` + place + envelopeMember},
		"envelope": {func(c *Config) { c.Format = "json" }, `{"id":"orders-3-42",` + place + `"key":"k","headers":[{"key":"h","value":"v"}],"value":null,` + envelopeMember + "\n"},
		"fields": {func(c *Config) {
			c.Format = "json"
			if err := c.Fields.Decode("value:base64=v,tombstone,id=i"); err != nil {
				t.Fatal(err)
			}
		}, `{"v":null,"tombstone":false,"i":"orders-3-42",` + envelopeMember + "\n"},
		"gzip": {func(c *Config) {
			c.Format, c.Aggregate, c.Compression, c.Fields = "json", true, "gzip", Fields{{Source: "id", Name: "id"}}
		}, `{"id":"orders-3-42",` + envelopeMember + "\n"},
	} {
		var cfg Config
		env.SetDefaults(&cfg)
		test.change(&cfg)
		c := New(cfg, nil)
		got, err := c.AppendClaimCheck([]byte("before "), r, claim)
		if err != nil || string(got) != "before "+test.want {
			t.Errorf("%s: %v\ngot  %s\nwant before %s", name, err, got, test.want)
		}
		if !json.Valid(bytes.TrimPrefix(got, []byte("before "))) {
			t.Errorf("%s: no JSON", name)
		}
	}
}

// TestClaimCheckOfALargeKey: a key that Firehose does not take is no better with a claim check, up to the last byte.
func TestClaimCheckOfALargeKey(t *testing.T) {
	t.Parallel()
	var cfg Config
	env.SetDefaults(&cfg)
	cfg.Format = "json"
	c := New(cfg, nil)
	r := &kgo.Record{Topic: "t", Value: []byte("v")}
	empty, err := c.AppendClaimCheck(nil, r, ClaimCheck{})
	if err != nil {
		t.Fatal(err)
	}
	r.Key = []byte(strings.Repeat("k", batch.MaxRecordBytes-len(empty)+len("null")-len(`""`)))
	got, err := c.AppendClaimCheck(nil, r, ClaimCheck{})
	if err != nil || len(got) != batch.MaxRecordBytes {
		t.Errorf("%d bytes, %v; want all that Firehose takes", len(got), err)
	}
	r.Key = append(r.Key, 'k')
	got, err = c.AppendClaimCheck([]byte("x"), r, ClaimCheck{})
	if bad, ok := errors.AsType[*BadRecord](err); !ok || bad.Reason != TooLarge || string(got) != "x" {
		t.Errorf("%q, %v; want a record that is too large", got[:min(len(got), 9)], err)
	}
}

// TestContentType: values are judged as the envelope judges them; those that name a schema have a framing of their own.
func TestContentType(t *testing.T) {
	t.Parallel()
	var cfg Config
	env.SetDefaults(&cfg)
	raw := New(cfg, nil)
	cfg.Format = "avro"
	avro := New(cfg, nil)
	for value, want := range map[string]string{`{"a": 1}`: "application/json", "text": "text/plain; charset=utf-8", "\xff": "application/octet-stream"} {
		if got := raw.ContentType([]byte(value)); got != want {
			t.Errorf("%q is %s, want %s", value, got, want)
		}
		if got := avro.ContentType([]byte(value)); got != "application/octet-stream" {
			t.Errorf("%q in Avro is %s", value, got)
		}
	}
}
