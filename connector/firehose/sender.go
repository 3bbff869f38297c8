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
	history history
	revoked revocations
	workers workers

	unusable bool // see SetUsable
}

// workers make the calls. One is started when all others are busy, and stays: a request goes
// through forty functions of the SDK, and to grow a new stack for them costs as much as to sign it.
type workers struct {
	count    int
	running  sync.WaitGroup
	calls    chan *request // to them; holds all that may be in flight
	results  chan *request // from them; the same
	verdicts chan verdict  // of OnRefused
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

// verdict is what OnRefused returned for record i of a delivery.
type verdict struct {
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
		}),
		workers: workers{
			calls: make(chan *request, most), results: make(chan *request, most),
			verdicts: make(chan verdict), timer: time.NewTimer(time.Hour),
		},
	}
	l.workers.timer.Stop()
	return l
}

// run sends batches until the channel is closed and all is settled, or until ctx ends.
func (s *sender) run(ctx context.Context, batches <-chan *batch.Batch, fail func(error)) {
	defer s.workers.stop()
	for {
		s.startRequests(ctx)
		s.publish()
		in := batches
		if s.fresh != nil {
			in = nil // one waits already
		} else if batches == nil && s.open == 0 {
			return
		}
		select {
		case b, ok := <-in:
			if ok {
				s.accept(b)
			} else {
				batches = nil
			}
		case r := <-s.workers.results:
			s.finish(ctx, r)
		case v := <-s.workers.verdicts:
			s.decided(ctx, v, fail)
		case change := <-s.changes:
			change(s)
		case <-s.workers.timer.C:
		case <-ctx.Done():
			s.abandon(ctx, fail)
			return
		}
	}
}

// accept takes over a batch.
func (s *sender) accept(b *batch.Batch) {
	now := time.Now()
	s.fresh = &delivery{batch: b, progress: now}
	if s.open++; s.open == 1 {
		s.history.progress.hungry = now
	}
}

// end forgets a delivery: all of it is settled, or never will be.
func (s *sender) end(now time.Time, d *delivery) {
	s.soften(d)
	s.release(now, d)
	if s.open--; s.open == 0 {
		s.history.progress.hungry = time.Time{}
	}
}

// abandon waits for the requests in flight. It settles the records that they delivered; all others
// stay unsettled.
func (s *sender) abandon(ctx context.Context, fail func(error)) {
	for len(s.flying) > 0 {
		s.finish(ctx, <-s.workers.results)
	}
	for len(s.refused) > 0 {
		s.decided(ctx, <-s.workers.verdicts, fail)
	}
	s.fresh, s.retries, s.open, s.history.progress.hungry = nil, nil, 0, time.Time{}
	s.publish()
}

// startRequests starts all requests that may start now, and sets the timer for the next one.
func (s *sender) startRequests(ctx context.Context) {
	for {
		now := time.Now()
		if s.fresh == nil && s.retries.due(now) == 0 {
			if len(s.retries) > 0 {
				s.workers.timer.Reset(s.retries[0].due.Sub(now))
			} else {
				s.workers.timer.Stop()
			}
			return
		}
		wait, ok := s.limiter.Wait(now)
		if !ok {
			s.workers.timer.Stop() // the next event is the result of a request
			return
		}
		if wait > 0 {
			if s.closed() {
				s.history.heldBack = now
			}
			s.workers.timer.Reset(wait)
			return
		}
		if deliveries := s.compose(now); len(deliveries) > 0 {
			s.startRequest(ctx, now, deliveries)
		}
	}
}

func (s *sender) startRequest(ctx context.Context, now time.Time, deliveries []*delivery) {
	s.history.started++
	r := &request{number: s.history.started, deliveries: deliveries, started: now, probe: !s.closed()}
	for _, d := range deliveries {
		r.batches = append(r.batches, d.batch)
		r.load = r.load.Plus(d.load())
	}
	r.timeout = s.limiter.TimeLimit(r.load)
	r.permit = s.limiter.Start(now, r.load)
	s.flying = append(s.flying, r)
	s.history.totals.Offered.add(int(r.load.Records), int(r.load.Bytes))
	if w := &s.workers; w.count < len(s.flying) {
		w.count++
		w.running.Go(func() { s.work(ctx) })
	}
	s.workers.calls <- r
}

// work makes calls until there are none any more.
func (s *sender) work(ctx context.Context) {
	for r := range s.workers.calls {
		r.Result = s.calls.Put(ctx, r.timeout, r.batches)
		s.workers.results <- r
	}
}

// stop ends the workers. None is busy.
func (w *workers) stop() {
	w.timer.Stop()
	close(w.calls)
	w.running.Wait()
}

// closed reports whether the breaker lets requests go out.
func (s *sender) closed() bool { return s.limiter.Breaker() == limiter.BreakerClosed }

// removeRequest forgets a request that has ended.
func (s *sender) removeRequest(r *request) {
	i := slices.Index(s.flying, r)
	s.flying = slices.Delete(s.flying, i, i+1)
}
