package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"regexp"
	"strings"
	"sync"
	"testing"

	"kafka-firehose/connector/batch"
	"kafka-firehose/connector/firehose/firehosetest"
)

func TestEachLineIsDeliveredExactlyOnce(t *testing.T) {
	t.Parallel()
	r := sandboxed(t, world{}, "-input", inFile(t, text(10_000)+"\n"+text(10_000)))
	r.want(t, exitProved, "PROVED: produced = delivered", "each of the 20,000 exactly once")
	for word, want := range map[string]int{"fed": 20_000, "topic": 20_000, "delivered": 20_000, "lost": 0, "duplicated": 0, "refused": 0} {
		if got := r.number(t, word); got != want {
			t.Errorf("%s: %d, want %d", word, got, want)
		}
	}
}

func TestAggregatedCompressedFromStandardInput(t *testing.T) {
	t.Parallel()
	r := sandboxed(t, world{stdin: strings.NewReader(text(20_000))}, "-input", "-", "-aggregate", "-gzip")
	r.want(t, exitProved, "each of the 20,000 exactly once")
	if !regexp.MustCompile(`1\.\d times as much`).MatchString(r.stdout) {
		t.Errorf("aggregation did not cut the bill:\n%s", r.stdout)
	}
}

func TestSampleEvents(t *testing.T) {
	t.Parallel()
	r := sandboxed(t, world{}, "-records", "3000", "-rate", "0")
	r.want(t, exitProved, "each of the 3,000 exactly once", "with -aggregate")
}

func TestRecordsThatFailAreRetriedAndNotDoubled(t *testing.T) {
	t.Parallel()
	r := sandboxed(t, world{}, "-input", inFile(t, text(20_000)), "-faults", "flaky")
	r.want(t, exitProved, "each of the 20,000 exactly once")
	if n := r.number(t, "refused"); n < 2000 {
		t.Errorf("%d records were refused, want about 5,000", n)
	}
}

func TestDuplicatesAreExplainedByDestroyedAnswers(t *testing.T) {
	t.Parallel()
	script := inFile(t, `[{"effect": "cut-body", "stored": true, "times": 3}]`)
	for _, aggregate := range []string{"-aggregate=false", "-aggregate"} {
		r := sandboxed(t, world{}, "-input", inFile(t, text(20_000)), "-faults", script, aggregate, "-rate", "10000")
		r.want(t, exitProved, "PROVED: nothing is lost", "because an answer was destroyed")
		if n := r.number(t, "duplicated"); n == 0 {
			t.Errorf("%s: nothing is duplicated", aggregate)
		}
	}
}

func TestProofFindsWhatHappensBehindTheConnector(t *testing.T) {
	t.Parallel()
	var n int // records come one by one here
	var mu sync.Mutex
	store := func(r firehosetest.Stored, next func(firehosetest.Stored)) {
		mu.Lock()
		defer mu.Unlock()
		switch n++; n {
		case 700: // lost
		case 1500:
			next(r)
			next(r)
		case 1600:
			next(r)
			r.Data = []byte("nobody produced this\n")
			next(r)
		default:
			next(r)
		}
	}
	r := sandboxed(t, world{store: store}, "-records", "2000", "-rate", "0")
	r.want(t, exitFailed, "FAILED", "1 lines are in the topic and were not delivered: LOST", "1 lines were delivered and never were in the topic",
		"1 lines were delivered more than once", "! lost: 1 in the topic, 0 delivered: events, partition", "nobody produced this")
}

// Others may produce what no line of a file could be.
func TestRecordsOfOthers(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	out, wait := start(ctx, t, world{}, "-records", "0", "-for", "0")
	addr := out.until(t, `Kafka +(\S+),`)
	produce(t, addr, []byte("two\nlines"), []byte("ended already\n"), []byte{}, nil, []byte("\n"), []byte("\n\n"))
	cancel()
	r := wait()
	r.want(t, exitProved, "1 records without a value", "each of the 7 exactly once")
}

func TestOversizedRecordFailsTheProof(t *testing.T) {
	t.Parallel()
	r := sandboxed(t, world{}, "-input", inFile(t, "small\n"+strings.Repeat("x", batch.MaxRecordBytes)+"\nsmall too\n"))
	r.want(t, exitFailed, "1 records are larger than Firehose takes (1,024,000 bytes) and were skipped", "partition")
	if n := r.number(t, "delivered"); n != 2 {
		t.Errorf("%d lines were delivered, want 2", n)
	}
}

func TestKeepRunningProvesAgain(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	out, wait := start(ctx, t, world{}, "-records", "500", "-rate", "0", "-keep-running")
	out.until(t, "Still running")
	produce(t, out.until(t, `Kafka +(\S+),`), []byte("one more"))
	cancel()
	r := wait()
	r.want(t, exitProved, "each of the 500 exactly once", "each of the 501 exactly once")
}

func TestGivesUpWhenNothingMoves(t *testing.T) {
	t.Parallel()
	script := inFile(t, `[{"effect": "outage"}]`)
	r := sandboxed(t, world{}, "-records", "100", "-rate", "0", "-faults", script, "-patience", "1s")
	r.want(t, exitFailed, "FAILED", "nothing was delivered for 1s, though 100 records are left", "100 lines are in the topic and were not delivered: LOST")
}

func TestTakenPortNamesItsFlag(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for _, name := range []string{"-kafka", "-firehose", "-http"} {
		r := sandboxed(t, world{}, "-records", "1", name, taken.Addr().String())
		r.want(t, exitUsage, "address already in use; choose another address with "+name)
	}
}

// TestTakenDefaultPort: two sandboxes without flags can run at the same time.
func TestTakenDefaultPort(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	l, err := options{given: map[string]bool{"kafka": true}}.openListener("tcp", taken.Addr().String(), "firehose")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if host, _, _ := net.SplitHostPort(l.Addr().String()); host != "127.0.0.1" || l.Addr().String() == taken.Addr().String() {
		t.Errorf("it listens at %s", l.Addr())
	}
}

func TestUnreadableInputFails(t *testing.T) {
	t.Parallel()
	r := sandboxed(t, world{stdin: io.MultiReader(strings.NewReader("one\n"), brokenReader{})}, "-input", "-")
	r.want(t, exitFailed, "read standard input: the disk is gone")
	if n := r.number(t, "delivered"); n != 1 {
		t.Errorf("%d lines were delivered, want the one before the error", n)
	}
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, fmt.Errorf("the disk is gone") }
