package connector

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/connector/offset"
)

// TestQueue compares it with a plain list after each step: nothing leaves out of turn,
// whatever the poller does between a chunk's being taken and its rest's being put back.
// A partition's records that change places would be committed past.
func TestQueue(t *testing.T) {
	leases := []*offset.Lease{offset.NewLease("t", 0), offset.NewLease("t", 1), offset.NewLease("t", 2)}
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 9))
		var q queue
		var model []chunk
		var next int64
		put := func() {
			c := chunk{lease: leases[rng.IntN(3)], weight: 1 + rng.Int64N(1000)}
			for range 1 + rng.IntN(5) {
				c.records = append(c.records, &kgo.Record{Offset: next})
				next++
			}
			q.put(c)
			model = append(model, c)
		}
		for range 300 {
			switch rng.IntN(8) {
			case 0:
				of := leases[rng.IntN(3)]
				var weight int64
				records := 0
				model = slices.DeleteFunc(model, func(c chunk) bool {
					if c.lease != of {
						return false
					}
					weight, records = weight+c.weight, records+len(c.records)
					return true
				})
				if w, n := q.remove(func(l *offset.Lease) bool { return l == of }); w != weight || n != records {
					t.Fatalf("seed %d: %d records of %d bytes were removed, want %d of %d", seed, n, w, records, weight)
				}
			case 1, 2, 3, 4:
				put()
			default:
				c, ok := q.take()
				if ok != (len(model) > 0) || ok && !same(c, model[0]) {
					t.Fatalf("seed %d: taken %+v %v, of %+v", seed, c, ok, model)
				}
				if !ok {
					continue
				}
				for range rng.IntN(4) {
					put()
				}
				done, rest := c.split(rng.IntN(len(c.records) + 1))
				if done.weight+rest.weight != c.weight || len(rest.records) == 0 && rest.weight != 0 {
					t.Fatalf("seed %d: %d and %d of %d bytes", seed, done.weight, rest.weight, c.weight)
				}
				model = model[1:]
				if len(rest.records) > 0 {
					q.putBack(rest)
					model = slices.Insert(model, 0, rest)
				}
			}
			if !slices.EqualFunc(q.chunks[q.head:], model, same) {
				t.Fatalf("seed %d: the queue is %+v, want %+v", seed, q.chunks[q.head:], model)
			}
			if slices.ContainsFunc(q.chunks[:q.head], func(c chunk) bool { return c.lease != nil }) {
				t.Fatalf("seed %d: what was taken is kept alive", seed)
			}
		}
		if cap(q.chunks) > 1000 {
			t.Fatalf("seed %d: there is room for %d chunks, with %d in it", seed, cap(q.chunks), len(model))
		}
	}
}

func same(a, b chunk) bool {
	return a.lease == b.lease && a.weight == b.weight && slices.Equal(a.records, b.records)
}
