package firehose

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/firehose/types"
	"github.com/prometheus/client_golang/prometheus"

	"kafka-firehose/connector/batch"
	"kafka-firehose/connector/firehose/limiter"
	"kafka-firehose/connector/firehose/putbatch"
	"kafka-firehose/connector/offset"
	"kafka-firehose/connector/pool"
	"kafka-firehose/metrics"
)

// API is the part of [Client] that a Stream uses.
type API interface {
	putbatch.API
	// InvalidateCredentials makes the next call fetch new credentials.
	InvalidateCredentials()
}

// Refusal is a record that Firehose will never take.
type Refusal struct {
	Topic     string // of the first Kafka record in it
	Partition int32
	Offset    int64
	Leases    []*offset.Lease // of all the Kafka records in it
	Size      int             // bytes of data, delimiter included
	Values    int             // Kafka records in it, more than one with aggregation
	Code      string          // the service's error code
	Message   string          // and its message, shortened
	Data      []byte          // valid until OnRefused returns; never log it
}

// Error names the refused record and the reason, without the data.
func (r Refusal) Error() string {
	return fmt.Sprintf("the record at %s[%d]@%d with %d bytes was refused: %s: %s", r.Topic, r.Partition, r.Offset, r.Size, r.Code, r.Message)
}

// Stream delivers batches to one delivery stream. All batches of a stream share
// its pace, its breaker and its requests in flight, so whatever one of them
// learns about the service holds for all.
//
// All methods are safe for concurrent use. Run owns the state (see sender); the others send it
// changes, and read the snapshot that it publishes.
type Stream struct {
	name      string
	cfg       Config
	log       *slog.Logger
	metrics   *metrics.FirehoseStream
	onRefused func(context.Context, Refusal) error
	account   billAccount
	api       API
	calls     putbatch.Caller
	changes   chan func(*sender)
	ended     chan struct{} // closed when Run has returned
	sender    *sender       // Run's alone
	published atomic.Pointer[snapshot]
}

// snapshot is the state of a sender at some time.
type snapshot struct {
	state      State
	maxRequest limiter.Load
}

// Option changes how a Stream is made.
type Option func(*Stream)

// WithLogger sets the log for changes of state; default none.
func WithLogger(log *slog.Logger) Option {
	return func(s *Stream) { s.log = log.With("stream", s.name) }
}

// WithMetrics sets the metrics; default none.
func WithMetrics(m *metrics.Firehose) Option {
	return func(s *Stream) { s.metrics = m.ForStream(s.name) }
}

// WithPool sets where the buffers for requests come from; default nowhere.
func WithPool(p *pool.Pool[byte]) Option {
	return func(s *Stream) { s.calls.Pool = p }
}

// OnRefused sets the handling of a record that can't be delivered. After nil it
// is settled, as skipped or dead-lettered; after an error, which is the default, it stays
// undelivered, its partition is not committed any more, and Run reports the error. f may block
// until its context ends, and may be called concurrently.
func OnRefused(f func(context.Context, Refusal) error) Option {
	return func(s *Stream) { s.onRefused = f }
}

// NewStream returns a Stream that writes to the delivery stream of that name.
func NewStream(name string, api API, cfg Config, opts ...Option) *Stream {
	s := &Stream{
		name: name, api: api, cfg: cfg,
		log:       slog.New(slog.DiscardHandler),
		onRefused: func(_ context.Context, r Refusal) error { return r },
		calls:     putbatch.Caller{API: api, Stream: name, MaxRecords: cfg.BatchMaxRecords},
		changes:   make(chan func(*sender), 16),
		ended:     make(chan struct{}),
	}
	for _, o := range opts {
		o(s)
	}
	if s.metrics == nil {
		s.metrics = metrics.New(prometheus.NewRegistry()).Firehose.ForStream(name)
	}
	s.sender = newSender(s)
	s.sender.publishState()
	return s
}

// StreamName is the delivery stream's name.
func (s *Stream) StreamName() string { return s.name }

// Run sends batches until the channel is closed and each of their records is accepted, refused
// for good, or belongs to a closed lease; or until ctx ends. One batch waits for its first request
// while the stream is throttled, down or blocked or has MaxInFlight requests in flight; until that
// is sent, no other is taken from the channel. Records that are unsettled when Run returns may or may not
// have been accepted, and stay unsettled.
//
// fail is called with the error that OnRefused returned. It is called once for a Stream.
func (s *Stream) Run(ctx context.Context, batches <-chan *batch.Batch, fail func(error)) {
	defer close(s.ended)
	s.sender.runLoop(ctx, batches, fail)
}

// Ended is closed when Run has returned: no request is in flight any more.
func (s *Stream) Ended() <-chan struct{} { return s.ended }

// changeSender has Run apply f between two events. After Run has returned it does nothing.
func (s *Stream) changeSender(f func(*sender)) {
	select {
	case s.changes <- f:
	case <-s.ended:
	}
}

// BatchLimits are the most records and bytes that the next batch should hold: the
// configured ones, or less if the pace or answers that don't come say so. They
// are 1 at least.
func (s *Stream) BatchLimits() (records, bytes int) {
	l := s.published.Load().maxRequest
	return int(l.Records), int(l.Bytes)
}

// SetShare tells the stream which part of the partitions that are routed to it this process owns,
// above 0 and up to 1: the part of the stream's quota that is its own. It is 1 before the first call.
func (s *Stream) SetShare(share float64) {
	s.changeSender(func(l *sender) { l.limiter.SetShare(time.Now(), share) })
}

// SetUsable says whether the delivery stream can be used at all, for the gauge of blocked streams.
func (s *Stream) SetUsable(usable bool) {
	s.changeSender(func(l *sender) { l.unusable = !usable })
}

// SetDescription tells the stream how it is described, for failures that concern its settings. It keeps the key of KMS.
func (s *Stream) SetDescription(d *types.DeliveryStreamDescription) {
	key := OwnKey(d)
	s.changeSender(func(l *sender) { l.key = key })
}

// SetThrottled says whether the stream takes less than there is to send, for the gauge.
func (s *Stream) SetThrottled(throttled bool) { s.metrics.Throttled.Set(metrics.Flag(throttled)) }
