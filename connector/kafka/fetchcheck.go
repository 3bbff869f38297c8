package kafka

import (
	"encoding/binary"
	"errors"
	"io"
	"math"

	"github.com/twmb/franz-go/pkg/kerr"
)

// errBatchRefused is the answer for a partition with a batch that must not be decoded. No
// broker answers a fetch with it. fetchBudget.explain puts the reason in its place.
var errBatchRefused = kerr.MessageTooLarge

// fetchCheck reads a fetch response and marks the batches that must not be decoded.
type fetchCheck struct {
	responseReader
	budget   *fetchBudget
	response *fetchResponse
	room     int64 // bytes of batches that a response that is read through buf may keep
}

// errResponse is about a response that is not one. The client says the same of it.
var errResponse = errors.New("malformed fetch response")

// read goes through a response from behind its correlation id.
func (c *fetchCheck) read(version int16) {
	const (
		throttled, transactions, start, sessions, replicas, flexible, ids = 1, 4, 5, 7, 11, 12, 13
	)
	c.flexible = version >= flexible
	c.tags() // of the header
	if version >= throttled {
		c.next(4)
	}
	if version >= sessions {
		c.next(2 + 4) // error, session
	}
	for range c.array() {
		var topic topicPartition
		if version >= ids {
			copy(topic.id[:], c.next(16))
		} else {
			topic.topic = string(c.next(c.text()))
		}
		for range c.array() {
			topic.partition = int32(c.uint(4))
			code := c.at
			c.next(2 + 8) // error, high watermark
			if version >= transactions {
				c.next(8) // last stable offset
			}
			if version >= start {
				c.next(8)
			}
			if version >= transactions {
				for range c.array() {
					c.next(8 + 8)
					c.tags()
				}
			}
			if version >= replicas {
				c.next(4)
			}
			if err := c.batches(); err != nil {
				c.budget.refuse(topic, err)
				binary.BigEndian.PutUint16(c.buf[code:], uint16(errBatchRefused.Code))
			}
			c.tags()
			if c.err != nil {
				return
			}
		}
		c.tags()
	}
}

// batches checks the batches of a partition. The error is for the first; behind it, those
// that find no room or can't be decoded are cut off.
func (c *fetchCheck) batches() *BatchError {
	at := c.at
	length := c.length()
	if c.in != nil && int64(length) > c.room {
		return c.leaveOut(at, length)
	}
	c.room -= int64(length)
	set := c.next(length)
	for rest := set; len(rest) > batchMagic; {
		length := 12 + int(int32(binary.BigEndian.Uint32(rest[8:])))
		if length <= batchMagic || length > len(rest) {
			return nil // cut off by the broker, or the client says so
		}
		if err := c.budget.check(c.response, rest[:length]); err != nil {
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
func (c *fetchCheck) leaveOut(at, length int) *BatchError {
	head := c.next(min(length, batchHeader))
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
	c.drop(length - len(head))
	if size > c.budget.max {
		return c.budget.tooLarge(offset, size, "has %s", mebibytes(size))
	}
	return errNoRoom
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

// next returns the next n bytes; nil with an error.
func (r *responseReader) next(n int) []byte {
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

// drop reads past the next n bytes of in.
func (r *responseReader) drop(n int) {
	if _, err := io.CopyN(io.Discard, r.in, int64(n)); err != nil && r.err == nil {
		r.err = err
	}
}

// uint reads a number of at most eight bytes.
func (r *responseReader) uint(bytes int) (n uint64) {
	for _, b := range r.next(bytes) {
		n = n<<8 | uint64(b)
	}
	return n
}

// uvarint reads a number of variable length, of at most 32 bits.
func (r *responseReader) uvarint() int {
	n := uint64(0)
	for shift := 0; shift < 35; shift += 7 {
		b := r.uint(1)
		n |= b & 0x7f << shift
		if b < 0x80 && n <= math.MaxUint32 {
			return int(n)
		}
	}
	r.err = errResponse
	return 0
}

// length reads that of bytes or of an array, 0 if it is null.
func (r *responseReader) length() int {
	if r.flexible {
		return max(r.uvarint()-1, 0)
	}
	return max(int(int32(r.uint(4))), 0)
}

// text reads the length of a string.
func (r *responseReader) text() int {
	if r.flexible {
		return r.length()
	}
	return max(int(int16(r.uint(2))), 0)
}

// array yields once for each element, as long as there is no error.
func (r *responseReader) array() func(yield func() bool) {
	return func(yield func() bool) {
		for n := r.length(); n > 0 && r.err == nil && yield(); n-- {
		}
	}
}

// tags skips tagged fields.
func (r *responseReader) tags() {
	if !r.flexible {
		return
	}
	for n := r.uvarint(); n > 0 && r.err == nil; n-- {
		r.uvarint()
		r.next(r.uvarint())
	}
}
