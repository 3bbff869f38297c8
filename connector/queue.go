package connector

import (
	"slices"
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

// split takes the first n records off, with their share of the weight. The share goes by
// their number and not by their size: each record is weighed once, when it is polled,
// and the sum of the shares is exact.
func (c chunk) split(n int) (first, rest chunk) {
	first, rest = c, c
	first.records, rest.records = c.records[:n], c.records[n:]
	first.weight = c.weight * int64(n) / int64(len(c.records))
	rest.weight = c.weight - first.weight
	return first, rest
}

// recycle gives the client the memory of the records back: they are no longer read.
func (c chunk) recycle() {
	for _, r := range c.records {
		r.Recycle()
	}
}

// queue holds the fetched records of a lane, in the order of the polls. The poller puts, and
// fill does everything else; the lock is for the two of them, for the goroutines that wait for
// a schema, and for callers that ask how old or how large the queue is.
//
// A partition whose next record waits for a schema is set aside: its records stay in the
// queue, in their order, and take passes over them until the schema is there.
type queue struct {
	mu     sync.Mutex
	chunks []chunk // from head on
	head   int     // how many were taken; their places are empty
	aside  []*aside
	ready  int   // of aside, how many may continue
	idle   int64 // bytes of the chunks that were set aside
}

// aside is a partition that waits for a schema. The queue's lock guards it.
type aside struct {
	lease  *offset.Lease
	chunks []chunk // its chunks that were taken or skipped; later ones may still be in queue.chunks
	ready  bool
	gone   bool // no longer in the queue
}

func (a *aside) weight() (bytes int64) {
	for _, c := range a.chunks {
		bytes += c.weight
	}
	return bytes
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

// take returns the oldest chunk whose partition does not wait for a schema.
func (q *queue) take() (c chunk, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.ready > 0 {
		q.readmit()
	}
	for q.head < len(q.chunks) {
		c = q.chunks[q.head]
		q.chunks[q.head] = chunk{}
		q.head++
		a := q.asideOf(c.lease)
		if a == nil {
			return c, true
		}
		a.chunks = append(a.chunks, c)
		q.idle += c.weight
	}
	return chunk{}, false
}

// putBack returns the rest of the chunk that was taken last.
func (q *queue) putBack(c chunk) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.putFirst(c)
}

// putFirst puts chunks in front of all others. It needs q.mu.
func (q *queue) putFirst(chunks ...chunk) {
	if q.head >= len(chunks) {
		q.head -= len(chunks)
		copy(q.chunks[q.head:], chunks)
		return
	}
	q.chunks, q.head = slices.Concat(chunks, q.chunks[q.head:]), 0 // a put has moved the others since
}

// setAside returns the rest of the chunk that was taken last, and sets its partition aside
// until readmitted is called with the result.
func (q *queue) setAside(c chunk) *aside {
	q.mu.Lock()
	defer q.mu.Unlock()
	a := &aside{lease: c.lease, chunks: []chunk{c}}
	q.aside = append(q.aside, a)
	q.idle += c.weight
	return a
}

// readmitted lets a partition that was set aside continue. It may have been removed since.
func (q *queue) readmitted(a *aside) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !a.gone && !a.ready {
		a.ready = true
		q.ready++
	}
}

// readmit puts the records of partitions that may continue in front of all others: they are
// older than whatever else the queue has of the same partition. It needs q.mu.
func (q *queue) readmit() {
	var first []chunk
	q.aside = slices.DeleteFunc(q.aside, func(a *aside) bool {
		if a.ready {
			first = append(first, a.chunks...)
			q.idle -= a.weight()
			a.gone = true
		}
		return a.ready
	})
	q.ready = 0
	q.putFirst(first...)
}

// asideOf returns the entry of a partition that was set aside, nil for any other. It needs q.mu.
func (q *queue) asideOf(lease *offset.Lease) *aside {
	for _, a := range q.aside {
		if a.lease == lease {
			return a
		}
	}
	return nil
}

// waiting returns the partitions that were set aside, with the bytes that are queued of each.
func (q *queue) waiting() map[*offset.Lease]int64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	bytes := make(map[*offset.Lease]int64, len(q.aside))
	for _, a := range q.aside {
		bytes[a.lease] = a.weight()
	}
	return bytes
}

// waits is how many bytes are queued of partitions that were set aside.
func (q *queue) waits() int64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.idle
}

// each calls do for the chunks that take would return, in their order, as long as it is true.
func (q *queue) each(do func(chunk) bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, c := range q.chunks[q.head:] {
		if q.asideOf(c.lease) == nil && !do(c) {
			return
		}
	}
}

// remove takes out the records of the given leases.
func (q *queue) remove(of func(*offset.Lease) bool) (weight int64, records int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	count := func(c chunk) {
		weight += c.weight
		records += len(c.records)
	}
	kept := q.chunks[:0]
	for _, c := range q.chunks[q.head:] {
		if of(c.lease) {
			count(c)
			continue
		}
		kept = append(kept, c)
	}
	clear(q.chunks[len(kept):])
	q.chunks, q.head = kept, 0
	q.aside = slices.DeleteFunc(q.aside, func(a *aside) bool {
		if !of(a.lease) {
			return false
		}
		for _, c := range a.chunks {
			count(c)
		}
		q.idle -= a.weight()
		if a.gone = true; a.ready {
			q.ready--
		}
		return true
	})
	return weight, records
}

// oldest is when the oldest of its records was polled.
func (q *queue) oldest() (at time.Time, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.head < len(q.chunks) {
		at, ok = q.chunks[q.head].polled, true
	}
	for _, a := range q.aside {
		if polled := a.chunks[0].polled; !ok || polled.Before(at) {
			at, ok = polled, true
		}
	}
	return at, ok
}
