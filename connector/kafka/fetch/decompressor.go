package fetch

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Decompressor decompresses the client's batches into memory of their size, which
// it takes from the budget and, if it can, from the pool. The number of decoded bytes is bounded, and nothing else: a
// zstd frame names a window of up to 2 GiB, also around 100 bytes, and needs none of it
// when all of the output is at hand.
type Decompressor struct {
	budget *Budget
	pool   Pool            // empty for records that are not recycled
	idle   chan *codecPool // one for each that may work at once; nil is one that is not made yet
	large  sync.Mutex      // held for a batch above maxScratch: one at a time
}

const (
	// maxScratch bytes of output fit into the memory that each codecs keeps. Producers' batches
	// are smaller, up to 1 MiB with their defaults.
	maxScratch = 1 << 20
	// maxDecompressing is how many batches are decompressed at once, at most.
	maxDecompressing = 8
	// maxZstdWindow is the largest that the zstd command can be told to use, in bytes.
	maxZstdWindow = 2 << 30
)

// NewDecompressor returns the decompressor of a client that keeps to b.
func NewDecompressor(b *Budget, p Pool) *Decompressor {
	d := &Decompressor{budget: b, pool: p, idle: make(chan *codecPool, min(runtime.GOMAXPROCS(0), maxDecompressing))}
	for range cap(d.idle) {
		d.idle <- nil
	}
	return d
}

// Decompress implements kgo.Decompressor. An error is the first batch's of a partition; of
// a later one it has the client stop in front of that.
func (d *Decompressor) Decompress(src []byte, codec kgo.CompressionCodecType) ([]byte, error) {
	if codec == kgo.CodecNone {
		return src, nil
	}
	batch := d.budget.batchHeader(src)
	out, memory, err := d.decompressBatch(src, codec, batch)
	if err != nil {
		return nil, err
	}
	if !d.budget.unpackBatch(batch.response, memory+int64(len(out))) {
		d.pool.PutDecompressBytes(out)
		return nil, ErrNoRoom
	}
	return out, nil
}

// decompressBatch returns the output and how many bytes the client's records of it take beside.
func (d *Decompressor) decompressBatch(src []byte, codec kgo.CompressionCodecType, batch packedBatch) (out []byte, memory int64, err error) {
	c := <-d.idle
	if c == nil {
		c = newCodecs()
	}
	defer func() { d.idle <- c }()
	out, err = d.decodeSmall(c, src, codec)
	if errors.Is(err, errOutput) {
		d.large.Lock()
		defer d.large.Unlock()
		out, err = c.decodeLarge(src, codec, int(d.budget.max))
	}
	switch {
	case errors.Is(err, errOutput):
		return nil, 0, d.budget.tooLarge(batch.offset, 2*d.budget.max, "has more than %s when it is decompressed", formatMebibytes(d.budget.max))
	case err != nil:
		return nil, 0, malformedBatch(batch.offset, "can't be decompressed: %v", err)
	}
	var bad *BatchError
	if batch.records == inMessageSet {
		memory, bad = d.budget.measureSet(out, batch.offset)
	} else {
		memory, bad = d.budget.measureBatch(out, batch.offset, batch.records)
	}
	if bad != nil {
		d.pool.PutDecompressBytes(out)
		return nil, 0, bad
	}
	if cap(out)-len(out) > len(out)/8 {
		out = d.copyOutput(out)
	}
	return out, memory, nil
}

// decodeSmall returns the output, errOutput if it may have more than maxScratch bytes.
func (d *Decompressor) decodeSmall(c *codecPool, src []byte, codec kgo.CompressionCodecType) ([]byte, error) {
	if size := statedSize(src, codec); size > 0 {
		memory := d.pool.getBatch(size)
		out, err := c.decodeBatch(memory, src, codec)
		if err == nil {
			return out, nil
		}
		d.pool.PutDecompressBytes(memory)
		if !errors.Is(err, errOutput) {
			return nil, err
		}
	}
	if len(src) >= maxScratch/16 && c.guessSize(src) > maxScratch {
		return nil, errOutput
	}
	out, err := c.decodeBatch(c.scratch, src, codec)
	if err != nil {
		return nil, err
	}
	return d.copyOutput(out), nil
}

// copyOutput returns a copy in memory of its size.
func (d *Decompressor) copyOutput(out []byte) []byte {
	return append(d.pool.getBatch(len(out)), out...)
}

// statedSize returns how many bytes a batch says that it has when it is decompressed, 0 if it does not say or says more than
// maxScratch. It need not be true.
func statedSize(src []byte, codec kgo.CompressionCodecType) int {
	size := uint64(0)
	if codec == kgo.CodecZstd {
		var h zstd.Header
		if h.Decode(src) == nil {
			size = h.FrameContentSize
		}
	} else if codec == kgo.CodecSnappy && !bytes.HasPrefix(src, xerial) {
		if n, err := s2.DecodedLen(src); err == nil {
			size = uint64(n)
		}
	}
	if size > maxScratch {
		return 0
	}
	return int(size)
}

// codecPool are what one batch at a time is decompressed with.
type codecPool struct {
	scratch []byte // empty
	zstd    *zstd.Decoder
	gzip    gzip.Reader
	lz4     *lz4.Reader
	growth  float64 // of the last batch whose output was above maxScratch
}

func newCodecs() *codecPool {
	z, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecodeAllCapLimit(true), zstd.WithDecoderMaxWindow(maxZstdWindow))
	if err != nil {
		panic(err) // the options are constants
	}
	return &codecPool{scratch: make([]byte, 0, maxScratch), zstd: z, lz4: lz4.NewReader(nil)}
}

// errOutput is about more output than there is room for.
var errOutput = errors.New("too much output")

// guessSize returns how many bytes the output may have, a little more than the last time: the
// size is not known before.
func (c *codecPool) guessSize(src []byte) int { return int(1.1 * c.growth * float64(len(src))) }

// decodeLarge decodes up to limit bytes, in steps if the guess is too low.
func (c *codecPool) decodeLarge(src []byte, codec kgo.CompressionCodecType, limit int) (out []byte, err error) {
	size := min(max(c.guessSize(src), 4*maxScratch), limit)
	for {
		out, err = c.decodeBatch(make([]byte, 0, size), src, codec)
		if !errors.Is(err, errOutput) || size == limit {
			break
		}
		size = min(4*size, limit)
	}
	c.growth = float64(len(out)) / float64(len(src))
	return out, err
}

// decodeBatch appends the output to dst, which must be empty and has room for all that may be.
func (c *codecPool) decodeBatch(dst, src []byte, codec kgo.CompressionCodecType) ([]byte, error) {
	switch codec {
	case kgo.CodecGzip:
		if err := c.gzip.Reset(bytes.NewReader(src)); err != nil {
			return nil, err
		}
		return readAll(dst, &c.gzip)
	case kgo.CodecSnappy:
		return decodeSnappy(dst, src)
	case kgo.CodecLz4:
		c.lz4.Reset(bytes.NewReader(src))
		return readAll(dst, c.lz4)
	case kgo.CodecZstd:
		out, err := c.zstd.DecodeAll(src, dst)
		if errors.Is(err, zstd.ErrDecoderSizeExceeded) {
			err = errOutput
		}
		return out, err
	default:
		return nil, fmt.Errorf("unknown compression %d", codec)
	}
}

// readAll reads r into dst.
func readAll(dst []byte, r io.Reader) ([]byte, error) {
	for {
		n, err := r.Read(dst[len(dst):cap(dst)])
		dst = dst[:len(dst)+n]
		switch {
		case errors.Is(err, io.EOF):
			return dst, nil
		case err != nil:
			return nil, err
		case len(dst) == cap(dst):
			return readFull(dst, r)
		}
	}
}

// readFull is for output that fills its memory: it may end there.
func readFull(dst []byte, r io.Reader) ([]byte, error) {
	var more [1]byte
	switch n, err := io.ReadFull(r, more[:]); {
	case n > 0:
		return nil, errOutput
	case errors.Is(err, io.EOF):
		return dst, nil
	default:
		return nil, err
	}
}

// xerial is the beginning of snappy as Java writes it: a header of 16 bytes, then blocks
// behind their lengths.
var xerial = []byte{0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0}

const xerialHeader = 16

var errXerial = errors.New("malformed blocks of snappy")

func decodeSnappy(dst, src []byte) ([]byte, error) {
	if len(src) <= xerialHeader || !bytes.HasPrefix(src, xerial) {
		return appendSnappy(dst, src)
	}
	for src = src[xerialHeader:]; len(src) > 0; {
		if len(src) < 4 {
			return nil, errXerial
		}
		n := binary.BigEndian.Uint32(src)
		src = src[4:]
		if uint64(n) > uint64(len(src)) {
			return nil, errXerial
		}
		var err error
		if dst, err = appendSnappy(dst, src[:n]); err != nil {
			return nil, err
		}
		src = src[n:]
	}
	return dst, nil
}

// appendSnappy decodes one block behind dst, whose length is in the block.
func appendSnappy(dst, block []byte) ([]byte, error) {
	n, err := s2.DecodedLen(block)
	if err != nil {
		return nil, err
	}
	if n > cap(dst)-len(dst) {
		return nil, errOutput
	}
	if _, err := s2.Decode(dst[len(dst):len(dst)+n], block); err != nil {
		return nil, err
	}
	return slices.Grow(dst, n)[:len(dst)+n], nil
}
