package firehose

import (
	"context"
	"slices"
	"sync"
	"time"
)

// gate decides who may send now: requests in flight, the pace and the breaker.
// Those who wait stand in two queues, first come first served, and retries go
// before new batches: what is oldest holds back the commit.
//
// Nothing polls. The gate is looked at when something changes, and one timer
// stands for what only time changes.
type gate struct {
	mu       sync.Mutex
	pace     *pace
	breaker  *breaker
	most     amount // what a batch may hold at any pace
	inFlight int
	flying   amount // what those in flight hold
	queues   [2][]*waiter
	probed   class // that the last probe was of
	timer    *time.Timer
	changed  func() // told after each change, with mu held, for the gauges
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
	size  amount     // of the request; zero when the batch isn't sealed yet
	ready chan *Slot // gets the slot; has room for it
}

// Slot is the permission to have one request in flight.
type Slot struct {
	gate  *gate
	paid  amount // taken from the pace so far
	size  amount // of the request in flight, once it is
	flow  flow
	probe bool
	done  bool
}

func newGate(cfg Config) *gate {
	g := &gate{
		pace:    newPace(float64(cfg.MaxBytesPerSecond), float64(cfg.MaxRecordsPerSecond)),
		breaker: newBreaker(max(1, cfg.MaxInFlight)),
		most:    amount{float64(cfg.BatchMaxBytes), float64(cfg.BatchMaxRecords)},
		changed: func() {},
	}
	return g
}

// acquire waits for permission to send a request of the given size. The zero
// size stands for a batch that isn't sealed yet: it is taken to be as large as
// it may be, and start puts that right.
func (g *gate) acquire(ctx context.Context, c class, size amount) (*Slot, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	w := &waiter{class: c, size: size, ready: make(chan *Slot, 1)}
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
	g.queues[c] = slices.DeleteFunc(g.queues[c], func(o *waiter) bool { return o == w })
	g.mu.Unlock()
	// The slot may have been handed over between the two: then it goes back.
	select {
	case s := <-w.ready:
		s.Release()
	default:
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
		now := time.Now()
		d, ok := g.breaker.wait(now, g.inFlight)
		if !ok {
			g.stop() // the end of a request looks again
			return
		}
		if d = max(d, g.pace.wait(now)); d > 0 {
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
	if g.breaker.state != closed && g.probed == retries {
		first = fresh
	}
	for _, c := range []class{first, 1 - first} {
		if q := g.queues[c]; len(q) > 0 {
			return q[0]
		}
	}
	return nil
}

func (g *gate) grant(w *waiter) {
	g.queues[w.class] = g.queues[w.class][1:]
	if w.size == (amount{}) {
		w.size = g.pace.limits(g.most)
	}
	s := &Slot{gate: g, paid: w.size, probe: g.breaker.state != closed}
	if s.probe {
		g.probed = w.class
	}
	s.flow = g.pace.take(time.Now(), w.size)
	g.inFlight++
	w.ready <- s
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
func (s *Slot) start(size amount) {
	g := s.gate
	g.mu.Lock()
	defer g.mu.Unlock()
	g.pace.give(s.paid)
	g.pace.forget(s.flow)
	s.flow = g.pace.take(time.Now(), size)
	s.paid, s.size = size, size
	g.flying = g.flying.plus(size)
	g.admit()
}

// finish enters the result of the slot's request, by telling the state machines
// through enter, and gives the slot back.
func (s *Slot) finish(enter func(now time.Time, g *gate)) {
	g := s.gate
	g.mu.Lock()
	defer g.mu.Unlock()
	enter(time.Now(), g)
	g.flying = g.flying.plus(s.size.times(-1))
	s.leave()
}

// end gives the slot back after a request of which the outcome is nobody else's
// business.
func (s *Slot) end() { s.finish(func(time.Time, *gate) {}) }

// isClosed reports that no breaker holds back what is sent.
func (g *gate) isClosed() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.breaker.state == closed
}

// Release gives back a slot that was not used. A slot that was, or was given
// back before, is left alone.
func (s *Slot) Release() {
	g := s.gate
	g.mu.Lock()
	defer g.mu.Unlock()
	if s == nil || s.done {
		return
	}
	g.pace.give(s.paid)
	g.pace.forget(s.flow)
	s.leave()
}

// leave ends the slot. mu is held.
func (s *Slot) leave() {
	s.done = true
	s.gate.inFlight--
	s.gate.admit()
}

// limits are the bytes and records that the next batch may hold.
func (g *gate) limits() amount {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.pace.limits(g.most)
}
