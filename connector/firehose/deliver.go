package firehose

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"kafka-firehose/connector/batch"
	"kafka-firehose/connector/firehose/limiter"
)

const (
	// The wait between two attempts of a batch is drawn from zero to this, which
	// doubles with each attempt that brings nothing.
	backoffFirst, backoffMost = 100 * time.Millisecond, 5 * time.Second
	// rateAttempts in a row without progress may be refusals by a quota. More of
	// them say something about the records instead.
	rateAttempts = 2
)

// Deliver sends the batch until each of its records is accepted, refused for
// good, or belongs to a closed lease. slot comes from Acquire and is given back
// in any case; it may be nil. It is held only while a request is on its way, so
// that batches in their backoff stop nobody.
//
// The error is the context's, or what OnRefused returned. What is unsettled then
// may or may not have been accepted, and stays unsettled.
func (s *Stream) Deliver(ctx context.Context, slot *Slot, b *batch.Batch) error {
	s.begin()
	defer s.end()
	wait, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	d := &delivery{Stream: s, ctx: ctx, wait: wait, stop: stop}
	d.run(&part{batch: b, progress: time.Now()}, slot)
	d.parts.Wait()
	return d.err
}

// delivery is one call of Deliver.
type delivery struct {
	*Stream
	ctx  context.Context // of the requests
	wait context.Context // of everything else; ends also when a part has failed
	stop context.CancelCauseFunc

	parts sync.WaitGroup // those that were split off

	mu  sync.Mutex
	err error // the first
}

// part is a batch, or what was split off one, on its way. One goroutine owns it.
type part struct {
	batch    *batch.Batch
	progress time.Time // when a record of it was last accepted, else when it came
	attempts int       // since then
	stubborn int       // of its records, as the stream counts them
	alone    bool      // shares no request with others

	// When it, or the part that it was split off, was first refused for its size, as the
	// highest request number then, and as a time. Zero is never.
	refusedAt    int64
	refusedSince time.Time
	resends      int       // after refusals for a size that passes, since something of it was accepted
	proof        loneProof // that it is too large, as a single record

	// after is closed when the part that goes first has learned whether size was
	// the trouble; nil for nobody. learned closes the one that others wait for.
	after   <-chan struct{}
	learned func()
}

// run delivers a part. It returns when that is settled or can't go on.
func (d *delivery) run(p *part, slot *Slot) {
	err := d.deliver(p, slot)
	p.tell()
	d.softened(p)
	if err == nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.err == nil {
		d.err = err
	}
	d.stop(errStopped)
}

func (d *delivery) deliver(p *part, slot *Slot) error {
	if err := p.turn(d.wait); err != nil {
		return err
	}
	for p.batch.Len() > 0 {
		ft, err := d.attempt(p, slot)
		if err != nil {
			return err
		}
		slot = nil
		backoff, err := d.settle(p, ft)
		d.settled(p)
		if err != nil {
			return err
		}
		if err := sleep(d.wait, backoff); err != nil {
			return err
		}
	}
	slot.Release()
	return nil
}

// attempt sends what is left of a part once: in a request of its own, or on that
// of another.
func (d *delivery) attempt(p *part, slot *Slot) (fate, error) {
	if slot == nil {
		if d.fence(p.batch); p.batch.Len() == 0 {
			return fate{unsent: true}, nil
		}
		var r *rider
		if !p.alone {
			r = &rider{part: p, fate: make(chan fate, 1)}
		}
		var err error
		if slot, err = d.gate.acquire(d.wait, retries, sizeOf(p.batch), r); err != nil {
			return fate{}, err
		}
		if slot == nil {
			return <-r.fate, nil
		}
	}
	// The wait may have been long. What was revoked meanwhile stays behind.
	d.fence(p.batch)
	if len(slot.riders) == 0 {
		if p.batch.Len() == 0 {
			slot.Release()
			return fate{unsent: true}, nil
		}
		d.fit(p)
	}
	return d.drive(p, slot), nil
}

// fence leaves out the records of closed leases.
func (d *delivery) fence(b *batch.Batch) {
	if dropped := b.Fence(); dropped > 0 {
		d.metrics.Fenced.Add(float64(dropped))
	}
}

// fit splits off what is more than a request may hold now.
func (d *delivery) fit(p *part) {
	_, most := d.gate.limits()
	for p.batch.Len() > 1 && sizeOf(p.batch).Exceeds(most) {
		head, tail := p.batch.Split()
		p.batch = head
		d.spawn(&part{batch: tail, progress: p.progress, refusedAt: p.refusedAt, refusedSince: p.refusedSince, resends: p.resends})
	}
}

// spawn delivers a part that was split off beside its head.
func (d *delivery) spawn(p *part) {
	d.parts.Go(func() { d.run(p, nil) })
}

// split halves a part that was refused for its size. The halves are tried one
// after the other until it is known whether that helped: all of them at once
// would be a thousand requests to a proxy that takes nothing.
func (d *delivery) split(p *part) {
	head, tail := p.batch.Split()
	after := make(chan struct{})
	second := &part{batch: tail, progress: p.progress, refusedAt: p.refusedAt, refusedSince: p.refusedSince, resends: p.resends, after: after}
	first := p.learned
	p.batch, p.attempts = head, 0
	p.learned = func() {
		if first != nil {
			first()
		}
		close(after)
	}
	d.spawn(second)
}

// turn waits until the part that goes first has learned something.
func (p *part) turn(ctx context.Context) error {
	if p.after == nil {
		return nil
	}
	select {
	case <-p.after:
		return nil
	case <-ctx.Done():
		return cause(ctx)
	}
}

// tell lets the others go.
func (p *part) tell() {
	if p.learned != nil {
		p.learned()
		p.learned = nil
	}
}

// backoff is the wait before the next attempt. Where the gate holds back all
// that is sent, waiting here too would only add to it.
func (d *delivery) backoff(p *part) time.Duration {
	if !d.gate.isClosed() {
		return 0
	}
	most := min(backoffMost, backoffFirst<<min(max(0, p.attempts-1), 10))
	return rand.N(most)
}

func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return cause(ctx)
	}
}

// cause is why a wait was given up: the caller's context, or a part's failure.
func cause(ctx context.Context) error { return context.Cause(ctx) }

func sizeOf(b *batch.Batch) limiter.Load {
	return limiter.Load{Bytes: float64(b.Bytes()), Records: float64(b.Len())}
}
