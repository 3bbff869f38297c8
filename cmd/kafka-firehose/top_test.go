package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"kafka-firehose/connector/status"
)

func TestTop(t *testing.T) {
	at := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(status.Snapshot{
			At: at, Phase: "running", Live: true, Group: status.Group{ID: "g\x1b[2J"},
			Faults:     []status.Fault{{What: "stream orders", Reason: "stream orders: blocked: AccessDeniedException", Since: at.Add(-time.Minute)}},
			Streams:    []status.Stream{{Name: "orders", State: "blocked", LastAccepted: at.Add(-time.Minute)}},
			Partitions: []status.Partition{{Topic: "t", Partition: 3, Lag: 12, State: "reading"}},
		})
	}))
	defer srv.Close()
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) }))
	defer other.Close()
	for _, tt := range []struct {
		args string
		code int
		says []string
	}{
		{"-addr " + srv.Listener.Addr().String(), 0, []string{"not ready", "g·[2J", "orders", "blocked", "1m0s ago", "WHAT KEEPS RECORDS BACK", ", for 1m0s: stream orders: blocked: AccessDeniedException", "reading"}},
		{"-addr " + srv.URL + "/ -addr " + other.Listener.Addr().String(), 1, []string{"no answer: it answers 404 Not Found", "AccessDenied"}},
		{"-addr nowhere", 2, []string{"want host:port"}},
		{"-interval 1ms", 2, []string{"-interval is 1ms; want 100ms or more"}},
		{"now", 2, []string{`top takes flags alone, got ["now"]`}},
		{"-h", 0, []string{"kafka-firehose top [-addr host:port]"}},
	} {
		b := newBench(t)
		code := b.run(t.Context(), append([]string{"top"}, strings.Fields(tt.args)...))
		out := b.stdout.String() + b.stderr.String()
		for _, want := range tt.says {
			if code != tt.code || !strings.Contains(out, want) {
				t.Errorf("%s: exit code %d, want %d and %q in\n%s", tt.args, code, tt.code, want, out)
			}
		}
		if strings.Contains(out, "\x1b") {
			t.Errorf("%s: control characters come through", tt.args)
		}
	}
}

// TestMembersOfAName: a name with several addresses, as a headless Service has, stands for all of them.
func TestMembersOfAName(t *testing.T) {
	lookup := func(_ context.Context, host string) ([]string, error) {
		switch host {
		case "members.streaming.svc":
			return []string{"10.0.0.2", "fd00::1", "10.0.0.1"}, nil
		case "one.example.com":
			return []string{"10.0.0.1"}, nil
		}
		return nil, errors.New("no such host")
	}
	for addr, want := range map[string][]string{
		"members.streaming.svc:8080": {"10.0.0.1:8080", "10.0.0.2:8080", "[fd00::1]:8080"},
		"one.example.com:8080":       {"one.example.com:8080"},
		"gone.example.com:8080":      {"gone.example.com:8080"},
		"10.0.0.9:8080":              {"10.0.0.9:8080"},
	} {
		if got := resolveMembers(t.Context(), lookup, addr); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", addr, got, want)
		}
	}
}
