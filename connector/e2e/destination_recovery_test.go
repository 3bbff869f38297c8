package e2e_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"strings"
	"testing"
	"time"

	"kafka-firehose/connector"
	"kafka-firehose/connector/longtest"
	"kafka-firehose/connector/recovery"
)

// TestLostByTheDestinationComesBack: a destination has failed for 72 hours and Firehose has dropped records. Without the guard an audit
// names them, and with it a replay of the time in the log brings back those from before the hold. A replay of the
// offsets that the audit has found brings back all that is left, and nothing twice.
func TestLostByTheDestinationComesBack(t *testing.T) {
	longtest.Require(t)
	t.Parallel()
	for name, pauseAfter := range map[string]time.Duration{"unguarded": 0, "guarded": 12 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) { lostByTheDestination(w, pauseAfter) })
		})
	}
}

// inEnvelopes has records delivered with their ids, as an audit needs them.
func inEnvelopes(c *connector.Config) { c.Record.Format = "json" }

func lostByTheDestination(w *world, pauseAfter time.Duration) {
	b := w.withBackend()
	w.judge.read = func(line string) string {
		var envelope struct{ Value json.Number }
		if err := json.Unmarshal([]byte(line), &envelope); err != nil {
			w.judge.fault("%v", err)
		}
		return envelope.Value.String()
	}
	begin := time.Now()
	m := w.start(watching(pauseAfter), inEnvelopes, func(c *connector.Config) { c.Firehose.BatchMaxRecords = 20 })
	n := w.failForDays(m, b, 0, w.load(0, 4, 4*time.Minute))
	before := w.commitsOf(w.group)
	if pauseAfter > 0 {
		w.replayBeforeTheHold(b, begin)
	}
	_, _, dropped := b.books()
	offsets := w.missingFrom(b, begin)
	got, twice, _ := b.books()
	sent := w.sentRecords()
	report, err := w.replay(inEnvelopesReplay, func(_ *connector.Config, r *recovery.ReplayRequest) {
		r.From, r.To, r.Name, r.Offsets = time.Time{}, time.Time{}, "missing", offsets
	})
	sent = w.sentRecords() - sent
	time.Sleep(time.Hour)
	gotAfter, twiceAfter, _ := b.books()
	if err != nil || gotAfter != n || sent != n-got || (twiceAfter-twice)*1000 > n || len(dropped) == 0 {
		w.t.Errorf("%v, %+v: %d records were missing and %d sent; the destination has %d of %d, %d of them twice", err, report, n-got, sent, gotAfter, n, twiceAfter)
	}
	if after := w.commitsOf(w.group); !maps.Equal(before, after) {
		w.t.Errorf("the commits of the service were %v and are %v", before, after)
	}
	w.t.Logf("%d of %d records were dropped, %d missing; %d sent again, %d came twice", len(dropped), n, n-got, sent, twiceAfter)
	m.mustStop()
}

func inEnvelopesReplay(c *connector.Config, _ *recovery.ReplayRequest) { inEnvelopes(c) }

var replayHint = regexp.MustCompile(`replay="kafka-firehose replay -from (\S+) -to (\S+)"`)

// replayBeforeTheHold runs the command that the log has first: all of what Firehose had accepted before the hold and dropped comes
// back, and with it few records that it has delivered.
func (w *world) replayBeforeTheHold(b *backend, begin time.Time) {
	w.t.Helper()
	command := replayHint.FindStringSubmatch(w.log.String())
	span := droppedLine.FindStringSubmatch(w.log.String())
	if command == nil || span == nil {
		w.t.Fatal("the log has no command that sends the records again")
	}
	start, err3 := time.Parse(time.RFC3339, command[1])
	end, err4 := time.Parse(time.RFC3339, command[2])
	from, err := time.Parse(time.RFC3339, span[1])
	to, err2 := time.Parse(time.RFC3339, span[2])
	if err := errors.Join(err, err2, err3, err4); err != nil || from.Before(begin) {
		w.t.Fatalf("the log names %q: %v", span, err)
	}
	_, _, dropped := b.books()
	report, err := w.replay(inEnvelopesReplay, func(_ *connector.Config, r *recovery.ReplayRequest) {
		r.From, r.To, r.Name = start, end, "before-the-hold"
	})
	time.Sleep(time.Hour)
	_, twice, _ := b.books()
	before := 0
	for _, a := range dropped {
		if a.at.After(to) {
			continue // it tried the destination
		}
		if before++; b.copiesOf(a.value) == 0 {
			w.t.Errorf("%s was dropped, and the replay has not brought it back", a.value)
		}
	}
	if err != nil || before < 600 || twice > 20 {
		w.t.Errorf("%v, %+v: %d records were dropped before the hold; %d came twice", err, report, before, twice)
	}
	w.t.Logf("%d records from before the hold are back, %d came twice", before, twice)
}

// missingFrom audits everything since a time, and returns the file of the missing offsets, which are exactly those of the records that
// the destination does not have.
func (w *world) missingFrom(b *backend, begin time.Time) *recovery.OffsetFile {
	w.t.Helper()
	root := w.t.TempDir()
	writeObject(w.t, root, b.delivered())
	cfg := w.config()
	inEnvelopes(&cfg)
	report, err := connector.Audit(w.t.Context(), cfg, recovery.AuditRequest{From: begin, To: time.Now(), Objects: root, Late: 100 * time.Hour, Parallel: 2},
		connector.Options{KafkaDial: w.dial})
	if err != nil && !errors.Is(err, recovery.ErrIncomplete) {
		w.t.Fatal(err)
	}
	var text bytes.Buffer
	if err := report.WriteMissing(&text); err != nil {
		w.t.Fatal(err)
	}
	file, err := recovery.ReadOffsetFile(&text)
	if err != nil {
		w.t.Fatal(err)
	}
	named := 0
	delivered := b.delivered()
	for _, p := range file.Partitions {
		for _, pair := range p.Offsets {
			for o := pair[0]; o <= pair[1]; o++ {
				if named++; strings.Contains(delivered, fmt.Sprintf(`"id":"%s-%d-%d"`, p.Topic, p.Partition, o)) {
					w.t.Errorf("the audit names %s/%d offset %d, which the destination has", p.Topic, p.Partition, o)
				}
			}
		}
	}
	if got, _, _ := b.books(); int64(got)+int64(named) != report.Total.Expected {
		w.t.Errorf("the destination has %d records and the audit names %d, of %d", got, named, report.Total.Expected)
	}
	return file
}

// delivered are the records that the destination has, a line each.
func (b *backend) delivered() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var lines strings.Builder
	for value, n := range b.got {
		for range n {
			lines.WriteString(value + "\n")
		}
	}
	return lines.String()
}

// copiesOf is how often the destination has a record.
func (b *backend) copiesOf(value string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.got[value]
}
