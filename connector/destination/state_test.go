package destination

import (
	"testing"
	"time"
)

// at is a time of the tests: minutes after they begin.
func at(minutes int) time.Time {
	return time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(minutes) * time.Minute)
}

// fresh is an answer: at some minute the destination was late by a time.
func fresh(minute int, late time.Duration) Answer {
	a := Answer{Freshness: MetricValue{late.Seconds(), at(minute)}}
	if late >= 23*time.Hour {
		a.DoubtAt = at(minute)
	}
	if a.Freshness.isDropping() {
		a.Dropped = dropAt(a.Freshness, 0)
	}
	return a
}

// succeeds adds a delivery that succeeded.
func (a Answer) succeeds(minute int) Answer {
	a.Success = MetricValue{0.5, at(minute)}
	return a
}

func TestStep(t *testing.T) {
	t.Parallel()
	const h = time.Hour
	failed, none := Answer{Failed: true}, Answer{}
	type move struct {
		minute int
		answer Answer
		want   string // held, released, probe, dropped, with blanks between, or nothing
	}
	for name, moves := range map[string][]move{
		"exactly the limit holds nothing":         {{5, fresh(0, 12*h), ""}, {6, fresh(1, 12*h+time.Second), "held"}},
		"it continues at half":                    {{5, fresh(0, 13*h), "held"}, {10, fresh(5, 6*h+time.Second), ""}, {15, fresh(10, 6*h), "released"}},
		"a failure holds nothing":                 {{5, failed, ""}, {6, none, ""}},
		"an old value holds nothing":              {{60, fresh(0, 13*h), ""}},
		"a failure keeps the hold":                {{5, fresh(0, 13*h), "held"}, {6, failed, ""}, {24*60 - 1, failed, ""}, {24 * 60, failed, "released"}},
		"a failure and then a value":              {{5, fresh(0, 13*h), "held"}, {200, failed, ""}, {201, fresh(200, 15*h), ""}},
		"the values vanish: all was delivered":    {{5, fresh(0, 13*h), "held"}, {59, none, ""}, {60, none, "released"}},
		"they vanish at 22 h 59":                  {{5, fresh(0, 22*h+59*time.Minute), "held"}, {60, none, "released"}},
		"they vanish at 23 h":                     {{5, fresh(0, 23*h), "held"}, {60, none, "probe"}},
		"a young probe proves nothing":            {{5, fresh(0, 23*h), "held"}, {60, none, "probe"}, {70, fresh(65, 5*time.Minute), ""}, {71, fresh(66, 6*time.Minute), ""}},
		"the probe is delivered":                  {{5, fresh(0, 23*h), "held"}, {60, none, "probe"}, {70, fresh(65, 5*time.Minute).succeeds(65), "released"}},
		"a success before the probe":              {{5, fresh(0, 23*h), "held"}, {60, none, "probe"}, {70, fresh(65, 5*time.Minute).succeeds(59), ""}},
		"the probe vanishes early":                {{5, fresh(0, 23*h), "held"}, {60, none, "probe"}, {70, fresh(65, 5*time.Minute), ""}, {125, none, "released"}},
		"the probe is dropped":                    {{5, fresh(0, 23*h), "held"}, {60, none, "probe"}, {24 * 60, fresh(24*60-5, 23*h), ""}, {25*60 - 5, none, "probe"}},
		"nothing is heard of the probe":           {{5, fresh(0, 23*h), "held"}, {60, none, "probe"}, {119, none, ""}, {120, none, "released"}},
		"the probe was not sent yet":              {{5, fresh(0, 23*h), "held"}, {60, none, "probe"}, {180, Answer{ProbeOpen: true}, ""}, {239, none, ""}, {240, none, "released"}},
		"dropped records leave a value of 0":      {{5, fresh(0, 24*h), "held"}, {10, fresh(5, 0), "probe"}, {20, fresh(15, 9*time.Minute), ""}, {21, fresh(16, 0).succeeds(16), "released"}, {22, failed, ""}, {23, Answer{NoHistory: true}, ""}, {24, none, "dropped"}, {25, none, ""}},
		"late by a day, and then delivered":       {{5, fresh(0, 24*h), "held"}, {10, fresh(5, 0).succeeds(5), "released"}, {11, none, "dropped"}},
		"a dropped probe leaves a value of 0":     {{5, fresh(0, 24*h), "held"}, {10, fresh(5, 0), "probe"}, {24 * 60, fresh(24*60-5, 23*h+50*time.Minute), ""}, {24*60 + 20, fresh(24*60+15, 0), "probe"}, {24*60 + 30, fresh(24*60+25, 0).succeeds(24*60 + 25), "released"}, {24*60 + 31, none, "dropped"}},
		"a process begins after a value of 0":     {{90, Answer{Freshness: MetricValue{0, at(5)}, DoubtAt: at(4)}, "held probe"}},
		"a process begins after a success":        {{90, Answer{Freshness: MetricValue{0, at(50)}, DoubtAt: at(4)}.succeeds(50), ""}},
		"a process begins long after a success":   {{900, Answer{Freshness: MetricValue{0, at(50)}, DoubtAt: at(4)}.succeeds(50), ""}},
		"a process begins when all was dropped":   {{90, fresh(0, 24*h), "held probe"}, {150, none, "released"}},
		"a process begins when all was delivered": {{90, fresh(0, 14*h), ""}},
		"a process begins while it is late":       {{5, fresh(0, 14*h), "held"}},
		"records are dropped":                     {{5, fresh(0, 13*h), "held"}, {20, fresh(15, 23*h+50*time.Minute), ""}, {30, fresh(25, 24*h), ""}, {31, fresh(26, time.Hour), "probe"}, {36, fresh(32, time.Minute).succeeds(32), "released"}, {37, fresh(33, 13*h), "held"}, {38, fresh(34, time.Minute), "released"}, {39, none, "dropped"}},
		"it is held again":                        {{5, fresh(0, 13*h), "held"}, {6, fresh(1, time.Hour), "released"}, {7, fresh(2, 13*h), "held"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := State{}
			for _, m := range moves {
				before := s.Held
				var c stateChange
				s, c = s.nextState(at(m.minute), m.answer, 12*h)
				if got := told(c); got != m.want {
					t.Fatalf("minute %d: %q, want %q", m.minute, got, m.want)
				}
				if s.Held != (before || c.held) && !c.released || s.Held == s.Since.IsZero() {
					t.Fatalf("minute %d: held is %v since %v after %+v", m.minute, s.Held, s.Since, c)
				}
			}
		})
	}
}

func told(c stateChange) string {
	text := ""
	for _, part := range []struct {
		on   bool
		name string
	}{{c.held, "held"}, {c.released, "released"}, {c.probe, "probe"}, {!c.dropped.isZero(), "dropped"}} {
		if part.on && text != "" {
			text += " "
		}
		if part.on {
			text += part.name
		}
	}
	return text
}

// TestDroppedSpan: dropped records are named by the times in which Firehose accepted them, and those that tried the destination are
// part of the same outage.
func TestDroppedSpan(t *testing.T) {
	t.Parallel()
	s := State{}
	var c stateChange
	for minute := range 600 { // late by 23 h at first, and by 24 h from the first hour on
		late := min(23*time.Hour+time.Duration(minute)*time.Minute, 24*time.Hour)
		if s, c = s.nextState(at(minute+3), fresh(minute, late), 0); told(c) != "" {
			t.Fatalf("minute %d: %+v", minute, c)
		}
	}
	if got := s.Dropped(at(700)); len(got) != 1 || !got[0].ReplayTo.IsZero() {
		t.Errorf("%+v, want a drop that may still last", got)
	}
	_, c = s.nextState(at(603), fresh(600, time.Minute), 0)
	if want := (Drop{From: at(-23 * 60), Until: at(599 - 23*60 - 45), LastAt: at(599)}); c.dropped != want {
		t.Errorf("dropped %v, want %v", c.dropped, want)
	}
}

// TestHistoryOfDrops: a drop that the state has is not told again, one that may still last begins where it began, and others are over.
func TestHistoryOfDrops(t *testing.T) {
	t.Parallel()
	const day = 24 * 60
	drop := func(from, until, last int) Drop { return Drop{From: at(from), Until: at(until), LastAt: at(last)} }
	s := State{dropping: drop(900, 1000, 1000+day)}
	s.addDropped(at(day), drop(0, 10, 10+day))
	over := s.addHistory([]Drop{drop(5, 15, 15+day), drop(100, 110, 110+day), drop(700, 990, 990+day)})
	if len(over) != 1 || over[0] != drop(100, 110, 110+day) || s.dropping != drop(700, 1000, 1000+day) {
		t.Errorf("over: %v, and %v", over, s.dropping)
	}
	for i := range maxDrops {
		s.addDropped(at(day), drop(100*i, 100*i+10, 100*i+day))
	}
	if got := s.Dropped(at(day)); len(got) != maxDrops+1 || got[maxDrops] != s.dropping {
		t.Errorf("%d drops, want the newest %d and the one that lasts", len(got), maxDrops)
	}
	s.dropping = Drop{}
	if got := s.Dropped(at(30 * day)); len(got) != 0 {
		t.Errorf("after a month: %v", got)
	}
	if s.addDropped(at(30*day), drop(29*day, 29*day, 30*day)); len(s.dropped) != 1 {
		t.Errorf("after a month it keeps %v", s.dropped)
	}
}

// At risk is what Firehose had accepted when the stream was held, and nothing is at risk while it is not held.
func TestAtRisk(t *testing.T) {
	t.Parallel()
	s, _ := State{}.nextState(at(5), fresh(0, 11*time.Hour), 12*time.Hour)
	if from, until := s.AtRisk(); !from.IsZero() || !until.IsZero() {
		t.Errorf("not held: %v to %v", from, until)
	}
	s, _ = s.nextState(at(65), fresh(60, 12*time.Hour+time.Minute), 12*time.Hour)
	s, _ = s.nextState(at(125), fresh(120, 13*time.Hour+time.Minute), 12*time.Hour)
	if from, until := s.AtRisk(); from != at(-11*60-1) || until != at(65) {
		t.Errorf("held: %v to %v, want %v to %v", from, until, at(-11*60-1), at(65))
	}
	s, _ = s.nextState(at(125+12*60), fresh(120+12*60, 23*time.Hour+30*time.Minute), 12*time.Hour)
	s, c := s.nextState(at(125+14*60), Answer{}, 12*time.Hour)
	if from, until := s.AtRisk(); !c.probe || !from.IsZero() || !until.IsZero() {
		t.Errorf("%+v, a probe: %v to %v", c, from, until)
	}
}

// Without a limit nothing is ever held.
func TestNoLimit(t *testing.T) {
	t.Parallel()
	s, c := State{}.nextState(at(5), fresh(0, 23*time.Hour), 0)
	if s.Held || told(c) != "" || s.LateBy() != 23*time.Hour || s.TimeLeft() != time.Hour {
		t.Errorf("%+v %+v", s, c)
	}
}
