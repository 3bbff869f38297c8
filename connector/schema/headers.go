package schema

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"kafka-firehose/connector/env"
)

// fixedHeaders are those that the client sets by itself.
var fixedHeaders = []string{"Host", "Accept", "Connection", "Content-Length", "Content-Type", "Te", "Trailer", "Transfer-Encoding", "Upgrade", "User-Agent"}

// extraHeaders reads the headers of SCHEMA_REGISTRY_HEADERS, or of its file as it is now. An error shows no value.
func (c Config) extraHeaders() (http.Header, error) {
	if !c.Headers.IsSet() {
		return nil, nil //nolint:nilnil // there are none
	}
	text, err := c.Headers.ReadValue()
	if err != nil {
		return nil, err
	}
	headers, err := parseHeaders(text)
	if err == nil && len(c.logins()) > 0 && headers.Get("Authorization") != "" {
		err = fmt.Errorf("Authorization is a login, and so is %s; want one way to log in", c.logins()[0])
	}
	if err != nil {
		return nil, env.HoldsFault(c.Headers.VariableName(headersName), "x", err.Error()).WithSettings(c.logins()...)
	}
	return headers, nil
}

// parseHeaders reads name=value, comma separated, or one to a line.
func parseHeaders(text string) (http.Header, error) {
	separator := ","
	if strings.Contains(text, "\n") {
		separator = "\n"
	}
	headers := http.Header{}
	for i, entry := range strings.Split(text, separator) {
		name, value, ok := strings.Cut(strings.TrimSpace(entry), "=")
		key := http.CanonicalHeaderKey(name)
		switch {
		case !ok || !validHeaderName(name) || value == "" || strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r == 0x7f }):
			return nil, fmt.Errorf("entry %d is not name=value with the name of a header", i+1)
		case slices.Contains(fixedHeaders, key):
			return nil, fmt.Errorf("entry %d: the client sets %s by itself", i+1, key)
		case headers.Get(key) != "":
			return nil, fmt.Errorf("entry %d: %s is there twice", i+1, key)
		}
		headers.Set(key, value)
	}
	return headers, nil
}

// validHeaderName reports whether a name is a token of RFC 9110, section 5.6.2.
func validHeaderName(name string) bool {
	const marks = "!#$%&'*+-.^_`|~"
	return name != "" && !strings.ContainsFunc(name, func(r rune) bool {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
		return !letter && !strings.ContainsRune(marks, r)
	})
}

// validateHeaders checks the extra headers.
func (c Config) validateHeaders(check *env.Check) {
	_, err := c.extraHeaders()
	if f, ok := errors.AsType[*env.Fault](err); ok {
		check.AddFault(f)
	}
}
