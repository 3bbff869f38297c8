package connector

import (
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/connector/offset"
)

// fetchedRecords are the records of one partition that one poll brought: an element of the queue.
type fetchedRecords struct {
	lease   *offset.Lease
	records []*kgo.Record
	weight  int64 // bytes of memory
	polled  time.Time
}

// splitAt takes the first n records off, with their share of the weight. The share goes by
// their number and not by their size: each record is weighed once, when it is polled,
// and the sum of the shares is exact.
func (c fetchedRecords) splitAt(n int) (first, rest fetchedRecords) {
	first, rest = c, c
	first.records, rest.records = c.records[:n], c.records[n:]
	first.weight = c.weight * int64(n) / int64(len(c.records))
	rest.weight = c.weight - first.weight
	return first, rest
}

// recycleRecords gives the client the memory of the records back: they are no longer read.
func (c fetchedRecords) recycleRecords() {
	for _, r := range c.records {
		r.Recycle()
	}
}

// recordQueue holds the fetched records of a pipeline, in the order of the polls. The poller puts, and
// the batcher does everything else; the lock is for the two of them, for the goroutines that wait for
// a schema, and for callers that ask how old or how large the queue is.
//
// A partition whose next record waits for a schema, or for its upload to the claim-check bucket, is set aside: its
// records stay in the queue, in their order, and takeRecords passes over them until readmit.
type recordQueue struct {
	mu      sync.Mutex
	fetched []fetchedRecords // from head on
	head    int              // how many were taken; their places are empty
	taken   fetchedRecords   // by takeRecords, without its records, until they are packed, put back or set aside: the batcher may be long about them
	aside   []*setAside
	ready   int   // of aside, how many may continue
	idle    int64 // bytes of the records that were set aside
}

// setAside is a partition that was set aside. The queue's lock guards it.
type setAside struct {
	lease   *offset.Lease
	fetched []fetchedRecords // its records that were taken or skipped; later ones may still be in queue.fetched
	ready   bool
	gone    bool // no longer in the queue
}

func (a *setAside) queuedBytes() (bytes int64) {
	for _, c := range a.fetched {
		bytes += c.weight
	}
	return bytes
}

func (q *recordQueue) putRecords(c fetchedRecords) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.fetched) == cap(q.fetched) && q.head > len(q.fetched)/2 { // more room in front than is in use
		n := copy(q.fetched, q.fetched[q.head:])
		clear(q.fetched[n:])
		q.fetched, q.head = q.fetched[:n], 0
	}
	q.fetched = append(q.fetched, c)
}

// takeRecords returns the oldest fetched records whose partition is not set aside.
func (q *recordQueue) takeRecords() (c fetchedRecords, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.ready > 0 {
		q.readmitReady()
	}
	for q.head < len(q.fetched) {
		c = q.fetched[q.head]
		q.fetched[q.head] = fetchedRecords{}
		q.head++
		a := q.asideOf(c.lease)
		if a == nil {
			q.taken = fetchedRecords{lease: c.lease, polled: c.polled}
			return c, true
		}
		a.fetched = append(a.fetched, c)
		q.idle += c.weight
	}
	return fetchedRecords{}, false
}

// putBack returns the rest of the records that were taken last.
func (q *recordQueue) putBack(c fetchedRecords) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.taken = fetchedRecords{}
	q.putFirst(c)
}

// finishRecords notes that the records that were taken last are packed.
func (q *recordQueue) finishRecords() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.taken = fetchedRecords{}
}

// putFirst puts records in front of all others. It needs q.mu.
func (q *recordQueue) putFirst(fetched ...fetchedRecords) {
	if q.head >= len(fetched) {
		q.head -= len(fetched)
		copy(q.fetched[q.head:], fetched)
		return
	}
	q.fetched, q.head = slices.Concat(fetched, q.fetched[q.head:]), 0 // a put has moved the others since
}

// setAside returns the rest of the records that were taken last, and sets its partition aside
// until readmit is called with the result.
func (q *recordQueue) setAside(c fetchedRecords) *setAside {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.taken = fetchedRecords{}
	a := &setAside{lease: c.lease, fetched: []fetchedRecords{c}}
	q.aside = append(q.aside, a)
	q.idle += c.weight
	return a
}

// readmit lets a partition that was set aside continue. It may have been removed since.
func (q *recordQueue) readmit(a *setAside) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !a.gone && !a.ready {
		a.ready = true
		q.ready++
	}
}

// readmitReady puts the records of partitions that may continue in front of all others: they are
// older than whatever else the queue has of the same partition. It needs q.mu.
func (q *recordQueue) readmitReady() {
	var first []fetchedRecords
	q.aside = slices.DeleteFunc(q.aside, func(a *setAside) bool {
		if a.ready {
			first = append(first, a.fetched...)
			q.idle -= a.queuedBytes()
			a.gone = true
		}
		return a.ready
	})
	q.ready = 0
	q.putFirst(first...)
}

// asideOf returns the entry of a partition that was set aside, nil for any other. It needs q.mu.
func (q *recordQueue) asideOf(lease *offset.Lease) *setAside {
	for _, a := range q.aside {
		if a.lease == lease {
			return a
		}
	}
	return nil
}

// waitingBytes returns the partitions that were set aside, with the bytes that are queued of each.
func (q *recordQueue) waitingBytes() map[*offset.Lease]int64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	bytes := make(map[*offset.Lease]int64, len(q.aside))
	for _, a := range q.aside {
		bytes[a.lease] = a.queuedBytes()
	}
	return bytes
}

// asideBytes is how many bytes are queued of partitions that were set aside.
func (q *recordQueue) asideBytes() int64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.idle
}

// eachQueued calls do for all that takeRecords would return, in its order, while do returns true.
func (q *recordQueue) eachQueued(do func(fetchedRecords) bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, c := range q.fetched[q.head:] {
		if q.asideOf(c.lease) == nil && !do(c) {
			return
		}
	}
}

// removeLeases takes out the records of the given leases.
func (q *recordQueue) removeLeases(of func(*offset.Lease) bool) (weight int64, records int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	count := func(c fetchedRecords) {
		weight += c.weight
		records += len(c.records)
	}
	kept := q.fetched[:0]
	for _, c := range q.fetched[q.head:] {
		if of(c.lease) {
			count(c)
			continue
		}
		kept = append(kept, c)
	}
	clear(q.fetched[len(kept):])
	q.fetched, q.head = kept, 0
	q.aside = slices.DeleteFunc(q.aside, func(a *setAside) bool {
		if !of(a.lease) {
			return false
		}
		for _, c := range a.fetched {
			count(c)
		}
		q.idle -= a.queuedBytes()
		if a.gone = true; a.ready {
			q.ready--
		}
		return true
	})
	return weight, records
}

// oldestPolls sets when the oldest record of each partition was polled that is queued or being packed, for the partitions that have some.
func (q *recordQueue) oldestPolls(polls map[*offset.Lease]time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, a := range q.aside {
		polls[a.lease] = a.fetched[0].polled
	}
	if q.taken.lease != nil {
		polls[q.taken.lease] = q.taken.polled
	}
	for _, c := range q.fetched[q.head:] { // a partition's records are in the order of the polls, and behind those set aside
		if _, known := polls[c.lease]; !known {
			polls[c.lease] = c.polled
		}
	}
}
