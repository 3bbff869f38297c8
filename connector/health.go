package connector

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"kafka-firehose/connector/firehose"
	"kafka-firehose/connector/kafka"
)

// phase is how far Run has come.
type phase struct{ v atomic.Int32 }

const (
	starting int32 = iota
	running
	draining
)

func (p *phase) set(v int32) { p.v.Store(v) }

// idleFor is how long a stream may have something to send without accepting any
// of it before the process is not ready: a short throttle is no reason.
const idleFor = 30 * time.Second

// pulse is how long a lane may take to answer. It does nothing but copy bytes
// between two answers.
const pulse = 10 * time.Second

// Ready reports why records would not get through now, nil when they would: the
// process is in the group, Kafka refuses it nothing, and every stream accepts. A member
// without partitions is ready.
func (c *Connector) Ready() error {
	switch c.phase.v.Load() {
	case starting:
		return errors.New("starting")
	case draining:
		return errors.New("draining")
	}
	refused := errors.Join(c.source.Refused(), c.source.Faults())
	if !c.source.Joined() {
		return errors.Join(fmt.Errorf("not in the consumer group %s", c.cfg.Kafka.GroupID), refused)
	}
	errs := []error{refused}
	for name, l := range c.lanes {
		if err := ready(l.stream.State(), time.Now()); err != nil {
			errs = append(errs, fmt.Errorf("stream %s: %w", name, err))
		}
	}
	errs = append(errs, c.schemasReady(time.Now()), c.lettersReady(time.Now()))
	return errors.Join(errs...)
}

// ready reports why a stream does not take records, nil when it does.
func ready(s firehose.State, now time.Time) error {
	switch {
	case s.Blocked:
		return fmt.Errorf("blocked: %w", s.Reason)
	case s.CredentialsRefused != nil:
		return fmt.Errorf("credentials refused: %w", s.CredentialsRefused)
	case !s.HungrySince.IsZero() && now.Sub(s.HungrySince) >= idleFor:
		return fmt.Errorf("nothing was accepted for %s", now.Sub(s.HungrySince).Round(time.Second))
	}
	return nil
}

// accepting reports whether what is in flight can be expected to settle soon.
func accepting(s firehose.State) bool { return !s.Blocked && !s.BreakerOpen }

// Live reports what only a restart would cure: a lane that does not answer. An
// outage of Kafka or Firehose is not of that kind.
func (c *Connector) Live() error {
	if c.phase.v.Load() == starting {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), pulse)
	defer cancel()
	for name, l := range c.lanes {
		if err := l.ask(ctx, nil); err != nil {
			return fmt.Errorf("the lane of stream %s does not answer", name)
		}
	}
	return nil
}

// buffered is what is held between the fetch and the commit, in bytes.
func (c *Connector) buffered() int64 {
	records, total := c.source.Buffered()
	total += records * kafka.RecordBytes
	for _, l := range c.lanes {
		total += l.held()
	}
	return total
}

// oldestAge is the age of the oldest record that is not settled, in seconds.
func (c *Connector) oldestAge() float64 {
	oldest, some := c.source.Oldest()
	for _, l := range c.lanes {
		if at, ok := l.queue.oldest(); ok && (!some || at.Before(oldest)) {
			oldest, some = at, true
		}
	}
	if !some {
		return 0
	}
	return time.Since(oldest).Seconds()
}
