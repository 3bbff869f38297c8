package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"kafka-firehose/connector/firehose/firehosetest"
)

// changes reports when faults of the emulated Firehose begin and end, also those that are set while it runs, and when the
// connector is no longer ready, and ready again. It is a state machine: the time is passed in.
type changes struct {
	script   []firehosetest.Fault // as it was last set
	set      time.Duration        // when
	active   []string             // effects, sorted
	notReady time.Duration        // since when; 0 while it is ready, or has not been ready yet
	started  bool                 // the connector has been ready
}

// next returns a line for each change since the last call.
func (c *changes) next(at time.Duration, script []firehosetest.Fault, ready error) (lines []string) {
	if !slices.EqualFunc(script, c.script, sameFault) {
		c.script, c.set = script, at
	}
	now := c.effects(at - c.set)
	for _, effect := range now {
		if !slices.Contains(c.active, effect) {
			lines = append(lines, fmt.Sprintf("%s  fault begins: %s", clock(at), effect))
		}
	}
	for _, effect := range c.active {
		if !slices.Contains(now, effect) {
			lines = append(lines, fmt.Sprintf("%s  fault ends: %s", clock(at), effect))
		}
	}
	c.active = now
	switch {
	case ready == nil && c.notReady > 0:
		lines = append(lines, fmt.Sprintf("%s  the connector is ready again, after %s", clock(at), (at-c.notReady).Round(time.Second)))
		c.notReady = 0
	case ready == nil:
		c.started = true
	case c.started && c.notReady == 0:
		c.notReady = at
		reason, _, _ := strings.Cut(ready.Error(), "\n")
		lines = append(lines, fmt.Sprintf("%s  the connector is not ready: %s", clock(at), reason))
	}
	return lines
}

// effects returns the effects of the faults that are in force at this time since the script was set.
func (c *changes) effects(since time.Duration) (names []string) {
	for _, f := range c.script {
		if since >= f.After && (f.Until == 0 || since < f.Until) {
			names = append(names, fmt.Sprint(f.Effect))
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func sameFault(a, b firehosetest.Fault) bool {
	return a.Effect == b.Effect && a.After == b.After && a.Until == b.Until && a.Stream == b.Stream && a.Share == b.Share && a.Probability == b.Probability && a.Code == b.Code
}
