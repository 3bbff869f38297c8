package e2e_test

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/connector"
	"kafka-firehose/connector/env"
	"kafka-firehose/connector/firehose/firehosetest"
	"kafka-firehose/connector/preflight/check"
	"kafka-firehose/connector/recovery"
)

// changeEvent is change number i of a table as Debezium writes it: half of them in Connect's envelope, one in five a delete, and
// one in five the tombstone that follows a delete.
func changeEvent(topic string, i int) *kgo.Record {
	r := &kgo.Record{Topic: topic, Partition: int32(i % 4), Key: fmt.Appendf(nil, `{"id":%d}`, i)}
	row := fmt.Sprintf(`{"id":%d,"email":"planted\u0040example.com","total":1234567890123456789.50}`, i)
	var event string
	switch i % 5 {
	case 0:
		event = `"op":"c","before":null,"after":` + row
	case 1, 2:
		event = `"op":"u","before":{"id":0,"email":"planted"},"after":` + row
	case 3:
		event = `"op":"d","before":` + row + `,"after":null`
	default:
		return r
	}
	event = fmt.Sprintf(`{%s,"source":{"ts_ms":%d,"query":"planted","table":"customers","lsn":%d},"ts_ms":1}`, event, 1767225600000+i, i)
	if i%2 == 0 {
		event = `{"schema":{"type":"struct","optional":false},"payload":` + event + "}"
	}
	r.Value = []byte(event)
	return r
}

var eventNumber = regexp.MustCompile(`\{"id":(\d+),"email":"planted\\`)

// maskedChange is sentChange under a mask.
func maskedChange(r *kgo.Record) string {
	return strings.ReplaceAll(strings.ReplaceAll(sentChange(r), `"planted\u0040example.com"`, `"***"`), `"query":"planted",`, "")
}

// sentChange is the row that is sent of a change event, and of other values the value.
func sentChange(r *kgo.Record) string {
	number := eventNumber.FindSubmatch(r.Value)
	if number == nil {
		return string(r.Value)
	}
	var i int
	if _, err := fmt.Sscan(string(number[1]), &i); err != nil {
		panic(err)
	}
	op := []string{"insert", "update", "update", "delete"}[i%5]
	return fmt.Sprintf(`{"__op":"%s","__offset":%d,"__ts_ms":%d,"__source":{"ts_ms":%[3]d,"query":"planted","table":"customers","lsn":%d},"id":%[4]d,"email":"planted\u0040example.com","total":1234567890123456789.50}`,
		op, r.Offset, 1767225600000+i, i)
}

// unwrapping has change events unwrapped, deletes left out, and members masked.
func unwrapping(w *world) func(*connector.Config) {
	filter, mask := filtering(w.t, `value.__op != "delete" && value.email.startsWith("planted")`), masking(w.t, "email=redact,__source.query=drop")
	return func(c *connector.Config) {
		filter(c)
		mask(c)
		c.Record.Unwrap, c.Record.Aggregate, c.Record.Tombstones, c.Record.MaskSecret = "debezium", true, "skip", env.Secret{}
	}
}

// produceChanges produces n change events and says which of them are not sent.
func (w *world) produceChanges(n int) (sent []string) {
	var all []*kgo.Record
	w.produceWith(0, n, func(i int) *kgo.Record {
		all = append(all, changeEvent(w.in, i))
		return all[i]
	})
	for _, r := range all {
		switch name := maskedChange(r); {
		case r.Value == nil:
		case strings.Contains(name, `"delete"`):
			w.judge.allow(w.judge.placeOf(name))
		default:
			sent = append(sent, name)
		}
	}
	return sent
}

// wantCopies wants each of the lines as often, byte for byte.
func (w *world) wantCopies(lines []string, copies int) {
	w.t.Helper()
	for _, line := range lines {
		if got := w.judge.copiesOf(line); got != copies {
			w.t.Fatalf("%s arrived %d times, want %d\n%s", line, got, copies, w.log.tail())
		}
	}
}

// TestUnwrappedRecords: rows arrive unwrapped, filtered and masked, also those that Firehose refuses at first; a replay sends the
// same bytes. A truncated table is a dead letter that a redrive sends once the settings have it sent. Nothing of a value is logged.
func TestUnwrappedRecords(t *testing.T) { bubble(t, unwrappedRecords) }

func unwrappedRecords(w *world) {
	w.judge.made = maskedChange
	w.stream.AddFault(firehosetest.Fault{Effect: firehosetest.RefuseRecords, Share: 0.2})
	const n = 1000
	sent := w.produceChanges(n)
	const truncated = `{"op":"t","source":{"table":"planted"}}`
	w.produceWith(n, n+1, func(int) *kgo.Record { return &kgo.Record{Topic: w.in, Partition: 1, Value: []byte(truncated)} })
	p, policy := w.post(1_048_588)
	change := unwrapping(w)
	m := w.start(policy, change)
	w.untilCommitted(n + 1)
	m.mustStop()
	w.wantCopies(sent, 1)
	for name, want := range map[string]float64{"filtered": n / 5, "tombstone": n / 5} {
		if got := m.metric("records_skipped_total", name); got != want {
			w.t.Errorf("%v records are skipped as %s, want %v", got, name, want)
		}
	}
	letters := p.letters()
	if len(letters) != 1 || header(letters[0], "__connect.errors.exception.class.name") != "unwrap_failed" || string(letters[0].Value) != truncated ||
		!strings.Contains(header(letters[0], "__connect.errors.exception.message"), "the table was truncated") {
		w.t.Errorf("the letters are %+v", letters)
	}
	if log := w.log.String(); strings.Contains(log, "planted") || strings.Count(log, "changes of a key may arrive in another order") != 1 {
		w.t.Errorf("the log repeats a value, or doesn't warn once that there is no order\n%s", log)
	}

	report, err := w.replay(func(c *connector.Config, _ *recovery.ReplayRequest) { change(c); c.BadRecordPolicy = "skip" })
	if !errors.Is(err, recovery.ErrIncomplete) || !report.Done || report.Bad["unwrap_failed"] != 1 || report.AllBad != 1 {
		w.t.Errorf("the replay: %+v, %v", report, err)
	}
	w.wantCopies(sent, 2)
	again, err := w.redrive(policy, func(c *connector.Config, _ *recovery.RedriveRequest) { change(c) })
	if !errors.Is(err, recovery.ErrIncomplete) {
		w.t.Error(err)
	}
	wantLetterCounts(w, again, "unwrap_failed", 0, 1, 0)
	if again, err = w.redrive(policy); err != nil || w.judge.copiesOf(truncated) != 1 {
		w.t.Errorf("%+v, %v, and the event arrived %d times", again, err, w.judge.copiesOf(truncated))
	}
}

// TestUnwrappedEnvelopes: with options of its stream, rows go into the envelope, packed and compressed. Another stream gets its values as
// they are.
func TestUnwrappedEnvelopes(t *testing.T) { bubble(t, unwrappedEnvelopes) }

func unwrappedEnvelopes(w *world) {
	w.judge.made = func(r *kgo.Record) string {
		if r.Topic != w.in {
			return string(r.Value)
		}
		return fmt.Sprintf(`{"id":"%s-%d-%d","value":%s}`, r.Topic, r.Partition, r.Offset, sentChange(r))
	}
	var all []*kgo.Record
	streams := w.twoStreams()
	w.produceWith(0, 500, func(i int) *kgo.Record {
		r := changeEvent(w.in, i)
		if i%5 > 2 {
			r = changeEvent(w.in, i/5*5)
		}
		all = append(all, r)
		return r
	})
	w.produceWith(500, 600, func(i int) *kgo.Record {
		r := &kgo.Record{Topic: "good", Value: fmt.Appendf(nil, ` { "op" : "%d" }`, i)}
		all = append(all, r)
		return r
	})
	m := w.start(streams, withOptions(w.t, `{"s": {"format": "json", "fields": "id,value", "unwrap": "debezium", "aggregate": true, "compression": "gzip"}}`))
	w.untilCommitted(600)
	formats := m.connector.Status().Streams
	m.mustStop()
	for _, s := range formats {
		if want := map[string]string{"s": "json, unwrapped from debezium, aggregated, gzip", "other": "raw"}[s.Name]; s.Format != want {
			w.t.Errorf("the status says %q of %s, want %q", s.Format, s.Name, want)
		}
	}
	for _, r := range all {
		w.wantCopies([]string{w.judge.made(r)}, 1)
	}
}

// TestInspectChanges: the check says that changes of rows have no order, and doesn't count that as a fault.
func TestInspectChanges(t *testing.T) {
	t.Parallel()
	surroundings(t, noDoor, func(w *world) {
		time.Sleep(time.Minute)
		i := w.inspect(func(c *connector.Config) { c.Record.Unwrap = "debezium" })
		n := 0
		for _, f := range i.Findings {
			if f.Kind == check.Setting && f.Name == "RECORD_UNWRAP" {
				n++
				if f.Severity != check.OK || !strings.Contains(f.Found, "another order") || !strings.Contains(f.Advice, "__offset") {
					t.Errorf("got %+v", f)
				}
			}
		}
		if n != 1 {
			t.Errorf("%d findings of RECORD_UNWRAP: %+v", n, i.Findings)
		}
	})
}
