package e2e_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/connector"
	"kafka-firehose/connector/firehose/firehosetest"
)

// valueOf is what the envelope in a line holds.
func valueOf(line string) string {
	var envelope struct {
		Value json.RawMessage `json:"value"`
	}
	if err := json.Unmarshal([]byte(line), &envelope); err != nil {
		return "not an envelope: " + line
	}
	return string(envelope.Value)
}

// TestEnvelopes: every record arrives in an envelope, tombstones too.
func TestEnvelopes(t *testing.T) {
	bubble(t, func(w *world) {
		w.judge.made = func(r *kgo.Record) string { return strings.TrimSpace(string(r.Value)) }
		w.judge.read = valueOf
		const n = 2000
		m := w.start(func(c *connector.Config) {
			c.Record.Format, c.Record.Tombstones, c.Record.Aggregate = "json", "envelope", true
		})
		w.produceWith(0, n, func(i int) *kgo.Record {
			return &kgo.Record{Topic: "in", Partition: int32(i % 4), Key: []byte("k"), Value: fmt.Appendf(nil, " %d\n", i)}
		})
		w.produceWith(n, n+8, func(i int) *kgo.Record { return &kgo.Record{Topic: "in", Partition: int32(i % 4), Key: []byte("k")} })
		time.Sleep(20 * time.Second)
		m.mustStop()
		w.wantExactly(n)
		if got := w.judge.copiesOf("null"); got != 8 {
			t.Errorf("%d tombstones arrived, want 8", got)
		}
		if got := w.committed(); got != n+8 {
			t.Errorf("committed %d, want %d", got, n+8)
		}
	})
}

// TestCompressed: records of three partitions in gzip members, some of which are
// refused now and then, and one that fits only because it is compressed.
func TestCompressed(t *testing.T) {
	bubble(t, func(w *world) {
		w.stream.AddFault(firehosetest.Fault{Effect: firehosetest.RefuseRecords, Share: 0.2})
		const n = 20_000
		w.produce(0, n)
		blanks := strings.Repeat(" ", 1_050_000)
		w.produceWith(n, n+1, func(i int) *kgo.Record { return &kgo.Record{Topic: "in", Value: fmt.Appendf(nil, "%d%s", i, blanks)} })
		w.judge.alias(fmt.Sprint(n, blanks), fmt.Sprint(n))
		m := w.start(func(c *connector.Config) {
			c.Record.Aggregate, c.Record.Compression, c.Record.AggregateMaxRecords = true, "gzip", 1000
		})
		time.Sleep(30 * time.Second)
		m.mustStop()
		w.wantExactly(n + 1)
		if got := w.stream.Stats().Streams["s"].Records; got > 100 {
			t.Errorf("%d records were stored; want about 21, of 1,000 values each", got)
		}
		if got := w.committed(); got != n+1 {
			t.Errorf("committed %d, want %d", got, n+1)
		}
	})
}
