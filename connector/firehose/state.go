package firehose

import (
	"time"

	"kafka-firehose/connector/firehose/limiter"
	"kafka-firehose/connector/firehose/putbatch"
	"kafka-firehose/metrics"
)

// Peak is the highest of each figure in one second: bytes of data before base64.
type Peak struct{ OfferedBytes, OfferedRecords, Requests, AcceptedBytes, AcceptedRecords float64 }

// SetPeak sets the gauges of the highest second of the last minute.
func (s *Stream) SetPeak(p Peak) {
	m := s.metrics
	m.PeakOfferedBytes.Set(p.OfferedBytes)
	m.PeakOfferedRecords.Set(p.OfferedRecords)
	m.PeakRequests.Set(p.Requests)
	m.PeakAcceptedBytes.Set(p.AcceptedBytes)
	m.PeakAcceptedRecords.Set(p.AcceptedRecords)
}

// State is how a stream is doing.
type State struct {
	// Blocked says that the stream refuses everything and someone has to repair
	// something. BreakerOpen says that it does not answer; single requests probe
	// it in either case, and Since is when that began. Reason is the last failure.
	Blocked, BreakerOpen bool
	Since                time.Time
	Reason               *putbatch.RequestError // nil while neither
	// CredentialsRefused is the failure if the service did not take our
	// credentials since it last answered a request, else nil.
	CredentialsRefused *putbatch.RequestError
	// LastAccepted is when a record was last accepted; zero before the first.
	LastAccepted time.Time
	// StalledSince is since when there has been something to send and nothing was
	// accepted; zero while there is nothing to send.
	StalledSince time.Time
	// LastFailure is why the last request, or all of its records, failed; nil after one of
	// which something was accepted. Failures is how many requests failed since then.
	LastFailure *putbatch.RequestError
	Failures    int
	// HeldBack is when a request last waited for the rate; zero before.
	HeldBack time.Time
	Totals   Totals
	// Encrypted is what the last answer said of records at rest; false before the first.
	Encrypted bool
	InFlight  int // requests in flight
	Waiting   int // batches that wait for permission to be sent
	// RecordsPerSecond and BytesPerSecond are the pace; +Inf is unlimited.
	RecordsPerSecond, BytesPerSecond float64
	PartRecords, PartBytes           float64 // the own part of the stream's quota a second; 0 is unknown
	Stuck                            int     // see the gauge kafka_firehose_stuck_records
}

// Totals are sums since the process began.
type Totals struct {
	Offered  Traffic // the requests that were sent, and their contents
	Accepted Traffic // the accepted part of that; requests with an accepted record
	Refused  int64   // records that came back with an error code of their own
	Billed   int64   // bytes
}

// Traffic is the traffic of a stream, in bytes of data before base64.
type Traffic struct{ Requests, Records, Bytes int64 }

func (t *Traffic) addRecords(records, bytes int) {
	t.Requests++
	t.Records += int64(records)
	t.Bytes += int64(bytes)
}

// State returns how the stream is doing now.
func (s *Stream) State() State { return s.published.Load().state }

// publishState makes the state known, to State, Limits and the gauges.
func (s *sender) publishState() {
	l, m := s.limiter.Snapshot(), s.metrics
	st := State{
		Blocked: l.Breaker == limiter.BreakerBlocked, BreakerOpen: l.Breaker == limiter.BreakerOpen,
		Since: l.BreakerSince, Reason: s.history.probes.failure, CredentialsRefused: s.history.credentials.refused,
		LastAccepted: s.history.progress.acceptedAt, StalledSince: s.history.progress.stalled,
		LastFailure: s.history.progress.failure, Failures: s.history.progress.failures, HeldBack: s.history.heldBack, Totals: s.history.totals, Encrypted: s.history.encrypted,
		InFlight: l.InFlight, Waiting: s.countWaiting(),
		RecordsPerSecond: l.Rate.Records, BytesPerSecond: l.Rate.Bytes, PartRecords: l.Part.Records, PartBytes: l.Part.Bytes, Stuck: s.history.stuck,
	}
	s.published.Store(&snapshot{st, l.MaxRequest})
	var flying limiter.Load
	for _, r := range s.flying {
		flying = flying.Plus(r.load)
	}
	m.InFlight.Set(float64(st.InFlight))
	m.FlyingRecords.Set(flying.Records)
	m.FlyingBytes.Set(flying.Bytes)
	m.Waiting.Set(float64(st.Waiting))
	m.Stuck.Set(float64(st.Stuck))
	m.Encrypted.Set(metrics.Flag(s.history.encrypted))
	m.Allowed.Set(float64(l.Allowed))
	m.Breaker.Set(metrics.Flag(st.BreakerOpen))
	m.Blocked.Set(metrics.Flag(s.unusable || st.Blocked))
	m.PaceRecords.Set(st.RecordsPerSecond)
	m.PaceBytes.Set(st.BytesPerSecond)
	m.PartRecords.Set(l.Part.Records)
	m.PartBytes.Set(l.Part.Bytes)
}

// countWaiting is how many deliveries could be sent if the limiter let them.
func (s *sender) countWaiting() int {
	n := s.retries.countDue(time.Now())
	if s.fresh != nil {
		n++
	}
	return n
}
