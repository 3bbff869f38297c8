package metrics

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// pipes is a network in a bubble, without buffers: a write waits for its reader.
type pipes struct {
	dialed chan net.Conn
	closed chan struct{}
	close  func()
}

func (p pipes) Accept() (net.Conn, error) {
	select {
	case conn := <-p.dialed:
		return conn, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p pipes) Close() error {
	p.close()
	return nil
}

func (p pipes) Addr() net.Addr { return &net.TCPAddr{} }

// dial returns the client's end of a connection.
func (p pipes) dial() net.Conn {
	client, server := net.Pipe()
	p.dialed <- server
	return client
}

// served runs a server in a bubble, with some thousand series.
func served(t *testing.T, live Probe, body func(p pipes, g *watchedGatherer)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := prometheus.NewRegistry()
		set := New(r)
		for i := range 200 {
			topic := fmt.Sprintf("topic-%d", i)
			set.Kafka.ExpectTopic(topic)
			for p := range int32(6) {
				set.Kafka.SetLag(topic, p, 1)
			}
		}
		g := &watchedGatherer{next: r}
		p := pipes{dialed: make(chan net.Conn), closed: make(chan struct{})}
		p.close = sync.OnceFunc(func() { close(p.closed) })
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- Serve(ctx, p, Handler(g, live, live), slog.New(slog.DiscardHandler)) }()
		body(p, g)
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		time.Sleep(time.Minute) // connections that are sent away take a moment
	})
}

// watchedGatherer counts gathers at a time.
type watchedGatherer struct {
	next      prometheus.Gatherer
	now, most atomic.Int32
}

func (g *watchedGatherer) Gather() ([]*dto.MetricFamily, error) {
	g.most.Store(max(g.most.Load(), g.now.Add(1)))
	defer g.now.Add(-1)
	time.Sleep(10 * time.Millisecond)
	return g.next.Gather()
}

// get asks on a connection and returns the status, 0 for a connection that ends.
func get(conn net.Conn, path string) (status int, text string) {
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path); err != nil {
		return 0, err.Error()
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return 0, err.Error()
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err.Error()
	}
	return resp.StatusCode, string(body)
}

func fine() error { return nil }

// TestClientsThatNeverRead: 300 of them, each with thirty requests, take little memory and keep no probe from its
// answer; when their time is over, a scrape is answered.
func TestClientsThatNeverRead(t *testing.T) {
	served(t, fine, func(p pipes, g *watchedGatherer) {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		for range 300 {
			conn := p.dial()
			defer conn.Close()
			go io.WriteString(conn, strings.Repeat("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", 30)) //nolint:errcheck // it may be cut off
		}
		time.Sleep(5 * time.Second)
		runtime.GC()
		runtime.ReadMemStats(&after)
		const bound = 24 << 20
		if grown := int64(after.HeapInuse) - int64(before.HeapInuse); grown > bound {
			t.Errorf("the heap grew by %d MiB, want %d at most", grown>>20, bound>>20)
		}
		if got := g.most.Load(); got != 1 {
			t.Errorf("%d gathers at a time, want 1", got)
		}
		for _, path := range []string{"/livez", "/readyz"} {
			conn, begin := p.dial(), time.Now()
			if status, text := get(conn, path); status != http.StatusOK || time.Since(begin) > time.Second {
				t.Errorf("%s: %d %s after %v", path, status, text, time.Since(begin))
			}
			_ = conn.Close()
		}
		time.Sleep(answerTimeout)
		conn := p.dial()
		if status, text := get(conn, "/metrics"); status != http.StatusOK || strings.Count(text, "lag_records{") != 1200 {
			t.Errorf("/metrics when their time is over: %d %.80s", status, text)
		}
		_ = conn.Close()
	})
}

// TestScrapesAreBounded: while as many clients as there may be do not take their answer, others are told so, and again
// get theirs after that.
func TestScrapesAreBounded(t *testing.T) {
	served(t, fine, func(p pipes, _ *watchedGatherer) {
		for range maxScrapes {
			conn := p.dial()
			defer conn.Close()
			if _, err := io.WriteString(conn, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Second)
		for _, want := range []int{http.StatusServiceUnavailable, http.StatusOK} {
			conn := p.dial()
			if status, text := get(conn, "/metrics"); status != want || want != http.StatusOK && !strings.Contains(text, "8 scrapes are under way") {
				t.Errorf("%d %.80s, want %d", status, text, want)
			}
			_ = conn.Close()
			time.Sleep(answerTimeout)
		}
	})
}

// TestConnectionsAreBounded: of very many clients the ones that did nothing for longest are sent away, and a probe
// gets in.
func TestConnectionsAreBounded(t *testing.T) {
	served(t, fine, func(p pipes, _ *watchedGatherer) {
		var old, late atomic.Int32
		for i := range 3 * maxConnections {
			conn, open := p.dial(), &old
			defer conn.Close()
			if i >= 2*maxConnections {
				open = &late
			}
			open.Add(1)
			go func() {
				_, _ = io.ReadAll(conn)
				open.Add(-1)
			}()
			time.Sleep(time.Millisecond)
		}
		if old.Load() != 0 || late.Load() != maxConnections {
			t.Errorf("%d old and %d late connections are open, want the %d late ones", old.Load(), late.Load(), maxConnections)
		}
		conn := p.dial()
		defer conn.Close()
		if status, text := get(conn, "/livez"); status != http.StatusOK {
			t.Errorf("/livez: %d %s", status, text)
		}
		time.Sleep(headerTimeout + time.Second)
		if got := late.Load(); got != 0 {
			t.Errorf("%d connections without a request are open after %v", got, headerTimeout)
		}
	})
}

// TestRequestsAreBounded: a request that does not end, in time or bytes, is sent away.
func TestRequestsAreBounded(t *testing.T) {
	long := errors.New(strings.Repeat("x", 3*maxReason))
	served(t, func() error { return long }, func(p pipes, _ *watchedGatherer) {
		conn := p.dial()
		defer conn.Close()
		begin := time.Now()
		if _, err := io.WriteString(conn, "GET /livez HTTP/1.1\r\nHost: x\r\n"); err != nil {
			t.Fatal(err)
		}
		_, _ = io.ReadAll(conn)
		if got := time.Since(begin); got != headerTimeout {
			t.Errorf("a header that does not end is waited for %v, want %v", got, headerTimeout)
		}

		conn = p.dial()
		defer conn.Close()
		go fmt.Fprintf(conn, "GET /livez HTTP/1.1\r\nHost: x\r\nX: %s\r\n\r\n", strings.Repeat("x", 64<<10))
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil || resp.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
			t.Errorf("a header of 64 KiB: %v, %v, want 431", resp, err)
		}

		conn = p.dial()
		defer conn.Close()
		if status, text := get(conn, "/livez"); status != http.StatusServiceUnavailable || len(text) > maxReason+10 {
			t.Errorf("a probe answers %d with %d bytes, want 503 with %d at most", status, len(text), maxReason)
		}
	})
}

// TestProbeThatPassesAndTells: the answer is 200, and has the text.
func TestProbeThatPassesAndTells(t *testing.T) {
	for _, c := range []struct {
		err    error
		status int
		body   string
	}{
		{Passes(nil), http.StatusOK, "ok\n"},
		{Passes(errors.New("a fault that is harmless")), http.StatusOK, "ok\na fault that is harmless\n"},
		{errors.New("a fault"), http.StatusServiceUnavailable, "a fault\n"},
	} {
		r := httptest.NewRecorder()
		probeHandler(func() error { return c.err })(r, httptest.NewRequest(http.MethodGet, "/readyz", nil))
		if r.Code != c.status || r.Body.String() != c.body {
			t.Errorf("%v answers %d %q, want %d %q", c.err, r.Code, r.Body, c.status, c.body)
		}
	}
}
