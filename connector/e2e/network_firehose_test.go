package e2e_test

import (
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/connector/longtest"
	"kafka-firehose/connector/proxytest"
)

// via puts a network that can be disturbed in front of the host's Firehose.
func (h *host) via(upstream string) *proxytest.Proxy {
	h.t.Helper()
	p, err := proxytest.New(upstream)
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(p.Close)
	return p
}

// patient is a group that a busy machine does not throw out, so that what comes
// twice has come over the network to Firehose, and a timeout that fits a test.
var patient = []string{"KAFKA_SESSION_TIMEOUT=10s", "KAFKA_REBALANCE_TIMEOUT=10s", "FIREHOSE_REQUEST_TIMEOUT=1s"}

// metric is the sum of a metric of the process over those of its series that have
// all the labels, each written as name="value".
func (c *child) metric(t *testing.T, name string, labels ...string) (sum float64) {
	t.Helper()
	_, text := c.probe(t, "/metrics")
series:
	for line := range strings.Lines(text) {
		rest, ok := strings.CutPrefix(line, name)
		if !ok || rest[0] != '{' && rest[0] != ' ' {
			continue
		}
		for _, label := range labels {
			if !strings.Contains(rest, label) {
				continue series
			}
		}
		v, err := strconv.ParseFloat(strings.TrimSpace(rest[strings.LastIndexByte(rest, ' '):]), 64)
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		sum += v
	}
	return sum
}

const ambiguousTotal, requestsTotal = "kafka_firehose_records_ambiguous_total", "kafka_firehose_requests_total"

// TestNetworkToFirehose sends a steady flow through a network that goes wrong in
// one way after the other. Each time the flow resumes by itself, nothing is lost,
// and no more comes twice than was counted as ambiguous. While nothing gets through
// there are only probes.
func TestNetworkToFirehose(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	network := h.via(strings.TrimPrefix(h.url, "http://"))
	p := h.start(append(patient, "AWS_ENDPOINT_URL_FIREHOSE=http://"+network.Addr())...)
	h.produce(100)
	h.delivered(30 * time.Second)
	// What is cut is cut so soon that not even a single record gets through: smaller
	// requests would be the way out.
	type disturbance struct {
		name  string
		begin func()
		end   func() error
		harm  bool // requests fail
		once  bool // nothing comes twice: nothing was stored, or every answer came
	}
	all := []disturbance{
		{name: "latency", begin: func() { network.Add(proxytest.Latency(300*time.Millisecond, 100*time.Millisecond)) }, once: true},
		{name: "little bandwidth", begin: func() { network.Add(proxytest.Bandwidth(256 << 10)) }, once: true},
		{name: "slow close", begin: func() { network.Add(proxytest.SlowClose(500 * time.Millisecond)) }, once: true},
		{name: "connections cut", begin: func() {
			before := p.metric(t, ambiguousTotal)
			h.until(p, "a cut hits a request", func() bool {
				h.produce(20)
				network.Cut()
				return p.metric(t, ambiguousTotal) > before
			})
		}},
		{name: "connections reset", begin: func() { network.Add(proxytest.Reset()) }, harm: true, once: true},
		{name: "cut in the middle of a request", begin: func() { network.Add(proxytest.CutRequests(300)) }, harm: true, once: true},
		{name: "cut in the middle of an answer", begin: func() { network.Add(proxytest.CutAnswers(400)) }, harm: true},
		{name: "half-open", begin: func() { network.Add(proxytest.Silence()) }, harm: true},
		{name: "answers lost", begin: func() { network.Add(proxytest.LostAnswers()) }, harm: true},
		{name: "partition", begin: network.Down, end: network.Up, harm: true},
	}
	for _, trouble := range longtest.Pick(all[len(all)-1:], all) {
		_, copies := h.judge.count(h.produced)
		doubtful, failed := p.metric(t, ambiguousTotal), p.metric(t, requestsTotal)-p.metric(t, requestsTotal, `outcome="accepted"`)
		trouble.begin()
		if trouble.harm {
			h.produce(200)
			h.until(p, trouble.name+" opens the breaker", func() bool {
				h.produce(5)
				return p.metric(t, "kafka_firehose_breaker_open") == 1
			})
			before, since := p.metric(t, requestsTotal), time.Now()
			<-time.After(time.Second)
			if n, took := p.metric(t, requestsTotal)-before, time.Since(since); n > 15*took.Seconds() {
				t.Errorf("%s: %v requests in %v while nothing gets through", trouble.name, n, took)
			}
		} else {
			stored := h.stream.Stats().Streams["s"].Records
			h.until(p, "records arrive in spite of "+trouble.name, func() bool {
				h.produce(50)
				return h.stream.Stats().Streams["s"].Records > stored+2000
			})
		}
		network.Heal()
		if trouble.end != nil {
			if err := trouble.end(); err != nil {
				t.Fatal(err)
			}
		}
		h.produce(100)
		h.delivered(30 * time.Second)
		_, after := h.judge.count(h.produced)
		again, counted := after-copies, p.metric(t, ambiguousTotal)-doubtful
		t.Logf("%-32s %4d came twice, %5.0f counted as ambiguous, %3.0f requests failed", trouble.name, again, counted,
			p.metric(t, requestsTotal)-p.metric(t, requestsTotal, `outcome="accepted"`)-failed)
		if float64(again) > counted || trouble.once && again > 0 {
			t.Errorf("%s: %d came twice, %v are counted as ambiguous", trouble.name, again, counted)
		}
		if trouble.harm && counted == 0 && trouble.end == nil {
			t.Errorf("%s: nothing is counted as ambiguous, though nobody knew what was stored", trouble.name)
		}
	}
	if resident := p.metric(t, "process_resident_memory_bytes"); resident > 200<<20 {
		t.Errorf("the process takes %.0f MiB", resident/(1<<20))
	}
	h.drain(p)
	if lost, _ := h.judge.count(h.produced); lost > 0 {
		t.Errorf("%d of %d records are lost", lost, h.produced)
	}
	h.judge.verdict(t)
}

// TestPartitionBoundsMemory: a network partition while more waits in Kafka than
// memory has room for. Lag grows and nothing else.
func TestPartitionBoundsMemory(t *testing.T) {
	longtest.Require(t)
	t.Parallel()
	h := newHost(t)
	network := h.via(strings.TrimPrefix(h.url, "http://"))
	const bound, pad = 32 << 20, 100_000
	p := h.start(append(patient, "AWS_ENDPOINT_URL_FIREHOSE=http://"+network.Addr(), fmt.Sprintf("MAX_BUFFERED_BYTES=%d", bound))...)
	h.produce(100)
	h.until(p, "it delivers", func() bool { return h.stream.Stats().Streams["s"].Records == h.produced })
	network.Down()
	for range 800 { // 80 MB
		value := fmt.Sprintf("%d%s", h.produced, strings.Repeat(" ", pad))
		h.judge.alias(value, strconv.Itoa(h.produced))
		h.producer.Produce(t.Context(), &kgo.Record{Topic: "in", Partition: int32(h.produced % 4), Value: []byte(value)}, func(r *kgo.Record, err error) {
			if err != nil {
				t.Errorf("produce: %v", err)
				return
			}
			h.judge.produced(r)
		})
		h.produced++
	}
	if err := h.producer.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	var held float64
	h.until(p, "its memory is as full as it gets", func() bool {
		now := p.metric(t, "kafka_firehose_buffered_bytes")
		still := now == held && now > bound/4 // a bound is not a target: with less room left than a fetch may need, none is made
		held = now
		if still {
			<-time.After(time.Second)
			return p.metric(t, "kafka_firehose_buffered_bytes") == held
		}
		<-time.After(100 * time.Millisecond)
		return false
	})
	resident := p.metric(t, "process_resident_memory_bytes")
	t.Logf("%.1f MiB held of 32, %.0f MiB resident", held/(1<<20), resident/(1<<20))
	if held > bound {
		t.Errorf("%.0f bytes are held, MAX_BUFFERED_BYTES is %d", held, bound)
	}
	if resident > bound+100<<20 { // "takes up to 64 MiB beside it", and what the allocator keeps
		t.Errorf("%.0f MiB resident", resident/(1<<20))
	}
	if err := network.Up(); err != nil {
		t.Fatal(err)
	}
	h.delivered(time.Minute)
	doubtful := p.metric(t, ambiguousTotal)
	h.drain(p)
	if lost, copies := h.judge.count(h.produced); lost > 0 || float64(copies) > doubtful {
		t.Errorf("of %d records %d are lost and %d came twice, %v of them ambiguous", h.produced, lost, copies, doubtful)
	}
	h.judge.verdict(t)
}

// tunnel is a proxy as HTTPS_PROXY names it. All it reaches is one server, whatever
// it is asked for.
type tunnel struct {
	to      string
	asked   atomic.Int32
	refuses atomic.Bool
}

func (p *tunnel) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.asked.Add(1)
	if r.Method != http.MethodConnect || r.Host != "example.com:443" || p.refuses.Load() {
		w.WriteHeader(http.StatusForbidden)
		return
	}
	server, err := net.Dial("tcp", p.to)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	defer server.Close()
	client, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer client.Close()
	_, _ = io.WriteString(client, "HTTP/1.1 200 Connection established\r\n\r\n")
	go func() {
		_, _ = io.Copy(server, client)
		_ = server.Close()
	}()
	_, _ = io.Copy(client, server)
}

// TestTLSThroughAProxy: the process trusts what AWS_CA_BUNDLE holds, goes where
// HTTPS_PROXY says, and lives through both of them being wrong for a while.
func TestTLSThroughAProxy(t *testing.T) {
	longtest.Require(t)
	t.Parallel()
	h := newHost(t)
	server := httptest.NewUnstartedServer(h.stream)
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	server.StartTLS() // its certificate is for example.com
	t.Cleanup(server.Close)
	network := h.via(server.Listener.Addr().String())
	way := &tunnel{to: network.Addr()}
	proxy := httptest.NewServer(way)
	t.Cleanup(proxy.CloseClientConnections)
	t.Cleanup(proxy.Close)
	bundle := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(bundle, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	env := slices.Concat(patient, []string{"AWS_ENDPOINT_URL_FIREHOSE=https://example.com", "HTTPS_PROXY=" + proxy.URL, "NO_PROXY="})
	stored := func() int { return h.stream.Stats().Streams["s"].Records }

	// Without the bundle: blocked, in one line that names the host and says why.
	h.produce(100)
	p := h.start(append(env, "SHUTDOWN_TIMEOUT=4s")...)
	h.until(p, "it is blocked", func() bool { return len(p.lines(`"level":"ERROR"`)) > 0 })
	if lines := p.lines(`"level":"ERROR"`, `"code":"tls"`, "https://example.com", "unknown authority"); len(lines) != 1 || stored() > 0 {
		t.Errorf("%d lines name the trouble, %d records stored\n%s", len(lines), stored(), p.log.String())
	}
	_ = p.Process.Signal(syscall.SIGTERM)
	_ = p.Wait()

	p = h.start(append(env, "AWS_CA_BUNDLE="+bundle)...)
	h.delivered(time.Minute)
	for _, trouble := range []struct {
		name  string
		begin func()
	}{
		{"reset", func() { network.Add(proxytest.Reset()) }},
		{"cut in the handshake", func() { network.Add(proxytest.CutAnswers(1000)) }},
		{"refusal of the proxy", func() { way.refuses.Store(true); network.Cut() }},
	} {
		failed := p.metric(t, requestsTotal) - p.metric(t, requestsTotal, `outcome="accepted"`)
		trouble.begin()
		h.until(p, trouble.name+" makes a request fail", func() bool {
			h.produce(5)
			return p.metric(t, requestsTotal)-p.metric(t, requestsTotal, `outcome="accepted"`) > failed
		})
		network.Heal()
		way.refuses.Store(false)
		h.delivered(time.Minute)
	}
	doubtful := p.metric(t, ambiguousTotal)
	h.drain(p)
	if way.asked.Load() == 0 {
		t.Error("the proxy was not asked")
	}
	if lost, copies := h.judge.count(h.produced); lost > 0 || float64(copies) > doubtful {
		t.Errorf("of %d records %d are lost and %d came twice, %v are counted as ambiguous", h.produced, lost, copies, doubtful)
	}
	h.judge.verdict(t)
}
