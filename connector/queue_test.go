package connector

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/connector/offset"
)

// TestQueue compares it with a plain list after each step: nothing leaves out of turn,
// whatever the poller does while records are taken and before the rest of them is put back.
// A partition's records that change places would be committed past.
func TestQueue(t *testing.T) {
	leases := []*offset.Lease{offset.NewLease("t", 0), offset.NewLease("t", 1), offset.NewLease("t", 2)}
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 9))
		var q recordQueue
		var model []fetchedRecords
		var next int64
		put := func() {
			c := fetchedRecords{lease: leases[rng.IntN(3)], weight: 1 + rng.Int64N(1000)}
			for range 1 + rng.IntN(5) {
				c.records = append(c.records, &kgo.Record{Offset: next})
				next++
			}
			q.putRecords(c)
			model = append(model, c)
		}
		for range 300 {
			switch rng.IntN(8) {
			case 0:
				of := leases[rng.IntN(3)]
				var weight int64
				records := 0
				model = slices.DeleteFunc(model, func(c fetchedRecords) bool {
					if c.lease != of {
						return false
					}
					weight, records = weight+c.weight, records+len(c.records)
					return true
				})
				if w, n := q.removeLeases(func(l *offset.Lease) bool { return l == of }); w != weight || n != records {
					t.Fatalf("seed %d: %d records of %d bytes were removed, want %d of %d", seed, n, w, records, weight)
				}
			case 1, 2, 3, 4:
				put()
			default:
				c, ok := q.takeRecords()
				if ok != (len(model) > 0) || ok && !same(c, model[0]) {
					t.Fatalf("seed %d: taken %+v %v, of %+v", seed, c, ok, model)
				}
				if !ok {
					continue
				}
				for range rng.IntN(4) {
					put()
				}
				done, rest := c.splitAt(rng.IntN(len(c.records) + 1))
				if done.weight+rest.weight != c.weight || len(rest.records) == 0 && rest.weight != 0 {
					t.Fatalf("seed %d: %d and %d of %d bytes", seed, done.weight, rest.weight, c.weight)
				}
				model = model[1:]
				if len(rest.records) > 0 {
					q.putBack(rest)
					model = slices.Insert(model, 0, rest)
				}
			}
			if !slices.EqualFunc(q.fetched[q.head:], model, same) {
				t.Fatalf("seed %d: the queue is %+v, want %+v", seed, q.fetched[q.head:], model)
			}
			if slices.ContainsFunc(q.fetched[:q.head], func(c fetchedRecords) bool { return c.lease != nil }) {
				t.Fatalf("seed %d: what was taken is kept alive", seed)
			}
		}
		if cap(q.fetched) > 1000 {
			t.Fatalf("seed %d: there is room for %d fetched, with %d in it", seed, cap(q.fetched), len(model))
		}
	}
}

func same(a, b fetchedRecords) bool {
	return a.lease == b.lease && a.weight == b.weight && slices.Equal(a.records, b.records)
}

// TestQueueSetsAside: whatever is put, put back, set aside, readmitted and removed, each
// partition's records leave in their order, none of a partition that waits, and all that are not
// removed leave in the end.
func TestQueueSetsAside(t *testing.T) {
	var leases []*offset.Lease
	for p := range int32(4) {
		leases = append(leases, offset.NewLease("t", p))
	}
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 14))
		var q recordQueue
		queued := map[*offset.Lease][]int64{} // offsets, in their order
		polled := map[int64]time.Time{}       // :: offset
		waiting := map[*offset.Lease]*setAside{}
		var readmitted []*setAside
		var next, weight int64
		draining := false
		put := func() {
			c := fetchedRecords{lease: leases[rng.IntN(len(leases))], weight: 10, polled: time.Unix(next, 0)}
			for range 2 + rng.IntN(3) {
				c.records = append(c.records, &kgo.Record{Offset: next})
				queued[c.lease] = append(queued[c.lease], next)
				polled[next] = c.polled
				next++
			}
			weight += c.weight
			q.putRecords(c)
		}
		take := func() bool {
			c, ok := q.takeRecords()
			if !ok {
				for lease, offsets := range queued {
					if a := waiting[lease]; len(offsets) > 0 && (a == nil || a.ready) {
						t.Fatalf("seed %d: %d records are left", seed, len(offsets))
					}
				}
				return false
			}
			if a := waiting[c.lease]; a != nil && !a.gone {
				t.Fatalf("seed %d: records of a partition that waits were taken", seed)
			}
			for i, r := range c.records {
				if r.Offset != queued[c.lease][i] {
					t.Fatalf("seed %d: offset %d was taken, want %d", seed, r.Offset, queued[c.lease][i])
				}
			}
			for range rng.IntN(3) {
				if !draining {
					put()
				}
			}
			polls := map[*offset.Lease]time.Time{}
			q.oldestPolls(polls)
			if at, ok := q.oldestPoll(); !polls[c.lease].Equal(c.polled) || !ok || at.After(c.polled) {
				t.Fatalf("seed %d: while records that were polled at %d are packed, the oldest of their partition are from %d, and of all from %d", seed, c.polled.Unix(), polls[c.lease].Unix(), at.Unix())
			}
			done, rest := c.splitAt(rng.IntN(len(c.records) + 1))
			queued[c.lease] = queued[c.lease][len(done.records):]
			weight -= done.weight
			switch {
			case len(rest.records) == 0:
				q.finishRecords()
			case rng.IntN(3) == 0:
				waiting[c.lease] = q.setAside(rest)
			default:
				q.putBack(rest)
			}
			return true
		}
		for range 400 {
			switch rng.IntN(8) {
			case 0:
				of := leases[rng.IntN(len(leases))]
				w, n := q.removeLeases(func(l *offset.Lease) bool { return l == of })
				if n != len(queued[of]) {
					t.Fatalf("seed %d: %d records were removed, want %d", seed, n, len(queued[of]))
				}
				weight -= w
				queued[of] = nil
				delete(waiting, of)
			case 1, 2:
				put()
			case 3, 4:
				if a := waiting[leases[rng.IntN(len(leases))]]; a != nil {
					q.readmit(a)
					readmitted = append(readmitted, a)
				}
				if len(readmitted) > 0 {
					q.readmit(readmitted[rng.IntN(len(readmitted))]) // late, and again
				}
			default:
				take()
			}
			var held, idle int64
			for _, c := range q.fetched[q.head:] {
				held += c.weight
			}
			for _, n := range q.waitingBytes() {
				idle += n
			}
			if held+idle != weight || q.asideBytes() != idle {
				t.Fatalf("seed %d: %d bytes in turn and %d of %d set aside, want %d in all", seed, held, q.asideBytes(), idle, weight)
			}
			if _, ok := q.oldestPoll(); ok != (weight > 0) {
				t.Fatalf("seed %d: an oldest record: %v, with %d bytes", seed, ok, weight)
			}
			polls := map[*offset.Lease]time.Time{}
			q.oldestPolls(polls)
			for _, lease := range leases {
				var want time.Time
				if offsets := queued[lease]; len(offsets) > 0 {
					want = polled[offsets[0]]
				}
				if got := polls[lease]; !got.Equal(want) {
					t.Fatalf("seed %d: the oldest record of partition %d was polled at %d, want %d", seed, lease.Partition, got.Unix(), want.Unix())
				}
			}
		}
		draining = true
		for range 10_000 {
			for _, a := range waiting {
				q.readmit(a)
			}
			if !take() {
				break
			}
		}
		if weight != 0 || len(q.aside) > 0 || q.ready != 0 {
			t.Fatalf("seed %d: %d bytes, %d partitions and %d that are ready are left", seed, weight, len(q.aside), q.ready)
		}
	}
}

// oldestPoll is the oldest of oldestPolls.
func (q *recordQueue) oldestPoll() (at time.Time, ok bool) {
	polls := map[*offset.Lease]time.Time{}
	q.oldestPolls(polls)
	for _, polled := range polls {
		if !ok || polled.Before(at) {
			at, ok = polled, true
		}
	}
	return at, ok
}
