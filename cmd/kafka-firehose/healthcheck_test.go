package main

import (
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestHealthcheck(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/livez" {
			_, _ = w.Write([]byte("ok\n"))
			return
		}
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = w.Write([]byte("stream s: blocked\n"))
	}))
	defer srv.Close()
	addr := srv.Listener.Addr().String()
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = closed.Close()
	for _, tt := range []struct {
		env, args string
		code      int
		says      string
	}{
		{"", "-addr " + addr, 0, "ok"},
		{"HTTP_ADDR=:" + port, "", 0, "ok"},
		{"HTTP_ADDR=0.0.0.0:" + port, "-probe livez", 0, "ok"},
		{"HTTP_ADDR=" + addr, "-probe readyz", 1, "/readyz answers 503 Service Unavailable: stream s: blocked"},
		{"", "-addr " + closed.Addr().String(), 1, "no answer from http://" + closed.Addr().String() + "/livez"},
		{"", "-probe metrics", 1, `-probe is "metrics"; want livez or readyz`},
		{"", "-timeout 0s", 1, "-timeout is 0s; want more than 0s"},
		{"", "now", 1, `healthcheck takes flags alone, got ["now"]`},
		{"", "-h", 0, "Exit code: 0 it is"},
	} {
		b := newBench(t, strings.Fields(tt.env)...)
		code := b.run(t.Context(), append([]string{"healthcheck"}, strings.Fields(tt.args)...))
		if out := b.stdout.String() + b.stderr.String(); code != tt.code || !strings.Contains(out, tt.says) {
			t.Errorf("%s %s: exit code %d, %q; want %d, %q", tt.env, tt.args, code, out, tt.code, tt.says)
		}
	}
}

func TestOwnAddr(t *testing.T) {
	for addr, want := range map[string]string{"": "127.0.0.1:8080", ":9000": "127.0.0.1:9000", "0.0.0.0:9000": "127.0.0.1:9000", "[::]:9000": "[::1]:9000", "10.0.0.7:9000": "10.0.0.7:9000", "localhost:1": "localhost:1"} {
		if got := ownAddr(addr); got != want {
			t.Errorf("%q is reached at %s, want %s", addr, got, want)
		}
	}
}
