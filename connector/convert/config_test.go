package convert

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"kafka-firehose/connector/env"
)

func configForValidate() Config {
	var c Config
	env.SetDefaults(&c)
	return c
}

func TestConfigDefaults(t *testing.T) {
	want := Config{Format: "raw", KeyFormat: "json", Delimiter: "\n", AggregateMaxBytes: 1_024_000, AggregateMaxRecords: 500, Compression: "none", Tombstones: "skip", Unwrap: "none", ProtobufJSON: []string{"canonical"}, ProtobufIndex: "auto"}
	if diff := cmp.Diff(want, configForValidate()); diff != "" {
		t.Error(diff)
	}
	if err := configForValidate().Validate(); err != nil {
		t.Error(err)
	}
}

func TestConfigValidate(t *testing.T) {
	tests := []struct {
		name   string
		change func(*Config)
		want   string // empty if that is allowed
	}{
		{"unknown format", func(c *Config) { c.Format = "RAW" }, `RECORD_FORMAT holds "RAW": want raw, json, avro, protobuf or json-schema`},
		{"json", func(c *Config) { c.Format = "json" }, ""},
		{"avro", func(c *Config) { c.Format = "avro" }, ""},
		{"protobuf", func(c *Config) { c.Format = "protobuf" }, ""},
		{"json-schema", func(c *Config) { c.Format, c.Validated = "json-schema", true }, ""},
		{"validated by what is no schema", func(c *Config) { c.Format, c.Validated = "avro", true }, `RECORD_SCHEMA_VALIDATE holds "true": what is decoded with a schema agrees with it; want RECORD_FORMAT json-schema too, or false here`},
		{"forms of Protobuf's JSON", func(c *Config) {
			c.Format, c.ProtobufJSON, c.ProtobufIndex = "protobuf", []string{"proto-names", "emit-defaults", "int64-numbers"}, "text"
		}, ""},
		{"forms of Protobuf's JSON for nothing", func(c *Config) { c.ProtobufJSON = []string{"proto-names"} }, `RECORD_PROTOBUF_JSON holds "[proto-names]": no records are read as Protobuf; want RECORD_FORMAT protobuf too, or nothing here`},
		{"an index for nothing", func(c *Config) { c.ProtobufIndex = "text" }, `RECORD_PROTOBUF_INDEX holds "text": no records are read as Protobuf; want RECORD_FORMAT protobuf too, or nothing here`},
		{"another form", func(c *Config) { c.Format, c.ProtobufJSON = "protobuf", []string{"names"} }, `RECORD_PROTOBUF_JSON holds "names": want canonical, proto-names, emit-defaults or int64-numbers`},
		{"canonical and another form", func(c *Config) { c.Format, c.ProtobufJSON = "protobuf", []string{"canonical", "proto-names"} }, `RECORD_PROTOBUF_JSON holds "[canonical proto-names]": canonical is the form without the others; want it alone, or the others without it`},
		{"another index", func(c *Config) { c.Format, c.ProtobufIndex = "protobuf", "java" }, `RECORD_PROTOBUF_INDEX holds "java": want auto, text or descriptor`},
		{"aggregate", func(c *Config) { c.Aggregate = true }, ""},
		{"no delimiter", func(c *Config) { c.Delimiter = "" }, ""},
		{
			"aggregate without delimiter", func(c *Config) { c.Aggregate, c.Delimiter = true, "" },
			`RECORD_AGGREGATE holds "true": RECORD_DELIMITER is none, and values without a delimiter can't be told apart again; want false, or a delimiter`,
		},
		{"long delimiter", func(c *Config) { c.Delimiter = "12345678901234567" }, `RECORD_DELIMITER holds "12345678901234567": want 16 bytes or fewer`},
		{"aggregate of nothing", func(c *Config) { c.AggregateMaxBytes = 0 }, `RECORD_AGGREGATE_MAX_BYTES holds "0": want 1 to 1000KiB`},
		{"aggregate too large", func(c *Config) { c.AggregateMaxBytes = 1_024_001 }, `RECORD_AGGREGATE_MAX_BYTES holds "1024001": want 1 to 1000KiB`},
		{"no values", func(c *Config) { c.AggregateMaxRecords = 0 }, `RECORD_AGGREGATE_MAX_RECORDS holds "0": want 1 to 500`},
		{"too many values", func(c *Config) { c.AggregateMaxRecords = 501 }, `RECORD_AGGREGATE_MAX_RECORDS holds "501": want 1 to 500`},
		{"compressed", func(c *Config) { c.Aggregate, c.Compression, c.AggregateMaxRecords = true, "gzip", 100_000 }, ""},
		{"too many compressed values", func(c *Config) { c.Aggregate, c.Compression, c.AggregateMaxRecords = true, "gzip", 100_001 }, `RECORD_AGGREGATE_MAX_RECORDS holds "100001": want 1 to 100000`},
		{"compressed one by one", func(c *Config) { c.Compression = "gzip" }, `RECORD_COMPRESSION holds "gzip": single values compress badly, so only aggregated records are compressed; want RECORD_AGGREGATE=true too`},
		{"another compression", func(c *Config) { c.Aggregate, c.Compression = true, "zstd" }, `RECORD_COMPRESSION holds "zstd": want none or gzip`},
		{"bad tombstones", func(c *Config) { c.Tombstones = "bad" }, ""},
		{"tombstones in an envelope", func(c *Config) { c.Format, c.Tombstones = "json", "envelope" }, ""},
		{
			"tombstones without an envelope", func(c *Config) { c.Tombstones = "envelope" },
			`RECORD_TOMBSTONES holds "envelope": there is no envelope; want RECORD_FORMAT json too, or skip or bad here`,
		},
		{"other tombstones", func(c *Config) { c.Tombstones = "" }, `RECORD_TOMBSTONES holds "": want skip, envelope or bad`},
		{"fields", func(c *Config) { c.Format, c.Fields = "json", Fields{{"id", "", "id"}} }, ""},
		{
			"fields without an envelope", func(c *Config) { c.Fields = Fields{{"id", "", "id"}} },
			`RECORD_FIELDS holds "id": there is no envelope to choose them for; want RECORD_FORMAT json too, or nothing here`,
		},
		{"decoded in an envelope", func(c *Config) {
			c.Format, c.Envelope, c.KeyFormat, c.Tombstones, c.Fields = "avro", true, "avro", "envelope", Fields{{"key", "json", "k"}, {"value", "json", "v"}}
		}, ""},
		{"a decoded key alone", func(c *Config) { c.Format, c.KeyFormat = "json", "avro" }, ""},
		{"decoded, and fields without an envelope", func(c *Config) { c.Format, c.Fields = "avro", Fields{{"id", "", "id"}} }, `RECORD_FIELDS holds "id": there is no envelope to choose them for; want RECORD_ENVELOPE=true too, or nothing here`},
		{"a decoded key without an envelope", func(c *Config) { c.KeyFormat = "avro" }, `RECORD_KEY_FORMAT holds "avro": there is no envelope with a key; want RECORD_FORMAT json too, or nothing here`},
		{"another format of keys", func(c *Config) { c.Format, c.KeyFormat = "json", "raw" }, `RECORD_KEY_FORMAT holds "raw": want json, avro, protobuf or json-schema`},
		{"an envelope of raw values", func(c *Config) { c.Envelope = true }, `RECORD_ENVELOPE holds "true": values go into the envelope as they are with RECORD_FORMAT json; want that, or false here`},
		{"a decoded value as text", func(c *Config) { c.Format, c.Envelope, c.Fields = "avro", true, Fields{{"value", "text", "v"}} }, `RECORD_FIELDS holds "value:text=v": value is decoded and so is JSON; want it without :text`},
		{"a decoded value and a delimiter that JSON contains", func(c *Config) { c.Format, c.Delimiter = "avro", "}" }, `RECORD_DELIMITER holds "}": JSON can contain it, so that the lines could not be told apart; want control characters such as \n, or none`},
		{"a mask", withMask(t, "raw", "a=drop"), ""},
		{"a mask with digests", withMask(t, "avro", "a=sha256"), ""},
		{"digests without a key", func(c *Config) { withMask(t, "raw", "a=sha256")(c); c.MaskSecret = env.Secret{} }, `RECORD_MASK_SECRET is not set: want a key of 16 bytes or more, because RECORD_MASK has sha256 and digests without a key can be guessed`},
		{"a short key", func(c *Config) { withMask(t, "raw", "a=sha256")(c); c.MaskSecret = env.NewSecret("short") }, `RECORD_MASK_SECRET holds a secret: it has 5 bytes; want 16 or more`},
		{"a key without digests", func(c *Config) { c.MaskSecret = env.NewSecret("0123456789abcdef") }, `RECORD_MASK_SECRET holds a secret: no rule of RECORD_MASK is sha256; want one, or nothing here`},
		{"a masked value as text", func(c *Config) { withMask(t, "json", "a=drop")(c); c.Fields = Fields{{"value", "text", "v"}} }, `RECORD_FIELDS holds "value:text=v": value is masked and so is JSON; want it without :text`},
		{"a masked raw value and a delimiter that JSON contains", func(c *Config) { withMask(t, "raw", "a=drop")(c); c.Delimiter = "," }, `RECORD_DELIMITER holds ",": JSON can contain it, so that the lines could not be told apart; want control characters such as \n, or none`},
		{"values in Connect's envelope", func(c *Config) { c.Unwrap = "connect" }, ""},
		{"change events", func(c *Config) { c.Format, c.Unwrap = "avro", "debezium" }, ""},
		{"change events in an envelope", func(c *Config) {
			c.Format, c.Unwrap, c.Fields = "json", "debezium", Fields{{"id", "", "id"}, {"value", "json", "v"}}
		}, ""},
		{"another envelope", func(c *Config) { c.Unwrap = "Debezium" }, `RECORD_UNWRAP holds "Debezium": want none, connect or debezium`},
		{"Connect's envelope of values with a schema", func(c *Config) { c.Format, c.Unwrap = "protobuf", "connect" }, `RECORD_UNWRAP holds "connect": values in protobuf have their schema in the registry and not in an envelope; want debezium or none`},
		{"an unwrapped value as text", func(c *Config) { c.Format, c.Unwrap, c.Fields = "json", "connect", Fields{{"value", "base64", "v"}} }, `RECORD_FIELDS holds "value:base64=v": value is unwrapped and so is JSON; want it without :base64`},
		{"an unwrapped value and a delimiter that JSON contains", func(c *Config) { c.Unwrap, c.Delimiter = "connect", "," }, `RECORD_DELIMITER holds ",": JSON can contain it, so that the lines could not be told apart; want control characters such as \n, or none`},
		{"JSON in a sequence of RFC 7464", func(c *Config) { c.Format, c.Delimiter = "json", "\x1e" }, ""},
		{"JSON without a delimiter", func(c *Config) { c.Format, c.Delimiter = "json", "" }, ""},
		{
			"a delimiter that JSON contains", func(c *Config) { c.Format, c.Delimiter = "json", "," },
			`RECORD_DELIMITER holds ",": JSON can contain it, so that the lines could not be told apart; want control characters such as \n, or none`,
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := configForValidate()
			test.change(&c)
			got := ""
			if err := c.Validate(); err != nil {
				got = err.Error()
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
