package putbatch

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/aws/aws-sdk-go-v2/service/firehose/types"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"kafka-firehose/connector/batch"
	"kafka-firehose/connector/pool"
)

// API is the part of the SDK's client that a Caller uses.
type API interface {
	PutRecordBatch(context.Context, *firehose.PutRecordBatchInput, ...func(*firehose.Options)) (*firehose.PutRecordBatchOutput, error)
}

// Caller makes the calls of one stream. It is safe for concurrent use.
type Caller struct {
	API        API
	Stream     string           // its name
	MaxRecords int              // of a request
	Pool       *pool.Pool[byte] // of the bodies of requests; nil for none
	inputs     sync.Pool        // of *firehose.PutRecordBatchInput
}

// Result is the result of a call: an Answer, or a Failure of the whole request.
type Result struct {
	Answer  *Answer
	Failure *RequestError
	Stale   *RequestError // of a first attempt, on a connection that had died while it was idle; else nil
	Size    int           // of the request's body, in bytes
	Took    time.Duration // both attempts together
}

// PutBatches sends the records of the batches in one request. If that dies with a connection that the
// service had closed while it was idle, it sends them once more. timeout limits each attempt.
func (c *Caller) PutBatches(ctx context.Context, timeout time.Duration, batches []*batch.Batch) (r Result) {
	started := time.Now()
	in := c.takeInput()
	defer c.reuseInput(in)
	for _, b := range batches {
		for i := range b.Len() {
			// An empty record in an empty buffer is nil, which the SDK takes for missing.
			data := b.Record(i)
			if data == nil {
				data = []byte{}
			}
			in.Records = append(in.Records, types.Record{Data: data})
		}
	}
	r.Size = encodedLen(c.Stream, in.Records)
	var stale bool
	r.Answer, r.Failure, stale = c.callOnce(ctx, timeout, in)
	if stale && ctx.Err() == nil {
		r.Stale = r.Failure
		r.Answer, r.Failure, _ = c.callOnce(ctx, timeout, in)
	}
	r.Took = time.Since(started)
	return r
}

// takeInput returns the input of a call, without records.
func (c *Caller) takeInput() *firehose.PutRecordBatchInput {
	if in, ok := c.inputs.Get().(*firehose.PutRecordBatchInput); ok {
		return in
	}
	return &firehose.PutRecordBatchInput{DeliveryStreamName: &c.Stream, Records: make([]types.Record, 0, c.MaxRecords)}
}

// reuseInput keeps the input of a call that has returned: the SDK looked at it only to
// write the request. The records go, or they would keep a batch alive.
func (c *Caller) reuseInput(in *firehose.PutRecordBatchInput) {
	clear(in.Records)
	in.Records = in.Records[:0]
	c.inputs.Put(in)
}

func (c *Caller) callOnce(ctx context.Context, timeout time.Duration, in *firehose.PutRecordBatchInput) (a *Answer, f *RequestError, stale bool) {
	x := &callExchange{pool: c.Pool}
	defer x.endExchange()
	limited, cancel := context.WithTimeout(x.withExchange(ctx), timeout)
	defer cancel()
	out, err := c.API.PutRecordBatch(limited, in)
	if err == nil {
		a, f = x.readAnswer(out, len(in.Records))
		return a, f, false
	}
	sent := x.wasSent()
	if !x.passed.Load() { // not our HTTP client
		var send *smithyhttp.RequestSendError
		sent = errors.As(err, &send)
	}
	f = ClassifyError(ctx, err, sent)
	return nil, f, f.Class == Ambiguous && f.Code == "connection" && x.wasStale()
}
