package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/sr"
	"github.com/twmb/franz-go/pkg/sr/srfake"
)

// sampleRun is a run of check for one record.
type sampleRun struct {
	env   []string
	args  []string
	value string // of the file -record; "null" stands for -tombstone
}

// sampleResult is the report in JSON.
type sampleResult struct {
	Result, Topic, Stream, Verdict, Reason string

	Findings []struct{ Severity, Kind, Name, Found, Advice string }
	Records  []struct {
		Bytes  int
		Billed int64  `json:"billed_bytes"`
		Base64 []byte `json:"base64"`
		Text   *string
	}
}

func (r sampleResult) text() (lines string) {
	for _, f := range r.Findings {
		lines += strings.Join([]string{f.Severity, f.Kind, f.Name + ":", f.Found + ";", f.Advice}, " ") + "\n"
	}
	return lines
}

func (s sampleRun) run(t *testing.T) (r sampleResult, code int) {
	t.Helper()
	b := newBench(t, append(slices.Clone(enough), s.env...)...)
	args := []string{"check", "-o", "json"}
	if s.value == "null" {
		args = append(args, "-tombstone")
	} else {
		args = append(args, "-record", writeSample(t, s.value))
	}
	code = b.run(t.Context(), append(args, s.args...))
	if err := json.Unmarshal([]byte(b.stdout.String()), &r); err != nil || b.stderr.String() != "" {
		t.Fatalf("exit code %d, %v, stdout %s, stderr %s", code, err, &b.stdout, &b.stderr)
	}
	return r, code
}

func writeSample(t *testing.T, value string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "value")
	if err := os.WriteFile(file, []byte(value), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// numbersRegistry has schema 1 for numbers, schema 2 for a record with one, schema 3 for a change event.
func numbersRegistry(t *testing.T) (setting string) {
	t.Helper()
	r := srfake.NewRegistry()
	r.SeedSchema("numbers", 1, 1, sr.Schema{Schema: `"long"`})
	r.SeedSchema("records", 1, 2, sr.Schema{Schema: `{"type":"record","name":"R","fields":[{"name":"n","type":"long"},{"name":"email","type":"string"}]}`})
	r.SeedSchema("changes", 1, 3, sr.Schema{Schema: `{"type":"record","name":"C","fields":[{"name":"op","type":"string"},{"name":"after","type":{"type":"record","name":"R","fields":[{"name":"n","type":"long"},{"name":"email","type":"string"}]}}]}`})
	s := httptest.NewServer(r.Handler())
	t.Cleanup(s.Close)
	return "SCHEMA_REGISTRY_URL=" + s.URL
}

const maskKey = "RECORD_MASK_SECRET=0123456789abcdef"

func TestSample(t *testing.T) {
	registry := numbersRegistry(t)
	const place = " -topic orders -partition 3 -offset 42 -key k -timestamp 2026-01-31T08:00:00.123Z"
	large := strings.Repeat("x", 1_024_000)
	for _, test := range []struct {
		name    string
		run     sampleRun
		args    string
		code    int
		verdict string
		reason  string
		sent    string   // one record; empty for none
		says    []string // severity kind name: found; advice
	}{
		{
			name: "as it is", run: sampleRun{value: "a,b"}, verdict: "sent", sent: "a,b\n",
			says: []string{"ok route orders: to stream stream: raw;", "ok value : 3 bytes of raw;", `ok record : sent as 4 bytes with its delimiter \n; Firehose takes up to 1024000, and bills 5120;`},
		},
		{name: "no delimiter", run: sampleRun{value: "a\n", env: []string{"RECORD_DELIMITER=none"}}, verdict: "sent", sent: "a\n", says: []string{"sent as 2 bytes without a delimiter"}},
		{name: "the delimiter is there", run: sampleRun{value: "a\n"}, verdict: "sent", sent: "a\n"},
		{
			name: "envelope", run: sampleRun{value: `{"a": 1}`, env: []string{"RECORD_FORMAT=json"}}, args: place + " -header h=v -header n -header-base64 b=/w==", verdict: "sent",
			sent: `{"id":"orders-3-42","topic":"orders","partition":3,"offset":42,"timestamp":"2026-01-31T08:00:00.123Z","key":"k","headers":[{"key":"h","value":"v"},{"key":"n","value":null},{"key":"b","value":"/w==","value_encoding":"base64"}],"value":{"a":1}}` + "\n",
			says: []string{"ok envelope : with id, topic, partition, offset, timestamp, key, headers, value;"},
		},
		{
			name: "fields", run: sampleRun{value: `{"a":1}`, env: []string{"RECORD_FORMAT=json", "RECORD_FIELDS=timestamp:date=day,header(tenant)=tenant,const(eu)=region,value"}}, args: "-timestamp 1769846400123 -header tenant=acme", verdict: "sent",
			sent: `{"day":"2026-01-31","tenant":"acme","region":"eu","value":{"a":1}}` + "\n", says: []string{"with day, tenant, region, value"},
		},
		{name: "filter true", run: sampleRun{value: `{"a":1}`, env: []string{"RECORD_FILTER=value.a == 1"}}, verdict: "sent", sent: `{"a":1}` + "\n", says: []string{"ok filter : true: value.a == 1;"}},
		{
			name: "filter false", run: sampleRun{value: `{"a":2}`, env: []string{"RECORD_FILTER=value.a == 1"}}, verdict: "left-out", reason: "filtered",
			says: []string{"ok filter : false: value.a == 1;", "ok record : left out, and its offset is committed;"},
		},
		{
			name: "filter fails", run: sampleRun{value: `{"b":1}`, env: []string{"RECORD_FILTER=value.a == 1"}}, code: 2, verdict: "stop", reason: "filter_failed",
			says: []string{"error record : filter_failed: RECORD_FILTER: ", "the record has no such member; ", "its partition stops before it (BAD_RECORD_POLICY=stop)"},
		},
		{
			name: "mask", run: sampleRun{value: `{"u":{"e":"x","n":1},"l":[{"t":1},{"t":2}],"z":3}`, env: []string{"RECORD_MASK=u.e=redact,l.t=drop,u.E=redact"}}, verdict: "sent", sent: `{"u":{"e":"***","n":1},"l":[{},{}],"z":3}` + "\n",
			says: []string{"ok mask u.e=redact: masks 1 member;", "ok mask l.t=drop: masks 2 members;", "ok mask u.E=redact: masks nothing"},
		},
		{
			name: "unwrap", run: sampleRun{value: ` {"op":"d","before":{"n":1}}`, env: []string{"RECORD_UNWRAP=debezium", "RECORD_MASK=n=redact"}}, args: place, verdict: "sent", sent: `{"__op":"delete","__offset":42,"__ts_ms":null,"__source":null,"n":"***"}` + "\n",
			says: []string{"ok route orders: to stream stream: raw, unwrapped from debezium;", "ok unwrap : from debezium to 68 bytes of JSON;", "ok mask n=redact: masks 1 member;"},
		},
		{
			name: "another envelope", run: sampleRun{value: `{"n":1}`, env: []string{"RECORD_UNWRAP=connect"}}, code: 2, verdict: "stop", reason: "unwrap_failed",
			says: []string{"error record : unwrap_failed: RECORD_UNWRAP: not an envelope of Kafka Connect: it has no member schema; its partition stops before it (BAD_RECORD_POLICY=stop)"},
		},
		{name: "a null payload", run: sampleRun{value: `{"schema":null,"payload":null}`, env: []string{"RECORD_UNWRAP=connect"}}, verdict: "left-out", reason: "tombstone"},
		{
			name: "a null payload in an envelope", run: sampleRun{value: `{"schema":null,"payload":null}`, env: []string{"RECORD_UNWRAP=connect", "RECORD_FORMAT=json", "RECORD_TOMBSTONES=envelope", "RECORD_FIELDS=value,tombstone"}}, verdict: "sent",
			sent: `{"value":null,"tombstone":true}` + "\n", says: []string{"ok unwrap : from connect: the payload is null: a tombstone, which the envelope takes (RECORD_TOMBSTONES);"},
		},
		{
			name: "a row of Avro", run: sampleRun{value: "\x00\x00\x00\x00\x03\x02c\x0e\x06ann", env: []string{"RECORD_FORMAT=avro", "RECORD_UNWRAP=debezium", registry}}, verdict: "sent",
			sent: `{"__op":"insert","__offset":0,"__ts_ms":null,"__source":null,"n":7,"email":"ann"}` + "\n",
			says: []string{"ok value : 12 bytes, decoded as avro with schema 3;", "ok unwrap : from debezium to 81 bytes of JSON;"},
		},
		{name: "digest", run: sampleRun{value: `{"e":"ann"}`, env: []string{"RECORD_MASK=e=sha256", maskKey}}, verdict: "sent", sent: `{"e":"fb385915a0623c0be3e7b0a7134dbb620a2771faff45e92eb8647d11aa2947cf"}` + "\n"},
		{
			name: "bad JSON under a mask", run: sampleRun{value: `{"e":`, env: []string{"RECORD_MASK=e=drop", "BAD_RECORD_POLICY=skip"}}, verdict: "skipped", reason: "undecodable",
			says: []string{"warning record : undecodable: RECORD_MASK can't be applied to the value: ", "skipped and counted (BAD_RECORD_POLICY=skip)"},
		},
		{
			name: "avro", run: sampleRun{value: "\x00\x00\x00\x00\x02\x0e\x06ann", env: []string{"RECORD_FORMAT=avro", "RECORD_MASK=email=redact", registry}}, verdict: "sent", sent: `{"n":7,"email":"***"}` + "\n",
			says: []string{"ok value : 10 bytes, decoded as avro with schema 2 to 21 bytes of JSON;", "ok mask email=redact: masks 1 member;"},
		},
		{
			name: "avro in an envelope with a key", run: sampleRun{value: "\x00\x00\x00\x00\x02\x0e\x06ann", env: []string{"RECORD_FORMAT=avro", "RECORD_ENVELOPE=true", "RECORD_KEY_FORMAT=avro", "RECORD_FIELDS=key,value", registry}},
			args: "-key-file " + writeSample(t, "\x00\x00\x00\x00\x01\x04"), verdict: "sent", sent: `{"key":2,"value":{"n":7,"email":"ann"}}` + "\n", says: []string{"; the key is decoded as avro with schema 1;"},
		},
		{
			name: "avro of no schema", run: sampleRun{value: "\x00\x00\x00\x00\x09\x0e", env: []string{"RECORD_FORMAT=avro", "BAD_RECORD_POLICY=dead-letter", "DEAD_LETTER_TOPIC=dead", registry}}, verdict: "dead-letter", reason: "unknown_schema",
			says: []string{"warning record : unknown_schema: ", "goes to DEAD_LETTER_TOPIC dead, as Kafka has it;"},
		},
		{name: "avro that is none", run: sampleRun{value: "{}", env: []string{"RECORD_FORMAT=avro", "BAD_RECORD_POLICY=exit", registry}}, code: 2, verdict: "exit", reason: "undecodable", says: []string{"the process ends (BAD_RECORD_POLICY=exit)"}},
		{
			name: "no registry", run: sampleRun{value: "\x00\x00\x00\x00\x01\x04", env: []string{"RECORD_FORMAT=avro", "SCHEMA_REGISTRY_URL=http://127.0.0.1:1"}}, code: 2, verdict: "undecided",
			says: []string{"error value : the schema 1 could not be fetched, and the service would wait for it: ", "connection refused"},
		},
		{name: "a filter needs no registry", run: sampleRun{value: "\x00\x00\x00\x00\x01\x04", env: []string{"RECORD_FORMAT=avro", `RECORD_FILTER=topic == "x"`, "SCHEMA_REGISTRY_URL=http://127.0.0.1:1"}}, verdict: "left-out", reason: "filtered"},
		{name: "aggregated", run: sampleRun{value: `{"a":1}`, env: []string{"RECORD_AGGREGATE=true"}}, verdict: "sent", sent: `{"a":1}` + "\n", says: []string{"to stream stream: raw, aggregated;", "; alone in a Firehose record here, which may have 500 like this and 1024000 bytes;"}},
		{
			name: "the format of a stream", run: sampleRun{value: `{"a":1}`, env: []string{"KAFKA_TOPICS=orders,audit", "FIREHOSE_ROUTES=audit=other", `FIREHOSE_STREAM_OPTIONS={"other":{"format":"json","fields":"topic,value"}}`}}, args: "-topic audit", verdict: "sent",
			sent: `{"topic":"audit","value":{"a":1}}` + "\n", says: []string{"ok route audit: to stream other: json;"},
		},
		{name: "and that of the others", run: sampleRun{value: `{"a":1}`, env: []string{"KAFKA_TOPICS=orders,audit", "FIREHOSE_ROUTES=audit=other", `FIREHOSE_STREAM_OPTIONS={"other":{"format":"json"}}`}}, args: "-topic orders", verdict: "sent", sent: `{"a":1}` + "\n"},
		{name: "a pattern", run: sampleRun{value: "x", env: []string{"KAFKA_TOPICS=", "KAFKA_TOPIC_PATTERN=ord.*"}}, args: "-topic orders", verdict: "sent", sent: "x\n"},
		{name: "tombstone", run: sampleRun{value: "null"}, verdict: "left-out", reason: "tombstone", says: []string{"ok record : tombstone: the value is null; left out, and its offset is committed (RECORD_TOMBSTONES=skip);"}},
		{name: "empty is not null", run: sampleRun{value: ""}, verdict: "sent", sent: "\n", says: []string{"ok value : 0 bytes of raw"}},
		{name: "bad tombstone", run: sampleRun{value: "null", env: []string{"RECORD_TOMBSTONES=bad"}}, code: 2, verdict: "stop", reason: "tombstone"},
		{
			name: "tombstone in an envelope", run: sampleRun{value: "null", env: []string{"RECORD_FORMAT=json", "RECORD_TOMBSTONES=envelope", "RECORD_FIELDS=key,tombstone,value"}}, args: "-key k", verdict: "sent", sent: `{"key":"k","tombstone":true,"value":null}` + "\n",
			says: []string{"ok value : null: a tombstone, which the envelope takes (RECORD_TOMBSTONES);"},
		},
		{name: "the largest", run: sampleRun{value: large[1:]}, verdict: "sent", sent: large[1:] + "\n", says: []string{"sent as 1024000 bytes", "and bills 1024000"}},
		{
			name: "too large without its mask", run: sampleRun{value: `{"a":"` + large + `","b":1}`, env: []string{"RECORD_MASK=a=drop,c=redact"}}, verdict: "sent", sent: `{"b":1}` + "\n",
			says: []string{"ok value : 1024014 bytes of raw;", "ok mask a=drop: masks 1 member;", "ok mask c=redact: masks nothing"},
		},
		{
			name: "a large row without its mask", run: sampleRun{value: `{"op":"c","after":{"a":"` + large + `","b":1}}`, env: []string{"RECORD_UNWRAP=debezium", "RECORD_MASK=a=drop"}}, verdict: "sent",
			sent: `{"__op":"insert","__offset":0,"__ts_ms":null,"__source":null,"b":1}` + "\n", says: []string{"ok mask a=drop: masks 1 member;"},
		},
		{name: "too large", run: sampleRun{value: large}, code: 2, verdict: "stop", reason: "too_large", says: []string{"the record has 1024001 bytes with its delimiter, Firehose takes at most 1024000"}},
		{
			name: "claim check", run: sampleRun{value: large, env: []string{"BAD_RECORD_POLICY=claim-check", "CLAIM_CHECK_URL=s3://large/kafka"}}, args: place, verdict: "claim-check", reason: "too_large",
			sent: `{"id":"orders-3-42","topic":"orders","partition":3,"offset":42,"timestamp":"2026-01-31T08:00:00.123Z","claim_check":{"url":"s3://large/kafka/orders/3/42-b8f0f61a6ba5a3a8","bytes":1024000,"sha256":"`,
			says: []string{"the value of 1024000 bytes goes to s3://large/kafka/orders/3/42-", ", which this has not uploaded; sent as "},
		},
		{name: "a claim check does not help", run: sampleRun{value: `{"b":1}`, env: []string{"BAD_RECORD_POLICY=claim-check", "CLAIM_CHECK_URL=s3://large/kafka", "RECORD_FILTER=value.a == 1"}}, code: 2, verdict: "stop", reason: "filter_failed", says: []string{"its partition stops before it (BAD_RECORD_POLICY=claim-check)"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.run.args = strings.Fields(test.args)
			r, code := test.run.run(t)
			if code != test.code || r.Verdict != test.verdict || r.Reason != test.reason {
				t.Errorf("exit code %d, %s %q; want %d, %s %q:\n%s", code, r.Verdict, r.Reason, test.code, test.verdict, test.reason, r.text())
			}
			for _, want := range test.says {
				if !strings.Contains(r.text(), want) {
					t.Errorf("no finding says %q:\n%s", want, r.text())
				}
			}
			sent := ""
			for _, one := range r.Records {
				sent += string(one.Base64)
				if one.Text == nil || *one.Text != string(one.Base64) || one.Bytes != len(one.Base64) {
					t.Errorf("a record of %d bytes has the text %v and %q", one.Bytes, one.Text, one.Base64)
				}
			}
			if test.name == "claim check" { // the digest is that of the claim check's own tests
				sent, test.sent = digestDigits.ReplaceAllString(sent[:min(len(sent), len(test.sent))], "-DIGEST"), digestDigits.ReplaceAllString(test.sent, "-DIGEST")
			}
			if sent != test.sent || len(r.Records) > 1 {
				t.Errorf("sent %.300q, want %.300q", sent, test.sent)
			}
		})
	}
}

var digestDigits = regexp.MustCompile(`-[0-9a-f]{16}\b`)

// TestSampleCompressed: the record is one gzip member, and its size counts.
func TestSampleCompressed(t *testing.T) {
	value := strings.Repeat("abc ", 5000)
	r, code := sampleRun{value: value, env: []string{"RECORD_AGGREGATE=true", "RECORD_COMPRESSION=gzip"}}.run(t)
	if code != 0 || len(r.Records) != 1 || r.Records[0].Text != nil || !strings.Contains(r.text(), ", compressed (from 20001 here)") {
		t.Fatalf("exit code %d: %v, %s", code, r.Records, r.text())
	}
	z, err := gzip.NewReader(bytes.NewReader(r.Records[0].Base64))
	if err != nil {
		t.Fatal(err)
	}
	if data, err := io.ReadAll(z); err != nil || string(data) != value+"\n" || r.Records[0].Billed != 5120 {
		t.Errorf("%d bytes, %v, billed %d", len(data), err, r.Records[0].Billed)
	}
}

// TestSampleOutput: the table ends with the bytes, which do nothing to a terminal.
func TestSampleOutput(t *testing.T) {
	for value, want := range map[string]string{
		"grüße":       "\n\ngrüße\n",
		"\x1b[2Jgone": "\n\n00000000  1b 5b 32 4a 67 6f 6e 65  0a                       |.[2Jgone.|\n",
		"\xff":        "\n\n00000000  ff 0a                                             |..|\n",
	} {
		b := newBench(t, enough...)
		b.stdin = strings.NewReader(value)
		if code := b.run(t.Context(), []string{"check", "-record", "-"}); code != 0 || !strings.HasSuffix(b.stdout.String(), want) || b.stderr.String() != "" {
			t.Errorf("%q: exit code %d, stderr %q, stdout\n%s", value, code, &b.stderr, &b.stdout)
		}
	}
	b := newBench(t, append(enough, "RECORD_DELIMITER=none")...)
	b.stdin = strings.NewReader("x")
	if b.run(t.Context(), []string{"check", "-record", "-"}); !strings.HasSuffix(b.stdout.String(), "\n\nx\n") {
		t.Errorf("%s", &b.stdout)
	}
}

// TestSampleSettings: a fault of a setting that decides about records is an error, one of another setting is a warning.
func TestSampleSettings(t *testing.T) {
	r, code := sampleRun{value: "{}", env: []string{"KAFKA_GROUP_ID=", "KAFKA_BROKERS=", "LOG_LEVEL=loud"}, args: []string{"-strict"}}.run(t)
	if code != 1 || r.Verdict != "sent" || !strings.Contains(r.text(), "warning setting KAFKA_GROUP_ID: ") || !strings.Contains(r.text(), "warning setting LOG_LEVEL: ") {
		t.Errorf("exit code %d, %s: %s", code, r.Verdict, r.text())
	}
	for setting, want := range map[string]string{
		"RECORD_FILTER=value.a ==":         "error setting RECORD_FILTER: holds",
		"RECORD_MASK=a=sha256":             "error setting RECORD_MASK_SECRET: is not set",
		"RECORD_FORMAT=avro":               "error setting SCHEMA_REGISTRY_URL: is not set",
		"BAD_RECORD_POLICY=claim-check":    "error setting CLAIM_CHECK_URL: is not set",
		"FIREHOSE_STREAM=no stream":        "error setting FIREHOSE_STREAM: holds",
		"FIREHOSE_STREAM_OPTIONS={\"x\":1": "error setting FIREHOSE_STREAM_OPTIONS: holds",
	} {
		r, code := sampleRun{value: "{}", env: []string{setting}}.run(t)
		if code != 2 || r.Verdict != "undecided" || len(r.Records) > 0 || !strings.Contains(r.text(), want) {
			t.Errorf("%s: exit code %d, %s: %s", setting, code, r.Verdict, r.text())
		}
	}
}

func TestSampleTopic(t *testing.T) {
	for _, test := range []struct{ env, topic, want string }{
		{"KAFKA_TOPICS=orders,audit", "", "error route : the topic is not known: the service reads orders, audit; name one of them with -topic"},
		{"KAFKA_TOPIC_PATTERN=o.*", "", "error route : the topic is not known: the service reads those that KAFKA_TOPIC_PATTERN matches; name one of them with -topic"},
		{"KAFKA_TOPICS=orders,audit", "order", `error route "order": the service does not read this topic; name one that it reads with -topic: KAFKA_TOPICS: orders, audit`},
		{"KAFKA_TOPIC_PATTERN=o.*", "audit", `error route "audit": the service does not read this topic; name one that it reads with -topic: those that KAFKA_TOPIC_PATTERN matches`},
		{"FIREHOSE_ROUTES=audit=s", "orders", "error setting FIREHOSE_ROUTES: "},
		{"KAFKA_TOPIC_PATTERN=.*", "orders", "error route orders: no stream takes this topic, so that it is not read; add it to FIREHOSE_ROUTES, or set FIREHOSE_STREAM"},
	} {
		env := []string{test.env}
		if strings.HasPrefix(test.env, "KAFKA_TOPIC_PATTERN") {
			env = append(env, "KAFKA_TOPICS=")
		}
		if strings.HasPrefix(test.env, "FIREHOSE") || test.env == "KAFKA_TOPIC_PATTERN=.*" {
			env = append(env, "FIREHOSE_STREAM=", "FIREHOSE_ROUTES=audit=s")
		}
		r, code := sampleRun{value: "{}", env: env, args: []string{"-topic", test.topic}}.run(t)
		if code != 2 || r.Verdict != "undecided" || len(r.Records) > 0 || !strings.Contains(r.text(), test.want) {
			t.Errorf("%s -topic %s: exit code %d, %s: %s", test.env, test.topic, code, r.Verdict, r.text())
		}
	}
}

func TestSampleArguments(t *testing.T) {
	dir, value := t.TempDir(), writeSample(t, "x")
	for args, want := range map[string]string{
		"-topic orders":                          "-topic describes a record, and there is none; want -record FILE or -tombstone, too",
		"-offset 3":                              "-offset describes a record, and there is none; want -record FILE or -tombstone, too",
		"-record " + value + " -tombstone":       "-tombstone is a record without a value, and -record names one; want one of them",
		"-record=":                               "-record is empty; want the path of a file with the value, or - for standard input",
		"-record - -key-file -":                  "-record and -key-file are both -; standard input is one of them",
		"-tombstone -key a -key-file b":          "-key and -key-file are both given; want one of them",
		"-tombstone -partition -1":               "-partition is -1; want 0 to 2147483647",
		"-tombstone -partition 2147483648":       "-partition is 2147483648; want 0 to 2147483647",
		"-tombstone -offset -1":                  "-offset is -1; want 0 or more",
		"-tombstone -timestamp yesterday":        `-timestamp is "yesterday"; want a time such as 2026-01-31T08:00:00Z, or milliseconds since 1970`,
		"-tombstone -header-base64 h=%":          `invalid value "h=%" for flag -header-base64: want name=base64; kafka-firehose check -h lists the flags`,
		"-record " + dir:                         "-record " + dir + ": it is a directory; want a file with the value of one record",
		"-record " + dir + "/nix":                "-record " + dir + "/nix: no such file or directory",
		"-tombstone -key-file " + dir + "/nix":   "-key-file " + dir + "/nix: no such file or directory",
		"-record " + value + " -key-file " + dir: "-key-file " + dir + ": it is a directory; want a file with the value of one record",
		"-record - -topic orders -timeout 1h":    "-record -: it has more than 64MiB; want a file with one record of Kafka",
	} {
		b := newBench(t, enough...)
		b.stdin = zeros{}
		if code := b.run(t.Context(), append([]string{"check"}, strings.Fields(args)...)); code != 2 || b.stderr.String() != "kafka-firehose: "+want+"\n" || b.stdout.String() != "" {
			t.Errorf("check %s: exit code %d, stderr %q, stdout %.200q", args, code, &b.stderr, &b.stdout)
		}
	}
}

// zeros is a file without an end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// TestSampleEnds: nothing comes from a pipe until time is up, or until Ctrl-C.
func TestSampleEnds(t *testing.T) {
	for name, signal := range map[string]os.Signal{"time": nil, "signal": syscall.SIGINT} {
		b := newBench(t, enough...)
		in, out := io.Pipe()
		defer out.Close()
		b.stdin = in
		args, want := []string{"check", "-record", "-", "-timeout", "10ms"}, context.DeadlineExceeded
		if signal != nil {
			b.signals <- signal
			args[4], want = time.Hour.String(), context.Canceled
		}
		if code := b.run(t.Context(), args); code != 2 || !strings.Contains(b.stderr.String(), "-record -: its end did not come in time: "+want.Error()) {
			t.Errorf("%s: exit code %d, stderr %q", name, code, &b.stderr)
		}
	}
}

// TestSampleContactsNobody: a record that needs no schema is followed without one request, also where the record is too large, and
// nothing of it is printed but its bytes.
func TestSampleContactsNobody(t *testing.T) {
	requests := 0
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { requests++ }))
	defer s.Close()
	env := []string{"KAFKA_BROKERS=" + strings.TrimPrefix(s.URL, "http://"), "AWS_ENDPOINT_URL=" + s.URL, "AWS_ACCESS_KEY_ID=id", "AWS_SECRET_ACCESS_KEY=hunter2", "BAD_RECORD_POLICY=claim-check", "CLAIM_CHECK_URL=s3://large/kafka"}
	for _, value := range []string{"payload", strings.Repeat("payload", 200_000)} {
		r, code := sampleRun{value: value, env: env}.run(t)
		if code != 0 || len(r.Records) != 1 || requests != 0 || strings.Contains(r.text(), "payload") || strings.Contains(r.text(), "hunter2") {
			t.Errorf("exit code %d, %d requests: %s", code, requests, r.text())
		}
	}
	b := newBench(t, append(enough, "RECORD_FILTER=value.a == 1")...)
	b.stdin = strings.NewReader(`{"payload":1}`)
	if code := b.run(t.Context(), []string{"check", "-record", "-"}); code != 2 || strings.Contains(b.stdout.String()+b.stderr.String(), "payload") {
		t.Errorf("exit code %d, stdout %s, stderr %s", code, &b.stdout, &b.stderr)
	}
}

// TestSampleInDocuments runs the examples of the documentation. A block has files ($ cat NAME), settings ($ export NAME=VALUE) and
// the command with its output.
func TestSampleInDocuments(t *testing.T) {
	took := regexp.MustCompile(`looked at in \S+`)
	ran := 0
	docs, err := filepath.Abs("../../deploy/docs")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"check.md", "transform.md"} {
		text, err := os.ReadFile(filepath.Join(docs, file))
		if err != nil {
			t.Fatal(err)
		}
		for _, block := range regexp.MustCompile(`(?m)(?:^(?:    .*)?\n)+`).FindAllString(string(text), -1) {
			if !strings.Contains(block, "$ kafka-firehose check -record") {
				continue
			}
			ran++
			var got, want string
			dir, env := t.TempDir(), slices.Clone(enough)
			for _, step := range strings.Split(strings.ReplaceAll("\n"+strings.Trim(block, "\n"), "\n    ", "\n"), "\n$ ")[1:] {
				command, output, _ := strings.Cut(step, "\n")
				switch words := strings.Fields(command); words[0] {
				case "cat":
					if err := os.WriteFile(filepath.Join(dir, words[1]), []byte(strings.TrimSuffix(output, "\n")), 0o600); err != nil {
						t.Fatal(err)
					}
				case "export":
					env = append(env, strings.ReplaceAll(strings.TrimPrefix(command, "export "), "'", ""))
				default:
					b := newBench(t, env...)
					t.Chdir(dir)
					if code := b.run(t.Context(), words[1:]); code != 0 || b.stderr.String() != "" {
						t.Errorf("%s: %s: exit code %d, stderr %s", file, command, code, &b.stderr)
					}
					got, want = b.stdout.String(), strings.TrimSuffix(output, "\n")+"\n"
				}
			}
			if diff := cmp.Diff(took.ReplaceAllString(want, ""), took.ReplaceAllString(got, "")); diff != "" {
				t.Errorf("%s:\n%s\ngot\n%s", file, diff, got)
			}
		}
	}
	if ran < 2 {
		t.Errorf("found %d examples; there are two", ran)
	}
}
