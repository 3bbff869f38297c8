package firehosetest

import (
	"encoding/json"
	"fmt"
	"net/http"
)

// apiError is an answer that refuses a whole request.
type apiError struct {
	code    string
	message string // "" leaves the member out of the body
	status  int    // 0 is the code's own, see statusOf
}

func (e *apiError) Error() string { return e.code + ": " + e.message }

// fail makes an apiError with the code's own status.
func fail(code, format string, args ...any) *apiError {
	return &apiError{code: code, message: fmt.Sprintf(format, args...)}
}

// Codes that are used in more than one place.
const (
	codeAccessDenied       = "AccessDeniedException"
	codeIncomplete         = "IncompleteSignatureException"
	codeInvalidArgument    = "InvalidArgumentException"
	codeInvalidSignature   = "InvalidSignatureException"
	codeExpiredToken       = "ExpiredTokenException"
	codeMissingToken       = "MissingAuthenticationTokenException"
	codeNotFound           = "ResourceNotFoundException"
	codeSerialization      = "SerializationException"
	codeThrottling         = "ThrottlingException"
	codeTooLarge           = "RequestEntityTooLarge" // in the log only: its body is empty
	codeUnavailable        = "ServiceUnavailableException"
	codeInternal           = "InternalFailure"
	codeInvalidKey         = "InvalidKMSResourceException"
	codeUnknownOperation   = "UnknownOperationException"
	codeUnrecognizedClient = "UnrecognizedClientException"
	codeValidation         = "ValidationException"
)

// knownMessages are the words the service uses with a code where they don't
// depend on the request. InternalFailure's are not known in public.
var knownMessages = map[string]string{
	codeUnavailable:        "Slow down.",
	codeInternal:           "Internal service failure.",
	codeExpiredToken:       "The security token included in the request is expired",
	codeUnrecognizedClient: "The security token included in the request is invalid.",
	codeMissingToken:       "Missing Authentication Token",
	codeThrottling:         "Rate exceeded",
	codeInvalidArgument:    "Records size exceeds 4 MB limit",
	codeInvalidKey:         "The grant for the CMK to this delivery stream might have been revoked or caller might not have sufficient permissions for the CMK.",
}

// messageOf is the text that comes with a code that a script named without one.
func messageOf(code string) string {
	if m, ok := knownMessages[code]; ok {
		return m
	}
	return code + ", as the emulator was told."
}

// statusOf is the HTTP status that a code comes with.
func statusOf(code string) int {
	switch code {
	case codeUnavailable:
		return http.StatusServiceUnavailable
	case codeInternal:
		return http.StatusInternalServerError
	case codeTooLarge:
		return http.StatusRequestEntityTooLarge
	}
	return http.StatusBadRequest
}

// answer is the error as the service writes it. IAM's errors spell "Message"
// with a capital letter; the front end's close the connection.
func (e *apiError) answer() answer {
	a := answer{status: e.status, code: e.code}
	if a.status == 0 {
		a.status = statusOf(e.code)
	}
	switch e.code {
	case codeTooLarge:
		a.close = true
		return a
	case codeUnknownOperation:
		a.close = true
	}
	body := struct {
		Type    string `json:"__type"`
		Lower   string `json:"message,omitempty"`
		Capital string `json:"Message,omitempty"`
	}{Type: e.code}
	if e.code == codeAccessDenied || e.code == codeMissingToken {
		body.Capital = e.message
	} else {
		body.Lower = e.message
	}
	a.contentType = amzJSON
	a.body, _ = json.Marshal(body) // three strings always encode
	return a
}
