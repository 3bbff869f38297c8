package preflight

import (
	"errors"
	"fmt"
	"time"

	"kafka-firehose/connector/destination"
	"kafka-firehose/connector/preflight/check"
)

// explainLateness adds how late the destination of a stream is, or why CloudWatch can't be asked for it.
func explainLateness(found *check.Findings, l destination.Lateness) {
	denied, isDenied := errors.AsType[*destination.DeniedError](l.Err)
	switch {
	case isDenied:
		found.AddError(check.Destination, l.Stream, "can't be watched: "+denied.Error(), "allow cloudwatch:GetMetricData, or unset DESTINATION_WATCH and DESTINATION_PAUSE_AFTER")
	case l.Err != nil:
		found.AddWarning(check.Destination, l.Stream, "can't be watched: "+l.Err.Error(), "look at AWS_REGION, AWS_ENDPOINT_URL_CLOUDWATCH, HTTPS_PROXY, AWS_CA_BUNDLE, and the network between")
	case !l.IsKnown:
		found.AddOK(check.Destination, l.Stream, "CloudWatch may be asked, and has no value of the last hour, as for an idle stream")
	default:
		found.AddOK(check.Destination, l.Stream, fmt.Sprintf("%s late %s ago", l.By.Round(time.Second), l.Age.Round(time.Minute)))
	}
}
