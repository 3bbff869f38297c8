// Package batch packs converted records into batches that Firehose takes. A
// [Builder] has no goroutine, lock or clock of its own: the loop that owns it
// passes the time in.
package batch

import (
	"time"

	"kafka-firehose/connector/offset"
	"kafka-firehose/connector/pool"
)

// Limits say when a batch is full. Bytes are raw bytes, as Firehose counts
// them: before base64, delimiters included.
type Limits struct {
	Records int           // most Firehose records in a batch, at most 500
	Bytes   int           // most bytes in a batch, at most 4,194,304
	Linger  time.Duration // the longest a record waits for its batch to fill
}

// Aggregation packs several values into one Firehose record.
type Aggregation struct {
	Values int  // most values in a record; 1 is no aggregation, 500 what Firehose's de-aggregation takes
	Bytes  int  // most bytes in a record, at most 1,024,000
	Gzip   bool // compress each record; Bytes, and all limits, count compressed bytes
}

// Builder fills one batch at a time. Values are staged first and added when
// they are known to fit: append one to AppendBuffer, then call AddRecord.
type Builder struct {
	limits  Limits
	pack    Aggregation
	gzipped *gzipRecord // nil unless records are compressed
	number  uint64      // of the open batch, for offset.Lease.Cover
	open    *Batch
	due     time.Time
	run     openBatch
	pool    *pool.Pool[byte] // where buffers come from; may be nil
	spare   []byte           // the buffer of the next batch, empty
	last    int              // bytes in the batch sealed last: about what the next will need
	records int              // Firehose records in the batch sealed last
}

// openBatch is the run that is being added to. It is not covered by its span yet,
// so that the lease is locked once a run and not once a record.
type openBatch struct {
	lease  *offset.Lease
	next   offset.Mark
	values int
	polled time.Time
	at     int32 // its place in the batch's runs
}

// NewBuilder returns an empty Builder. A lease may be given to one Builder only:
// each Builder numbers its batches from 1.
func NewBuilder(l Limits, a Aggregation) *Builder {
	b := &Builder{limits: l, pack: a}
	if a.Gzip {
		b.gzipped = newGzipped()
	}
	return b
}

// SetPool sets where the buffers of batches come from and go to.
func (b *Builder) SetPool(p *pool.Pool[byte]) { b.pool = p }

// SetLimits changes the limits for records that are added later.
func (b *Builder) SetLimits(l Limits) { b.limits = l }

// AppendBuffer is where the next value is appended. Add makes the appended bytes part of
// a batch; without Add they are dropped.
func (b *Builder) AppendBuffer() []byte {
	switch {
	case b.gzipped != nil:
		return b.gzipped.value[:0]
	case b.open != nil:
		return b.open.buf
	default:
		return b.emptyBuffer()
	}
}

// emptyBuffer is the buffer of the next batch.
func (b *Builder) emptyBuffer() []byte {
	if b.spare == nil {
		// As much as the last batch and a little more, for a value that turns out
		// not to fit: a buffer that has to grow at the end is copied whole.
		n := min(b.last+b.last/8, b.limits.Bytes)
		b.spare = b.pool.Get(n + n/64)
	}
	return b.spare
}

// AddRecord takes buf, which is Buffer with one value appended, as the value of the
// record that next has passed. When the value does not fit in the open batch,
// that one is sealed and returned, and the value starts the next one. A batch
// that is full to the last record is returned at once.
func (b *Builder) AddRecord(now time.Time, lease *offset.Lease, next offset.Mark, polled time.Time, buf []byte) (full *Batch) {
	if b.gzipped != nil {
		return b.addGzipped(now, lease, next, polled, buf)
	}
	size := len(buf)
	if b.open != nil {
		size -= len(b.open.buf)
	}
	joins := b.joinsRecord(size)
	if b.open != nil && (b.open.bytes+size > b.limits.Bytes || !joins && len(b.open.records) >= b.limits.Records) {
		value := buf[len(b.open.buf):]
		full = b.SealBatch()
		buf = append(b.AppendBuffer(), value...)
		joins = false
	}
	b.startBatch(now)
	b.spare = nil // it is buf
	b.placeRecord(lease, next, polled)
	o := b.open
	if joins {
		r := &o.records[len(o.records)-1]
		r.to, r.last = int32(len(buf)), b.run.at
		r.values++
	} else {
		o.records = append(o.records, batchRecord{from: int32(len(buf) - size), to: int32(len(buf)), first: b.run.at, last: b.run.at, values: 1, offset: next.Offset - 1})
	}
	o.buf, o.bytes = buf, o.bytes+size
	if full == nil && b.batchFull() {
		full = b.SealBatch()
	}
	return full
}

// startBatch opens a batch, if none is open.
func (b *Builder) startBatch(now time.Time) {
	if b.open == nil {
		b.open = &Batch{records: make([]batchRecord, 0, min(b.records+b.records/8, b.limits.Records)), work: &batchWork{pool: b.pool}}
		b.number++
		b.due = now.Add(b.limits.Linger)
	}
}

// joinsRecord reports whether a value of size bytes may go into the last record.
func (b *Builder) joinsRecord(size int) bool {
	if b.open == nil || len(b.open.records) == 0 || b.pack.Values <= 1 || b.gzipped != nil {
		return false
	}
	r := &b.open.records[len(b.open.records)-1]
	return int(r.values) < b.pack.Values && int(r.to-r.from)+size <= b.pack.Bytes
}

// batchFull reports whether nothing more can be added, whatever its size.
func (b *Builder) batchFull() bool {
	if b.open.bytes >= b.limits.Bytes {
		return true
	}
	return len(b.open.records) >= b.limits.Records && !b.joinsRecord(1)
}

// placeRecord makes the run of lease the one that is being added to.
func (b *Builder) placeRecord(lease *offset.Lease, next offset.Mark, polled time.Time) {
	if b.run.lease != lease {
		b.coverSpans()
		b.run = openBatch{lease: lease, polled: polled, at: int32(len(b.open.work.runs))}
		b.open.work.runs = append(b.open.work.runs, spanRun{})
	}
	b.run.next = next
	b.run.values++
}

// FlushRecord covers the records added since the last Flush with its span. Call it at
// the end of each run of one partition, before a record of that partition is
// skipped, and before the lease's state is read.
func (b *Builder) FlushRecord() {
	b.coverSpans()
	b.run = openBatch{}
}

func (b *Builder) coverSpans() {
	if b.run.lease == nil {
		return
	}
	b.open.work.runs[b.run.at].span = b.run.lease.CoverRecords(b.number, b.run.next, b.run.values, b.run.polled)
}

// LingerDue is when the open batch must be sealed; ok is false without one.
func (b *Builder) LingerDue() (at time.Time, ok bool) { return b.due, b.open != nil }

// HeldBytes is the memory that the open batch keeps alive, in bytes.
func (b *Builder) HeldBytes() int64 {
	if b.open == nil {
		return 0
	}
	held := int64(cap(b.open.buf) + overhead)
	if b.gzipped != nil {
		held += b.gzipped.heldBytes()
	}
	return held
}

// HoldsLease reports whether the open batch has a record of a lease for which match
// is true.
func (b *Builder) HoldsLease(match func(*offset.Lease) bool) bool {
	if b.open == nil {
		return false
	}
	b.FlushRecord()
	for i := range b.open.work.runs {
		if match(b.open.work.runs[i].span.Lease()) {
			return true
		}
	}
	return false
}

// SealBatch returns the open batch, nil without one, and starts afresh.
func (b *Builder) SealBatch() *Batch {
	if b.open == nil {
		return nil
	}
	b.completeRecord()
	b.FlushRecord()
	full := b.open
	if len(full.buf) < cap(full.buf)/2 { // a short one after a long one
		// The long buffer may hold the value that AddRecord is about to move, so it doesn't
		// go to the pool.
		full.buf = append(make([]byte, 0, len(full.buf)), full.buf...)
	}
	full.work.buf = full.buf
	full.work.held.Store(sealedWeight(full.buf, full.bytes))
	full.work.left.Store(int64(len(full.records)))
	for _, r := range full.records {
		for i := r.first; i <= r.last; i++ {
			full.work.runs[i].left.Add(1)
		}
	}
	b.open, b.last, b.records = nil, len(full.buf), len(full.records)
	return full
}
