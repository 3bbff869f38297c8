// Package putbatch makes one PutRecordBatch call and says what became of it.
//
//	Put ──> write ──> SDK, net/http ──> read, or Classify
//
// The body is written here, into a buffer of a pool (exchange.go, body.go), because the SDK's own
// serializer copies it many times. An answer in the usual form is read here as well (usual.go);
// the SDK reads every other. Two functions decide what a call means, and nothing else does: read,
// in answer.go, says which records an HTTP 200 proves to be accepted; [Classify] says what any
// other outcome is. wire.go watches the request on its way: whether the service may have seen it,
// and when its buffer is free again.
//
// Retries, limits and batches are not known here.
package putbatch
