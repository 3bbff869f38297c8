package firehose

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"kafka-firehose/connector/batch"
	"kafka-firehose/connector/firehose/limiter"
	"kafka-firehose/connector/offset"
)

// smallBatches makes batches of one record.
func smallBatches(n int) (all []*batch.Batch) {
	b := batch.NewBuilder(batch.Limits{Records: 1, Bytes: 1000, Linger: time.Second}, batch.Aggregation{Values: 1})
	lease := offset.NewLease("t", 0)
	for i := range int64(n) {
		lease.RegisterRecords(i, i, 1)
		all = append(all, b.AddRecord(time.Now(), lease, offset.MarkAfter(i, 0), time.Now(), append(b.AppendBuffer(), 'x')))
	}
	return all
}

// TestRetryQueue compares the queue with one that is sorted anew for each step: what is due comes
// out in order, as much of it as fits, and nothing else.
func TestRetryQueue(t *testing.T) {
	for seed := range uint64(200) {
		dice := rand.New(rand.NewPCG(seed, 1))
		var q retryQueue
		var model []*delivery
		now := time.Unix(0, 0)
		for _, b := range smallBatches(60) {
			d := &delivery{batch: b, alone: dice.IntN(10) == 0}
			due := now.Add(time.Duration(dice.IntN(10)) * time.Second)
			q.addRetry(d, due)
			model = append(model, d)
			slices.SortStableFunc(model, func(a, b *delivery) int { return a.due.Compare(b.due) })
			now = now.Add(time.Duration(dice.IntN(3)) * time.Second)
			due2 := 0
			for _, d := range model {
				if !d.due.After(now) {
					due2++
				}
			}
			if got := q.countDue(now); got != due2 {
				t.Fatalf("seed %d: %d are due, want %d", seed, got, due2)
			}
			if due2 == 0 || dice.IntN(2) == 0 {
				continue
			}
			most := float64(1 + dice.IntN(4))
			var want []*delivery
			for _, d := range model[:due2] {
				if len(want) == 0 || float64(len(want)) < most && !d.alone && !want[0].alone {
					want = append(want, d)
				}
			}
			model = slices.DeleteFunc(model, func(d *delivery) bool { return slices.Contains(want, d) })
			if got := q.takeDue(now, limiter.Load{Bytes: 1000, Records: most}); !slices.Equal(got, want) {
				t.Fatalf("seed %d: took %d, want %d", seed, len(got), len(want))
			}
			if !slices.Equal(q, model) {
				t.Fatalf("seed %d: the queue holds %d, want %d", seed, len(q), len(model))
			}
		}
	}
}

// TestRipe: a lone small retry lets fresh batches go first for a tenth of a second, and half a
// request of them goes at once.
func TestRipe(t *testing.T) {
	now, most := time.Unix(0, 0), limiter.Load{Bytes: 1000, Records: 4}
	var q retryQueue
	batches := smallBatches(3)
	q.addRetry(&delivery{batch: batches[0]}, now)
	q.addRetry(&delivery{batch: batches[1]}, now)
	if q.isRipe(now.Add(ripeAfter-1), most) || !q.isRipe(now.Add(ripeAfter), most) {
		t.Error("two of four records are not ripe after 100 ms, or before")
	}
	q.addRetry(&delivery{batch: batches[2]}, now)
	if !q.isRipe(now, most) || q.isRipe(now.Add(-1), most) {
		t.Error("three of four records are not ripe at once, or before they are due")
	}
}
