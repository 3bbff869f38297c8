package batch

import (
	"bytes"
	"io"
	"sync"
	"time"

	"github.com/klauspost/compress/gzip"

	"kafka-firehose/connector/offset"
)

// gzipLevel is a compromise: with JSON events of 200 bytes level 6 takes four times as
// long to save a tenth.
const gzipLevel = 2

// GzipBound is the maximum size of n bytes after compression: incompressible bytes are stored,
// with a few bytes around each piece.
func GzipBound(n int) int { return n + n/1000 + 64 }

// GzipSize is the exact size of a record that holds value alone, compressed.
func GzipSize(value []byte) int {
	w, _ := sizers.Get().(*sizeCounter)
	defer sizers.Put(w)
	w.n = 0
	w.gzip.Reset(w)
	mustWrite(w.gzip, value)
	mustClose(w.gzip)
	return w.n
}

// sizeCounter counts the bytes written to it and discards them.
type sizeCounter struct {
	n    int
	gzip *gzip.Writer
}

func (s *sizeCounter) Write(p []byte) (int, error) {
	s.n += len(p)
	return len(p), nil
}

var sizers = sync.Pool{New: func() any { return &sizeCounter{gzip: newGzip(io.Discard)} }}

func newGzip(w io.Writer) *gzip.Writer {
	z, err := gzip.NewWriterLevel(w, gzipLevel)
	if err != nil {
		panic("batch: " + err.Error())
	}
	return z
}

// The writers below write to memory, which does not fail.
func mustWrite(z *gzip.Writer, p []byte) {
	if _, err := z.Write(p); err != nil {
		panic("batch: " + err.Error())
	}
}

func mustFlush(z *gzip.Writer) {
	if err := z.Flush(); err != nil {
		panic("batch: " + err.Error())
	}
}

func mustClose(z *gzip.Writer) {
	if err := z.Close(); err != nil {
		panic("batch: " + err.Error())
	}
}

// flushBytes is the most that a flush adds to a record: it ends a block early, with an
// empty one behind it.
const flushBytes = 16

// gzipRecord fills one Firehose record with values, compressed as one gzip member. It is
// moved into the batch when it is complete.
//
// The exact size of the record is known only when the compressor has given everything
// out. Until then it is at most the bytes that the last flush had brought out, and the
// bound of the bytes that went in since: a value is added only if the record stays within
// its limit even then. Near the limit the compressor is flushed, to see how much room
// there really is. A flush makes the record larger. The first value of a record is
// admitted by GzipSize, which doesn't flush, so a record is flushed only if the limit has
// room for that, too.
//
// Memory is the compressor's (about 1 MiB), the record, and the largest recent value.
type gzipRecord struct {
	gzip    *gzip.Writer
	out     bytes.Buffer
	value   []byte      // where the next value is appended
	flushed int         // bytes that came out up to the last flush
	pending int         // bytes that went in since
	most    int         // bytes that the record may have
	open    batchRecord // values is 0 without one
}

// keepValue is the capacity above which a buffer is not kept for the next value.
const keepValue = 2 << 20

func newGzipped() *gzipRecord {
	g := &gzipRecord{}
	g.gzip = newGzip(&g.out)
	return g
}

// fitsValue reports whether a value of size bytes may go into the open record.
func (g *gzipRecord) fitsValue(size int) bool {
	if g.maxSize(size) <= g.most {
		return true
	}
	enough := g.most - g.most/16 // each flush costs a little of the compression
	if g.pending == 0 || g.out.Len() > enough || g.maxSize(0) > g.most {
		return false
	}
	mustFlush(g.gzip)
	g.flushed, g.pending = g.out.Len(), 0
	return g.flushed < enough && g.maxSize(size) <= g.most
}

// maxSize is the most bytes that the open record can have with size bytes more, and flushed.
func (g *gzipRecord) maxSize(size int) int {
	return g.flushed + GzipBound(g.pending+size) + flushBytes
}

func (g *gzipRecord) addValue(value []byte) {
	mustWrite(g.gzip, value)
	g.pending += len(value)
	g.open.values++
}

// heldBytes is the memory kept alive, without the compressor's, in bytes.
func (g *gzipRecord) heldBytes() int64 { return int64(g.out.Cap() + cap(g.value)) }

// addGzipped is AddRecord for values that are compressed.
func (b *Builder) addGzipped(now time.Time, lease *offset.Lease, next offset.Mark, polled time.Time, value []byte) (full *Batch) {
	g := b.gzipped
	if g.open.values > 0 && !g.fitsValue(len(value)) {
		b.completeRecord()
	}
	if g.open.values == 0 && b.open != nil && (len(b.open.records) >= b.limits.Records || b.open.bytes+GzipBound(len(value)) > b.limits.Bytes) {
		full = b.SealBatch()
	}
	b.startBatch(now)
	b.placeRecord(lease, next, polled)
	if g.open.values == 0 {
		g.open = batchRecord{first: b.run.at, offset: next.Offset - 1}
		g.most = min(b.pack.Bytes, b.limits.Bytes-b.open.bytes)
	}
	g.addValue(value)
	g.open.last = b.run.at
	if g.value = value[:0]; cap(value) > keepValue {
		g.value = nil
	}
	if int(g.open.values) >= b.pack.Values {
		b.completeRecord()
		if full == nil && b.batchFull() {
			full = b.SealBatch()
		}
	}
	return full
}

// completeRecord moves the open record, if there is one, into the batch.
func (b *Builder) completeRecord() {
	g, o := b.gzipped, b.open
	if g == nil || g.open.values == 0 {
		return
	}
	mustClose(g.gzip)
	if o.buf == nil {
		o.buf, b.spare = b.emptyBuffer(), nil
	}
	r := g.open
	r.from, r.to = int32(len(o.buf)), int32(len(o.buf)+g.out.Len())
	o.buf = append(o.buf, g.out.Bytes()...)
	o.bytes += g.out.Len()
	o.records = append(o.records, r)
	g.out.Reset()
	g.gzip.Reset(&g.out)
	g.open, g.flushed, g.pending = batchRecord{}, 0, 0
}
