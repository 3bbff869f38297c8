package connector

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"kafka-firehose/connector/firehose"
	"kafka-firehose/connector/preflight"
)

// streamCheck is the check of a delivery stream at the start. It runs beside the group's join. Until it
// has passed, fetched records stay in the queue of the stream's pipeline: none is converted, sent, skipped or
// committed, and a revoke or a stop drops them without a drain. The queue has the bounds that it has for a
// stream that is down, so nothing else waits for the check.
type streamCheck struct {
	preflight.StreamCheck
	held     atomic.Bool           // the check has not passed; false without a check
	unusable atomic.Bool           // the last completed check has found that the stream can't be used
	reason   atomic.Pointer[error] // why it has not passed; nil before the first answer
	failures atomic.Int64          // descriptions of the stream that failed, or have shown that it can't be used yet
}

// runOnce is Run, and counts it if the stream can't be used.
func (s *streamCheck) runOnce(ctx context.Context) error {
	err := s.Run(ctx)
	if err != nil && ctx.Err() == nil {
		s.failures.Add(1)
	}
	return err
}

// lastError returns why records of the stream are held, nil when they are not.
func (s *streamCheck) lastError() error {
	if !s.held.Load() {
		return nil
	}
	if reason := s.reason.Load(); reason != nil {
		return *reason
	}
	return errors.New("DescribeDeliveryStream was not answered yet")
}

// newStreamCheck prepares the check of the pipeline's stream, number n of those with the same client. No
// record is held if FIREHOSE_STARTUP_CHECK is off.
func (c *Connector) newStreamCheck(l *pipeline, client *firehose.Client, stream string, n int) {
	check := &l.check
	check.held.Store(c.cfg.Firehose.StartupCheck)
	check.StreamCheck = preflight.StreamCheck{
		API: client, Stream: stream, Sends: c.cfg.sentRecords(stream), Log: c.log, Delay: preflight.CheckDelay(n),
		Described: l.stream.SetDescription,
		Waiting: func(reason error) {
			reason = fmt.Errorf("the delivery stream is not checked yet: %w", reason)
			check.reason.Store(&reason)
			check.failures.Add(1)
		},
	}
}

// checkStreams checks every delivery stream whose records are held, in goroutines that start makes and that end
// with ctx. If no stream can be used, the connector ends with the error of each.
func (c *Connector) checkStreams(ctx context.Context, start func(name string, do func())) {
	var mu sync.Mutex
	unusable := map[string]error{}
	for name, l := range c.pipelines {
		if !l.check.held.Load() {
			continue
		}
		result := func(err error) {
			mu.Lock()
			defer mu.Unlock()
			if unusable[name] = err; err == nil {
				delete(unusable, name)
			}
			if len(unusable) == len(c.pipelines) {
				c.fail(joinSorted(unusable))
			}
		}
		start("checking stream "+name, func() { l.checkStream(ctx, result) })
	}
}

// checkStreamsFirst checks the streams before a bounded run begins, so that one whose streams don't exist begins nothing. It returns
// the error of each if none can be used. If some can, checkStreams holds the records of the others.
func (c *Connector) checkStreamsFirst(ctx context.Context, streams []string) error {
	unusable := map[string]error{}
	for _, name := range streams {
		l := c.pipelines[name]
		if !l.check.held.Load() {
			return nil // without a check all can be used
		}
		err := l.check.runOnce(ctx)
		if err == nil {
			l.passCheck()
			return nil
		}
		unusable[name] = fmt.Errorf("stream %s: %w", name, err)
	}
	return joinSorted(unusable)
}

// passCheck has the records of the stream sent from now on.
func (l *pipeline) passCheck() {
	if l.check.unusable.Swap(false) {
		l.stream.SetUsable(true)
		l.log.Info("delivery stream can be used: its records are sent")
	}
	l.check.held.Store(false)
	l.wakeBatcher()
}

// joinSorted joins errors in the order of their keys.
func joinSorted(of map[string]error) error {
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(of)) {
		errs = append(errs, of[name])
	}
	return errors.Join(errs...)
}

// checkStream checks the pipeline's stream until it has passed or ctx ends, and calls result after each check. While
// the stream can't be used, its records are held, and those of other streams are not.
func (l *pipeline) checkStream(ctx context.Context, result func(error)) {
	check := &l.check
	for ctx.Err() == nil {
		err := check.runOnce(ctx)
		if ctx.Err() != nil {
			return
		}
		result(err)
		switch {
		case err == nil:
			l.passCheck()
			return
		case ctx.Err() == nil: // another stream can be used, or may be
			reason := fmt.Errorf("blocked: %w", err)
			check.reason.Store(&reason)
			check.unusable.Store(true)
			l.stream.SetUsable(false)
			l.log.Error("delivery stream can't be used: its records are held until a check passes; checking again within a minute", "error", err)
		}
		check.Delay = preflight.RecheckDelay()
	}
}
