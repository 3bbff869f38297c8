package firehose

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"

	"kafka-firehose/connector/batch"
	"kafka-firehose/connector/firehose/firehosetest"
	"kafka-firehose/connector/firehose/limiter"
	"kafka-firehose/connector/logging/logtest"
	"kafka-firehose/connector/offset"
	"kafka-firehose/metrics"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a Stream in front of an emulated Firehose, in virtual time.
type world struct {
	t      *testing.T
	svc    *firehosetest.Service
	stream *Stream
	lease  *offset.Lease

	batches chan *batch.Batch // to the stream
	failed  chan error        // from it
	build   *batch.Builder
	next    int64 // offset of the next record
	log     logBuffer
	reg     *prometheus.Registry

	proxy    atomic.Pointer[func(records [][]byte) bool] // answers 413 if true
	refusals []Refusal
	proxied  atomic.Int64
	mu       sync.Mutex
	wg       sync.WaitGroup
}

func settings() Config {
	return Config{Stream: "orders", BatchMaxRecords: 500, BatchMaxBytes: 4_000_000, MaxInFlight: 16, RequestTimeout: 10 * time.Second}
}

// virtual runs f in a bubble in which an hour takes no time.
func virtual(t *testing.T, o firehosetest.Options, cfg Config, f func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		if o.Streams == nil {
			o.Streams = []firehosetest.Stream{{Name: "orders"}}
		}
		f(newWorld(t, firehosetest.New(o), cfg))
	})
}

func newWorld(t *testing.T, svc *firehosetest.Service, cfg Config, opts ...func(*firehose.Options)) *world {
	t.Helper()
	w := &world{t: t, svc: svc, lease: offset.NewLease("orders", 3), reg: prometheus.NewPedanticRegistry()}
	client, err := newClient(t.Context(), cfg, cfg.accessOf(""), slog.New(slog.NewTextHandler(&w.log, nil)), append([]func(*firehose.Options){func(o *firehose.Options) {
		o.Region, o.HTTPClient = "us-east-1", w
		o.Credentials = credentials.NewStaticCredentialsProvider("AKID", "secret", "")
	}}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	w.use(client, cfg)
	return w
}

func (w *world) use(api API, cfg Config) {
	w.stream = NewStream("orders", api, cfg,
		WithLogger(slog.New(slog.NewTextHandler(&w.log, nil))),
		WithMetrics(metrics.New(w.reg).Firehose),
		OnRefused(func(_ context.Context, r Refusal) error {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.refusals = append(w.refusals, r)
			return nil
		}))
	w.batches, w.failed = make(chan *batch.Batch), make(chan error, 1)
	ctx, cancel := context.WithCancel(context.WithoutCancel(w.t.Context()))
	w.t.Cleanup(func() { cancel(); <-w.stream.Ended() })
	go w.stream.Run(ctx, w.batches, func(err error) { w.failed <- err })
	w.build = batch.NewBuilder(batch.Limits{Records: 500, Bytes: 8 << 20, Linger: time.Second}, batch.Aggregation{Values: 1})
}

// Do is the wire: a proxy, perhaps, and the service.
func (w *world) Do(r *http.Request) (*http.Response, error) {
	proxy := w.proxy.Load()
	if proxy == nil {
		return w.svc.Do(r)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	var in struct{ Records []struct{ Data []byte } }
	if err := json.Unmarshal(body, &in); err != nil {
		return nil, err
	}
	var records [][]byte
	for _, record := range in.Records {
		records = append(records, record.Data)
	}
	w.proxied.Add(1)
	if (*proxy)(records) {
		return &http.Response{
			StatusCode: http.StatusRequestEntityTooLarge, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
			Header: http.Header{"Content-Type": {"text/html"}}, Body: io.NopCloser(strings.NewReader("<html>413</html>")), Request: r,
		}, nil
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	return w.svc.Do(r)
}

// batch is n records of the given size; each starts with its offset.
func (w *world) batch(n, size int) *batch.Batch { return w.of(w.lease, n, size) }

func (w *world) of(lease *offset.Lease, n, size int) *batch.Batch {
	for range n {
		data := fmt.Appendf(nil, "%08d ", w.next)
		if size > len(data) {
			data = append(data, bytes.Repeat([]byte("x"), size-len(data))...)
		}
		lease.RegisterRecords(w.next, w.next, 1)
		if full := w.build.AddRecord(time.Now(), lease, offset.MarkAfter(w.next, 0), time.Now(), append(w.build.AppendBuffer(), data...)); full != nil {
			if n != 500 && size < 4000 {
				w.t.Fatal("batch is full")
			}
			w.next++
			return full
		}
		w.next++
	}
	return w.build.SealBatch()
}

// watch calls done when all of a batch is settled.
func watch(b *batch.Batch, done func()) {
	b.OnRelease(func(int64) {
		if b.HeldBytes() == 0 {
			done()
		}
	})
}

// send hands over a batch and waits until it is settled, or the stream gives it up, or ctx ends.
func (w *world) send(ctx context.Context, b *batch.Batch) error {
	settled := make(chan struct{})
	watch(b, func() { close(settled) })
	select {
	case w.batches <- b:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-settled:
		w.published()
		return nil
	case err := <-w.failed:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// published waits until the stream has published the state after what it has handled so far.
func (w *world) published() {
	handled := make(chan struct{})
	w.stream.changeSender(func(*sender) { close(handled) })
	select {
	case <-handled:
	case <-w.stream.Ended():
	}
}

// deliver sends a batch to its end.
func (w *world) deliver(b *batch.Batch) error { return w.send(w.t.Context(), b) }

func (w *world) mustDeliver(b *batch.Batch) {
	w.t.Helper()
	if err := w.deliver(b); err != nil {
		w.t.Fatal(err)
	}
}

// start delivers batches in the background. It stops to wait for them when ctx ends.
func (w *world) start(ctx context.Context, batches ...*batch.Batch) {
	for _, b := range batches {
		w.wg.Go(func() { _ = w.send(ctx, b) })
	}
}

// pump sends an endless backlog of records of a size, like a pipeline that lags,
// until ctx ends.
func (w *world) pump(ctx context.Context, size int) {
	room := make(chan struct{}, 100)
	w.wg.Go(func() {
		for {
			select {
			case room <- struct{}{}:
			case <-ctx.Done():
				return
			}
			records, most := w.stream.BatchLimits()
			b := w.batch(max(1, min(records, most/size)), size)
			watch(b, func() { <-room })
			select {
			case w.batches <- b:
			case <-ctx.Done():
				return
			}
		}
	})
}

// limiter is the state of the stream's limiter.
func (w *world) limiter() limiter.State {
	state := make(chan limiter.State, 1)
	w.stream.changeSender(func(l *sender) { state <- l.limiter.Snapshot() })
	return <-state
}

// warm sends until requests may have the full size.
func (w *world) warm() {
	w.t.Helper()
	for range 10_000 {
		records, bytes := w.stream.BatchLimits()
		if bytes >= int(w.stream.cfg.BatchMaxBytes) {
			return
		}
		w.mustDeliver(w.batch(max(1, min(records, bytes/99_000)), 99_000))
	}
	w.t.Fatal("requests don't grow")
}

// copies counts how often each record was stored.
func (w *world) copies() map[string]int {
	n := map[string]int{}
	for _, r := range w.svc.Stored("orders") {
		n[string(r.Data[:min(8, len(r.Data))])]++
	}
	return n
}

// wantOnce checks that n records are stored, each once.
func (w *world) wantOnce(n int) {
	w.t.Helper()
	copies := w.copies()
	if len(copies) != n {
		w.t.Errorf("%d records are stored, want %d", len(copies), n)
	}
	for id, c := range copies {
		if c != 1 {
			w.t.Errorf("record %s is stored %d times", id, c)
		}
	}
}

// wantMark checks what may be committed.
func (w *world) wantMark(want int64) {
	w.t.Helper()
	m, ok := w.lease.CommitMark()
	if !ok {
		m.Offset = 0
	}
	if m.Offset != want {
		w.t.Errorf("mark is %d, want %d", m.Offset, want)
	}
}

func (w *world) requests() int { return max(len(w.svc.Requests()), int(w.proxied.Load())) }

// metric is the value of a counter or gauge of the stream.
func (w *world) metric(name string, labels ...string) float64 {
	w.t.Helper()
	all, err := w.reg.Gather()
	if err != nil {
		w.t.Fatal(err)
	}
	for _, family := range all {
		if family.GetName() != "kafka_firehose_"+name {
			continue
		}
	series:
		for _, m := range family.GetMetric() {
			for _, want := range labels {
				found := false
				for _, l := range m.GetLabel() {
					found = found || l.GetValue() == want
				}
				if !found {
					continue series
				}
			}
			return m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	w.t.Fatalf("no metric %s %v", name, labels)
	return 0
}

func (w *world) wantMetric(want float64, name string, labels ...string) {
	w.t.Helper()
	if got := w.metric(name, labels...); got != want {
		w.t.Errorf("%s %v is %v, want %v", name, labels, got, want)
	}
}

type logBuffer struct{ logtest.Buffer }

func (b *logBuffer) count(s string) int { return strings.Count(b.String(), s) }

func TestMetricsLint(t *testing.T) {
	virtual(t, firehosetest.Options{}, settings(), func(w *world) {
		w.mustDeliver(w.batch(3, 100))
		problems, err := testutil.GatherAndLint(w.reg)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range problems {
			if strings.HasPrefix(p.Metric, "kafka_firehose_") {
				t.Errorf("%s: %s", p.Metric, p.Text)
			}
		}
		w.wantMetric(3, "records_accepted_total")
		w.wantMetric(300, "bytes_accepted_total")
		w.wantMetric(3*5120, "billed_bytes_total")
		w.wantMetric(3, "kafka_records_accepted_total")
		w.wantMetric(1, "requests_total", "accepted")
		w.wantMetric(0, "requests_total", "blocked")
		w.wantMetric(0, "requests_in_flight")
	})
}

// measuresThroughput leaves a test out of a -short run. Such tests simulate
// minutes of traffic to measure a rate, which the race detector makes ten times
// as long and no more telling.
func measuresThroughput(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("measures throughput; the run without the race detector has it")
	}
}
