package connector

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"kafka-firehose/connector/firehose"
	"kafka-firehose/connector/kafka/fetch"
)

// How far Run has come.
const (
	starting int32 = iota
	running
	draining
)

// idleFor is how long a stream may have something to send without accepting any
// of it before the process is not ready: a short throttle is no reason.
const idleFor = 30 * time.Second

// A pipeline is asked for a sign of life every pulseEvery, and hangs if it has not answered when
// maxMissed more were due: it answers between two records, each of which takes 100 ms at most.
// Pulses are counted, not the time, which also passes while the process is stopped.
const (
	pulseEvery = time.Second
	maxMissed  = 10
)

// tellHanging is how often the log says that a pipeline hangs.
const tellHanging = time.Minute

// pulse is the sign of life of a pipeline. All but missed is watchPipelines' alone.
type pulse struct {
	answer <-chan struct{} // closed by the pipeline; nil before the first
	told   time.Time       // when the log last said that the pipeline hangs; zero while it doesn't
	missed atomic.Int32    // pulses that were due since the pipeline did not answer
}

// Ready reports why records would not get through now, nil when they would: the
// process is in the group, Kafka refuses it nothing, and every stream accepts. A member
// without partitions is ready. A process that is not live is not ready.
func (c *Connector) Ready() error { return c.notReady(c.standingFaults(time.Now())) }

// notReady is why records would not get through with these faults, nil when they would. What holds none back comes last:
// whoever reads why the process is not ready sees all that lasts.
func (c *Connector) notReady(faults []fault) error {
	switch c.phase.Load() {
	case starting:
		return errors.New("starting")
	case draining:
		return errors.New("draining")
	}
	var errs, notes []error
	for _, f := range faults {
		if !f.harmless && !f.lossy {
			errs = append(errs, f.lines())
		} else {
			notes = append(notes, f.lines())
		}
	}
	if len(errs) == 0 {
		return nil
	}
	return errors.Join(append(errs, notes...)...)
}

// Notes are the faults that last while the process is ready all the same, nil for none.
func (c *Connector) Notes() error {
	var errs []error
	for _, f := range c.standingFaults(time.Now()) {
		if f.harmless || f.lossy {
			errs = append(errs, f.lines())
		}
	}
	return errors.Join(errs...)
}

// streamReady reports why a stream does not take records, nil when it does.
func streamReady(s firehose.State, now time.Time) error {
	switch {
	case s.Blocked:
		return fmt.Errorf("blocked: %w", s.Reason)
	case s.CredentialsRefused != nil:
		return fmt.Errorf("credentials refused: %w", s.CredentialsRefused)
	case !s.StalledSince.IsZero() && now.Sub(s.StalledSince) >= idleFor:
		lasts := now.Sub(s.StalledSince).Round(time.Second)
		if s.LastFailure == nil {
			return fmt.Errorf("nothing was accepted for %s, %d requests wait for their answers", lasts, s.InFlight)
		}
		return fmt.Errorf("nothing was accepted for %s: %w", lasts, s.LastFailure)
	}
	return nil
}

// Live reports what only a restart would cure: a pipeline that does not answer. An outage of Kafka
// or Firehose is not of that kind. It does not wait.
func (c *Connector) Live() error {
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(c.pipelines)) {
		if l := c.pipelines[name]; l.isHung() {
			topic, partition := l.packingPartition()
			errs = append(errs, fmt.Errorf("the pipeline of stream %s hangs, near topic %s partition %d", name, topic, partition))
		}
	}
	return errors.Join(errs...)
}

// watchPipelines asks every pipeline for a sign of life until ctx ends. It keeps the wait for it off
// the probes, which come from outside, and one goroutine waits however many of them come.
func (c *Connector) watchPipelines(ctx context.Context) {
	repeatEvery(ctx, pulseEvery, func() {
		for _, l := range c.pipelines {
			l.checkLiveness(time.Now())
		}
	})
}

// checkLiveness looks for the last sign of life and asks for the next.
func (l *pipeline) checkLiveness(now time.Time) {
	p := &l.pulse
	select {
	case <-p.answer:
		p.answer = nil
		p.missed.Store(0)
	case <-l.ended:
		p.missed.Store(0)
		return
	default:
	}
	if p.answer == nil {
		p.answer = l.callBatcher(nil)
	} else {
		p.missed.Add(1)
	}
	switch hangs := l.isHung(); {
	case hangs && now.Sub(p.told) >= tellHanging:
		p.told = now
		topic, partition := l.packingPartition()
		l.log.Error("the pipeline hangs: the conversion of a record does not end; a restart reads the record again", "topic", topic, "partition", partition)
	case !hangs && !p.told.IsZero():
		p.told = time.Time{}
		l.log.Info("the pipeline answers again")
	}
}

// isHung reports whether the pipeline does not answer.
func (l *pipeline) isHung() bool { return l.pulse.missed.Load() >= maxMissed }

// packingPartition is the partition whose records the pipeline packed last: it hangs in one of them, or in
// one that is next in the queue and was converted in parallel.
func (l *pipeline) packingPartition() (topic string, partition int32) {
	lease := l.packing.Load()
	if lease == nil {
		return "", -1
	}
	return lease.Topic, lease.Partition
}

// bufferedBytes is the memory held between the fetch and the commit, in bytes.
func (c *Connector) bufferedBytes() int64 {
	records, total := c.source.FetchedBytes()
	total += records * fetch.RecordBytes
	for _, l := range c.pipelines {
		total += l.heldBytes()
	}
	return total
}

// oldestAge is the age of the oldest record that is not settled, in seconds.
func (c *Connector) oldestAge() float64 {
	oldest, some := c.source.OldestFetched()
	for _, at := range c.queuedPolls() {
		if !some || at.Before(oldest) {
			oldest, some = at, true
		}
	}
	if !some {
		return 0
	}
	return time.Since(oldest).Seconds()
}
