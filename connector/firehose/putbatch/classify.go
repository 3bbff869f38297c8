package putbatch

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"strings"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"kafka-firehose/connector/awsconfig"
	"kafka-firehose/connector/origin"
)

// FailureClass says what to do about a request that failed as a whole. It is also the
// label of metrics and log lines, so the values are few and fixed.
type FailureClass string

// The classes of failure.
const (
	Throttled   FailureClass = "throttled"   // slow down, resend all
	Unavailable FailureClass = "unavailable" // the service failed or can't be reached; nothing was stored; resend all
	Ambiguous   FailureClass = "ambiguous"   // nobody knows whether it was stored; resend all and count it
	TooLarge    FailureClass = "too_large"   // refused for its size: split
	Credentials FailureClass = "credentials" // expired or refused: fetch new ones, resend all
	Blocked     FailureClass = "blocked"     // someone has to repair something: probe slowly, never drop
	Canceled    FailureClass = "canceled"    // the caller's context ended
)

// RequestError is a request that failed as a whole.
type RequestError struct {
	Class   FailureClass
	Code    string // the service's error code, or a word of ours such as "timeout"
	Message string // what the service said, shortened; never a record's data
	Key     bool   // the key of KMS that encrypts the stream can't be used
	err     error
}

// AddKey adds the key that encrypts the stream to a message about it that does not name one: InvalidKMSResourceException
// does not.
func (f *RequestError) AddKey(arn string) {
	if f.Key && arn != "" && !strings.Contains(f.Message, arn) {
		f.Message += "; the stream was described with the key " + arn
	}
}

// Error has the code and the message of the failure.
func (f *RequestError) Error() string {
	if f.Message == "" || f.Message == f.Code {
		return f.Code
	}
	return f.Code + ": " + f.Message
}

// Unwrap is the SDK's error. Its text may hold data: don't log it.
func (f *RequestError) Unwrap() error { return f.err }

// codes are the error codes whose class does not depend on anything else. Those
// not here are decided by the HTTP status, and else are Blocked.
var codes = map[string]FailureClass{
	"LimitExceededException": Throttled, "Throttling": Throttled, "ThrottlingException": Throttled,
	"ThrottledException": Throttled, "RequestThrottled": Throttled, "RequestThrottledException": Throttled,
	"TooManyRequestsException": Throttled, "ProvisionedThroughputExceededException": Throttled,
	"RequestLimitExceeded": Throttled, "BandwidthLimitExceeded": Throttled, "SlowDown": Throttled,

	"ServiceUnavailableException": Unavailable, "ServiceUnavailable": Unavailable,
	"InternalFailure": Unavailable, "InternalFailureException": Unavailable,
	"InternalServerError": Unavailable, "InternalServerException": Unavailable,
	"RequestTimeout": Ambiguous, "RequestTimeoutException": Ambiguous,

	"RequestEntityTooLarge": TooLarge, "RequestEntityTooLargeException": TooLarge,

	"ExpiredToken": Credentials, "ExpiredTokenException": Credentials, "RequestExpired": Credentials,
	"UnrecognizedClientException": Credentials, "InvalidClientTokenId": Credentials,
	"InvalidSignatureException": Credentials, "SignatureDoesNotMatch": Credentials,
	"IncompleteSignature": Credentials, "IncompleteSignatureException": Credentials,
	"MissingAuthenticationToken": Credentials, "MissingAuthenticationTokenException": Credentials,
	"InvalidToken": Credentials, "InvalidAccessKeyId": Credentials, "AuthFailure": Credentials,
	"RequestTimeTooSkewed": Credentials,
}

// ClassifyError decides what a failed request was. It is the only place that does.
// sent says whether the request may have reached the service.
func ClassifyError(ctx context.Context, err error, sent bool) *RequestError {
	if ctx.Err() != nil {
		return &RequestError{Class: Canceled, Code: "canceled", err: err}
	}
	if f := classifyCredentials(err); f != nil {
		return f
	}
	var response *smithyhttp.ResponseError
	if errors.As(err, &response) && response.HTTPStatusCode() != 0 {
		return classifyAnswer(err, response)
	}
	f := &RequestError{Message: awsconfig.CleanMessage(awsconfig.RootCause(err)), err: err}
	f.Class, f.Code = classifyNetwork(err)
	if f.Class == "" {
		f.Class, f.Code = Blocked, "client" // the SDK gave up before it sent anything
		if sent {
			f.Class, f.Code = Ambiguous, "connection"
		}
	}
	if f.Class == Ambiguous && !sent {
		f.Class = Unavailable
		if f.Code == "timeout" {
			f.Code, f.Message = "connect", "no connection in time, be it for DNS, the way there or TLS: "+f.Message
		}
	}
	return f
}

// classifyCredentials is for a request that could not be signed, so that nothing
// was sent: a role that may not be assumed, a token service that does not answer,
// a file that is missing. An operator has to look. Such an error may
// look like an answer of Firehose, so this comes before everything else. It is nil
// for all other errors.
func classifyCredentials(err error) *RequestError {
	const code = "no_credentials"
	if fetch, ok := errors.AsType[*awsconfig.FetchError](err); ok {
		return &RequestError{Class: Blocked, Code: code, Message: awsconfig.CleanMessage(fetch.Error()), err: err}
	}
	if strings.Contains(err.Error(), "get identity: ") { // the request's time was over before
		return &RequestError{Class: Blocked, Code: code, Message: "they did not come in time: " + awsconfig.CleanMessage(awsconfig.RootCause(err)), err: err}
	}
	return nil
}

// classifyAnswer is for an answer that came with a status.
func classifyAnswer(err error, response *smithyhttp.ResponseError) *RequestError {
	status := response.HTTPStatusCode()
	f := &RequestError{Code: http.StatusText(status), err: err}
	var api smithy.APIError
	if errors.As(err, &api) && api.ErrorCode() != awsconfig.UnknownError {
		f.Code, f.Message = awsconfig.CleanMessage(api.ErrorCode()), awsconfig.CleanMessage(api.ErrorMessage())
	}
	switch {
	case status == http.StatusOK && !fromAWS(response):
		f.Class, f.Code, f.Message = Blocked, "not_firehose", otherServer
	case status == http.StatusOK:
		f.Class, f.Code, f.Message = Ambiguous, "unreadable_answer", "the answer was cut, or is not one to PutRecordBatch"
	case status == http.StatusRequestEntityTooLarge || api != nil && onSize(api):
		f.Class = TooLarge
	case codes[f.Code] != "":
		f.Class = codes[f.Code]
	case status == http.StatusTooManyRequests:
		f.Class = Throttled
	case status == http.StatusBadGateway, status == http.StatusGatewayTimeout, status == http.StatusRequestTimeout:
		// Something between us and the service lost the answer, if there was one.
		f.Class = Ambiguous
	case status >= 500:
		f.Class = Unavailable
	default:
		f.Class = Blocked
	}
	switch {
	case f.Code == "UnknownOperationException":
		f.Message = otherServer
	case f.Message == "" && !fromAWS(response):
		f.Message = otherServer
	case f.Code == "SerializationException":
		f.Message = "" // it may quote the body
	case f.Code == "InvalidKMSResourceException", f.Code == "AccessDeniedException" && strings.Contains(f.Message, "kms:"):
		f.Key = true
		f.Message = strings.TrimSuffix(f.Message, ".") + "; " + keyHint
	}
	return f
}

// otherServer is for answers that Firehose does not give.
const otherServer = "this is not Firehose's answer, but that of a proxy or another server; look at AWS_ENDPOINT_URL_FIREHOSE and HTTPS_PROXY"

// fromAWS reports whether an answer may be the service's, whose answers have an id and are JSON. One of the two is enough: a proxy on
// the way may have removed the other.
func fromAWS(response *smithyhttp.ResponseError) bool {
	header := response.Response.Header
	return header.Get("X-Amzn-Requestid") != "" || strings.Contains(header.Get("Content-Type"), "json")
}

// keyHint is for streams that are encrypted at rest with a customer managed key. AWS has said that callers need these
// since 2026-04-20, for streams created since then, and from 2027-02-28 on for all.
const keyHint = "the caller needs kms:GenerateDataKey and kms:Decrypt on the key that encrypts the stream, and the key has to be enabled"

// onSize reports whether a refusal is about the size of the request or of a
// record in it, which is what splitting cures.
func onSize(e smithy.APIError) bool {
	message := e.ErrorMessage()
	switch e.ErrorCode() {
	case "InvalidArgumentException":
		return strings.Contains(message, "size exceeds")
	case "ValidationException":
		return strings.Contains(message, "at 'records") && strings.Contains(message, "length less than or equal to")
	}
	return false
}

// classifyNetwork classifies the failures of which it is known that the request
// never left, or how it ended. The class is "" for all others.
func classifyNetwork(err error) (FailureClass, string) {
	var (
		proxy   *origin.ProxyError
		dns     *net.DNSError
		dial    *net.OpError
		cert    *tls.CertificateVerificationError
		unknown x509.UnknownAuthorityError
		record  tls.RecordHeaderError
		alert   tls.AlertError
		timeout net.Error
	)
	switch {
	case errors.As(err, &proxy):
		if proxy.Code < 500 {
			return Blocked, "proxy" // a login, or a rule
		}
		return Unavailable, "proxy"
	case errors.As(err, &dns):
		return Blocked, "dns"
	case errors.As(err, &cert), errors.As(err, &unknown), errors.As(err, &record), errors.As(err, &alert),
		strings.Contains(err.Error(), "server gave HTTP response to HTTPS client"):
		return Blocked, "tls"
	case errors.As(err, &dial) && (dial.Op == "dial" || dial.Op == "proxyconnect"):
		return Unavailable, "connect"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return Ambiguous, "timeout"
	}
	return "", ""
}

// known are the codes that may be a metric's label; the world may invent others.
var known = map[string]string{
	"ServiceUnavailableException": "service_unavailable",
	"InternalFailure":             "internal_failure",
	noRecordID:                    noRecordID,
}

// RetryReason is the bounded label for a record's error code.
func RetryReason(code string) string {
	if label, ok := known[code]; ok {
		return label
	}
	return "other"
}
