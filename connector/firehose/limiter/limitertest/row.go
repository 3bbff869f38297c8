// Package limitertest simulates members that send to one delivery stream with a
// limiter each, in virtual time, and compares the results with goals. A fixed seed
// gives the same result on every machine.
package limitertest

import (
	"math"
	"time"

	"kafka-firehose/connector/firehose/limiter"
)

// Row is one case: the stream, the weather, the members and the goals.
type Row struct {
	Group   string // the line of the table that the row belongs to
	Name    string
	Size    float64 // bytes of a record; 0 gives the members different sizes
	Quota   Quota
	Faults  Faults
	Network network
	Members int
	Demand  float64   // bytes per second and member; 0 is a backlog
	Fleet   bool      // the members know the quota
	Weights []float64 // of the members' partitions, repeated; nil for equal ones
	Idle    int       // of the members: they have almost nothing to send
	Changes []change
	From    time.Duration // begin of the measured time
	To      time.Duration
	Goals   Goals
}

// Goals of a row. A zero goal is not judged.
type Goals struct {
	Goodput  float64 // at least this part of the load that quota, network and faults let through
	Refused  float64 // at most this part of the sent bytes
	Spread   float64 // the members' parts of their fair share are within 1 ± Spread
	TooLarge float64 // at most this part of the requests is refused for its size
	Lost     float64 // at most this part of the requests has no answer
	Requests float64 // maximum of requests per second and member
}

// change happens at a time of a row.
type change struct {
	at      time.Duration
	quota   *Quota
	faults  *Faults
	maxBody *float64
	outage  *bool
	join    int // members
	pause   int // the first members have nothing to send
	resume  bool
}

// Values of a row: of one seed, or means of several. Low and High are the smallest
// and largest part of its fair share that a member with a backlog got.
type Values struct{ Goodput, Refused, Low, High, TooLarge, Lost, Requests float64 }

func (v *Values) add(w Values, weight float64) {
	v.Goodput += w.Goodput * weight
	v.Refused += w.Refused * weight
	v.Low += w.Low * weight
	v.High += w.High * weight
	v.TooLarge += w.TooLarge * weight
	v.Lost += w.Lost * weight
	v.Requests += w.Requests * weight
}

// Missed returns the names of the goals that the values miss.
func (g Goals) Missed(v Values) (names []string) {
	miss := func(name string, missed bool) {
		if missed {
			names = append(names, name)
		}
	}
	miss("goodput", v.Goodput < g.Goodput)
	miss("refused", g.Refused > 0 && v.Refused > g.Refused)
	miss("shares", g.Spread > 0 && (v.Low < 1-g.Spread || v.High > 1+g.Spread))
	miss("too large", g.TooLarge > 0 && v.TooLarge > g.TooLarge)
	miss("lost", g.Lost > 0 && v.Lost > g.Lost)
	miss("requests", g.Requests > 0 && v.Requests > g.Requests)
	return names
}

// Run simulates the row with the seeds 1 to n and returns the means.
func (r Row) Run(seeds int) (mean Values) {
	for seed := range seeds {
		mean.add(r.runSeed(uint64(seed+1)), 1/float64(seeds))
	}
	return mean
}

// running is a row that is being simulated.
type running struct {
	Row
	*simulation
	start  time.Time
	before []tally // of the members, when the measured time began
	ideal  float64 // bytes that quota, network and faults let through in the measured time
	last   time.Duration
}

func (r Row) runSeed(seed uint64) Values {
	s := newSimulation(seed, r.Quota, r.Faults, r.Network)
	run := &running{Row: r, simulation: s, start: s.now, last: r.From}
	run.join(r.Members)
	for _, c := range r.Changes {
		run.advance(c.at)
		run.apply(c)
	}
	run.advance(r.To)
	return run.values()
}

// advance simulates up to a time.
func (r *running) advance(to time.Duration) {
	if r.before == nil && to >= r.From {
		r.run(r.start.Add(r.From))
		r.before = make([]tally, 0, len(r.members))
		for _, m := range r.members {
			r.before = append(r.before, m.tally)
		}
	}
	r.run(r.start.Add(to))
	if to > r.last {
		r.ideal += (to - r.last).Seconds() * r.capacity() * r.service.faults.passing()
		r.last = to
	}
}

func (r *running) apply(c change) {
	if c.quota != nil {
		r.service.setQuota(r.now, *c.quota)
	}
	if c.faults != nil {
		r.service.faults = *c.faults
	}
	if c.maxBody != nil {
		r.service.maxBody = *c.maxBody
	}
	if c.outage != nil {
		r.service.outage = *c.outage
	}
	for i, m := range r.members {
		if i < c.pause || c.resume {
			m.paused = !c.resume
		}
	}
	if c.join > 0 {
		r.join(c.join)
	}
}

// join adds members and divides the partitions among all of them.
func (r *running) join(n int) {
	var c limiter.Config
	if r.Fleet {
		c.Quota = limiter.Load{Bytes: r.Row.Quota.Bytes, Records: r.Row.Quota.Records}
	}
	for range n {
		size, demand := r.Size, r.Demand
		if size == 0 {
			size = recordSizes[len(r.members)%len(recordSizes)]
		}
		if demand == 0 {
			demand = math.Inf(1)
		}
		if len(r.members) < r.Idle {
			demand = idleDemand
		}
		r.simulation.join(size, demand, c)
	}
	sum := 0.0
	for i := range r.members {
		sum += r.weight(i)
	}
	for i, m := range r.members {
		m.limiter.SetShare(r.now, r.weight(i)/sum)
	}
}

func (r *running) weight(i int) float64 {
	if r.Weights == nil {
		return 1
	}
	return r.Weights[i%len(r.Weights)]
}

// capacity is the bytes per second that can be accepted: the least of the quota, the
// demand, and the rate at which the members can send.
func (r *running) capacity() float64 {
	n, size := float64(len(r.members)), r.Size
	if size == 0 {
		return r.service.quota.Bytes
	}
	request := min(maxBytes, math.Floor(maxRecords)*size)
	// The mean of the latency is 1.06 times its median.
	cycle := 1.06*r.network.latency.Seconds() + request/r.network.uplink
	one := min(r.network.uplink, maxInFlight*request/cycle)
	if r.Demand > 0 {
		one = min(one, r.Demand)
	}
	q := r.service.quota
	return min(n*one, q.Bytes, q.Records*size, q.Requests*request)
}

func (r *running) values() Values {
	var sum tally
	v := Values{Low: math.Inf(1)}
	for i, m := range r.members {
		t := m.tally
		if i < len(r.before) {
			t = t.plus(r.before[i], -1)
		}
		sum = sum.plus(t, 1)
		if i >= r.Idle {
			part := t.accepted / r.ideal * float64(len(r.members)-r.Idle)
			v.Low, v.High = min(v.Low, part), max(v.High, part)
		}
	}
	requests := max(1, sum.requests)
	v.Goodput, v.Refused = sum.accepted/r.ideal, sum.refused/max(1, sum.sent)
	v.TooLarge, v.Lost = sum.tooLarge/requests, sum.lost/requests
	v.Requests = sum.requests / (r.To - r.From).Seconds() / float64(len(r.members))
	return v
}
