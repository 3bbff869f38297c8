package proxytest_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	"kafka-firehose/connector/proxytest"
)

// TestFaults: each does to an HTTP exchange over sockets what its name says, and is gone once
// healed. The times of the faults are measured in virtual time, beside this.
func TestFaults(t *testing.T) {
	t.Parallel()
	body := strings.Repeat("x", 64<<10)
	arrived := make(chan struct{}, 100)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		arrived <- struct{}{}
		_, _ = io.WriteString(w, body)
	}))
	defer server.Close()
	p, err := proxytest.New(strings.TrimPrefix(server.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	exchange := func(patience time.Duration) (requests int, err error) {
		client.Timeout = patience
		resp, err := client.Post("http://"+p.Addr(), "text/plain", strings.NewReader(body))
		if err == nil {
			var got []byte
			got, err = io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			if err == nil && string(got) != body {
				t.Errorf("the answer has %d bytes, want %d", len(got), len(body))
			}
		}
		for len(arrived) > 0 {
			<-arrived
			requests++
		}
		return requests, err
	}
	for _, c := range []struct {
		name     string
		fault    proxytest.Fault
		fails    bool
		requests int // that the server gets whole; -1 for any number
	}{
		{"latency", proxytest.Latency(20*time.Millisecond, 10*time.Millisecond), false, 1},
		{"bandwidth", proxytest.Bandwidth(4 << 20), false, 1},
		{"silence", proxytest.Silence(), true, 0},
		{"lost answers", proxytest.LostAnswers(), true, 1},
		{"reset", proxytest.Reset(), true, 0},
		{"cut requests", proxytest.CutRequests(10_000), true, -1},
		{"cut answers", proxytest.CutAnswers(10_000), true, 1},
		{"slow close", proxytest.SlowClose(20 * time.Millisecond), false, 1},
	} {
		p.Add(c.fault)
		patience := time.Minute
		if c.fails {
			patience = 500 * time.Millisecond
		}
		requests, err := exchange(patience)
		if (err != nil) != c.fails || requests != c.requests && c.requests >= 0 {
			t.Errorf("%s: %d requests arrived, error %v", c.name, requests, err)
		}
		// The kernel tells of a reset once, to the reader or to the writer; the other one finds the pipe broken.
		if reset := errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE); c.name == "reset" && !reset {
			t.Errorf("%s: error %v, want a connection that was reset", c.name, err)
		}
		p.Heal()
		if _, err := exchange(time.Minute); err != nil {
			t.Errorf("after %s was healed: %v", c.name, err)
		}
	}
	p.Down()
	if requests, err := exchange(time.Minute); err == nil || requests != 0 {
		t.Errorf("down: %d requests arrived, error %v", requests, err)
	}
	if err := p.Up(); err != nil {
		t.Fatal(err)
	}
	if _, err := exchange(time.Minute); err != nil {
		t.Errorf("up again: %v", err)
	}
}
