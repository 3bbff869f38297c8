package main

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awsfirehose "github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/prometheus/client_golang/prometheus"

	"kafka-firehose/connector"
	"kafka-firehose/connector/firehose"
	"kafka-firehose/connector/status"
	"kafka-firehose/metrics"
)

// bridge runs the connector, one after the other if need be: a restart is a new one, with metrics
// that begin at 0, as it is with a process.
type bridge struct {
	cfg     connector.Config
	log     *slog.Logger
	address string                  // of the emulated Firehose
	current atomic.Pointer[running] // the newest, perhaps stopped; nil before the first
	earlier map[string]int64        // counters of those before it
}

// running is one connector.
type running struct {
	*connector.Connector
	registry *prometheus.Registry
	handler  http.Handler
	cancel   context.CancelFunc
	done     chan struct{} // closed when err is set
	err      error
}

// The counters that are shown, by their names in /metrics.
const (
	retriedTotal   = "kafka_firehose_records_retried_total"
	ambiguousTotal = "kafka_firehose_records_ambiguous_total"
)

func newBridge(b *broker, e *emulator, o options, log *slog.Logger) (*bridge, error) {
	cfg := connector.DefaultConfig()
	cfg.Kafka.Brokers, cfg.Kafka.Topics, cfg.Kafka.GroupID = []string{b.addr}, []string{topic}, group
	cfg.Firehose.Stream = stream
	cfg.Record.Aggregate = o.aggregate
	cfg.BadRecordPolicy = "skip" // an oversized line should be seen in the proof, not end the show
	// It is stopped when all is committed, or when waiting longer is of no use.
	cfg.ShutdownTimeout = 5 * time.Second
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("the connector's configuration: %w", err)
	}
	return &bridge{cfg: cfg, log: log, address: "http://" + e.addr, earlier: map[string]int64{}}, nil
}

// endpoint makes the AWS client talk to the emulator, whatever the machine is set up for.
func (b *bridge) endpoint(o *awsfirehose.Options) {
	o.Region = region
	o.BaseEndpoint = aws.String(b.address)
	o.Credentials = credentials.NewStaticCredentialsProvider(key, key, "")
}

func (b *bridge) start(ctx context.Context) (*running, error) {
	registry := metrics.NewRegistry(programName)
	c, err := connector.New(ctx, b.cfg, connector.Options{Log: b.log, Metrics: metrics.New(registry), Firehose: []firehose.ClientOption{b.endpoint}})
	if err != nil {
		return nil, fmt.Errorf("start the connector: %w", err)
	}
	r := &running{Connector: c, registry: registry, done: make(chan struct{})}
	r.handler = status.PageHandler(c.Status, metrics.Handler(registry, c.Live, c.Ready))
	ctx, r.cancel = context.WithCancel(ctx)
	go func() {
		defer close(r.done)
		r.err = c.Run(ctx)
	}()
	b.earlier = b.counters()
	b.current.Store(r)
	return r, nil
}

// stop drains the connector. Its error is what the connector ended with.
func (r *running) stop() error {
	r.cancel()
	<-r.done
	if r.err != nil {
		return fmt.Errorf("the connector: %w", r.err)
	}
	return nil
}

// ServeHTTP answers for the connector that runs now.
func (b *bridge) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if c := b.current.Load(); c != nil {
		c.handler.ServeHTTP(w, r)
		return
	}
	http.Error(w, "starting", http.StatusServiceUnavailable)
}

// counters are the sums over all labels and all connectors that ran here, as a Prometheus would see
// them.
func (b *bridge) counters() map[string]int64 {
	sums := maps.Clone(b.earlier)
	c := b.current.Load()
	if c == nil {
		return sums
	}
	families, err := c.registry.Gather()
	if err != nil {
		return sums
	}
	for _, f := range families {
		if name := f.GetName(); name == retriedTotal || name == ambiguousTotal {
			for _, m := range f.GetMetric() {
				sums[name] += int64(m.GetCounter().GetValue())
			}
		}
	}
	return sums
}
