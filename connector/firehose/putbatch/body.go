package putbatch

import (
	"context"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/firehose/types"
	"github.com/aws/smithy-go/middleware"
	"github.com/segmentio/asm/base64"
)

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

// encodeRequest appends the body to buf, which has room for it.
func encodeRequest(buf []byte, stream string, records []types.Record) []byte {
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
		if x := exchangeOf(ctx); x != nil && x.hash != "" {
			ctx = v4.SetPayloadHash(ctx, x.hash)
		}
		return next.HandleSerialize(ctx, in)
	}), middleware.After)
}
