package e2e_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/connector"
	"kafka-firehose/connector/recovery"
)

// audit compares the last three hours of the world with a directory.
func (w *world) audit(objects string, change ...func(*connector.Config, *recovery.AuditRequest)) (recovery.AuditReport, error) {
	w.t.Helper()
	cfg := w.config()
	avroFormat(&cfg)
	cfg.Record.Envelope = true
	now := time.Now()
	r := recovery.AuditRequest{From: now.Add(-3 * time.Hour), To: now, Objects: objects, Late: time.Hour, Parallel: 2}
	for _, c := range change {
		c(&cfg, &r)
	}
	if err := cfg.Validate(); err != nil {
		w.t.Fatal(err)
	}
	return connector.Audit(w.t.Context(), cfg, r, connector.Options{KafkaDial: w.dial, Registry: w.registry})
}

// writeObject writes lines into the only object of a directory. The bubble's clock is not that of the file system.
func writeObject(t *testing.T, root, lines string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(root, "object"), []byte(lines), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestAuditPolicy: records that the service leaves out are not expected, each with its reason, also those that only the registry
// can tell; while it is down that is an error after a while.
func TestAuditPolicy(t *testing.T) {
	t.Parallel()
	surroundings(t, noDoor, func(w *world) {
		registry := newRegistry()
		w.registry = registry
		root := t.TempDir()
		w.produceWith(0, 10, func(i int) *kgo.Record {
			r := avroNumber(i, 1)
			switch i {
			case 4:
				r.Value = nil
			case 5:
				r.Value = []byte{0, 0, 0, 0, 1}
			case 6:
				r.Value = []byte("no schema")
			case 7:
				r.Value[4] = 99
			}
			r.Partition = 0
			return r
		})
		var lines strings.Builder
		for _, offset := range []int{0, 1, 2, 3, 8} {
			fmt.Fprintf(&lines, `{"id":"in-0-%d"}`+"\n", offset)
		}
		writeObject(t, root, lines.String())
		time.Sleep(time.Minute)
		report, err := w.audit(root)
		if err != nil {
			t.Fatal(err)
		}
		p := report.Partitions[0]
		if diff := cmp.Diff(map[string]int64{"tombstone": 1, "undecodable": 2, "unknown_schema": 1}, p.LeftOut); diff != "" || p.Expected != 6 || p.Missing != 1 {
			t.Errorf("%d expected, %d missing %s", p.Expected, p.Missing, diff)
		}
		registry.down.Store(true)
		begin := time.Now()
		if _, err := w.audit(root); err == nil || !strings.Contains(err.Error(), "topic in partition 0 offset 0: its schema could not be fetched for 2m0s") || !strings.Contains(err.Error(), "connection refused") || time.Since(begin) > 5*time.Minute {
			t.Errorf("got %v after %s", err, time.Since(begin))
		}
	})
}

// TestAuditTopics: topics that the service does not read, or does not send, are no part of an audit.
func TestAuditTopics(t *testing.T) {
	t.Parallel()
	surroundings(t, noDoor, func(w *world) {
		w.registry = newRegistry()
		w.topic("other", 2)
		w.topic("unsent", 1)
		root := t.TempDir()
		writeObject(t, root, "{}")
		pattern := func(c *connector.Config, _ *recovery.AuditRequest) {
			c.Kafka.Topics, c.Kafka.TopicPattern = nil, "in|unsent"
			if err := c.Firehose.Routes.Decode("in=s"); err != nil {
				t.Fatal(err)
			}
			c.Firehose.Stream = ""
		}
		for want, change := range map[string]func(*connector.Config, *recovery.AuditRequest){
			"topic other is not among the topics that the service reads": func(_ *connector.Config, r *recovery.AuditRequest) { r.Topics = []string{"other"} },
			"topic absent is not among the topics":                       func(c *connector.Config, r *recovery.AuditRequest) { pattern(c, r); r.Topics = []string{"absent"} },
			"no stream takes topic unsent":                               func(c *connector.Config, r *recovery.AuditRequest) { pattern(c, r); r.Topics = []string{"unsent"} },
			"KAFKA_TOPIC_PATTERN matches none of the 3 topics": func(c *connector.Config, _ *recovery.AuditRequest) {
				c.Kafka.Topics, c.Kafka.TopicPattern = nil, "no.*"
			},
			"topic gone does not exist":      func(c *connector.Config, _ *recovery.AuditRequest) { c.Kafka.Topics = []string{"gone"} },
			"records are sent without an id": func(c *connector.Config, _ *recovery.AuditRequest) { c.Record.Envelope = false },
		} {
			if _, err := w.audit(root, change); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, want %q", err, want)
			}
		}
		report, err := w.audit(root, pattern, func(_ *connector.Config, r *recovery.AuditRequest) { r.ID = "x" })
		if err == nil || !strings.Contains(err.Error(), `in its member "x"`) {
			t.Errorf("got %+v, %v", report, err)
		}
	})
}

// compacted makes a topic that the cleaner has gone over, with aborted transactions. It returns the records that are
// left, and the offset of an aborted one.
func (w *world) compacted(name string) (topic string, left []*kgo.Record, aborted int64) {
	w.t.Helper()
	topic = w.name(name)
	w.topic(topic, 1, "cleanup.policy", "compact", "segment.ms", "100", "min.cleanable.dirty.ratio", "0.01")
	tx := w.client(kgo.TransactionalID(topic))
	defer tx.Close()
	for i := range 10 {
		end := kgo.TransactionEndTry(i%3 != 1)
		var records []*kgo.Record
		for n := range 100 {
			records = append(records, &kgo.Record{Topic: topic, Key: fmt.Appendf(nil, "%d", n%20), Value: []byte("1")})
		}
		if err := errors.Join(tx.BeginTransaction(), tx.ProduceSync(w.t.Context(), records...).FirstErr(), tx.EndTransaction(w.t.Context(), end)); err != nil {
			w.t.Fatal(err)
		}
		if end == kgo.TryAbort {
			aborted = records[0].Offset
		}
		time.Sleep(200 * time.Millisecond) // the next batch begins a segment
	}
	left = slices.DeleteFunc(w.untilCompacted(topic), func(r *kgo.Record) bool { return r.Attrs.IsControl() })
	return topic, left, aborted
}

// auditOfCompacted: of a topic that the cleaner has gone over, with aborted transactions, the records that are left are
// expected, and no others. A missing one is named, and so is an aborted one that was delivered.
func auditOfCompacted(w *world) {
	m := w.start()
	w.produce(0, 40)
	w.untilCommitted(40) // in another topic; the audit leaves it alone
	m.mustStop()
	topic, left, aborted := w.compacted("audited")
	var lines strings.Builder
	for _, r := range left[1:] {
		fmt.Fprintf(&lines, `{"id":"%s-0-%d"}`, topic, r.Offset)
	}
	fmt.Fprintf(&lines, `{"id":"%s-0-%d"}`, topic, aborted)
	root := w.t.TempDir()
	writeObject(w.t, root, lines.String())
	ofTopic := func(c *connector.Config, _ *recovery.AuditRequest) {
		c.Kafka.Topics, c.Record.Format, c.Record.Envelope, c.Schema.URLs = []string{topic}, "json", false, nil
	}
	report, err := w.audit(root, ofTopic)
	if err != nil {
		w.t.Fatal(err)
	}
	p := report.Partitions[0]
	w.t.Logf("%d of 1000 records are left, of %d offsets", len(left), p.End-p.Begin)
	if p.Expected != int64(len(left)) || p.End <= left[len(left)-1].Offset {
		w.t.Errorf("%d are expected up to %d, want %d up to %d", p.Expected, p.End, len(left), left[len(left)-1].Offset)
	}
	for name, c := range map[string]struct {
		got  recovery.OffsetList
		want int64
	}{"missing": {p.MissingOffsets, left[0].Offset}, "not expected": {p.UnexpectedOffsets, aborted}} {
		if diff := cmp.Diff([][2]int64{{c.want, c.want}}, c.got.Ranges); diff != "" {
			w.t.Errorf("%s: %s", name, diff)
		}
	}
	if got := w.committed(); got != 40 {
		w.t.Errorf("the group's commits changed to %d", got)
	}
	removed := p.Begin
	for removed == aborted || slices.ContainsFunc(left, func(r *kgo.Record) bool { return r.Offset == removed }) {
		removed++
	}
	writeObject(w.t, root, lines.String()+fmt.Sprintf(`{"id":"%s-0-%d"}{"id":"%s-0-%d"}`, topic, left[0].Offset, topic, removed))
	if report, err = w.audit(root, ofTopic); err != nil || report.Result != recovery.Complete || report.Total.Unexpected != 2 {
		w.t.Errorf("with the rest, and one that compaction has removed since, the result is %s with %d not expected, %v; want complete with 2", report.Result, report.Total.Unexpected, err)
	}
}
