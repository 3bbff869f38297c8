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

// TestLostByTheDestinationComesBack: a destination has failed for 72 hours and Firehose has dropped records. An audit names exactly
// those, and a replay of the offsets that it has found brings them back, and nothing twice.
func TestLostByTheDestinationComesBack(t *testing.T) {
	longtest.Require(t)
	bubble(t, lostByTheDestination)
}

// TestReplayAfterAHold: a destination has failed for 72 hours, its stream was held, and the process was stopped and killed in the middle.
// The one command that the log and the status have brings back everything that Firehose dropped, with few copies. A process that begins
// afterwards has a command, too.
func TestReplayAfterAHold(t *testing.T) {
	longtest.Require(t)
	bubble(t, replayAfterAHold)
}

// inEnvelopes has records delivered with their ids, as an audit needs them.
func inEnvelopes(c *connector.Config) { c.Record.Format = "json" }

// withEnvelopes is a Firehose behind which records in envelopes arrive.
func (w *world) withEnvelopes() *backend {
	w.judge.read = func(line string) string {
		var envelope struct{ Value json.Number }
		if err := json.Unmarshal([]byte(line), &envelope); err != nil {
			w.judge.fault("%v", err)
		}
		return envelope.Value.String()
	}
	return w.withBackend()
}

func lostByTheDestination(w *world) {
	b := w.withEnvelopes()
	begin := time.Now()
	m := w.start(watching(0), inEnvelopes, func(c *connector.Config) { c.Firehose.BatchMaxRecords = 20 })
	n := w.failForDays(m, b, 0, w.load(0, 4, 4*time.Minute))
	before := w.commitsOf(w.group)
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

func replayAfterAHold(w *world) {
	b := w.withEnvelopes()
	const pauseAfter = 12 * time.Hour
	change := []func(*connector.Config){watching(pauseAfter), inEnvelopes, func(c *connector.Config) { c.Firehose.BatchMaxRecords = 20 }}
	m := w.start(change...)
	stop := w.load(0, 4, 4*time.Minute)
	time.Sleep(time.Hour)
	down := time.Now()
	b.take(0)
	m.untilHeld(true, pauseAfter+10*time.Minute)
	for i, hour := range []int{18, 30, 38, 50, 62} { // the hold, the drop, the first batch that tries the destination, and its drop
		time.Sleep(time.Until(down.Add(time.Duration(hour) * time.Hour)))
		if i%2 == 0 {
			m.mustStop()
		} else {
			m.kill()
		}
		m = w.start(change...)
	}
	time.Sleep(time.Until(down.Add(72 * time.Hour)))
	b.take(anyLease)
	n := stop()
	m.untilHeld(false, time.Hour)
	w.untilCommitted(n)
	time.Sleep(time.Hour)
	command := w.replayOfTheLog(m)
	b.wantLost(w.t, true)
	_, copies, dropped := b.books()
	w.replayRange(command, "after-the-hold")
	b.wantLost(w.t, false)
	got, after, _ := b.books()
	if got != n || after-copies > 3*20*4 { // a batch that tried the destination, of three, is of one partition, and the range of all
		w.t.Errorf("the destination has %d of %d records; %d came twice, %d of them by the replay", got, n, after, after-copies)
	}
	w.t.Logf("%d of %d records were dropped; %d came twice before the replay, %d by it", len(dropped), n, copies, after-copies)
	m.mustStop()
	m = w.start(change...)
	time.Sleep(10 * time.Minute)
	later := w.replayOfTheLog(m)
	if later.From.After(command.From.Add(time.Minute)) || later.To.Before(command.To) {
		w.t.Errorf("a process that began later names %v to %v, and the one before %v to %v", later.From, later.To, command.From, command.To)
	}
	m.mustStop()
}

var replayHint = regexp.MustCompile(`kafka-firehose replay -from (\S+) -to ([^\s"]+)`)

// replayOfTheLog is the range of the newest command that the log has, which the status has, too.
func (w *world) replayOfTheLog(m *member) (command recovery.ReplayRequest) {
	w.t.Helper()
	all := replayHint.FindAllStringSubmatch(w.log.String(), -1)
	dropped := m.connector.Status().Streams[0].Destination.Dropped
	if len(all) == 0 || len(dropped) != 1 || dropped[0].Replay != all[len(all)-1][0] {
		w.t.Fatalf("the status has %+v, the log %q", dropped, all)
	}
	var err, err2 error
	command.From, err = time.Parse(time.RFC3339, all[len(all)-1][1])
	command.To, err2 = time.Parse(time.RFC3339, all[len(all)-1][2])
	if err := errors.Join(err, err2); err != nil {
		w.t.Fatal(err)
	}
	return command
}

// replayRange sends a range again, and waits until it is delivered.
func (w *world) replayRange(command recovery.ReplayRequest, name string) {
	w.t.Helper()
	report, err := w.replay(inEnvelopesReplay, func(_ *connector.Config, r *recovery.ReplayRequest) {
		r.From, r.To, r.Name = command.From, command.To, name
	})
	if err != nil {
		w.t.Errorf("%v, %+v", err, report)
	}
	time.Sleep(time.Hour)
}

// wantLost fails the test unless some of the dropped records are not in the destination, or none.
func (b *backend) wantLost(t *testing.T, want bool) {
	t.Helper()
	_, _, dropped := b.books()
	lost := 0
	for _, a := range dropped {
		if b.copiesOf(a.value) == 0 {
			lost++
		}
	}
	if (lost > 0) != want {
		t.Errorf("%d of %d dropped records are not in the destination", lost, len(dropped))
	}
}

// missingFrom audits everything since a time, and returns the file of the missing offsets, which are exactly those of the records that
// the destination does not have.
func (w *world) missingFrom(b *backend, begin time.Time) *recovery.OffsetFile {
	w.t.Helper()
	root := w.t.TempDir()
	writeObject(w.t, root, b.delivered())
	cfg := w.config()
	inEnvelopes(&cfg)
	report, err := connector.Audit(w.t.Context(), cfg, recovery.AuditRequest{From: begin, To: time.Now(), Objects: root, Parallel: 2},
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
