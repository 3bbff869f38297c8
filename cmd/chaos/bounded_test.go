package main

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"kafka-firehose/connector/kafka/kafkatest"
	"kafka-firehose/connector/proxytest"
)

// TestEveryRunHasAVerdict: whatever a run does, it ends within its limit, the report has a column
// for it, and the exit code tells the connector's failures from the world's.
func TestEveryRunHasAVerdict(t *testing.T) {
	t.Parallel()
	proves := func() *verdict { return &verdict{records: 1, commits: 1, accepted: 1} }
	held := func(_ context.Context, o options) (*outcome, error) { return &outcome{run: o, verdict: proves()}, nil }
	failed := func(_ context.Context, o options) (*outcome, error) {
		v := proves()
		v.lost = []int64{7}
		return &outcome{run: o, verdict: v}, nil
	}
	broken := func(context.Context, options) (*outcome, error) { return nil, errors.New("broker 2: it ended") }
	slow := func(ctx context.Context, _ options) (*outcome, error) { <-ctx.Done(); return nil, context.Cause(ctx) }
	stuck := func(context.Context, options) (*outcome, error) {
		time.Sleep(24 * time.Hour)
		return nil, errors.New("too late")
	}
	type do = func(context.Context, options) (*outcome, error)
	for name, c := range map[string]struct {
		do   []do // :: seed
		code int
		want []string // in the report and beside it
		ends int      // runs that take place
	}{
		"held":                       {[]do{held, held}, 0, []string{"| result | held | held |"}, 2},
		"failed":                     {[]do{failed, held}, exitFailed, []string{"| result | FAILED: 1 records lost | held |"}, 2},
		"the world broke":            {[]do{broken, held}, exitWorld, []string{"| result | no verdict, the world broke: broker 2: it ended | held |", "| **lost** | – | 0 |", "seed 0 has no verdict"}, 2},
		"the world broke and failed": {[]do{broken, failed}, exitFailed, []string{"the world broke: broker 2", "FAILED: 1 records lost"}, 2},
		"too slow":                   {[]do{slow, held}, exitWorld, []string{"the world broke: it was not done after 29m0s", "| held |"}, 2},
		"stands still":               {[]do{stuck, held}, exitWorld, []string{"it was not done after 29m0s, and it stands still; its goroutines are in "}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				begin := time.Now()
				var ran atomic.Int64
				var out bytes.Buffer
				code := all(t.Context(), []options{{seed: 0, duration: time.Minute}, {seed: 1, duration: time.Minute}}, dir, func(ctx context.Context, o options) (*outcome, error) {
					ran.Add(1)
					return c.do[o.seed](ctx, o)
				}, &out, &out)
				if code != c.code || int(ran.Load()) != c.ends {
					t.Errorf("exit code %d after %d runs, want %d after %d", code, ran.Load(), c.code, c.ends)
				}
				if took := time.Since(begin); took > 2*31*time.Minute {
					t.Errorf("it took %v", took)
				}
				for _, want := range c.want {
					if !strings.Contains(out.String(), want) {
						t.Errorf("no %q in:\n%s", want, &out)
					}
				}
				time.Sleep(24 * time.Hour) // the one that was stuck ends
			})
			stacks, err := os.ReadFile(filepath.Join(dir, "seed-0", "goroutines.txt"))
			if stands := name == "stands still"; stands != (err == nil) || stands && !bytes.Contains(stacks, []byte("TestEveryRunHasAVerdict")) {
				t.Errorf("stacks: %d bytes, %v", len(stacks), err)
			}
		})
	}
}

// TestGivenDirectoryStays: the directory of -dir may hold something else, and is not removed after a run that held.
func TestGivenDirectoryStays(t *testing.T) {
	t.Parallel()
	own := filepath.Join(t.TempDir(), "own.txt")
	if err := os.WriteFile(own, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	held := func(_ context.Context, o options) (*outcome, error) {
		return &outcome{run: o, verdict: &verdict{records: 1, commits: 1, accepted: 1}}, nil
	}
	var out bytes.Buffer
	if code := all(t.Context(), []options{{seed: 1, duration: time.Minute}}, filepath.Dir(own), held, &out, &out); code != 0 {
		t.Errorf("exit code %d:\n%s", code, &out)
	}
	if _, err := os.Stat(own); err != nil {
		t.Error(err)
	}
}

// TestDisturbFails: a proxy that can't listen again is an error that names its way, and one that
// was closed meanwhile, as its process has ended, is none.
func TestDisturbFails(t *testing.T) {
	t.Parallel()
	way, err := proxytest.New("127.0.0.1:1")
	if err != nil {
		t.Fatal(err)
	}
	defer way.Close()
	apart := event{kind: sinkApart, place: atSink}
	way.Down()
	other, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", way.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if err := disturb(t.Context(), []*proxytest.Proxy{way}, apart); err == nil || !strings.Contains(err.Error(), "proxy to 127.0.0.1:1: listen") {
		t.Errorf("error %v, want one about the proxy", err)
	}
	way.Close()
	if err := disturb(t.Context(), []*proxytest.Proxy{way}, apart); err != nil {
		t.Errorf("after Close: %v", err)
	}
}

// TestInsert: the table replaces the one in the document, and nothing else.
func TestInsert(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "guarantees.md")
	for _, c := range []struct{ text, want, err string }{
		{"a\n" + tableBegin + "old\n" + tableEnd + "b\n", "a\n" + tableBegin + "new\n" + tableEnd + "b\n", ""},
		{"a\n", "a\n", "has no place for the table"},
	} {
		if err := os.WriteFile(file, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		err := insert(file, "new\n")
		if (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("error %v, want %q", err, c.err)
		}
		if got, _ := os.ReadFile(file); string(got) != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
	if err := insert(filepath.Join(t.TempDir(), "absent"), ""); err == nil {
		t.Error("a file that is missing was written")
	}
}

// TestApacheBrokenWorld: a broker that doesn't come back ends the run at once, and it is the
// world's failure.
func TestApacheBrokenWorld(t *testing.T) {
	kafkatest.Require(t)
	dir := t.TempDir()
	config := filepath.Join(dir, "seed-0", "kafka", "1", "server.properties")
	o := options{seed: 0, duration: 10 * time.Minute, rate: 100}
	o.mode()
	var out bytes.Buffer
	begin := time.Now()
	code := all(t.Context(), []options{o}, dir, func(ctx context.Context, o options) (*outcome, error) {
		go func() {
			for ctx.Err() == nil {
				<-time.After(100 * time.Millisecond)
				if started, _ := filepath.Glob(filepath.Join(dir, "seed-0", "member-*.log")); len(started) > 0 { // and the brokers have read theirs
					_ = os.Remove(config)
					return
				}
			}
		}()
		return unleash(ctx, o, []event{{kind: killBroker, place: atBroker, target: 1, at: first, lasts: time.Second}}, slog.New(slog.DiscardHandler))
	}, &out, &out)
	if want := `the world broke: trouble "kill a broker": broker 2: it ended`; code != exitWorld || !strings.Contains(out.String(), want) {
		t.Errorf("exit code %d, want %d and %q:\n%s", code, exitWorld, want, &out)
	}
	if took := time.Since(begin); took > 5*time.Minute {
		t.Errorf("it took %v, of a run of ten minutes that broke at its begin", took)
	}
}
