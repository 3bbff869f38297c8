package offset

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// model is the dumb version of a lease: every record for itself, in the order of
// polling, with what must settle before it counts.
type model struct {
	records []modelRecord
	closed  bool
	ends    bool // nothing more counts
}

type modelRecord struct {
	next int64
	unit *unit // nil: skipped, rides on what was before it
	late bool  // came after the end: never counts
}

// unit are the neighbours that one batch holds, or a record that is in none.
type unit struct {
	batch  uint64
	runs   []*Span // not settled
	failed bool
}

func (m *model) mark() (next int64, ok bool) {
	for _, r := range m.records {
		if r.late || r.unit != nil && (len(r.unit.runs) > 0 || r.unit.failed) {
			break
		}
		next, ok = r.next, true
	}
	return next, ok && !m.closed
}

var errBad = errors.New("a record can't be delivered")

// TestLeaseAgainstModel covers, skips, settles and closes at random, and compares
// after each step.
func TestLeaseAgainstModel(t *testing.T) {
	for seed := range uint64(2000) {
		if err := walk(seed); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
}

func walk(seed uint64) error {
	rng := rand.New(rand.NewPCG(seed, 1))
	l, m := NewLease("t", 3), &model{}
	next, batch := rng.Int64N(50), uint64(1)
	var open []*unit // with something to settle, in any order
	last := &unit{}
	for step := range 400 {
		switch k := rng.IntN(100); {
		case k < 45:
			n := 1 + rng.IntN(4)
			first := next
			if last.batch != batch || m.ends {
				last = &unit{batch: batch}
				open = append(open, last)
			}
			for range n {
				next += 1 + rng.Int64N(3) // gaps: compaction, transactions
				m.records = append(m.records, modelRecord{next, last, m.ends})
			}
			l.RegisterRecords(first, next-1, n)
			s := l.CoverRecords(batch, MarkAfter(next-1, 7), n, time.Time{})
			if runs := last.runs; len(runs) > 0 && runs[0] != s && !m.ends {
				return fmt.Errorf("step %d: a second span for batch %d", step, batch)
			}
			last.runs = append(last.runs, s)
		case k < 55:
			next += 1 + rng.Int64N(3)
			l.RegisterRecords(next-1, next-1, 1)
			l.SkipRecords(MarkAfter(next-1, 7), 1)
			m.records = append(m.records, modelRecord{next, nil, m.ends})
		case k < 62:
			next += 1 + rng.Int64N(3)
			l.RegisterRecords(next-1, next-1, 1)
			last = &unit{runs: []*Span{l.CoverAlone(MarkAfter(next-1, 7), time.Time{})}} // a dead letter
			open = append(open, last)
			m.records = append(m.records, modelRecord{next, last, m.ends})
		case k < 78:
			batch++ // the open batch is sealed, another begins
		case k < 99:
			rng.Shuffle(len(open), func(i, j int) { open[i], open[j] = open[j], open[i] })
			i := slices.IndexFunc(open, func(u *unit) bool { return u.batch != batch }) // an open batch can't settle
			if i < 0 {
				continue
			}
			open[i].runs[0].Settle()
			if open[i].runs = open[i].runs[1:]; len(open[i].runs) == 0 {
				open = slices.Delete(open, i, i+1)
			}
		default:
			switch rng.IntN(60) {
			case 0, 1, 2:
				l.Close()
				m.closed = true
			case 3:
				l.Stop(errBad)
				m.ends = true
			case 4:
				if len(open) > 0 && len(open[0].runs) > 0 {
					open[0].runs[0].Fail()
					open[0].failed, m.ends = true, true
				}
			}
		}
		want, wantOK := m.mark()
		got, ok := l.CommitMark()
		if ok != wantOK || ok && (got.Offset != want || got.Epoch != 7) {
			return fmt.Errorf("step %d: mark %v %v, want %d %v", step, got, ok, want, wantOK)
		}
	}
	return counts(l, m)
}

// counts checks the sums at the end of a walk.
func counts(l *Lease, m *model) error {
	if m.closed {
		return nil
	}
	mark, ok := l.CommitMark()
	var before int64
	for _, r := range m.records {
		if ok && r.next <= mark.Offset {
			before++
		}
	}
	all, lost := int64(len(m.records)), false
	begun := -before
	for _, r := range m.records {
		lost = lost || r.late
		if !lost {
			begun++
		}
	}
	if got := l.CountUncommitted(); got != all {
		return fmt.Errorf("uncommitted %d before any commit, want %d", got, all)
	}
	l.NoteCommitted(mark)
	if got := l.CountUncommitted(); got != all-before {
		return fmt.Errorf("uncommitted %d after the commit, want %d", got, all-before)
	}
	if got := l.Begun(); got != begun {
		return fmt.Errorf("begun %d after the commit, want %d", got, begun)
	}
	return nil
}

// TestMarkIsOfferedUntilAcknowledged: a commit that fails must be tried again,
// one that was acknowledged must not.
func TestMarkIsOfferedUntilAcknowledged(t *testing.T) {
	l := NewLease("t", 0)
	s := l.CoverRecords(1, MarkAfter(9, 0), 1, time.Time{})
	if _, ok := l.CommitMark(); ok {
		t.Fatal("a mark before anything has settled")
	}
	s.Settle()
	first, ok := l.CommitMark()
	again, okAgain := l.CommitMark()
	if !ok || !okAgain || first != again || first.Offset != 10 {
		t.Fatalf("mark %v %v, then %v %v; want 10 twice", first, ok, again, okAgain)
	}
	l.NoteCommitted(first)
	if m, ok := l.CommitMark(); ok {
		t.Errorf("mark %v after it was acknowledged", m)
	}
}

// TestLateSettleMovesNothingElse: a partition that was revoked and comes back has
// a new lease, and what was in flight under the old one settles late.
func TestLateSettleMovesNothingElse(t *testing.T) {
	old := NewLease("t", 0)
	late := old.CoverRecords(1, MarkAfter(5, 0), 1, time.Time{})
	old.Close()
	fresh := NewLease("t", 0)
	s := fresh.CoverRecords(2, MarkAfter(100, 0), 1, time.Time{})
	s.Settle()
	late.Settle()
	if m, ok := old.CommitMark(); ok {
		t.Errorf("a closed lease has mark %v", m)
	}
	if m, ok := fresh.CommitMark(); !ok || m.Offset != 101 {
		t.Errorf("mark %v %v, want 101", m, ok)
	}
}

func TestRegisterSeesARewind(t *testing.T) {
	l := NewLease("t", 0)
	if !l.RegisterRecords(10, 19, 10) || !l.RegisterRecords(25, 30, 3) {
		t.Fatal("offsets that grow are no rewind")
	}
	if l.RegisterRecords(30, 40, 11) {
		t.Error("offset 30 was registered twice")
	}
	if got := l.CountUncommitted(); got != 13 {
		t.Errorf("uncommitted %d, want 13: a rewind counts nothing", got)
	}
}

func TestStartIsCommittedWithoutARecord(t *testing.T) {
	l := NewLease("t", 0)
	l.StartAt(Mark{Offset: 42, Epoch: 3})
	if m, ok := l.CommitMark(); !ok || m.Offset != 42 || m.Epoch != 3 {
		t.Errorf("mark %v %v, want 42 in epoch 3", m, ok)
	}
}

func TestDrained(t *testing.T) {
	l := NewLease("t", 0)
	select {
	case <-l.Drained():
	default:
		t.Fatal("an empty lease is drained")
	}
	a := l.CoverRecords(1, MarkAfter(0, 0), 1, time.Time{})
	b := l.CoverRecords(2, MarkAfter(1, 0), 1, time.Time{})
	done := l.Drained()
	b.Settle()
	select {
	case <-done:
		t.Fatal("drained with a span in flight")
	default:
	}
	a.Settle()
	<-done
}

// BenchmarkCover is the cost of a batch that touches one partition:
//
//	go test ./connector/offset -bench . -benchmem
func BenchmarkCover(b *testing.B) {
	l := NewLease("t", 0)
	b.ReportAllocs()
	var n uint64
	for b.Loop() {
		n++
		s := l.CoverRecords(n, MarkAfter(int64(n), 0), 500, time.Time{})
		s.Settle()
	}
}

// TestSettledSpansAreMerged: behind a record that does not settle, the number of spans follows the batches in flight and
// not the batches that settled since. Merged spans still count, and still commit, as the records that they hold.
func TestSettledSpansAreMerged(t *testing.T) {
	const batches, flying = 10_000, 8
	rng := rand.New(rand.NewPCG(1, 1))
	l, batch, next := NewLease("t", 3), uint64(0), int64(0)
	cover := func() *Span {
		batch++
		next++
		l.RegisterRecords(next-1, next-1, 1)
		return l.CoverRecords(batch, MarkAfter(next-1, 7), 1, time.Time{})
	}
	stuck := cover()
	var open []*Span
	for range batches {
		if open = append(open, cover()); len(open) == flying {
			i := rng.IntN(flying)
			open[i].Settle()
			open = slices.Delete(open, i, i+1)
		}
		if n := len(l.spans); n > 2*flying+1 {
			t.Fatalf("%d spans after %d batches, with %d in flight", n, batch, len(open))
		}
	}
	if m, ok := l.CommitMark(); ok {
		t.Fatalf("mark %v before the first record has settled", m)
	}
	for _, s := range open {
		s.Settle()
	}
	stuck.Settle()
	if m, ok := l.CommitMark(); !ok || m.Offset != next || l.Settled() != next || len(l.spans) > 0 {
		t.Errorf("mark %v %v, %d settled, %d spans; want %d, and no span", m, ok, l.Settled(), len(l.spans), next)
	}
}
