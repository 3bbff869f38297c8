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
func these(place string, all ...string) lineReader {
	return func(_ context.Context, visit func(line)) error {
		for i, text := range all {
			visit(line{place, int64(i), []byte(text)})
		}
		return nil
	}
}

func TestProof(t *testing.T) {
	f := func(topic, delivered string, want verdict, examples ...string) {
		t.Helper()
		v, err := compareLines(t.Context(), these("topic", strings.Fields(topic)...), these("object", strings.Fields(delivered)...))
		if err != nil {
			t.Fatal(err)
		}
		got := v.examples
		v.examples = nil
		if fmt.Sprint(v) != fmt.Sprint(want) {
			t.Errorf("topic %s, delivered %s: %+v, want %+v", topic, delivered, v, want)
		}
		slices.Sort(got)
		if !slices.Equal(got, examples) {
			t.Errorf("topic %s, delivered %s: examples %q, want %q", topic, delivered, got, examples)
		}
	}
	f("", "", verdict{})
	f("c a b", "b c a", verdict{topic: 3, delivered: 3})
	f("a a", "a a", verdict{topic: 2, delivered: 2})
	f("a b", "a", verdict{topic: 2, delivered: 1, lost: 1}, `lost: 1 in the topic, 0 delivered: topic 1: "b"`)
	f("a a a", "a", verdict{topic: 3, delivered: 1, lost: 2}, `lost: 3 in the topic, 1 delivered: topic 0: "a"`)
	f("a b", "a b a", verdict{topic: 2, delivered: 3, duplicated: 1}, `duplicated: 1 in the topic, 2 delivered: topic 0: "a"`)
	// One lost and another doubled: the sums are right, and it is found.
	f("a b", "a a", verdict{topic: 2, delivered: 2, lost: 1, duplicated: 1},
		`duplicated: 1 in the topic, 2 delivered: topic 0: "a"`, `lost: 1 in the topic, 0 delivered: topic 1: "b"`)
	f("a", "a z", verdict{topic: 1, delivered: 2, strangers: 1}, `delivered, but never in the topic: object 1: "z"`)
}

// One line of many is found, and everything is read again for its place alone.
func TestProofOfManyLines(t *testing.T) {
	var produced, delivered []string
	for i := range 5000 {
		text := fmt.Sprint(i % 3000)
		produced = append(produced, text)
		if i != 17 {
			delivered = append(delivered, text)
		}
	}
	readings := 0
	counted := func(ctx context.Context, visit func(line)) error {
		readings++
		return these("topic", produced...)(ctx, visit)
	}
	v, err := compareLines(t.Context(), counted, these("object", delivered...))
	if err != nil || v.topic != 5000 || v.delivered != 4999 || v.lost != 1 || v.duplicated != 0 {
		t.Errorf("%+v, error %v", v, err)
	}
	if readings != 2 {
		t.Errorf("read %d times, want once for the counts and once for the example", readings)
	}
}

func TestVerdict(t *testing.T) {
	multisetOf := func(all string) (m multiset) {
		for line := range strings.FieldsSeq(all) {
			m.add([]byte(line))
		}
		return m
	}
	f := func(v verdict, fed, found string, explained int64, want string) {
		t.Helper()
		got := ""
		if err := v.asError(multisetOf(fed), multisetOf(found), explained); err != nil {
			got = err.Error()
		}
		if !strings.Contains(got, want) || want == "" && got != "" {
			t.Errorf("%+v: %q, want %q", v, got, want)
		}
	}
	f(verdict{topic: 5, delivered: 5}, "a b b", "b a b", 0, "")
	f(verdict{duplicated: 5}, "", "", 5, "")
	f(verdict{duplicated: 5}, "", "", 4, "1 lines were delivered more than once")
	f(verdict{lost: 1}, "", "", 100, "LOST")
	f(verdict{strangers: 1}, "", "", 100, "never were in the topic")
	f(verdict{}, "a b", "a", 100, "2 lines were fed, and the 1 of them in the topic are not the same")
	f(verdict{}, "a b c", "a a c", 100, "3 lines were fed, and the 3 of them")
	f(verdict{}, "a a", "b b", 100, "2 lines were fed, and the 2 of them")
}

// A proof that can't read everything must not hold.
func TestBrokenObjectIsAnError(t *testing.T) {
	root := t.TempDir()
	if err := os.WriteFile(filepath.Join(root, "object.gz"), []byte("not gzip"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := compareLines(t.Context(), these("topic"), (&objectReader{root: root}).visitLines); err == nil || !strings.Contains(err.Error(), "object.gz") {
		t.Errorf("error %v, want one that names object.gz", err)
	}
}

// Lines that were fed are told from those that others produce.
func TestFedLinesAreFoundInTheTopic(t *testing.T) {
	o, err := parseFlags([]string{"-kafka", "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	b, err := openBroker(o)
	if err != nil {
		t.Fatal(err)
	}
	defer b.close()
	for round := range 3 { // it can be fed after it was read
		produce(t, b.addr, []byte("of another"))
		if err := b.produceRecords(t.Context(), sampleEvents, 1000, 0); err != nil {
			t.Fatal(err)
		}
		ends, err := b.endOffsets(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		producer, _, err := b.client.ProducerID(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		read, lines := &topicReader{addr: b.addr, to: ends, producer: producer}, 0
		if err := read.visitLines(t.Context(), func(line) { lines++ }); err != nil {
			t.Fatal(err)
		}
		if want := 1000 * (round + 1); b.fed.lines != int64(want) || read.found != b.fed || lines != want+round+1 {
			t.Errorf("round %d: %d lines of %d are in the topic, and %d in all", round, read.found.lines, b.fed.lines, lines)
		}
	}
}

// readLines against the obvious, at sizes around its buffer.
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
		for r, err := range readLines("", strings.NewReader(content)) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, string(r.Value))
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%d lines, want %d", len(got), len(want))
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
	f(formatCount(0), "0")
	f(formatCount(999), "999")
	f(formatCount(1000), "1,000")
	f(formatCount(-1234567), "-1,234,567")
	f(formatCount(-123456), "-123,456")
	f(fmt.Sprintf("%.4f", billDollars(firehose.Bill{Billed: 1 << 30})), "0.0290")
}
