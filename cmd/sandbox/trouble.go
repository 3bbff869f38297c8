package main

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"kafka-firehose/connector/firehose/firehosetest"
)

// trouble is how Firehose misbehaves: a script of faults, and what the stream takes a second.
type trouble struct {
	text   string // for the list of flags
	faults []firehosetest.Fault
	quota  firehosetest.Quota
}

var (
	// smallRegion is the lower of the two default quotas of a new stream.
	smallRegion = firehosetest.DefaultQuota("eu-central-1")

	presets = map[string]trouble{
		"none":      {text: "it does what it should"},
		"flaky":     {text: "a fifth of all records fail, one by one", faults: refuseShare(0.2)},
		"throttle":  {text: "the quota of a small region: 1 MiB/s", quota: smallRegion},
		"ambiguous": {text: "some answers are destroyed after the records were stored", faults: destroyAnswers(0.02)},
		"outage":    {text: "nothing answers for 15 s, from the 5th second on", faults: outage(5*time.Second, 20*time.Second)},
		"chaos": {
			text: "all of that at once, the outage shorter", quota: smallRegion,
			faults: slices.Concat(refuseShare(0.1), destroyAnswers(0.01), outage(6*time.Second, 10*time.Second), []firehosetest.Fault{
				{Effect: firehosetest.RefuseRequest, Probability: 0.02, Seed: 4},
				{Effect: firehosetest.RefuseRecords, Share: 0.05, Code: "InternalFailure", Probability: 0.3, Seed: 5},
				{Effect: firehosetest.Delay, Delay: 300 * time.Millisecond, Probability: 0.1, Seed: 6},
			}),
		},
	}
)

// refuseShare fails a share of all records by index, inside answers that are otherwise fine.
func refuseShare(share float64) []firehosetest.Fault {
	return []firehosetest.Fault{{Effect: firehosetest.RefuseRecords, Share: share}}
}

// destroyAnswers stores records and then keeps the answer back, in three ways: cut, reset, empty. Each
// strikes with the probability p.
func destroyAnswers(p float64) []firehosetest.Fault {
	return []firehosetest.Fault{
		{Effect: firehosetest.CutBody, Stored: true, Probability: p, Seed: 1},
		{Effect: firehosetest.Reset, Stored: true, Probability: p, Seed: 2},
		{Effect: firehosetest.EmptyObject, Stored: true, Probability: p, Seed: 3},
	}
}

func outage(after, until time.Duration) []firehosetest.Fault {
	return []firehosetest.Fault{{Effect: firehosetest.Outage, After: after, Until: until}}
}

// presetsText lists the presets, a line each.
func presetsText() string {
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(presets)) {
		lines = append(lines, fmt.Sprintf("  %-9s  %s", name, presets[name].text))
	}
	return strings.Join(lines, "\n")
}

// parseTrouble takes a preset's name or the name of a file with a script.
func parseTrouble(name string) (trouble, error) {
	if t, ok := presets[name]; ok {
		return t, nil
	}
	f, err := os.Open(name)
	if err != nil {
		return trouble{}, fmt.Errorf("-faults is %q; want %s, or a file with a JSON script (%w)",
			name, strings.Join(slices.Sorted(maps.Keys(presets)), ", "), err)
	}
	defer f.Close()
	faults, err := firehosetest.ParseFaults(f)
	if err != nil {
		return trouble{}, fmt.Errorf("-faults: %s: %w", name, err)
	}
	return trouble{faults: faults}, nil
}
