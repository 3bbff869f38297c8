package metrics

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

// TestLint runs Prometheus's own linter over every collector, and checks that
// counters are there before anything happened.
func TestLint(t *testing.T) {
	r := prometheus.NewPedanticRegistry()
	m := New(r)
	m.Pipeline.WatchBuffered(1, func() int64 { return 0 }, func() float64 { return 0 })
	m.Firehose.ForStream("s")
	m.DeadLetter.ExpectTopic("t")
	m.Kafka.Records.WithLabelValues("t").Inc()
	m.Kafka.SetLag("t", 1, 2)
	m.Kafka.ExpectTopic("u")
	problems, err := testutil.GatherAndLint(r)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	for _, name := range []string{"kafka_firehose_kafka_commits_total", "kafka_firehose_records_skipped_total", "kafka_firehose_kafka_fetch_errors_total", "kafka_firehose_dead_letters_total", "kafka_firehose_dead_letter_produce_errors_total"} {
		if n, err := testutil.GatherAndCount(r, name); err != nil || n == 0 {
			t.Errorf("%s has %d series before anything happened (%v)", name, n, err)
		}
	}
}

// TestForget: a partition that left must not go on reporting its last lag.
func TestForget(t *testing.T) {
	r := prometheus.NewRegistry()
	m := New(r).Kafka
	for p := range int32(2) {
		m.SetLag("t", p, 10)
		m.SetCommitted("t", p, 10)
		m.SetUncommitted("t", p, 10)
		m.SetHeadroom("t", p, 10)
		m.SetOpenTransaction("t", p, 10)
	}
	m.ForgetPartition("t", 0)
	for _, name := range []string{"lag_records", "committed_offset", "uncommitted_records", "retention_headroom_records", "open_transaction_records"} {
		if n, err := testutil.GatherAndCount(r, "kafka_firehose_kafka_"+name); err != nil || n != 1 {
			t.Errorf("%s has %d series (%v), want the one of the partition that stayed", name, n, err)
		}
	}
}

// TestNativeHistograms: all are native beside their buckets when that is asked for, and
// none otherwise.
func TestNativeHistograms(t *testing.T) {
	for _, native := range []bool{false, true} {
		r := prometheus.NewRegistry()
		m := New(r, NativeHistograms(native))
		m.Firehose.ForStream("s").Duration.Observe(0.2)
		m.Kafka.ExpectTopic("t")
		histograms := 0
		for _, f := range gather(t, r) {
			for _, series := range f.GetMetric() {
				h := series.GetHistogram()
				if h == nil {
					continue
				}
				histograms++
				if got := h.Schema != nil; got != native {
					t.Errorf("asked for native histograms: %v; %s is one: %v", native, f.GetName(), got)
				}
				if len(h.GetBucket()) < 8 {
					t.Errorf("asked for native histograms: %v; %s has %d buckets, want all of its own", native, f.GetName(), len(h.GetBucket()))
				}
			}
		}
		if histograms < 5 {
			t.Errorf("only %d histograms were looked at; there are more", histograms)
		}
	}
}

func TestServer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	live := func() error { return nil }
	ready := func() error { return errors.New("stream s: blocked") }
	go func() {
		done <- Serve(ctx, l, Handler(NewRegistry("v1", "abc123"), live, ready), slog.New(slog.DiscardHandler))
	}()

	f := func(path string, status int, has string) {
		t.Helper()
		resp, err := http.Get("http://" + l.Addr().String() + path)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(resp.Body)
		if resp.StatusCode != status || !strings.Contains(string(body), has) {
			t.Errorf("%s: %d %.200s; want %d with %q", path, resp.StatusCode, body, status, has)
		}
	}
	f("/livez", 200, "ok")
	f("/readyz", 503, "stream s: blocked")
	f("/metrics", 200, `,revision="abc123",version="v1"} 1`)
	f("/", 404, "")
	cancel()
	if err := <-done; err != nil {
		t.Errorf("ended with %v", err)
	}
}
