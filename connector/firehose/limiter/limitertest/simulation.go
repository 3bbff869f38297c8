package limitertest

import (
	"container/heap"
	"math"
	"math/rand/v2"
	"time"

	"kafka-firehose/connector/firehose/limiter"
)

// network is the way from a member to the service.
type network struct {
	latency time.Duration // median time to an answer, without the body
	uplink  float64       // bytes of data per second
}

// simulation runs members that send to one delivery stream, in virtual time.
type simulation struct {
	now      time.Time
	events   events
	serial   int
	randomly *rand.Rand
	network  network
	service  *service
	members  []*member
}

func newSimulation(seed uint64, q Quota, f Faults, n network) *simulation {
	r := rand.New(rand.NewPCG(seed, 7))
	start := time.Unix(0, 0)
	return &simulation{now: start, randomly: r, network: n, service: newService(q, f, r, start)}
}

func (s *simulation) run(end time.Time) {
	for len(s.events) > 0 && !s.events[0].at.After(end) {
		e := heap.Pop(&s.events).(event) //nolint:errcheck // the heap holds events only
		s.now = e.at
		e.do()
	}
	s.now = end
}

func (s *simulation) at(t time.Time, do func()) {
	if t.Before(s.now) {
		t = s.now
	}
	s.serial++
	heap.Push(&s.events, event{t, s.serial, do})
}

// roundTrip draws a latency from a lognormal distribution: one in a hundred is 2.3
// times the median.
func (s *simulation) roundTrip() time.Duration {
	const sigma = 0.35
	return time.Duration(float64(s.network.latency) * math.Exp(sigma*s.randomly.NormFloat64()))
}

// event is something that happens at a time; those of the same time happen in
// the order in which they were scheduled.
type event struct {
	at     time.Time
	serial int
	do     func()
}

type events []event

func (e events) Len() int { return len(e) }

func (e events) Less(i, j int) bool {
	if e[i].at.Equal(e[j].at) {
		return e[i].serial < e[j].serial
	}
	return e[i].at.Before(e[j].at)
}

func (e events) Swap(i, j int) { e[i], e[j] = e[j], e[i] }
func (e *events) Push(x any)   { *e = append(*e, x.(event)) } //nolint:errcheck // see run
func (e *events) Pop() any {
	old := *e
	last := old[len(old)-1]
	*e = old[:len(old)-1]
	return last
}

// maxRecords, maxBytes and maxInFlight are the defaults of the product's settings;
// timeout is that of a request.
const (
	maxRecords  = 500
	maxBytes    = 4_000_000
	maxInFlight = 16
	timeout     = 10 * time.Second
)

// join adds a member with records of a size in bytes. Its first request starts
// within 50 ms. demand is the bytes per second that arrive for it; +Inf is a backlog.
func (s *simulation) join(size, demand float64, c limiter.Config) *member {
	c.MaxRequest, c.MaxInFlight = limiter.Load{Bytes: maxBytes, Records: maxRecords}, maxInFlight
	c.Timeout, c.Random = timeout, s.randomly.Float64
	m := &member{sim: s, limiter: limiter.New(c), size: size, demand: demand, arrived: s.now}
	s.members = append(s.members, m)
	const spread = 50 * time.Millisecond
	s.at(s.now.Add(time.Duration(s.randomly.Float64()*float64(spread))), m.pump)
	return m
}
