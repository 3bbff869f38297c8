package connector

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/connector/batch"
	"kafka-firehose/connector/kafka"
	"kafka-firehose/connector/offset"
)

const (
	// blockedLimit is how long a stream may refuse everything until a bounded run gives it up: somebody has
	// to repair something, and the run can be resumed after that.
	blockedLimit = time.Minute
	// boundedLook is the time between two looks at the streams and at the settled records.
	boundedLook = 200 * time.Millisecond
	// boundedChunkBytes of records are queued at a time, so that the queue keeps to its share of the memory.
	boundedChunkBytes = 512 << 10
)

// boundedRun sends records that a command has chosen through the lanes of a Connector that has no source: the same
// conversion, batches and sender as the service's. Each stream that gets records has a feed, a goroutine that reads them,
// and only waits for the room of its own lane, so a stream that is down holds up no other.
type boundedRun struct {
	c     *Connector
	feeds []*laneFeed
	// dryRun takes the batches in the place of the streams, in one goroutine for each; nil to send them.
	dryRun func(*batch.Batch)

	hard context.Context // ends the lanes
	cut  context.CancelFunc
}

// laneFeed is the way of the chosen records into one lane.
type laneFeed struct {
	lane   *pipeline
	freed  chan struct{} // the lane has room again; holds one
	read   func(context.Context, *laneFeed) error
	cancel context.CancelCauseFunc
	put    sync.Mutex // one caller of queueRecords at a time waits for room
	err    error      // of read, when it has returned
}

// newBoundedRun prepares the run. reads are by stream; streams without one get nothing.
func newBoundedRun(c *Connector, reads map[string]func(context.Context, *laneFeed) error) *boundedRun {
	b := &boundedRun{c: c}
	for name, l := range c.pipelines {
		read := reads[name]
		if read == nil {
			delete(c.pipelines, name) // the check of a stream that gets nothing must not end the run
			continue
		}
		f := &laneFeed{lane: l, freed: make(chan struct{}, 1), read: read}
		l.freed = f.tellFreed
		b.feeds = append(b.feeds, f)
	}
	return b
}

func (f *laneFeed) tellFreed() {
	select {
	case f.freed <- struct{}{}:
	default:
	}
}

// run reads and sends until all feeds have ended or ctx ends, and then drains within SHUTDOWN_TIMEOUT. It
// returns the errors of the feeds.
func (b *boundedRun) run(ctx context.Context) error {
	soft, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	b.c.fail = fail
	b.hard, b.cut = context.WithCancel(context.WithoutCancel(ctx))
	defer b.cut()
	var lanes, reading taskGroup
	for _, f := range b.feeds {
		var feeding context.Context
		feeding, f.cancel = context.WithCancelCause(soft)
		defer f.cancel(nil)
		b.startLane(f, &lanes)
		reading.startTask("reading for stream "+f.lane.stream.StreamName(), func() {
			if f.err = f.read(feeding, f); f.err != nil && feeding.Err() != nil {
				f.err = context.Cause(feeding)
			}
		})
	}
	var checks taskGroup
	checking, stopChecking := context.WithCancel(soft)
	defer stopChecking()
	b.c.checkStreams(checking, checks.startTask)
	begin := time.Now()
	checks.startTask("watching the streams", func() { repeatEvery(checking, boundedLook, func() { b.giveUpBlocked(begin) }) })
	reading.all.Wait()
	stopChecking()
	left := append(b.drain(&lanes), checks.waitTasks(endGrace)...)
	var errs []error
	for _, f := range b.feeds {
		if f.err != nil {
			errs = append(errs, fmt.Errorf("stream %s: %w", f.lane.stream.StreamName(), f.err))
		}
	}
	if len(left) > 0 {
		errs = append(errs, fmt.Errorf("the stop left goroutines behind that did not end in time: %q", left))
	}
	return errors.Join(errs...)
}

// startLane starts the goroutines of a lane. In a dry run its batches are accepted at once.
func (b *boundedRun) startLane(f *laneFeed, lanes *taskGroup) {
	if b.dryRun == nil {
		f.lane.start(b.hard, lanes, f.cancel)
		return
	}
	lanes.startTask("converting for stream "+f.lane.stream.StreamName(), func() { f.lane.runBatcher(b.hard, f.cancel) })
	lanes.startTask("counting for stream "+f.lane.stream.StreamName(), func() {
		for sealed := range f.lane.sealed {
			b.dryRun(sealed)
			sealed.RetainRecords(func(int) bool { return false })
		}
	})
}

// drain sends the open batches and waits for the last answers.
func (b *boundedRun) drain(lanes *taskGroup) (left []string) {
	limit := b.c.cfg.ShutdownTimeout - commitReserve
	timeout := time.AfterFunc(limit, b.cut)
	defer timeout.Stop()
	for _, f := range b.feeds {
		f.lane.signalEnd()
	}
	return lanes.waitTasks(limit + endGrace)
}

// giveUpBlocked ends the feeds of streams that refuse everything, or whose check has not passed since begin.
func (b *boundedRun) giveUpBlocked(begin time.Time) {
	for _, f := range b.feeds {
		if s := f.lane.stream.State(); s.Blocked && time.Since(s.Since) >= blockedLimit {
			f.cancel(fmt.Errorf("blocked for %s: %w", blockedLimit, s.Reason))
		}
		if err := f.lane.check.lastError(); err != nil && time.Since(begin) >= 2*blockedLimit {
			f.cancel(err)
		}
	}
}

// queueRecords hands records of one partition to the lane, as soon as that has room for them. The error is ctx's.
func (f *laneFeed) queueRecords(ctx context.Context, lease *offset.Lease, records []*kgo.Record) error {
	f.put.Lock()
	defer f.put.Unlock()
	for len(records) > 0 {
		n, bytes := 0, 0
		for n < len(records) && bytes < boundedChunkBytes {
			bytes += kafka.RecordSize(records[n])
			n++
		}
		next := records[:n:n]
		_, weight := kafka.Weigh(next)
		if err := f.waitForRoom(ctx, weight); err != nil {
			return err
		}
		lease.RegisterRecords(next[0].Offset, next[n-1].Offset, n)
		f.lane.enqueueChunk(fetchedRecords{lease: lease, records: next, weight: weight, polled: time.Now()})
		records = records[n:]
	}
	return nil
}

// waitForRoom waits until the lane can take so many bytes. An empty lane takes any number.
func (f *laneFeed) waitForRoom(ctx context.Context, weight int64) error {
	for f.lane.heldBytes() > 0 && f.lane.freeBytes() < weight {
		select {
		case <-f.freed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return ctx.Err()
}

// waitSettled waits until done, which it asks now and then.
func waitSettled(ctx context.Context, done func() bool) error {
	ticks := time.NewTicker(boundedLook)
	defer ticks.Stop()
	for !done() {
		select {
		case <-ticks.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}
