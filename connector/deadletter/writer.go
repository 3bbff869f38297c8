package deadletter

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/connector/offset"
	"kafka-firehose/connector/retry"
	"kafka-firehose/metrics"
)

// Writer is the way to the dead-letter topic. All methods but CheckTopic and Run are
// safe for concurrent use.
type Writer struct {
	topic   string
	digests bool // letters hold a digest in place of the value
	group   string
	connect []kgo.Opt
	log     *slog.Logger
	metrics *metrics.DeadLetter
	wake    chan struct{} // there is something in the queue; holds one
	reading chan struct{} // held by the one who reads a record again, see RecoverOriginal

	// Those of Run alone, and of CheckTopic before it.
	client    *kgo.Client  // nil when it has to be made again
	unlimited bool         // the client sends batches above the limit
	limit     atomic.Int32 // the largest batch that the topic takes, in bytes; the client reads it, too
	known     bool         // the topic's configuration says so
	readAt    time.Time    // when it was asked for
	refusals  sizeRefusals
	dialed    dialedBrokers

	mu      sync.Mutex
	queue   []*queuedLetter // oldest first
	flying  []*queuedLetter // being written
	pending int             // in both, and those whose Done has not returned
	idle    chan struct{}   // closed when nothing is pending any more; nil without a waiter
	outage  *retry.Outage   // nil while the topic takes letters
}

// Options are what a Writer needs beside its configuration.
type Options struct {
	Log     *slog.Logger
	Metrics *metrics.DeadLetter
	// Group is the consumer group, by which readers tell whose letters they are.
	Group string
	// Client is how to get to the cluster.
	Client []kgo.Opt
}

// New returns a Writer that has connected to nothing yet.
func New(cfg Config, o Options) *Writer {
	w := &Writer{
		topic: cfg.Topic, digests: cfg.Value == "digest", group: o.Group, connect: o.Client, metrics: o.Metrics,
		log:     o.Log.With("dead_letter_topic", cfg.Topic),
		wake:    make(chan struct{}, 1),
		reading: make(chan struct{}, 1),
	}
	w.limit.Store(defaultLimit)
	return w
}

// ExpectTopic has the counters of a topic's letters exist from here on.
func (w *Writer) ExpectTopic(topic string) { w.metrics.ExpectTopic(topic) }

// SendLetter queues a letter. It never waits. The memory that it takes is Weight of its
// record, until Done is called.
func (w *Writer) SendLetter(l Letter) {
	n := newLetter(l, w.group, time.Now())
	if w.digests && len(n.record.Value) > 0 {
		n.shrinkToDigest()
	}
	w.mu.Lock()
	w.queue = append(w.queue, n)
	w.pending++
	w.mu.Unlock()
	w.metrics.Pending.Inc()
	w.metrics.Bytes.Add(float64(n.weight))
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// finishLetter is the end of a letter.
func (w *Writer) finishLetter(l *queuedLetter, acknowledged bool) {
	if acknowledged {
		w.metrics.Letters.WithLabelValues(l.Record.Topic, l.Reason).Inc()
		w.metrics.Latency.Observe(time.Since(l.since).Seconds())
	}
	l.Done(acknowledged)
	w.metrics.Pending.Dec()
	w.metrics.Bytes.Sub(float64(l.weight))
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.pending--; w.pending == 0 && w.idle != nil {
		close(w.idle)
		w.idle = nil
	}
}

// FlushLetters waits until nothing is pending or ctx is over. Only one caller may wait at
// a time.
func (w *Writer) FlushLetters(ctx context.Context) {
	w.mu.Lock()
	if w.pending == 0 {
		w.mu.Unlock()
		return
	}
	idle := make(chan struct{})
	w.idle = idle
	w.mu.Unlock()
	select {
	case <-idle:
	case <-ctx.Done():
	}
}

// LetterStuck reports whether a lease waits for a letter that the topic does not take
// now: to wait for it would be in vain.
func (w *Writer) LetterStuck(lease *offset.Lease) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	holds := func(l *queuedLetter) bool { return l.holdsLease(lease) }
	return w.outage != nil && (slices.ContainsFunc(w.queue, holds) || slices.ContainsFunc(w.flying, holds))
}
