package firehose

import (
	"time"

	"kafka-firehose/connector/firehose/putbatch"
)

// requestHistory is what the results have shown beyond what the limiter knows.
type requestHistory struct {
	started     int64 // requests, which numbers them
	progress    progress
	probes      sizeProbes
	sizes       sizeProof
	credentials credentialState
	heldBack    time.Time // when a request last waited for the rate
	totals      Totals
	encrypted   bool // what the last answer said of records at rest
	stuck       int  // records that are reported as stuck
}

// progress has the last request that delivered records, and the failures since then.
type progress struct {
	accepted   int64                  // the highest number of a request of which something was accepted
	acceptedAt time.Time              // when
	stalled    time.Time              // since when there is something to send and nothing was accepted; zero without
	failure    *putbatch.RequestError // of the last request, nil after one of which something was accepted
	failures   int                    // requests that failed since then
}

// sizeProbes are the requests while the breaker is not closed.
type sizeProbes struct {
	failure *putbatch.RequestError // the last one; nil while the breaker is closed
	retry   bool                   // the last one was of retries
}

// credentialState is what the results have shown of the credentials.
type credentialState struct {
	refused     *putbatch.RequestError // the last one that they were the reason for, nil after an answer
	invalidated time.Time              // the last InvalidateCredentials
}

// renewClient throws away the credentials that a request was refused with. A request
// that was started before they were last thrown away was signed with older ones,
// and says nothing about those that are there now.
func (s *sender) renewClient(now time.Time, r *request) {
	first := s.history.credentials.refused == nil
	s.history.credentials.refused = r.Failure
	if !r.started.Before(s.history.credentials.invalidated) {
		s.history.credentials.invalidated = now
		s.api.InvalidateCredentials()
	}
	if first {
		s.log.Warn("the service refuses our credentials; fetching new ones", "code", r.Failure.Code, "error", r.Failure.Message)
	}
}

// noteSuccess enters that the service took the credentials of a request.
func (s *sender) noteSuccess(r *request) {
	if s.history.credentials.refused != nil && !r.started.Before(s.history.credentials.invalidated) {
		s.history.credentials.refused = nil
		s.log.Info("the service takes our credentials again")
	}
}

const (
	// stuckAfter is how long a record is refused by itself until it is
	// reported: it holds back the commit of its partition.
	stuckAfter = 5 * time.Minute
	// passing is how recently others must have been accepted for that.
	passing = time.Minute
)

// noteRefusal reports the rest of a delivery that has been refused for five minutes while
// others passed. The delivery is tried further and never dropped.
func (s *sender) noteRefusal(now time.Time, d *delivery) {
	others := s.history.progress.acceptedAt.After(d.progress) && now.Sub(s.history.progress.acceptedAt) < passing
	if d.stuck > 0 || !others || now.Sub(d.progress) < stuckAfter {
		return
	}
	d.stuck = d.batch.Len()
	s.history.stuck += d.stuck
	lease := d.batch.Lease(0)
	s.log.Error("the stream refuses a record again and again while others pass; it holds back the commit of its partition",
		"topic", lease.Topic, "partition", lease.Partition, "offset", d.batch.Offset(0), "records", d.stuck, "since", d.progress.UTC().Format(time.RFC3339))
}

// clearRefusals takes back what harden reported, when something of the delivery was
// accepted or it has ended.
func (s *sender) clearRefusals(d *delivery) {
	s.history.stuck -= d.stuck
	d.stuck = 0
}
