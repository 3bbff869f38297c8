package destination

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"kafka-firehose/connector/env"
	"kafka-firehose/connector/retry"
	"kafka-firehose/metrics"
)

const (
	// Interval is the time between two requests. CloudWatch has one value a minute.
	Interval = time.Minute
	// describeAgain is the time until a stream is described again whose type is unknown.
	describeAgain = time.Hour
)

// Options are what a Watch needs.
type Options struct {
	Config
	Access  Access
	Streams []Source
	// Deliveries begin the metrics of a stream whose type is unknown: those of all types.
	Deliveries []string
	// Changed is called after a stream was held or released.
	Changed func(stream string)
	// Topics returns the topics of a stream, for the command that sends them again, nil for all that the service reads.
	Topics  func(stream string) []string
	Log     *slog.Logger
	Metrics *metrics.Destination
	Client  []ClientOption
}

// Source is a stream to watch.
type Source struct {
	Name string
	// Describe returns how the metrics of the stream's destination begin, such as DeliveryToS3.
	Describe func(context.Context) (deliveries []string, err error)
}

// Watch asks CloudWatch for the streams that are reached with the same region and credentials. One goroutine calls
// AskOnce and owns the state; ForStream and CurrentOutage are for any goroutine.
type Watch struct {
	o       Options
	client  *cloudWatchClient
	streams map[string]*Stream
	asked   bool                         // CloudWatch has answered once; AskOnce's alone
	history []string                     // streams whose older values are not known yet; AskOnce's alone
	outage  atomic.Pointer[retry.Outage] // nil while CloudWatch answers
}

// Stream is a stream whose destination is watched.
type Stream struct {
	name       string
	source     Source
	topics     func(stream string) []string
	deliveries []string  // AskOnce's alone; nil while the type is unknown
	describeAt time.Time // AskOnce's alone; when to describe the stream next
	metrics    *metrics.DestinationStream
	published  atomic.Pointer[State]
	waits      atomic.Bool // for the first answer, so that a process that begins does not end a hold
	// probe is true while one batch may be sent although the stream is held. AskOnce sets it, and NoteSent
	// clears it.
	probe atomic.Bool
	sent  sentRecords
}

// New makes the client and connects to nothing.
func New(ctx context.Context, o Options) (*Watch, error) {
	api, err := newClient(ctx, o.Access, o.Client)
	if err != nil {
		return nil, err
	}
	w := &Watch{o: o, client: api, streams: map[string]*Stream{}}
	for _, s := range o.Streams {
		stream := &Stream{name: s.Name, source: s, topics: o.Topics, metrics: o.Metrics.Stream(s.Name)}
		stream.published.Store(&State{})
		stream.waits.Store(o.PauseAfter > 0)
		w.streams[s.Name] = stream
	}
	w.history = w.streamNames()
	return w, nil
}

// ForStream returns a stream of the watch, nil if it has none of that name.
func (w *Watch) ForStream(name string) *Stream { return w.streams[name] }

// State returns the known state of the stream's destination.
func (s *Stream) State() State { return *s.published.Load() }

// IsHeld reports whether nothing is to be sent to the stream now: it is held, and no probe is to be sent.
func (s *Stream) IsHeld() bool { return s.published.Load().Held && !s.probe.Load() }

// IsWaiting reports whether CloudWatch was not asked yet. That takes 30 seconds at most, whatever CloudWatch does. It is false
// if no stream is ever held.
func (s *Stream) IsWaiting() bool { return s.waits.Load() }

// NoteSent notes that a batch was handed to the sender, which ends a probe.
func (s *Stream) NoteSent() { s.probe.Store(false) }

// CurrentOutage returns why CloudWatch could not be asked when it was last, nil if it answered.
func (w *Watch) CurrentOutage() *retry.Outage { return w.outage.Load() }

// streamNames are the streams of the watch, sorted.
func (w *Watch) streamNames() []string { return slices.Sorted(maps.Keys(w.streams)) }

// AskOnce asks CloudWatch once and applies the answer.
func (w *Watch) AskOnce(ctx context.Context) {
	queries, window := w.buildQueries(ctx), valueLife
	if !w.asked {
		window = lookback
	}
	now := time.Now()
	answers, failed := w.client.askCloudWatch(ctx, now.Add(-window), now, queries)
	if ctx.Err() != nil {
		return
	}
	if w.asked && len(failed) == 0 {
		w.lookForDrops(ctx)
	}
	w.asked = w.asked || len(failed) == 0
	now = time.Now()
	for _, name := range w.streamNames() {
		s, answer := w.streams[name], answers[name]
		if failed[name] != nil {
			s.metrics.Errors.Inc()
			answer = Answer{Failed: true} // some of it may be missing
		}
		w.applyAnswer(now, s, answer)
	}
	w.noteFailures(failed)
}

// reportDropped logs a drop that is over, and keeps it for the status.
func (w *Watch) reportDropped(now time.Time, s *Stream, d Drop) {
	d.ReplayTo = d.Until
	if to := s.sent.replayTo(); d.wasHeld && !to.IsZero() {
		d.ReplayTo = to
	}
	next := s.State()
	next.addDropped(now, d)
	s.published.Store(&next)
	s.metrics.Dropped(d.LastAt)
	w.o.Log.Error("Firehose has probably dropped records that it accepted in this time: the destination was later than the 24 hours for which it keeps them. Kafka still has them within its retention: run the command in replay, with an earlier -from if there was a lag; if several processes name one, run that with the latest -to",
		"stream", s.name, "from", formatTime(d.From), "to", formatTime(d.Until), "dropped_until", formatTime(d.LastAt), "replay", s.ReplayCommand(d))
}

// buildQueries are those for all streams. A stream whose type is unknown is described first, but not before the first request,
// for which records may wait.
func (w *Watch) buildQueries(ctx context.Context) (all []metricQuery) {
	now := time.Now()
	for _, name := range w.streamNames() {
		s := w.streams[name]
		if s.deliveries == nil && !s.IsWaiting() && !now.Before(s.describeAt) {
			found, err := s.source.Describe(ctx)
			s.deliveries, s.describeAt = found, now.Add(describeAgain)
			if err != nil && ctx.Err() == nil {
				w.o.Log.Warn("the type of the destination is unknown: asking CloudWatch for the metrics of all types; allow firehose:DescribeDeliveryStream", "stream", name, "error", err)
			}
		}
		all = append(all, w.queriesOf(s)...)
	}
	return all
}

// queriesOf are the queries for a stream: for the metrics of all types while its own is unknown.
func (w *Watch) queriesOf(s *Stream) []metricQuery {
	if s.deliveries == nil {
		return queriesOf(s.name, w.o.Deliveries)
	}
	return queriesOf(s.name, s.deliveries)
}

// applyAnswer makes a step with a stream's part of the answer and logs the change.
func (w *Watch) applyAnswer(now time.Time, s *Stream, answer Answer) {
	answer.ProbeOpen, answer.NoHistory = s.probe.Load(), slices.Contains(w.history, s.name)
	next, changed := s.State().nextState(now, answer, w.o.PauseAfter)
	switch {
	case changed.held:
		s.sent.held = 0
	case changed.released:
		s.sent.held = s.sent.packed.Load()
	}
	s.published.Store(&next)
	if changed.probe || !next.Held { // otherwise the batch may be sent at this moment
		s.probe.Store(changed.probe)
	}
	s.metrics.Set(next.Freshness.Amount, next.Success.Amount, next.Success.At.IsZero(), next.Held)
	s.metrics.Seen(answer.Freshness.newerOf(answer.Success).At)
	log := w.o.Log.With("stream", s.name)
	switch {
	case changed.probe:
		log.Warn("stream held: Firehose may have dropped the records that its destination did not take; one batch is sent to see whether that takes records again")
	case changed.held:
		from, until := next.AtRisk()
		log.Warn("stream held: nothing new is sent to it, and its records wait in Kafka, until its destination is half as late. At risk are the records that Firehose has accepted before: it drops each after 24 hours",
			"late", next.LateBy().String(), "limit", env.ShortDuration(w.o.PauseAfter), "at_risk_from", formatTime(from), "at_risk_to", formatTime(until))
	case changed.released && next.Freshness.At.IsZero():
		log.Info("stream released: CloudWatch has no new value of its destination, as for one that has caught up")
	case changed.released:
		log.Info("stream released: its destination has caught up", "late", next.LateBy().String())
	}
	if d := next.dropping; !d.isZero() {
		s.metrics.Dropped(d.LastAt)
	}
	if !changed.dropped.isZero() {
		w.reportDropped(now, s, changed.dropped)
		s.sent.held = 0
	}
	if waited := s.waits.Swap(false); waited || changed.held || changed.released || changed.probe {
		w.o.Changed(s.name)
	}
}

// noteFailures begins, continues or ends the outage.
func (w *Watch) noteFailures(failed map[string]error) {
	if len(failed) == 0 {
		w.outage.Store(nil)
		return
	}
	names := slices.Sorted(maps.Keys(failed))
	err := fmt.Errorf("%w; nothing is known of the destination of %s meanwhile", failed[names[0]], strings.Join(names, ", "))
	w.outage.Store(retry.ExtendOutage(w.CurrentOutage(), err, false))
}
