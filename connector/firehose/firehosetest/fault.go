package firehosetest

import "time"

// Effect is what a [Fault] does to a request.
type Effect string

// The effects. After each: the fields of Fault it uses beside the selecting
// ones. Where Stored is among them, the client never learns the results of the
// records concerned, and Stored decides it: they are stored, or they are not.
const (
	// RefuseRecords fails single records inside a 200: those of Indexes, a Share
	// at random, those that Refuse names, or else all. Code, Message.
	RefuseRecords Effect = "refuse-records"
	// RefuseRequest answers with an error: Code, Message, Status, Body; with
	// Unread before the request's body is read. Stored.
	RefuseRequest Effect = "refuse-request"

	// RefuseKey answers puts to a stream with a Key as if the key could not be used. Code is one of the two that
	// callers have seen: InvalidKMSResourceException (the default), which does not name the key, or
	// AccessDeniedException, which names the key and kms:GenerateDataKey. Other streams are not concerned.
	RefuseKey Effect = "refuse-key"

	// Reset resets the connection: at once if not Stored, else when the answer
	// was due. A fault with a Stream has to read the body first.
	Reset Effect = "reset"
	// Close closes the connection without an answer, as happens to a kept-alive
	// one that the service thought idle. Stored.
	Close Effect = "close"
	// Hang never answers. After Delay, if set, the connection is reset. Stored.
	Hang Effect = "hang"
	// Outage refuses to connect. A Service behind a listener cannot undo that a
	// connection was made, and resets it.
	Outage Effect = "outage"

	// Delay lets the request wait for Delay before it is looked at, or, if
	// Stored, after its records were stored.
	Delay Effect = "delay"
	// SlowBody sends the answer's header at once, its body in ten parts over Delay.
	SlowBody Effect = "slow-body"
	// CutBody drops the connection after Bytes of the answer's body; 0 is half. Stored.
	CutBody Effect = "cut-body"

	// EmptyObject answers 200 with {}. Stored.
	EmptyObject Effect = "empty-object"
	// EmptyBody answers 200 with nothing. Stored.
	EmptyBody Effect = "empty-body"
	// ShortAnswer leaves the last Count entries (0 is 1) out of RequestResponses. Stored.
	ShortAnswer Effect = "short-answer"
	// LongAnswer adds Count entries (0 is 1) that look accepted.
	LongAnswer Effect = "long-answer"
	// WrongCount answers a FailedPutCount of Count, whatever the entries say.
	WrongCount Effect = "wrong-count"
	// BlankEntries answers entries with neither RecordId nor ErrorCode. Indexes, Share, Stored.
	BlankEntries Effect = "blank-entries"
	// DoubleEntries answers entries with both. Indexes, Share, Stored.
	DoubleEntries Effect = "double-entries"

	// ClockSkew puts the service's clock off by Skew: its Date header, and what
	// it thinks of a signature's time.
	ClockSkew Effect = "clock-skew"
)

// Fault does one thing to the requests it selects. A script is a list of them;
// a request may meet several, of which the first that decides its whole answer
// wins and the others add up.
//
// Requests are selected by all of the fields from Stream to Until.
type Fault struct {
	Stream    string // its name; "" is every stream
	Operation string // its name; "" is PutRecordBatch and PutRecord, "*" is every operation

	// From and To count the requests for that stream and operation since the
	// fault was set, from 1, both included. 0 is no bound.
	From, To int
	// After and Until are a window of time since the fault was set. 0 is no bound.
	After, Until time.Duration
	// Times is how often the fault strikes at most. 0 is no bound.
	Times int
	// Probability is the chance, per request, that the fault strikes. 0 is always.
	// The dice are the fault's own, and repeatable: see Seed.
	Probability float64
	Seed        uint64

	Effect Effect
	Stored bool // see the list of effects

	Indexes []int   // records within the request, from 0
	Share   float64 // chance, per record
	// Refuse, for Go only, gives the error code of a record, or "" to let it be.
	// It is called without a lock held. call is the request's [Request.Call].
	Refuse func(call, index int, data []byte) (code string)

	Code    string // default ServiceUnavailableException
	Message string // default: the service's words for that code
	Status  int    // default: the code's HTTP status
	// Body is how an error is written: "json" (the default), "html" as a load
	// balancer does, or "empty".
	Body   string
	Unread bool

	Delay time.Duration
	Skew  time.Duration // positive: the service is ahead
	Count int
	Bytes int
}

// perEntry reports that the effect is about the entries of an answer, which only
// PutRecordBatch has.
func (e Effect) perEntry() bool {
	switch e {
	case ShortAnswer, LongAnswer, WrongCount, BlankEntries, DoubleEntries:
		return true
	}
	return false
}

// whole reports that the effect decides a request's whole answer.
func (e Effect) whole() bool {
	switch e {
	case RefuseRequest, Reset, Close, Hang, Outage, CutBody, EmptyObject, EmptyBody:
		return true
	}
	return false
}
