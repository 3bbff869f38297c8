package limitertest

import (
	"math"
	"time"

	"kafka-firehose/connector/firehose/limiter"
)

const (
	// The backoff of refused records is drawn from zero to minBackoff, which doubles
	// with each attempt up to maxBackoff.
	minBackoff, maxBackoff = 100 * time.Millisecond, 5 * time.Second
	// maxPending is the refused bytes that a member holds until it takes no more
	// fresh records.
	maxPending = 64 << 20
	// idlePoll is how often a member without records looks for new ones.
	idlePoll = 20 * time.Millisecond
)

// tally counts bytes and requests of one member.
type tally struct {
	sent, accepted, refused        float64 // bytes
	requests, tooLarge, lost, fail float64
}

func (a tally) plus(b tally, sign float64) tally {
	return tally{
		a.sent + sign*b.sent, a.accepted + sign*b.accepted, a.refused + sign*b.refused,
		a.requests + sign*b.requests, a.tooLarge + sign*b.tooLarge, a.lost + sign*b.lost, a.fail + sign*b.fail,
	}
}

// retry is some records that were refused.
type retry struct {
	records, attempts int
	due               time.Time
}

// member is one process that sends to the stream.
type member struct {
	sim     *simulation
	limiter *limiter.Limiter
	size    float64 // bytes of a record
	demand  float64 // bytes per second that arrive; +Inf is a backlog
	paused  bool    // nothing arrives
	fresh   float64 // bytes that have arrived and were not sent
	arrived time.Time
	uplink  time.Time // when the uplink is free
	wake    time.Time // of the pending timer
	retries []retry
	pending float64 // bytes in retries
	tally
}

// pump sends as long as limiter and uplink permit it.
func (m *member) pump() {
	s := m.sim
	for {
		wait, ok := m.limiter.WaitTime(s.now)
		if !ok {
			return // the end of a request pumps again
		}
		// A body is encoded when the previous one is nearly sent; on a slow uplink
		// requests wait in the connection instead.
		const encode = 100 * time.Millisecond
		if free := m.uplink.Sub(s.now); free <= encode {
			wait = max(wait, free)
		}
		if wait > 0 {
			m.sleep(wait)
			return
		}
		parts, records := m.compose()
		if records == 0 {
			m.sleep(idlePoll)
			return
		}
		m.send(parts, records)
	}
}

func (m *member) sleep(d time.Duration) {
	until := m.sim.now.Add(d)
	if m.wake.After(m.sim.now) && !m.wake.After(until) {
		return
	}
	m.wake = until
	m.sim.at(until, func() {
		if m.wake.Equal(m.sim.now) {
			m.pump()
		}
	})
}

// compose takes due retries first, then fresh records.
func (m *member) compose() (parts []retry, records int) {
	limit := m.limiter.MaxRequest()
	room := int(max(1, min(limit.Records, limit.Bytes/m.size)))
	left := m.retries[:0]
	for _, r := range m.retries {
		if n := min(r.records, room-records); n > 0 && !r.due.After(m.sim.now) {
			parts = append(parts, retry{records: n, attempts: r.attempts})
			records += n
			r.records -= n
			m.pending -= float64(n) * m.size
		}
		if r.records > 0 {
			left = append(left, r)
		}
	}
	m.retries = left
	if n := m.takeFresh(room - records); n > 0 {
		parts = append(parts, retry{records: n})
		records += n
	}
	return parts, records
}

// takeFresh returns how many of at most max fresh records go into the next request.
func (m *member) takeFresh(limit int) int {
	passed := m.sim.now.Sub(m.arrived).Seconds()
	m.arrived = m.sim.now
	switch {
	case m.paused || m.pending > maxPending:
		return 0
	case math.IsInf(m.demand, 1):
		return limit
	}
	m.fresh = min(m.fresh+m.demand*passed, max(m.demand*5, 64<<10))
	n := min(limit, int(m.fresh/m.size))
	m.fresh -= float64(n) * m.size
	return n
}

// send starts a request. If its answer would come after the time limit, the
// connection is closed at that time and the uplink is free.
func (m *member) send(parts []retry, records int) {
	s := m.sim
	size := limiter.Load{Bytes: float64(records) * m.size, Records: float64(records)}
	deadline := s.now.Add(m.limiter.TimeLimit(size))
	r := m.limiter.StartRequest(s.now, size)
	m.sent += size.Bytes
	m.requests++
	begin := m.uplink
	if begin.Before(s.now) {
		begin = s.now
	}
	end := begin.Add(time.Duration(size.Bytes / s.network.uplink * float64(time.Second)))
	rtt := s.roundTrip()
	if end.Add(rtt).After(deadline) {
		if m.uplink = end; end.After(deadline) {
			m.uplink = deadline
		}
		s.at(deadline, func() { m.answer(r, parts, records, limiter.Result{Outcome: limiter.Ambiguous}) })
		return
	}
	m.uplink = end
	s.at(end.Add(rtt/2), func() {
		res := s.service.put(s.now, records, m.size)
		s.at(s.now.Add(rtt/2), func() { m.answer(r, parts, records, res) })
	})
}

// answer enters a result and puts the refused records into the retries.
func (m *member) answer(r limiter.Request, parts []retry, records int, res limiter.Result) {
	s := m.sim
	m.limiter.ObserveResult(s.now, r, res)
	m.accepted += res.Accepted.Bytes
	switch res.Outcome {
	case limiter.Answered:
		m.refused += res.Refused * m.size
	case limiter.Throttled, limiter.Unavailable:
		m.refused += float64(records) * m.size
		m.fail++
	case limiter.TooLarge:
		m.tooLarge++
	case limiter.Ambiguous:
		m.lost++
	case limiter.Failed, limiter.Blocked, limiter.Canceled:
		m.fail++
	}
	left := records - int(res.Accepted.Records)
	for _, p := range parts {
		n := min(left, p.records)
		if n == 0 {
			break
		}
		left -= n
		due := s.now
		if res.Outcome != limiter.TooLarge {
			due = due.Add(time.Duration(s.randomly.Float64() * float64(min(maxBackoff, minBackoff<<min(p.attempts, 10)))))
			p.attempts++
		}
		m.retries = append(m.retries, retry{n, p.attempts, due})
		m.pending += float64(n) * m.size
	}
	m.pump()
}
