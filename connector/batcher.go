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

// runBatcher converts and seals until ctx ends, signalEnd is called, or a record
// ends the connector, for which it calls fail. No more than one sealed batch waits
// while the next one is filled, so that records that can't be sent stay in the queue,
// where they can still be dropped.
func (l *pipeline) runBatcher(ctx context.Context, fail func(error)) {
	defer close(l.ended)
	defer close(l.sealed)
	l.linger = l.newLinger()
	defer l.linger.Stop()
	for {
		if err := l.packRecords(ctx); err != nil {
			fail(err)
			l.sealBatch() // the records before the bad record go out with the drain that follows
			l.handOverBatches(ctx)
			return
		}
		l.armLinger(0)
		var out chan *batch.Batch
		var next *batch.Batch
		if len(l.waiting) > 0 {
			out, next = l.sealed, l.waiting[0]
		}
		// If packRecords was interrupted, one of batcherCalls, ending and due is ready.
		select {
		case <-ctx.Done():
			return
		case out <- next:
			l.waiting = slices.Delete(l.waiting, 0, 1)
		case <-l.due:
			l.sealDue()
		case <-l.wake:
		case a := <-l.batcherCalls:
			l.answerCall(a)
		case <-l.ending:
			l.dropLeases(anyLease)
			l.handOverBatches(ctx)
			return
		}
	}
}

// handOverBatches passes on everything sealed, and answers calls meanwhile.
func (l *pipeline) handOverBatches(ctx context.Context) {
	for len(l.waiting) > 0 {
		select {
		case <-ctx.Done():
			return
		case l.sealed <- l.waiting[0]:
			l.waiting = slices.Delete(l.waiting, 0, 1)
		case a := <-l.batcherCalls:
			l.answerCall(a)
		}
	}
}

// minPacking is how long a batch fills at least while there are records in the queue, however
// short the linger is: it is meant for records that are still to come.
const minPacking = 20 * time.Millisecond

// newLinger returns a stopped timer that sends to due. It is no channel of time's own, whose
// length is always 0, because hasCalls has to look at it for each record.
func (l *pipeline) newLinger() *time.Timer {
	t := time.AfterFunc(time.Hour, func() {
		select {
		case l.due <- struct{}{}:
		default:
		}
	})
	t.Stop()
	return t
}

// armLinger sets the timer to the moment when the open batch is due, and no earlier than least from
// now. While memory is full the batch could not be sent: the timer is stopped, and set again
// when a batch or a dead letter has settled.
func (l *pipeline) armLinger(least time.Duration) {
	due, open := l.builder.LingerDue()
	if l.armed = open && !l.isFull(); l.armed {
		l.linger.Reset(max(time.Until(due), least))
	} else {
		l.linger.Stop()
	}
}

// sealDue seals the open batch if it has lingered long enough. The timer may have fired for
// the batch before.
func (l *pipeline) sealDue() {
	if due, open := l.builder.LingerDue(); open && !time.Now().Before(due) && !l.isFull() {
		l.sealBatch()
	}
}

// packRecords moves records from the queue into batches until one is sealed, the queue has none that
// can be converted now, the memory is full, or a call has come. It moves none before the check of the
// delivery stream has passed, and none while the stream is held because of its destination. A partition whose next
// record waits for a schema or for its upload is set aside.
func (l *pipeline) packRecords(ctx context.Context) error {
	for !l.check.held.Load() && !l.sendsNothing() && len(l.waiting) == 0 && !l.isCrowded() && !l.hasCalls() {
		c, ok := l.queue.takeRecords()
		if !ok {
			return nil
		}
		l.applyLimits()
		done, err := l.packPartition(c)
		l.notePacked(c.records[:done])
		missing, waits := errors.AsType[*convert.MissingSchema](err)
		upload, uploads := errors.AsType[*claimUpload](err)
		stopped := errors.Is(err, errStopped)
		if waits || uploads || stopped {
			err = nil
		}
		l.builder.FlushRecord()
		gone, rest := c.splitAt(done)
		if stopped {
			gone, rest = c, fetchedRecords{}
			l.discardRecords(func(lease *offset.Lease) bool { return lease == c.lease })
		}
		gone.recycleRecords()
		l.open.Store(l.builder.HeldBytes()) // before the queue shrinks, or the poller would count room that isn't there
		l.queued.Add(-gone.weight)
		switch {
		case waits:
			l.setAsideUntil(rest, l.schemas.FetchFor(ctx, missing.Ref, rest.polled))
		case uploads:
			l.setAsideUntil(rest, l.startUpload(ctx, upload))
		case len(rest.records) > 0 && err == nil:
			l.queue.putBack(rest)
		default:
			l.queue.finishRecords()
		}
		l.freed()
		if err != nil {
			return err
		}
	}
	return nil
}

// packPartition adds records of one partition until a batch is full, or memory with
// dead letters, or a call has come; it returns how many it is done with.
func (l *pipeline) packPartition(c fetchedRecords) (done int, err error) {
	if c.lease.Closed() {
		l.metrics.Skipped.WithLabelValues("revoked").Add(float64(len(c.records)))
		l.parallel.discardOutput() // else its output would be taken for that of records at the same addresses
		l.cancelUploads(func(lease *offset.Lease) bool { return lease == c.lease })
		return len(c.records), nil
	}
	if c.lease.Stopped() != nil {
		return 0, errStopped
	}
	l.packing.Store(c.lease)
	filtered := 0
	defer func() { l.countFiltered(c.lease.Topic, filtered) }()
	var now time.Time
	for i, r := range c.records {
		if l.hasCalls() {
			return i, nil
		}
		if i == 0 || !l.armed {
			now = time.Now() // a batch may be opened now, and the records before may have taken long
		}
		next := offset.MarkAfter(r.Offset, r.LeaderEpoch)
		if r.Attrs.IsControl() {
			l.builder.FlushRecord()
			c.lease.SkipRecords(next, 1)
			continue
		}
		buf, err := l.convertRecord(c, i)
		if errors.Is(err, convert.ErrFiltered) {
			filtered++
			l.skipFiltered(c, r, next)
			continue
		}
		if err != nil {
			buf, err = l.packClaimCheck(c, i, err)
		}
		if err != nil {
			if err := l.handleBadRecord(c, r, err); err != nil {
				return i, err
			}
			if l.isCrowded() {
				return i + 1, nil
			}
			continue
		}
		if full := l.builder.AddRecord(now, c.lease, next, c.polled, buf); full != nil {
			l.queueSealed(full)
			return i + 1, nil
		}
		if !l.armed {
			l.armLinger(minPacking)
		}
	}
	return len(c.records), nil
}

// convertRecord appends record i of c to the builder's buffer.
func (l *pipeline) convertRecord(c fetchedRecords, i int) ([]byte, error) {
	if l.parallel == nil {
		return l.convert.Append(l.builder.AppendBuffer(), c.records[i])
	}
	return l.parallel.appendRecord(l.builder.AppendBuffer(), c, i, &l.queue)
}

// skipFiltered passes over a record that RECORD_FILTER leaves out.
func (l *pipeline) skipFiltered(c fetchedRecords, r *kgo.Record, next offset.Mark) {
	if l.leftOut != nil {
		l.leftOut(leftOutRecord{leases: []*offset.Lease{c.lease}, offset: r.Offset, values: 1, reason: string(convert.Filtered)})
	}
	l.builder.FlushRecord()
	c.lease.SkipRecords(next, 1)
}

// applyLimits asks the stream how much the open batch may hold at its pace now.
func (l *pipeline) applyLimits() {
	limits := l.limits
	records, bytes := l.stream.BatchLimits()
	limits.Records, limits.Bytes = min(limits.Records, records), min(l.batchBytes(), bytes)
	l.builder.SetLimits(limits)
}

func (l *pipeline) sealBatch() {
	if b := l.builder.SealBatch(); b != nil {
		l.queueSealed(b)
	}
	l.open.Store(0)
}

func (l *pipeline) queueSealed(b *batch.Batch) {
	l.sent.Add(b.HeldBytes())
	b.OnRelease(func(n int64) {
		l.sent.Add(-n)
		l.freed()
		l.wakeBatcher()
	})
	l.waiting = append(l.waiting, b)
	l.armed = false
	if l.destination != nil {
		l.destination.NoteSent()
	}
}

// discardRecords removes the queued records of the given leases, and returns their number.
func (l *pipeline) discardRecords(of func(*offset.Lease) bool) (records int) {
	weight, records := l.queue.removeLeases(of)
	l.queued.Add(-weight)
	l.parallel.discardOutput()
	l.cancelUploads(of)
	return records
}

// dropLeases discards the queued records of the given leases and seals the open batch if
// it holds some of them.
func (l *pipeline) dropLeases(of func(*offset.Lease) bool) {
	records := l.discardRecords(of)
	l.metrics.Skipped.WithLabelValues("revoked").Add(float64(records))
	if l.builder.HoldsLease(of) {
		l.sealBatch()
	}
	l.freed()
}
