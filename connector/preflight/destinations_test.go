package preflight

import (
	"errors"
	"testing"
	"time"

	"kafka-firehose/connector/destination"
	"kafka-firehose/connector/preflight/check"
)

// TestExplainLateness: a permission that is missing is an error, and an outage of CloudWatch a warning.
func TestExplainLateness(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		late destination.Lateness
		want check.Severity
		text string
	}{
		{destination.Lateness{By: 90*time.Second + 300*time.Millisecond, Age: 3*time.Minute + time.Second, IsKnown: true}, check.OK, "1m30s late 3m0s ago"},
		{destination.Lateness{}, check.OK, "CloudWatch may be asked, and has no value of the last hour, as for an idle stream"},
		{destination.Lateness{Err: errors.New("no way there")}, check.Warning, "can't be watched: no way there"},
		{destination.Lateness{Err: &destination.DeniedError{Message: "u may not"}}, check.Error, "can't be watched: CloudWatch denies the request: allow cloudwatch:GetMetricData on all resources (u may not)"},
	} {
		var found check.Findings
		test.late.Stream = "s"
		explainLateness(&found, test.late)
		if len(found) != 1 || found[0].Kind != check.Destination || found[0].Name != "s" || found[0].Severity != test.want || found[0].Found != test.text {
			t.Errorf("%+v: found %+v", test.late, found)
		}
	}
}
