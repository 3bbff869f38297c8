package batch

import (
	"sync/atomic"

	"kafka-firehose/connector/offset"
)

// Batch is what one PutRecordBatch request carries: one buffer, the bounds of
// each Firehose record in it, and the spans of the Kafka records it holds.
//
// A batch belongs to one goroutine at a time. What Split makes of it may go to
// different ones.
type Batch struct {
	buf     []byte
	records []record
	bytes   int  // sum of the records' sizes
	split   bool // shares buf with another batch
	work    *work
}

// record is one Firehose record: buf[from:to], holding values of the runs
// first to last. Without aggregation first equals last.
type record struct {
	from, to    int32
	first, last int32
	values      int32
	offset      int64 // of the first Kafka record in it
}

// work is shared by a batch and everything split off it: the spans settle when
// the last record of all of them has.
type work struct {
	runs    []*offset.Span // in the order of the records; one span may come more than once
	left    atomic.Int64   // Firehose records not settled yet
	held    atomic.Int64   // bytes of memory kept alive
	release func(bytes int64)
}

// overhead is what a batch keeps alive beside its buffer: record bounds, spans,
// the goroutine that sends it. An estimate that is on the safe side.
const overhead = 16 << 10

// Len is the number of Firehose records.
func (b *Batch) Len() int { return len(b.records) }

// Bytes is the size of all records as Firehose counts it: raw, delimiters
// included.
func (b *Batch) Bytes() int { return b.bytes }

// Values is the number of Kafka records in the Firehose records that are left.
func (b *Batch) Values() int {
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

// Held is the memory that the batch, and everything split off it, keeps alive,
// in bytes.
func (b *Batch) Held() int64 { return b.work.held.Load() }

// OnRelease has release called with the bytes of Held that become free: some
// when little is left of a big batch, the rest when all of it has settled. Call
// it before the batch is sent.
func (b *Batch) OnRelease(release func(bytes int64)) { b.work.release = release }

// Lease is the assignment of the first Kafka record in record i, for a log line
// that names a stubborn or refused record.
func (b *Batch) Lease(i int) *offset.Lease {
	return b.work.runs[b.records[i].first].Lease()
}

// Offset is that record's offset in its partition.
func (b *Batch) Offset(i int) int64 { return b.records[i].offset }

// Retain keeps the records for which keep is true and settles the others. When
// little is left of a big buffer, what is left moves to a small one: a stubborn
// record must not hold the four megabytes it came with.
func (b *Batch) Retain(keep func(i int) bool) {
	kept, bytes := b.records[:0], 0
	for i, r := range b.records {
		if keep(i) {
			kept = append(kept, r)
			bytes += int(r.to - r.from)
		}
	}
	gone := len(b.records) - len(kept)
	b.records, b.bytes = kept, bytes
	if len(kept) > 0 && !b.split && bytes < cap(b.buf)/4 {
		b.shrink()
	}
	b.work.settle(gone)
}

func (b *Batch) shrink() {
	small := make([]byte, 0, b.bytes)
	for i := range b.records {
		r := &b.records[i]
		from := len(small)
		small = append(small, b.buf[r.from:r.to]...)
		r.from, r.to = int32(from), int32(len(small))
	}
	b.work.free(int64(cap(b.buf) - cap(small)))
	b.buf = small
}

// Fence drops the records that belong to closed leases alone and returns how
// many Kafka records that was. An aggregated record that mixes partitions goes
// whole as long as one of them is still ours.
func (b *Batch) Fence() (dropped int) {
	any := false
	for _, s := range b.work.runs {
		any = any || s.Lease().Closed()
	}
	if !any {
		return 0
	}
	before := b.Values()
	b.Retain(func(i int) bool {
		for run := b.records[i].first; run <= b.records[i].last; run++ {
			if !b.work.runs[run].Lease().Closed() {
				return true
			}
		}
		return false
	})
	return before - b.Values()
}

// Split halves the batch: the two parts share its buffer and its spans, which
// settle when both have. It needs two records at least; b is used up.
func (b *Batch) Split() (head, tail *Batch) {
	mid := len(b.records) / 2
	part := func(records []record) *Batch {
		p := &Batch{buf: b.buf, records: records, split: true, work: b.work}
		for _, r := range records {
			p.bytes += int(r.to - r.from)
		}
		return p
	}
	return part(b.records[:mid:mid]), part(b.records[mid:])
}

func (w *work) settle(n int) {
	if n == 0 || w.left.Add(-int64(n)) > 0 {
		return
	}
	for _, s := range w.runs {
		s.Settle()
	}
	w.free(w.held.Load())
}

func (w *work) free(n int64) {
	w.held.Add(-n)
	if w.release != nil {
		w.release(n)
	}
}
