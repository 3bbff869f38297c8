package firehose

import (
	"context"
	"errors"
	"io"

	"github.com/aws/aws-sdk-go-v2/service/firehose/types"

	"kafka-firehose/connector/batch"
)

// exchange is one call of the SDK as a stream makes it. It travels in the context to
// the places that the SDK calls back: protocol, which writes the request and reads
// the answer, and plainBody, which passes the request on.
type exchange struct {
	wire
	pool   *batch.Pool
	body   *body  // nil before it is written, and when the answer is here
	buffer []byte // that the answer is read into

	// accepted is how many records an answer proves to be accepted, which is all of
	// its entries; 0 when the SDK has read it.
	accepted int
}

type exchangeKey struct{}

// in is the context of the call.
func (x *exchange) in(ctx context.Context) context.Context {
	return context.WithValue(ctx, exchangeKey{}, x)
}

// exchangeOf is the call that a context belongs to, nil if it is not a stream's.
func exchangeOf(ctx context.Context) *exchange {
	x, _ := ctx.Value(exchangeKey{}).(*exchange)
	return x
}

// write makes the body of the request.
func (x *exchange) write(stream string, records []types.Record) *body {
	if x == nil {
		return newBody(nil, stream, records)
	}
	x.body = newBody(x.pool, stream, records)
	return x.body
}

// mostAnswer is the largest answer that is read here. 500 entries take half of it.
const mostAnswer = 256 << 10

// receive reads an answer, into the buffer that the body was in if it has the size:
// nobody reads that any more. rest is what comes after what was read: nil after all of
// it, else what doesn't fit, or the error.
func (x *exchange) receive(from io.Reader, length int64) (answer []byte, rest io.Reader) {
	if length < 0 { // it isn't told
		length = mostAnswer
	}
	if length > mostAnswer {
		return nil, from
	}
	answer = x.room(int(length) + 1) // and one byte to see the end by
	for len(answer) < cap(answer) {
		n, err := from.Read(answer[len(answer):cap(answer)])
		answer = answer[:len(answer)+n]
		if errors.Is(err, io.EOF) {
			return answer, nil
		}
		if err != nil {
			return answer, failing{err}
		}
	}
	return answer, from
}

// failing is a reader that has failed.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// room is an empty buffer for n bytes and no more.
func (x *exchange) room(n int) []byte {
	x.buffer = x.take()
	if cap(x.buffer) < n {
		x.pool.Put(x.buffer)
		x.buffer = x.pool.Get(n)
	}
	return x.buffer[:0:n]
}

// take is the buffer that the call has; it has none then.
func (x *exchange) take() []byte {
	b := x.buffer
	if x.body != nil {
		b = x.body.take()
	}
	x.body, x.buffer = nil, nil
	return b
}

// end gives back what the call had. Call it when that has returned.
func (x *exchange) end() { x.pool.Put(x.take()) }
