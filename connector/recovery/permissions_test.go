package recovery

import (
	"io"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"kafka-firehose/connector/awsconfig/iamtest"
)

// TestPrintedPolicy: an audit can read everything with the policy that its page prints, while every other request is refused, and
// no part of the policy is of no use.
func TestPrintedPolicy(t *testing.T) {
	text, err := os.ReadFile("../../deploy/docs/audit.md")
	if err != nil {
		t.Fatal(err)
	}
	var policy iamtest.Policy
	for block := range strings.SplitSeq(string(text), "\n\n") {
		if strings.Contains(block, `"Effect"`) {
			if policy, err = iamtest.Parse(block, map[string]string{"BUCKET": "b", "PREFIX": "records/", "ERRORS": "errors/", "REGION": "eu-west-1", "ACCOUNT": "123456789012", "KEY": "objects"}); err != nil {
				t.Fatal(err)
			}
		}
	}
	s := &fakeS3{region: "eu-west-1", objects: map[string]string{"records/2026/01/31/08/a": "one", "records/custom/b": "two", "errors/processing-failed/2026/01/31/08/c": "three"}}
	s.serve(t)
	g := iamtest.NewGuard("123456789012", policy)
	g.Encrypt("arn:aws:s3:::b", "arn:aws:kms:eu-west-1:123456789012:key/objects")
	server := httptest.NewServer(g.Handler(s))
	defer server.Close()
	t.Setenv("AWS_ENDPOINT_URL_S3", server.URL)
	w := Window{From: time.Date(2026, 1, 31, 0, 0, 0, 0, time.UTC), Until: time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC)}
	read := 0
	for _, place := range []string{"s3://b/records/", "s3://b/records", "s3://b/errors/"} {
		b := openBucket(t, place)
		if empty, err := b.Empty(t.Context()); err != nil || empty {
			t.Errorf("%s: empty is %v, %v", place, empty, err)
		}
		if err := b.List(t.Context(), w, func(o Object) error {
			in, err := b.Open(t.Context(), o)
			if err != nil {
				return err
			}
			defer in.Close()
			read++
			_, err = io.ReadAll(in)
			return err
		}); err != nil {
			t.Errorf("%s: %v", place, err)
		}
	}
	if denied := g.Denied(); read < 3 || len(denied) > 0 {
		t.Errorf("%d objects were read, and the policy doesn't allow %v", read, denied)
	}
	if unused := policy.Unused(g.Allowed()); len(unused) > 0 {
		t.Errorf("nothing needs %v", unused)
	}
}
