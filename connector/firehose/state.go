package firehose

import (
	"time"

	"kafka-firehose/connector/firehose/limiter"
)

// number counts a request that starts.
func (s *Stream) number() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.starts++
	return s.starts
}

// sizeRefused enters a request that was refused for the size of its body.
func (s *Stream) sizeRefused(size int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sizes.refuse(time.Now(), size)
}

// sizePassed enters a request whose answer has an entry for each record: the service
// got it whole.
func (s *Stream) sizePassed(size int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sizes.accept(time.Now(), size)
}

// fed enters that something of the request with that number was accepted.
func (s *Stream) fed(number int64) {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.accepted = max(s.accepted, number)
	s.acceptedAt = now
	if s.pending > 0 {
		s.hungry = now
	}
	s.metrics.LastAccepted.Set(float64(now.UnixNano()) / 1e9)
}

// renew throws away the credentials that a request was refused with. A request
// that was started before they were last thrown away was signed with older ones,
// and says nothing about those that are there now.
func (s *Stream) renew(f *Failure, started time.Time) {
	s.mu.Lock()
	first := s.refused == nil
	s.refused = f
	stale := started.Before(s.invalidated)
	if !stale {
		s.invalidated = time.Now()
	}
	s.mu.Unlock()
	if !stale {
		s.api.InvalidateCredentials()
	}
	if first {
		s.log.Warn("the service refuses our credentials; fetching new ones", "code", f.Code, "error", f.Message)
	}
}

// healed enters that the service took the credentials of a request that was
// started at that time.
func (s *Stream) healed(started time.Time) {
	s.mu.Lock()
	was := s.refused != nil && !started.Before(s.invalidated)
	if was {
		s.refused = nil
	}
	s.mu.Unlock()
	if was {
		s.log.Info("the service takes our credentials again")
	}
}

// announce logs a change of the breaker, once each way.
func (s *Stream) announce(before, after limiter.State, f *Failure) {
	if before.Breaker == after.Breaker {
		return
	}
	switch after.Breaker {
	case limiter.BreakerBlocked:
		s.log.Error("the stream is blocked: nothing is delivered until this is repaired; trying again every 30 s at most",
			"class", f.Class, "code", f.Code, "error", f.Message)
	case limiter.BreakerOpen:
		s.log.Warn("the stream does not answer; trying again with single requests", "class", f.Class, "code", f.Code, "error", f.Message)
	case limiter.BreakerClosed:
		s.log.Info("the stream answers again", "after", time.Since(before.BreakerSince).Round(time.Millisecond).String())
	}
}

const (
	// stubbornAfter is how long a record is refused by itself until it is
	// reported: it holds back the commit of its partition.
	stubbornAfter = 5 * time.Minute
	// passing is how recently others must have been accepted for that.
	passing = time.Minute
)

// harden reports what is left of a part if it has been refused for five minutes
// while others passed. It goes on being tried; it is never dropped.
func (d *delivery) harden(p *part) {
	now := time.Now()
	s := d.Stream
	s.mu.Lock()
	others := s.acceptedAt.After(p.progress) && now.Sub(s.acceptedAt) < passing
	report := p.stubborn == 0 && others && now.Sub(p.progress) >= stubbornAfter
	if report {
		p.stubborn = p.batch.Len()
		s.stubborn += p.stubborn
		s.metrics.Stubborn.Set(float64(s.stubborn))
	}
	s.mu.Unlock()
	if report {
		lease := p.batch.Lease(0)
		s.log.Error("the stream refuses a record again and again while others pass; it holds back the commit of its partition",
			"topic", lease.Topic, "partition", lease.Partition, "offset", p.batch.Offset(0), "records", p.stubborn, "since", p.progress.UTC().Format(time.RFC3339))
	}
}

// softened takes back what harden reported, when something of the part was
// accepted or the part has ended.
func (d *delivery) softened(p *part) {
	if p.stubborn == 0 {
		return
	}
	s := d.Stream
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stubborn -= p.stubborn
	p.stubborn = 0
	s.metrics.Stubborn.Set(float64(s.stubborn))
}
