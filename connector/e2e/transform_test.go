package e2e_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/connector"
	"kafka-firehose/connector/env"
	"kafka-firehose/connector/firehose/firehosetest"
	"kafka-firehose/connector/recovery"
)

// filtering sets RECORD_FILTER.
func filtering(t *testing.T, expression string) func(*connector.Config) {
	t.Helper()
	return func(c *connector.Config) {
		if err := c.Record.Filter.Decode(expression); err != nil {
			t.Fatal(err)
		}
	}
}

// TestFilteredRecords: every third record is left out, and nothing else: the offsets of all are committed, also while Firehose
// refuses some, and those that are left out are counted by their topic.
func TestFilteredRecords(t *testing.T) { bubble(t, filteredRecords) }

func filteredRecords(w *world) {
	w.stream.AddFault(firehosetest.Fault{Effect: firehosetest.RefuseRecords, Share: 0.2})
	const n = 3000
	sent := func(i int) bool { return i%3 != 0 }
	w.produce(0, n)
	for i := range n {
		if !sent(i) {
			w.judge.allow(w.judge.placeOf(fmt.Sprint(i)))
		}
	}
	m := w.start(filtering(w.t, `value % 3 != 0`), func(c *connector.Config) { c.Record.Aggregate = true })
	w.untilCommitted(n)
	m.mustStop()
	for i := range n {
		if got := w.judge.copiesOf(fmt.Sprint(i)); got == 1 != sent(i) {
			w.t.Errorf("record %d arrived %d times", i, got)
		}
	}
	for name, label := range map[string]string{"records_filtered_total": w.in, "records_skipped_total": "filtered"} {
		if got := m.metric(name, label); got != n/3 {
			w.t.Errorf("%s of %s is %v, want %d", name, label, got, n/3)
		}
	}
}

// TestFilterFails: a record that the expression fails for stops its partition and no other, with a log line that tells the
// place in the expression and nothing of the record; and it goes to the dead-letter topic if that is the policy.
func TestFilterFails(t *testing.T) { bubble(t, filterFails) }

func filterFails(w *world) {
	w.produce(0, 100)
	w.produceWith(100, 101, func(int) *kgo.Record {
		return &kgo.Record{Topic: w.in, Partition: 1, Value: []byte(`"planted-value"`)}
	})
	m := w.start(filtering(w.t, `value >= 0`))
	w.untilCommitted(100)
	w.until("the log tells it", patience, func() bool { return strings.Contains(w.log.String(), "RECORD_FILTER: line 1, column 7") })
	m.mustStop()
	w.wantExactly(100)
	if strings.Contains(w.log.String(), "planted-value") {
		w.t.Error("the log repeats the value")
	}
	p, policy := w.post(1_048_588)
	w.judge.allow(place{part{w.in, 1}, 25})
	m = w.start(policy, filtering(w.t, `value >= 0`))
	w.untilCommitted(101)
	m.mustStop()
	letters := p.letters()
	if len(letters) != 1 || header(letters[0], "__connect.errors.exception.class.name") != "filter_failed" || string(letters[0].Value) != `"planted-value"` {
		w.t.Errorf("the letters are %+v", letters)
	}
}

// masking sets RECORD_MASK and its key.
func masking(t *testing.T, rules string) func(*connector.Config) {
	t.Helper()
	return func(c *connector.Config) {
		if err := c.Record.Mask.Decode(rules); err != nil {
			t.Fatal(err)
		}
		c.Record.MaskSecret = env.NewSecret("a key of digests")
	}
}

// TestMaskedRecords: no member that is masked arrives, also of records that Firehose refuses at first; a value that can't be
// masked is not sent, and with digests it is in no dead letter and no log line either.
func TestMaskedRecords(t *testing.T) { bubble(t, maskedRecords) }

func maskedRecords(w *world) {
	var unmasked atomic.Int64
	w.judge.made = func(r *kgo.Record) string {
		return string(r.Value[len(`{"secret":"planted-value","n":`) : len(r.Value)-1])
	}
	w.judge.read = func(line string) string {
		if strings.Contains(line, "planted") {
			unmasked.Add(1)
		}
		_, n, _ := strings.Cut(strings.TrimSuffix(line, "}"), `"n":`)
		return n
	}
	w.stream.AddFault(firehosetest.Fault{Effect: firehosetest.RefuseRecords, Share: 0.2})
	const n = 1000
	w.produceWith(0, n, func(i int) *kgo.Record {
		return &kgo.Record{Topic: w.in, Partition: int32(i % 4), Value: fmt.Appendf(nil, `{"secret":"planted-value","n":%d}`, i)}
	})
	w.produceWith(n, n+1, func(int) *kgo.Record {
		return &kgo.Record{Topic: w.in, Partition: 2, Value: []byte(`{"secret":"planted-value","n":-}`)}
	})
	w.judge.allow(place{part{w.in, 2}, n / 4})
	p, policy := w.post(1_048_588)
	m := w.start(policy, masking(w.t, "secret=sha256"), func(c *connector.Config) { c.DeadLetter.Value = "digest" })
	w.untilCommitted(n + 1)
	m.mustStop()
	w.wantExactly(n)
	if got := unmasked.Load(); got > 0 {
		w.t.Errorf("%d records arrived unmasked", got)
	}
	letters := p.letters()
	if len(letters) != 1 || letters[0].Value != nil || header(letters[0], "kafka-firehose.value.bytes") != "32" || header(letters[0], "__connect.errors.exception.class.name") != "undecodable" {
		w.t.Errorf("the letters are %+v", letters)
	}
	if strings.Contains(w.log.String(), "planted") {
		w.t.Error("the log repeats a value")
	}
}

// TestAuditWithFilter: records that the filter leaves out are not missing, and one that was delivered nevertheless is not expected.
func TestAuditWithFilter(t *testing.T) {
	t.Parallel()
	surroundings(t, noDoor, func(w *world) {
		root := t.TempDir()
		w.produceWith(0, 10, func(i int) *kgo.Record {
			return &kgo.Record{Topic: w.in, Partition: 0, Value: fmt.Appendf(nil, `{"n":%d}`, i)}
		})
		var lines strings.Builder
		for _, offset := range []int{0, 2, 4, 5, 8} {
			fmt.Fprintf(&lines, `{"id":"in-0-%d"}`+"\n", offset)
		}
		if err := os.WriteFile(filepath.Join(root, "object"), []byte(lines.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		report, err := w.audit(root, func(c *connector.Config, _ *recovery.AuditRequest) {
			c.Record.Format, c.Record.Envelope, c.Schema.URLs = "json", false, nil
			filtering(t, `value.n % 2 == 0`)(c)
		})
		if err != nil {
			t.Fatal(err)
		}
		p := report.Partitions[0]
		if diff := cmp.Diff(map[string]int64{"filtered": 5}, p.LeftOut); diff != "" {
			t.Error(diff)
		}
		if !slices.Equal(p.MissingOffsets.Ranges, [][2]int64{{6, 6}}) || !slices.Equal(p.UnexpectedOffsets.Ranges, [][2]int64{{5, 5}}) {
			t.Errorf("missing %v, not expected %v; want 6 and 5", p.MissingOffsets.Ranges, p.UnexpectedOffsets.Ranges)
		}
	})
}
