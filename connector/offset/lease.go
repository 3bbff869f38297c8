// Package offset decides which Kafka offset of a partition is safe to commit
// while the batches that hold its records settle out of order.
//
// Offsets are counted in spans, not records. A batch is filled in the order in
// which records were polled, so of every partition it touches it holds one
// contiguous run. A [Span] is that run; it settles when all of its records have,
// whatever becomes of other partitions' records in the same batch. A [Lease] is one assignment of one partition and keeps its
// spans in a queue: the head of that queue, as far as it has settled, is what
// may be committed. Nothing here does arithmetic on offsets, because compaction
// and transactions leave gaps between them.
//
// The package is a pure state machine: no clock, no goroutine, no Kafka client.
package offset

import (
	"cmp"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Mark is a position that may be committed.
type Mark struct {
	Offset int64 // the next offset to read, as Kafka's commits count
	Epoch  int32 // leader epoch of the record before it, -1 if unknown

	settled int64 // records of the lease up to here, for Lease.CountUncommitted
}

// MarkAfter is the mark that has passed the record at offset, which was written in
// the given leader epoch.
func MarkAfter(offset int64, epoch int32) Mark { return Mark{Offset: offset + 1, Epoch: epoch} }

// Lease is one assignment of one partition to this process. A partition that
// is revoked and assigned again gets a new Lease, so whatever settles late can
// never move the new one's mark.
//
// A Lease is safe for concurrent use: the poller registers, a pipeline covers, the
// senders settle and the committer reads.
type Lease struct {
	Topic     string
	Partition int32

	closed  atomic.Bool           // set under mu, read without it by senders before an attempt
	stopped atomic.Pointer[error] // why nothing more is delivered; nil while it is

	mu        sync.Mutex
	spans     []*Span // oldest first; the head is unsettled
	mark      Mark
	marked    bool  // mark holds a position
	last      int64 // highest offset registered, -1 before the first
	first     int64 // lowest offset registered, -1 before the first
	polled    int64 // records registered
	begun     int64 // records covered or skipped: they may have been sent
	committed int64 // records up to the newest acknowledged commit
	sent      Mark  // the newest acknowledged commit
	drained   chan struct{}
	ends      bool // nothing more is covered or skipped: a record before it can't be delivered
	failed    bool // that record was sent
}

// Span is one contiguous run of a lease's records inside one batch.
type Span struct {
	lease   *Lease
	batch   uint64
	next    Mark // the mark that may be committed once the span and all before it have settled
	records int64
	runs    int       // covered and not settled; the span settles with the last
	polled  time.Time // when the first of its records was polled

	void atomic.Bool // it moves no mark: a record before it, or in it, stays undelivered
}

// IsVoid reports whether the span moves no mark any more. To send its records would be in vain: they are
// delivered again, behind the record that could not be.
func (s *Span) IsVoid() bool { return s.void.Load() }

// NewLease starts a lease with nothing to commit.
func NewLease(topic string, partition int32) *Lease {
	return &Lease{Topic: topic, Partition: partition, last: -1, first: -1, sent: Mark{Offset: -1}}
}

// StartAt sets the position that the lease begins at, so that it is committed
// even if no record ever comes: the answer to "where was latest when we joined"
// must not be asked twice.
func (l *Lease) StartAt(m Mark) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.marked {
		l.mark, l.marked = m, true
	}
}

// RegisterRecords counts n polled records whose offsets run from first to last. It is
// false, and counts nothing, when first is not beyond every offset registered
// before: the partition was rewound inside one assignment, and the marks of
// this lease are no longer valid. The caller closes the lease then and
// starts another.
func (l *Lease) RegisterRecords(first, last int64, n int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if first <= l.last {
		return false
	}
	if l.first < 0 {
		l.first = first
	}
	l.last = last
	l.polled += int64(n)
	return true
}

// First is the offset of the first record of the lease, -1 before it was registered.
func (l *Lease) First() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.first
}

// CoverRecords puts a run of n records, up to and including the one that next has
// passed, under the span of the given batch, and returns that span. Every Cover
// asks for one Settle. Batch numbers are the caller's; they are never 0 and never
// come back.
func (l *Lease) CoverRecords(batch uint64, next Mark, n int, polled time.Time) *Span {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ends {
		s := &Span{lease: l, batch: batch, records: int64(n), runs: 1, polled: polled}
		s.void.Store(true)
		return s
	}
	l.begun += int64(n)
	var s *Span
	if k := len(l.spans); k > 0 && batch != alone && l.spans[k-1].batch == batch {
		s = l.spans[k-1]
	} else {
		s = &Span{lease: l, batch: batch, polled: polled}
		l.spans = append(l.spans, s)
	}
	s.next = next
	s.records += int64(n)
	s.runs++
	return s
}

// alone is the batch number of records that are in none.
const alone = 0

// CoverAlone puts one record that is in no batch under a span of its own, and returns
// that span: a record that is sent to the dead-letter topic.
func (l *Lease) CoverAlone(next Mark, polled time.Time) *Span {
	return l.CoverRecords(alone, next, 1, polled)
}

// SkipRecords passes over n records that need no delivery: tombstones, control records
// and records skipped by policy. They ride on the last span, because they may not be
// committed before the records polled before them.
func (l *Lease) SkipRecords(next Mark, n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ends {
		return
	}
	l.begun += int64(n)
	if k := len(l.spans); k > 0 {
		l.spans[k-1].next = next
		l.spans[k-1].records += int64(n)
		return
	}
	l.advanceMark(next, int64(n))
}

// Settle says that everything in one run of the span was accepted, skipped or
// dead-lettered.
func (s *Span) Settle() {
	l := s.lease
	l.mu.Lock()
	defer l.mu.Unlock()
	if s.runs--; s.runs < 0 {
		panic("offset: a span was settled more often than covered")
	}
	n := 0
	for n < len(l.spans) && l.spans[n].runs == 0 {
		l.advanceMark(l.spans[n].next, l.spans[n].records)
		l.spans[n] = nil
		n++
	}
	l.spans = l.spans[n:]
	if s.runs == 0 {
		l.mergeSettled(s)
	}
	l.tellDrained()
}

// mergeSettled merges a settled span with settled neighbours. Behind a record that does not settle for hours the lease
// would keep a span for each batch otherwise, up to KAFKA_MAX_UNCOMMITTED_RECORDS of them. It needs l.mu.
func (l *Lease) mergeSettled(s *Span) {
	at, found := slices.BinarySearchFunc(l.spans, s.next.Offset, func(o *Span, next int64) int { return cmp.Compare(o.next.Offset, next) })
	if !found || l.spans[at] != s {
		return // it has left the lease
	}
	from, to := at, at+1
	if from > 0 && l.spans[from-1].runs == 0 {
		from--
	}
	if to < len(l.spans) && l.spans[to].runs == 0 {
		to++
	}
	for _, later := range l.spans[from+1 : to] {
		l.spans[from].next = later.next
		l.spans[from].records += later.records
	}
	l.spans = slices.Delete(l.spans, from+1, to)
}

// Fail marks a record of the span as undelivered. The commit mark never passes the
// span: it and all after it leave the lease, and no record is covered any more.
func (s *Span) Fail() {
	l := s.lease
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ends, l.failed = true, true
	if i := slices.Index(l.spans, s); i >= 0 {
		for _, later := range l.spans[i:] {
			later.void.Store(true)
		}
		l.spans = slices.Delete(l.spans, i, len(l.spans))
	}
	l.tellDrained()
}

// HasFailed reports whether a record of the lease was given up after it was sent: others behind it may have been
// accepted, and come twice whenever the partition is read again.
func (l *Lease) HasFailed() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.failed
}

// tellDrained needs l.mu.
func (l *Lease) tellDrained() {
	if len(l.spans) == 0 && l.drained != nil {
		close(l.drained)
		l.drained = nil
	}
}

// Lease is the assignment that the span belongs to.
func (s *Span) Lease() *Lease { return s.lease }

func (l *Lease) advanceMark(next Mark, n int64) {
	next.settled = l.mark.settled + n
	l.mark, l.marked = next, true
}

// CommitMark returns the position to commit. ok is false while there is none, when it
// has been committed already, and when the lease is closed.
func (l *Lease) CommitMark() (m Mark, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed.Load() || !l.marked || (l.mark.Offset == l.sent.Offset && l.mark.Epoch == l.sent.Epoch) {
		return Mark{}, false
	}
	return l.mark, true
}

// NoteCommitted says that Kafka has acknowledged the commit of m.
func (l *Lease) NoteCommitted(m Mark) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if m.Offset < l.sent.Offset {
		return
	}
	l.sent = m
	l.committed = max(l.committed, m.settled)
}

// ResendMark has the mark committed again although Kafka acknowledged it: the group
// stands at an older one.
func (l *Lease) ResendMark() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sent = Mark{Offset: -1}
}

// CountUncommitted is the number of polled records that are not part of an
// acknowledged commit: they are delivered again if the process dies now.
func (l *Lease) CountUncommitted() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.polled - l.committed
}

// Unsettled is the number of records polled that a commit of the mark would leave
// uncommitted.
func (l *Lease) Unsettled() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.polled - l.mark.settled
}

// Settled is the number of records polled that a commit of the mark would cover.
func (l *Lease) Settled() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.mark.settled
}

// Begun is the number of records that were put in a batch and are not part of an
// acknowledged commit: they may arrive twice if the lease ends now.
func (l *Lease) Begun() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.begun - l.committed
}

// Oldest is when the oldest unsettled record in a batch was polled; ok is false
// when no batch holds one.
func (l *Lease) Oldest() (at time.Time, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.spans) == 0 {
		return time.Time{}, false
	}
	return l.spans[0].polled, true
}

// Drained returns a channel that is closed once no span is unsettled. Only one
// caller may wait at a time.
func (l *Lease) Drained() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	done := make(chan struct{})
	if len(l.spans) == 0 {
		close(done)
	} else {
		l.drained = done
	}
	return done
}

// Close fences the lease: from here on it has no mark.
func (l *Lease) Close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed.Store(true)
}

// Stop ends delivery at the next record, because it can't be delivered. Spans that
// exist may still settle and be committed.
func (l *Lease) Stop(reason error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ends = true
	l.stopped.CompareAndSwap(nil, &reason)
}

// Stopped is the reason of the first Stop, nil while the lease is not stopped.
func (l *Lease) Stopped() error {
	if reason := l.stopped.Load(); reason != nil {
		return *reason
	}
	return nil
}

// Closed reports whether the lease is fenced. A sender asks before each attempt
// and leaves the records of closed leases out.
func (l *Lease) Closed() bool { return l.closed.Load() }
