package putbatch

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"kafka-firehose/connector/origin"
)

// TestKeyHint: a stream whose key can't be used is blocked, whichever of the two ways the service says it, and the
// reason tells what the caller needs.
func TestKeyHint(t *testing.T) {
	for _, tt := range []struct {
		code, message string
		hint          bool
	}{
		{"InvalidKMSResourceException", "The KMS key arn:aws:kms:eu-west-1:1:key/k is disabled, or the caller might not have sufficient permissions.", true},
		{"AccessDeniedException", "User: arn:aws:sts::1:assumed-role/r is not authorized to perform: kms:GenerateDataKey on resource: arn:aws:kms:eu-west-1:1:key/k", true},
		{"AccessDeniedException", "User: arn:aws:sts::1:assumed-role/r is not authorized to perform: firehose:PutRecordBatch", false},
	} {
		err := &smithyhttp.ResponseError{
			Response: &smithyhttp.Response{Response: &http.Response{StatusCode: http.StatusBadRequest}},
			Err:      &smithy.GenericAPIError{Code: tt.code, Message: tt.message},
		}
		f := ClassifyError(t.Context(), err, true)
		if f.Class != Blocked || strings.HasSuffix(f.Message, keyHint) != tt.hint || strings.Contains(f.Message, ".;") || !strings.HasPrefix(f.Message, "User: arn") && !strings.HasPrefix(f.Message, "The KMS key arn") {
			t.Errorf("%s: %s %s", tt.code, f.Class, f.Message)
		}
	}
}

// TestHostileCode: an error's code is the answer's, and so not trusted: it is shown in logs and terminals.
func TestHostileCode(t *testing.T) {
	t.Parallel()
	err := &smithyhttp.ResponseError{
		Response: &smithyhttp.Response{Response: &http.Response{StatusCode: http.StatusBadRequest}},
		Err:      &smithy.GenericAPIError{Code: "\x1b[2Jcode\n2" + strings.Repeat("x", 10_000)},
	}
	whole := (&Answer{Left: 1, failed: []string{"\x1b[2Jcode\n2" + strings.Repeat("x", 10_000)}}).WholeFailure()
	for _, f := range []*RequestError{ClassifyError(t.Context(), err, true), whole} {
		if !strings.HasPrefix(f.Code, "[2Jcode 2xxx") || len(f.Code) > 1000 {
			t.Errorf("%.100q, %d bytes", f.Code, len(f.Code))
		}
	}
}

// TestProxyRefusal: a proxy that is in trouble itself is waited for like any server; one that refuses has to be told something else.
func TestProxyRefusal(t *testing.T) {
	t.Parallel()
	for code, want := range map[int]FailureClass{502: Unavailable, 503: Unavailable, 504: Unavailable, 403: Blocked, 407: Blocked} {
		err := fmt.Errorf("request: %w", &net.OpError{Op: "proxyconnect", Err: &origin.ProxyError{Proxy: "http://proxy:3128", Code: code}})
		if class, reason := classifyNetwork(err); class != want || reason != "proxy" {
			t.Errorf("%d: %s %s, want %s proxy", code, class, reason, want)
		}
	}
}
