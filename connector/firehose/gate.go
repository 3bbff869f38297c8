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
	reach    reach
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
	rider *rider     // what it has to send, if that may share a request; else nil
	since time.Time  // when it came
}

// ripe is how long a small retry lets new batches go first, so that others join
// it and fill a request.
const ripe = 100 * time.Millisecond

// Slot is the permission to have one request in flight.
type Slot struct {
	gate  *gate
	paid  amount // taken from the pace so far
	size  amount // of the request in flight, once it is
	flow  flow
	probe bool
	done  bool

	riders   []*rider // that share the request
	halvings int      // of the reach, when the request started
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
// it may be, and start puts that right. With a rider, the request may share the
// one of somebody else: then the slot is nil, and what became of it is r's fate.
func (g *gate) acquire(ctx context.Context, c class, size amount, r *rider) (*Slot, error) {
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
		now := time.Now()
		d, ok := g.breaker.wait(now, g.inFlight)
		if !ok || g.inFlight >= g.reach.atOnce(g.breaker.most) {
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
	if g.breaker.state != closed && g.probed == retries || g.breaker.state == closed && !g.ripe() {
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
	var sum amount
	for _, w := range q {
		sum = sum.plus(w.size)
	}
	return sum.exceeds(g.limit().times(0.5)) || time.Since(q[0].since) >= ripe
}

func (g *gate) grant(w *waiter) {
	g.queues[w.class][0] = nil // or it would keep its batch
	g.queues[w.class] = g.queues[w.class][1:]
	if w.size == (amount{}) {
		w.size = g.limit()
	}
	s := &Slot{gate: g, paid: w.size, probe: g.breaker.state != closed}
	if s.probe {
		g.probed = w.class
	}
	s.flow = g.pace.take(time.Now(), w.size)
	g.inFlight++
	if w.rider != nil {
		g.fill(s)
	}
	w.ready <- s
}

// fill puts other retries on a retry's request, as far as it can hold them. Of a
// batch of which one record in five fails, the last few would otherwise take as
// many requests as all the others together.
func (g *gate) fill(s *Slot) {
	limit, size := g.limit(), s.paid
	g.queues[retries] = slices.DeleteFunc(g.queues[retries], func(w *waiter) bool {
		if w.rider == nil || size.plus(w.size).exceeds(limit) {
			return false
		}
		size = size.plus(w.size)
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
func (s *Slot) start(size amount) {
	g := s.gate
	g.mu.Lock()
	defer g.mu.Unlock()
	g.pace.give(s.paid)
	g.pace.forget(s.flow)
	s.flow = g.pace.take(time.Now(), size)
	s.paid, s.size = size, size
	s.halvings = g.reach.halvings
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

// end gives the slot back after a request whose result is nobody else's business.
func (s *Slot) end() { s.finish(func(_ time.Time, g *gate) { g.pace.forget(s.flow) }) }

// isClosed reports that no breaker holds back what is sent.
func (g *gate) isClosed() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.breaker.state == closed
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

// limits are the bytes and records that the next batch may hold, and those that a
// request may hold of one that is there already: it was sealed before the pace fell, and
// more than twice of what that allows would mostly be refused.
func (g *gate) limits() (next, most amount) {
	g.mu.Lock()
	defer g.mu.Unlock()
	next = g.limit()
	return next, g.pace.limits(g.most).times(2).least(g.reach.limit(g.most))
}

// allowed is how many requests may be in flight. mu is held.
func (g *gate) allowed() int { return min(g.breaker.now(), g.reach.atOnce(g.breaker.most)) }

// limit is what a request may hold. mu is held.
func (g *gate) limit() amount { return g.pace.limits(g.reach.limit(g.most)) }
