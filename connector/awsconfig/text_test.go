package awsconfig

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

func TestCleanKeepsDataOut(t *testing.T) {
	message := "1 validation error detected: Value '[Record(data=secret one), Record(data=secret two)]' at 'records' failed to satisfy constraint: Member must have length less than or equal to 500"
	if got := CleanMessage(message); strings.Contains(got, "secret") || !strings.Contains(got, "less than or equal to 500") {
		t.Errorf("message is %q", got)
	}
	if got := CleanMessage(strings.Repeat("é\n", 5000)); len([]rune(got)) > 201 || strings.Contains(got, "\n") {
		t.Errorf("message has %d characters", len([]rune(got)))
	}
}

// TestNoAnswer: whichever of two clocks ends a request first, the words are the same;
// a connection that nobody took has better ones.
func TestNoAnswer(t *testing.T) {
	silence := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	defer silence.Close()
	defer silence.CloseClientConnections()
	get := func(limit, timeout time.Duration) error {
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		defer cancel()
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, silence.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := (&http.Client{Timeout: timeout}).Do(r)
		if err == nil {
			_ = res.Body.Close()
		}
		return fmt.Errorf("operation: %w", err)
	}
	want := "Get " + silence.URL + ": no answer in time"
	for name, err := range map[string]error{
		"context": get(time.Millisecond, time.Hour), "client": get(time.Hour, time.Millisecond),
	} {
		if got := RootCause(err); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	dial := &url.Error{Op: "Get", URL: "http://192.0.2.1", Err: &net.OpError{Op: "dial", Net: "tcp", Err: context.DeadlineExceeded}}
	if got := RootCause(dial); !strings.Contains(got, "dial tcp") {
		t.Errorf("%q does not say that there was no connection", got)
	}
}

// TestURLsAreCut: a request's URL is its host in messages, whatever went wrong.
func TestURLsAreCut(t *testing.T) {
	for _, err := range []error{
		&url.Error{Op: "Get", URL: "http://u:s3cret@h:1/s3cret?s3cret", Err: &net.OpError{Op: "dial", Net: "tcp", Err: context.Canceled}},
		&url.Error{Op: "Get", URL: "http://h:1/s3cret", Err: context.DeadlineExceeded},
		&url.Error{Op: "parse", URL: "http://h:s3cret", Err: fmt.Errorf("invalid port %q", ":s3cret")},
	} {
		if got := RootCause(fmt.Errorf("operation: %w", err)); strings.Contains(got, "s3cret") || got == "" {
			t.Errorf("%q", got)
		}
	}
}
