package main

import (
	"slices"
	"testing"
	"time"
)

// TestPlan: a seed always makes the same plan; over an hour all kinds come up; there is
// quiet in which only a polite restart happens; and no two troubles are at one place.
func TestPlan(t *testing.T) {
	t.Parallel()
	const hour = time.Hour
	seen := map[kind]int{}
	for seed := range uint64(4) {
		events := plan(seed, hour)
		if !slices.Equal(events, plan(seed, hour)) {
			t.Errorf("seed %d made two plans", seed)
		}
		if slices.Equal(events, plan(seed+1, hour)) {
			t.Errorf("seeds %d and %d made the same plan", seed, seed+1)
		}
		until := map[[2]int]time.Duration{}
		for _, e := range events {
			seen[e.kind]++
			end := e.at + e.lasts
			if end > hour || e.at < first {
				t.Errorf("seed %d: outside of the run: %v", seed, e)
			}
			if in := e.at % period; e.kind != stopMember && (in > period-quiet || end%period > period-quiet) {
				t.Errorf("seed %d: not quiet: %v", seed, e)
			}
			key := e.spot()
			if e.at < until[key] {
				t.Errorf("seed %d: two troubles at one place: %v", seed, e)
			}
			until[key] = end
		}
	}
	for _, d := range doses {
		if seen[d.kind] == 0 {
			t.Errorf("%q never came up", d.kind)
		}
	}
	t.Logf("in an hour: %v", seen)
}
