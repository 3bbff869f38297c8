package deadletter

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

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
