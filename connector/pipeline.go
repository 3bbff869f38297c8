package connector

import (
	"log/slog"
	"sync"
	"sync/atomic"

	"kafka-firehose/connector/batch"
	"kafka-firehose/connector/claimcheck"
	"kafka-firehose/connector/convert"
	"kafka-firehose/connector/deadletter"
	"kafka-firehose/connector/destination"
	"kafka-firehose/connector/firehose"
	"kafka-firehose/connector/offset"
	"kafka-firehose/connector/schema"
	"kafka-firehose/connector/status"
	"kafka-firehose/metrics"
)

// pipeline carries records to one stream: a queue of polled records, the open batch
// and its linger, and the stream that sends the sealed batches. Three goroutines share it:
//
//   - the poller appends to the queue, and never waits;
//   - the batcher, the owner of the open batch, converts and seals;
//   - the sender of the stream takes sealed batches when it can send them.
//
// A revoke talks to the batcher through the channel batcherCalls, because the poller, who would
// otherwise keep the linger, does not come back from a poll while one runs.
//
// A record may take long to convert, and a batch may hold 100,000 of them. So the batcher, and the
// cores that convert in parallel for it, look for calls between two records: a call, a stop and the
// linger wait for one record at most. If a conversion never returns, no caller waits for the batcher
// without a limit.
type pipeline struct {
	stream  *firehose.Stream
	batcher *batcher
	format  string // of the records, for people
	convert *convert.Converter
	policy  string // BAD_RECORD_POLICY, or the one for bad records that no claim check helps
	// skipCommand and stopPartition are for BAD_RECORD_POLICY=stop.
	skipCommand   func(topic string, partition int32, offset int64) string
	stopPartition func(lease *offset.Lease, offset int64, reason error)
	letters       *deadletter.Writer                         // nil unless that is dead-letter
	countUnusable func(topic string, bad *convert.BadRecord) // a record was skipped, or sent to the dead-letter topic
	leftOut       func(leftOutRecord)                        // is called before a record that is not delivered is skipped; nil for the service
	uploader      *claimcheck.Uploader                       // nil without a CLAIM_CHECK_URL
	limits        batch.Limits
	metrics       *metrics.Pipeline
	log           *slog.Logger

	queue    recordQueue
	maxQueue int64 // bytes it may have of partitions that don't wait for a schema

	wake         chan struct{}    // there is something to queue or room to send; holds one
	batcherCalls chan batcherCall // holds maxCalls
	ending       chan struct{}    // the pipeline is to send its open batch and end; holds one
	due          chan struct{}    // the open batch has lingered long enough; holds one
	ended        chan struct{}    // closed when the batcher has returned and answers calls no longer
	sealed       chan *batch.Batch

	schemas *schema.Registry             // nil unless records are decoded
	packing atomic.Pointer[offset.Lease] // the partition whose records were packed last, nil before the first
	pulse   pulse

	partitions  atomic.Uint64            // the member's share of the stream's, as bits of a float64
	topics      atomic.Pointer[[]string] // of the group, that go to the stream, sorted; nil until they are known
	historyLock sync.Mutex
	history     status.History // guarded by historyLock

	polled    atomic.Int64 // records, since the process began
	bad       atomic.Int64 // of them, those that can't be delivered
	lag       atomic.Int64 // records, of all topics of the stream, when it was last asked for
	unpaused  atomic.Int64 // of lag, the records of topics that the runtime settings don't pause
	throttled atomic.Bool  // the stream's rate holds records back while the lag grows
	lags      []lagAt      // of the last minute; watchFaults' alone
	check     streamCheck  // of the delivery stream, at the start
	// destination is where the stream delivers to; nil unless it is watched.
	destination *destination.Stream

	share  atomic.Int64 // bytes of MAX_BUFFERED_BYTES; the poller divides them
	queued atomic.Int64 // bytes in queue
	open   atomic.Int64 // bytes of the open batch
	sent   atomic.Int64 // bytes of sealed batches
	dead   atomic.Int64 // bytes of pending dead letters
	freed  func()       // tells the poller that there is room again
}

// batcherCall has the batcher drop leases: their queued records are discarded, and an open
// batch that holds some is sealed. Without of it only asks for a sign of life.
type batcherCall struct {
	of   func(*offset.Lease) bool
	done chan struct{}
}

// maxCalls is how many calls may wait for an answer. There is one for each revoke, and one for a
// sign of life; more of them pile up only while a conversion hangs.
const maxCalls = 8

func anyLease(*offset.Lease) bool { return true }

// enqueueRecords queues records. It never waits: the poller asked for room before it polled.
func (l *pipeline) enqueueRecords(c fetchedRecords) {
	l.queued.Add(c.weight)
	l.polled.Add(int64(len(c.records)))
	l.notePolled(c)
	l.queue.putRecords(c)
	l.wakeBatcher()
}

// wakeBatcher wakes the batcher.
func (l *pipeline) wakeBatcher() { wakeUp(l.wake) }

// heldBytes is the memory that the pipeline keeps alive, in bytes.
func (l *pipeline) heldBytes() int64 {
	return l.queued.Load() + l.open.Load() + l.sent.Load() + l.dead.Load()
}

// batchBytes is how large a batch may be: a fifth of the share at most, so that with
// little memory there are still some in flight.
func (l *pipeline) batchBytes() int {
	return min(l.limits.Bytes, max(int(batchShare.of(l.share.Load())), batch.MaxRecordBytes))
}

// batchReserve is room for one more full batch. Queued records could not be sent
// without it.
func (l *pipeline) batchReserve() int64 { return batch.FullWeight(l.batchBytes()) }

// freeBytes is what the pipeline could take now, in bytes; it may be negative.
func (l *pipeline) freeBytes() int64 {
	return min(l.share.Load()-l.heldBytes()-l.batchReserve(), l.maxQueue-l.queued.Load()+l.queue.asideBytes())
}

// isFull reports whether another batch has to wait until one has settled. Sealing
// makes records weigh more than they did in the queue; a pipeline that sends nothing
// may always send one.
func (l *pipeline) isFull() bool { return l.sent.Load() > 0 && l.budgetExhausted() }

// isCrowded reports whether queued records have to wait until a batch or a dead letter
// has settled. A pipeline without either may always take the next record.
func (l *pipeline) isCrowded() bool {
	return (l.sent.Load() > 0 || l.dead.Load() > 0) && l.budgetExhausted()
}

func (l *pipeline) budgetExhausted() bool { return l.heldBytes()+l.batchReserve() > l.share.Load() }

// hasCalls reports whether the batcher has something to do besides packing. It is cheap enough to be
// called for each record, by any goroutine.
func (l *pipeline) hasCalls() bool { return len(l.batcherCalls)+len(l.ending)+len(l.due) > 0 }

func (b *batcher) answerCall(a batcherCall) {
	if a.of != nil {
		b.dropLeases(a.of)
	}
	close(a.done)
}

// callBatcher tells the batcher to drop leases. The result is closed when the batcher has done so, which may be
// never: the caller limits its wait. It never waits itself. While maxCalls are not answered the
// call is dropped, and the result is nil.
//
// An answer may come when the caller has long stopped waiting and the leases are closed. It
// does no harm: it discards records of closed leases, which packPartition would skip, and it seals
// a batch that is fenced before it is sent. For the same reason a call may be dropped.
func (l *pipeline) callBatcher(of func(*offset.Lease) bool) <-chan struct{} {
	a := batcherCall{of: of, done: make(chan struct{})}
	select {
	case l.batcherCalls <- a:
		return a.done
	default:
		return nil
	}
}

// signalEnd has the pipeline send its open batch and end.
func (l *pipeline) signalEnd() { l.ending <- struct{}{} }

// hasEnded reports whether the last request has been answered or cancelled. That the batcher
// has returned is not enough: a drain has requests in flight then, and a revoke in
// between that doesn't wait for them lets the next owner send them again.
func (l *pipeline) hasEnded() bool {
	select {
	case <-l.stream.Ended():
		return true
	default:
		return false
	}
}
