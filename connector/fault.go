package connector

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"kafka-firehose/connector/firehose"
	"kafka-firehose/connector/retry"
)

// fault is something that keeps records from getting through, for as long as it lasts.
type fault struct {
	what     string    // its subject; the faults of one moment differ in it
	err      error     // why, and what to do
	since    time.Time // of those that standingFaults returns never zero
	failures int       // attempts that failed since then; 0 if they aren't counted
	harmless bool      // records get through, only too slowly, or are held on purpose: the process is ready
	lossy    bool      // records are kept from the stream as BAD_RECORD_POLICY says: the process is ready
	told     bool      // the code that finds it logs it each minute
	dated    bool      // each line of err says how long it has lasted
}

// lines is what /readyz shows of the fault: the lines of its reason, each with its beginning and the failed attempts.
func (f fault) lines() error {
	if f.dated {
		return f.err
	}
	since := " (since " + f.since.UTC().Format(time.RFC3339)
	if f.failures > 0 {
		since += fmt.Sprintf(", %d failed attempts", f.failures)
	}
	since += ")"
	return errors.New(strings.ReplaceAll(f.err.Error(), "\n", since+"\n") + since)
}

// standingFaults are all that last now: Kafka's first, then those of streams by name.
func (c *Connector) standingFaults(now time.Time) (all []fault) {
	add := func(f fault) {
		if f.err != nil {
			all = append(all, f)
		}
	}
	if !c.source.HasJoined() {
		add(fault{what: "consumer group", err: fmt.Errorf("not in the consumer group %s", c.cfg.Kafka.GroupID)})
	}
	add(fault{what: "access to Kafka", err: c.source.AccessRefused()})
	add(fault{what: "partitions", err: c.source.PartitionFaults(), told: true, dated: true})
	add(fault{what: "pipelines", err: c.Live(), told: true})
	for _, name := range slices.Sorted(maps.Keys(c.pipelines)) {
		l := c.pipelines[name]
		add(l.streamFault(name, now, c.cfg.Destination.PauseAfter))
	}
	for _, f := range c.destinationFaults() {
		add(f)
	}
	if c.schemas != nil {
		add(outageFault("Schema Registry", "the Schema Registry", c.schemas.CurrentOutage(), now))
	}
	if c.letters != nil {
		add(outageFault("dead-letter topic", "dead-letter topic "+c.cfg.DeadLetter.Topic, c.letters.CurrentOutage(), now))
	}
	if c.uploader != nil {
		add(outageFault("claim-check bucket", "claim-check bucket "+c.cfg.ClaimCheck.URL, c.uploader.CurrentOutage(), now))
	}
	add(c.runtime.fault())
	all = append(all, c.unusable.faults(now)...)
	for i := range all {
		all[i].since = c.faultSince(all[i], now)
	}
	return all
}

// outageFault is why something that records wait for has failed for a while, without an err while it works.
func outageFault(what, name string, o *retry.Outage, now time.Time) fault {
	if !o.ShouldReport(now, idleFor) {
		return fault{}
	}
	return fault{what: what, err: fmt.Errorf("%s: %w", name, o.Err), since: o.Since, failures: o.Failures}
}

// streamFault is the worst that is wrong with the pipeline's stream, without an err if it takes records. pauseAfter is
// DESTINATION_PAUSE_AFTER.
func (l *pipeline) streamFault(name string, now time.Time, pauseAfter time.Duration) fault {
	s := l.stream.State()
	f := fault{what: "stream " + name, failures: s.Failures}
	err := l.check.lastError()
	if err != nil {
		f.failures = int(l.check.failures.Load())
	} else {
		err = streamReady(s, now)
	}
	since, held := l.heldSince()
	switch {
	case err != nil && s.Blocked:
		f.since = s.Since
	case err != nil:
		f.since = s.StalledSince
	case held:
		f.harmless, f.failures, f.since = true, 0, since
		err = holdError(l.destination.State(), pauseAfter)
	case l.throttled.Load():
		f.harmless, f.failures = true, 0
		err = throttledFault(s, l.unpaused.Load())
	}
	if err != nil {
		f.err = fmt.Errorf("stream %s: %w", name, err)
	}
	return f
}

// throttledFault says how fast a stream takes records that come faster.
func throttledFault(s firehose.State, lag int64) error {
	return fmt.Errorf("throttled: it takes %.0f records and %.0f bytes a second, more come, and the lag of %d records grows: ask for a higher quota of the stream, or spread the topics over several",
		s.RecordsPerSecond, s.BytesPerSecond, lag)
}

const (
	// faultsEvery is how often faults are looked for.
	faultsEvery = 5 * time.Second
	// faultGrace is the age at which faultWatch first logs a fault: the code that found it has logged its beginning.
	faultGrace = 30 * time.Second
	// faultTold is how often it is logged from then on.
	faultTold = time.Minute
)

// faultWatch logs faults for as long as they last.
type faultWatch struct {
	log   *slog.Logger
	known map[string]*knownFault // :: what
}

type knownFault struct {
	since, told time.Time // told is zero before the first line
}

// watchFaults looks for faults, and for streams that are throttled, until ctx ends.
func (c *Connector) watchFaults(ctx context.Context) {
	w := faultWatch{log: c.log, known: map[string]*knownFault{}}
	var applied time.Time // when the runtime settings were, at the last look
	repeatEvery(ctx, faultsEvery, func() {
		now := time.Now()
		lag := c.source.TopicLag()
		since := c.runtime.appliedAt()
		for name, l := range c.pipelines {
			l.lag.Store(c.lagOf(lag, name, noTopic))
			if !since.Equal(applied) {
				l.lags = nil // a topic that is resumed brings its lag with it
			}
			l.watchThrottle(now, c.lagOf(lag, name, c.runtime.pausesTopic()))
		}
		applied = since
		w.updateFaults(now, c.standingFaults(now))
		c.publishFaults(w.known)
	})
}

// publishFaults makes the beginnings of faults known to Status, which other goroutines call.
func (c *Connector) publishFaults(known map[string]*knownFault) {
	began := make(map[string]time.Time, len(known))
	for what, k := range known {
		began[what] = k.since
	}
	c.began.Store(&began)
}

// faultSince returns the beginning of a fault: its own or that of watchFaults, whichever is earlier, or now if neither is known yet.
func (c *Connector) faultSince(f fault, now time.Time) time.Time {
	var first time.Time // when watchFaults saw it first
	if began := c.began.Load(); began != nil {
		first = (*began)[f.what]
	}
	switch {
	case first.IsZero() && f.since.IsZero():
		return now
	case first.IsZero(), !f.since.IsZero() && f.since.Before(first):
		return f.since
	}
	return first
}

// noTopic is true for no topic.
func noTopic(string) bool { return false }

// lagOf is the lag of the topics that are routed to a stream and are not left out.
func (c *Connector) lagOf(lag map[string]int64, stream string, leftOut func(topic string) bool) (records int64) {
	for topic, n := range lag {
		if c.cfg.streamOf(topic) == stream && !leftOut(topic) {
			records += n
		}
	}
	return records
}

// updateFaults logs the faults that are due, and the end of those that are over.
func (w *faultWatch) updateFaults(now time.Time, faults []fault) {
	last := map[string]bool{}
	for _, f := range faults {
		last[f.what] = true
		k := w.known[f.what]
		if k == nil {
			k = &knownFault{since: now}
			w.known[f.what] = k
		}
		if !f.since.IsZero() && f.since.Before(k.since) {
			k.since = f.since
		}
		due := k.told.IsZero() && (f.harmless || now.Sub(k.since) >= faultGrace) || !k.told.IsZero() && now.Sub(k.told) >= faultTold
		if f.told || !due {
			continue
		}
		k.told = now
		level := slog.LevelError
		if f.harmless {
			level = slog.LevelWarn
		}
		w.log.Log(context.Background(), level, "a fault lasts", "what", f.what, "since", k.since.UTC().Format(time.RFC3339), "for", now.Sub(k.since).Round(time.Second).String(),
			"failures", f.failures, "error", oneLine(f.err))
	}
	for what, k := range w.known {
		if last[what] {
			continue
		}
		delete(w.known, what)
		if !k.told.IsZero() {
			w.log.Info("a fault is over", "what", what, "after", now.Sub(k.since).Round(time.Second).String())
		}
	}
}

// oneLine joins what errors.Join put on lines of their own.
func oneLine(err error) string { return strings.ReplaceAll(err.Error(), "\n", "; ") }

// throttleWindow is the time over which the lag has to grow for a stream to count as throttled.
const throttleWindow = time.Minute

// watchThrottle notes the lag of the pipeline's stream, without paused topics. The stream is throttled if its rate holds records
// back while the lag grows: a rate alone is no fault, and neither is a lag.
func (l *pipeline) watchThrottle(now time.Time, lag int64) {
	l.unpaused.Store(lag)
	l.lags = append(l.lags, lagAt{now, lag})
	for len(l.lags) > 1 && now.Sub(l.lags[1].at) >= throttleWindow {
		l.lags = l.lags[1:]
	}
	first := l.lags[0]
	grows := now.Sub(first.at) >= throttleWindow && lag > first.records && lag > 0
	held := now.Sub(l.stream.State().HeldBack) < throttleWindow/2
	was := l.throttled.Load()
	switch {
	case held && grows:
		l.throttled.Store(true)
	case was && (!held || lag < first.records):
		l.throttled.Store(false)
	}
	l.stream.SetThrottled(l.throttled.Load())
}

// lagAt is the lag at some time.
type lagAt struct {
	at      time.Time
	records int64
}

// logSummaries logs the totals of each stream that had records in an interval, every interval until ctx ends.
func (c *Connector) logSummaries(ctx context.Context, interval time.Duration) {
	if interval == 0 {
		return
	}
	before := map[string]firehose.Totals{}
	polled := map[string]int64{}
	repeatEvery(ctx, interval, func() {
		for _, name := range slices.Sorted(maps.Keys(c.pipelines)) {
			l := c.pipelines[name]
			now, in := l.stream.State().Totals, l.polled.Load()
			was := before[name]
			if now != was || in != polled[name] {
				c.log.Info(summaryMessage, "stream", name, "in", interval.String(), "polled", in-polled[name], "accepted", now.Accepted.Records-was.Accepted.Records,
					"bytes", now.Accepted.Bytes-was.Accepted.Bytes, "refused", now.Refused-was.Refused, "requests", now.Offered.Requests-was.Offered.Requests, "lag", l.lag.Load())
			}
			before[name], polled[name] = now, in
		}
	})
}
