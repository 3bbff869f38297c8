package batch

import (
	"slices"
	"sync/atomic"

	"kafka-firehose/connector/offset"
	"kafka-firehose/connector/pool"
)

// Batch is what one PutRecordBatch request carries: one buffer, the bounds of
// each Firehose record in it, and the spans of the Kafka records it holds.
//
// A batch belongs to one goroutine at a time. What Split makes of it may go to
// different ones.
type Batch struct {
	buf     []byte
	records []batchRecord
	bytes   int  // sum of the records' sizes
	split   bool // shares buf with another batch
	work    *batchWork
}

// batchRecord is one Firehose record: buf[from:to], holding values of the runs
// first to last. Without aggregation first equals last.
type batchRecord struct {
	from, to    int32
	first, last int32
	values      int32
	offset      int64 // of the first Kafka record in it
}

// batchWork is shared by a batch and everything split off it.
type batchWork struct {
	runs    []spanRun    // in the order of the records
	left    atomic.Int64 // Firehose records not settled yet
	held    atomic.Int64 // bytes of memory kept alive
	release func(bytes int64)
	pool    *pool.Pool[byte]
	buf     []byte // goes to the pool with the last record; nil when it is there
}

// spanRun is a contiguous part of the batch that comes from one partition. It settles
// when the last Firehose record that holds some of it has.
type spanRun struct {
	span *offset.Span
	left atomic.Int32 // Firehose records
}

// isGone reports whether it is in vain to send the run.
func (r *spanRun) isGone() bool { return r.span.IsVoid() || r.span.Lease().Closed() }

// overhead is what a batch keeps alive beside its buffer: record bounds, spans,
// the goroutine that sends it. An estimate that is on the safe side.
const overhead = 16 << 10

// Looseness bounds the unused part of a batch's or request's buffer: 1/Looseness of it. Full
// batches of a stream differ by less. See pool.New.
const Looseness = 16

// encodedBytes returns the memory of the request body for a number of bytes: base64
// makes them 4/3 as large, in a buffer that may be larger.
func encodedBytes(bytes int) int { return (bytes * 4 / 3) * (Looseness + 1) / Looseness }

// sealedWeight is the memory of a sealed batch: its buffer, and the request body that is
// made of its data.
func sealedWeight(buf []byte, bytes int) int64 {
	return int64(cap(buf) + encodedBytes(bytes) + overhead)
}

// FullWeight returns the memory of a full batch of a number of bytes once it is sealed.
func FullWeight(bytes int) int64 { return int64(bytes + encodedBytes(bytes) + overhead) }

// Len is the number of Firehose records.
func (b *Batch) Len() int { return len(b.records) }

// Bytes is the size of all records as Firehose counts it: raw, delimiters
// included.
func (b *Batch) Bytes() int { return b.bytes }

// SubRecords is the number of Kafka records in the Firehose records that are left.
func (b *Batch) SubRecords() int {
	n := 0
	for i := range b.records {
		n += int(b.records[i].values)
	}
	return n
}

// Record is the data of record i. It is valid until the record is settled.
func (b *Batch) Record(i int) []byte {
	r := &b.records[i]
	return b.buf[r.from:r.to:r.to]
}

// HeldBytes is the memory that the batch, and everything split off it, keeps alive, in
// bytes, with the request bodies made of it.
func (b *Batch) HeldBytes() int64 { return b.work.held.Load() }

// OnRelease has release called with the bytes of HeldBytes that become free: some
// when little is left of a big batch, the rest when all of it has settled. Call
// it before the batch is sent.
func (b *Batch) OnRelease(release func(bytes int64)) { b.work.release = release }

// Lease is the assignment of the first Kafka record in record i, for a log line
// that names a stuck or refused record.
func (b *Batch) Lease(i int) *offset.Lease {
	return b.work.runs[b.records[i].first].span.Lease()
}

// Leases are the assignments of all Kafka records in record i.
func (b *Batch) Leases(i int) []*offset.Lease {
	r := &b.records[i]
	var leases []*offset.Lease
	for run := r.first; run <= r.last; run++ {
		if lease := b.work.runs[run].span.Lease(); !slices.Contains(leases, lease) {
			leases = append(leases, lease)
		}
	}
	return leases
}

// HoldsLease reports whether the batch had records of a lease when it was sealed. It may be called
// by any goroutine.
func (b *Batch) HoldsLease(lease *offset.Lease) bool {
	for i := range b.work.runs {
		if b.work.runs[i].span.Lease() == lease {
			return true
		}
	}
	return false
}

// RecordValues is the number of Kafka records in record i.
func (b *Batch) RecordValues(i int) int { return int(b.records[i].values) }

// Offset is the offset of the first Kafka record in record i.
func (b *Batch) Offset(i int) int64 { return b.records[i].offset }

// RetainRecords keeps the records for which keep is true and settles the others. When
// little is left of a big buffer, the rest moves to a small one: a record that is
// refused again and again must not hold the four megabytes it came with.
func (b *Batch) RetainRecords(keep func(i int) bool) {
	kept, bytes := b.records[:0], 0
	for i, r := range b.records {
		if keep(i) {
			kept = append(kept, r)
			bytes += int(r.to - r.from)
		} else {
			b.work.settleRecord(r)
		}
	}
	gone := len(b.records) - len(kept)
	b.records, b.bytes = kept, bytes
	switch {
	case len(kept) == 0:
		b.buf = nil // another batch gets it soon
	case !b.split && bytes < cap(b.buf)/4:
		b.shrinkBuffer()
	}
	b.work.leaveRecords(gone)
}

// FailRecord removes record i, which stays undelivered: its spans never settle.
func (b *Batch) FailRecord(i int) {
	r := b.records[i]
	for run := r.first; run <= r.last; run++ {
		b.work.runs[run].span.Fail()
	}
	b.records = slices.Delete(b.records, i, i+1)
	b.bytes -= int(r.to - r.from)
	if len(b.records) == 0 {
		b.buf = nil // another batch gets it soon
	}
	b.work.leaveRecords(1)
}

func (b *Batch) shrinkBuffer() {
	before := b.work.held.Load()
	small := make([]byte, 0, b.bytes)
	for i := range b.records {
		r := &b.records[i]
		from := len(small)
		small = append(small, b.buf[r.from:r.to]...)
		r.from, r.to = int32(from), int32(len(small))
	}
	b.buf = small
	b.work.giveBack()
	b.work.freeBytes(before - sealedWeight(small, b.bytes))
}

// DropRevoked drops the records that belong to closed leases, or stand behind one that stays undelivered, alone and
// returns how many Kafka records that was. An aggregated record that mixes partitions goes
// whole as long as one of them is still ours.
func (b *Batch) DropRevoked() (dropped int) {
	fenced := false
	for i := range b.work.runs {
		fenced = fenced || b.work.runs[i].isGone()
	}
	if !fenced {
		return 0
	}
	before := b.SubRecords()
	b.RetainRecords(func(i int) bool {
		for run := b.records[i].first; run <= b.records[i].last; run++ {
			if !b.work.runs[run].isGone() {
				return true
			}
		}
		return false
	})
	return before - b.SubRecords()
}

// SplitHalves halves the batch: the two parts share its buffer and its spans, which
// settle when both have. It needs two records at least; b is used up.
func (b *Batch) SplitHalves() (head, tail *Batch) {
	mid := len(b.records) / 2
	part := func(records []batchRecord) *Batch {
		p := &Batch{buf: b.buf, records: records, split: true, work: b.work}
		for _, r := range records {
			p.bytes += int(r.to - r.from)
		}
		return p
	}
	return part(b.records[:mid:mid]), part(b.records[mid:])
}

// settleRecord counts r out of the runs that it holds a part of.
func (w *batchWork) settleRecord(r batchRecord) {
	for i := r.first; i <= r.last; i++ {
		if w.runs[i].left.Add(-1) == 0 {
			w.runs[i].span.Settle()
		}
	}
}

// leaveRecords frees the memory with the last record. Parts of the batch may settle at the
// same time: each drops its buffer before it counts its records out, so no part reads
// the buffer after the last record.
func (w *batchWork) leaveRecords(n int) {
	if n > 0 && w.left.Add(-int64(n)) == 0 {
		w.giveBack()
		w.freeBytes(w.held.Load())
	}
}

// giveBack lets the next batch have the buffer.
func (w *batchWork) giveBack() {
	w.pool.Put(w.buf)
	w.buf = nil
}

func (w *batchWork) freeBytes(n int64) {
	w.held.Add(-n)
	if w.release != nil {
		w.release(n)
	}
}
