// Package firehose delivers batches to delivery streams and settles each record
// when the answer proves that Firehose has it.
//
// A [Stream] is one delivery stream. [Stream.Run] is a loop in one goroutine that owns
// all state of a stream (sender.go has the picture): the next batch,
// the retry queue, the requests in flight, and the limiter. It handles one
// event after the other: a batch, the result of a request, a change from outside, a
// timer. After each it starts the requests that may start:
//
//   - compose.go chooses the records of a request, without those of closed leases;
//   - a worker makes the call (package putbatch);
//   - finish.go settles accepted records, reports the result to the limiter, and puts the
//     rest into the retry queue (retryqueue.go), so that records of several batches share
//     the next request.
//
// The limiter (package limiter), a pure state machine, decides when a request may start
// and how much it may hold. It learns from the result of each request: the rate that the
// stream accepts, the size that passes, and whether the service answers at all.
//
// A record becomes a bad record in one place, toolarge.go, and only on proof, sizeproof.go.
//
// Before records are sent, package preflight describes the stream with [DescribePatiently].
package firehose
