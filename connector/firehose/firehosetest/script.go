package firehosetest

import (
	"math/rand/v2"
	"slices"
	"time"
)

// armed is a Fault in force. [Service.mu] guards it.
type armed struct {
	Fault
	since time.Time // when it was set
	dice  *rand.Rand
	seen  int // requests of its stream and operation
	done  int // times it struck
}

func arm(f Fault, now time.Time) *armed {
	f.Indexes = slices.Clone(f.Indexes)
	return &armed{Fault: f, since: now, dice: rand.New(rand.NewPCG(f.Seed, 0))}
}

// unread reports that the fault strikes before a request's body is read, when
// its stream is not known yet.
func (f *armed) unread() bool {
	if f.Stream != "" {
		return false
	}
	return f.Effect == Outage || f.Effect == Reset && !f.Stored || f.Effect == RefuseRequest && f.Unread
}

// strikes counts a request and reports whether the fault applies to it.
func (f *armed) strikes(op, stream string, now time.Time) bool {
	switch {
	case f.Stream != "" && f.Stream != stream,
		f.Operation == "" && op != opPutRecordBatch && op != opPutRecord,
		f.Operation != "" && f.Operation != "*" && f.Operation != op,
		f.Effect.perEntry() && op != opPutRecordBatch:
		return false
	}
	f.seen++
	switch {
	case f.seen < f.From,
		f.To != 0 && f.seen > f.To,
		!f.active(now),
		f.Probability != 0 && f.dice.Float64() >= f.Probability:
		return false
	}
	f.done++
	return true
}

// active reports that the fault is inside its window of time and has strikes left.
func (f *armed) active(now time.Time) bool {
	at := now.Sub(f.since)
	return at >= f.After && (f.Until == 0 || at < f.Until) && (f.Times == 0 || f.done < f.Times)
}

// picks says which of n records the fault applies to.
func (f *armed) picks(n int) []bool {
	picked := make([]bool, n)
	for i := range picked {
		switch {
		case f.Share != 0:
			picked[i] = f.dice.Float64() < f.Share
		case len(f.Indexes) > 0:
			picked[i] = slices.Contains(f.Indexes, i)
		default:
			picked[i] = true
		}
	}
	return picked
}

// SetFaults replaces the script. Counts, windows and dice start from zero. It panics
// if a fault is not valid; see [Fault.Validate].
func (s *Service) SetFaults(faults []Fault) {
	if err := validateFaults("faults", faults); err != nil {
		panic("firehosetest: " + err.Error())
	}
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
	for _, f := range faults {
		s.faults = append(s.faults, arm(f, now))
	}
}

// AddFault adds to the end of the script; the faults there are go on counting.
// It panics if f is not valid.
func (s *Service) AddFault(f Fault) {
	if err := f.Validate(); err != nil {
		panic("firehosetest: " + err.Error())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, arm(f, time.Now()))
}

// ClearFaults ends the script. Requests that hang go on hanging.
func (s *Service) ClearFaults() { s.SetFaults(nil) }

// Faults returns the script in force.
func (s *Service) Faults() []Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]Fault, 0, len(s.faults))
	for _, f := range s.faults {
		out = append(out, f.Fault)
	}
	return out
}

// ActiveEffects returns the effects of the faults that can strike now, sorted, each once.
func (s *Service) ActiveEffects() []Effect {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	var effects []Effect
	for _, f := range s.faults {
		if f.active(now) {
			effects = append(effects, f.Effect)
		}
	}
	slices.Sort(effects)
	return slices.Compact(effects)
}
