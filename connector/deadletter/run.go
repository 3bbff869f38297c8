package deadletter

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	// The pause after an attempt that failed; it doubles with each, and is drawn from
	// its upper half.
	pauseFirst, pauseMost = 250 * time.Millisecond, 10 * time.Second
	// A group is as many letters as this, or as many bytes.
	groupLetters = 1000
	groupBytes   = 1 << 20
)

// Run writes letters until ctx is over. What is pending then stays unacknowledged.
func (w *Writer) Run(ctx context.Context) {
	defer w.drop()
	failures := 0
	for ctx.Err() == nil {
		group := w.take()
		if len(group) == 0 {
			select {
			case <-w.wake:
			case <-ctx.Done():
			}
			continue
		}
		err := w.deliver(ctx, group)
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			failures = 0
			continue
		}
		failures++
		w.rest(ctx, failures)
	}
}

// take takes the next group off the queue. One that has to go alone is one.
func (w *Writer) take() (group []*letter) {
	var gone []*letter
	bytes := 0
	w.mu.Lock()
	for len(w.queue) > 0 && len(group) < groupLetters {
		l := w.queue[0]
		if l.fenced() {
			gone = append(gone, l)
			w.queue[0], w.queue = nil, w.queue[1:]
			continue
		}
		alone := l.single || l.bound() > int(w.limit.Load())
		bytes += l.bound()
		if len(group) > 0 && (alone || bytes > groupBytes) {
			break
		}
		group = append(group, l)
		w.queue[0], w.queue = nil, w.queue[1:]
		if alone {
			break
		}
	}
	w.flying = group
	w.mu.Unlock()
	for _, l := range gone {
		w.finish(l, false)
	}
	return group
}

// deliver writes a group once. The error is why some of it could not be written;
// they are in the queue again.
func (w *Writer) deliver(ctx context.Context, group []*letter) error {
	if err := w.prepare(ctx, group); err != nil {
		w.settle(group, nil)
		w.suffer(err)
		return err
	}
	errs := w.write(ctx, group)
	if ctx.Err() != nil {
		return ctx.Err() // and nobody knows what became of them
	}
	failed := w.settle(group, errs)
	for _, err := range failed {
		if !errors.Is(err, kerr.MessageTooLarge) {
			w.drop() // whatever state the client is in, the next one is not
			w.suffer(err)
			return err
		}
	}
	if len(failed) < len(group) {
		w.recovered()
	}
	if len(failed) > 0 {
		return w.tooLarge(group, failed[0])
	}
	return nil
}

// prepare sees to it that there is a client, and that a letter that is too large
// for the topic is made smaller.
func (w *Writer) prepare(ctx context.Context, group []*letter) error {
	large := func() bool { return group[0].bound() > int(w.limit.Load()) }
	if large() && time.Since(w.readAt) > limitAge {
		w.drop() // somebody may have raised the limit
	}
	if w.client == nil {
		if err := w.open(ctx); err != nil {
			return err
		}
	}
	for large() && w.shrink(group[0]) {
	}
	return nil
}

// write has the client write a group, and returns an error for each that was not
// acknowledged. When ctx is over it returns nil at once, and the fate of all is open.
func (w *Writer) write(ctx context.Context, group []*letter) []error {
	errs := make([]error, len(group))
	var left sync.WaitGroup
	left.Add(len(group))
	for i, l := range group {
		r := *l.record // the client writes into it
		r.Topic = w.topic
		w.client.Produce(ctx, &r, func(_ *kgo.Record, err error) {
			errs[i] = err
			left.Done()
		})
	}
	done := make(chan struct{})
	go func() {
		left.Wait()
		close(done)
	}()
	begin := time.Now()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-done:
			return errs
		case <-ctx.Done():
			return nil
		case <-tick.C:
			w.fence()
			if time.Since(begin) >= patience {
				w.announce(errNoAnswer)
			}
		}
	}
}

// settle finishes what was acknowledged of a group and puts the rest back to where
// it was. With no errs nothing was written.
func (w *Writer) settle(group []*letter, errs []error) (failed []error) {
	var back []*letter
	for i, l := range group {
		switch {
		case errs == nil:
			back = append(back, l)
		case errs[i] != nil:
			back, failed = append(back, l), append(failed, errs[i])
		default:
			w.finish(l, true)
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.flying = nil
	w.queue = append(back, w.queue...)
	return failed
}

// tooLarge deals with a group that the broker found too large. In company nobody
// knows which one it was, so each goes alone from then on; a letter that is refused
// alone is made smaller. It is an error only when that is no longer possible.
func (w *Writer) tooLarge(group []*letter, err error) error {
	w.metrics.Errors.WithLabelValues("too_large").Inc()
	w.drop() // the limit is not what we thought
	if len(group) > 1 {
		for _, l := range group {
			l.single = true
		}
		return nil
	}
	if w.shrink(group[0]) {
		return nil
	}
	w.announce(err)
	return err
}

// shrink makes a letter smaller and counts it, once.
func (w *Writer) shrink(l *letter) bool {
	whole := len(l.record.Value) > 0
	if !l.shrink() {
		return false
	}
	if whole {
		w.metrics.Digests.Inc()
		w.log.Warn("a dead letter is too large for its topic: it goes with a digest instead of the value",
			"topic", l.Record.Topic, "partition", l.Record.Partition, "offset", l.Record.Offset, "limit", w.limit.Load())
	}
	return true
}

// fence gives up what is somebody else's by now.
func (w *Writer) fence() {
	var gone []*letter
	w.mu.Lock()
	kept := w.queue[:0]
	for _, l := range w.queue {
		if l.fenced() {
			gone = append(gone, l)
		} else {
			kept = append(kept, l)
		}
	}
	clear(w.queue[len(kept):])
	w.queue = kept
	w.mu.Unlock()
	for _, l := range gone {
		w.finish(l, false)
	}
}

// rest waits until the next attempt.
func (w *Writer) rest(ctx context.Context, failures int) {
	t := time.NewTimer(pauseAfter(failures))
	defer t.Stop()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-t.C:
			return
		case <-tick.C:
			w.fence()
		case <-ctx.Done():
			return
		}
	}
}

func pauseAfter(failures int) time.Duration {
	most := min(pauseMost, pauseFirst<<min(failures-1, 10))
	return most/2 + rand.N(most/2)
}
