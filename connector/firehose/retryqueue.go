package firehose

import (
	"slices"
	"time"

	"kafka-firehose/connector/batch"
	"kafka-firehose/connector/firehose/limiter"
)

// delivery is a batch, or a part that was split off one, until each of its records is settled.
type delivery struct {
	batch    *batch.Batch
	due      time.Time // of the next attempt
	progress time.Time // when a record of it was last accepted, else when it came
	attempts int       // since then
	stuck    int       // records of it that are reported as stuck
	alone    bool      // shares no request: one that it shared was refused for its size
	size     sizeRefused
	// followers are the other halves of this delivery. They wait until it has shown whether size was
	// the reason for a refusal.
	followers []*delivery
}

// sizeRefused counts the refusals of a delivery for its size.
type sizeRefused struct {
	at      int64     // the highest request number at the first refusal; 0 without one
	since   time.Time // of the first refusal
	resends int       // after refusals for a size that passes, since something of it was accepted
	proof   loneProof // that it is too large, as a single record
}

// splitOff is a delivery of records that were split off d.
func (d *delivery) splitOff(b *batch.Batch) *delivery {
	return &delivery{batch: b, progress: d.progress, size: sizeRefused{at: d.size.at, since: d.size.since, resends: d.size.resends}}
}

// requestLoad is what the delivery adds to a request.
func (d *delivery) requestLoad() limiter.Load {
	return limiter.Load{Bytes: float64(d.batch.Bytes()), Records: float64(d.batch.Len())}
}

// retryQueue holds the deliveries that wait for their next attempt, in the order in which they
// are due.
type retryQueue []*delivery

// addRetry enters a delivery that is due at some time, behind those that are due at the same time.
func (q *retryQueue) addRetry(d *delivery, due time.Time) {
	d.due = due
	i, _ := slices.BinarySearchFunc(*q, due, func(d *delivery, due time.Time) int {
		if d.due.After(due) {
			return 1
		}
		return -1
	})
	*q = slices.Insert(*q, i, d)
}

// countDue is how many may be sent now.
func (q retryQueue) countDue(now time.Time) int {
	n, _ := slices.BinarySearchFunc(q, now, func(d *delivery, now time.Time) int {
		if d.due.After(now) {
			return 1
		}
		return -1
	})
	return n
}

// ripeAfter is how long a small retry lets fresh batches go first, so that others join it and fill
// a request.
const ripeAfter = 100 * time.Millisecond

// isRipe reports whether the retries should be sent before a fresh batch: one has waited long enough,
// or together they fill half a request.
func (q retryQueue) isRipe(now time.Time, maxRequest limiter.Load) bool {
	var sum limiter.Load
	for _, d := range q[:q.countDue(now)] {
		if now.Sub(d.due) >= ripeAfter {
			return true
		}
		if sum = sum.Plus(d.requestLoad()); sum.Exceeds(maxRequest.Times(0.5)) {
			return true
		}
	}
	return false
}

// takeDue removes due deliveries for one request and returns them: the first, and others that fit
// beside it.
func (q *retryQueue) takeDue(now time.Time, maxRequest limiter.Load) (taken []*delivery) {
	var sum limiter.Load
	rest, due := (*q)[:0], q.countDue(now)
	for _, d := range (*q)[:due] {
		if len(taken) == 0 || !d.alone && !taken[0].alone && !sum.Plus(d.requestLoad()).Exceeds(maxRequest) {
			taken, sum = append(taken, d), sum.Plus(d.requestLoad())
		} else {
			rest = append(rest, d)
		}
	}
	rest = append(rest, (*q)[due:]...)
	clear((*q)[len(rest):]) // or they would keep their batches
	*q = rest
	return taken
}
