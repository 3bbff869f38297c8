package firehose

import (
	"context"
	"slices"
	"time"

	"kafka-firehose/connector/batch"
	"kafka-firehose/connector/firehose/limiter"
	"kafka-firehose/connector/firehose/putbatch"
)

const (
	// The wait between two attempts of a lone record that is refused for its size while
	// others pass: a tenth of the time since the first refusal, within these bounds.
	minLoneWait, maxLoneWait = 2 * time.Second, 10 * time.Second
	// maxResends is how many times in a row a request is sent again as it is, after a
	// refusal for size although a request as large was accepted lately. Then it is split
	// in any case: one record in it may be the reason.
	maxResends = 3
)

// tooLarge deals with a request of one delivery that was refused for its size: in halves, until
// it is known which record is the reason. Where a request as large was accepted lately, size
// is not the reason, and the request is first sent again as it is.
//
// A record is bad if it is above the documented limit. Firehose takes every other record
// in a request of its own, so a refusal of one is at first evidence of a broken way to
// the service, and never of less than sizeProof demands. A record of several values is
// never given up below the documented limit: each of its values would fit.
//
// While nothing else is accepted, the stream is blocked: something may answer 413 to
// everything. Probes go out slowly, and those that are refused are still split, so that
// one large record at the head does not hide that the rest passes.
func (s *sender) tooLarge(ctx context.Context, now time.Time, r *request) {
	d, f := r.deliveries[0], r.Failure
	e := s.sizeEvidence(now, r)
	if d.size.at == 0 {
		d.size.at, d.size.since = s.history.started, now
	}
	single := d.batch.Len() == 1
	others := s.history.progress.accepted > d.size.at && now.Sub(s.history.progress.acceptedAt) < passing
	switch i := overLimit(d); {
	case i >= 0:
		s.observeResult(now, r, limiter.Result{Outcome: limiter.Canceled}, nil)
		s.refuseRecord(ctx, d, i, "limit", f)
		return
	case e.passes && d.size.resends < maxResends:
		d.size.resends++
		s.observeResult(now, r, limiter.Result{Outcome: limiter.Failed}, f) // the way to the service fails
		s.releaseDelivery(now, d)
		s.retries.addRetry(d, now.Add(s.retryBackoff(d)))
		return
	case !single:
		s.observeRefusal(now, r, e, others, r.probe)
		s.splitDelivery(now, d)
		return
	case e.proved && d.batch.RecordValues(0) == 1:
		s.observeResult(now, r, limiter.Result{Outcome: limiter.Canceled}, nil)
		s.refuseRecord(ctx, d, 0, "service", f)
		return
	}
	s.observeRefusal(now, r, e, others, true)
	s.releaseDelivery(now, d)
	wait := s.retryBackoff(d)
	if others {
		s.noteRefusal(now, d)
		wait = min(max(now.Sub(d.size.since)/10, minLoneWait), maxLoneWait)
	}
	s.retries.addRetry(d, now.Add(wait))
}

// observeRefusal tells the limiter of a refusal for size. Where others pass, it is no reason to
// hold them up. Else it may block the stream. Where the size passes, it says nothing about the
// limit for requests.
func (s *sender) observeRefusal(now time.Time, r *request, e sizeEvidence, others, block bool) {
	f := r.Failure
	switch {
	case !others && block:
		blocked := *f
		blocked.Class = putbatch.Blocked
		s.observeResult(now, r, limiter.Result{Outcome: limiter.Blocked}, &blocked)
	case !e.passes:
		s.observeResult(now, r, limiter.Result{Outcome: limiter.TooLarge}, f)
	case r.probe:
		s.observeResult(now, r, limiter.Result{Outcome: limiter.Failed}, f)
	default:
		s.observeResult(now, r, limiter.Result{Outcome: limiter.Canceled}, nil)
	}
}

// sizeEvidence is what a verdict on a refusal for size rests on.
type sizeEvidence struct {
	passes bool // a request of this size was accepted lately
	proved bool // size is the reason
}

func (s *sender) sizeEvidence(now time.Time, r *request) sizeEvidence {
	d := r.deliveries[0]
	return sizeEvidence{
		passes: s.history.sizes.sizePasses(now, r.Size),
		proved: d.batch.Len() == 1 && s.history.sizes.provesTooLarge(&d.size.proof, now, r.Size, proofTime(r.Failure)),
	}
}

// overLimit is the first record that breaks the documented limit, -1 for none.
func overLimit(d *delivery) int {
	for i := range d.batch.Len() {
		if len(d.batch.Record(i)) > batch.MaxRecordBytes {
			return i
		}
	}
	return -1
}

// refuseRecord asks OnRefused to deal with record i of a delivery, which may take long. The delivery
// waits for the verdict.
func (s *sender) refuseRecord(ctx context.Context, d *delivery, i int, reason string, f *putbatch.RequestError) {
	lease, data := d.batch.Lease(i), d.batch.Record(i)
	r := Refusal{
		Topic: lease.Topic, Partition: lease.Partition, Offset: d.batch.Offset(i), Leases: d.batch.Leases(i),
		Size: len(data), Values: d.batch.RecordValues(i), Data: data, Code: f.Code, Message: f.Message,
	}
	s.metrics.CountRefused(reason)
	d.attempts = 0
	s.refused = append(s.refused, d)
	go func() { s.workers.verdicts <- proofResult{d, i, s.onRefused(ctx, r)} }()
}

// handleProof settles a record that OnRefused has dealt with. If it could not, the record stays
// undelivered and its partition uncommitted, and fail gets the error; the others of its batch go on.
func (s *sender) handleProof(ctx context.Context, v proofResult, fail func(error)) {
	now, d := time.Now(), v.delivery
	i := slices.Index(s.refused, d)
	s.refused = slices.Delete(s.refused, i, i+1)
	defer s.giveUp()
	switch {
	case v.err == nil:
		d.batch.RetainRecords(func(j int) bool { return j != v.i })
	case ctx.Err() == nil:
		d.batch.FailRecord(v.i)
		fail(v.err)
	default:
		s.endDelivery(now, d)
		return
	}
	if d.batch.Len() == 0 {
		s.endDelivery(now, d)
		return
	}
	s.retries.addRetry(d, now)
}
