package awsconfig

import (
	"os"
	"strings"
	"testing"
)

func TestSessionName(t *testing.T) {
	t.Setenv("AWS_ROLE_SESSION_NAME", "")
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	if got := (Role{}).sessionName(); !strings.HasPrefix(got, "kafka-firehose-") || !strings.HasPrefix(host, strings.TrimPrefix(got, "kafka-firehose-")[:2]) || !legalSession.MatchString(got) {
		t.Errorf("on %q the session is %q", host, got)
	}
	t.Setenv("AWS_ROLE_SESSION_NAME", "of-the-environment")
	if got := (Role{}).sessionName(); got != "of-the-environment" {
		t.Errorf("the session is %q", got)
	}
	if got := (Role{SessionName: "own"}).sessionName(); got != "own" {
		t.Errorf("the session is %q", got)
	}
}
