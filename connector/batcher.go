package connector

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/connector/batch"
	"kafka-firehose/connector/convert"
	"kafka-firehose/connector/offset"
)

// batcher converts the records of a pipeline and seals them into batches. Its own fields belong to the goroutine of runBatcher; what
// it shares with others is the pipeline's.
type batcher struct {
	*pipeline

	parallel *parallelConverter             // nil where records are converted one by one
	builder  *batch.Builder                 // of the open batch
	waiting  []*batch.Batch                 // sealed and not taken by the stream
	linger   *time.Timer                    // sends to due
	armed    bool                           // linger is set for the open batch
	claims   map[*offset.Lease]*claimUpload // uploads that partitions wait for, or whose records come next
}

// runBatcher converts and seals until ctx ends, signalEnd is called, or a record
// ends the connector, for which it calls fail. No more than one sealed batch waits
// while the next one is filled, so that records that can't be sent stay in the queue,
// where they can still be dropped.
func (b *batcher) runBatcher(ctx context.Context, fail func(error)) {
	defer close(b.ended)
	defer close(b.sealed)
	b.linger = b.newLinger()
	defer b.linger.Stop()
	for {
		if err := b.packRecords(ctx); err != nil {
			fail(err)
			b.sealBatch() // the records before the bad record go out with the drain that follows
			b.handOverBatches(ctx)
			return
		}
		b.armLinger(0)
		var out chan *batch.Batch
		var next *batch.Batch
		if len(b.waiting) > 0 {
			out, next = b.sealed, b.waiting[0]
		}
		// If packRecords was interrupted, one of batcherCalls, ending and due is ready.
		select {
		case <-ctx.Done():
			return
		case out <- next:
			b.waiting = slices.Delete(b.waiting, 0, 1)
		case <-b.due:
			b.sealDue()
		case <-b.wake:
		case a := <-b.batcherCalls:
			b.answerCall(a)
		case <-b.ending:
			b.dropLeases(anyLease)
			b.handOverBatches(ctx)
			return
		}
	}
}

// handOverBatches passes on everything sealed, and answers calls meanwhile.
func (b *batcher) handOverBatches(ctx context.Context) {
	for len(b.waiting) > 0 {
		select {
		case <-ctx.Done():
			return
		case b.sealed <- b.waiting[0]:
			b.waiting = slices.Delete(b.waiting, 0, 1)
		case a := <-b.batcherCalls:
			b.answerCall(a)
		}
	}
}

// minPacking is how long a batch fills at least while there are records in the queue, however
// short the linger is: it is meant for records that are still to come.
const minPacking = 20 * time.Millisecond

// newLinger returns a stopped timer that sends to due. It is no channel of time's own, whose
// length is always 0, because hasCalls has to look at it for each record.
func (b *batcher) newLinger() *time.Timer {
	t := time.AfterFunc(time.Hour, func() { wakeUp(b.due) })
	t.Stop()
	return t
}

// armLinger sets the timer to the moment when the open batch is due, and no earlier than least from
// now. While memory is full the batch could not be sent: the timer is stopped, and set again
// when a batch or a dead letter has settled.
func (b *batcher) armLinger(least time.Duration) {
	due, open := b.builder.LingerDue()
	if b.armed = open && !b.isFull(); b.armed {
		b.linger.Reset(max(time.Until(due), least))
	} else {
		b.linger.Stop()
	}
}

// sealDue seals the open batch if it has lingered long enough. The timer may have fired for
// the batch before.
func (b *batcher) sealDue() {
	if due, open := b.builder.LingerDue(); open && !time.Now().Before(due) && !b.isFull() {
		b.sealBatch()
	}
}

// packRecords moves records from the queue into batches until one is sealed, the queue has none that
// can be converted now, the memory is full, or a call has come. It moves none before the check of the
// delivery stream has passed, and none while the stream is held because of its destination. A partition whose next
// record waits for a schema or for its upload is set aside.
func (b *batcher) packRecords(ctx context.Context) error {
	for !b.check.held.Load() && !b.sendsNothing() && len(b.waiting) == 0 && !b.isCrowded() && !b.hasCalls() {
		c, ok := b.queue.takeRecords()
		if !ok {
			return nil
		}
		b.applyLimits()
		done, err := b.packPartition(c)
		b.notePacked(c.records[:done])
		missing, waits := errors.AsType[*convert.MissingSchema](err)
		upload, uploads := errors.AsType[*claimUpload](err)
		stopped := errors.Is(err, errStopped)
		if waits || uploads || stopped {
			err = nil
		}
		b.builder.FlushRecord()
		gone, rest := c.splitAt(done)
		if stopped {
			gone, rest = c, fetchedRecords{}
			b.discardRecords(func(lease *offset.Lease) bool { return lease == c.lease })
		}
		gone.recycleRecords()
		b.open.Store(b.builder.HeldBytes()) // before the queue shrinks, or the poller would count room that isn't there
		b.queued.Add(-gone.weight)
		switch {
		case waits:
			b.setAsideUntil(rest, b.schemas.FetchFor(ctx, missing.Ref, rest.polled))
		case uploads:
			b.setAsideUntil(rest, b.startUpload(ctx, upload))
		case len(rest.records) > 0 && err == nil:
			b.queue.putBack(rest)
		default:
			b.queue.finishRecords()
		}
		b.freed()
		if err != nil {
			return err
		}
	}
	return nil
}

// packPartition adds records of one partition until a batch is full, or memory with
// dead letters, or a call has come; it returns how many it is done with.
func (b *batcher) packPartition(c fetchedRecords) (done int, err error) {
	if c.lease.Closed() {
		b.metrics.Skipped.WithLabelValues("revoked").Add(float64(len(c.records)))
		b.parallel.discardOutput() // else its output would be taken for that of records at the same addresses
		b.cancelUploads(func(lease *offset.Lease) bool { return lease == c.lease })
		return len(c.records), nil
	}
	if c.lease.Stopped() != nil {
		return 0, errStopped
	}
	b.packing.Store(c.lease)
	filtered := 0
	defer func() { b.countFiltered(c.lease.Topic, filtered) }()
	var now time.Time
	for i, r := range c.records {
		if b.hasCalls() {
			return i, nil
		}
		if i == 0 || !b.armed {
			now = time.Now() // a batch may be opened now, and the records before may have taken long
		}
		next := offset.MarkAfter(r.Offset, r.LeaderEpoch)
		if r.Attrs.IsControl() {
			b.builder.FlushRecord()
			c.lease.SkipRecords(next, 1)
			continue
		}
		buf, err := b.convertRecord(c, i)
		if errors.Is(err, convert.ErrFiltered) {
			filtered++
			b.skipFiltered(c, r, next)
			continue
		}
		if err != nil {
			buf, err = b.packClaimCheck(c, i, err)
		}
		if err != nil {
			if err := b.handleBadRecord(c, r, err); err != nil {
				return i, err
			}
			if b.isCrowded() {
				return i + 1, nil
			}
			continue
		}
		if full := b.builder.AddRecord(now, c.lease, next, c.polled, buf); full != nil {
			b.queueSealed(full)
			return i + 1, nil
		}
		if !b.armed {
			b.armLinger(minPacking)
		}
	}
	return len(c.records), nil
}

// convertRecord appends record i of c to the builder's buffer.
func (b *batcher) convertRecord(c fetchedRecords, i int) ([]byte, error) {
	if b.parallel == nil {
		return b.convert.Append(b.builder.AppendBuffer(), c.records[i])
	}
	return b.parallel.appendRecord(b.builder.AppendBuffer(), c, i, &b.queue)
}

// skipFiltered passes over a record that RECORD_FILTER leaves out.
func (b *batcher) skipFiltered(c fetchedRecords, r *kgo.Record, next offset.Mark) {
	if b.leftOut != nil {
		b.leftOut(leftOutRecord{leases: []*offset.Lease{c.lease}, offset: r.Offset, values: 1, reason: string(convert.Filtered)})
	}
	b.builder.FlushRecord()
	c.lease.SkipRecords(next, 1)
}

// applyLimits asks the stream how much the open batch may hold at its pace now.
func (b *batcher) applyLimits() {
	limits := b.limits
	records, bytes := b.stream.BatchLimits()
	limits.Records, limits.Bytes = min(limits.Records, records), min(b.batchBytes(), bytes)
	b.builder.SetLimits(limits)
}

func (b *batcher) sealBatch() {
	if sealed := b.builder.SealBatch(); sealed != nil {
		b.queueSealed(sealed)
	}
	b.open.Store(0)
}

func (b *batcher) queueSealed(sealed *batch.Batch) {
	b.sent.Add(sealed.HeldBytes())
	sealed.OnRelease(func(n int64) {
		b.sent.Add(-n)
		b.freed()
		b.wakeBatcher()
	})
	b.waiting = append(b.waiting, sealed)
	b.armed = false
	if b.destination != nil {
		b.destination.NoteSent()
	}
}

// discardRecords removes the queued records of the given leases, and returns their number.
func (b *batcher) discardRecords(of func(*offset.Lease) bool) (records int) {
	weight, records := b.queue.removeLeases(of)
	b.queued.Add(-weight)
	b.parallel.discardOutput()
	b.cancelUploads(of)
	return records
}

// dropLeases discards the queued records of the given leases and seals the open batch if
// it holds some of them.
func (b *batcher) dropLeases(of func(*offset.Lease) bool) {
	records := b.discardRecords(of)
	b.metrics.Skipped.WithLabelValues("revoked").Add(float64(records))
	if b.builder.HoldsLease(of) {
		b.sealBatch()
	}
	b.freed()
}
