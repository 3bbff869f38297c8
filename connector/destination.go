package connector

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/connector/destination"
	"kafka-firehose/connector/env"
	"kafka-firehose/connector/firehose"
	"kafka-firehose/connector/status"
)

// A stream's destination is late from lateAfter on, and loss is near from lossNear on. The alerts of the same names begin
// there, too.
const (
	lateAfter = time.Hour
	lossNear  = 12 * time.Hour
)

// newWatches prepares a watch for each client of the streams, none unless DESTINATION_WATCH is true. The functions of the watches are
// those of the second options.
func (c Config) newWatches(ctx context.Context, clients firehose.Clients, o Options, of destination.Options) (all []*destination.Watch, err error) {
	if !c.Destination.Watch {
		return nil, nil
	}
	sources := map[*firehose.Client][]destination.Source{}
	var inOrder []*firehose.Client
	for _, name := range c.Firehose.StreamNames() {
		client := clients.ForStream(name)
		if sources[client] == nil {
			inOrder = append(inOrder, client)
		}
		sources[client] = append(sources[client], destination.Source{
			Name:     name,
			Describe: func(ctx context.Context) ([]string, error) { return firehose.Deliveries(ctx, client, name) },
		})
	}
	for _, client := range inOrder {
		reached := client.Options()
		w, err := destination.New(ctx, destination.Options{
			Config: c.Destination, Streams: sources[client], Deliveries: firehose.AllDeliveries(), Changed: of.Changed, Topics: of.Topics,
			Access: destination.Access{Region: reached.Region, Credentials: reached.Credentials, Invalidate: client.InvalidateCredentials},
			Log:    o.Log, Metrics: o.Metrics.Destination, Client: o.CloudWatch,
		})
		if err != nil {
			return nil, err
		}
		all = append(all, w)
	}
	return all, nil
}

// openWatches has the destinations of all pipelines watched.
func (c *Connector) openWatches(ctx context.Context, o Options) (err error) {
	o.Log = c.log // the status page has its lines
	c.watches, err = c.cfg.newWatches(ctx, c.clients, o, destination.Options{Topics: c.topicsOf, Changed: func(stream string) {
		c.pipelines[stream].wakeBatcher()
		c.poller.wakePoller()
	}})
	for name, l := range c.pipelines {
		for _, w := range c.watches {
			if of := w.ForStream(name); of != nil {
				l.destination = of
			}
		}
	}
	return err
}

// topicsOf returns the topics of the group that go to a stream, as far as they are known, and nil if it is the only stream.
func (c *Connector) topicsOf(stream string) []string {
	if topics := c.pipelines[stream].topics.Load(); len(c.pipelines) > 1 && topics != nil {
		return *topics
	}
	return nil
}

// watchDestinations asks CloudWatch at once, and then every interval until ctx ends, in goroutines that start makes.
func (c *Connector) watchDestinations(ctx context.Context, start func(name string, do func())) {
	for i, w := range c.watches {
		start(fmt.Sprintf("watching destinations, client %d", i+1), func() {
			w.AskOnce(ctx)
			repeatEvery(ctx, destination.Interval, func() { w.AskOnce(ctx) })
		})
	}
}

// onHold reports whether nothing new is to be sent to the stream now because its destination is late.
func (l *pipeline) onHold() bool { return l.destination != nil && l.destination.IsHeld() }

// sendsNothing reports whether nothing new is to be sent to the stream: it is on hold, or that is not known yet.
func (l *pipeline) sendsNothing() bool {
	return l.destination != nil && (l.destination.IsHeld() || l.destination.IsWaiting())
}

// notePolled tells the watch of the first records of a partition, and notePacked of those that may be sent.
func (l *pipeline) notePolled(c fetchedRecords) {
	if first := c.records[0]; l.destination != nil && first.Offset == c.lease.First() {
		l.destination.NotePolled(first.Timestamp)
	}
}

func (l *pipeline) notePacked(records []*kgo.Record) {
	if l.destination == nil || len(records) == 0 {
		return
	}
	newest := slices.MaxFunc(records, func(a, b *kgo.Record) int { return a.Timestamp.Compare(b.Timestamp) })
	l.destination.NotePacked(newest.Timestamp)
}

// heldSince is when the stream was held because of its destination; ok is false if it is not.
func (l *pipeline) heldSince() (since time.Time, ok bool) {
	if l.destination == nil {
		return time.Time{}, false
	}
	s := l.destination.State()
	return s.Since, s.Held
}

// holdError says why a held stream is held.
func holdError(s destination.State, limit time.Duration) error {
	switch {
	case s.IsProbing():
		return errors.New("held: Firehose may have dropped the records that its destination did not take, and the batch that was sent to try it is not delivered yet; records wait in Kafka: repair the destination, and then run the kafka-firehose replay of the log for those that were dropped")
	case s.Freshness.At.IsZero():
		return errors.New("held: CloudWatch has no new value of its destination, which was too late; records wait in Kafka: repair the destination")
	}
	from, until := s.AtRisk()
	return fmt.Errorf("held: its %w; nothing new is sent until it is %s late at most, and records wait in Kafka; at risk are those that Firehose accepted from %s to %s: repair the destination",
		lateError(s), inMinutes(limit/2), from.UTC().Format(time.RFC3339), until.UTC().Format(time.RFC3339))
}

// lateError says how late a destination is, and when records will be lost.
func lateError(s destination.State) error {
	late := "destination is " + inMinutes(s.LateBy()) + " late"
	switch {
	case s.LateBy() < lossNear:
		return errors.New(late)
	case s.TimeLeft() == 0:
		return errors.New(late + ": Firehose drops records that are older than " + inMinutes(destination.Retention) + ", and the log will have the kafka-firehose replay that sends them again")
	}
	return errors.New(late + ": data will be lost in " + inMinutes(s.TimeLeft()))
}

// inMinutes prints a duration without its seconds.
func inMinutes(d time.Duration) string { return env.ShortDuration(d.Round(time.Minute)) }

// destinationFaults are late destinations of streams that are not held, and CloudWatch's failures. They keep no record
// back.
func (c *Connector) destinationFaults() (all []fault) {
	for _, name := range slices.Sorted(maps.Keys(c.pipelines)) {
		l := c.pipelines[name]
		if l.destination == nil {
			continue
		}
		if s := l.destination.State(); !s.Held && s.LateBy() >= lateAfter {
			all = append(all, fault{what: "destination of stream " + name, err: fmt.Errorf("stream %s: its %w: repair the destination", name, lateError(s)), harmless: true})
		}
	}
	for i, w := range c.watches {
		if t := w.CurrentOutage(); t != nil {
			all = append(all, fault{what: fmt.Sprintf("destination watch %d", i+1), err: t.Err, since: t.Since, failures: t.Failures, harmless: true})
		}
	}
	return all
}

// destinationStatus is the state of the destination of a pipeline's stream, nil if it is not watched.
func (l *pipeline) destinationStatus(now time.Time) *status.Destination {
	if l.destination == nil {
		return nil
	}
	s := l.destination.State()
	d := &status.Destination{Late: s.LateBy().Seconds(), LateAt: s.Freshness.At, Held: s.Held}
	if !s.Success.At.IsZero() {
		d.Success = &s.Success.Amount
	}
	for _, drop := range s.Dropped(now) {
		d.Dropped = append(d.Dropped, status.Drop{From: drop.From, Until: drop.Until, LastAt: drop.LastAt, Replay: l.destination.ReplayCommand(drop)})
	}
	return d
}
