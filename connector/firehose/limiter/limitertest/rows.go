package limitertest

import (
	"fmt"
	"math"
	"time"
)

const (
	sec        = time.Second
	mib        = 1 << 20
	idleDemand = 1000 // bytes per second of a member that has almost nothing to send
)

var (
	inf         = math.Inf(1)
	noQuota     = Quota{inf, inf, inf}
	recordSizes = []float64{200, 1024, 8192}
	// near is a member in the stream's region that can encode and send 40 MiB/s.
	near = network{latency: 50 * time.Millisecond, uplink: 40 * mib}
)

// quotaOf is AWS's quota for a number of MiB/s.
func quotaOf(mibs float64) Quota {
	return Quota{mibs * mib, 100_000 * max(1, mibs), 1000 * max(1, mibs)}
}

// table collects rows.
type table []Row

// Rows returns all rows.
func Rows() []Row {
	var t table
	t.weather()
	t.oneMember(near, "")
	t.members(near, "")
	t.latencies()
	t.breaker()
	t.sizes()
	return t
}

// add adds a row for each record size.
func (t *table) add(r Row, sizes []float64, format string, args ...any) {
	r.Name = fmt.Sprintf(format, args...)
	r.Members = max(1, r.Members)
	if r.Network == (network{}) {
		r.Network = near
	}
	for _, size := range sizes {
		r.Size = size
		*t = append(*t, r)
	}
}

func (t *table) weather() {
	const oneKind = "5 % of requests fail, one kind"
	for _, w := range []struct {
		group, name string
		faults      Faults
		goodput     float64
	}{
		{"5 % of records refused by chance", "5 % of records", Faults{Record: .05}, .90},
		{oneKind, "5 % 503", Faults{Unavailable: .05}, .85},
		{oneKind, "5 % 500", Faults{Internal: .05}, .85},
		{oneKind, "5 % throttled", Faults{Throttled: .05}, .85},
		{oneKind, "5 % reset before", Faults{ResetBefore: .05}, .85},
		{oneKind, "5 % reset after", Faults{ResetAfter: .05}, .85},
		{oneKind, "5 % cut answers", Faults{Cut: .05}, .85},
		{"all faults at once", "all faults", Faults{.05, .05, .05, .05, .05, .05, .05}, .60},
	} {
		r := Row{Group: w.group, Faults: w.faults, Quota: noQuota, To: 60 * sec, Goals: Goals{Goodput: w.goodput}}
		t.add(r, recordSizes, "%s, no quota", w.name)
		for _, q := range []float64{1, 5} {
			r.Quota = quotaOf(q)
			t.add(r, recordSizes, "%s, quota %g MiB/s", w.name, q)
		}
		t.add(Row{
			Group: "fair weather afterwards", Faults: w.faults, Quota: noQuota, From: 65 * sec, To: 80 * sec,
			Changes: []change{{at: 60 * sec, faults: &Faults{}}}, Goals: Goals{Goodput: .95, Refused: .02},
		}, recordSizes, "fair after %s", w.name)
	}
}

// oneMember has one member with a quota.
func (t *table) oneMember(n network, where string) {
	goals := Goals{Goodput: .95, Refused: .02}
	steady := Row{Group: "a quota, one member" + where, Network: n, From: 5 * sec, To: 65 * sec, Goals: goals}
	for _, q := range []float64{1, 5, 20} {
		steady.Quota = quotaOf(q)
		t.add(steady, recordSizes, "quota %g MiB/s%s", q, where)
	}
	for _, q := range []float64{1000, 10_000} {
		steady.Quota = Quota{inf, q, inf}
		t.add(steady, recordSizes[:2], "quota %g records/s%s", q, where)
	}
	for _, q := range []float64{1, 5} {
		low, high := quotaOf(q), quotaOf(4*q)
		t.add(Row{
			Group: "quota falls to a quarter" + where, Network: n, Quota: high, From: 63 * sec, To: 93 * sec,
			Changes: []change{{at: 60 * sec, quota: &low}}, Goals: goals,
		}, recordSizes, "quota %g falls to %g MiB/s%s", 4*q, q, where)
		r := Row{
			Group: "quota rises fourfold" + where, Network: n, Quota: low, From: 70 * sec, To: 100 * sec,
			Changes: []change{{at: 60 * sec, quota: &high}}, Goals: goals,
		}
		t.add(r, recordSizes, "quota %g rises to %g MiB/s%s", q, 4*q, where)
		r.To, r.Goals.Refused = 75*sec, 0
		t.add(r, recordSizes, "quota %g rises to %g MiB/s, 10th to 15th s%s", q, 4*q, where)
	}
}

// sharedGoals are those of 3 and 16 members without a setting.
func sharedGoals(size float64) Goals {
	if size == recordSizes[2] || size == 0 { // 0: some have 8 KiB
		return Goals{Goodput: .95, Refused: .04, Spread: .6}
	}
	return Goals{Goodput: .95, Refused: .03, Spread: .5}
}

// members has several members that share a quota.
func (t *table) members(n network, where string) {
	base := Row{Network: n, From: 5 * sec, To: 65 * sec}
	for _, size := range recordSizes {
		r := base
		r.Goals = sharedGoals(size)
		for _, r.Members = range []int{3, 16} {
			r.Group = fmt.Sprintf("%d members, no setting%s", r.Members, where)
			for _, q := range []float64{1, 5, 20} {
				r.Quota = quotaOf(q)
				t.add(r, []float64{size}, "%d members, quota %g MiB/s%s", r.Members, q, where)
			}
		}
		r.Quota, r.Idle = quotaOf(5), 1
		t.add(r, []float64{size}, "16 members, one idle, quota 5 MiB/s%s", where)
		r = Row{
			Group: "2 become 16, no setting" + where, Network: n, Members: 2, From: 30 * sec, To: 90 * sec,
			Changes: []change{{at: 30 * sec, join: 14}}, Goals: sharedGoals(size),
		}
		r.Goals.Spread = 0
		for _, q := range []float64{1, 5} {
			r.Quota = quotaOf(q)
			t.add(r, []float64{size}, "2 become 16, quota %g MiB/s%s", q, where)
		}
	}
	r := base
	r.Group, r.Members, r.Quota, r.Goals = "16 members, no setting"+where, 16, quotaOf(5), sharedGoals(0)
	t.add(r, []float64{0}, "16 members, different records, quota 5 MiB/s%s", where)
	t.fleet(base, where)
	t.idle(n, where)
}

// fleet has members that know the stream's quota.
func (t *table) fleet(base Row, where string) {
	base.Fleet, base.Goals = true, Goals{Goodput: .98, Refused: .012}
	r := base
	r.Group, r.Members = "16 members, fleet quota"+where, 16
	for _, q := range []float64{1, 5, 20} {
		r.Quota = quotaOf(q)
		t.add(r, recordSizes, "fleet quota %g MiB/s%s", q, where)
	}
	r.Quota, r.Weights = quotaOf(5), []float64{1, 2, 3, 1, 2, 3, 5, 1}
	t.add(r, recordSizes, "fleet quota 5 MiB/s, uneven partitions%s", where)
	r.Weights, r.Idle = nil, 1
	t.add(r, recordSizes, "fleet quota 5 MiB/s, one idle%s", where)
	for _, q := range []float64{1, 5} {
		r := base
		r.Group, r.Quota, r.Members, r.From, r.To = "2 become 16, fleet quota"+where, quotaOf(q), 2, 30*sec, 90*sec
		r.Changes = []change{{at: 30 * sec, join: 14}}
		t.add(r, recordSizes, "2 become 16, fleet quota %g MiB/s%s", q, where)
	}
}

// idle has members that have nothing to send for 20 s and start again.
func (t *table) idle(n network, where string) {
	for _, c := range []struct {
		members, pause int
		fleet          bool
	}{{1, 1, false}, {3, 1, false}, {16, 8, false}, {16, 8, true}} {
		for _, size := range recordSizes {
			r := Row{
				Group: "members idle and start again" + where, Network: n, Members: c.members, Fleet: c.fleet, Quota: quotaOf(5),
				From: 50 * sec, To: 60 * sec, Goals: sharedGoals(size),
				Changes: []change{{at: 30 * sec, pause: c.pause}, {at: 50 * sec, resume: true}},
			}
			r.Goals.Spread = 0
			t.add(r, []float64{size}, "%d of %d members start again, fleet quota %v%s", c.pause, c.members, c.fleet, where)
		}
	}
}

// latencies repeats rows with other latencies, and has a stream that never refuses.
func (t *table) latencies() {
	for _, ms := range []int{10, 200} {
		n := network{latency: time.Duration(ms) * time.Millisecond, uplink: near.uplink}
		where := fmt.Sprintf(", %d ms", ms)
		t.oneMember(n, where)
		t.members(n, where)
		t.add(Row{
			Group: "weather" + where, Network: n, Faults: Faults{Record: .05}, Quota: quotaOf(5), To: 60 * sec, Goals: Goals{Goodput: .90},
		}, recordSizes, "5 %% of records, quota 5 MiB/s%s", where)
		t.add(Row{
			Group: "weather" + where, Network: n, Faults: Faults{.05, .05, .05, .05, .05, .05, .05}, Quota: noQuota, To: 60 * sec, Goals: Goals{Goodput: .60},
		}, recordSizes, "all faults, no quota%s", where)
	}
	for _, ms := range []int{10, 50, 200} {
		r := Row{
			Group: "a stream that never refuses, from the first second", Quota: noQuota, From: sec, To: 6 * sec, Demand: 20 * mib,
			Network: network{latency: time.Duration(ms) * time.Millisecond, uplink: near.uplink}, Goals: Goals{Goodput: .95},
		}
		t.add(r, recordSizes, "no refusals, %d ms", ms)
		r.Members, r.Demand = 16, 4*mib
		t.add(r, recordSizes, "16 members, no refusals, %d ms", ms)
	}
}

// breaker has an outage of 15 s.
func (t *table) breaker() {
	yes, no := true, false
	for _, q := range []Quota{noQuota, quotaOf(5)} {
		r := Row{
			Group: "in an outage of 15 s", Quota: q, From: 32 * sec, To: 45 * sec, Goals: Goals{Requests: 2},
			Changes: []change{{at: 30 * sec, outage: &yes}, {at: 45 * sec, outage: &no}},
		}
		t.add(r, recordSizes, "in the outage, quota %g MiB/s", q.Bytes/mib)
		r.Group, r.From, r.To, r.Goals = "5 s after an outage", 50*sec, 60*sec, Goals{Goodput: .95}
		t.add(r, recordSizes, "5 s after the outage, quota %g MiB/s", q.Bytes/mib)
	}
}
