package firehose

import (
	"time"

	"kafka-firehose/connector/firehose/limiter"
)

// composeRequest takes what the next request should hold. It returns nothing if all of that belongs to
// leases that are closed or about to end.
func (s *sender) composeRequest(now time.Time) []*delivery {
	retries := s.retriesFirst(now)
	if !s.breakerClosed() {
		s.history.probes.retry = retries
	}
	var taken []*delivery
	if retries {
		taken = s.retries.takeDue(now, s.atMost(s.limiter.MaxRequest()))
	} else {
		taken, s.fresh = []*delivery{s.fresh}, nil
	}
	sendable := taken[:0]
	for _, d := range taken {
		if s.isSendable(now, d) {
			sendable = append(sendable, d)
		}
	}
	if len(sendable) > 0 {
		s.fitRequest(now, sendable[0])
	}
	return sendable
}

// retriesFirst reports whether the next request holds retries rather than the fresh batch. They go
// first, because the oldest record holds back the commit. While the breaker isn't closed the two
// take turns: otherwise records that are always refused would be the only ones tried.
func (s *sender) retriesFirst(now time.Time) bool {
	switch {
	case s.fresh == nil:
		return true
	case s.retries.countDue(now) == 0:
		return false
	case !s.breakerClosed():
		return !s.history.probes.retry
	}
	return s.retries.isRipe(now, s.limiter.MaxRequest())
}

// isSendable leaves out the records of closed leases, and reports whether the rest may be sent. The
// wait may have been long, and a partition revoked meanwhile.
func (s *sender) isSendable(now time.Time, d *delivery) bool {
	if dropped := d.batch.DropRevoked(); dropped > 0 {
		s.metrics.Fenced.Add(float64(dropped))
	}
	if d.batch.Len() == 0 {
		s.endDelivery(now, d)
		return false
	}
	if s.revoked.holdsBatch(d.batch) {
		s.retries.addRetry(d, now.Add(strandedWait))
		return false
	}
	return true
}

// atMost limits a request while the stream stores records without the encryption that is required: a probe is stored,
// too, so it is a single record.
func (s *sender) atMost(most limiter.Load) limiter.Load {
	if f := s.history.probes.failure; f != nil && f.Code == notEncrypted {
		most.Records = 1
	}
	return most
}

// fitRequest splits a delivery that exceeds the size of a request now, and queues the rest.
func (s *sender) fitRequest(now time.Time, d *delivery) {
	most := s.atMost(s.limiter.MaxSealed())
	for d.batch.Len() > 1 && d.requestLoad().Exceeds(most) {
		head, tail := d.batch.SplitHalves()
		rest := d.splitOff(tail)
		d.batch = head
		s.open++
		s.retries.addRetry(rest, now)
	}
}

// splitDelivery halves a delivery that was refused for its size. The halves are tried one after the other
// until it is known whether that helped: all of them at once would be a thousand requests to a
// proxy that takes nothing.
func (s *sender) splitDelivery(now time.Time, d *delivery) {
	head, tail := d.batch.SplitHalves()
	d.followers = append(d.followers, d.splitOff(tail))
	d.batch, d.attempts = head, 0
	s.open++
	s.retries.addRetry(d, now)
}

// releaseDelivery lets the followers of a delivery go.
func (s *sender) releaseDelivery(now time.Time, d *delivery) {
	for _, f := range d.followers {
		s.retries.addRetry(f, now)
	}
	d.followers = nil
}
