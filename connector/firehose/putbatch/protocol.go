package putbatch

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/aws/aws-sdk-go-v2/service/firehose/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// ConfigureClient sets what a Caller relies on in the options of a client. Call it last.
func ConfigureClient(o *firehose.Options) {
	o.HTTPClient = plainBody{o.HTTPClient}
	o.Protocol = batchProtocol{o.Protocol}
	o.APIOptions = append(o.APIOptions, addHash)
}

// batchProtocol writes the body of a PutRecordBatch itself, into one buffer that later
// requests get again. The SDK's own serializer grows a small one over and over and
// copies the result: 39 MB for a request of 4 MB, which no bound on memory would
// survive.
//
// It reads an answer in its usual form itself as well, without an object for each
// record of which none is looked at.
//
// Everything else is the SDK's. Even for a put it sets the headers, with a
// request without records, so that what an upgrade adds is there; a test compares
// the bodies byte by byte. An answer that is in the least unusual is the SDK's to
// read, byte for byte as it came.
type batchProtocol struct{ smithyhttp.ClientProtocol }

// SerializeRequest implements smithyhttp.ClientProtocol.
func (p batchProtocol) SerializeRequest(ctx context.Context, schema *smithy.OperationSchema, in smithy.Serializable, req *smithyhttp.Request) error {
	put, ok := in.(*firehose.PutRecordBatchInput)
	x := exchangeOf(ctx)
	if !ok || x == nil || put.DeliveryStreamName == nil || !plainName(*put.DeliveryStreamName) {
		return p.ClientProtocol.SerializeRequest(ctx, schema, in, req)
	}
	head := &firehose.PutRecordBatchInput{DeliveryStreamName: put.DeliveryStreamName, Records: []types.Record{}}
	if err := p.ClientProtocol.SerializeRequest(ctx, schema, head, req); err != nil {
		return err
	}
	x.writeRequest(*put.DeliveryStreamName, put.Records)
	full, err := req.SetStream(bytes.NewReader(x.body))
	if err != nil {
		return fmt.Errorf("set the body: %w", err)
	}
	*req = *full
	return nil
}

// DeserializeResponse implements smithyhttp.ClientProtocol.
func (p batchProtocol) DeserializeResponse(ctx context.Context, schema *smithy.OperationSchema, registry *smithy.TypeRegistry, resp *smithyhttp.Response, out smithy.Deserializable) error {
	x := exchangeOf(ctx)
	if _, put := out.(*firehose.PutRecordBatchOutput); !put || x == nil || resp.StatusCode != http.StatusOK {
		return p.ClientProtocol.DeserializeResponse(ctx, schema, registry, resp, out)
	}
	answer, rest := x.receiveAnswer(resp.Body, resp.ContentLength)
	if rest == nil {
		if n, encrypted, ok := scanUsual(answer); ok {
			x.accepted, x.encrypted = n, encrypted
			return nil
		}
		rest = http.NoBody
	}
	whole := resp.Body // which the SDK closes
	defer func() { resp.Body = whole }()
	resp.Body = io.NopCloser(io.MultiReader(bytes.NewReader(answer), rest))
	return p.ClientProtocol.DeserializeResponse(ctx, schema, registry, resp, out)
}

// plainName reports whether JSON takes the name as it is, as it does every name
// that a stream can have.
func plainName(name string) bool {
	for _, c := range []byte(name) {
		if c < ' ' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' || c > '~' {
			return false
		}
	}
	return true
}
