package awsconfig

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"net/url"
	"regexp"

	"kafka-firehose/connector/logging"
	"kafka-firehose/connector/origin"
)

// UnknownError is the SDK's word for an answer that names no error.
const UnknownError = "UnknownError"

// RootCause is the text of the innermost error that still names its subject,
// an address or a file: the outer ones repeat the operation, and those further in
// are words such as "connection refused".
func RootCause(err error) string {
	for {
		switch err.(type) { //nolint:errorlint // the chain is walked here, link by link
		case *net.OpError, *fs.PathError:
			return err.Error()
		}
		if request, ok := err.(*url.Error); ok { //nolint:errorlint // as above
			return requestCause(request)
		}
		inner := errors.Unwrap(err)
		if inner == nil {
			return err.Error()
		}
		err = inner
	}
}

// requestCause says of a request that got no answer in time just that. Whether the
// client's own timeout or its context was over first decides net/http's words for it,
// and both are over at the same moment.
func requestCause(err *url.Error) string {
	if _, dialing := errors.AsType[*net.OpError](err); !dialing && errors.Is(err, context.DeadlineExceeded) {
		return origin.BareMessage(err.Op+" "+err.URL) + ": no answer in time"
	}
	if err.Op == "parse" {
		return "it can't be read as a URL" // the rest would repeat parts of it
	}
	return origin.BareMessage(err.Error())
}

// echo is the place where a validation error repeats a value of the request.
var echo = regexp.MustCompile(`(?s)Value '.*?' at '`)

// CleanMessage makes a message of a service fit for a log line: without its echo of the
// request and without the secret parts of URLs, as [logging.SingleLine] has it.
func CleanMessage(message string) string {
	return logging.SingleLine(origin.ScrubMessage(echo.ReplaceAllString(message, "Value '…' at '")))
}
