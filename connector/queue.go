package connector

import (
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/connector/offset"
)

// chunk is what one poll brought of one partition.
type chunk struct {
	lease   *offset.Lease
	records []*kgo.Record
	weight  int64 // bytes of memory
	polled  time.Time
}

// split takes the first n records off, with their share of the weight. That goes by
// their number and not by their size: each record is weighed once, when it is polled,
// and the sum of what is taken off is exact.
func (c chunk) split(n int) (first, rest chunk) {
	first, rest = c, c
	first.records, rest.records = c.records[:n], c.records[n:]
	first.weight = c.weight * int64(n) / int64(len(c.records))
	rest.weight = c.weight - first.weight
	return first, rest
}

// recycle gives the client back what the records are in: nobody reads them any more.
func (c chunk) recycle() {
	for _, r := range c.records {
		r.Recycle()
	}
}

// queue is what was polled for a lane, in that order. The poller puts, and fill does
// everything else; the lock is for the two of them, and for whoever asks how old it is.
type queue struct {
	mu     sync.Mutex
	chunks []chunk // from head on
	head   int     // how many were taken; their places are empty
}

func (q *queue) put(c chunk) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.chunks) == cap(q.chunks) && q.head > len(q.chunks)/2 { // more room in front than is in use
		n := copy(q.chunks, q.chunks[q.head:])
		clear(q.chunks[n:])
		q.chunks, q.head = q.chunks[:n], 0
	}
	q.chunks = append(q.chunks, c)
}

func (q *queue) take() (c chunk, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.head == len(q.chunks) {
		return chunk{}, false
	}
	c = q.chunks[q.head]
	q.chunks[q.head] = chunk{}
	q.head++
	return c, true
}

// putBack returns what is left of the chunk that was taken last.
func (q *queue) putBack(c chunk) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.head > 0 {
		q.head--
		q.chunks[q.head] = c
		return
	}
	q.chunks = append([]chunk{c}, q.chunks...) // a put has moved the others since
}

// each calls do for the chunks in their order, as long as it is true.
func (q *queue) each(do func(chunk) bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, c := range q.chunks[q.head:] {
		if !do(c) {
			return
		}
	}
}

// remove takes out what belongs to the given leases.
func (q *queue) remove(of func(*offset.Lease) bool) (weight int64, records int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	kept := q.chunks[:0]
	for _, c := range q.chunks[q.head:] {
		if of(c.lease) {
			weight += c.weight
			records += len(c.records)
			continue
		}
		kept = append(kept, c)
	}
	clear(q.chunks[len(kept):])
	q.chunks, q.head = kept, 0
	return weight, records
}

// oldest is when the oldest of its records was polled.
func (q *queue) oldest() (at time.Time, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.head == len(q.chunks) {
		return time.Time{}, false
	}
	return q.chunks[q.head].polled, true
}
