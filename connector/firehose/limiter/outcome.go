package limiter

// Outcome is the result of a whole request.
type Outcome int

// Outcomes of requests.
const (
	Answered    Outcome = iota // 200 with one entry for each record
	Throttled                  // refused with a throttling code
	Unavailable                // refused with 503
	Failed                     // refused with 500 or expired credentials, or not sent: no connection
	Ambiguous                  // sent, but no complete answer: the records may be stored
	TooLarge                   // refused for its size: 413, or InvalidArgument about the size
	Blocked                    // refused until an operator changes something: no permission, no stream
	Canceled                   // given up by the caller; it says nothing about the service
)

// Result is the outcome of a request and, for an answered request, of its records.
type Result struct {
	Outcome  Outcome
	Accepted Load    // entries with a RecordId
	Refused  float64 // entries with ServiceUnavailableException
}

// anyAccepted reports whether the stream took a record of the request.
func (r Result) anyAccepted() bool { return r.Outcome == Answered && r.Accepted.Records > 0 }

// manyRecords are refused one after the other, without one between that is accepted, only
// by a quota of requests: with fewer, a quota of bytes does it, too.
const manyRecords = 16

// refusedEntirely reports whether many records of an answered request were refused for a
// quota, and none was accepted.
func (r Result) refusedEntirely() bool {
	return r.Outcome == Answered && r.Refused >= manyRecords && r.Accepted.Records == 0
}
