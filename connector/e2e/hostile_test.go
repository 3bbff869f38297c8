package e2e_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr"
	"github.com/twmb/franz-go/pkg/sr/srfake"

	"kafka-firehose/connector"
)

// TestHostileSchemas: records of schemas that would take years to compare them with, or all
// memory to compile, are bad and counted. The others are delivered, a second member gets
// its partitions, and both stop.
func TestHostileSchemas(t *testing.T) {
	bubble(t, func(w *world) {
		const sane, doubling, deep, n = 1, 2, 3, 2000
		var levels []string
		for i := range 60 { // each doubles the time
			levels = append(levels, fmt.Sprintf(`"a%d":{"allOf":[{"$ref":"#/definitions/a%d"},{"$ref":"#/definitions/a%d"}]}`, i+1, i, i))
		}
		r := &registry{Registry: srfake.NewRegistry()}
		for id, text := range map[int]string{
			sane:     `{"type":"integer"}`,
			doubling: `{"$ref":"#/definitions/a60","definitions":{"a0":{"type":"integer"},` + strings.Join(levels, ",") + `}}`,
			deep:     strings.Repeat(`{"not":`, 4000) + `{}` + strings.Repeat(`}`, 4000),
		} {
			r.SeedSchema("in-value", id, id, sr.Schema{Schema: text, Type: sr.TypeJSON})
		}
		w.registry = r
		bad := func(i int) bool { return i%500 == 250 }
		w.judge.made = func(r *kgo.Record) string { return fmt.Sprint(r.Offset*4 + int64(r.Partition)) }
		w.produceWith(0, n, func(i int) *kgo.Record {
			id := byte(sane)
			if bad(i) {
				id = byte(doubling + i/500%2)
			}
			return &kgo.Record{Topic: w.in, Partition: int32(i % 4), Value: fmt.Appendf([]byte{0, 0, 0, 0, id}, "%d", i)}
		})
		for i := range n {
			if bad(i) {
				w.judge.allow(place{part{w.in, int32(i % 4)}, int64(i / 4)})
			}
		}
		format := func(c *connector.Config) {
			c.Record.Format, c.Record.Validated, c.Schema.URLs = "json-schema", true, []string{"http://registry.example"}
			c.BadRecordPolicy = "skip"
		}
		first := w.start(format)
		w.untilShared(4, first)
		second := w.start(format)
		w.untilShared(2, first, second)
		time.Sleep(30 * time.Second)
		for i := range n {
			if !bad(i) && w.judge.copiesOf(fmt.Sprint(i)) == 0 {
				t.Fatalf("record %d was not delivered", i)
			}
		}
		for _, m := range []*member{first, second} {
			begin := time.Now()
			if err := m.connector.Live(); err != nil {
				t.Error(err)
			}
			m.mustStop()
			if took := time.Since(begin); took > 10*time.Second {
				t.Errorf("a stop took %v", took)
			}
		}
		if got := first.metric("records_skipped_total", "undecodable") + second.metric("records_skipped_total", "undecodable"); got != n/500 {
			t.Errorf("%v records are undecodable, want %d", got, n/500)
		}
		if got := w.committed(); got != n {
			t.Errorf("committed %d, want %d", got, n)
		}
		for _, want := range []string{"schema 2: to compare it with its schema takes too many steps: more than 500012 for its 3 bytes", "schema 3: its schema can't be used: it is nested more than 250 levels deep"} {
			if !strings.Contains(w.log.String(), want) {
				t.Errorf("the log does not say %q", want)
			}
		}
	})
}
