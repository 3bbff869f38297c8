package main

import "fmt"

// The bounds that it is held to.
const (
	besideBuffers = 64 << 20 // bytes of memory beside MAX_BUFFERED_BYTES
	maxGrowth     = 1.3      // of CPU for a GB, from the fewest partitions to the most
	maxBilled     = 1.05     // bytes billed for a byte, with aggregation
	minSpeed      = 0.95     // of the floor's megabytes a second
)

// most is what a cell may cost in terms of the floor.
func (s setup) most() float64 {
	if s.size < 1<<10 && !s.aggregate {
		return 1.5 // 500 values of 200 bytes make a small request, which has its own price
	}
	return 1.3
}

// outside lists what is not within its bounds.
func (r *results) outside() (all []string) {
	report := func(format string, args ...any) { all = append(all, fmt.Sprintf(format, args...)) }
	memory := func(samples []sample) {
		for _, s := range samples {
			if most := s.setup.buffered + besideBuffers; s.peak > most {
				report("%s: %d MiB of memory, at most %d MiB are %s and 64 MiB", s.setup, s.peak>>20, most>>20, sizeText(s.setup.buffered))
			}
		}
	}
	bill := func(s sample) {
		if times := billed(s.stored); s.setup.aggregate && times > maxBilled {
			report("%s: billed %.3f times, at most %.2f", s.setup, times, maxBilled)
		}
	}
	for _, c := range r.matrix {
		if of, most := compare(c.connector, c.floor, sample.cost).of, c.most()*r.options.slack; of > most {
			report("%s: %.2f times the floor, at most %.2f", c.setup, of, most)
		}
		if of, least := compare(c.connector, c.floor, sample.rate).of, minSpeed/r.options.slack; of < least {
			report("%s: %.2f times the speed of the floor, at least %.2f", c.setup, of, least)
		}
		memory(c.connector)
		bill(c.connector[0])
	}
	for _, g := range r.growth() {
		if most := maxGrowth * r.options.slack; g.times > most {
			report("%s: %.2f times the CPU with %d partitions as with %d, at most %.2f", g.what, g.times, g.to.partitions, g.from.partitions, most)
		}
	}
	for _, w := range r.rows {
		if of := compare(w.one, w.other, sample.each).of; w.least > 0 && of < w.least/r.options.slack {
			report("%s costs %.2f times as much as %s, at least %.1f", w.what, of, w.against, w.least/r.options.slack)
		}
		if of, most := compare(w.one, w.other, sample.each).of, w.most*r.options.slack; w.most > 0 && of > most {
			report("%s costs %.2f times as much as %s, at most %.2f", w.what, of, w.against, most)
		}
		memory(w.one)
	}
	for _, s := range r.bill {
		bill(s)
	}
	memory(r.memory)
	memory(r.bill)
	return all
}
