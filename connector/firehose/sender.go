package firehose

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"kafka-firehose/connector/batch"
	"kafka-firehose/connector/firehose/limiter"
	"kafka-firehose/connector/firehose/putbatch"
)

// sender is the loop of a stream. One goroutine owns everything here, so nothing needs a lock.
// It starts requests and settles their results; workers make the calls and do nothing else:
//
//	batches ──> fresh ──┐
//	                    ├── compose ──> worker ──> finish ──> settled
//	            retries ┘                             │ the rest
//	               └──────────── backoff <────────────┘
//
// Whatever happens is an event for the loop, and after each event it starts all requests that
// may start. Nothing else wakes it but the timer, which stands for what only time changes: a
// retry that becomes due, or the next request that the limiter allows.
type sender struct {
	*Stream

	limiter *limiter.Limiter
	fresh   *delivery   // the next batch, until its first request; nil if there is none
	retries retryQueue  // deliveries that wait for their next request
	flying  []*request  // in flight
	refused []*delivery // with a record that OnRefused has been asked about
	open    int         // deliveries that are not settled
	history requestHistory
	revoked pendingRevocations
	workers sendWorkers

	unusable bool   // see SetUsable
	key      string // the ARN of the customer managed key that encrypts the stream; empty if there is none or it is not known
}

// sendWorkers make the calls. One is started when all others are busy, and stays: a request goes
// through forty functions of the SDK, and to grow a new stack for them costs as much as to sign it.
type sendWorkers struct {
	count    int
	running  sync.WaitGroup
	calls    chan *request    // to them; holds all that may be in flight
	results  chan *request    // from them; the same
	verdicts chan proofResult // of OnRefused
	timer    *time.Timer
}

// request is one PutRecordBatch, from when it is composed until its result is settled.
type request struct {
	number     int64
	deliveries []*delivery
	batches    []*batch.Batch // theirs
	load       limiter.Load
	started    time.Time
	permit     limiter.Request
	probe      bool // the breaker was not closed
	timeout    time.Duration

	putbatch.Result // set by the worker
}

// proofResult is what OnRefused returned for record i of a delivery.
type proofResult struct {
	delivery *delivery
	i        int
	err      error
}

func newSender(s *Stream) *sender {
	rates := s.cfg.Rates()
	most := s.cfg.MaxInFlight + 1 // a probe may start while older requests still wait for their answers
	l := &sender{
		Stream: s,
		limiter: limiter.New(limiter.Config{
			Max:         rates.limit(),
			Quota:       rates.quota(),
			MaxRequest:  limiter.Load{Bytes: float64(s.cfg.BatchMaxBytes), Records: float64(s.cfg.BatchMaxRecords)},
			MaxInFlight: s.cfg.MaxInFlight,
			Timeout:     s.cfg.RequestTimeout,
			Random:      rand.Float64,
			Yields:      s.cfg.Yields,
		}),
		workers: sendWorkers{
			calls: make(chan *request, most), results: make(chan *request, most),
			verdicts: make(chan proofResult), timer: time.NewTimer(time.Hour),
		},
	}
	l.workers.timer.Stop()
	return l
}

// runLoop sends batches until the channel is closed and all is settled, or until ctx ends.
func (s *sender) runLoop(ctx context.Context, batches <-chan *batch.Batch, fail func(error)) {
	defer s.workers.stopWorkers()
	for {
		s.startRequests(ctx)
		s.publishState()
		in := batches
		if s.fresh != nil {
			in = nil // one waits already
		} else if batches == nil && s.open == 0 {
			return
		}
		select {
		case b, ok := <-in:
			if ok {
				s.acceptBatch(b)
			} else {
				batches = nil
			}
		case r := <-s.workers.results:
			s.finishRequest(ctx, r)
		case v := <-s.workers.verdicts:
			s.handleProof(ctx, v, fail)
		case change := <-s.changes:
			change(s)
		case <-s.workers.timer.C:
		case <-ctx.Done():
			s.abandonRest(ctx, fail)
			return
		}
	}
}

// acceptBatch takes over a batch.
func (s *sender) acceptBatch(b *batch.Batch) {
	now := time.Now()
	s.fresh = &delivery{batch: b, progress: now}
	if s.open++; s.open == 1 {
		s.history.progress.stalled = now
	}
}

// endDelivery forgets a delivery: all of it is settled, or never will be.
func (s *sender) endDelivery(now time.Time, d *delivery) {
	s.clearRefusals(d)
	s.releaseDelivery(now, d)
	if s.open--; s.open == 0 {
		s.history.progress.stalled = time.Time{}
	}
}

// abandonRest waits for the requests in flight. It settles the records that they delivered; all others
// stay unsettled.
func (s *sender) abandonRest(ctx context.Context, fail func(error)) {
	for len(s.flying) > 0 {
		s.finishRequest(ctx, <-s.workers.results)
	}
	for len(s.refused) > 0 {
		s.handleProof(ctx, <-s.workers.verdicts, fail)
	}
	s.fresh, s.retries, s.open, s.history.progress.stalled = nil, nil, 0, time.Time{}
	s.publishState()
}

// startRequests starts all requests that may start now, and sets the timer for the next one.
func (s *sender) startRequests(ctx context.Context) {
	for {
		now := time.Now()
		if s.fresh == nil && s.retries.countDue(now) == 0 {
			if len(s.retries) > 0 {
				s.workers.timer.Reset(s.retries[0].due.Sub(now))
			} else {
				s.workers.timer.Stop()
			}
			return
		}
		wait, ok := s.limiter.WaitTime(now)
		if !ok {
			s.workers.timer.Stop() // the next event is the result of a request
			return
		}
		if wait > 0 {
			if s.breakerClosed() {
				s.history.heldBack = now
			}
			s.workers.timer.Reset(wait)
			return
		}
		if deliveries := s.composeRequest(now); len(deliveries) > 0 {
			s.startRequest(ctx, now, deliveries)
		}
	}
}

func (s *sender) startRequest(ctx context.Context, now time.Time, deliveries []*delivery) {
	s.history.started++
	r := &request{number: s.history.started, deliveries: deliveries, started: now, probe: !s.breakerClosed()}
	for _, d := range deliveries {
		r.batches = append(r.batches, d.batch)
		r.load = r.load.Plus(d.requestLoad())
	}
	r.timeout = s.limiter.TimeLimit(r.load)
	r.permit = s.limiter.StartRequest(now, r.load)
	s.flying = append(s.flying, r)
	s.history.totals.Offered.addRecords(int(r.load.Records), int(r.load.Bytes))
	if w := &s.workers; w.count < len(s.flying) {
		w.count++
		w.running.Go(func() { s.runWorker(ctx) })
	}
	s.workers.calls <- r
}

// runWorker makes calls until there are none any more.
func (s *sender) runWorker(ctx context.Context) {
	for r := range s.workers.calls {
		r.Result = s.calls.PutBatches(ctx, r.timeout, r.batches)
		s.workers.results <- r
	}
}

// stopWorkers ends the workers. None is busy.
func (w *sendWorkers) stopWorkers() {
	w.timer.Stop()
	close(w.calls)
	w.running.Wait()
}

// breakerClosed reports whether the breaker lets requests go out.
func (s *sender) breakerClosed() bool { return s.limiter.CurrentBreaker() == limiter.BreakerClosed }

// removeRequest forgets a request that has ended.
func (s *sender) removeRequest(r *request) {
	i := slices.Index(s.flying, r)
	s.flying = slices.Delete(s.flying, i, i+1)
}
