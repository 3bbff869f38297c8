package destination

import (
	"context"
	"slices"
	"strings"
	"time"
)

const (
	// history is how far a process looks back for dropped records. CloudWatch keeps values of one minute for 15 days. The margin is for
	// clocks that differ.
	// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html
	history = 15*24*time.Hour - time.Hour
	// historyPeriod is five minutes, for a fifth of the values.
	historyPeriod = 5 * time.Minute
	// maxValues is the number of values of one answer, and valuesOfHistory that of one metric.
	maxValues       = 100_800
	valuesOfHistory = int(history/historyPeriod) + 1
	// maxHistoryQueries has an answer hold all values of its metrics, and with it the memory is bounded. A stream of an unknown type has 18.
	maxHistoryQueries = maxValues / valuesOfHistory
	// maxHistoryRequests is for one minute: CloudWatch takes 50 requests a second of an account.
	maxHistoryRequests = 10
)

// deliveryHistory is what a delivery's older values show of dropped records.
type deliveryHistory struct {
	dropping  []MetricValue
	succeeded []time.Time
}

// lookForDrops asks for the older values of streams, once for each of them: for records that were dropped before the process began, or
// while CloudWatch could not be asked. It is not part of the first request, for which records may wait.
func (w *Watch) lookForDrops(ctx context.Context) {
	if t := w.CurrentOutage(); t != nil && time.Since(t.Since) >= valueLife {
		w.history = w.streamNames()
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	for requests := 0; len(w.history) > 0 && requests < maxHistoryRequests; requests++ {
		names, queries := w.nextHistory()
		now := time.Now()
		found, err := w.client.askHistory(ctx, now, queries)
		if err != nil {
			if ctx.Err() == nil {
				w.o.Log.Warn("CloudWatch can't be asked for the values of the last 15 days: records that Firehose dropped before are unknown; asking again in a minute", "error", err)
			}
			return
		}
		w.history = w.history[len(names):]
		for _, name := range names {
			w.applyHistory(now, w.streams[name], found[name])
		}
	}
}

// nextHistory are the streams that the next request asks for, and its queries.
func (w *Watch) nextHistory() (names []string, queries []metricQuery) {
	for i, name := range w.history {
		of := w.queriesOf(w.streams[name])
		if i > 0 && len(queries)+len(of) > maxHistoryQueries {
			return w.history[:i], queries
		}
		queries = append(queries, of...)
	}
	return w.history, queries
}

// applyHistory adds the drops that the older values of a stream show.
func (w *Watch) applyHistory(now time.Time, s *Stream, found []Drop) {
	next := s.State()
	over := next.addHistory(found)
	s.published.Store(&next)
	for _, d := range over {
		w.reportDropped(now, s, d)
	}
}

// askHistory makes one request, and returns the drops of each stream that the values of the last 15 days show, in their order.
func (c *cloudWatchClient) askHistory(ctx context.Context, now time.Time, queries []metricQuery) (map[string][]Drop, error) {
	of := map[metricQuery]*deliveryHistory{} // by the query for the freshness
	err := c.getValues(ctx, metricRequest(now.Add(-history), now, historyPeriod, queries), func(id string, v MetricValue) {
		i, ok := queryIndex(id)
		if !ok || i >= len(queries) {
			return
		}
		q := queries[i]
		delivery, _, _ := strings.Cut(q.metric, ".")
		key := metricQuery{q.stream, delivery + freshness, true}
		if of[key] == nil {
			of[key] = &deliveryHistory{}
		}
		of[key].add(q, v)
	})
	if err != nil {
		return nil, err
	}
	found := map[string][]Drop{}
	for key, h := range of {
		for _, d := range h.drops() {
			found[key.stream] = insertDrop(found[key.stream], d)
		}
	}
	return found, nil
}

// add adds a value. Only a few matter: Firehose drops no records most of the time.
func (h *deliveryHistory) add(q metricQuery, v MetricValue) {
	switch {
	case q.late && v.isDropping() && len(h.dropping) < valuesOfHistory:
		h.dropping = append(h.dropping, v)
	case !q.late && v.Amount > 0 && len(h.succeeded) < valuesOfHistory:
		h.succeeded = append(h.succeeded, v.At)
	}
}

// drops returns the drops of the history. Firehose has dropped a batch that tried the destination in vain in the same outage as the
// records before: only a delivery that succeeded ends one.
func (h *deliveryHistory) drops() (all []Drop) {
	slices.SortFunc(h.dropping, func(a, b MetricValue) int { return a.At.Compare(b.At) })
	for i, v := range h.dropping {
		d := dropAt(v, historyPeriod)
		if i == 0 || v.At.Sub(h.dropping[i-1].At) >= valueLife && h.succeededBetween(h.dropping[i-1].At, v.At) {
			all = append(all, d)
			continue
		}
		all[len(all)-1] = all[len(all)-1].mergedWith(d)
	}
	return all
}

func (h *deliveryHistory) succeededBetween(after, before time.Time) bool {
	return slices.ContainsFunc(h.succeeded, func(at time.Time) bool { return at.After(after) && at.Before(before) })
}

// insertDrop adds a drop to others of its stream, and keeps them in the order of their times. Drops of several deliveries that overlap
// are one.
func insertDrop(all []Drop, d Drop) []Drop {
	kept := all[:0]
	for _, other := range all {
		if d.overlaps(other) {
			d = d.mergedWith(other)
		} else {
			kept = append(kept, other)
		}
	}
	kept = append(kept, d)
	slices.SortFunc(kept, func(a, b Drop) int { return a.LastAt.Compare(b.LastAt) })
	return kept
}
