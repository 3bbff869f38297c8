package recovery

import (
	"errors"
	"math/rand/v2"
	"strings"
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

// TestLetterProgressBound: what does not fit into a commit is an error, and metadata of others is refused.
func TestLetterProgressBound(t *testing.T) {
	t.Parallel()
	p, err := NewLetterProgress([16]byte{}, LetterFilter{Topic: strings.Repeat("t", 200)}, 0, 0, "")
	if err != nil {
		t.Fatal(err)
	}
	holes := 0
	for ; err == nil && holes < 1000; holes++ {
		p.Pass(int64(2*holes + 1))
		p.Fail(int64(2*holes + 1))
		var metadata string
		if _, metadata, err = p.Commit(); len(metadata) > 4096 {
			t.Fatalf("%d bytes", len(metadata))
		}
	}
	if !errors.Is(err, ErrManyHoles) || holes < 15 {
		t.Errorf("after %d holes: %v", holes, err)
	}
	for _, bad := range []string{"x", "kafka-firehose/1 cluster=", "kafka-firehose-redrive/1 topic=? done=", "kafka-firehose-redrive/1 topic=AAAAAAAAAAAAAAAAAAAAAA done=5-3::,", "kafka-firehose-redrive/1 topic=AAAAAAAAAAAAAAAAAAAAAA done=3-5:a,"} {
		if _, err := NewLetterProgress([16]byte{}, LetterFilter{}, 5, 0, bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}
