package e2e_test

import (
	"bytes"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/klauspost/compress/zlib"
	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/connector/firehose/firehosetest"
	"kafka-firehose/connector/longtest"
)

// TestMemoryOfZlibBombs: a topic is full of values in AWS Glue's framing that become 512 MiB each when they are
// decompressed. The process stays within three times MAX_BUFFERED_BYTES, is alive all the time, delivers what
// comes in for the other stream, and gives up each of them.
func TestMemoryOfZlibBombs(t *testing.T) {
	longtest.Require(t)
	t.Parallel()
	const setting, limit, parts, bombs = 64 << 20, 192 << 20, 8, 200
	h := newHost(t)
	h.binary()
	h.stream.AddStream(firehosetest.Stream{Name: "other"})
	made, err := h.admin.CreateTopic(t.Context(), parts, -1, nil, "hostile")
	if err != nil {
		t.Fatal(err)
	}
	h.judge.name(made.ID, "hostile")
	h.judge.made = func(r *kgo.Record) string { return fmt.Sprint(r.Offset*4 + int64(r.Partition)) }

	version := glueVersion(1).GUID
	framed := func(compression byte, value []byte) []byte {
		return append(append([]byte{3, compression}, version[:]...), value...)
	}
	var bomb bytes.Buffer
	w := zlib.NewWriter(&bomb)
	for range 512 {
		if _, err := w.Write(bytes.Repeat([]byte(" "), 1<<20)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	for i := range bombs {
		r := &kgo.Record{Topic: "hostile", Partition: int32(i % parts), Value: framed(5, bomb.Bytes())}
		if err := h.producer.ProduceSync(t.Context(), r).FirstErr(); err != nil {
			t.Fatal(err)
		}
		h.judge.allow(place{part{"hostile", r.Partition}, r.Offset})
	}
	c := h.start("RECORD_FORMAT=json-schema", "SCHEMA_REGISTRY_TYPE=glue", "KAFKA_SESSION_TIMEOUT=15s", "KAFKA_TOPICS=in,hostile",
		"FIREHOSE_ROUTES=hostile=other", "BAD_RECORD_POLICY=skip", fmt.Sprintf("MAX_BUFFERED_BYTES=%d", setting))
	for range 40 {
		h.produceWith(200, func(i int) []byte { return framed(0, fmt.Appendf(nil, "%d", i)) })
		if status, body := c.probe(t, "/livez"); status != http.StatusOK {
			t.Errorf("/livez says %d: %s", status, body)
		}
		<-time.After(50 * time.Millisecond)
	}
	h.until(c, "the bombs are skipped", func() bool { return h.judge.progress() == int64(h.produced+bombs) })
	if skipped := c.metric(t, "kafka_firehose_records_skipped_total", `reason="too_large"`); int(skipped) != bombs {
		t.Errorf("%v records are skipped, want %d", skipped, bombs)
	}
	c.wantMemory(t, limit)
	h.drain(c)
	h.wantAll(0)
}
