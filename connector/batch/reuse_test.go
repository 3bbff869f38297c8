package batch

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"kafka-firehose/connector/offset"
	"kafka-firehose/connector/pool"
)

// Batches of all ages share a pool. Whatever settles, splits, is fenced or shrinks, and
// however soon its buffer serves another batch: the records of those that are left are
// the ones that were put into them. Runs with the pool and, as a control, without.
func TestBuffersAreNotSharedWhileTheyAreUsed(t *testing.T) {
	for _, buffers := range []*pool.Pool[byte]{nil, pool.New[byte](1<<20, Looseness)} {
		reused := 0
		for seed := range uint64(60) {
			rng := rand.New(rand.NewPCG(seed, 5))
			b := NewBuilder(Limits{Records: 20, Bytes: 4000}, Aggregation{Values: 1})
			b.SetPool(buffers)
			lease := offset.NewLease("t", 0)
			var live []*Batch
			seen := map[*byte]bool{}
			var next int64
			for range 400 {
				value := bytes.Repeat([]byte{byte(next)}, 1+rng.IntN(600))
				value[0] = byte(len(value))
				if full := b.AddRecord(epoch, lease, offset.MarkAfter(next, 0), epoch, append(b.AppendBuffer(), value...)); full != nil {
					if first := &full.buf[0]; seen[first] {
						reused++
					} else {
						seen[first] = true
					}
					live = append(live, full)
				}
				next++
				if len(live) > 0 {
					live = step(rng, live)
				}
				for _, l := range live {
					for i := range l.Len() {
						want := bytes.Repeat([]byte{byte(l.Offset(i))}, len(l.Record(i)))
						want[0] = byte(len(want))
						if !bytes.Equal(l.Record(i), want) {
							t.Fatalf("seed %d: record %d has changed: %.20q, want %.20q", seed, l.Offset(i), l.Record(i), want)
						}
					}
				}
			}
		}
		if (reused > 0) != (buffers != nil) {
			t.Errorf("%d buffers served twice, with a pool: %v", reused, buffers != nil)
		}
	}
}

// step does something to one of the batches that are on their way.
func step(rng *rand.Rand, live []*Batch) []*Batch {
	n := rng.IntN(len(live))
	b := live[n]
	switch rng.IntN(6) {
	case 0:
		if b.Len() > 1 {
			head, tail := b.SplitHalves()
			live[n] = head
			return append(live, tail)
		}
	case 1:
		b.RetainRecords(func(int) bool { return rng.IntN(4) == 0 })
	case 2:
		b.RetainRecords(func(int) bool { return false })
	}
	if b.Len() == 0 {
		live[n] = live[len(live)-1]
		live = live[:len(live)-1]
	}
	return live
}

// A batch that was filled and settled leaves its buffer for the next, and what little
// is left of one does so, too.
func TestBufferServesTheNextBatch(t *testing.T) {
	b := NewBuilder(Limits{Records: 10, Bytes: 1 << 20}, Aggregation{Values: 1})
	b.SetPool(pool.New[byte](1<<20, Looseness))
	lease := offset.NewLease("t", 0)
	ten := []int{100, 100, 100, 100, 100, 100, 100, 100, 100, 100}
	fill(b, lease, ten...) // the builder learns how large they are
	first := fill(b, lease, ten...)[0]
	buf := &first.buf[0]
	first.RetainRecords(func(i int) bool { return i == 3 })
	second := fill(b, lease, ten...)[0]
	if &second.buf[0] != buf {
		t.Error("the buffer of a batch of which little is left is not used")
	}
	if string(first.Record(0)) != string(bytes.Repeat([]byte{'d'}, 100)) {
		t.Errorf("what is left of it is %.20q", first.Record(0))
	}
	third := fill(b, lease, ten...)[0]
	if &third.buf[0] == buf {
		t.Error("two batches have one buffer")
	}
	second.RetainRecords(func(int) bool { return false })
	if fourth := fill(b, lease, ten...)[0]; &fourth.buf[0] != buf {
		t.Error("the buffer of a batch that has settled is not used")
	}
}
