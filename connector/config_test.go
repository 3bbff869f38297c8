package connector_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"kafka-firehose/connector"
	"kafka-firehose/connector/convert"
	"kafka-firehose/connector/destination"
	"kafka-firehose/connector/env"
	"kafka-firehose/connector/firehose"
	"kafka-firehose/connector/kafka"
	"kafka-firehose/connector/kafka/auth"
	"kafka-firehose/connector/schema"
)

// configForValidate is a Config with which nothing is wrong.
func configForValidate() connector.Config {
	c := connector.DefaultConfig()
	c.Kafka.Brokers, c.Kafka.Topics, c.Kafka.GroupID = []string{"a:9092"}, []string{"orders"}, "bridge"
	c.Firehose.Stream = "stream"
	return c
}

func TestDefaultConfig(t *testing.T) {
	t.Setenv("MAX_BUFFERED_BYTES", "1GiB") // is not read
	c := connector.DefaultConfig()
	want := c
	want.BadRecordPolicy, want.MaxBufferedBytes, want.HTTPAddr = "stop", 256<<20, ":8080"
	want.LogLevel, want.LogFormat, want.ShutdownTimeout, want.LogSummaryInterval = slog.LevelInfo, "json", 25*time.Second, time.Minute
	if diff := cmp.Diff(want, c); diff != "" {
		t.Error(diff)
	}
	if c.Kafka.ClientID != "kafka-firehose" || c.Firehose.MaxInFlight != 16 || c.Record.Delimiter != "\n" {
		t.Errorf("the parts have no defaults: %+v", c)
	}
	if err := configForValidate().Validate(); err != nil {
		t.Error(err)
	}
}

// TestRuntimeSettingsAtTheStart: a file that can't be used is a fault of the configuration. There are no good settings to keep.
func TestRuntimeSettingsAtTheStart(t *testing.T) {
	c := configForValidate()
	c.RuntimeSettingsFile = filepath.Join(t.TempDir(), "settings.json")
	if err := c.Validate(); err == nil || !strings.Contains(err.Error(), "RUNTIME_SETTINGS_FILE holds ") || !strings.Contains(err.Error(), "can't be read: no such file") {
		t.Errorf("without the file: %v", err)
	}
	for content, want := range map[string]string{`{"log_level": "debug"}`: "", `{"level": "debug"}`: "level is no setting"} {
		if err := os.WriteFile(c.RuntimeSettingsFile, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := c.Validate(); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", content, err, want)
		}
	}
}

// decodeRoutes decodes routes or fails the test.
func decodeRoutes(t *testing.T, s string) firehose.Routes {
	t.Helper()
	var rs firehose.Routes
	if err := rs.Decode(s); err != nil {
		t.Fatal(err)
	}
	return rs
}

func TestConfigValidate(t *testing.T) {
	tests := []struct {
		name   string
		change func(*connector.Config)
		want   string // empty if that is allowed
	}{
		{"a part is asked: kafka", func(c *connector.Config) { c.Kafka.GroupID = "" }, "KAFKA_GROUP_ID is not set: want the name of a consumer group that nothing else uses"},
		{"a part is asked: firehose", func(c *connector.Config) { c.Firehose.MaxInFlight = 0 }, `FIREHOSE_MAX_IN_FLIGHT holds "0": want 1 to 1000`},
		{"a part is asked: destination", func(c *connector.Config) { c.Destination.PauseAfter = time.Hour }, `DESTINATION_PAUSE_AFTER holds "1h0m0s": it has no effect unless DESTINATION_WATCH is true`},
		{"a part is asked: record", func(c *connector.Config) { c.Record.Format = "x" }, `RECORD_FORMAT holds "x": want raw, json, avro, protobuf or json-schema`},
		{"a topic without a stream", func(c *connector.Config) {
			c.Kafka.Topics, c.Firehose.Stream, c.Firehose.Routes = []string{"a", "b", "c"}, "", decodeRoutes(t, "a=s")
		}, `FIREHOSE_ROUTES holds "a=s": topic b of KAFKA_TOPICS has no stream; want b=stream, or a FIREHOSE_STREAM for the rest` + "\n" +
			`FIREHOSE_ROUTES holds "a=s": topic c of KAFKA_TOPICS has no stream; want c=stream, or a FIREHOSE_STREAM for the rest`},
		{"a fallback", func(c *connector.Config) {
			c.Kafka.Topics, c.Firehose.Routes = []string{"a", "b"}, decodeRoutes(t, "a=s")
		}, ""},
		{"routes for all", func(c *connector.Config) {
			c.Kafka.Topics, c.Firehose.Stream, c.Firehose.Routes = []string{"a", "b1"}, "", decodeRoutes(t, "a=s,/b./=t")
		}, ""},
		{"a pattern without a route for all", func(c *connector.Config) {
			c.Kafka.Topics, c.Kafka.TopicPattern, c.Firehose.Stream, c.Firehose.Routes = nil, ".*", "", decodeRoutes(t, "a=s")
		}, ""},
		{"a route for no topic", func(c *connector.Config) { c.Firehose.Routes = decodeRoutes(t, "a b=s") }, `FIREHOSE_ROUTES holds "a b=s": entry 1: no topic can have this name`},
		{"an unknown policy", func(c *connector.Config) { c.BadRecordPolicy = "drop" }, `BAD_RECORD_POLICY holds "drop": want stop, exit, skip, dead-letter or claim-check`},
		{"claim checks", func(c *connector.Config) {
			c.BadRecordPolicy, c.ClaimCheck.URL = "claim-check", "s3://large-values/kafka/a=1"
		}, ""},
		{"claim checks and dead letters", func(c *connector.Config) {
			c.BadRecordPolicy, c.ClaimCheck.URL, c.DeadLetter.Topic = "claim-check", "s3://large-values", "dead"
		}, ""},
		{"claim checks without a bucket", func(c *connector.Config) { c.BadRecordPolicy = "claim-check" }, `CLAIM_CHECK_URL is not set: want s3://BUCKET/PREFIX for values that are too large, because BAD_RECORD_POLICY is claim-check`},
		{"a bucket for no claim checks", func(c *connector.Config) { c.ClaimCheck.URL = "s3://large" }, `CLAIM_CHECK_URL holds "s3://large": it has no effect unless BAD_RECORD_POLICY is claim-check`},
		{"claim checks elsewhere", func(c *connector.Config) { c.BadRecordPolicy, c.ClaimCheck.URL = "claim-check", "gs://large" }, `CLAIM_CHECK_URL holds "gs://large": it is no address in S3; want s3://BUCKET/PREFIX`},
		{"claim checks in no bucket", func(c *connector.Config) { c.BadRecordPolicy, c.ClaimCheck.URL = "claim-check", "s3://Large/a" }, `CLAIM_CHECK_URL holds "s3://Large/a": want the name of a bucket behind s3://, 3 to 63 of a-z 0-9 . -`},
		{"a prefix that needs quotes", func(c *connector.Config) { c.BadRecordPolicy, c.ClaimCheck.URL = "claim-check", `s3://large/a"b` }, `CLAIM_CHECK_URL holds "s3://large/a\"b": want a prefix of at most 512 of a-z A-Z 0-9 ! _ . * ' ( ) = / -`},
		{"a prefix with dots", func(c *connector.Config) { c.BadRecordPolicy, c.ClaimCheck.URL = "claim-check", "s3://large/a/../b" }, `CLAIM_CHECK_URL holds "s3://large/a/../b": want a prefix without empty folders, . and ..`},
		{"a field named like claim checks", func(c *connector.Config) {
			c.BadRecordPolicy, c.ClaimCheck.URL, c.Record.Format = "claim-check", "s3://large", "json"
			c.Record.Fields = convert.Fields{{Source: "id", Name: "claim_check"}}
		}, `RECORD_FIELDS holds "id=claim_check": envelopes have a member claim_check for claim checks; want another name for id`},
		{"claim checks of masked values", func(c *connector.Config) {
			c.BadRecordPolicy, c.ClaimCheck.URL, c.Record.Format = "claim-check", "s3://large", "json"
			if err := c.Record.Mask.Decode("a=drop"); err != nil {
				panic(err)
			}
		}, `RECORD_MASK holds "a=drop": objects of claim checks hold values as Kafka has them, not masked; want no mask, or another policy`},
		{"a delimiter in claim checks", func(c *connector.Config) {
			c.BadRecordPolicy, c.ClaimCheck.URL, c.Record.Delimiter = "claim-check", "s3://large", ","
		}, `RECORD_DELIMITER holds ",": the JSON of claim checks can contain it; want control characters such as \n, or none`},
		{"dead letters without a topic", func(c *connector.Config) { c.BadRecordPolicy = "dead-letter" }, `DEAD_LETTER_TOPIC is not set: want the topic that bad records go to, because BAD_RECORD_POLICY is dead-letter`},
		{"dead letters", func(c *connector.Config) { c.BadRecordPolicy, c.DeadLetter.Topic = "dead-letter", "dead" }, ""},
		{"a topic for no dead letters", func(c *connector.Config) { c.BadRecordPolicy, c.DeadLetter.Topic = "skip", "dead" }, `DEAD_LETTER_TOPIC holds "dead": it has no effect unless BAD_RECORD_POLICY is dead-letter or claim-check`},
		{"dead letters that are read again", func(c *connector.Config) { c.BadRecordPolicy, c.DeadLetter.Topic = "dead-letter", "orders" }, `DEAD_LETTER_TOPIC holds "orders": KAFKA_TOPICS names it, too: dead letters that are read again would come back for ever; want another topic`},
		{"a pattern that matches the dead-letter topic", func(c *connector.Config) {
			c.BadRecordPolicy, c.DeadLetter.Topic, c.Kafka.Topics, c.Kafka.TopicPattern = "dead-letter", "dead", nil, ".*"
		}, ""},
		{"dead letters in a topic of Kafka", func(c *connector.Config) {
			c.BadRecordPolicy, c.DeadLetter.Topic = "dead-letter", "__consumer_offsets"
		}, `DEAD_LETTER_TOPIC holds "__consumer_offsets": want the name of a topic, 1 to 249 of a-z A-Z 0-9 . _ -, not one of Kafka's own that begin with __`},
		{"dead letters in no topic", func(c *connector.Config) { c.BadRecordPolicy, c.DeadLetter.Topic = "dead-letter", "a b" }, `DEAD_LETTER_TOPIC holds "a b": want the name of a topic, 1 to 249 of a-z A-Z 0-9 . _ -, not one of Kafka's own that begin with __`},
		{"avro", func(c *connector.Config) {
			c.Record.Format, c.Schema.URLs = "avro", []string{"http://registry:8081"}
		}, ""},
		{"avro without a registry", func(c *connector.Config) { c.Record.Format = "avro" }, `SCHEMA_REGISTRY_URL is not set: want the address of the Schema Registry, because records are avro`},
		{"avro keys without a registry", func(c *connector.Config) { c.Record.Format, c.Record.KeyFormat = "json", "avro" }, `SCHEMA_REGISTRY_URL is not set: want the address of the Schema Registry, because records are avro`},
		{"a registry for nothing", func(c *connector.Config) { c.Schema.URLs = []string{"http://registry:8081"} }, `SCHEMA_REGISTRY_URL holds "http://registry:8081": no format that is set asks it for schemas; want RECORD_FORMAT avro, protobuf, or json-schema with RECORD_SCHEMA_VALIDATE=true, or nothing here`},
		{"avro in AWS Glue", func(c *connector.Config) { c.Record.Format, c.Schema.Type = "avro", "glue" }, ""},
		{"json-schema in AWS Glue, without schemas", func(c *connector.Config) { c.Record.Format, c.Schema.Type = "json-schema", "glue" }, ""},
		{"AWS Glue for nothing", func(c *connector.Config) { c.Schema.Type = "glue" }, `SCHEMA_REGISTRY_TYPE holds "glue": no format that is set reads values with it; want RECORD_FORMAT avro, protobuf or json-schema, or nothing here`},
		{"avro in Apicurio without a registry", func(c *connector.Config) { c.Record.Format, c.Schema.Type = "avro", "apicurio" }, `SCHEMA_REGISTRY_URL is not set: want the address of the Schema Registry, because records are avro`},
		{"a part is asked: schema", func(c *connector.Config) {
			c.Record.Format, c.Schema.URLs = "avro", []string{"registry:8081"}
		}, `SCHEMA_REGISTRY_URL holds "registry:8081": want http://host:port or https://host, with a path if the registry is not at the root`},
		{"skip", func(c *connector.Config) { c.BadRecordPolicy = "skip" }, ""},
		{"little memory", func(c *connector.Config) { c.MaxBufferedBytes = 16 << 20 }, ""},
		{"too little memory", func(c *connector.Config) { c.MaxBufferedBytes = 16<<20 - 1 }, `MAX_BUFFERED_BYTES holds "16777215": want 16MiB or more: 16MiB, and 10MiB for each stream after the first`},
		{"too little memory for three", func(c *connector.Config) {
			c.MaxBufferedBytes, c.Firehose.Routes = 35<<20, decodeRoutes(t, "a=s,b=t")
		}, `MAX_BUFFERED_BYTES holds "35MiB": want 36MiB or more: 16MiB, and 10MiB for each stream after the first`},
		{"an address", func(c *connector.Config) { c.HTTPAddr = "[::1]:0" }, ""},
		{"a port alone", func(c *connector.Config) { c.HTTPAddr = "8080" }, `HTTP_ADDR holds "8080": want host:port, or :port for all addresses`},
		{"a port by name", func(c *connector.Config) { c.HTTPAddr = ":http" }, `HTTP_ADDR holds ":http": want host:port, or :port for all addresses`},
		{"a URL", func(c *connector.Config) { c.HTTPAddr = "http://a:80" }, `HTTP_ADDR holds "http://a:80": want host:port, or :port for all addresses`},
		{"a port too large", func(c *connector.Config) { c.HTTPAddr = ":65536" }, `HTTP_ADDR holds ":65536": want host:port, or :port for all addresses`},
		{"a summary that never ends", func(c *connector.Config) { c.LogSummaryInterval = time.Millisecond }, `LOG_SUMMARY_INTERVAL holds "1ms": want 1s or more, or 0 for never`},
		{"a log format", func(c *connector.Config) { c.LogFormat = "logfmt" }, `LOG_FORMAT holds "logfmt": want json or text`},
		{"no time to drain", func(c *connector.Config) { c.ShutdownTimeout = 3 * time.Second }, `SHUTDOWN_TIMEOUT holds "3s": want more than the 3s that are kept for the last commit and for leaving the group`},
		{"a little time to drain", func(c *connector.Config) { c.ShutdownTimeout = 3*time.Second + 1 }, ""},
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

// Validate writes the names of variables out, the table has them from the tags: they are the same.
func TestFaultsNameVariablesOfTheTable(t *testing.T) {
	known := map[string]bool{}
	for _, v := range env.ListVariables(new(connector.Config)) {
		if known[v.Name] {
			t.Errorf("%s is there twice", v.Name)
		}
		known[v.Name] = true
		if v.Desc == "" || !strings.HasSuffix(strings.TrimSuffix(v.Desc, ")"), ".") || (v.Default == "") == (v.Unset == "") {
			t.Errorf("%+v: want a sentence, and either a default or what unset means", v)
		}
	}
	worst := connector.Config{ShutdownTimeout: -1, LogSummaryInterval: -1, HTTPAddr: "x"}
	worst.Kafka = kafka.Config{Topics: []string{"b c"}, TopicPattern: "(", TopicExclude: "(", GroupInstanceID: " ", ClientID: " ", ClientRack: " ", RevokeDrainTimeout: -1}
	worst.Kafka.TLS = auth.TLSConfig{CAFile: "x", CertFile: "x", KeyFile: "x", ServerName: "x", InsecureSkipVerify: true} // without TLS
	worst.Kafka.SASL = auth.SASLConfig{Username: "x", Password: env.NewSecret("x"), OAuth: auth.OAuthConfig{              // without a mechanism
		Token: env.NewSecret("x"), Endpoint: "x", ClientID: "x", ClientSecret: env.NewSecret("x"), Scope: "x", Audience: "x", CAFile: "x", Extensions: auth.Extensions{"a": "b"},
	}, AWS: auth.AWSConfig{Region: "x", RoleARN: "x", RoleExternalID: "x", RoleSessionName: "x"}}
	worst.Firehose = firehose.Config{Routes: firehose.Routes{{Topic: "a"}}, BatchLinger: -1, MaxBytesPerSecond: -1, MaxRecordsPerSecond: -1, QuotaBytesPerSecond: -1, QuotaRecordsPerSecond: -1, RoleARN: "x", RoleExternalID: "x", RoleSessionName: "x", StreamOptions: firehose.StreamOptions{Of: map[string]firehose.StreamOption{"x": {}}}}
	worst.Record.Aggregate, worst.Record.Fields = true, convert.Fields{{Source: "id", Name: "id"}}
	worst.Record.Validated, worst.Record.ProtobufJSON = true, []string{"x"} // and nothing has a schema
	worst.Schema = schema.Config{                                           // without an address
		Type: "x", ApicurioID: "x", Username: "x", Password: env.NewSecret("x"), Token: env.NewSecret("x"), CAFile: "x", CertFile: "x", KeyFile: "x",
		Region: "x", RoleARN: "x", RoleExternalID: "x", RoleSessionName: "x", Headers: env.NewSecret("x"),
		OAuth: schema.OAuthConfig{ClientID: "x", ClientSecret: env.NewSecret("x"), Scope: "x", Audience: "x", CAFile: "x", LogicalCluster: " x", IdentityPoolID: " x"},
	}
	worst.DeadLetter.Topic, worst.ClaimCheck.URL = "x", "x"
	worst.Destination = destination.Config{PauseAfter: 1} // without the watch, which is a switch
	worst.RuntimeSettingsFile = "x"
	named := map[string]bool{}
	for _, f := range env.FaultsOf(worst.Validate()) {
		named[f.Variable] = true
		for _, name := range append(f.Others, f.Variable) {
			if !known[name] {
				t.Errorf("%v names %q, which is no variable", f, name)
			}
		}
	}
	// What is only wrong when it is loaded, or with another mechanism or format.
	for _, name := range []string{
		"KAFKA_SASL_MECHANISM", "KAFKA_SASL_PASSWORD_FILE", "KAFKA_SASL_OAUTH_TOKEN_FILE", "KAFKA_SASL_OAUTH_CLIENT_SECRET_FILE",
		"RECORD_ENVELOPE", "RECORD_FILTER", "RECORD_MASK", "RECORD_MASK_SECRET", "RECORD_MASK_SECRET_FILE", "SCHEMA_REGISTRY_URL", "SCHEMA_REGISTRY_PASSWORD_FILE", "SCHEMA_REGISTRY_TOKEN_FILE",
		"SCHEMA_REGISTRY_OAUTH_ENDPOINT", "SCHEMA_REGISTRY_OAUTH_CLIENT_SECRET_FILE", "SCHEMA_REGISTRY_HEADERS_FILE",
	} {
		named[name] = true
	}
	// What can't be wrong here: a switch, a level that has its type, and what is fine as it is.
	for _, name := range []string{"FIREHOSE_STARTUP_CHECK", "FIREHOSE_REQUIRE_ENCRYPTION", "DESTINATION_WATCH", "KAFKA_TLS_ENABLED", "METRICS_NATIVE_HISTOGRAMS", "LOG_LEVEL", "FIREHOSE_STREAM", "RECORD_DELIMITER"} {
		named[name] = true
	}
	for name := range known {
		if !named[name] {
			t.Errorf("nothing is wrong with %s", name)
		}
	}
}
