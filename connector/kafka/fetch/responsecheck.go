package fetch

import (
	"encoding/binary"
	"errors"
	"io"
	"math"

	"github.com/twmb/franz-go/pkg/kerr"
)

// errBatchRefused is the answer for a partition with a batch that must not be decoded. No
// broker answers a fetch with it. Budget.ExplainFetches puts the reason in its place.
var errBatchRefused = kerr.MessageTooLarge

// responseCheck reads a fetch response and marks the batches that must not be decoded.
type responseCheck struct {
	responseReader
	budget   *Budget
	response *response
	room     int64 // bytes of batches that a response that is read through buf may keep
}

// errResponse is about a response that is not one. The client says the same of it.
var errResponse = errors.New("malformed fetch response")

// readResponse goes through a response from behind its correlation id.
func (c *responseCheck) readResponse(version int16) {
	const (
		throttled, transactions, startDecision, sessions, replicas, flexible, ids = 1, 4, 5, 7, 11, 12, 13
	)
	c.flexible = version >= flexible
	c.skipTags() // of the header
	if version >= throttled {
		c.nextBytes(4)
	}
	if version >= sessions {
		c.nextBytes(2 + 4) // error, session
	}
	for range c.readArray() {
		var topic topicPartition
		if version >= ids {
			copy(topic.id[:], c.nextBytes(16))
		} else {
			topic.topic = string(c.nextBytes(c.skipText()))
		}
		for range c.readArray() {
			topic.partition = int32(c.readUint(4))
			code := c.at
			c.nextBytes(2 + 8) // error, high watermark
			if version >= transactions {
				c.nextBytes(8) // last stable offset
			}
			if version >= startDecision {
				c.nextBytes(8)
			}
			if version >= transactions {
				for range c.readArray() {
					c.nextBytes(8 + 8)
					c.skipTags()
				}
			}
			if version >= replicas {
				c.nextBytes(4)
			}
			if err := c.checkBatches(); err != nil {
				c.budget.refusePartition(topic, err)
				binary.BigEndian.PutUint16(c.buf[code:], uint16(errBatchRefused.Code))
			}
			c.skipTags()
			if c.err != nil {
				return
			}
		}
		c.skipTags()
	}
}

// checkBatches checks the batches of a partition. The error is for the first; behind it, those
// that find no room or can't be decoded are cut off.
func (c *responseCheck) checkBatches() *BatchError {
	at := c.at
	length := c.readLength()
	if c.in != nil && int64(length) > c.room {
		return c.leaveOut(at, length)
	}
	c.room -= int64(length)
	set := c.nextBytes(length)
	for rest := set; len(rest) > batchMagic; {
		length := 12 + int(int32(binary.BigEndian.Uint32(rest[8:])))
		if length <= batchMagic || length > len(rest) {
			return nil // cut off by the broker, or the client says so
		}
		if err := c.budget.checkBatch(c.response, rest[:length]); err != nil {
			if len(rest) == len(set) {
				return err
			}
			binary.BigEndian.PutUint32(rest[8:], math.MaxInt32-12)
			return nil
		}
		rest = rest[length:]
	}
	return nil
}

// leaveOut skips the batches of a partition, whose length is at buf[at:].
func (c *responseCheck) leaveOut(at, length int) *BatchError {
	head := c.nextBytes(min(length, batchHeader))
	if len(head) < batchMagic {
		return nil // there is no batch, or no response any more
	}
	offset, size := int64(binary.BigEndian.Uint64(head)), 12+int64(binary.BigEndian.Uint32(head[8:]))
	c.buf = c.buf[:at]
	if c.flexible {
		c.buf = append(c.buf, 1) // none
	} else {
		c.buf = append(c.buf, 0, 0, 0, 0)
	}
	c.at = len(c.buf)
	c.dropBytes(length - len(head))
	if size > c.budget.max {
		return c.budget.tooLarge(offset, size, "has %s", formatMebibytes(size))
	}
	return ErrNoRoom
}

// maxCopied is how much of a response is copied for want of room, in bytes. Without large
// batches it is much smaller.
const maxCopied = 64 << 20

// responseReader reads the parts of a response from buf, or through buf from in.
type responseReader struct {
	buf      []byte
	at       int
	in       *io.LimitedReader // nil when buf has it all
	flexible bool
	err      error
}

// nextBytes returns the next n bytes; nil with an error.
func (r *responseReader) nextBytes(n int) []byte {
	if r.err != nil {
		return nil
	}
	if n < 0 || r.in == nil && n > len(r.buf)-r.at || r.in != nil && (int64(n) > r.in.N || r.at+n > maxCopied) {
		r.err = errResponse
		return nil
	}
	if r.in != nil {
		r.buf = append(r.buf, make([]byte, n)...)
		if _, err := io.ReadFull(r.in, r.buf[r.at:]); err != nil {
			r.err = err
			return nil
		}
	}
	r.at += n
	return r.buf[r.at-n : r.at]
}

// dropBytes reads past the next n bytes of in.
func (r *responseReader) dropBytes(n int) {
	if _, err := io.CopyN(io.Discard, r.in, int64(n)); err != nil && r.err == nil {
		r.err = err
	}
}

// readUint reads a number of at most eight bytes.
func (r *responseReader) readUint(bytes int) (n uint64) {
	for _, b := range r.nextBytes(bytes) {
		n = n<<8 | uint64(b)
	}
	return n
}

// readUvarint reads a number of variable length, of at most 32 bits.
func (r *responseReader) readUvarint() int {
	n := uint64(0)
	for shift := 0; shift < 35; shift += 7 {
		b := r.readUint(1)
		n |= b & 0x7f << shift
		if b < 0x80 && n <= math.MaxUint32 {
			return int(n)
		}
	}
	r.err = errResponse
	return 0
}

// readLength reads that of bytes or of an array, 0 if it is null.
func (r *responseReader) readLength() int {
	if r.flexible {
		return max(r.readUvarint()-1, 0)
	}
	return max(int(int32(r.readUint(4))), 0)
}

// skipText reads the length of a string.
func (r *responseReader) skipText() int {
	if r.flexible {
		return r.readLength()
	}
	return max(int(int16(r.readUint(2))), 0)
}

// readArray yields once for each element, as long as there is no error.
func (r *responseReader) readArray() func(yield func() bool) {
	return func(yield func() bool) {
		for n := r.readLength(); n > 0 && r.err == nil && yield(); n-- {
		}
	}
}

// skipTags skips tagged fields.
func (r *responseReader) skipTags() {
	if !r.flexible {
		return
	}
	for n := r.readUvarint(); n > 0 && r.err == nil; n-- {
		r.readUvarint()
		r.nextBytes(r.readUvarint())
	}
}
