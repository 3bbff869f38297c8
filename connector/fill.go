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

// fill converts and seals until ctx ends, the lane is told to end, or a record
// ends the connector, for which it calls fail. No more than one sealed batch waits
// while the next one is filled, so that records that can't be sent stay in the queue,
// where they can still be dropped.
func (l *lane) fill(ctx context.Context, fail func(error)) {
	defer close(l.ended)
	defer close(l.sealed)
	l.linger = l.newLinger()
	defer l.linger.Stop()
	for {
		if err := l.pack(ctx); err != nil {
			fail(err)
			l.seal() // the records before the bad record go out with the drain that follows
			l.hand(ctx)
			return
		}
		l.arm(0)
		var out chan *batch.Batch
		var next *batch.Batch
		if len(l.waiting) > 0 {
			out, next = l.sealed, l.waiting[0]
		}
		// If pack was interrupted, one of asks, ending and due is ready.
		select {
		case <-ctx.Done():
			return
		case out <- next:
			l.waiting = slices.Delete(l.waiting, 0, 1)
		case <-l.due:
			l.sealDue()
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

// hand passes on everything sealed, and answers asks meanwhile.
func (l *lane) hand(ctx context.Context) {
	for len(l.waiting) > 0 {
		select {
		case <-ctx.Done():
			return
		case l.sealed <- l.waiting[0]:
			l.waiting = slices.Delete(l.waiting, 0, 1)
		case a := <-l.asks:
			l.answer(a)
		}
	}
}

// leastPacking is how long a batch fills at least while there are records in the queue, however
// short the linger is: it is meant for records that are still to come.
const leastPacking = 20 * time.Millisecond

// newLinger returns a stopped timer that sends to due. It is no channel of time's own, whose
// length is always 0, because called has to look at it for each record.
func (l *lane) newLinger() *time.Timer {
	t := time.AfterFunc(time.Hour, func() {
		select {
		case l.due <- struct{}{}:
		default:
		}
	})
	t.Stop()
	return t
}

// arm sets the timer to the moment when the open batch is due, and no earlier than least from
// now. While memory is full the batch could not be sent: the timer is stopped, and set again
// when a batch or a dead letter has settled.
func (l *lane) arm(least time.Duration) {
	due, open := l.builder.Due()
	if l.armed = open && !l.full(); l.armed {
		l.linger.Reset(max(time.Until(due), least))
	} else {
		l.linger.Stop()
	}
}

// sealDue seals the open batch if it has lingered long enough. The timer may have fired for
// the batch before.
func (l *lane) sealDue() {
	if due, open := l.builder.Due(); open && !time.Now().Before(due) && !l.full() {
		l.seal()
	}
}

// pack moves records from the queue into batches until one is sealed, the queue has none that
// can be converted now, the memory is full, or a call has come. It moves none before the check of the
// delivery stream has passed, and none while the stream is held because of its destination. A partition whose next record waits for a schema or for its
// upload is set aside.
func (l *lane) pack(ctx context.Context) error {
	for !l.check.held.Load() && !l.sendsNothing() && len(l.waiting) == 0 && !l.crowded() && !l.called() {
		c, ok := l.queue.take()
		if !ok {
			return nil
		}
		l.limit()
		done, err := l.packChunk(c)
		missing, waits := errors.AsType[*convert.Missing](err)
		upload, uploads := errors.AsType[*claimUpload](err)
		stopped := errors.Is(err, errStopped)
		if waits || uploads || stopped {
			err = nil
		}
		l.builder.Flush()
		gone, rest := c.split(done)
		if stopped {
			gone, rest = c, chunk{}
			l.discard(func(lease *offset.Lease) bool { return lease == c.lease })
		}
		gone.recycle()
		l.open.Store(l.builder.Held()) // before the queue shrinks, or the poller sees room that isn't there
		l.queued.Add(-gone.weight)
		switch {
		case waits:
			l.await(rest, l.schemas.FetchFor(ctx, missing.Ref, rest.polled))
		case uploads:
			l.await(rest, l.startUpload(ctx, upload))
		case len(rest.records) > 0 && err == nil:
			l.queue.putBack(rest)
		}
		l.freed()
		if err != nil {
			return err
		}
	}
	return nil
}

// packChunk adds records of one partition until a batch is full, or memory with
// dead letters, or a call has come; it returns how many it is done with.
func (l *lane) packChunk(c chunk) (done int, err error) {
	if c.lease.Closed() {
		l.metrics.Skipped.WithLabelValues("revoked").Add(float64(len(c.records)))
		l.ahead.forget() // else its output would be taken for that of records at the same addresses
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
		if l.called() {
			return i, nil
		}
		if i == 0 || !l.armed {
			now = time.Now() // a batch may be opened now, and the records before may have taken long
		}
		next := offset.After(r.Offset, r.LeaderEpoch)
		if r.Attrs.IsControl() {
			l.builder.Flush()
			c.lease.Skip(next, 1)
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
			if err := l.reject(c, r, err); err != nil {
				return i, err
			}
			if l.crowded() {
				return i + 1, nil
			}
			continue
		}
		if full := l.builder.Add(now, c.lease, next, c.polled, buf); full != nil {
			l.queueSealed(full)
			return i + 1, nil
		}
		if !l.armed {
			l.arm(leastPacking)
		}
	}
	return len(c.records), nil
}

// convertRecord appends record i of c to the builder's buffer.
func (l *lane) convertRecord(c chunk, i int) ([]byte, error) {
	if l.ahead == nil {
		return l.convert.Append(l.builder.Buffer(), c.records[i])
	}
	return l.ahead.append(l.builder.Buffer(), c, i, &l.queue)
}

// skipFiltered passes over a record that RECORD_FILTER leaves out.
func (l *lane) skipFiltered(c chunk, r *kgo.Record, next offset.Mark) {
	if l.leftOut != nil {
		l.leftOut(leftOutRecord{leases: []*offset.Lease{c.lease}, offset: r.Offset, values: 1, reason: string(convert.Filtered)})
	}
	l.builder.Flush()
	c.lease.Skip(next, 1)
}

// limit asks the stream how much the open batch may hold at its pace now.
func (l *lane) limit() {
	limits := l.limits
	records, bytes := l.stream.Limits()
	limits.Records, limits.Bytes = min(limits.Records, records), min(l.batchBytes(), bytes)
	l.builder.SetLimits(limits)
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
	l.armed = false
	if l.destination != nil {
		l.destination.Sent()
	}
}

// discard removes the queued records of the given leases, and returns their number.
func (l *lane) discard(of func(*offset.Lease) bool) (records int) {
	weight, records := l.queue.remove(of)
	l.queued.Add(-weight)
	l.ahead.forget()
	l.cancelUploads(of)
	return records
}

// giveUp discards the queued records of the given leases and seals the open batch if
// it holds some of them.
func (l *lane) giveUp(of func(*offset.Lease) bool) {
	records := l.discard(of)
	l.metrics.Skipped.WithLabelValues("revoked").Add(float64(records))
	if l.builder.Holds(of) {
		l.seal()
	}
	l.freed()
}
