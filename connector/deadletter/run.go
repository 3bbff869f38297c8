package deadletter

import (
	"context"
	"slices"
	"time"

	"kafka-firehose/connector/retry"
)

const (
	// A group is as many letters as this, or as many bytes.
	groupLetters = 1000
	groupBytes   = 1 << 20
)

// backoff is between the attempts of a group, and of reading a record again.
var backoff = retry.Backoff{Min: 250 * time.Millisecond, Max: 10 * time.Second}

// Run writes letters until ctx is over. Letters that are pending then stay unacknowledged.
func (w *Writer) Run(ctx context.Context) {
	defer w.closeClient()
	failures := 0
	for ctx.Err() == nil {
		group := w.takeGroup()
		if len(group) == 0 {
			select {
			case <-w.wake:
			case <-ctx.Done():
			}
			continue
		}
		err := w.deliverGroup(ctx, group)
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			failures = 0
			continue
		}
		failures++
		w.backOff(ctx, failures)
	}
}

// takeGroup takes the next group off the queue. One that has to go alone is one.
func (w *Writer) takeGroup() (group []*queuedLetter) {
	w.dropRevoked()
	bytes := 0
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(w.queue) > 0 && len(group) < groupLetters {
		l := w.queue[0]
		alone := l.single || l.maxBytes() > int(w.limit.Load())
		bytes += l.maxBytes()
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
	return group
}

// dropRevoked drops the letters that belong to another member now.
func (w *Writer) dropRevoked() {
	var gone []*queuedLetter
	w.mu.Lock()
	w.queue = slices.DeleteFunc(w.queue, func(l *queuedLetter) bool {
		revoked := l.isRevoked()
		if revoked {
			gone = append(gone, l)
		}
		return revoked
	})
	w.mu.Unlock()
	for _, l := range gone {
		w.finishLetter(l, false)
	}
}

// backOff waits until the next attempt.
func (w *Writer) backOff(ctx context.Context, failures int) {
	t := time.NewTimer(backoff.Jittered(failures - 1))
	defer t.Stop()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-t.C:
			return
		case <-tick.C:
			w.dropRevoked()
		case <-ctx.Done():
			return
		}
	}
}
