package recovery

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestLetterProgressModel compares the progress with a set of letters that are done: after several redrives with different filters, each
// with letters that fail and an end at any letter, exactly the letters that were done count as done.
func TestLetterProgressModel(t *testing.T) {
	t.Parallel()
	topics, reasons := []string{"a", "b"}, []string{"tombstone", "refused"}
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 3))
		const letters = 30
		type letter struct{ topic, reason string }
		all := make([]letter, letters)
		for i := range all {
			all[i] = letter{topics[rng.IntN(2)], reasons[rng.IntN(2)]}
		}
		done := map[int64]bool{}
		base, metadata := int64(0), ""
		for range 5 {
			var f LetterFilter
			if rng.IntN(2) == 0 {
				f.Topic = topics[rng.IntN(2)]
			}
			if rng.IntN(2) == 0 {
				f.Reason = reasons[rng.IntN(2)]
			}
			begin := int64(0)
			if rng.IntN(4) == 0 {
				begin = int64(rng.IntN(letters))
			}
			p, err := NewLetterProgress([16]byte{1}, f, base, begin, metadata)
			if err != nil {
				t.Fatal(err)
			}
			end := p.Begin() + int64(rng.IntN(letters))
			for o := p.Begin(); o < min(end, letters); o++ {
				l := all[o]
				if got := p.IsDone(o, l.topic, l.reason); got != done[o] {
					t.Fatalf("seed %d: letter %d is done: %v, want %v, with %q", seed, o, got, done[o], metadata)
				}
				if !f.Matches(l.topic, l.reason) || done[o] {
					continue
				}
				if rng.IntN(4) == 0 {
					p.Fail(o)
					continue
				}
				p.Pass(o + 1)
				done[o] = true
			}
			if base, metadata, err = p.Commit(); err != nil {
				t.Fatal(err)
			}
		}
		p, err := NewLetterProgress([16]byte{1}, LetterFilter{}, base, 0, metadata)
		if err != nil {
			t.Fatal(err)
		}
		for o, l := range all {
			if got := p.IsDone(int64(o), l.topic, l.reason); got != done[int64(o)] {
				t.Fatalf("seed %d: in the end letter %d is done: %v, want %v, with %d %q", seed, o, got, done[int64(o)], base, metadata)
			}
		}
		other, err := NewLetterProgress([16]byte{2}, LetterFilter{}, base, 0, metadata)
		if err != nil || other.Base != 0 || other.IsDone(0, "a", "refused") {
			t.Fatalf("seed %d: a topic that was created again has the progress %+v, %v", seed, other, err)
		}
	}
}

// TestCompactRuns: the compact form has what was written, and broken forms are errors and no panics.
func TestCompactRuns(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	for range 1000 {
		var runs []letterRun
		for range rng.IntN(40) {
			from := rng.Int64N(1 << rng.IntN(40))
			runs = append(runs, letterRun{LetterFilter{Topic: []string{"", "orders"}[rng.IntN(2)], Reason: []string{"", "refused"}[rng.IntN(2)]}, from, from + 1 + rng.Int64N(1<<rng.IntN(20))})
		}
		runs = mergeRuns(runs)
		b := appendCompactRuns(nil, runs)
		got, ok := parseCompactRuns(b)
		for _, list := range [][]letterRun{got, runs} {
			slices.SortFunc(list, func(a, b letterRun) int {
				return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Reason, b.Reason))
			})
		}
		if !ok || !slices.Equal(got, runs) {
			t.Fatalf("%v became %v, %v", runs, got, ok)
		}
		if len(b) > 0 {
			parseCompactRuns(b[:rng.IntN(len(b))])
			b[rng.IntN(len(b))] = byte(rng.Uint32())
			parseCompactRuns(b)
		}
	}
}

// scatteredLetters is a partition with more letters that fail than a commit has room for.
type scatteredLetters struct {
	*testing.T
	rng      *rand.Rand
	fails    []bool
	sent     []int // how often each was sent
	base     int64
	metadata string
}

// redrive does what a redrive does, with some letters at a time without an outcome. It returns the number of letters that it tried.
func (s *scatteredLetters) redrive(f LetterFilter) (tried, failed int) {
	s.Helper()
	p, err := NewLetterProgress([16]byte{}, f, s.base, 0, s.metadata)
	if err != nil {
		s.Fatal(err)
	}
	var pending []int64
	settle := func() {
		for _, o := range pending {
			if s.fails[o] {
				p.Fail(o)
				failed++
				continue
			}
			s.sent[o]++
			p.Pass(o + 1)
		}
		pending = nil
		if s.base, s.metadata, err = p.Commit(); err != nil || len(s.metadata) > maxLetterMarker {
			s.Fatalf("%d bytes, %v", len(s.metadata), err)
		}
	}
	o := p.Begin()
	for ; o < int64(len(s.fails)); o++ {
		if p.IsDone(o, "orders", "refused") {
			continue
		}
		if !p.HasRoom(len(pending)+1, o) || s.rng.IntN(200) == 0 {
			settle()
			p.Pass(o)
			if !p.HasRoom(1, o) {
				return tried, failed
			}
		}
		pending = append(pending, o)
		tried++
	}
	settle()
	p.Pass(o)
	settle()
	return tried, failed
}

// TestLetterProgressFull: however the letters that fail lie, none that was sent is sent again, also if the progress is full, and once
// they are repaired the rest is sent. A filter has room when all letters have none.
func TestLetterProgressFull(t *testing.T) {
	t.Parallel()
	for seed, share := range []int{2, 10} {
		letters := 4500 * share
		s := scatteredLetters{T: t, rng: rand.New(rand.NewPCG(uint64(seed), 0)), fails: make([]bool, letters), sent: make([]int, letters)}
		for i := range s.fails {
			s.fails[i] = s.rng.IntN(share) == 0
		}
		tried, failed := s.redrive(LetterFilter{})
		t.Logf("one of %d fails at random: room for %d letters that failed, stopped after %d letters, %d bytes", share, failed, tried, len(s.metadata))
		if tried == len(s.fails) || failed < 500 {
			t.Fatalf("it tried %d, and %d failed", tried, failed)
		}
		for range 3 {
			if again, _ := s.redrive(LetterFilter{}); again > failed+minNewLetters {
				t.Errorf("%d letters were tried again, and %d had failed", again, failed)
			}
		}
		if further, _ := s.redrive(LetterFilter{Reason: "refused"}); further <= failed {
			t.Errorf("with a filter it tried %d", further)
		}
		for i := range s.fails {
			s.fails[i] = s.fails[i] && s.rng.IntN(2) == 0 // half of them are repaired
		}
		s.redrive(LetterFilter{})
		clear(s.fails)
		s.redrive(LetterFilter{})
		for o, n := range s.sent {
			if n != 1 {
				t.Fatalf("one of %d: letter %d was sent %d times", share, o, n)
			}
		}
		if s.base != int64(len(s.fails)) {
			t.Errorf("the progress ends at %d", s.base)
		}
	}
}

// TestLetterMarkers: short progress has the form that earlier versions read, and metadata of others is refused.
func TestLetterMarkers(t *testing.T) {
	t.Parallel()
	p, err := NewLetterProgress([16]byte{}, LetterFilter{}, 5, 0, "kafka-firehose-redrive/1 topic=AAAAAAAAAAAAAAAAAAAAAA done=7-9::,9-12:orders:refused,")
	if err != nil || !p.IsDone(8, "", "") || p.IsDone(9, "", "") || !p.IsDone(9, "orders", "refused") {
		t.Fatalf("got %+v, %v", p, err)
	}
	p.Fail(6)
	p.Fail(20)
	if base, metadata, err := p.Commit(); err != nil || base != 6 || metadata != "kafka-firehose-redrive/1 topic=AAAAAAAAAAAAAAAAAAAAAA done=7-20::," {
		t.Errorf("got %d, %q, %v", base, metadata, err)
	}
	for _, bad := range []string{
		"x", "kafka-firehose/1 cluster=", "kafka-firehose-redrive/1 topic=? done=", "kafka-firehose-redrive/1 topic=AAAAAAAAAAAAAAAAAAAAAA done=5-3::,", "kafka-firehose-redrive/1 topic=AAAAAAAAAAAAAAAAAAAAAA done=3-5:a,",
		"kafka-firehose-redrive/2 topic=AAAAAAAAAAAAAAAAAAAAAA done=?", "kafka-firehose-redrive/2 topic=AAAAAAAAAAAAAAAAAAAAAA done=AAAF", "kafka-firehose-redrive/3 topic=AAAAAAAAAAAAAAAAAAAAAA done=",
	} {
		if _, err := NewLetterProgress([16]byte{}, LetterFilter{}, 5, 0, bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}
