package e2e_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/connector"
	"kafka-firehose/connector/longtest"
)

// padded produces values that are their number and so many bytes in all.
func padded(w *world, size int) (produce func(from, to int)) {
	number := func(value string) string {
		n, _, _ := strings.Cut(value, " ")
		return n
	}
	w.judge.made, w.judge.read = func(r *kgo.Record) string { return number(string(r.Value)) }, number
	pad := strings.Repeat("x", size)
	return func(from, to int) {
		w.produceWith(from, to, func(i int) *kgo.Record {
			return &kgo.Record{Topic: w.in, Partition: int32(i % 4), Value: fmt.Appendf(nil, "%d %s", i, pad)[:size]}
		})
	}
}

const billLine = `msg="Firehose bills each record as a multiple of 5 KiB`

// TestBillHint: who sends small records one by one is told once what that costs, and what
// it would cost; nobody else is. The metric tells everybody.
func TestBillHint(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		n      int // values
		size   int // of each, in bytes, with the delimiter
		change func(*connector.Config)
		ratio  float64 // that the metric comes to
		want   string  // in the line; "" for no line
	}{
		{"small", 30_000, 200, func(*connector.Config) {}, 25.6, "average_record_bytes=200 billed_gb_for_a_gb=25.6 aggregated_it_would_be=1.05 hint="},
		{"one byte too many", 2_000, 5121, func(*connector.Config) {}, 2, "billed_gb_for_a_gb=2 aggregated_it_would_be=1.03 "},
		{"small, without a delimiter", 6_000, 1024, func(c *connector.Config) { c.Record.Delimiter = "" }, 5, "into a record, which takes a RECORD_DELIMITER"},
		{"small, and few so far", 10_000, 200, func(*connector.Config) {}, 25.6, ""},
		{"small, aggregated", 30_000, 200, func(c *connector.Config) { c.Record.Aggregate = true }, 1.02, ""},
		{"small, aggregated by two", 30_000, 200, func(c *connector.Config) { c.Record.Aggregate, c.Record.AggregateMaxRecords = true, 2 }, 12.8, ""},
		{"just fitting", 2_000, 5120, func(*connector.Config) {}, 1, ""},
		{"not quite fitting", 2_000, 4000, func(*connector.Config) {}, 1.28, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, func(w *world) {
				m := w.start(test.change)
				cfg := w.config()
				test.change(&cfg)
				produce := padded(w, test.size-len(cfg.Record.Delimiter))
				produce(0, test.n)
				w.untilCommitted(test.n)
				if got := m.metric("billed_ratio"); math.Abs(got-test.ratio) > 0.02 {
					t.Errorf("the metric says %v, want %v", got, test.ratio)
				}
				produce(test.n, test.n+test.n/10)
				w.untilCommitted(test.n + test.n/10)
				m.mustStop()
				lines := 1
				if test.want == "" {
					lines = 0
				}
				if log := w.log.String(); strings.Count(log, billLine) != lines || !strings.Contains(log, test.want) {
					t.Errorf("want %d lines with %q:\n%s", lines, test.want, w.log.tail())
				}
			})
		})
	}
}

// TestThinTraffic: a value now and then gains nothing by aggregation, so there is nothing to
// tell; and with aggregation none waits longer for its record than for a batch without.
func TestThinTraffic(t *testing.T) {
	t.Parallel()
	for _, aggregate := range longtest.Pick([]bool{true}, []bool{false, true}) {
		t.Run(fmt.Sprintf("aggregate=%v", aggregate), func(t *testing.T) {
			bubble(t, func(w *world) {
				m := w.start(func(c *connector.Config) { c.Record.Aggregate = aggregate })
				const n = 2200 // of them more than billAfter
				produce := padded(w, 2000)
				for i := range n {
					produce(i, i+1)
					begin := time.Now()
					w.until("it is stored", time.Minute, func() bool { return w.stream.Stats().Streams["s"].Records > i })
					if waited := time.Since(begin); waited > time.Second+200*time.Millisecond { // the linger, and the fetch
						t.Fatalf("value %d waited %v", i, waited)
					}
					time.Sleep(time.Second)
				}
				m.mustStop()
				if strings.Contains(w.log.String(), billLine) {
					t.Errorf("told, although nothing would change:\n%s", w.log.tail())
				}
			})
		})
	}
}
