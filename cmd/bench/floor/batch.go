package floor

import (
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"
)

// What Firehose takes: https://docs.aws.amazon.com/firehose/latest/dev/limits.html.
const (
	maxRecords = 500
	maxBytes   = 4_000_000
	maxRecord  = 1_024_000 // bytes
)

// batch is the data of one request, and where its records end.
type batch struct {
	values int // most values in a record
	data   []byte
	ends   []int
	in     int // values in the last record
}

func (b *batch) reset() { b.data, b.ends, b.in = b.data[:0], b.ends[:0], 0 }

// joins reports whether size bytes more belong to the last record.
func (b *batch) joins(size int) bool {
	if len(b.ends) == 0 || b.in >= b.values {
		return false
	}
	from := 0
	if n := len(b.ends); n > 1 {
		from = b.ends[n-2]
	}
	return len(b.data)-from+size <= maxRecord
}

func (b *batch) fits(size int) bool {
	return len(b.data)+size <= maxBytes && (len(b.ends) < maxRecords || b.joins(size))
}

// add copies the value, with a newline. That it fits was asked before.
func (b *batch) add(value []byte) {
	joins := b.joins(len(value) + 1)
	b.data = append(append(b.data, value...), '\n')
	if joins {
		b.ends[len(b.ends)-1] = len(b.data)
		b.in++
		return
	}
	b.ends, b.in = append(b.ends, len(b.data)), 1
}

// pool gives franz-go its buffers again.
type pool struct{ bytes, records sync.Pool }

// batchRoom is enough for a batch of the log, in bytes: all of it is cleared before it is
// used again.
const batchRoom = 160 << 10

// GetDecompressBytes implements kgo.PoolDecompressBytes.
func (p *pool) GetDecompressBytes([]byte, kgo.CompressionCodecType) []byte {
	if b, ok := p.bytes.Get().(*[]byte); ok {
		return *b
	}
	return make([]byte, 0, batchRoom)
}

// PutDecompressBytes implements kgo.PoolDecompressBytes.
func (p *pool) PutDecompressBytes(b []byte) { p.bytes.Put(&b) }

// GetRecords implements kgo.PoolRecords.
func (p *pool) GetRecords(n int) []kgo.Record {
	if r, ok := p.records.Get().(*[]kgo.Record); ok && cap(*r) >= n {
		return (*r)[:0]
	}
	return make([]kgo.Record, 0, n)
}

// PutRecords implements kgo.PoolRecords.
func (p *pool) PutRecords(r []kgo.Record) { p.records.Put(&r) }
