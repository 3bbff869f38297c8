package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Destination is what CloudWatch knows of where streams deliver to. Every collector has the label stream.
type Destination struct {
	freshness, success, held, seen, dropped *prometheus.GaugeVec
	errors                                  *prometheus.CounterVec
}

func newDestination(f metricFactory) *Destination {
	const s = "stream"
	return &Destination{
		freshness: f.gaugeVec("freshness_seconds", "Age of the oldest record that the destination of a stream does not have, by CloudWatch's newest value of the last hour; 0 without one, as for an idle stream. Firehose drops a record at 86400.", s),
		success:   f.gaugeVec("success_ratio", "Share of Firehose's deliveries to the destination that succeeded, by CloudWatch's newest value of the last hour; 1 without one.", s),
		held:      f.gaugeVec("held", "1 while a stream is held because its destination was later than DESTINATION_PAUSE_AFTER, else 0. Nothing new is sent to it but single batches that try the destination.", s),
		seen:      f.gaugeVec("last_value_timestamp_seconds", "Unix time of CloudWatch's newest value of the destination; 0 when there was none yet.", s),
		dropped:   f.gaugeVec("dropped_timestamp_seconds", "Unix time when Firehose has probably last dropped records of a stream, because their destination was later than 24 hours, by CloudWatch's values of the last 15 days; 0 if it dropped none. When the outage is over, /status has the kafka-firehose replay command that sends them again.", s),
		errors:    f.counterVec("watch_errors_total", "Requests to CloudWatch for the destination of a stream that failed.", s),
	}
}

// DestinationStream are the collectors of one stream.
type DestinationStream struct {
	Errors                                  prometheus.Counter
	lastDropped                             time.Time // of Dropped, which one goroutine calls
	freshness, success, held, seen, dropped prometheus.Gauge
}

// Stream returns the collectors of one stream. They exist from here on.
func (m *Destination) Stream(name string) *DestinationStream {
	s := &DestinationStream{
		Errors: m.errors.WithLabelValues(name), freshness: m.freshness.WithLabelValues(name), success: m.success.WithLabelValues(name),
		held: m.held.WithLabelValues(name), seen: m.seen.WithLabelValues(name), dropped: m.dropped.WithLabelValues(name),
	}
	s.success.Set(1)
	return s
}

// Set sets the known state. Without a share of deliveries that succeeded, all have.
func (s *DestinationStream) Set(freshness, success float64, unknown, held bool) {
	s.freshness.Set(freshness)
	if unknown {
		success = 1
	}
	s.success.Set(success)
	s.held.Set(Flag(held))
}

// Seen notes the time of the newest value of an answer; a time that is zero is none.
func (s *DestinationStream) Seen(at time.Time) {
	if !at.IsZero() {
		s.seen.Set(float64(at.Unix()))
	}
}

// Dropped notes a time when Firehose dropped records. It keeps the latest.
func (s *DestinationStream) Dropped(at time.Time) {
	if at.After(s.lastDropped) {
		s.lastDropped = at
		s.dropped.Set(float64(at.Unix()))
	}
}
