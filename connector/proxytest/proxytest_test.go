package proxytest_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"kafka-firehose/connector/proxytest"
)

// TestToxics: each does to an HTTP exchange what its name says, and is gone once
// healed.
func TestToxics(t *testing.T) {
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
	exchange := func(patience time.Duration) (took time.Duration, requests int, err error) {
		client.Timeout = patience
		begin := time.Now()
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
		return time.Since(begin), requests, err
	}
	for _, c := range []struct {
		name     string
		toxic    proxytest.Toxic
		fails    bool
		requests int
		least    time.Duration
	}{
		{"latency", proxytest.Latency(200*time.Millisecond, 0), false, 1, 200 * time.Millisecond},
		{"bandwidth", proxytest.Bandwidth(512 << 10), false, 1, 150 * time.Millisecond},
		{"silence", proxytest.Silence(), true, 0, 500 * time.Millisecond},
		{"lost answers", proxytest.LostAnswers(), true, 1, 0},
		{"reset", proxytest.Reset(), true, 0, 0},
		{"cut requests", proxytest.CutRequests(10_000), true, -1, 0},
		{"cut answers", proxytest.CutAnswers(10_000), true, 1, 0},
	} {
		if err := p.Add(c.toxic); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		patience := time.Minute
		if c.fails {
			patience = 500 * time.Millisecond
		}
		took, requests, err := exchange(patience)
		if (err != nil) != c.fails || requests != c.requests && c.requests >= 0 || took < c.least {
			t.Errorf("%s: %d requests arrived, it took %v, error %v", c.name, requests, took, err)
		}
		p.Heal()
		if _, _, err := exchange(time.Minute); err != nil {
			t.Errorf("after %s was healed: %v", c.name, err)
		}
	}
	p.Down()
	if _, requests, err := exchange(time.Minute); err == nil || requests != 0 {
		t.Errorf("down: %d requests arrived, error %v", requests, err)
	}
	if err := p.Up(); err != nil {
		t.Fatal(err)
	}
	if _, _, err := exchange(time.Minute); err != nil {
		t.Errorf("up again: %v", err)
	}
	if err := p.Add(proxytest.Silence()); err != nil {
		t.Fatal(err)
	}
	if err := p.Renew(); err != nil {
		t.Fatal(err)
	}
	if _, _, err := exchange(time.Minute); err != nil {
		t.Errorf("renewed: %v", err)
	}
}
