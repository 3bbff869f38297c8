package schema

import (
	"context"
	"time"

	"kafka-firehose/connector/retry"
)

// enterThrottle waits until a schema may be asked for. Few are at a time. While the registry throttles it is one,
// and none before the backoff is over, whichever schema it is: to throttle is to ask for fewer requests. The
// caller calls noteAnswer when the registry has answered, and leave when the schema is compiled or the failure noted.
func (r *Registry) enterThrottle(ctx context.Context) (*fetchPlace, error) {
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
			return &fetchPlace{r, true}, nil
		case r.slowUntil().IsZero():
			return &fetchPlace{r, false}, nil
		}
		<-r.fetching // it has begun to throttle since
	}
}

// fetchPlace is the permission to ask for a schema. One goroutine owns it.
type fetchPlace struct {
	r      *Registry
	probes bool // it is the only one that asks
}

// noteAnswer notes that the registry has answered, so that others ask, too. A large schema takes a second or more to compile
// afterwards, which the others would else wait for while the registry throttles.
func (p *fetchPlace) noteAnswer() {
	p.r.mu.Lock()
	p.r.noteAnswered()
	p.r.mu.Unlock()
	p.endProbe()
}

func (p *fetchPlace) endProbe() {
	if p.probes {
		p.probes = false
		<-p.r.probing
	}
}

// leave gives the place to others.
func (p *fetchPlace) leave() {
	<-p.r.fetching
	p.endProbe()
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
