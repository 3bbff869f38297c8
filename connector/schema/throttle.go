package schema

import (
	"context"
	"time"

	"kafka-firehose/connector/retry"
)

// enterThrottle waits until a schema may be asked for. Few are at a time. While the registry throttles it is one,
// and none before the backoff is over, whichever schema it is: to throttle is to ask for fewer requests. The
// caller calls leave when it has noted the answer.
func (r *Registry) enterThrottle(ctx context.Context) (leave func(), err error) {
	for {
		slow := !r.slowUntil().IsZero()
		if slow {
			if err := r.probeThrottle(ctx); err != nil {
				return nil, err
			}
		}
		select {
		case r.fetching <- struct{}{}:
		case <-ctx.Done():
			if slow {
				<-r.probing
			}
			return nil, ctx.Err()
		}
		switch {
		case slow:
			return func() { <-r.fetching; <-r.probing }, nil
		case r.slowUntil().IsZero():
			return func() { <-r.fetching }, nil
		}
		<-r.fetching // it has begun to throttle since
	}
}

// probeThrottle waits to be the only one that asks, and for the end of the backoff.
func (r *Registry) probeThrottle(ctx context.Context) error {
	select {
	case r.probing <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	err := retry.Sleep(ctx, time.Until(r.slowUntil())) // of the one before, which may have failed, too
	if err != nil {
		<-r.probing
	}
	return err
}

// slowUntil is the end of the backoff for all, zero unless the registry throttles.
func (r *Registry) slowUntil() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.slow
}
