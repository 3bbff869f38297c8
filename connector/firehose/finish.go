package firehose

import (
	"context"
	"math/rand/v2"
	"time"

	"kafka-firehose/connector/firehose/limiter"
	"kafka-firehose/connector/firehose/putbatch"
	"kafka-firehose/connector/retry"
)

// backoff doubles with each attempt of a delivery that brings nothing. The wait is random, from zero to it.
var backoff = retry.Backoff{Min: 100 * time.Millisecond, Max: 5 * time.Second}

// rateAttempts in a row without progress may be refusals by a quota. More of
// them say something about the records instead.
const rateAttempts = 2

// finishRequest enters the result of a request, settles accepted records, and queues the rest.
func (s *sender) finishRequest(ctx context.Context, r *request) {
	now := time.Now()
	s.removeRequest(r)
	s.metrics.Duration.Observe(r.Took.Seconds())
	s.metrics.BatchRecords.Observe(r.load.Records)
	s.metrics.BatchBytes.Observe(r.load.Bytes)
	if f := r.Stale; f != nil {
		s.metrics.CountRequest(string(f.Class))
		s.countRetried(int(r.load.Records), f)
	}
	if a := r.Answer; s.cfg.RequireEncryption && a != nil && !a.Encrypted && a.Left < int(r.load.Records) {
		s.refuseUnencrypted(r)
	}
	switch f := r.Failure; {
	case f == nil:
		s.handleAnswer(now, r)
	case ctx.Err() != nil: // the sender stops: what the request held stays unsettled
		s.metrics.CountRequest(string(f.Class))
		s.observeResult(now, r, limiter.Result{Outcome: limiter.Canceled}, nil)
	default:
		s.metrics.CountRequest(string(f.Class))
		s.handleFailure(ctx, now, r)
	}
	s.giveUp()
}

// notEncrypted is the code of a failure that is ours.
const notEncrypted = "not_encrypted"

// refuseUnencrypted makes a failure of an answer that says that the records are stored without encryption. None of them
// settles, so their offsets are not committed; those that were accepted are sent again once the stream encrypts.
func (s *sender) refuseUnencrypted(r *request) {
	s.metrics.Ambiguous.Add(r.load.Records - float64(r.Answer.Left))
	s.history.encrypted = false
	s.noteSuccess(r)
	r.Answer, r.Failure = nil, &putbatch.RequestError{
		Class: putbatch.Blocked, Code: notEncrypted,
		Message: "the stream stores records without server-side encryption, and FIREHOSE_REQUIRE_ENCRYPTION is true: enable it on the stream (StartDeliveryStreamEncryption)",
	}
}

// handleAnswer deals with a request whose answer has an entry for each record.
func (s *sender) handleAnswer(now time.Time, r *request) {
	outcome := "accepted"
	if r.Answer.Left > 0 {
		outcome = "partial"
	}
	s.metrics.CountRequest(outcome)
	s.history.sizes.acceptSize(now, r.Size) // the service got it whole
	result, first := limiter.Result{Outcome: limiter.Answered}, 0
	for _, d := range r.deliveries {
		d.countResult(&result, r.Answer, first)
		first += d.batch.Len()
	}
	if result.Accepted.Records > 0 {
		s.history.progress.accepted, s.history.progress.acceptedAt, s.history.progress.stalled = max(s.history.progress.accepted, r.number), now, now
		s.metrics.LastAccepted.Set(float64(now.UnixNano()) / 1e9)
		s.history.progress.failure, s.history.progress.failures = nil, 0
		s.history.totals.Accepted.addRecords(int(result.Accepted.Records), int(result.Accepted.Bytes))
	} else {
		s.countFailure(r.Answer.WholeFailure())
	}
	s.history.totals.Refused += int64(r.Answer.Left)
	s.history.encrypted = r.Answer.Encrypted
	s.noteSuccess(r)
	s.observeResult(now, r, result, nil)
	first = 0
	for _, d := range r.deliveries {
		n := d.batch.Len()
		s.settleDelivery(now, d, r.Answer, first)
		first += n
	}
}

// countResult adds the records of a delivery, which are those from first on in an answer, to the result
// of its request.
func (d *delivery) countResult(r *limiter.Result, a *putbatch.Answer, first int) {
	if a.AllAccepted() {
		r.Accepted = r.Accepted.Plus(d.requestLoad())
		return
	}
	var accepted limiter.Load
	refused := 0.0
	for i := range d.batch.Len() {
		switch a.ErrorCode(first + i) {
		case "":
			accepted = accepted.Plus(limiter.Load{Bytes: float64(len(d.batch.Record(i))), Records: 1})
		case "ServiceUnavailableException":
			refused++
		}
	}
	r.Accepted = r.Accepted.Plus(accepted)
	// Repeated refusals of a record are about the record, not about the rate.
	if accepted.Records > 0 || d.attempts < rateAttempts {
		r.Refused += refused
	}
}

// settleDelivery settles the records of a delivery that were accepted, and queues the others. They are
// those from first on in the answer.
func (s *sender) settleDelivery(now time.Time, d *delivery, a *putbatch.Answer, first int) {
	d.attempts++
	b := d.batch
	records, bytes, values := b.Len(), b.Bytes(), b.SubRecords()
	var billed int64
	for i := range b.Len() {
		if code := a.ErrorCode(first + i); code == "" {
			billed += BilledBytes(len(b.Record(i)))
		} else {
			s.metrics.CountRetried(putbatch.RetryReason(code), 1)
		}
	}
	b.RetainRecords(func(i int) bool { return a.ErrorCode(first+i) != "" })
	if accepted, acceptedBytes := records-b.Len(), bytes-b.Bytes(); accepted > 0 {
		s.metrics.Accepted.Add(float64(accepted))
		s.metrics.AcceptedBytes.Add(float64(acceptedBytes))
		s.metrics.Values.Add(float64(values - b.SubRecords()))
		s.metrics.Billed.Add(float64(billed))
		s.history.totals.Billed += billed
		s.metrics.BilledRatio.Set(s.account.addBill(Bill{Records: int64(accepted), Bytes: int64(acceptedBytes), Billed: billed}).Ratio())
		s.clearRefusals(d)
		d.progress, d.attempts, d.size.resends = now, 0, 0
	}
	if b.Len() == 0 {
		s.endDelivery(now, d)
		return
	}
	s.releaseDelivery(now, d)
	s.noteRefusal(now, d)
	s.retries.addRetry(d, now.Add(s.retryBackoff(d)))
}

// countFailure remembers why nothing of a request was accepted.
func (s *sender) countFailure(f *putbatch.RequestError) {
	s.history.progress.failure = f
	s.history.progress.failures++
}

// handleFailure deals with a request that failed as a whole.
func (s *sender) handleFailure(ctx context.Context, now time.Time, r *request) {
	f := r.Failure
	f.AddKey(s.key)
	s.countFailure(f)
	for _, d := range r.deliveries {
		d.attempts++
		s.countRetried(d.batch.Len(), f)
	}
	switch f.Class {
	case putbatch.TooLarge:
		s.history.sizes.refuseSize(now, r.Size)
		if len(r.deliveries) == 1 {
			s.tooLarge(ctx, now, r)
			return
		}
		s.observeResult(now, r, limiter.Result{Outcome: limiter.TooLarge}, f)
		for _, d := range r.deliveries {
			d.alone = true
			s.retries.addRetry(d, now)
		}
		return
	case putbatch.Credentials:
		s.renewClient(now, r)
	case putbatch.Throttled, putbatch.Unavailable, putbatch.Ambiguous, putbatch.Blocked, putbatch.Canceled:
	}
	s.observeResult(now, r, limiter.Result{Outcome: outcomeOf(f)}, f)
	for _, d := range r.deliveries {
		s.releaseDelivery(now, d)
		s.retries.addRetry(d, now.Add(s.retryBackoff(d)))
	}
}

// countRetried counts records that have to be sent once more because of a request that
// failed as a whole.
func (s *sender) countRetried(records int, f *putbatch.RequestError) {
	s.metrics.CountRetried(string(f.Class), records)
	if f.Class == putbatch.Ambiguous {
		s.metrics.Ambiguous.Add(float64(records))
	}
}

// retryBackoff is the wait before the next attempt. Where the limiter holds back all
// that is sent, waiting here too would only add to it.
func (s *sender) retryBackoff(d *delivery) time.Duration {
	if !s.breakerClosed() {
		return 0
	}
	return rand.N(backoff.Doubled(d.attempts - 1))
}
