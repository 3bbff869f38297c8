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
	faults []firehosetest.Fault
	quota  firehosetest.Quota
}

// smallRegion is where a new stream gets the lower of the two default quotas.
const smallRegion = "eu-central-1"

// presets are the words that -faults takes; the usage text explains them.
var presets = map[string]trouble{
	"none":      {},
	"flaky":     {faults: flaky(0.2)},
	"throttle":  {quota: firehosetest.DefaultQuota(smallRegion)},
	"ambiguous": {faults: destroyed(0.02)},
	"outage":    {faults: outage(5*time.Second, 15*time.Second)},
	"chaos": {
		quota: firehosetest.DefaultQuota(smallRegion),
		faults: slices.Concat(flaky(0.1), destroyed(0.01), outage(6*time.Second, 4*time.Second), []firehosetest.Fault{
			{Effect: firehosetest.RefuseRequest, Probability: 0.02, Seed: 4},
			{Effect: firehosetest.RefuseRecords, Share: 0.05, Code: "InternalFailure", Probability: 0.3, Seed: 5},
			{Effect: firehosetest.Delay, Delay: 300 * time.Millisecond, Probability: 0.1, Seed: 6},
		}),
	},
}

// flaky fails a share of all records by index, inside answers that are otherwise fine.
func flaky(share float64) []firehosetest.Fault {
	return []firehosetest.Fault{{Effect: firehosetest.RefuseRecords, Share: share}}
}

// destroyed stores records and then keeps the answer back, in three ways: cut, reset, empty. Each
// strikes with the probability p.
func destroyed(p float64) []firehosetest.Fault {
	return []firehosetest.Fault{
		{Effect: firehosetest.CutBody, Stored: true, Probability: p, Seed: 1},
		{Effect: firehosetest.Reset, Stored: true, Probability: p, Seed: 2},
		{Effect: firehosetest.EmptyObject, Stored: true, Probability: p, Seed: 3},
	}
}

func outage(after, lasts time.Duration) []firehosetest.Fault {
	return []firehosetest.Fault{{Effect: firehosetest.Outage, After: after, Until: after + lasts}}
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
