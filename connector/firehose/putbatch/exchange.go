package putbatch

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"

	"github.com/aws/aws-sdk-go-v2/service/firehose/types"

	"kafka-firehose/connector/pool"
)

// callExchange is one call of the SDK as a stream makes it. It travels in the context to
// the places that the SDK calls back: protocol, which writes the request and reads
// the answer, and plainBody, which passes the request on.
//
// The race about its buffers: a put has timed out, or was answered with 503 before all
// of it was sent. The call returns, and net/http's write loop continues for a moment, with
// HTTP/2 in a goroutine of the request's own. If the buffer of the body went to the next
// request now, that one's records would go out under this one's signature. So it is only
// reused when net/http has reported that it has written the request; a buffer without that
// report is left to the collector.
type callExchange struct {
	wireTrace
	pool   *pool.Pool[byte]
	body   []byte // base64 inside JSON; nil before it is written
	hash   string // its SHA-256 in hex, as signing wants it
	buffer []byte // that the answer is read into

	// accepted is how many records an answer proves to be accepted, which is all of
	// its entries; 0 when the SDK has read it.
	accepted  int
	encrypted bool // what such an answer says of the records at rest
}

type exchangeKey struct{}

// withExchange is the context of the call.
func (x *callExchange) withExchange(ctx context.Context) context.Context {
	return context.WithValue(ctx, exchangeKey{}, x)
}

// exchangeOf is the call that a context belongs to, nil if it is not a stream's.
func exchangeOf(ctx context.Context) *callExchange {
	x, _ := ctx.Value(exchangeKey{}).(*callExchange)
	return x
}

// writeRequest makes the body of the request.
func (x *callExchange) writeRequest(stream string, records []types.Record) {
	x.body = encodeRequest(x.pool.Get(encodedLen(stream, records)), stream, records)
	sum := sha256.Sum256(x.body) // here, where it may be in the CPU's cache still
	x.hash = hex.EncodeToString(sum[:])
}

// maxAnswer is the largest answer that is read here. 500 entries take half of it.
const maxAnswer = 256 << 10

// receiveAnswer reads an answer, into the buffer of the body if that is large enough and
// no longer read. rest is the answer behind the read bytes: nil after all of
// it, else the bytes that don't fit, or the error.
func (x *callExchange) receiveAnswer(from io.Reader, length int64) (answer []byte, rest io.Reader) {
	if length < 0 { // it isn't told
		length = maxAnswer
	}
	if length > maxAnswer {
		return nil, from
	}
	answer = x.answerBuffer(int(length) + 1) // and one byte to see the end by
	for len(answer) < cap(answer) {
		n, err := from.Read(answer[len(answer):cap(answer)])
		answer = answer[:len(answer)+n]
		if errors.Is(err, io.EOF) {
			return answer, nil
		}
		if err != nil {
			return answer, failingReader{err}
		}
	}
	return answer, from
}

// failingReader is a reader that has failed.
type failingReader struct{ err error }

func (f failingReader) Read([]byte) (int, error) { return 0, f.err }

// answerBuffer is an empty buffer for n bytes and no more.
func (x *callExchange) answerBuffer(n int) []byte {
	x.buffer = x.takeBuffer()
	if cap(x.buffer) < n {
		x.pool.Put(x.buffer)
		x.buffer = x.pool.Get(n)
	}
	return x.buffer[:0:n]
}

// takeBuffer returns the buffer of the body if it is no longer read, else nil; the call has it
// no longer.
func (x *callExchange) takeBuffer() (free []byte) {
	if x.wasWritten() {
		free, x.body = x.body, nil
	}
	return free
}

// endExchange gives back what the call had. Call it when that has returned.
func (x *callExchange) endExchange() {
	x.pool.Put(x.buffer)
	x.buffer = nil
	x.pool.Put(x.takeBuffer())
}
