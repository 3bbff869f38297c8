package main

import (
	"context"
	"fmt"
	"slices"

	"kafka-firehose/connector/firehose/firehosetest"
)

const gigabyte = 1e9

// cost is the processor's seconds for a gigabyte of values.
func (s sample) cost() float64 { return s.cpu.Seconds() / (float64(s.setup.payload()) / gigabyte) }

// each is the processor's seconds for a million records.
func (s sample) each() float64 { return s.cpu.Seconds() / (float64(s.setup.records()) / 1e6) }

// rate is megabytes of values a second.
func (s sample) rate() float64 { return s.speed / 1e6 }

// billed is the bytes billed for each byte delivered.
func billed(st firehosetest.StreamStats) float64 {
	return float64(st.Billed) / float64(max(st.Bytes, 1))
}

// full is how full requests were, of 500 records or of 4,000,000 bytes, whichever is more.
func full(st firehosetest.StreamStats) float64 {
	requests := float64(max(st.Requests, 1))
	return max(float64(st.Records)/requests/500, float64(st.Bytes)/requests/4_000_000)
}

// median of what f says of the samples.
func median(samples []sample, f func(sample) float64) float64 {
	values := make([]float64, 0, len(samples))
	for _, s := range samples {
		values = append(values, f(s))
	}
	slices.Sort(values)
	n := len(values)
	if n == 0 {
		return 0
	}
	return (values[(n-1)/2] + values[n/2]) / 2
}

// peak is the most memory of all samples, in bytes.
func peak(samples []sample) int64 {
	var most int64
	for _, s := range samples {
		most = max(most, s.peak)
	}
	return most
}

// ratio is what one costs in terms of the other: of the medians, and the least and the
// most of two runs that followed each other.
type ratio struct{ of, least, most float64 }

func compare(a, b []sample, f func(sample) float64) (r ratio) {
	r.of = median(a, f) / median(b, f)
	for i := range min(len(a), len(b)) {
		one := f(a[i]) / f(b[i])
		if i == 0 {
			r.least, r.most = one, one
		}
		r.least, r.most = min(r.least, one), max(r.most, one)
	}
	return r
}

func (r ratio) String() string { return fmt.Sprintf("%.2f (%.2f–%.2f)", r.of, r.least, r.most) }

// alternate measures the setups in turns, so that whatever else the machine does falls on
// all of them.
func (b *bench) alternate(ctx context.Context, setups ...setup) ([][]sample, error) {
	samples := make([][]sample, len(setups))
	for range b.rounds {
		for i, s := range setups {
			one, err := b.measure(ctx, s)
			if err != nil {
				return nil, err
			}
			b.progress("  %-9s  %s: %.0f MB/s, %.2f CPU s/GB, %d MiB\n", s.mover, s, one.rate(), one.cost(), one.peak>>20)
			samples[i] = append(samples[i], one)
		}
	}
	return samples, nil
}
