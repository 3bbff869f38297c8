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
		"dropped records leave a value of 0":      {{5, fresh(0, 24*h), "held"}, {10, fresh(5, 0), "probe dropped"}, {20, fresh(15, 9*time.Minute), ""}, {21, fresh(16, 0).succeeds(16), "released"}},
		"late by a day, and then delivered":       {{5, fresh(0, 24*h), "held"}, {10, fresh(5, 0).succeeds(5), "released dropped"}},
		"a dropped probe leaves a value of 0":     {{5, fresh(0, 24*h), "held"}, {10, fresh(5, 0), "probe dropped"}, {24 * 60, fresh(24*60-5, 23*h+50*time.Minute), ""}, {24*60 + 20, fresh(24*60+15, 0), "probe dropped"}},
		"a process begins after a value of 0":     {{90, Answer{Freshness: MetricValue{0, at(5)}, DoubtAt: at(4)}, "held probe"}},
		"a process begins after a success":        {{90, Answer{Freshness: MetricValue{0, at(50)}, DoubtAt: at(4)}.succeeds(50), ""}},
		"a process begins when all was dropped":   {{90, fresh(0, 24*h), "held probe"}, {150, none, "released"}},
		"a process begins when all was delivered": {{90, fresh(0, 14*h), ""}},
		"a process begins while it is late":       {{5, fresh(0, 14*h), "held"}},
		"records are dropped":                     {{5, fresh(0, 13*h), "held"}, {20, fresh(15, 23*h+50*time.Minute), ""}, {30, fresh(25, 24*h), ""}, {31, fresh(26, time.Hour), "probe dropped"}},
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
	}{{c.held, "held"}, {c.released, "released"}, {c.probe, "probe"}, {!c.dropped.From.IsZero(), "dropped"}} {
		if part.on && text != "" {
			text += " "
		}
		if part.on {
			text += part.name
		}
	}
	return text
}

// What was dropped is named by the times in which Firehose accepted it.
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
	_, c = s.nextState(at(603), fresh(600, time.Minute), 0)
	if want := (timeSpan{at(-23 * 60), at(599 - 23*60 - 45)}); c.dropped != want {
		t.Errorf("dropped %v, want %v", c.dropped, want)
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
