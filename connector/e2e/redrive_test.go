package e2e_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/connector"
	"kafka-firehose/connector/firehose/firehosetest"
	"kafka-firehose/connector/recovery"
)

// redrive sends the dead letters of the post again, with the policy that its change leaves.
func (w *world) redrive(policy func(*connector.Config), changes ...func(*connector.Config, *recovery.RedriveRequest)) (recovery.RedriveReport, error) {
	w.t.Helper()
	cfg := w.config()
	policy(&cfg)
	var r recovery.RedriveRequest
	for _, c := range changes {
		c(&cfg, &r)
	}
	if err := cfg.Validate(); err != nil {
		w.t.Fatal(err)
	}
	o, _ := w.boundedOptions()
	return connector.Redrive(w.t.Context(), cfg, r, o)
}

// wantLetterCounts wants the counts of one reason.
func wantLetterCounts(w *world, r recovery.RedriveReport, reason string, sent, failed, gone int64) {
	w.t.Helper()
	got := recovery.LetterCounts{}
	if c := r.Letters[reason]; c != nil {
		got = *c
	}
	if want := (recovery.LetterCounts{Sent: sent, FailedAgain: failed, Gone: gone}); got != want {
		w.t.Errorf("letters of reason %s: got %+v, want %+v; %+v\n%s", reason, got, want, r, w.log.tail())
	}
}

// TestRedriveDelivers: letters of tombstones are sent once the settings keep tombstones as null, with the ids that their records have. Those that fail again
// stay, are tried again by the next redrive, and no letter is written. The service's commits stay.
func TestRedriveDelivers(t *testing.T) { bubble(t, redriveDelivers) }

func redriveDelivers(w *world) {
	p, policy := w.post(1_048_588)
	p.mixed(40)
	m := w.start(policy)
	w.untilCommitted(40 * 19)
	m.mustStop()
	before, letters := w.commitsOf(w.group), len(p.letters())

	report, err := w.redrive(policy)
	if !errors.Is(err, recovery.ErrIncomplete) || !report.Done || report.Failures["tombstone"] != 40 {
		w.t.Fatalf("got %+v, %v\n%s", report, err, w.log.tail())
	}
	wantLetterCounts(w, report, "tombstone", 0, 40, 0)

	repaired := func(c *connector.Config, _ *recovery.RedriveRequest) {
		c.Record.Format, c.Record.Tombstones = "json", "envelope"
	}
	report, err = w.redrive(policy, repaired, func(_ *connector.Config, r *recovery.RedriveRequest) { r.DryRun = true })
	if err != nil || w.judge.copiesOfIDs(w.in) != 0 {
		w.t.Errorf("the dry run: %+v, %v", report, err)
	}
	wantLetterCounts(w, report, "tombstone", 40, 0, 0)
	report, err = w.redrive(policy, repaired, func(_ *connector.Config, r *recovery.RedriveRequest) { r.Max = 10 })
	if err != nil || !report.Done {
		w.t.Errorf("got %+v, %v", report, err)
	}
	wantLetterCounts(w, report, "tombstone", 10, 0, 0)
	if report, err = w.redrive(policy, repaired); err != nil || !report.Done {
		w.t.Errorf("got %+v, %v", report, err)
	}
	wantLetterCounts(w, report, "tombstone", 30, 0, 0)
	for _, at := range p.bad {
		if n := w.judge.copiesOfID(at); n != 1 {
			w.t.Errorf("the record at %v was stored %d times", at, n)
		}
	}
	if report, err = w.redrive(policy, repaired); err != nil || len(report.Letters) != 0 {
		w.t.Errorf("nothing is left: got %+v, %v", report, err)
	}
	if n := len(p.letters()); n != letters {
		w.t.Errorf("there were %d letters and are %d", letters, n)
	}
	if after := w.commitsOf(w.group); !maps.Equal(before, after) {
		w.t.Errorf("the commits of the service were %v and are %v", before, after)
	}
}

// copiesOfID is how often an envelope with the id of a place was stored.
func (j *judge) copiesOfID(at place) (n int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for value, copies := range j.copies {
		if strings.Contains(value, fmt.Sprintf(`"id":"%s-%d-%d"`, at.topic, at.n, at.offset)) && strings.Contains(value, `"key":"key `) {
			n += copies
		}
	}
	return n
}

// copiesOfIDs is how many envelopes were stored.
func (j *judge) copiesOfIDs(topic string) (n int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for value, copies := range j.copies {
		if strings.Contains(value, fmt.Sprintf(`"id":"%s-`, topic)) {
			n += copies
		}
	}
	return n
}

// TestRedriveDigests: the record of a digest is fetched from its topic; when that does not have it any more it is gone.
func TestRedriveDigests(t *testing.T) {
	bubble(t, func(w *world) {
		p, policy := w.post(50_000)
		keys := [][]byte{bytes.Repeat([]byte("a"), 60_000), bytes.Repeat([]byte("b"), 60_000)}
		p.produce(2, func(i int) *kgo.Record { return &kgo.Record{Key: keys[i]} })
		m := w.start(policy)
		w.untilCommitted(2)
		m.mustStop()
		var to kadm.Offsets
		to.Add(kadm.Offset{Topic: w.in, Partition: 1, At: 1, LeaderEpoch: -1})
		if _, err := w.admin.DeleteRecords(context.Background(), to); err != nil {
			t.Fatal(err)
		}
		report, err := w.redrive(policy, func(c *connector.Config, _ *recovery.RedriveRequest) {
			c.Record.Format, c.Record.Tombstones = "json", "envelope"
		})
		if !errors.Is(err, recovery.ErrIncomplete) {
			t.Errorf("got %+v, %v", report, err)
		}
		wantLetterCounts(w, report, "tombstone", 1, 0, 1)
	})
}

// TestRedriveFilters: letters that one filter leaves out stay for others.
func TestRedriveFilters(t *testing.T) {
	bubble(t, func(w *world) {
		p, policy := w.post(1_048_588)
		p.produce(40, func(i int) *kgo.Record {
			if i%2 == 0 {
				return &kgo.Record{Key: []byte("key")}
			}
			return &kgo.Record{Value: bytes.Repeat([]byte("l"), 1_024_001)}
		})
		m := w.start(policy)
		w.untilCommitted(40)
		m.mustStop()
		send := func(c *connector.Config, _ *recovery.RedriveRequest) {
			c.Record.Format, c.Record.Tombstones = "json", "envelope"
		}
		report, err := w.redrive(policy, send, func(_ *connector.Config, r *recovery.RedriveRequest) { r.Reason = "tombstone" })
		if err != nil {
			t.Errorf("got %+v, %v", report, err)
		}
		wantLetterCounts(w, report, "tombstone", 20, 0, 0)
		wantLetterCounts(w, report, "too_large", 0, 0, 0)
		report, err = w.redrive(policy, send, func(_ *connector.Config, r *recovery.RedriveRequest) { r.Topic = "absent" })
		if !errors.Is(err, connector.ErrNotStarted) || !strings.Contains(err.Error(), "no letter of topic absent is left in topic dead, and topic absent does not exist") {
			t.Errorf("got %+v, %v", report, err)
		}
		report, err = w.redrive(policy, send, func(_ *connector.Config, r *recovery.RedriveRequest) { r.Topic, r.Reason = w.in, "refused" })
		if err != nil || len(report.Letters) != 0 {
			t.Errorf("got %+v, %v", report, err)
		}
		time.Sleep(time.Minute)
		report, err = w.redrive(policy, send, func(_ *connector.Config, r *recovery.RedriveRequest) { r.Since = time.Now().Add(-30 * time.Second) })
		if err != nil || len(report.Letters) != 0 {
			t.Errorf("got %+v, %v", report, err)
		}
		report, err = w.redrive(policy, send)
		if !errors.Is(err, recovery.ErrIncomplete) {
			t.Errorf("got %+v, %v", report, err)
		}
		wantLetterCounts(w, report, "tombstone", 0, 0, 0)
		wantLetterCounts(w, report, "too_large", 0, 20, 0)
	})
}

// scatteredLetters has so many letters in one partition of the dead-letter topic. policy is the service's, with asJSON a redrive sends all of
// them, and with failing, too, every second one fails again.
func (w *world) scatteredLetters(n int) (p *post, policy func(*connector.Config), asJSON, failing func(*connector.Config, *recovery.RedriveRequest)) {
	w.t.Helper()
	p, policy = w.post(1_048_588)
	p.produce(n, func(i int) *kgo.Record {
		value := []byte("1")
		if i%2 == 1 {
			value = []byte(`"a text"`)
		}
		return &kgo.Record{Topic: w.in, Partition: 0, Key: []byte("key of one partition"), Value: value}
	})
	m := w.start(policy, filtering(w.t, "value.member > 0"))
	w.untilCommitted(n)
	m.mustStop()
	asJSON = func(c *connector.Config, _ *recovery.RedriveRequest) { c.Record.Format = "json" }
	failing = func(c *connector.Config, _ *recovery.RedriveRequest) { filtering(w.t, "value >= 0")(c) }
	return p, policy, asJSON, failing
}

// TestRedriveScattered: of 2,000 letters every second one fails again. The next redrive tries those and no others, and once they
// are repaired it sends exactly them.
func TestRedriveScattered(t *testing.T) {
	bubble(t, func(w *world) {
		const letters = 2000
		p, policy, asJSON, failing := w.scatteredLetters(letters)
		for _, sent := range []int64{letters / 2, 0} {
			report, err := w.redrive(policy, asJSON, failing)
			if !errors.Is(err, recovery.ErrIncomplete) || !report.Done {
				t.Fatalf("got %+v, %v\n%s", report, err, w.log.tail())
			}
			wantLetterCounts(w, report, "filter_failed", sent, letters/2, 0)
		}
		report, err := w.redrive(policy, asJSON)
		if err != nil || !report.Done {
			t.Errorf("got %+v, %v", report, err)
		}
		wantLetterCounts(w, report, "filter_failed", letters/2, 0, 0)
		for _, at := range p.bad {
			if n := w.judge.copiesOfID(at); n != 1 {
				t.Fatalf("the record at %v was stored %d times", at, n)
			}
		}
	})
}

// TestRedriveFull: a partition whose letters fail in so many places that the progress can't hold them is read no further, with exit code
// 1 and a line that says so. The next redrive sends nothing again, and once all are repaired the rest is sent.
func TestRedriveFull(t *testing.T) {
	bubble(t, func(w *world) {
		const letters = 7000
		_, policy, asJSON, failing := w.scatteredLetters(letters)
		sent := int64(0)
		for start := range 3 {
			report, err := w.redrive(policy, asJSON, failing)
			var table bytes.Buffer
			_ = report.WriteTable(&table)
			if !errors.Is(err, recovery.ErrIncomplete) || report.Done || len(report.Stopped) != 1 || !strings.Contains(table.String(), ": stopped before offset ") {
				t.Fatalf("got %+v, %v\n%s\n%s", report, err, &table, w.log.tail())
			}
			n := report.Letters["filter_failed"].Sent
			if sent += n; start == 0 && n < 2000 || start > 0 && n > 64 {
				t.Errorf("start %d sent %d", start, n)
			}
		}
		report, err := w.redrive(policy, asJSON)
		if err != nil || !report.Done {
			t.Errorf("got %+v, %v", report, err)
		}
		wantLetterCounts(w, report, "filter_failed", letters-sent, 0, 0)
		if n := w.judge.copiesOfIDs(w.in); n != letters {
			t.Errorf("%d records were stored", n)
		}
	})
}

// TestRedriveErrors: each has its message, and nothing is sent.
func TestRedriveErrors(t *testing.T) {
	bubble(t, func(w *world) {
		nothing := func(*connector.Config) {}
		absent := func(c *connector.Config) { c.BadRecordPolicy, c.DeadLetter.Topic = "dead-letter", "absent" }
		for want, ask := range map[string]func() (recovery.RedriveReport, error){
			"there is no dead-letter topic": func() (recovery.RedriveReport, error) { return w.redrive(nothing) },
			"topic absent does not exist":   func() (recovery.RedriveReport, error) { return w.redrive(absent) },
			`-reason is "x"; want one of tombstone, too_large`: func() (recovery.RedriveReport, error) {
				return w.redrive(absent, func(_ *connector.Config, r *recovery.RedriveRequest) { r.Reason = "x" })
			},
		} {
			if _, err := ask(); !errors.Is(err, connector.ErrNotStarted) || connector.IsOutage(err) || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, want %q", err, want)
			}
		}
		w.judge.commits++ // nothing is committed
	})
}

// TestRedriveStopped: a stop while the stream is down leaves the letters to the next redrive.
func TestRedriveStopped(t *testing.T) {
	bubble(t, func(w *world) {
		p, policy := w.post(1_048_588)
		p.produce(40, func(i int) *kgo.Record { return &kgo.Record{Key: fmt.Appendf(nil, "key %d", i)} })
		m := w.start(policy)
		w.untilCommitted(40)
		m.mustStop()
		cfg := w.config()
		policy(&cfg)
		cfg.Record.Format, cfg.Record.Tombstones = "json", "envelope"
		w.stream.AddFault(firehosetest.Fault{Effect: firehosetest.Outage, Until: time.Hour})
		ctx, cancel := context.WithTimeout(w.t.Context(), 5*time.Minute)
		defer cancel()
		o, _ := w.boundedOptions()
		if report, err := connector.Redrive(ctx, cfg, recovery.RedriveRequest{}, o); err == nil || report.Done {
			t.Errorf("got %+v, %v", report, err)
		}
		w.stream.ClearFaults()
		o, _ = w.boundedOptions()
		report, err := connector.Redrive(w.t.Context(), cfg, recovery.RedriveRequest{}, o)
		if err != nil || !report.Done {
			t.Errorf("got %+v, %v", report, err)
		}
		wantLetterCounts(w, report, "tombstone", 40, 0, 0)
	})
}
