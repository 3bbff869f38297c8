// Package firehose delivers batches to delivery streams and settles each record
// when the answer proves that Firehose has it. It is the only package that calls
// AWS.
//
// A [Stream] is one delivery stream. Who owns a batch calls Acquire, which waits
// until something may be sent, and then Deliver, which makes one request after
// the other until nothing of the batch is left:
//
//	Acquire ── gate ──> attempt ──> settle ──> done
//	             ^                     │ what is left
//	             └────── backoff <─────┘
//
// The gate (gate.go) is the queue of the batches. The limiter (package limiter), a
// pure state machine, decides when a request may start and how much it may hold. It
// learns from the result of each request: the rate that the stream accepts, the size
// that passes, and whether the service answers at all.
//
// What an answer means is decided in two places and nowhere else: read, in
// answer.go, says which records an HTTP 200 proves to be accepted; classify, in
// classify.go, says what any other outcome is. A record is given up in one
// place, refuse.go, and only on proof, sizeproof.go.
package firehose
