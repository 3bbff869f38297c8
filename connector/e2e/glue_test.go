package e2e_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"
	awsglue "github.com/aws/aws-sdk-go-v2/service/glue"
	"github.com/klauspost/compress/zlib"
	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/connector"
	"kafka-firehose/connector/convert"
	"kafka-firehose/connector/longtest"
	"kafka-firehose/connector/schema/glue"
	"kafka-firehose/connector/schema/glue/gluetest"
)

// glueVersion is the reference to version n.
func glueVersion(n byte) convert.SchemaRef { return convert.SchemaRef{GUID: [16]byte{0: 0xab, 15: n}} }

// glueNumber is a record with a number that was written with version 1 or 2, every other one compressed.
func glueNumber(i int, version byte) *kgo.Record {
	return glueRecord(i, version, binary.AppendVarint(nil, int64(i)))
}

// glueRecord is record i with data that was written with a version of a schema, every other one compressed.
func glueRecord(i int, version byte, data []byte) *kgo.Record {
	id := glueVersion(version).GUID
	if i%2 == 0 {
		return &kgo.Record{Topic: "in", Partition: int32(i % 4), Value: append(append([]byte{3, 0}, id[:]...), data...)}
	}
	var b bytes.Buffer
	b.Write(append([]byte{3, 5}, id[:]...))
	w := zlib.NewWriter(&b)
	_, _ = w.Write(data)
	_ = w.Close()
	return &kgo.Record{Topic: "in", Partition: int32(i % 4), Value: b.Bytes()}
}

// glueNumbers makes it a world whose values are numbers in Avro with schemas in AWS Glue. The judge
// knows records by their place, and expects them in their order.
func (w *world) glueNumbers() *gluetest.Registry {
	r := gluetest.New(accessKey, secretKey)
	r.Add(glueVersion(1).String(), "AVRO", `"long"`)
	r.Add(glueVersion(2).String(), "AVRO", `{"type":"record","name":"R","fields":[{"name":"n","type":"long"}]}`)
	w.glue = []glue.ClientOption{func(o *awsglue.Options) {
		o.HTTPClient, o.Credentials = r, credentials.NewStaticCredentialsProvider(accessKey, secretKey, "")
	}}
	w.judge.made = byPlace
	w.judge.read = func(line string) string { return strings.Trim(line, `{"n:}`) }
	return r
}

// byPlace tells records apart whose values are in the order in which they are produced.
func byPlace(r *kgo.Record) string { return fmt.Sprint(r.Offset*4 + int64(r.Partition)) }

func glueFormat(c *connector.Config) {
	c.Record.Format, c.Schema.Type, c.Schema.Region = "avro", "glue", gluetest.Region
}

// TestGlueInTurns: an hour in which AWS Glue works, throttles, denies and is down in turns, with a new schema
// every two minutes, one record in a thousand that is bad, and values of which every other is compressed. All
// the good ones arrive, all the bad ones are counted, and nothing of what AWS Glue could not answer is bad.
func TestGlueInTurns(t *testing.T) {
	bubble(t, func(w *world) {
		r := w.glueNumbers()
		for n := byte(3); n < 40; n++ {
			r.Add(glueVersion(n).String(), "AVRO", `"long"`)
		}
		begin := time.Now()
		turns := []*gluetest.Refusal{nil, &gluetest.Throttled, nil, &gluetest.Denied, &gluetest.Internal, nil, {}}
		r.Fault(func(string) *gluetest.Refusal { return turns[int(time.Since(begin)/(97*time.Second))%len(turns)] })
		m := w.start(glueFormat, func(c *connector.Config) { c.BadRecordPolicy = "skip" })
		const each = 500
		minutes := longtest.Pick(12, 60)
		n := minutes * each
		bad := map[int]bool{}
		for i := 500; i < n; i += 1000 {
			bad[i] = true
		}
		for minute := range minutes {
			w.produceWith(minute*each, (minute+1)*each, func(i int) *kgo.Record {
				r := glueNumber(i, byte(3+minute/2))
				if bad[i] {
					r.Value = [][]byte{[]byte("{}"), glueNumber(i, 99).Value, r.Value[:18], append(r.Value[:1:1], append([]byte{5}, r.Value[2:]...)...)}[i/1000%4]
				}
				return r
			})
			for i := range bad {
				if i/each == minute {
					w.judge.allow(place{part{w.in, int32(i % 4)}, int64(i / 4)})
				}
			}
			time.Sleep(time.Minute)
		}
		w.untilCommitted(n)
		if err := m.connector.Ready(); err != nil {
			t.Errorf("not ready after it: %v", err)
		}
		m.mustStop()
		for i := range n {
			if got := w.judge.copiesOf(fmt.Sprint(i)); !bad[i] && got != 1 {
				t.Fatalf("record %d arrived %d times", i, got)
			}
		}
		skipped := m.metric("records_skipped_total", "undecodable") + m.metric("records_skipped_total", "unknown_schema")
		if got := m.metric("records_skipped_total", "unknown_schema"); int(skipped) != len(bad) || got == 0 {
			t.Errorf("%v records are bad, %v of them for their schema; want %d", skipped, got, len(bad))
		}
		if asked := len(r.Asked()); asked > 1500 {
			t.Errorf("%d requests", asked)
		} else {
			t.Logf("%d requests, %d records, %d bad", asked, n, len(bad))
		}
	})
}

// TestGlueOfAnotherType: a value of AWS Glue's serializers, read as Confluent's, is bad, and the log names the
// setting that would read it.
func TestGlueOfAnotherType(t *testing.T) {
	bubble(t, func(w *world) {
		w.decodes()
		w.judge.made = byPlace
		w.produceWith(0, 100, func(i int) *kgo.Record { return avroNumber(i, 1) })
		w.produceWith(100, 101, func(int) *kgo.Record { return glueNumber(100, 1) })
		w.judge.allow(place{part{w.in, 0}, 25})
		m := w.start(avroFormat, func(c *connector.Config) { c.BadRecordPolicy = "skip" })
		w.untilCommitted(101)
		m.mustStop()
		if want := "it looks as if AWS Glue's serializers wrote it, which SCHEMA_REGISTRY_TYPE=glue reads"; !strings.Contains(w.log.String(), want) {
			t.Errorf("nobody was told %q", want)
		}
	})
}

// TestApicurioDelivers: values in Apicurio's own framing, with the id before the data and in a header, arrive, and one
// whose schema can't be had yet waits for it.
func TestApicurioDelivers(t *testing.T) {
	bubble(t, func(w *world) {
		var registered atomic.Bool
		w.registry = tripper(func(r *http.Request) (*http.Response, error) {
			resp := &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Request: r}
			var body string
			switch id := strings.TrimPrefix(r.URL.Path, "/apis/registry/v2/ids/"); {
			case strings.HasSuffix(id, "/references"):
				body = "[]"
			case id == "contentIds/1", id == "globalIds/2" && registered.Load():
				body = `"long"`
			default:
				resp.StatusCode, body = http.StatusNotFound, `{"error_code":404,"name":"ArtifactNotFoundException"}`
			}
			resp.Body = io.NopCloser(strings.NewReader(body))
			return resp, nil
		})
		w.judge.made = byPlace
		id := func(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }
		w.produceWith(0, 1000, func(i int) *kgo.Record {
			r := &kgo.Record{Topic: "in", Partition: int32(i % 4)}
			data := binary.AppendVarint(nil, int64(i))
			if i%3 == 0 {
				r.Value, r.Headers = data, []kgo.RecordHeader{{Key: "apicurio.value.globalId", Value: id(2)}}
			} else {
				r.Value = append(append([]byte{0}, id(1)...), data...)
			}
			return r
		})
		time.AfterFunc(20*time.Second, func() { registered.Store(true) })
		m := w.start(func(c *connector.Config) {
			c.Record.Format, c.Schema.Type, c.Schema.ApicurioID = "avro", "apicurio", "contentId"
			c.Schema.URLs = []string{"http://registry.example/apis/registry/v2"}
		})
		w.untilCommitted(1000)
		m.mustStop()
		w.wantExactly(1000)
	})
}

type tripper func(*http.Request) (*http.Response, error)

func (f tripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
