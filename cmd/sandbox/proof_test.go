package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"kafka-firehose/connector/firehose"
)

// these visits the lines given.
func these(place string, all ...string) lines {
	return func(_ context.Context, visit visitor) error {
		for i, line := range all {
			visit(identify([]byte(line)), sighting{place, int64(i), []byte(line)})
		}
		return nil
	}
}

func TestProof(t *testing.T) {
	f := func(fed, topic, delivered string, want verdict, examples ...string) {
		t.Helper()
		for _, passes := range []uint64{1, 2, 1000} {
			v, err := proof{
				fed: these("fed", strings.Fields(fed)...), topic: these("topic", strings.Fields(topic)...),
				delivered: these("object", strings.Fields(delivered)...), passes: passes,
			}.run(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			got := v.examples
			v.examples = nil
			if fmt.Sprint(v) != fmt.Sprint(want) {
				t.Errorf("fed %s, topic %s, delivered %s: %+v, want %+v", fed, topic, delivered, v, want)
			}
			slices.Sort(got)
			if !slices.Equal(got, examples) {
				t.Errorf("fed %s, topic %s, delivered %s: examples %q, want %q", fed, topic, delivered, got, examples)
			}
		}
	}
	f("", "", "", verdict{})
	f("a b c", "c a b", "b c a", verdict{fed: 3, topic: 3, delivered: 3})
	f("a a", "a a", "a a", verdict{fed: 2, topic: 2, delivered: 2})
	f("a", "a x", "a x", verdict{fed: 1, topic: 2, delivered: 2}) // others may produce
	f("a b", "a b", "a", verdict{fed: 2, topic: 2, delivered: 1, lost: 1}, `lost: 1 in the topic, 0 delivered: topic 1: "b"`)
	f("a a a", "a a a", "a", verdict{fed: 3, topic: 3, delivered: 1, lost: 2}, `lost: 3 in the topic, 1 delivered: topic 0: "a"`)
	f("a b", "a b", "a b a", verdict{fed: 2, topic: 2, delivered: 3, duplicated: 1}, `duplicated: 1 in the topic, 2 delivered: topic 0: "a"`)
	// One lost and another doubled: the sums are right, and it is found.
	f("a b", "a b", "a a", verdict{fed: 2, topic: 2, delivered: 2, lost: 1, duplicated: 1},
		`duplicated: 1 in the topic, 2 delivered: topic 0: "a"`, `lost: 1 in the topic, 0 delivered: topic 1: "b"`)
	f("a", "a", "a z", verdict{fed: 1, topic: 1, delivered: 2, strangers: 1}, `delivered, but never in the topic: object 1: "z"`)
	f("a b", "a", "a", verdict{fed: 2, topic: 1, delivered: 1, missing: 1}, `fed 1 times, 0 in the topic: fed 1: "b"`)
}

// Many passes find what one does.
func TestProofInPasses(t *testing.T) {
	var fed, delivered []string
	for i := range 5000 {
		line := fmt.Sprint(i % 3000)
		fed = append(fed, line)
		if i != 17 {
			delivered = append(delivered, line)
		}
	}
	readings := 0
	counted := func(ctx context.Context, visit visitor) error {
		readings++
		return these("fed", fed...)(ctx, visit)
	}
	p := proof{fed: counted, topic: these("topic", fed...), delivered: these("object", delivered...), passes: 50}
	v, err := p.run(t.Context())
	if err != nil || v.fed != 5000 || v.topic != 5000 || v.delivered != 4999 || v.lost != 1 || v.duplicated != 0 {
		t.Errorf("%+v, error %v", v, err)
	}
	if readings != 50 {
		t.Errorf("read %d times, want once a pass", readings)
	}
	for pass := range p.passes {
		seen, err := p.count(t.Context(), pass)
		if err != nil || len(seen) > 120 {
			t.Errorf("pass %d holds %d of 3,000 lines, want 60 or so; error %v", pass, len(seen), err)
		}
	}
}

func TestVerdict(t *testing.T) {
	f := func(v verdict, explained int64, want string) {
		t.Helper()
		got := ""
		if err := v.err(explained); err != nil {
			got = err.Error()
		}
		if !strings.Contains(got, want) || want == "" && got != "" {
			t.Errorf("%+v: %q, want %q", v, got, want)
		}
	}
	f(verdict{fed: 5, topic: 5, delivered: 5}, 0, "")
	f(verdict{duplicated: 5}, 5, "")
	f(verdict{duplicated: 5}, 4, "1 lines were delivered more than once")
	f(verdict{lost: 1}, 100, "LOST")
	f(verdict{strangers: 1}, 100, "never were in the topic")
	f(verdict{missing: 1}, 100, "are not in the topic")
}

// A proof that can't read everything must not hold.
func TestBrokenObjectIsAnError(t *testing.T) {
	root := t.TempDir()
	if err := os.WriteFile(filepath.Join(root, "object.gz"), []byte("not gzip"), 0o644); err != nil {
		t.Fatal(err)
	}
	p := proof{fed: these("fed"), topic: these("topic"), delivered: (&objectFiles{root: root}).each, passes: 1}
	if _, err := p.run(t.Context()); err == nil || !strings.Contains(err.Error(), "object.gz") {
		t.Errorf("error %v, want one that names object.gz", err)
	}
}

func TestJournal(t *testing.T) {
	dir := t.TempDir()
	feeder, err := openFeeder(&broker{addr: "127.0.0.1:1"}, dir)
	if err != nil {
		t.Fatal(err)
	}
	var want []identity
	for round := range 2 { // it can be added to after it was read
		for i := range 10_000 {
			line := fmt.Appendf(nil, "line %d of round %d", i, round)
			want = append(want, identify(line))
			if err := feeder.note(line); err != nil {
				t.Fatal(err)
			}
		}
		var got []identity
		if err := feeder.each(t.Context(), func(id identity, _ sighting) { got = append(got, id) }); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%d entries, want %d, or in another order", len(got), len(want))
		}
	}
	feeder.close()
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("%s is left", left[0].Name())
	}
}

// eachLine against the obvious, at sizes around its buffer.
func TestEachLine(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for range 50 {
		var b strings.Builder
		for range r.IntN(6) {
			b.WriteString(strings.Repeat("x", r.IntN(4)*(128<<10)+r.IntN(3)))
			if r.IntN(5) > 0 {
				b.WriteByte('\n')
			}
		}
		content := b.String()
		var want []string
		for line := range strings.Lines(content) {
			want = append(want, strings.TrimSuffix(line, "\n"))
		}
		var got []string
		err := eachLine(strings.NewReader(content), func(line []byte) bool { got = append(got, string(line)); return true })
		if err != nil || !slices.Equal(got, want) {
			t.Fatalf("%d lines, want %d, error %v", len(got), len(want), err)
		}
	}
	for long, want := range map[int]string{maxLine: "<nil>", maxLine + 1: "line 2 is too long; the sandbox takes up to 2000000 bytes"} {
		err := eachLine(strings.NewReader("x\n"+strings.Repeat("x", long)+"\n"), func([]byte) bool { return true })
		if fmt.Sprint(err) != want {
			t.Errorf("a line of %d bytes: error %v, want %s", long, err, want)
		}
	}
}

func TestNumbers(t *testing.T) {
	f := func(got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	f(count(0), "0")
	f(count(999), "999")
	f(count(1000), "1,000")
	f(count(-1234567), "-1,234,567")
	f(count(-123456), "-123,456")
	f(fmt.Sprintf("%.4f", dollars(firehose.Bill{Billed: 1 << 30})), "0.0290")
}
