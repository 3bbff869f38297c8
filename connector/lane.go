package connector

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/connector/batch"
	"kafka-firehose/connector/convert"
	"kafka-firehose/connector/firehose"
	"kafka-firehose/connector/kafka"
	"kafka-firehose/connector/offset"
	"kafka-firehose/metrics"
)

// lane carries records to one stream: a queue of what was polled, the open batch
// and its linger, and the requests on their way. Three goroutines share it:
//
//   - the poller appends to the queue, and never waits;
//   - fill, the owner of the open batch, converts and seals;
//   - dispatch takes sealed batches when the stream lets another request start,
//     and gives each a goroutine of its own until it has settled.
//
// A revoke talks to fill through the channel asks, because the poller, who would
// otherwise keep the linger, does not come back from a poll while one runs.
type lane struct {
	stream  *firehose.Stream
	convert *convert.Converter
	policy  string // BAD_RECORD_POLICY
	limits  batch.Limits
	metrics *metrics.Pipeline
	log     *slog.Logger

	mu     sync.Mutex
	queue  []chunk
	wake   chan struct{} // there is something to queue or room to send; holds one
	asks   chan ask
	ending chan struct{} // closed when the lane is to send what it has begun and end
	ended  chan struct{} // closed when fill has returned: nobody answers asks any more
	sealed chan *batch.Batch

	builder *batch.Builder // fill's alone
	waiting []*batch.Batch // sealed and not dispatched; fill's alone

	share  int64        // bytes of MAX_BUFFERED_BYTES
	queued atomic.Int64 // bytes in queue
	open   atomic.Int64 // bytes of the open batch
	sent   atomic.Int64 // bytes of sealed batches
	freed  func()       // tells the poller that there is room again
}

// chunk is what one poll brought of one partition.
type chunk struct {
	lease   *offset.Lease
	records []*kgo.Record
	polled  time.Time
}

// ask has fill give up leases: what is queued of them is discarded, an open
// batch that holds some is sealed. Without of it only asks for a sign of life.
type ask struct {
	of   func(*offset.Lease) bool
	done chan struct{}
}

func everything(*offset.Lease) bool { return true }

// BadRecordError ends the connector under BAD_RECORD_POLICY=stop. Everything
// before the record is delivered and committed, nothing after it.
type BadRecordError struct {
	Topic     string
	Partition int32
	Offset    int64
	Size      int // bytes with the delimiter
	Err       error
}

func (e *BadRecordError) Error() string {
	return fmt.Sprintf("bad record at topic %s partition %d offset %d (%d bytes): %v; BAD_RECORD_POLICY is stop: take the record out of the way, or set skip to count such records and go on", e.Topic, e.Partition, e.Offset, e.Size, e.Err)
}

func (e *BadRecordError) Unwrap() error { return e.Err }

// put queues records. It never waits: the poller asked for room before it polled.
func (l *lane) put(c chunk) {
	l.queued.Add(c.weight())
	l.mu.Lock()
	l.queue = append(l.queue, c)
	l.mu.Unlock()
	l.poke()
}

// poke lets fill look again at what it can do.
func (l *lane) poke() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

func (l *lane) take() (c chunk, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.queue) == 0 {
		return chunk{}, false
	}
	c = l.queue[0]
	l.queue[0] = chunk{}
	l.queue = l.queue[1:]
	return c, true
}

// putBack returns what fill did not get to of a chunk.
func (l *lane) putBack(c chunk) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.queue = append([]chunk{c}, l.queue...)
}

// recordBytes is what a kgo.Record weighs beside its key, value and headers.
const recordBytes = 160

func (c chunk) weight() (n int64) {
	for _, r := range c.records {
		n += int64(kafka.Size(r)) + recordBytes
	}
	return n
}

// held is the memory that the lane keeps alive, in bytes.
func (l *lane) held() int64 { return l.queued.Load() + l.open.Load() + l.sent.Load() }

// reserve is room for one more full batch. What is queued could not be sent
// without it.
func (l *lane) reserve() int64 { return batch.Weight(l.limits.Bytes) }

// room is what the lane could take now, in bytes; it may be negative.
func (l *lane) room() int64 { return l.share - l.held() - l.reserve() }

// full reports whether another batch has to wait until one has settled. Sealing
// makes records weigh more than they did in the queue; a lane that sends nothing
// may always send one.
func (l *lane) full() bool { return l.sent.Load() > 0 && l.held()+l.reserve() > l.share }

// oldest is when the oldest record of the queue was polled.
func (l *lane) oldest() (at time.Time, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.queue) == 0 {
		return time.Time{}, false
	}
	return l.queue[0].polled, true
}

// fill converts and seals until ctx ends, the lane is told to end, or a record
// ends the connector, for which it calls fail. No more than one sealed batch waits while the next one is filled, so that what
// can't be sent stays in the queue, where it can still be given up.
func (l *lane) fill(ctx context.Context, fail func(error)) {
	defer close(l.ended)
	defer close(l.sealed)
	linger := time.NewTimer(time.Hour)
	defer linger.Stop()
	for {
		if err := l.pack(); err != nil {
			fail(err)
			l.seal() // what came before the bad record goes out with the drain that follows
			l.hand(ctx)
			return
		}
		l.arm(linger)
		var out chan *batch.Batch
		var next *batch.Batch
		if len(l.waiting) > 0 {
			out, next = l.sealed, l.waiting[0]
		}
		select {
		case <-ctx.Done():
			return
		case out <- next:
			l.waiting = l.waiting[1:]
		case <-linger.C:
			l.seal()
		case <-l.wake:
		case a := <-l.asks:
			l.answer(a)
		case <-l.ending:
			l.giveUp(everything)
			l.hand(ctx)
			return
		}
	}
}

func (l *lane) answer(a ask) {
	if a.of != nil {
		l.giveUp(a.of)
	}
	close(a.done)
}

// ask waits until fill has done what a asks for, or has ended.
func (l *lane) ask(ctx context.Context, of func(*offset.Lease) bool) error {
	a := ask{of: of, done: make(chan struct{})}
	select {
	case l.asks <- a:
	case <-l.ended:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-a.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// over reports whether fill has returned: what has not settled by then is waited
// for by Run, or given up.
func (l *lane) over() bool {
	select {
	case <-l.ended:
		return true
	default:
		return false
	}
}

// hand passes on everything sealed, and answers asks meanwhile.
func (l *lane) hand(ctx context.Context) {
	for len(l.waiting) > 0 {
		select {
		case <-ctx.Done():
			return
		case l.sealed <- l.waiting[0]:
			l.waiting = l.waiting[1:]
		case a := <-l.asks:
			l.answer(a)
		}
	}
}

// arm sets the timer to the moment when the open batch is due. While memory is
// full it goes on filling instead, because it could not be sent.
func (l *lane) arm(linger *time.Timer) {
	if due, ok := l.builder.Due(); ok && !l.full() {
		linger.Reset(time.Until(due))
	} else {
		linger.Stop()
	}
}

// pack moves records from the queue into batches until one is sealed, the queue
// is empty or the memory full.
func (l *lane) pack() error {
	for len(l.waiting) == 0 && !l.full() {
		c, ok := l.take()
		if !ok {
			return nil
		}
		l.limit()
		done, err := l.packChunk(c)
		l.builder.Flush()
		gone := chunk{records: c.records[:done]}
		l.open.Store(l.builder.Held()) // before the queue shrinks, or the poller sees room that isn't there
		l.queued.Add(-gone.weight())
		if done < len(c.records) && err == nil {
			l.putBack(chunk{c.lease, c.records[done:], c.polled})
		}
		l.freed()
		if err != nil {
			return err
		}
	}
	return nil
}

// packChunk adds records of one partition until a batch is full; it returns how
// many it is done with.
func (l *lane) packChunk(c chunk) (done int, err error) {
	if c.lease.Closed() {
		l.metrics.Skipped.WithLabelValues("revoked").Add(float64(len(c.records)))
		return len(c.records), nil
	}
	now := time.Now()
	for i, r := range c.records {
		next := offset.After(r.Offset, r.LeaderEpoch)
		if r.Attrs.IsControl() {
			l.builder.Flush()
			c.lease.Skip(next, 1)
			continue
		}
		buf, err := l.convert.Append(l.builder.Buffer(), r)
		if err != nil {
			if err := l.reject(c.lease, r, err); err != nil {
				return i, err
			}
			continue
		}
		if full := l.builder.Add(now, c.lease, next, c.polled, buf); full != nil {
			l.queueSealed(full)
			return i + 1, nil
		}
	}
	return len(c.records), nil
}

// limit asks the stream how much the open batch may hold at its pace now.
func (l *lane) limit() {
	limits := l.limits
	records, bytes := l.stream.Limits()
	limits.Records, limits.Bytes = min(limits.Records, records), min(limits.Bytes, bytes)
	l.builder.SetLimits(limits)
}

// reject does with a record that can't be delivered what the policy says; the
// error ends the connector.
func (l *lane) reject(lease *offset.Lease, r *kgo.Record, err error) error {
	var reject *convert.Reject
	if !errors.As(err, &reject) {
		return err
	}
	if !reject.Skip && l.policy != "skip" {
		return &BadRecordError{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, Size: reject.Size, Err: err}
	}
	if !reject.Skip {
		l.log.Warn("bad record skipped", "topic", r.Topic, "partition", r.Partition, "offset", r.Offset, "bytes", reject.Size, "reason", reject.Reason)
	}
	l.metrics.Skipped.WithLabelValues(string(reject.Reason)).Inc()
	l.builder.Flush()
	lease.Skip(offset.After(r.Offset, r.LeaderEpoch), 1)
	return nil
}

// refused does with a record that the service will never take what the policy
// says; the error ends the connector.
func (l *lane) refused(r firehose.Refusal) error {
	if l.policy != "skip" {
		return &BadRecordError{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, Size: r.Size, Err: r}
	}
	l.log.Warn("record refused by the stream and skipped", "topic", r.Topic, "partition", r.Partition, "offset", r.Offset, "bytes", r.Size, "values", r.Values, "code", r.Code)
	l.metrics.Skipped.WithLabelValues("refused").Add(float64(r.Values))
	return nil
}

func (l *lane) seal() {
	if b := l.builder.Seal(); b != nil {
		l.queueSealed(b)
	}
	l.open.Store(0)
}

func (l *lane) queueSealed(b *batch.Batch) {
	l.sent.Add(b.Held())
	b.OnRelease(func(n int64) {
		l.sent.Add(-n)
		l.freed()
		l.poke()
	})
	l.waiting = append(l.waiting, b)
}

// giveUp discards what is queued of the given leases and seals the open batch if
// it holds some of them.
func (l *lane) giveUp(of func(*offset.Lease) bool) {
	l.mu.Lock()
	kept := l.queue[:0]
	for _, c := range l.queue {
		if of(c.lease) {
			l.queued.Add(-c.weight())
			l.metrics.Skipped.WithLabelValues("revoked").Add(float64(len(c.records)))
			continue
		}
		kept = append(kept, c)
	}
	clear(l.queue[len(kept):])
	l.queue = kept
	l.mu.Unlock()
	if l.builder.Holds(of) {
		l.seal()
	}
	l.freed()
}

// dispatch sends what fill seals until fill has ended and all is settled, or ctx
// is over. A batch waits here while the stream lets none start.
func (l *lane) dispatch(ctx context.Context, fail func(error)) {
	var flying sync.WaitGroup
	defer flying.Wait()
	for b := range l.sealed {
		slot, err := l.stream.Acquire(ctx)
		if err != nil {
			return
		}
		flying.Go(func() {
			if err := l.stream.Deliver(ctx, slot, b); err != nil && ctx.Err() == nil {
				fail(err)
			}
		})
	}
}
