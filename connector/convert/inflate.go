package convert

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/klauspost/compress/zlib"
)

// inflatedValue is a decompressor with the buffer that it fills.
type inflatedValue struct {
	source bytes.Reader
	reader io.ReadCloser // it is a zlib.Resetter, too
	limit  io.LimitedReader
	bytes.Buffer
}

// decompressors are kept for the next values: each has some 40 KiB beside its buffer.
var decompressors = sync.Pool{New: func() any { return new(inflatedValue) }}

// keepInflated is the capacity above which a buffer is not kept, in bytes.
const keepInflated = 64 << 10

var errZlib = errors.New("its data is not what zlib has compressed")

// errInflated is for data that becomes larger than what Firehose takes.
type errInflated struct{ size, limit int }

func (e errInflated) Error() string {
	return fmt.Sprintf("%d bytes that zlib makes more than %d of", e.size, e.limit)
}

// inflateValue decompresses p.data, to limit bytes at most, into a buffer that p holds until it is released.
// Bytes behind the end of the compressed data are left out.
func (p *payload) inflateValue(limit int) error {
	in, ok := decompressors.Get().(*inflatedValue)
	if !ok {
		return errZlib
	}
	p.inflated = in
	in.Reset()
	in.source.Reset(p.data)
	if err := in.openReader(); err != nil {
		return errZlib
	}
	in.limit = io.LimitedReader{R: in.reader, N: int64(limit) + 1}
	n, err := in.ReadFrom(&in.limit)
	switch {
	case n > int64(limit):
		return errInflated{len(p.data), limit}
	case err != nil: // its checksum, too
		return errZlib
	}
	p.data = in.Bytes()
	return nil
}

func (in *inflatedValue) openReader() (err error) {
	if again, ok := in.reader.(zlib.Resetter); ok {
		return again.Reset(&in.source, nil)
	}
	in.reader, err = zlib.NewReader(&in.source)
	return err
}

// releaseBuffers gives the buffer back: nothing of the payload is used after it.
func (p *payload) releaseBuffers() {
	in := p.inflated
	if p.inflated = nil; in == nil {
		return
	}
	in.source.Reset(nil)
	if in.Cap() <= keepInflated {
		decompressors.Put(in)
	}
}
