// Package limiter decides how fast one process sends records to one delivery
// stream with PutRecordBatch, how large a request may be, and how many requests
// are in flight.
//
// It is a pure state machine: it has no clock, goroutine or lock, and it never
// waits. The time is passed in and never goes backwards. One goroutine uses a
// Limiter, or a mutex guards it.
//
// A request passes through it like this:
//
//	d, ok := l.Wait(now)              // until a request may start
//	max := l.MaxRequest()             // compose a request of at most this load
//	r := l.Start(now, size)           // send it, with l.TimeLimit(size)
//	l.Observe(now, r, result)         // enter its result
//
// The parts can be read alone:
//
//   - rate: the load per second. Refusals by a quota lower it, other failures don't.
//   - evidence: the answers that count as refusals by a quota.
//   - breaker: one probe at a time while the service doesn't answer.
//   - sizeRefusals: the request size after refusals for size (413).
//   - lostAnswers: request size and time limit after answers that don't arrive.
//   - inFlight: the number of requests in flight.
//   - latency: the measured time to an answer, which windows and pauses follow.
//
// limitertest simulates a delivery stream and several members; `go run
// ./cmd/bench/limiter` prints the goals and the values that are reached.
package limiter
