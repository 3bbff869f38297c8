package glue

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"kafka-firehose/connector/awsconfig"
)

// Kind is what to do about a failure.
type Kind int

// The kinds of failure.
const (
	Down      Kind = iota // no connection, no answer in time, a fault of the service: it may go by itself
	Throttled             // too many requests
	Blocked               // until credentials, permissions or the region are changed
	Absent                // AWS Glue itself says that there is no such version
	refused               // as Blocked, and other credentials may do
)

// Failure is why a schema version did not come.
type Failure struct {
	Kind    Kind
	Code    string // AWS Glue's word for it, empty if it gave no answer of its own
	Message string // one line
	err     error
}

// Error has the code and the message.
func (f *Failure) Error() string { return strings.TrimPrefix(f.Code+": "+f.Message, ": ") }

// Unwrap is the SDK's error.
func (f *Failure) Unwrap() error { return f.err }

// kinds has the codes with a kind of their own. For others the HTTP status decides.
var kinds = map[string]Kind{
	"EntityNotFoundException": Absent,

	"ThrottlingException": Throttled, "Throttling": Throttled, "ThrottledException": Throttled, "RequestThrottled": Throttled,
	"RequestThrottledException": Throttled, "RequestLimitExceeded": Throttled, "TooManyRequestsException": Throttled,
	"LimitExceededException": Throttled, "SlowDown": Throttled,

	"InternalServiceException": Down, "InternalFailure": Down, "InternalFailureException": Down, "InternalServerError": Down,
	"ServiceUnavailable": Down, "ServiceUnavailableException": Down, "OperationTimeoutException": Down,
	"RequestTimeout": Down, "RequestTimeoutException": Down,

	"ExpiredToken": refused, "ExpiredTokenException": refused, "RequestExpired": refused, "UnrecognizedClientException": refused,
	"InvalidClientTokenId": refused, "InvalidSignatureException": refused, "SignatureDoesNotMatch": refused,
	"IncompleteSignature": refused, "IncompleteSignatureException": refused, "MissingAuthenticationToken": refused,
	"MissingAuthenticationTokenException": refused, "InvalidToken": refused, "InvalidAccessKeyId": refused, "AuthFailure": refused,
	"RequestTimeTooSkewed": refused,
}

// classifyError decides what a failed request was.
func classifyError(err error) *Failure {
	f := &Failure{Message: awsconfig.CleanMessage(awsconfig.RootCause(err)), err: err}
	if fetch, ok := errors.AsType[*awsconfig.FetchError](err); ok { // it was not signed, and so not sent
		f.Kind, f.Message = Blocked, "there are no credentials: "+awsconfig.CleanMessage(fetch.Error())
		return f
	}
	var answer *smithyhttp.ResponseError
	if !errors.As(err, &answer) || answer.HTTPStatusCode() == 0 {
		return f
	}
	status := answer.HTTPStatusCode()
	var api smithy.APIError
	if errors.As(err, &api) && api.ErrorCode() != awsconfig.UnknownError {
		f.Code, f.Message = awsconfig.CleanMessage(api.ErrorCode()), awsconfig.CleanMessage(api.ErrorMessage())
	}
	kind, known := kinds[f.Code]
	switch {
	case kind == Absent && status == http.StatusBadRequest, known && kind != Absent:
		f.Kind = kind
	case status == http.StatusTooManyRequests:
		f.Kind = Throttled
	case status >= 500, status == http.StatusRequestTimeout:
		f.Kind = Down
	default: // a refusal, or a 200 that can't be read and so is not the service's
		f.Kind = Blocked
	}
	if errors.Is(err, context.DeadlineExceeded) { // the answer was cut
		f.Kind = Down
	}
	if f.Code == "" && f.Kind != Down {
		f.Message = "this does not look like an answer of AWS Glue: " + answer.Response.Status + " " + f.Message
	}
	return f
}
