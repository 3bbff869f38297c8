package putbatch

import (
	"fmt"
	"net/http"

	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"kafka-firehose/connector/awsconfig"
)

// noRecordID is the code of an entry that has neither an ErrorCode nor a
// RecordId: it claims nothing, so its record has failed.
const noRecordID = "missing_record_id"

// Answer is what an HTTP 200 proves about the records of a request.
type Answer struct {
	Left int // records that failed
	// Encrypted says that the stream encrypts the records at rest with a key of KMS. An answer that does not tell counts as
	// one that says no.
	Encrypted bool
	failed    []string // :: index of a record -> its error code, "" if it was accepted; nil if all were
}

// AllAccepted reports whether each record was accepted.
func (a *Answer) AllAccepted() bool { return a.Left == 0 }

// ErrorCode is the error code of a record, "" if it was accepted.
func (a *Answer) ErrorCode(i int) string {
	if a.failed == nil {
		return ""
	}
	return a.failed[i]
}

// WholeFailure is the refusal of the first record that failed, for an answer that accepts none; nil if none failed.
func (a *Answer) WholeFailure() *RequestError {
	for _, code := range a.failed {
		if code != "" {
			return &RequestError{Class: Throttled, Code: awsconfig.CleanMessage(code), Message: fmt.Sprintf("%d of %d records of a request were refused", a.Left, len(a.failed))}
		}
	}
	return nil
}

// readAnswer judges an answer to a request of n records. A record counts as accepted
// only if the answer says so: HTTP 200, an entry for each record, the entry
// without an ErrorCode and with a RecordId. FailedPutCount is not looked at: it
// can be missing, and it can contradict the entries.
//
// An answer that does not cover each record proves nothing about any of them.
// The service has been seen to answer {} to one request in ten thousand.
func (x *callExchange) readAnswer(out *firehose.PutRecordBatchOutput, n int) (*Answer, *RequestError) {
	if raw, ok := awsmiddleware.GetRawResponse(out.ResultMetadata).(*smithyhttp.Response); !ok || raw.StatusCode != http.StatusOK {
		return nil, &RequestError{Class: Ambiguous, Code: "unproven_answer", Message: "the answer is not an HTTP 200"}
	}
	got := len(out.RequestResponses)
	if x.accepted > 0 {
		got = x.accepted
	}
	if got != n {
		return nil, &RequestError{Class: Ambiguous, Code: "unproven_answer", Message: fmt.Sprintf("%d entries for %d records", got, n)}
	}
	if x.accepted > 0 {
		return &Answer{Encrypted: x.encrypted}, nil
	}
	a := &Answer{failed: make([]string, n)}
	a.Encrypted = out.Encrypted != nil && *out.Encrypted
	for i, entry := range out.RequestResponses {
		switch {
		case entry.ErrorCode != nil && *entry.ErrorCode != "":
			a.failed[i] = *entry.ErrorCode
		case entry.RecordId == nil || *entry.RecordId == "":
			a.failed[i] = noRecordID
		default:
			continue
		}
		a.Left++
	}
	return a, nil
}
