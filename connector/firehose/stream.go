package firehose

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

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
// All methods are safe for concurrent use. Run owns the state (see sender); the others send it
// changes, and read the snapshot that it publishes.
type Stream struct {
	name      string
	cfg       Config
	log       *slog.Logger
	metrics   *metrics.FirehoseStream
	onRefused func(context.Context, Refusal) error
	account   account
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
	return func(s *Stream) { s.calls.Pool = p }
}

// OnRefused sets what becomes of a record that can't be delivered. After nil it
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
		s.metrics = metrics.New(prometheus.NewRegistry()).Firehose.Stream(name)
	}
	s.sender = newSender(s)
	s.sender.publish()
	return s
}

// Name is the delivery stream's name.
func (s *Stream) Name() string { return s.name }

// Run sends batches until the channel is closed and each of their records is accepted, refused
// for good, or belongs to a closed lease; or until ctx ends. One batch waits for its first request
// while the stream is throttled, down or blocked or has MaxInFlight requests in flight; until that
// is sent, no other is taken from the channel. What is unsettled when Run returns may or may not
// have been accepted, and stays unsettled.
//
// fail is called with what OnRefused returned. It is called once for a Stream.
func (s *Stream) Run(ctx context.Context, batches <-chan *batch.Batch, fail func(error)) {
	defer close(s.ended)
	s.sender.run(ctx, batches, fail)
}

// Ended is closed when Run has returned: no request is in flight any more.
func (s *Stream) Ended() <-chan struct{} { return s.ended }

// change has Run apply f between two events. After Run has returned it does nothing.
func (s *Stream) change(f func(*sender)) {
	select {
	case s.changes <- f:
	case <-s.ended:
	}
}

// Limits are the most records and bytes that the next batch should hold: the
// configured ones, or less if the pace or answers that don't come say so. They
// are 1 at least.
func (s *Stream) Limits() (records, bytes int) {
	l := s.published.Load().maxRequest
	return int(l.Records), int(l.Bytes)
}

// SetShare tells the stream which part of the partitions that are routed to it this process owns,
// above 0 and up to 1: the part of the stream's quota that is its own. It is 1 before the first call.
func (s *Stream) SetShare(share float64) {
	s.change(func(l *sender) { l.limiter.SetShare(time.Now(), share) })
}

// SetUsable says whether the delivery stream can be used at all, for the gauge of blocked streams.
func (s *Stream) SetUsable(usable bool) {
	s.change(func(l *sender) { l.unusable = !usable })
}

// SetThrottled says whether the stream takes less than there is to send, for the gauge.
func (s *Stream) SetThrottled(throttled bool) { s.metrics.Throttled.Set(flag(throttled)) }

// Peak is the highest of each figure in one second: bytes of data before base64.
type Peak struct{ OfferedBytes, OfferedRecords, Requests, AcceptedBytes, AcceptedRecords float64 }

// SetPeak sets the gauges of the highest second of the last minute.
func (s *Stream) SetPeak(p Peak) {
	m := s.metrics
	m.PeakOfferedBytes.Set(p.OfferedBytes)
	m.PeakOfferedRecords.Set(p.OfferedRecords)
	m.PeakRequests.Set(p.Requests)
	m.PeakAcceptedBytes.Set(p.AcceptedBytes)
	m.PeakAcceptedRecords.Set(p.AcceptedRecords)
}

// State is how a stream is doing.
type State struct {
	Stream string
	// Blocked says that the stream refuses everything and someone has to repair
	// something. BreakerOpen says that it does not answer; single requests probe
	// it in either case, and Since is when that began. Reason is the last failure.
	Blocked, BreakerOpen bool
	Since                time.Time
	Reason               *putbatch.Failure // nil while neither
	// CredentialsRefused is the failure if the service did not take our
	// credentials since it last answered a request, else nil.
	CredentialsRefused *putbatch.Failure
	// LastAccepted is when a record was last accepted; zero before the first.
	LastAccepted time.Time
	// HungrySince is since when there has been something to send and nothing was
	// accepted; zero while there is nothing to send.
	HungrySince time.Time
	// LastFailure is why the last request, or all of its records, failed; nil after one of
	// which something was accepted. Failures is how many requests failed since then.
	LastFailure *putbatch.Failure
	Failures    int
	// HeldBack is when a request last waited for the rate; zero before.
	HeldBack time.Time
	Totals   Totals
	InFlight int // requests on their way
	Waiting  int // batches that wait for permission to be sent
	// RecordsPerSecond and BytesPerSecond are the pace; +Inf is unlimited.
	RecordsPerSecond, BytesPerSecond float64
	PartRecords, PartBytes           float64 // the own part of the stream's quota a second; 0 is unknown
	Stubborn                         int     // see the gauge kafka_firehose_stubborn_records
}

// Totals are sums since the process began.
type Totals struct {
	Offered  Traffic // requests that were sent, and what they held
	Accepted Traffic // of that, what was accepted; requests of which something was
	Refused  int64   // records that came back with an error code of their own
	Billed   int64   // bytes
}

// Traffic is what went over the wire, in bytes of data before base64.
type Traffic struct{ Requests, Records, Bytes int64 }

func (t *Traffic) add(records, bytes int) {
	t.Requests++
	t.Records += int64(records)
	t.Bytes += int64(bytes)
}

// State returns how the stream is doing now.
func (s *Stream) State() State { return s.published.Load().state }

// publish makes the state known, to State, Limits and the gauges.
func (s *sender) publish() {
	l, m := s.limiter.Snapshot(), s.metrics
	st := State{
		Stream:  s.name,
		Blocked: l.Breaker == limiter.BreakerBlocked, BreakerOpen: l.Breaker == limiter.BreakerOpen,
		Since: l.BreakerSince, Reason: s.history.breaker, CredentialsRefused: s.history.credentials.refused,
		LastAccepted: s.history.acceptedAt, HungrySince: s.history.hungry,
		LastFailure: s.history.failure, Failures: s.history.failures, HeldBack: s.history.heldBack, Totals: s.history.totals,
		InFlight: l.InFlight, Waiting: s.waiting(),
		RecordsPerSecond: l.Rate.Records, BytesPerSecond: l.Rate.Bytes, PartRecords: l.Part.Records, PartBytes: l.Part.Bytes, Stubborn: s.history.stubborn,
	}
	s.published.Store(&snapshot{st, l.MaxRequest})
	var flying limiter.Load
	for _, r := range s.flying {
		flying = flying.Plus(r.load)
	}
	m.InFlight.Set(float64(st.InFlight))
	m.FlyingRecords.Set(flying.Records)
	m.FlyingBytes.Set(flying.Bytes)
	m.Waiting.Set(float64(st.Waiting))
	m.Stubborn.Set(float64(st.Stubborn))
	m.Allowed.Set(float64(l.Allowed))
	m.Breaker.Set(flag(st.BreakerOpen))
	m.Blocked.Set(flag(s.unusable || st.Blocked))
	m.PaceRecords.Set(st.RecordsPerSecond)
	m.PaceBytes.Set(st.BytesPerSecond)
	m.PartRecords.Set(l.Part.Records)
	m.PartBytes.Set(l.Part.Bytes)
}

// waiting is how many deliveries could be sent if the limiter let them.
func (s *sender) waiting() int {
	n := s.retries.due(time.Now())
	if s.fresh != nil {
		n++
	}
	return n
}

func flag(on bool) float64 {
	if on {
		return 1
	}
	return 0
}
