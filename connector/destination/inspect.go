package destination

import (
	"context"
	"errors"
	"fmt"
	"time"

	"kafka-firehose/connector/preflight/check"
)

// Inspect asks CloudWatch once, as AskOnce does, and adds a finding for each stream.
func (w *Watch) Inspect(ctx context.Context) (found check.Findings) {
	now := time.Now()
	answers, failed := w.client.askCloudWatch(ctx, now.Add(-valueLife), now, w.buildQueries(ctx))
	for _, name := range w.streamNames() {
		denied, isDenied := errors.AsType[*deniedError](failed[name])
		switch a := answers[name]; {
		case isDenied:
			found.AddError(check.Destination, name, "can't be watched: "+denied.Error(), "allow cloudwatch:GetMetricData, or unset DESTINATION_WATCH and DESTINATION_PAUSE_AFTER")
		case failed[name] != nil:
			found.AddWarning(check.Destination, name, "can't be watched: "+failed[name].Error(), "look at AWS_REGION, AWS_ENDPOINT_URL_CLOUDWATCH, HTTPS_PROXY, AWS_CA_BUNDLE, and the network between")
		case a.Freshness.At.IsZero():
			found.AddOK(check.Destination, name, "CloudWatch may be asked, and has no value of the last hour, as for an idle stream")
		default:
			found.AddOK(check.Destination, name, fmt.Sprintf("%s late %s ago", a.Freshness.ageOf().Round(time.Second), now.Sub(a.Freshness.At).Round(time.Minute)))
		}
	}
	return found
}
