// Package putbatch makes one PutRecordBatch call and classifies its result.
//
//	Put ──> write ──> SDK, net/http ──> read, or Classify
//
// The body is written here, into a buffer of a pool (exchange.go, body.go), because the SDK's own
// serializer copies it many times. An answer in the usual form is read here as well (answerscanner.go);
// the SDK reads every other. Two functions alone decide on a result: read, in answer.go, says
// which records an HTTP 200 proves to be accepted; [Classify] names the class of every other
// result. wire.go watches the request: whether the service may have seen it, and when
// its buffer is free again.
//
// Retries, limits and batches are not known here.
package putbatch
