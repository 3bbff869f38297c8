package main

import (
	"bytes"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kafka-firehose/connector/firehose/firehosetest"
	"kafka-firehose/connector/longtest"
)

// TestRun measures one cell with real processes. It takes seconds, and so is left out of
// the race detector's run.
func TestRun(t *testing.T) {
	longtest.Require(t)
	t.Parallel()
	if testing.Short() {
		t.Skip("builds the connector and moves 32 MiB; the run without the race detector has it")
	}
	// The test binary is none that could be the broker.
	self := filepath.Join(t.TempDir(), "bench")
	if err := goRun(t.Context(), "build", "-o", self, "."); err != nil {
		t.Fatal(err)
	}
	o, err := parse([]string{"-only", "matrix", "-size", "1KiB", "-codec", "zstd", "-mode", "aggregated", "-partitions", "3", "-bytes", "64MiB", "-rounds", "1", "-slack", "100", "-profile", filepath.Join(t.TempDir(), "profiles")}, os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	o.self = self
	var log bytes.Buffer
	r, err := o.measure(t.Context(), &log)
	if err != nil {
		t.Fatal(err)
	}
	t.Log(log.String())
	if len(r.matrix) != 1 || len(r.outside()) > 0 {
		t.Fatalf("%d cells, outside: %q", len(r.matrix), r.outside())
	}
	for _, s := range append(r.matrix[0].connector, r.matrix[0].floor...) {
		if s.stored.Bytes != 64<<10*1025 || s.cpu < 10*time.Millisecond || s.cpu > time.Minute || s.peak < 10<<20 || s.stored.Requests < 4 {
			t.Errorf("%s: %+v", s.setup.mover, s)
		}
		file := filepath.Join(o.profile, string(s.setup.mover)+"_1-KiB_zstd_aggregated_3-partitions.pprof")
		if out, err := exec.CommandContext(t.Context(), "go", "tool", "pprof", "-top", file).CombinedOutput(); err != nil || !strings.Contains(string(out), "Type: cpu") || strings.Contains(string(out), "Total samples = 0") {
			t.Errorf("%v: %s", err, out) // which functions are among so few samples is chance
		}
	}
}

// made is a sample of a run that took so many seconds for a gigabyte.
func made(s setup, cost float64, peak int64) sample {
	return sample{
		setup: s, wall: time.Second, speed: 1e8, cpu: time.Duration(cost * float64(s.payload()) / gigabyte * float64(time.Second)), peak: peak,
		stored: firehosetest.StreamStats{Requests: 4, Records: 1000, Bytes: s.delivered(), Billed: s.delivered()},
	}
}

// TestBounds: whatever is outside of its bound is found, and what is at the edge is not.
func TestBounds(t *testing.T) {
	t.Parallel()
	base := options{bytes: 1 << 30, buffered: 64 << 20, slack: 1}.base(1 << 10)
	one, thousand, aggregated := base, base, base
	one.partitions, thousand.partitions, aggregated.aggregate = 1, 1000, true
	beside := base.buffered + besideBuffers
	matrix := func(s setup, cost float64, peak int64) *results {
		return &results{matrix: []cell{{setup: s, connector: []sample{made(s, cost, peak)}, floor: []sample{made(s.with(moverFloor), 1, 1)}}}}
	}
	dear := made(aggregated, 1, 1)
	dear.stored.Billed = dear.stored.Bytes * 106 / 100
	grown := matrix(one, 1, 1)
	grown.matrix = append(grown.matrix, matrix(thousand, 1.31, 1).matrix[0])
	grown.matrix[1].floor[0] = made(thousand, 1.1, 1)
	slow := matrix(base, 1, 1)
	slow.matrix[0].connector[0].speed = 0.94e8
	slack := matrix(base, 1.4, 1)
	slack.options.slack = 1.1
	format := func(cost float64) *results {
		return &results{rows: []row{{what: "a", against: "raw", one: []sample{made(base, cost, 1)}, other: []sample{made(base, 1, 1)}, most: 1.6}}}
	}
	for _, test := range []struct {
		name string
		r    *results
		want string
	}{
		{"at the edge", matrix(base, 1.3, beside), ""},
		{"too much CPU", matrix(base, 1.31, 1), "1.31 times the floor, at most 1.30"},
		{"too much CPU, but for the slack", slack, ""},
		{"too slow", slow, "0.94 times the speed of the floor, at least 0.95"},
		{"too much memory", matrix(base, 1, beside+1), "128 MiB of memory"},
		{"more partitions", grown, "1.31 times the CPU with 1000 partitions as with 1, at most 1.30"},
		{"billed too often", &results{bill: []sample{dear}}, "billed 1.060 times, at most 1.05"},
		{"billed too often in the matrix", &results{matrix: []cell{{setup: aggregated, connector: []sample{dear}, floor: []sample{made(aggregated, 1, 1)}}}}, "billed 1.060"},
		{"memory in an outage", &results{memory: []sample{made(base, 1, beside+1)}}, "128 MiB of memory"},
		{"the serializer", &results{rows: []row{{what: "a", against: "b", one: []sample{made(base, 2.9, 1)}, other: []sample{made(base, 1, 1)}, least: 3}}}, "a costs 2.90 times as much as b, at least 3.0"},
		{"a format", format(1.61), "a costs 1.61 times as much as raw, at most 1.60"},
		{"a format at the edge", format(1.6), ""},
	} {
		test.r.options.slack = max(test.r.options.slack, 1)
		out := strings.Join(test.r.outside(), "\n")
		if (test.want == "") != (out == "") || !strings.Contains(out, test.want) {
			t.Errorf("%s: got %q, want %q", test.name, out, test.want)
		}
		if text := test.r.markdown(); !strings.Contains(text, test.want) || test.want == "" && !strings.Contains(text, "Nothing.") {
			t.Errorf("%s: the report doesn't tell:\n%s", test.name, text)
		}
	}
}

// TestWindow: neither the start nor the end of a run counts for its speed.
func TestWindow(t *testing.T) {
	t.Parallel()
	var w window
	at := time.Unix(0, 0)
	for _, p := range []struct {
		after time.Duration
		done  float64
	}{{5 * time.Second, 0.1}, {0, 0.3}, {time.Second, 0.6}, {time.Second, 0.96}, {time.Minute, 1}} {
		at = at.Add(p.after)
		w.look(at, p.done)
	}
	if got := w.speed(1000); math.Abs(got-330) > 1e-6 {
		t.Errorf("%v bytes a second, want 330: 660 in two seconds", got)
	}
}

func TestCompare(t *testing.T) {
	t.Parallel()
	s := options{bytes: 1 << 30}.base(1 << 10)
	a := []sample{made(s, 2, 1), made(s, 4, 3), made(s, 3, 2)}
	b := []sample{made(s, 1, 1), made(s, 1, 1), made(s, 2, 1)}
	r := compare(a, b, sample.cost)
	if math.Abs(r.of-3) > 1e-6 || math.Abs(r.least-1.5) > 1e-6 || math.Abs(r.most-4) > 1e-6 || peak(a) != 3 {
		t.Errorf("got %v, peak %d", r, peak(a))
	}
}

// TestFlags names what is wrong and what would be right.
func TestFlags(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		"-only all":          `"all" is none of matrix, stock, formats, tls, memory, outage, bill`,
		"-codec gzip":        `"gzip" is none of none, zstd`,
		"-size 99":           "99 is not from 100 to",
		"-size 1K":           `"1K" is no size`,
		"-partitions 0":      "0 is not from 1 to 10000",
		"-partitions 1KiB":   `"1KiB" is no number`,
		"-bytes 1MiB":        "want 16MiB or more",
		"-rounds 0":          "-rounds is 0; want 1 or more",
		"-slack 0.5":         "-slack is 0.5; want 1 or more",
		"-outage 0s":         "-outage 0s",
		"x":                  `"x" is no flag`,
		"-rounds 0 -slack 0": "-slack is 0; want 1 or more",
	} {
		var out bytes.Buffer
		if code := run(t.Context(), strings.Fields(args), nil, &out, &out); code != exitFailed || !strings.Contains(out.String(), want) {
			t.Errorf("%s: exit code %d, %q, want %q", args, code, out.String(), want)
		}
	}
	o, err := parse(strings.Fields("-size 200,8KiB -partitions 1,1000 -mode raw -codec none -bytes 1GiB"), os.Stderr)
	if cells := matrix(o); err != nil || len(cells) != 4 || cells[3].String() != "8 KiB, none, raw, 1000 partitions" || cells[0].payload() > 1<<30 {
		t.Errorf("got %v, %v", cells, err)
	}
	o, err = parse([]string{"-quick"}, os.Stderr)
	if cells := matrix(o); err != nil || len(cells) != 20 {
		t.Errorf("%d quick cells, want 12 and 8: %v, %v", len(cells), cells, err)
	}
	var out bytes.Buffer
	if code := run(t.Context(), []string{"-h"}, nil, &out, &out); code != exitOK || !strings.Contains(out.String(), "-slack FACTOR") {
		t.Errorf("exit code %d, %s", code, out.String())
	}
}

// TestStockOverlay: there is a connector with the SDK's serializer as long as one line says
// which one it has.
func TestStockOverlay(t *testing.T) {
	t.Parallel()
	b := &bench{dir: t.TempDir()}
	file, err := b.overlay(t.Context(), moverStock)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(b.dir, "protocol.go"))
	if err != nil || strings.Contains(string(text), "o.Protocol") || !strings.Contains(string(text), "o.HTTPClient") {
		t.Errorf("%v\n%s", err, text)
	}
	if text, err := os.ReadFile(file); err != nil || strings.Contains(string(text), "profile") {
		t.Errorf("%v\n%s", err, text)
	}
}

// TestReportKeepsTheRest: a new report replaces the old one, and what is written below it stays.
func TestReportKeepsTheRest(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "report.md")
	for _, text := range []string{"one\n", "two\n\n"} {
		if err := writeReport(file, text); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if text == "one\n" {
			err = os.WriteFile(file, append(got, "\n## Below\n"...), 0o600)
		} else if want := "two\n" + reportEnd + "\n## Below\n"; string(got) != want {
			t.Errorf("%q, want %q", got, want)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}
