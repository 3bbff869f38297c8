// Package retry has what the clients of all outside worlds share for a request that fails: the backoff between its attempts, the
// wait for it, and the state of an outage.
package retry

import (
	"context"
	"math/rand/v2"
	"time"
)

// Backoff is the wait before a retry: Min after the first failure, twice as long after each further one, and Max at most.
type Backoff struct{ Min, Max time.Duration }

// maxDoublings keeps the shift from overflowing.
const maxDoublings = 10

// Doubled returns the backoff after it was doubled a number of times: 0 after the first failure.
func (b Backoff) Doubled(times int) time.Duration {
	return min(b.Max, b.Min<<min(max(times, 0), maxDoublings))
}

// Jittered returns a random backoff from the upper half of Doubled.
func (b Backoff) Jittered(times int) time.Duration {
	half := b.Doubled(times) / 2
	return half + rand.N(half)
}

// Sleep waits for d, or until ctx ends. The error is the cause of that end. Without a time to wait it returns nil at once.
func Sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
