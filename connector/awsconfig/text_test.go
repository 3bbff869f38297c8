package awsconfig

import (
	"strings"
	"testing"
)

func TestCleanKeepsDataOut(t *testing.T) {
	message := "1 validation error detected: Value '[Record(data=secret one), Record(data=secret two)]' at 'records' failed to satisfy constraint: Member must have length less than or equal to 500"
	if got := Clean(message); strings.Contains(got, "secret") || !strings.Contains(got, "less than or equal to 500") {
		t.Errorf("message is %q", got)
	}
	if got := Clean(strings.Repeat("é\n", 5000)); len([]rune(got)) > maxMessage+1 || strings.Contains(got, "\n") {
		t.Errorf("message has %d characters", len([]rune(got)))
	}
}
