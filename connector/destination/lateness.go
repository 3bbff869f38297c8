package destination

import (
	"context"
	"time"
)

// Lateness is how late the destination of a stream is.
type Lateness struct {
	Stream  string
	By      time.Duration // by the newest value of the last hour
	Age     time.Duration // of that value
	IsKnown bool          // false if there is no such value, as for an idle stream
	Err     error         // CloudWatch has not answered; a *DeniedError if it lacks a permission
}

// ReadLateness asks CloudWatch once, as AskOnce does, for each stream of the watch, and holds and releases none.
func (w *Watch) ReadLateness(ctx context.Context) (all []Lateness) {
	now := time.Now()
	answers, failed := w.client.askCloudWatch(ctx, now.Add(-valueLife), now, w.buildQueries(ctx))
	for _, name := range w.streamNames() {
		l := Lateness{Stream: name, Err: failed[name]}
		if newest := answers[name].Freshness; l.Err == nil && !newest.At.IsZero() {
			l.By, l.Age, l.IsKnown = newest.ageOf(), now.Sub(newest.At), true
		}
		all = append(all, l)
	}
	return all
}
