package firehose

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/prometheus/client_golang/prometheus"

	"kafka-firehose/connector/firehose/limiter"
	"kafka-firehose/connector/offset"
	"kafka-firehose/connector/pool"
	"kafka-firehose/metrics"
)

// API is the part of [Client] that a Stream uses.
type API interface {
	PutRecordBatch(context.Context, *firehose.PutRecordBatchInput, ...func(*firehose.Options)) (*firehose.PutRecordBatchOutput, error)
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
	Message   string          // and what it said, shortened
	Data      []byte          // valid until OnRefused returns; never log it
}

// Error says what was refused and why, without the data.
func (r Refusal) Error() string {
	return fmt.Sprintf("the record at %s[%d]@%d with %d bytes was refused: %s: %s", r.Topic, r.Partition, r.Offset, r.Size, r.Code, r.Message)
}

// Stream delivers batches to one delivery stream. All batches of a stream share
// its pace, its breaker and its requests in flight, so whatever one of them
// learns about the service holds for all.
//
// All methods are safe for concurrent use.
type Stream struct {
	name      string
	api       API
	cfg       Config
	log       *slog.Logger
	metrics   *metrics.FirehoseStream
	onRefused func(context.Context, Refusal) error
	gate      *gate
	unusable  bool // see SetUsable; gate.mu guards it
	inFlight  inFlight
	account   account
	pool      *pool.Pool[byte] // of the bodies of requests
	inputs    sync.Pool        // of *firehose.PutRecordBatchInput

	mu          sync.Mutex
	sizes       sizeProof // what sizes of requests pass, and which are refused
	starts      int64     // requests started, which numbers them
	accepted    int64     // the highest number of a request of which something was accepted
	acceptedAt  time.Time // when
	pending     int       // batches that want to be delivered
	hungry      time.Time // since when there are some and nothing was accepted; zero without
	invalidated time.Time // the last InvalidateCredentials
	refused     *Failure  // the last credentials failure, nil after an answer
	stubborn    int
}

// Option changes how a Stream is made.
type Option func(*Stream)

// WithLogger sets where changes of state are told; default nowhere.
func WithLogger(log *slog.Logger) Option {
	return func(s *Stream) { s.log = log.With("stream", s.name) }
}

// WithMetrics sets what is counted; default nothing.
func WithMetrics(m *metrics.Firehose) Option {
	return func(s *Stream) { s.metrics = m.Stream(s.name) }
}

// WithPool sets where the buffers for requests come from; default nowhere.
func WithPool(p *pool.Pool[byte]) Option {
	return func(s *Stream) { s.pool = p }
}

// OnRefused sets what becomes of a record that can't be delivered. After nil it
// is settled, as skipped or dead-lettered; an error is returned by Deliver, which
// is the default. f may block until its context ends, and may be called concurrently.
func OnRefused(f func(context.Context, Refusal) error) Option {
	return func(s *Stream) { s.onRefused = f }
}

// NewStream returns a Stream that writes to the delivery stream of that name.
func NewStream(name string, api API, cfg Config, opts ...Option) *Stream {
	s := &Stream{
		name: name, api: api, cfg: cfg,
		log:       slog.New(slog.DiscardHandler),
		onRefused: func(_ context.Context, r Refusal) error { return r },
		gate:      newGate(cfg),
	}
	for _, o := range opts {
		o(s)
	}
	if s.metrics == nil {
		s.metrics = metrics.New(prometheus.NewRegistry()).Firehose.Stream(name)
	}
	s.gate.changed = s.measure
	s.gate.mu.Lock()
	s.measure()
	s.gate.mu.Unlock()
	return s
}

// Name is the delivery stream's name.
func (s *Stream) Name() string { return s.name }

// Acquire waits until a new batch may be sent, and returns the permission to
// send it, for Deliver. It blocks while the stream is throttled, down or blocked
// or has MaxInFlight requests on their way. A slot that isn't used has to be
// released. The error is the context's.
func (s *Stream) Acquire(ctx context.Context) (*Slot, error) {
	s.begin()
	defer s.end()
	return s.gate.acquire(ctx, fresh, limiter.Load{}, nil)
}

// Limits are the most records and bytes that the next batch should hold: the
// configured ones, or less if the pace or answers that don't come say so. They
// are 1 at least.
func (s *Stream) Limits() (records, bytes int) {
	l, _ := s.gate.limits()
	return int(l.Records), int(l.Bytes)
}

// SetShare tells the stream which part of the partitions that are routed to it this process owns,
// above 0 and up to 1: the part of the stream's quota that is its own. It is 1 before the first call.
func (s *Stream) SetShare(share float64) {
	g := s.gate
	g.mu.Lock()
	defer g.mu.Unlock()
	g.limiter.SetShare(time.Now(), share)
	g.admit() // a larger part may let somebody go
}

// SetUsable says whether the delivery stream can be used at all, for the gauge of blocked streams.
func (s *Stream) SetUsable(usable bool) {
	s.gate.mu.Lock()
	defer s.gate.mu.Unlock()
	s.unusable = !usable
	s.measure()
}

// State is how a stream is doing.
type State struct {
	Stream string
	// Blocked says that the stream refuses everything and someone has to repair
	// something. BreakerOpen says that it does not answer; single requests probe
	// it in either case, and Since is when that began. Reason is the last failure.
	Blocked, BreakerOpen bool
	Since                time.Time
	Reason               *Failure // nil while neither
	// CredentialsRefused is the failure if the service did not take our
	// credentials since it last answered a request, else nil.
	CredentialsRefused *Failure
	// LastAccepted is when a record was last accepted; zero before the first.
	LastAccepted time.Time
	// HungrySince is since when there has been something to send and nothing was
	// accepted; zero while there is nothing to send.
	HungrySince time.Time
	InFlight    int // requests on their way
	Waiting     int // batches that wait for permission to be sent
	// RecordsPerSecond and BytesPerSecond are the pace; +Inf is unlimited.
	RecordsPerSecond, BytesPerSecond float64
	Stubborn                         int // see the gauge kafka_firehose_stubborn_records
}

// State returns how the stream is doing now.
func (s *Stream) State() State {
	g := s.gate
	g.mu.Lock()
	l := g.limiter.Snapshot()
	st := State{
		Stream:  s.name,
		Blocked: l.Breaker == limiter.BreakerBlocked, BreakerOpen: l.Breaker == limiter.BreakerOpen,
		Since: l.BreakerSince, Reason: g.failure,
		InFlight: l.InFlight, Waiting: len(g.queues[retries]) + len(g.queues[fresh]),
		RecordsPerSecond: l.Rate.Records, BytesPerSecond: l.Rate.Bytes,
	}
	g.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	st.CredentialsRefused, st.LastAccepted, st.HungrySince, st.Stubborn = s.refused, s.acceptedAt, s.hungry, s.stubborn
	return st
}

// begin and end enclose the time in which a batch wants to be delivered.
func (s *Stream) begin() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pending++; s.pending == 1 {
		s.hungry = time.Now()
	}
}

func (s *Stream) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pending--; s.pending == 0 {
		s.hungry = time.Time{}
	}
}

// measure sets the gauges. The gate's mu is held.
func (s *Stream) measure() {
	g, m := s.gate, s.metrics
	l := g.limiter.Snapshot()
	m.InFlight.Set(float64(l.InFlight))
	m.FlyingRecords.Set(g.flying.Records)
	m.FlyingBytes.Set(g.flying.Bytes)
	m.Waiting.Set(float64(len(g.queues[retries]) + len(g.queues[fresh])))
	m.Allowed.Set(float64(l.Allowed))
	m.Breaker.Set(flag(l.Breaker == limiter.BreakerOpen))
	m.Blocked.Set(flag(s.unusable || l.Breaker == limiter.BreakerBlocked))
	m.PaceRecords.Set(l.Rate.Records)
	m.PaceBytes.Set(l.Rate.Bytes)
	m.PartRecords.Set(l.Part.Records)
	m.PartBytes.Set(l.Part.Bytes)
}

func flag(on bool) float64 {
	if on {
		return 1
	}
	return 0
}

// errStopped ends the waits of a delivery when a part of it has failed.
var errStopped = errors.New("another part of the batch failed")
