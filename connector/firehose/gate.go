package firehose

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"kafka-firehose/connector/firehose/limiter"
)

// gate decides which batch is sent when the limiter lets a request start. Batches
// wait in two queues, first come first served. Retries are sent before new batches,
// because the oldest record holds back the commit.
//
// Nothing polls. The gate is looked at when something changes, and one timer
// stands for what only time changes.
type gate struct {
	mu      sync.Mutex
	limiter *limiter.Limiter
	failure *Failure     // the last one while the breaker is not closed
	flying  limiter.Load // of the requests in flight
	queues  [2][]*waiter
	probed  class // that the last probe was of
	timer   *time.Timer
	changed func() // called after each change, with mu held, for the gauges
}

// class is a queue's place in gate.queues.
type class int

const (
	retries class = iota
	fresh
)

// waiter is one who wants to send.
type waiter struct {
	class class
	size  limiter.Load // of the request; zero when the batch isn't sealed yet
	ready chan *Slot   // gets the slot; has room for it
	rider *rider       // what it has to send, if that may share a request; else nil
	since time.Time    // when it came
}

// ripe is how long a small retry lets new batches go first, so that others join
// it and fill a request.
const ripe = 100 * time.Millisecond

// Slot is the permission to have one request in flight.
type Slot struct {
	gate    *gate
	request limiter.Request
	size    limiter.Load // of the request in flight, once it is
	timeout time.Duration
	probe   bool // the breaker was not closed
	done    bool

	riders []*rider // that share the request
}

func newGate(cfg Config) *gate {
	return &gate{
		limiter: limiter.New(limiter.Config{
			Max:         limiter.Load{Bytes: float64(cfg.MaxBytesPerSecond), Records: float64(cfg.MaxRecordsPerSecond)},
			Quota:       limiter.Load{Bytes: float64(cfg.QuotaBytesPerSecond), Records: float64(cfg.QuotaRecordsPerSecond)},
			MaxRequest:  limiter.Load{Bytes: float64(cfg.BatchMaxBytes), Records: float64(cfg.BatchMaxRecords)},
			MaxInFlight: cfg.MaxInFlight,
			Timeout:     cfg.RequestTimeout,
			Random:      rand.Float64,
		}),
		changed: func() {},
	}
}

// acquire waits for permission to send a request of the given size. The zero
// size stands for a batch that isn't sealed yet: it is taken to be as large as
// it may be, and start puts that right. With a rider, the request may share the
// one of somebody else: then the slot is nil, and what became of it is r's fate.
func (g *gate) acquire(ctx context.Context, c class, size limiter.Load, r *rider) (*Slot, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	w := &waiter{class: c, size: size, ready: make(chan *Slot, 1), rider: r, since: time.Now()}
	g.mu.Lock()
	g.queues[c] = append(g.queues[c], w)
	g.admit()
	g.mu.Unlock()
	select {
	case s := <-w.ready:
		return s, nil
	case <-ctx.Done():
	}
	g.mu.Lock()
	i := slices.Index(g.queues[c], w)
	if i >= 0 {
		g.queues[c] = slices.Delete(g.queues[c], i, i+1)
		g.admit()
	}
	g.mu.Unlock()
	if i < 0 {
		// Let in between the two. A slot goes back. A ride can't be left: the
		// batch is in somebody else's hands until its fate is known.
		s := <-w.ready
		if s == nil {
			return nil, nil
		}
		s.Release()
	}
	return nil, ctx.Err()
}

// admit lets in as many as may go now and sets the timer for the next. mu is held.
func (g *gate) admit() {
	defer g.changed()
	for {
		w := g.next()
		if w == nil {
			g.stop()
			return
		}
		d, ok := g.limiter.Wait(time.Now())
		if !ok {
			g.stop() // the end of a request looks again
			return
		}
		if d > 0 {
			g.wake(d)
			return
		}
		g.grant(w)
	}
}

// next is who comes first, nil for nobody. While the breaker isn't closed the
// queues take turns with the probes: what is refused alone for ever must not be
// all that is ever tried.
func (g *gate) next() *waiter {
	first := retries
	if closed := g.closed(); !closed && g.probed == retries || closed && !g.ripe() {
		first = fresh
	}
	for _, c := range []class{first, 1 - first} {
		if q := g.queues[c]; len(q) > 0 {
			return q[0]
		}
	}
	return nil
}

// ripe reports whether the retries should go now: together they fill half a
// request, or the first has waited long enough.
func (g *gate) ripe() bool {
	q := g.queues[retries]
	if len(q) == 0 {
		return false
	}
	var sum limiter.Load
	for _, w := range q {
		sum = sum.Plus(w.size)
	}
	return sum.Exceeds(g.limiter.MaxRequest().Times(0.5)) || time.Since(q[0].since) >= ripe
}

func (g *gate) grant(w *waiter) {
	g.queues[w.class][0] = nil // or it would keep its batch
	g.queues[w.class] = g.queues[w.class][1:]
	if w.size == (limiter.Load{}) {
		w.size = g.limiter.MaxRequest()
	}
	s := &Slot{gate: g, request: g.limiter.Start(time.Now(), w.size), size: w.size, probe: !g.closed()}
	if s.probe {
		g.probed = w.class
	}
	if w.rider != nil {
		g.fill(s)
	}
	w.ready <- s
}

// fill puts other retries on a retry's request, as far as it can hold them. Of a
// batch of which one record in five fails, the last few would otherwise take as
// many requests as all the others together.
func (g *gate) fill(s *Slot) {
	limit, size := g.limiter.MaxRequest(), s.size
	g.queues[retries] = slices.DeleteFunc(g.queues[retries], func(w *waiter) bool {
		if w.rider == nil || size.Plus(w.size).Exceeds(limit) {
			return false
		}
		size = size.Plus(w.size)
		s.riders = append(s.riders, w.rider)
		w.ready <- nil
		return true
	})
}

// wake looks again after d. mu is held.
func (g *gate) wake(d time.Duration) {
	if g.timer != nil {
		g.timer.Reset(d)
		return
	}
	g.timer = time.AfterFunc(d, func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.admit()
	})
}

func (g *gate) stop() {
	if g.timer != nil {
		g.timer.Stop()
	}
}

// start says what the slot's request really holds, right before it goes out.
func (s *Slot) start(size limiter.Load) {
	g := s.gate
	g.mu.Lock()
	defer g.mu.Unlock()
	s.request = g.limiter.Resize(time.Now(), s.request, size)
	s.size, s.timeout = size, g.limiter.TimeLimit(size)
	g.flying = g.flying.Plus(size)
	g.admit()
}

// finish enters the result of the slot's request, f if it failed as a whole, and gives
// the slot back. It returns the limiter's state before and after that.
func (s *Slot) finish(result limiter.Result, f *Failure) (before, after limiter.State) {
	g := s.gate
	g.mu.Lock()
	defer g.mu.Unlock()
	before = g.limiter.Snapshot()
	g.limiter.Observe(time.Now(), s.request, result)
	after = g.limiter.Snapshot()
	switch {
	case after.Breaker == limiter.BreakerClosed:
		g.failure = nil
	case f != nil && (s.probe || before.Breaker != after.Breaker):
		g.failure = f
	}
	g.flying = g.flying.Plus(s.size.Times(-1))
	s.leave()
	return before, after
}

// end gives the slot back after a request whose result is nobody else's business.
func (s *Slot) end() { s.finish(limiter.Result{Outcome: limiter.Canceled}, nil) }

// closed reports whether the breaker lets requests go out. It needs mu.
func (g *gate) closed() bool { return g.limiter.Breaker() == limiter.BreakerClosed }

// isClosed is closed for callers without mu.
func (g *gate) isClosed() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.closed()
}

// Release gives back a slot that was not used. A slot that was, or was given
// back before, is left alone.
func (s *Slot) Release() {
	if s == nil {
		return
	}
	g := s.gate
	g.mu.Lock()
	defer g.mu.Unlock()
	if s.done {
		return
	}
	for _, r := range s.riders { // they look for another request
		r.fate <- fate{unsent: true}
	}
	s.riders = nil
	g.limiter.Cancel(time.Now(), s.request)
	s.leave()
}

// leave ends the slot. mu is held.
func (s *Slot) leave() {
	s.done = true
	s.gate.admit()
}

// limits are the bytes and records that the next batch may hold, and those that a
// request may hold of one that is there already.
func (g *gate) limits() (next, most limiter.Load) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.limiter.MaxRequest(), g.limiter.MaxSealed()
}
