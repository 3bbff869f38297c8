package connector

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/connector/batch"
	"kafka-firehose/connector/firehose"
	"kafka-firehose/connector/kafka"
	"kafka-firehose/connector/offset"
)

const (
	// blockedLimit is how long a stream may refuse everything until a bounded run ends: an operator has
	// to repair something, and the run can be resumed after that.
	blockedLimit = time.Minute
	// boundedCheckInterval is the time between two looks at the streams and at the settled records.
	boundedCheckInterval = 200 * time.Millisecond
	// boundedQueueBytes of records are queued at a time, so that the queue keeps to its share of the memory.
	boundedQueueBytes = 512 << 10
)

// boundedRun sends records that a command has chosen through the pipelines of a Connector that has no source: the same
// conversion, batches and sender as the service's. Each stream that gets records has a feed, a goroutine that reads them,
// and only waits for the room of its own pipeline, so a stream that is down holds up no other.
type boundedRun struct {
	c     *Connector
	feeds []*pipelineFeed
	// dryRun takes the batches in the place of the streams, in one goroutine for each; nil to send them.
	dryRun func(*batch.Batch)
}

// pipelineFeed is the way of the chosen records into one pipeline.
type pipelineFeed struct {
	pipeline *pipeline
	freed    chan struct{} // the pipeline has room again; holds one
	read     func(context.Context, *pipelineFeed) error
	cancel   context.CancelCauseFunc
	put      sync.Mutex // one caller of queueRecords at a time waits for room
	err      error      // of read, when it has returned
	// refusedSince is since when each failure was of the credentials; zero if the last one was not. It belongs to giveUpBlocked.
	refusedSince time.Time
}

// newBoundedRun prepares the run. reads are by stream; streams without one get nothing.
func newBoundedRun(c *Connector, reads map[string]func(context.Context, *pipelineFeed) error) *boundedRun {
	b := &boundedRun{c: c}
	for name, l := range c.pipelines {
		read := reads[name]
		if read == nil {
			delete(c.pipelines, name) // the check of a stream that gets nothing must not end the run
			continue
		}
		f := &pipelineFeed{pipeline: l, freed: make(chan struct{}, 1), read: read}
		l.freed = func() { wakeUp(f.freed) }
		b.feeds = append(b.feeds, f)
	}
	return b
}

// run reads and sends until all feeds have ended or ctx ends, and then drains within SHUTDOWN_TIMEOUT. It
// returns the errors of the feeds.
func (b *boundedRun) run(ctx context.Context) error {
	soft, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	b.c.fail = fail
	hard, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	var pipelines, reading taskGroup
	for _, f := range b.feeds {
		var feeding context.Context
		feeding, f.cancel = context.WithCancelCause(soft)
		defer f.cancel(nil)
		b.startPipeline(hard, f, &pipelines)
		reading.startTask("reading for stream "+f.pipeline.stream.StreamName(), func() {
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
	checks.startTask("watching the streams", func() { repeatEvery(checking, boundedCheckInterval, func() { b.giveUpBlocked(begin) }) })
	reading.all.Wait()
	stopChecking()
	left := append(b.drain(&pipelines, cut), checks.waitTasks(endGrace)...)
	var errs []error
	for _, f := range b.feeds {
		if f.err != nil {
			errs = append(errs, fmt.Errorf("stream %s: %w", f.pipeline.stream.StreamName(), f.err))
		}
	}
	if len(left) > 0 {
		errs = append(errs, fmt.Errorf("the stop left goroutines behind that did not end in time: %q", left))
	}
	return errors.Join(errs...)
}

// startPipeline starts the goroutines of a pipeline, which end with ctx or after the pipeline's end. In a dry run its batches
// are accepted at once.
func (b *boundedRun) startPipeline(ctx context.Context, f *pipelineFeed, pipelines *taskGroup) {
	if b.dryRun == nil {
		f.pipeline.start(ctx, pipelines, f.cancel)
		return
	}
	pipelines.startTask("converting for stream "+f.pipeline.stream.StreamName(), func() { f.pipeline.batcher.runBatcher(ctx, f.cancel) })
	pipelines.startTask("counting for stream "+f.pipeline.stream.StreamName(), func() {
		for sealed := range f.pipeline.sealed {
			b.dryRun(sealed)
			sealed.RetainRecords(func(int) bool { return false })
		}
	})
}

// drain sends the open batches and waits for the last answers. If they take too long, cut ends the pipelines.
func (b *boundedRun) drain(pipelines *taskGroup, cut func()) (left []string) {
	limit := b.c.cfg.ShutdownTimeout - commitReserve
	timeout := time.AfterFunc(limit, cut)
	defer timeout.Stop()
	for _, f := range b.feeds {
		f.pipeline.signalEnd()
	}
	return pipelines.waitTasks(limit + endGrace)
}

// giveUpBlocked ends the feeds of streams that refuse everything, whose credentials are refused, or whose check has not passed since
// begin.
func (b *boundedRun) giveUpBlocked(begin time.Time) {
	for _, f := range b.feeds {
		if s := f.pipeline.stream.State(); s.Blocked && time.Since(s.Since) >= blockedLimit {
			f.cancel(fmt.Errorf("blocked for %s: %w", blockedLimit, s.Reason))
		}
		if err := f.checkCredentials(f.pipeline.stream.State()); err != nil {
			f.cancel(err)
		}
		if err := f.pipeline.check.lastError(); err != nil && time.Since(begin) >= 2*blockedLimit {
			f.cancel(err)
		}
	}
}

// checkCredentials returns why the stream has refused the credentials for too long to be a rotation. A service waits for better ones; a
// run would never end.
func (f *pipelineFeed) checkCredentials(s firehose.State) error {
	switch {
	case s.CredentialsRefused == nil:
		f.refusedSince = time.Time{}
	case f.refusedSince.IsZero():
		f.refusedSince = time.Now()
	case time.Since(f.refusedSince) >= blockedLimit:
		return fmt.Errorf("no usable credentials for %s: %w", blockedLimit, s.CredentialsRefused)
	}
	return nil
}

// queueRecords hands records of one partition to the pipeline, as soon as that has room for them. The error is ctx's.
func (f *pipelineFeed) queueRecords(ctx context.Context, lease *offset.Lease, records []*kgo.Record) error {
	f.put.Lock()
	defer f.put.Unlock()
	for len(records) > 0 {
		n, bytes := 0, 0
		for n < len(records) && bytes < boundedQueueBytes {
			bytes += kafka.RecordSize(records[n])
			n++
		}
		next := records[:n:n]
		_, weight := kafka.Weigh(next)
		if err := f.waitForRoom(ctx, weight); err != nil {
			return err
		}
		lease.RegisterRecords(next[0].Offset, next[n-1].Offset, n)
		f.pipeline.enqueueRecords(fetchedRecords{lease: lease, records: next, weight: weight, polled: time.Now()})
		records = records[n:]
	}
	return nil
}

// waitForRoom waits until the pipeline has room for weight bytes. An empty pipeline takes any number.
func (f *pipelineFeed) waitForRoom(ctx context.Context, weight int64) error {
	for f.pipeline.heldBytes() > 0 && f.pipeline.freeBytes() < weight {
		select {
		case <-f.freed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return ctx.Err()
}

// commitUntilStopped has commit commit the progress of a run with ctx at each interval, and once more when stop is called. An
// error of commit before that is handed to fail, because more would be sent again at the next start; stop returns the error of the
// last commit.
func commitUntilStopped(ctx context.Context, interval time.Duration, commit func(context.Context) error, fail context.CancelCauseFunc) (stop func() error) {
	committing, stopCommitting := context.WithCancel(context.WithoutCancel(ctx))
	var loop sync.WaitGroup
	loop.Go(func() {
		repeatEvery(committing, interval, func() {
			if err := commit(committing); err != nil && committing.Err() == nil {
				fail(err)
			}
		})
	})
	return func() error {
		stopCommitting()
		loop.Wait()
		last, cancel := lastCommitContext(ctx)
		defer cancel()
		return commit(last)
	}
}

// lastCommitContext is for the last commit of a run with ctx. After a signal that has the time that a drain leaves to it.
func lastCommitContext(ctx context.Context) (context.Context, context.CancelFunc) {
	last := context.WithoutCancel(ctx)
	if ctx.Err() != nil {
		return context.WithTimeout(last, commitReserve)
	}
	return context.WithCancel(last)
}

// doneShare is how much of all is done, from 0 to 1.
func doneShare(done, all int64) float64 {
	if all == 0 {
		return 1
	}
	return float64(done) / float64(all)
}

// waitSettled waits until done is true, which it calls at intervals. The error is ctx's.
func waitSettled(ctx context.Context, done func() bool) error {
	ticks := time.NewTicker(boundedCheckInterval)
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
