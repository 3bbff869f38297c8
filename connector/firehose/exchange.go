package firehose

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/firehose/types"

	"kafka-firehose/connector/batch"
)

// exchange is one call of the SDK as a stream makes it. It travels in the context to
// the places that the SDK calls back: protocol, which writes the request and reads
// the answer, and plainBody, which passes the request on.
type exchange struct {
	wire
	pool *batch.Pool
	body *body // nil before it is written; only the calling goroutine sets it
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

// end gives back what the call had. Call it when that has returned.
func (x *exchange) end() {
	if x.body != nil {
		x.pool.Put(x.body.take())
	}
}
