package main

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

const second = 1_000_000 // in the microseconds of the books

// ledger is a small run: records 0 to 3 of partition 0 at the offsets 10, 11, 13 and
// 14, accepted by process 0 in the seconds 1 to 4, each committed a second later.
func ledger() (*books, *inquest) {
	b := newBooks()
	for id, offset := range []int64{10, 11, 13, 14} {
		b.issue(false)
		b.found(value(id), 0, offset)
		b.accepted(value(id), 0, id, at(id+1), at(id+1))
		b.committed(0, offset+1, int64(id+2)*1000)
	}
	return b, &inquest{lives: []*life{{member: 0, unanswered: map[int32]bool{}}, {member: 1, unanswered: map[int32]bool{}}}}
}

func value(id int) []byte { return fmt.Appendf(nil, `{"id":%d,"pad":"x"}`+"\n", id) }

func at(second int) time.Time { return time.Unix(int64(second), 0) }

// TestVerdict: each way to break a promise is found, and nothing is found where none is
// broken.
func TestVerdict(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(b *books, in *inquest)
		want   string // part of the failures; "" is none
	}{
		"in order": {func(*books, *inquest) {}, ""},
		"lost": {func(b *books, _ *inquest) {
			b.found(value(int(b.issue(false))), 0, 15)
		}, "1 records lost"},
		"oversized": {func(b *books, _ *inquest) {
			b.found(value(int(b.issue(true))), 0, 15)
			b.committed(0, 16, 9000)
		}, ""},
		"aborted": {func(b *books, _ *inquest) { b.issue(false) }, ""},
		"aborted and delivered": {func(b *books, _ *inquest) {
			b.accepted(value(int(b.issue(false))), 0, 9, at(9), at(9))
		}, "1 records delivered that no reader"},
		"foreign":          {func(b *books, _ *inquest) { b.accepted([]byte("?\n"), 0, 9, at(9), at(9)) }, "1 records delivered that no reader"},
		"commit too early": {func(b *books, _ *inquest) { b.commits[0][2].at = 2999 }, "1 commits ahead"},
		"commit at once":   {func(b *books, _ *inquest) { b.commits[0][2].at = 3000 }, ""},
		"commit of a lost one": {func(b *books, _ *inquest) {
			b.found(value(int(b.issue(false))), 0, 12)
		}, "2 commits ahead"},
		"commit went back": {func(b *books, _ *inquest) { b.committed(0, 12, 9000) }, "1 commits that went backwards"},
		"copy without a reason": {func(b *books, _ *inquest) {
			b.accepted(value(3), 0, 9, at(5), at(5))
		}, "1 copies without a reason"},
		"copy after a destroyed answer": {func(b *books, in *inquest) {
			in.lives[0].unanswered[3] = true
			b.accepted(value(3), 0, 9, at(5), at(5))
		}, ""},
		"copy after a kill": {func(b *books, in *inquest) {
			in.lives[0].kill(4 * second)
			b.accepted(value(3), 1, 1, at(5), at(5))
		}, ""},
		"copy after a kill, though committed": {func(b *books, in *inquest) {
			in.lives[0].kill(6 * second)
			b.accepted(value(3), 1, 1, at(8), at(8))
		}, "1 copies without a reason"},
		"copy after a clean stop": {func(b *books, in *inquest) {
			in.lives[0].clean, in.lives[0].died = true, 4*second
			b.accepted(value(3), 1, 1, at(5), at(5))
		}, "1 copies without a reason"},
		"copy after a stop that ran out of time": {func(b *books, in *inquest) {
			in.lives[0].died = 4 * second
			b.accepted(value(3), 1, 1, at(5), at(5))
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, in := ledger()
			c.change(b, in)
			got := strings.Join(b.judge(in).failures(), "; ")
			if c.want == "" && got != "" || !strings.Contains(got, c.want) {
				t.Errorf("failures %q, want %q", got, c.want)
			}
		})
	}
}

// TestEmptyRun: a run in which nothing happened proves nothing.
func TestEmptyRun(t *testing.T) {
	t.Parallel()
	got := strings.Join(newBooks().judge(&inquest{}).failures(), "; ")
	for _, want := range []string{"no records", "no commits", "nothing accepted"} {
		if !strings.Contains(got, want) {
			t.Errorf("failures %q, want %q among them", got, want)
		}
	}
}

// TestExplain: what happened between two acceptances is the reason for the second one,
// and what happened elsewhere or at another time is not.
func TestExplain(t *testing.T) {
	t.Parallel()
	early, late := int64(100*second), int64(110*second)
	for name, c := range map[string]struct {
		change  func(in *inquest)
		process int32 // of the second copy
		want    reason
	}{
		"nothing":                    {func(*inquest) {}, 0, unexplained},
		"nothing, another process":   {func(*inquest) {}, 1, unexplained},
		"network to Firehose":        {strike(sinkApart, atSink, 0, 105), 0, answerLost},
		"of another member":          {strike(sinkApart, atSink, 1, 105), 0, unexplained},
		"after both":                 {strike(sinkApart, atSink, 0, 120), 0, unexplained},
		"frozen, same process":       {strike(freezeMember, atMember, 0, 105), 0, answerLate},
		"frozen, another process":    {strike(freezeMember, atMember, 0, 105), 1, afterFreeze},
		"counted as ambiguous":       {told(signAmbiguous, 105), 0, answerLate},
		"counted at a late scrape":   {scraped(signAmbiguous, 105, 190), 0, answerLate},
		"scraped early and late":     {scraped(signAmbiguous, 115, 190), 0, unexplained},
		"thrown out":                 {told(signLost, 105), 1, afterLoss},
		"thrown out and back":        {told(signLost, 105), 0, afterLoss},
		"thrown out long before":     {told(signLost, 50), 1, unexplained},
		"heard of it late":           {func(in *inquest) { told(signLost, 115)(in); strike(kafkaSilent, atKafka, 0, 101)(in) }, 1, afterLoss},
		"killed before it heard":     {func(in *inquest) { in.lives[0].kill(115 * second); strike(kafkaSilent, atKafka, 0, 101)(in) }, 1, afterLoss},
		"killed long after":          {func(in *inquest) { in.lives[0].kill(190 * second); strike(kafkaSilent, atKafka, 0, 101)(in) }, 1, unexplained},
		"killed without a reason":    {func(in *inquest) { in.lives[0].kill(115 * second) }, 1, unexplained},
		"late without a reason":      {told(signLost, 115), 1, unexplained},
		"commit failed":              {told(signCommit, 105), 1, kafkaAway},
		"commit failed, no handover": {told(signCommit, 105), 0, unexplained},
		"killed before":              {func(in *inquest) { in.lives[0].kill(90 * second) }, 1, unexplained},
		"killed between":             {func(in *inquest) { in.lives[0].kill(105 * second) }, 1, afterKill},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, in := ledger()
			c.change(in)
			got, ok := in.explain(put{early, early, 0, 1}, put{late, late, c.process, 2}, 1<<62)
			if got != c.want || ok != (c.want != unexplained) {
				t.Errorf("%q, %v; want %q", got, ok, c.want)
			}
		})
	}
}

// TestExplainUnderWay: a request that was under way when its process was killed is accepted
// after that.
func TestExplainUnderWay(t *testing.T) {
	t.Parallel()
	for sent, want := range map[int64]reason{100 * second: afterKill, 102 * second: unexplained} {
		_, in := ledger()
		in.lives[0].kill(101 * second)
		if got, _ := in.explain(put{103 * second, sent, 0, 1}, put{110 * second, 110 * second, 1, 2}, 1<<62); got != want {
			t.Errorf("sent at %d: %q, want %q", sent/second, got, want)
		}
	}
}

// TestExplainAggregated: a Firehose record that holds several partitions goes whole after
// one of them has left, which a record of a single one must not.
func TestExplainAggregated(t *testing.T) {
	t.Parallel()
	for aggregate, want := range map[bool]reason{true: wentWhole, false: unexplained} {
		for process := range 2 {
			_, in := ledger()
			in.aggregate = aggregate
			in.lives[process].signs = []sign{{80 * second, 80 * second, signLost}}
			if got, _ := in.explain(put{100 * second, 100 * second, 0, 1}, put{108 * second, 108 * second, 1, 2}, 102*second); got != want {
				t.Errorf("aggregate %v, process %d: %q, want %q", aggregate, process, got, want)
			}
		}
	}
}

// TestExplainTheSecond: the reason may lie with the process whose copy came later: its
// request was under way when the partition left it, or it did not know.
func TestExplainTheSecond(t *testing.T) {
	t.Parallel()
	const covered = 102 * second
	thrownOut := sign{109 * second, 109 * second, signLost}
	for name, c := range map[string]struct {
		sent  int64 // when the later one was
		signs []sign
		want  reason
	}{
		"under way when the partition left":    {99 * second, []sign{{100 * second, 100 * second, signLost}}, onItsWay},
		"under way, though it never left":      {99 * second, nil, unexplained},
		"sent by one who was thrown out later": {108 * second, []sign{thrownOut}, zombie},
		"sent by one who knew":                 {108 * second, []sign{{103 * second, 103 * second, signLost}}, unexplained},
		"sent in full membership":              {108 * second, nil, unexplained},
		"sent before there was a commit":       {101 * second, []sign{thrownOut}, zombie},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, in := ledger()
			in.lives[1].signs = c.signs
			if got, _ := in.explain(put{100 * second, 100 * second, 0, 1}, put{108 * second, c.sent, 1, 2}, covered); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

func strike(k kind, p place, target int, from int64) func(*inquest) {
	return func(in *inquest) {
		in.incidents = append(in.incidents, incident{k, p, target, from * second, (from + 1) * second})
	}
}

func (l *life) kill(at int64) { l.killed, l.ended, l.died = true, at, at+second/10 }

func scraped(what signKind, from, at int64) func(*inquest) {
	return func(in *inquest) {
		in.lives[0].signs = append(in.lives[0].signs, sign{from * second, at * second, what})
	}
}

func told(what signKind, at int64) func(*inquest) {
	return func(in *inquest) { in.lives[0].signs = append(in.lives[0].signs, sign{at * second, at * second, what}) }
}
