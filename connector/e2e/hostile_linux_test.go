package e2e_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr"
	"github.com/twmb/franz-go/pkg/sr/srfake"
	"google.golang.org/protobuf/encoding/protowire"

	"kafka-firehose/connector/firehose/firehosetest"
	"kafka-firehose/connector/longtest"
)

// hostile is a kind of record that stands for far more memory or time than its bytes do.
type hostile struct {
	name   string
	schema func(i int) string // the i-th of its schemas, all different
	value  []byte
}

// hostileFormat has the hostile schemas and records of a format.
type hostileFormat struct {
	env    []string
	kind   sr.SchemaType
	number string             // the schema of the other records
	encode func(i int) []byte // one of these
	kinds  []hostile
}

// schemaList is head, n pieces with their number, and tail.
func schemaList(head string, n int, piece, tail string) string {
	var b strings.Builder
	b.WriteString(head)
	for i := range n {
		b.WriteString(strings.ReplaceAll(piece, "#", fmt.Sprint(i)))
	}
	return b.String() + tail
}

// digits is the number in a record that is delivered.
func digits(line string) string {
	if n := strings.Trim(line, `{"n:}`); n != "" {
		return n
	}
	return "0" // Protobuf leaves it out
}

// hostileJSON are JSON Schemas and JSON.
func hostileJSON() hostileFormat {
	return hostileFormat{
		[]string{"RECORD_FORMAT=json-schema", "RECORD_SCHEMA_VALIDATE=true"},
		sr.TypeJSON, `{"type":"integer"}`,
		func(i int) []byte { return fmt.Appendf(nil, "%d", i) },
		[]hostile{
			{"each level doubles the time", func(i int) string {
				s := fmt.Sprintf(`{"title":"%d","$ref":"#/definitions/a60","definitions":{"a0":{"type":"object"}`, i)
				for n := range 60 {
					s += fmt.Sprintf(`,"a%d":{"allOf":[{"$ref":"#/definitions/a%d"},{"$ref":"#/definitions/a%d"}]}`, n+1, n, n)
				}
				return s + "}}"
			}, []byte(`{}`)},
			{"4,000 levels", func(i int) string {
				return fmt.Sprintf(`{"title":"%d","not":`, i) + strings.Repeat(`{"not":`, 4000) + "{}" + strings.Repeat("}", 4001)
			}, []byte(`{}`)},
			{"as many objects as are taken", func(i int) string {
				return schemaList(fmt.Sprintf(`{"title":"%d","type":"object","properties":{"x":{"type":"integer"}`, i), 11_000, `,"property#":{"type":"integer","minimum":#}`, "}}")
			}, []byte(`[]`)},
			{"as many patterns as are taken", func(i int) string {
				return schemaList(fmt.Sprintf(`{"title":"%d","type":"string","allOf":[{}`, i), 45, `,{"pattern":"^(a{1,9}#){1,30}(b|c)*$"}`, "]}")
			}, []byte(`[]`)},
			{"a text above the bound", func(i int) string { return fmt.Sprintf(`{"title":"%d"}`, i) + strings.Repeat(" ", 2<<20) }, []byte(`{}`)},
			{
				"many small values", func(i int) string { return fmt.Sprintf(`{"title":"%d","items":{"type":"object"}}`, i) },
				[]byte("[" + strings.Repeat(`{"a":1},`, 120_000) + "1]"),
			},
			{"a list of numbers, each compared again and again", func(i int) string {
				return fmt.Sprintf(`{"title":"%d","uniqueItems":true,"items":{"multipleOf":0.0001},"contains":{"const":"x"}}`, i)
			}, []byte("[" + strings.Repeat(`1,`, 450_000) + "1]")},
		},
	}
}

// hostileAvro are schemas and values of Avro.
func hostileAvro() hostileFormat {
	return hostileFormat{
		[]string{"RECORD_FORMAT=avro"},
		sr.TypeAvro, `{"type":"record","name":"R","fields":[{"name":"n","type":"long"}]}`,
		func(i int) []byte { return binary.AppendVarint(nil, int64(i)) },
		[]hostile{
			{"as many fields as are taken", func(i int) string {
				return schemaList(fmt.Sprintf(`{"type":"record","name":"R%d","fields":[{"name":"f","type":"int"}`, i), 14_000, `,{"name":"f#","type":"int"}`, "]}")
			}, []byte{2}},
			{"records of nothing without end", func(i int) string {
				return fmt.Sprintf(`{"type":"array","items":{"type":"record","name":"R%d","fields":[{"name":"a","type":"null"}]}}`, i)
			}, binary.AppendVarint(nil, 1<<60)},
			{"enumerations of long names", func(i int) string {
				return fmt.Sprintf(`{"type":"array","items":{"type":"enum","name":"E%d","symbols":["`, i) + strings.Repeat("N", 500) + `"]}}`
			}, append(binary.AppendVarint(nil, 500_000), make([]byte, 500_001)...)},
			{"a list in a list, without end", func(i int) string {
				return fmt.Sprintf(`{"type":"record","name":"L%d","fields":[{"name":"next","type":["null","L%d"]}]}`, i, i)
			}, bytes.Repeat([]byte{2}, 900_000)},
			{"each level uses the one inside twice", func(i int) string {
				s := fmt.Sprintf(`{"type":"record","name":"q0","doc":"%d","fields":[]}`, i)
				for n := 1; n < 300; n++ {
					s = fmt.Sprintf(`{"type":"record","name":"q%d","fields":[{"name":"a","type":%s},{"name":"b","type":"q%d"}]}`, n, s, n-1)
				}
				return s
			}, []byte{2}},
			{"a text above the bound", func(i int) string { return fmt.Sprintf(`{"type":"int","doc":"%d"}`, i) + strings.Repeat(" ", 2<<20) }, []byte{2}},
		},
	}
}

// hostileProtobuf are schemas and messages of Protobuf.
func hostileProtobuf() hostileFormat {
	return hostileFormat{
		[]string{"RECORD_FORMAT=protobuf"},
		sr.TypeProtobuf, `syntax="proto3"; message M{int32 n=1;}`,
		func(i int) []byte {
			return protowire.AppendVarint(protowire.AppendTag([]byte{0}, 1, protowire.VarintType), uint64(i))
		},
		[]hostile{
			{"as many fields as are taken", func(i int) string {
				return schemaList(fmt.Sprintf(`syntax="proto3"; package p%d; message M{int32 a=1;}`, i), 12_000, "message M#{int32 a=1;}", "")
			}, []byte{0, 0xff}},
			{"more fields than are taken", func(i int) string {
				return schemaList(fmt.Sprintf(`syntax="proto3"; package p%d; message M{int32 a=1;}`, i), 40_000, "message M#{int32 a=1;}", "")
			}, []byte{0, 0xff}},
			{"messages of nothing", func(i int) string {
				return fmt.Sprintf(`syntax="proto3"; package p%d; message M{int32 a=1; repeated M m=2;}`, i)
			}, append([]byte{0}, bytes.Repeat([]byte{0x12, 0}, 450_000)...)},
			{"entries of a map", func(i int) string {
				return fmt.Sprintf(`syntax="proto3"; package p%d; message M{map<int32,M> m=2;}`, i)
			}, append([]byte{0}, bytes.Repeat([]byte{0x12, 0}, 450_000)...)},
			{"enumerations of long names", func(i int) string {
				return fmt.Sprintf(`syntax="proto3"; package p%d; enum E{%s=0;} message M{repeated E e=1;}`, i, strings.Repeat("N", 900))
			}, append(protowire.AppendVarint([]byte{0, 0x0a}, 900_000), make([]byte, 900_000)...)},
			{"a text above the bound", func(i int) string {
				return fmt.Sprintf(`syntax="proto3"; package p%d; message M{int32 a=1;}`, i) + strings.Repeat(" ", 2<<20)
			}, []byte{0, 0xff}},
		},
	}
}

// TestMemoryOfHostileSchemas: a topic is full of records whose schemas and values stand for
// far more memory and time than there is, 15 schemas of each kind. The process stays within
// three times MAX_BUFFERED_BYTES, is alive all the time, delivers the records of the
// other stream, skips the hostile records one by one, and stops in time.
func TestMemoryOfHostileSchemas(t *testing.T) {
	longtest.Require(t)
	t.Parallel()
	for format, f := range map[string]hostileFormat{"json-schema": hostileJSON(), "avro": hostileAvro(), "protobuf": hostileProtobuf()} {
		t.Run(format, func(t *testing.T) {
			t.Parallel()
			hostileSchemas(t, f)
		})
	}
}

func hostileSchemas(t *testing.T, f hostileFormat) {
	t.Helper()
	const setting, limit, parts, schemas = 64 << 20, 192 << 20, 8, 15
	h := newHost(t)
	h.binary()
	h.stream.AddStream(firehosetest.Stream{Name: "other"})
	made, err := h.admin.CreateTopic(t.Context(), parts, -1, nil, "hostile")
	if err != nil {
		t.Fatal(err)
	}
	h.judge.name(made.ID, "hostile")
	fake := srfake.NewRegistry()
	fake.SeedSchema("in-value", 1, 1, sr.Schema{Schema: f.number, Type: f.kind})
	registry := httptest.NewServer(fake.Handler())
	t.Cleanup(registry.Close)
	h.judge.made = func(r *kgo.Record) string { return fmt.Sprint(r.Offset*4 + int64(r.Partition)) }
	h.judge.read = digits

	framed := func(id int, value []byte) []byte {
		return append(binary.BigEndian.AppendUint32([]byte{0}, uint32(id)), value...)
	}
	id, bad := 1, 0
	for i := range schemas {
		for _, k := range f.kinds {
			id++
			fake.SeedSchema(fmt.Sprint("s", id), 1, id, sr.Schema{Schema: k.schema(i), Type: f.kind})
			for range 2 {
				r := &kgo.Record{Topic: "hostile", Partition: int32(bad % parts), Value: framed(id, k.value)}
				if err := h.producer.ProduceSync(t.Context(), r).FirstErr(); err != nil {
					t.Fatal(err)
				}
				h.judge.allow(place{part{"hostile", r.Partition}, r.Offset})
				bad++
			}
		}
	}

	const shutdown = 5 * time.Second
	c := h.start(append(f.env, "KAFKA_SESSION_TIMEOUT=15s", "KAFKA_TOPICS=in,hostile", "FIREHOSE_ROUTES=hostile=other", "BAD_RECORD_POLICY=skip",
		"SCHEMA_REGISTRY_URL="+registry.URL, "SHUTDOWN_TIMEOUT="+shutdown.String(), fmt.Sprintf("MAX_BUFFERED_BYTES=%d", setting))...)
	const each, ticks = 200, 100
	begin := time.Now()
	for range ticks {
		h.produceWith(each, func(i int) []byte { return framed(1, f.encode(i)) })
		if status, body := c.probe(t, "/livez"); status != http.StatusOK {
			t.Errorf("/livez says %d: %s", status, body)
		}
		<-time.After(50 * time.Millisecond)
	}
	wrote := time.Since(begin)
	h.until(c, "the records of the other stream are delivered", func() bool { return h.sent() >= ticks*each })
	if took := time.Since(begin); took > wrote*10/9+time.Second { // the second is the way of the last one
		t.Errorf("the records of the other stream were written in %v and delivered within %v, at less than 90%% of the rate", wrote, took)
	}
	h.untilAt("records were passed", int64(h.produced+bad), time.Minute, h.judge.progress)
	t.Logf("all hostile records were passed after %v", time.Since(begin))
	if skipped := c.metric(t, "kafka_firehose_records_skipped_total", `reason="undecodable"`) + c.metric(t, "kafka_firehose_records_skipped_total", `reason="too_large"`); int(skipped) != bad {
		t.Errorf("%v records are skipped, want %d", skipped, bad)
	}
	c.wantMemory(t, limit)
	begin = time.Now()
	h.drain(c)
	if took := time.Since(begin); took > shutdown+2*time.Second {
		t.Errorf("a stop took %v", took)
	}
	h.wantAll(0)
}
