package connector_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/connector"
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
