package firehose

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"sync"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/firehose/types"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/segmentio/asm/base64"

	"kafka-firehose/connector/batch"
)

// body is the body of a put, base64 inside JSON, in a buffer of the pool.
//
// The race about it: a put has timed out, or was answered with 503 before all of it
// was sent. The call returns, and net/http's write loop goes on for a moment, with
// HTTP/2 in a goroutine of the request's own; it may even stand in the middle of a
// Read. If the buffer went to the next request now, that one's records would go out
// under this one's signature. So take waits for a Read that is under way, which only
// copies, and whoever reads after it finds the end and no byte. That smithy's own
// wrapper is closed by then, and passes no Read on, is the same thing once more.
//
// It has no WriteTo: that would hand the buffer itself to a connection, for as long
// as the other side takes.
type body struct {
	hash string // SHA-256 in hex, as signing wants it

	mu     sync.Mutex
	data   []byte // nil once it was taken
	reader bytes.Reader
}

// newBody writes the body of a put of records to a stream.
func newBody(pool *batch.Pool, stream string, records []types.Record) *body {
	data := encode(pool.Get(encodedLen(stream, records)), stream, records)
	sum := sha256.Sum256(data) // here, where it may be in the CPU's cache still
	b := &body{hash: hex.EncodeToString(sum[:]), data: data}
	b.reader.Reset(data)
	return b
}

// take is the end of the body. It returns the buffer, which nobody reads any more.
func (b *body) take() []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	data := b.data
	b.data = nil
	b.reader.Reset(nil)
	return data
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.reader.Read(p)
}

// Seek implements io.Seeker, for the SDK.
func (b *body) Seek(to int64, whence int) (int64, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.reader.Seek(to, whence)
}

// Len is how much is left to read: the SDK makes the Content-Length of it.
func (b *body) Len() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.reader.Len()
}

// The constant parts of a body.
const (
	bodyOpen, bodyList, bodyEnd = `{"DeliveryStreamName":"`, `","Records":[`, `]}`
	recordOpen, recordEnd       = `{"Data":"`, `"}`
)

// encodedLen is the length of what encode appends.
func encodedLen(stream string, records []types.Record) int {
	n := len(bodyOpen) + len(stream) + len(bodyList) + len(bodyEnd)
	n += len(records)*(len(recordOpen)+len(recordEnd)+1) - min(1, len(records)) // commas are between
	for i := range records {
		n += base64.StdEncoding.EncodedLen(len(records[i].Data))
	}
	return n
}

// encode appends the body to buf, which has room for it.
func encode(buf []byte, stream string, records []types.Record) []byte {
	buf = append(append(append(buf, bodyOpen...), stream...), bodyList...)
	for i := range records {
		if i > 0 {
			buf = append(buf, ',')
		}
		buf = append(buf, recordOpen...)
		data, at := records[i].Data, len(buf)
		buf = buf[:at+base64.StdEncoding.EncodedLen(len(data))]
		base64.StdEncoding.Encode(buf[at:], data)
		buf = append(buf, recordEnd...)
	}
	return append(buf, bodyEnd...)
}

// addHash tells the SDK the hash of a body that has it. It would read the body once
// more for it, in pieces.
func addHash(stack *middleware.Stack) error {
	return stack.Serialize.Add(middleware.SerializeMiddlewareFunc("BodyHash", func(
		ctx context.Context, in middleware.SerializeInput, next middleware.SerializeHandler,
	) (middleware.SerializeOutput, middleware.Metadata, error) {
		if req, ok := in.Request.(*smithyhttp.Request); ok {
			if b, ok := req.GetStream().(*body); ok {
				ctx = v4.SetPayloadHash(ctx, b.hash)
			}
		}
		return next.HandleSerialize(ctx, in)
	}), middleware.After)
}
