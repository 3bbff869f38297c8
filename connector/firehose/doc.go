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
// The gate (gate.go) knows who may send now. It asks three things: how many
// requests are in flight; the pace (pace.go, trial.go), which finds out how much
// the stream takes; and the breaker (breaker.go), which lets single probes
// through while it takes nothing. Those two are pure state machines.
//
// What an answer means is decided in two places and nowhere else: read, in
// answer.go, says which records an HTTP 200 proves to be accepted; classify, in
// classify.go, says what any other outcome is. A record is given up in one
// place, refuse.go, and only on proof, sizeproof.go.
package firehose
