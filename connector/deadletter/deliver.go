package deadletter

import (
	"context"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// deliverGroup writes a group once. The error is why some of it could not be written;
// they are in the queue again.
func (w *Writer) deliverGroup(ctx context.Context, group []*queuedLetter) error {
	if err := w.prepareGroup(ctx, group); err != nil {
		w.settleGroup(group, nil)
		w.noteFailure(err)
		return err
	}
	errs := w.writeGroup(ctx, group)
	if ctx.Err() != nil {
		return ctx.Err() // and the result of the writes is unknown
	}
	failed := w.settleGroup(group, errs)
	for _, err := range failed {
		if reasonOf(err) != "too_large" {
			w.closeClient() // whatever state the client is in, the next one is not
			w.noteFailure(err)
			return err
		}
	}
	if len(failed) < len(group) {
		w.noteRecovery()
		w.refusals.recordAccepted(group[0].maxBytes())
	}
	if len(failed) > 0 {
		return w.tooLarge(group, failed[0])
	}
	return nil
}

// prepareGroup sees to it that there is a client, and that it sends the group. A letter that is
// larger than the topic's limit goes without its value only if the topic's configuration
// has said so within the last minute. Where that is not known, the letter goes as it is,
// alone, by a client without a limit: the broker decides.
func (w *Writer) prepareGroup(ctx context.Context, group []*queuedLetter) error {
	large := func() bool { return group[0].maxBytes() > int(w.limit.Load()) }
	if w.client != nil && (large() != w.unlimited || large() && time.Since(w.readAt) > limitAge) {
		w.closeClient() // the limit may have been raised
	}
	if w.client == nil {
		if err := w.openClient(ctx, large()); err != nil {
			return err
		}
	}
	for w.known && large() && w.shrinkLetter(group[0]) {
	}
	return nil
}

// writeGroup has the client write a group, and returns an error for each that was not
// acknowledged. When ctx is over it returns nil at once, and nobody knows which of them Kafka has.
func (w *Writer) writeGroup(ctx context.Context, group []*queuedLetter) []error {
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
			w.dropRevoked()
			if time.Since(begin) >= patience {
				w.logFailure(errNoAnswer)
			}
		}
	}
}

// settleGroup finishes the acknowledged letters of a group and puts the others back into the
// queue. Without errs no letter was written.
func (w *Writer) settleGroup(group []*queuedLetter, errs []error) (failed []error) {
	var back []*queuedLetter
	for i, l := range group {
		switch {
		case errs == nil:
			back = append(back, l)
		case errs[i] != nil:
			back, failed = append(back, l), append(failed, errs[i])
		default:
			w.finishLetter(l, true)
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.flying = nil
	w.queue = append(back, w.queue...)
	return failed
}

// tooLarge handles a group that the broker found too large. In a group it is unknown
// which letter is too large, so each is written alone from then on; a letter that is refused
// alone is made smaller when that is proved. It is an error only when it isn't proved yet, or
// when there is nothing left to leave out.
func (w *Writer) tooLarge(group []*queuedLetter, err error) error {
	w.metrics.Errors.WithLabelValues("too_large").Inc()
	known, limit := w.known, int(w.limit.Load())
	w.closeClient() // the next client asks for the limit again
	if len(group) > 1 {
		for _, l := range group {
			l.single = true
		}
		return nil
	}
	l, now := group[0], time.Now()
	if l.refusals++; l.refusals == 1 {
		l.refusedAt = now
		return nil
	}
	// From the second refusal on, the limit was asked for after the first.
	agrees := known && l.maxBytes() > limit || l.maxBytes() > limitMax
	if !agrees && !w.refusals.proveTooLarge(now, l) {
		if l.refusals == 2 {
			w.log.Warn("the brokers refuse a dead letter as too large, and the max.message.bytes of its topic doesn't say so; trying again before its value is replaced by a digest",
				"topic", l.Record.Topic, "partition", l.Record.Partition, "offset", l.Record.Offset, "bytes", l.maxBytes(), "limit", limit, "limit_known", known)
		}
		return err
	}
	if w.shrinkLetter(l) {
		return nil
	}
	w.logFailure(err)
	return err
}

const (
	// RefusalTime is how long a letter must be refused for its size where the topic's limit is not known,
	// or doesn't agree.
	RefusalTime = 30 * time.Second
	// minRefusals is how often it must be refused in this time.
	minRefusals = 5
	// refusalAge is how long the next letters as large need only be refused themselves.
	refusalAge = 10 * time.Minute
)

// sizeRefusals remembers what size the brokers have proved not to take.
type sizeRefusals struct {
	size int // the smallest; 0 without one
	at   time.Time
}

// proveTooLarge reports whether the brokers' refusals of a letter prove that it is too large.
func (r *sizeRefusals) proveTooLarge(now time.Time, l *queuedLetter) bool {
	recent := r.size > 0 && l.maxBytes() >= r.size && now.Sub(r.at) < refusalAge
	if !recent && (l.refusals < minRefusals || now.Sub(l.refusedAt) < RefusalTime) {
		return false
	}
	if !recent || l.maxBytes() < r.size {
		r.size = l.maxBytes()
	}
	r.at = now
	return true
}

// recordAccepted forgets sizes that the brokers do take.
func (r *sizeRefusals) recordAccepted(size int) {
	if r.size > 0 && size >= r.size {
		*r = sizeRefusals{}
	}
}

// shrinkLetter makes a letter smaller and counts it, once.
func (w *Writer) shrinkLetter(l *queuedLetter) bool {
	whole := len(l.record.Value) > 0
	if !l.shrinkToDigest() {
		return false
	}
	l.refusals = 0
	if whole {
		w.metrics.Digests.Inc()
		w.log.Warn("a dead letter is too large for its topic: it goes with a digest instead of the value",
			"topic", l.Record.Topic, "partition", l.Record.Partition, "offset", l.Record.Offset, "limit", w.limit.Load())
	}
	return true
}
