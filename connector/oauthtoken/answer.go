package oauthtoken

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"kafka-firehose/connector/origin"
)

// Error says why there is no token.
type Error struct {
	// Refused says that the token or the client is refused: an operator has to change something.
	Refused bool
	err     error
}

func (e *Error) Error() string { return e.err.Error() }

// Unwrap returns the reason.
func (e *Error) Unwrap() error { return e.err }

// explainError says why the endpoint gives no token. An endpoint that repeats the client's secret does not get it into a log.
func (t *Source) explainError(err error, secret string) error {
	if answer, ok := errors.AsType[*oauth2.RetrieveError](err); ok {
		answer.ErrorCode = strings.ReplaceAll(answer.ErrorCode, secret, "***")
		answer.ErrorDescription = strings.ReplaceAll(answer.ErrorDescription, secret, "***")
	}
	refused, reason := endpointError(err)
	at := ""
	if u, err := url.Parse(t.cfg.Endpoint); err == nil {
		at = " at " + origin.SchemeAndHost(u)
	}
	return &Error{refused, fmt.Errorf("get a token from %s%s: %w", t.cfg.settingName(endpointName), at, reason)}
}

// endpointError is the failure without the body of the answer, which may repeat secrets, and whether the endpoint has
// refused the client.
func endpointError(err error) (refused bool, reason error) {
	if answer, ok := errors.AsType[*oauth2.RetrieveError](err); ok {
		text := "it answers " + answer.Response.Status
		if answer.ErrorCode != "" {
			text += fmt.Sprintf(", %.40q %.200q", answer.ErrorCode, answer.ErrorDescription)
		}
		code := answer.Response.StatusCode
		return code < 500 && code != http.StatusTooManyRequests && code != http.StatusRequestTimeout, errors.New(text)
	}
	if asked, ok := errors.AsType[*url.Error](err); ok {
		if asked.Timeout() {
			return false, fmt.Errorf("it does not answer within %s", tokenTimeout)
		}
		return false, errors.New(origin.BareMessage(asked.Err.Error())) // the URL is known
	}
	return false, err
}

// tokenExpiry reads when a token ends, if it is a JWT. The signature is the server's affair.
func tokenExpiry(token string) (end time.Time, ok bool) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return time.Time{}, false
	}
	claims, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	var c struct {
		Exp float64 `json:"exp"`
	}
	if err != nil || json.Unmarshal(claims, &c) != nil || c.Exp <= 0 || c.Exp > 1e11 {
		return time.Time{}, false
	}
	return time.Unix(int64(c.Exp), 0), true
}
