package e2e_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr"

	"kafka-firehose/connector"
	"kafka-firehose/connector/convert"
	"kafka-firehose/connector/recovery"
)

// withOptions sets FIREHOSE_STREAM_OPTIONS, and wants the configuration to be one without faults.
func withOptions(t *testing.T, options string) func(*connector.Config) {
	t.Helper()
	return func(c *connector.Config) {
		t.Helper()
		if err := c.Firehose.StreamOptions.Decode(options); err != nil {
			t.Fatal(err)
		}
		if err := c.Validate(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestStreamsThatDiffer: one stream has decoded values, one a record, and the other packs and compresses values as they
// are. Each keeps its format through refused records, and the registry's outage holds up its own stream alone.
func TestStreamsThatDiffer(t *testing.T) {
	bubble(t, func(w *world) {
		r := w.decodes()
		made := w.judge.made
		w.judge.made = func(r *kgo.Record) string {
			if r.Topic == w.in {
				return made(r)
			}
			return string(r.Value)
		}
		r.down.Store(true)
		m := w.start(w.twoStreams(), avroFormat, withOptions(t, `{"other": {"format": "raw", "aggregate": true, "compression": "gzip", "aggregate_max_records": 1000}}`))
		const n = 4000
		w.produceWith(0, n, func(i int) *kgo.Record {
			if i%2 == 0 {
				return avroNumber(i, 1)
			}
			return &kgo.Record{Topic: "good", Partition: int32(i / 2 % 2), Value: fmt.Appendf(nil, "%d", i)}
		})
		time.Sleep(time.Minute)
		if got := w.committed(); got != n/2 {
			t.Errorf("%d committed while the registry is down, want those of the stream without schemas, %d", got, n/2)
		}
		r.down.Store(false)
		w.untilCommitted(n)
		s := m.connector.Status()
		var formats []string
		for _, stream := range s.Streams {
			formats = append(formats, stream.Name+": "+stream.Format)
		}
		if diff := cmp.Diff([]string{"other: raw, aggregated, gzip", "s: avro"}, formats); diff != "" {
			t.Error(diff)
		}
		m.mustStop()
		w.wantExactly(n)
		stats := w.stream.Stats().Streams
		if single, packed := stats["s"].Records, stats["other"].Records; single != n/2 || packed > 20 {
			t.Errorf("%d records of single values and %d of packed ones", single, packed)
		}
	})
}

// TestSchemaOfAnotherStream: a value whose schema is of a kind that another stream reads is bad, and not read as
// something else.
func TestSchemaOfAnotherStream(t *testing.T) {
	bubble(t, func(w *world) {
		w.decodes().SeedSchema("good-value", 1, 3, sr.Schema{Type: sr.TypeProtobuf, Schema: `syntax = "proto3"; message R { int64 n = 1; }`})
		m := w.start(w.twoStreams(), avroFormat, withOptions(t, `{"other": {"format": "protobuf"}}`), func(c *connector.Config) { c.BadRecordPolicy = "skip" })
		w.judge.made = func(r *kgo.Record) string {
			if r.Topic == w.in {
				return byPlace(r)
			}
			return "of the other stream"
		}
		w.produceWith(0, 400, func(i int) *kgo.Record { return avroNumber(i, 1) })
		w.produceWith(400, 401, func(int) *kgo.Record { return avroNumber(400, 3) }) // would be read as the number 400
		w.judge.allow(place{part{w.in, 0}, 100})
		w.produceWith(0, 1, func(int) *kgo.Record {
			return &kgo.Record{Topic: "good", Value: binary.AppendVarint([]byte{0, 0, 0, 0, 1, 0}, 7)} // as Protobuf it is a message of field 1
		})
		w.judge.allow(place{part{w.name("good"), 0}, 0})
		w.untilCommitted(402)
		m.mustStop()
		if got := m.metric("records_skipped_total", "undecodable"); got != 2 {
			t.Errorf("%v records are bad, want 2", got)
		}
		for _, want := range []string{
			"schema 3: the registry has it as protobuf, and the records are to be avro", "schema 1: the registry has it as avro, and the records are to be protobuf",
		} {
			if !strings.Contains(w.log.String(), want) {
				t.Errorf("the log does not say %q", want)
			}
		}
	})
}

// TestStreamRecordOptions: the settings of the environment are the defaults, and each wrong combination names the
// stream and the option.
func TestStreamRecordOptions(t *testing.T) {
	json := func(c *connector.Config) { c.Record.Format = "json" }
	compressed := func(c *connector.Config) {
		c.Record.Aggregate, c.Record.Compression, c.Record.AggregateMaxRecords = true, "gzip", 1000
	}
	fields := func(c *connector.Config) {
		c.Record.Fields = convert.Fields{{Source: "id", Name: "id"}, {Source: "value", Form: "base64", Name: "value"}}
	}
	for _, test := range []struct {
		name, options string
		change        func(*connector.Config)
		want          string // empty if that is allowed
	}{
		{"another format", `"b": {"format": "json"}`, nil, ""},
		{"a format that there isn't", `"b": {"format": "jsom"}`, nil, `stream "b": format holds "jsom": want raw, json, avro, protobuf or json-schema`},
		{"no switch", `"b": {"aggregate": "perhaps"}`, nil, `stream "b": aggregate holds "perhaps": want true or false`},
		{"no number", `"b": {"aggregate_max_records": "many"}`, nil, `stream "b": aggregate_max_records holds "many": want a whole number`},
		{"no delimiter", `"b": {"delimiter": "\\q"}`, nil, `stream "b": delimiter holds "\\q": want text with no other escapes than \n \r \t \0 \xHH and \\, or none`},
		{"a delimiter as JSON has it", `"b": {"delimiter": "\t"}`, nil, ""},
		{"another envelope of values", `"b": {"unwrap": "debezium"}`, nil, ""},
		{"an envelope of values that there isn't", `"b": {"unwrap": "dbz"}`, nil, `stream "b": unwrap holds "dbz": want none, connect or debezium`},
		{"Connect's envelope of values with a schema", `"b": {"unwrap": "connect", "format": "avro"}`, func(c *connector.Config) { c.Schema.URLs = []string{"http://registry:8081"} }, `stream "b": unwrap holds "connect": values in avro have their schema in the registry and not in an envelope; want debezium or none`},
		{"compressed one by one", `"b": {"compression": "gzip"}`, nil, `stream "b": compression holds "gzip": single values compress badly, so only aggregated records are compressed; want RECORD_AGGREGATE=true too`},
		{"not aggregated, although all are compressed", `"b": {"aggregate": false}`, compressed, `stream "b": RECORD_COMPRESSION holds "gzip": single values compress badly, so only aggregated records are compressed; want aggregate=true too`},
		{"not compressed, and with too many values", `"b": {"compression": "none"}`, compressed, `stream "b": RECORD_AGGREGATE_MAX_RECORDS holds "1000": want 1 to 500`},
		{"not compressed, and with fewer values", `"b": {"compression": "none", "aggregate_max_records": 500}`, compressed, ""},
		{"aggregated without a delimiter", `"b": {"aggregate": true, "delimiter": "none"}`, nil, `stream "b": aggregate holds "true": delimiter is none, and values without a delimiter can't be told apart again; want false, or a delimiter`},
		{"a delimiter that JSON contains", `"b": {"format": "json"}`, func(c *connector.Config) { c.Record.Delimiter = "," }, `stream "b": RECORD_DELIMITER holds ",": JSON can contain it, so that the lines could not be told apart; want control characters such as \n, or none`},
		{"tombstones of all in an envelope", `"b": {"format": "raw"}`, func(c *connector.Config) { json(c); c.Record.Tombstones = "envelope" }, `stream "b": RECORD_TOMBSTONES holds "envelope": there is no envelope; want format json too, or skip or bad here`},
		{"tombstones of its own", `"b": {"format": "raw", "tombstones": "skip"}`, func(c *connector.Config) { json(c); c.Record.Tombstones = "envelope" }, ""},
		{"fields of the environment for one stream", `"b": {"format": "json"}`, fields, ""},
		{"fields of the environment for none", `"b": {"format": "json", "fields": "id"}`, fields, `RECORD_FIELDS holds "id,value:base64": there is no envelope to choose them for; want RECORD_FORMAT json too, or nothing here`},
		{"fields for nothing", `"b": {"fields": "id"}`, json, ""},
		{"fields without an envelope", `"b": {"fields": "id"}`, nil, `stream "b": fields holds "id": there is no envelope to choose them for; want RECORD_FORMAT json too, or nothing here`},
		{"fields in a form that decoded values don't have", `"b": {"format": "avro", "envelope": true}`, func(c *connector.Config) { fields(c); json(c); c.Schema.URLs = []string{"http://registry:8081"} }, `stream "b": RECORD_FIELDS holds "id,value:base64": value is decoded and so is JSON; want it without :base64`},
		{"a fault of the environment", `"b": {"format": "json"}`, func(c *connector.Config) { c.Record.Compression = "zip" }, `RECORD_COMPRESSION holds "zip": want none or gzip`},
		{"a fault of the environment that no stream has", `"a": {"format": "raw"}, "b": {"format": "raw"}`, func(c *connector.Config) { c.Record.Format = "rraw" }, ""},
		{"schemas of one stream, without a registry", `"b": {"format": "avro"}`, nil, `SCHEMA_REGISTRY_URL is not set: want the address of the Schema Registry, because records are avro of stream b`},
		{"schemas of one stream", `"b": {"format": "avro"}`, func(c *connector.Config) { c.Schema.URLs = []string{"http://registry:8081"} }, ""},
		{"a registry for nothing", `"a": {"format": "raw"}, "b": {"format": "json"}`, avroFormat, `SCHEMA_REGISTRY_URL holds "http://registry.example": no format that is set asks it for schemas; want RECORD_FORMAT avro, protobuf, or json-schema with RECORD_SCHEMA_VALIDATE=true, or nothing here`},
		{"another framing, for one stream", `"b": {"format": "avro"}`, func(c *connector.Config) { c.Schema.Type, c.Schema.Region = "glue", "eu-west-1" }, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := connector.DefaultConfig()
			c.Kafka.Brokers, c.Kafka.Topics, c.Kafka.GroupID, c.Firehose.Stream = []string{"b:1"}, []string{"t", "u"}, "g", "a"
			if err := c.Firehose.Routes.Decode("u=b"); err != nil {
				t.Fatal(err)
			}
			if test.change != nil {
				test.change(&c)
			}
			if err := c.Firehose.StreamOptions.Decode("{" + test.options + "}"); err != nil {
				t.Fatal(err)
			}
			got := ""
			if err := c.Validate(); err != nil {
				got = err.Error()
			}
			if _, text, cut := strings.Cut(got, "characters): "); cut {
				got = text
			}
			if i := strings.Index(got, `: stream "`); i >= 0 && strings.HasPrefix(got, "FIREHOSE_STREAM_OPTIONS holds ") {
				got = got[i+2:]
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestStartLineOfStreamsThatDiffer: the format of each stream is told.
func TestStartLineOfStreamsThatDiffer(t *testing.T) {
	c := connector.DefaultConfig()
	c.Kafka.Brokers, c.Kafka.Topics, c.Kafka.GroupID, c.Firehose.Stream = []string{"b:1"}, []string{"t", "u"}, "g", "a"
	if err := c.Firehose.Routes.Decode("u=b"); err != nil {
		t.Fatal(err)
	}
	line := func() string {
		var out bytes.Buffer
		slog.New(slog.NewTextHandler(&out, nil)).LogAttrs(t.Context(), slog.LevelInfo, "m", c.PlannedSettings()...)
		return out.String()
	}
	if got := line(); !strings.Contains(got, " format=raw") || strings.Contains(got, "formats") {
		t.Error(got)
	}
	withOptions(t, `{"b": {"format": "json", "delimiter": "none"}}`)(&c)
	if got := line(); !strings.Contains(got, `formats.b="json, delimiter none"`) || !strings.Contains(got, ` formats.a=raw`) {
		t.Error(got)
	}
}

// TestAuditOfStreamsThatDiffer: records are expected as their stream sends them, and ids are read by the names that its
// envelopes have.
func TestAuditOfStreamsThatDiffer(t *testing.T) {
	t.Parallel()
	surroundings(t, noDoor, func(w *world) {
		w.registry = newRegistry()
		streams := w.twoStreams()
		w.produceWith(0, 4, func(i int) *kgo.Record { return &kgo.Record{Topic: "good", Value: fmt.Appendf(nil, "%d", i)} })
		root := t.TempDir()
		writeObject(t, root, `{"key":"good-0-0"}{"key":"good-0-1"}{"key":"good-0-3"}`)
		time.Sleep(time.Minute)
		options := func(options string) func(*connector.Config, *recovery.AuditRequest) {
			return func(c *connector.Config, _ *recovery.AuditRequest) {
				streams(c)
				withOptions(t, options)(c)
			}
		}
		const own = `{"other": {"format": "json", "envelope": false, "fields": "id=key,value"}}`
		only := func(_ *connector.Config, r *recovery.AuditRequest) { r.Topics = []string{"good"} }
		report, err := w.audit(root, options(own), only)
		if err != nil {
			t.Fatal(err)
		}
		if p := report.Partitions[0]; p.Expected != 4 || p.Missing != 1 {
			t.Errorf("%d expected, %d missing of the stream with a format of its own", p.Expected, p.Missing)
		}
		for want, change := range map[string][]func(*connector.Config, *recovery.AuditRequest){
			"the streams s and other have different envelopes: audit them one by one, with -topic": {options(own)},
			"records are sent without an id": {options(`{"other": {"format": "raw", "envelope": false}}`), only},
		} {
			if _, err := w.audit(root, change...); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, want %q", err, want)
			}
		}
	})
}
