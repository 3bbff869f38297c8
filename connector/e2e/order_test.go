package e2e_test

import (
	"fmt"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr"

	"kafka-firehose/connector"
)

// TestOrderOfWhatIsConvertedAhead: with one request at a time, records that several cores
// compare with their schema are stored in the order of their partitions. A second schema has to be fetched
// and some records are bad, in the middle of everything.
func TestOrderOfWhatIsConvertedAhead(t *testing.T) {
	if runtime.GOMAXPROCS(0) < 2 {
		t.Skip("a single core converts records one by one")
	}
	bubble(t, func(w *world) {
		registry := w.decodes()
		for id, schema := range []string{`{"type":"integer","minimum":0}`, `{"type":["string","integer"]}`} {
			registry.SeedSchema("json-value", id+1, id+11, sr.Schema{Schema: schema, Type: sr.TypeJSON})
		}
		w.judge.made = func(r *kgo.Record) string { return fmt.Sprint(r.Offset*4 + int64(r.Partition)) }
		last, bad, out := map[int]int{}, 0, 0
		read := w.judge.read
		w.judge.read = func(line string) string {
			value := read(line)
			n, err := strconv.Atoi(value)
			if err != nil {
				bad++
			} else if before, some := last[n%4]; some && n <= before {
				out++
			} else {
				last[n%4] = n
			}
			return value
		}
		const n = 40_000
		w.produceWith(0, n, func(i int) *kgo.Record {
			value := fmt.Appendf([]byte{0, 0, 0, 0, byte(11 + i/(n/2))}, "%d", i)
			if i%1000 == 999 {
				value = value[:5]
			}
			return &kgo.Record{Topic: "in", Partition: int32(i % 4), Value: value}
		})
		for i := 999; i < n; i += 1000 {
			w.judge.allow(place{part{w.in, int32(i % 4)}, int64(i / 4)})
		}
		m := w.start(avroFormat, func(c *connector.Config) {
			c.Record.Format, c.Record.Validated = "json-schema", true
			c.BadRecordPolicy, c.Firehose.MaxInFlight = "skip", 1
		})
		time.Sleep(2 * time.Minute)
		m.mustStop()
		if bad > 0 || out > 0 {
			t.Errorf("%d records came out of order, %d as something else", out, bad)
		}
		if got := w.committed(); got != n {
			t.Errorf("committed %d, want %d", got, n)
		}
		if got := w.stream.Stats().Streams["s"].Records; got != n-n/1000 {
			t.Errorf("%d records were stored, want %d", got, n-n/1000)
		}
	})
}
