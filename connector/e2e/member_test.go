package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsfirehose "github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/connector"
	"kafka-firehose/metrics"
)

// member is one running connector.
type member struct {
	w         *world
	connector *connector.Connector
	registry  *prometheus.Registry
	kafka     *wire
	firehose  *httpWire
	cancel    context.CancelFunc
	done      chan error
	ended     chan struct{} // closed after done has its error
}

// start runs a connector whose configuration change has adapted.
func (w *world) start(change ...func(*connector.Config)) *member {
	w.t.Helper()
	cfg := w.config()
	for _, c := range change {
		c(&cfg)
	}
	m := &member{w: w, registry: prometheus.NewRegistry(), kafka: &wire{w: w, dials: w.dial}, firehose: &httpWire{w: w}, done: make(chan error, 1), ended: make(chan struct{})}
	if w.through != nil {
		m.kafka.dials = w.through
	}
	client := []kgo.Opt{kgo.MetadataMinAge(10 * time.Millisecond), kgo.WithHooks(w.hooks...)}
	if w.records != nil {
		client = append(client, kgo.WithPools(w.records))
	}
	var err error
	m.connector, err = connector.New(context.Background(), cfg, connector.Options{
		Log:           slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: &w.level})),
		Metrics:       metrics.New(m.registry),
		KafkaDial:     m.kafka.dial,
		Kafka:         client,
		Firehose:      []func(*awsfirehose.Options){m.firehose.client},
		BeforeLookup:  w.before,
		BeforeCompile: w.compiles,
		Registry:      w.registry,
		Glue:          w.glue,
		CloudWatch:    w.watched,
		S3:            w.s3,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	var ctx context.Context
	ctx, m.cancel = context.WithCancel(context.Background())
	go func() {
		defer close(m.ended)
		m.done <- m.connector.Run(ctx)
	}()
	w.members = append(w.members, m)
	return m
}

// httpWire is a member's way to Firehose.
type httpWire struct {
	w    *world
	down atomic.Bool

	mu     sync.Mutex
	noting bool
	values []int // that passed since sent was first called, as numbers
}

// Do implements aws.HTTPClient.
func (h *httpWire) Do(r *http.Request) (*http.Response, error) {
	if h.down.Load() {
		return nil, net.ErrClosed
	}
	h.mu.Lock()
	noting := h.noting
	h.mu.Unlock()
	if noting {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		_ = r.Body.Close()
		r.Body = io.NopCloser(bytes.NewReader(body))
		h.note(body)
	}
	return h.w.firehose().Do(r)
}

func (h *httpWire) note(body []byte) {
	var put struct{ Records []struct{ Data []byte } }
	if json.Unmarshal(body, &put) != nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, r := range put.Records {
		if v, err := strconv.Atoi(strings.TrimSpace(string(r.Data))); err == nil {
			h.values = append(h.values, v)
		}
	}
}

// sent returns the values that were sent since it was last called, accepted or
// not. The first call begins to take notes.
func (h *httpWire) sent() (values []int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	values, h.values, h.noting = h.values, nil, true
	return values
}

// client points the SDK at the emulated Firehose, without a socket.
func (h *httpWire) client(o *awsfirehose.Options) {
	o.Region = "us-east-1"
	o.HTTPClient = h
	o.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		if h.w.noKeys.Load() {
			return aws.Credentials{}, errors.New("no role is here")
		}
		return aws.Credentials{AccessKeyID: accessKey, SecretAccessKey: secretKey}, nil
	})
}

// stop asks for a drain and waits for its end.
func (m *member) stop() error {
	m.cancel()
	return <-m.done
}

// kill is kill -9, as seen from outside: from one moment to the next the process
// sends nothing any more, neither to Kafka nor to Firehose.
func (m *member) kill() {
	m.kafka.cut()
	m.firehose.down.Store(true)
	m.cancel()
}

// mustStop fails the test unless the drain was clean.
func (m *member) mustStop() {
	m.w.t.Helper()
	if err := m.stop(); err != nil {
		m.w.t.Fatalf("the drain was not clean: %v\n%s", err, m.w.log.tail())
	}
}

// mustStopWithin stops the member, which may take so long.
func (m *member) mustStopWithin(most time.Duration) {
	m.w.t.Helper()
	begin := time.Now()
	m.mustStop()
	if took := time.Since(begin); took > most {
		m.w.t.Errorf("a stop took %v, want %v at most", took, most)
	}
}

// owns is how many partitions a member has.
func (m *member) owns() int { return int(m.metric("kafka_assigned_partitions")) }

// untilShared waits until the members have so many partitions each.
func (w *world) untilShared(partitions int, members ...*member) {
	w.t.Helper()
	var owned []int
	if !came(patience, func() bool {
		owned = nil
		for _, m := range members {
			owned = append(owned, m.owns())
		}
		return !slices.ContainsFunc(owned, func(n int) bool { return n != partitions })
	}) {
		w.t.Fatalf("after %v the members own %v partitions, want %d each\n%s", patience, owned, partitions, w.log.tail())
	}
}

// untilNoLag waits until the member has found out that it is not behind.
func (m *member) untilNoLag() {
	m.w.t.Helper()
	m.w.until("the lag is known and 0", patience, func() bool {
		sum, series := m.series("kafka_lag_records")
		return series > 0 && sum == 0
	})
}

// metric is the sum of a metric over its labels.
func (m *member) metric(name string, labels ...string) float64 {
	m.w.t.Helper()
	sum, _ := m.series(name, labels...)
	return sum
}

// series is that and how many series there are.
func (m *member) series(name string, labels ...string) (sum float64, n int) {
	m.w.t.Helper()
	for _, s := range m.gather(name) {
		text := s.String()
		if slices.ContainsFunc(labels, func(l string) bool { return !strings.Contains(text, l) }) {
			continue
		}
		sum += s.GetCounter().GetValue() + s.GetGauge().GetValue()
		n++
	}
	return sum, n
}

// gather is every series of a metric.
func (m *member) gather(name string) (series []*dto.Metric) {
	m.w.t.Helper()
	families, err := m.registry.Gather()
	if err != nil {
		m.w.t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "kafka_firehose_"+name {
			series = append(series, f.GetMetric()...)
		}
	}
	return series
}
