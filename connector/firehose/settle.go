package firehose

import (
	"context"
	"time"

	"kafka-firehose/connector/firehose/limiter"
)

// answered enters the result of a request that was answered.
func (d *delivery) answered(group []*part, fates []fate, slot *Slot, a *answer, number int64, started time.Time) {
	outcome := "accepted"
	if a.left > 0 {
		outcome = "partial"
	}
	d.metrics.Request(outcome)
	result := limiter.Result{Outcome: limiter.Answered}
	for i, p := range group {
		fates[i].count(&result, p)
	}
	if result.Accepted.Records > 0 {
		d.fed(number)
	}
	d.healed(started)
	d.finish(slot, result, nil)
}

// count adds the records of a part to the result of its request.
func (f *fate) count(r *limiter.Result, p *part) {
	if f.all {
		r.Accepted = r.Accepted.Plus(sizeOf(p.batch))
		return
	}
	var accepted limiter.Load
	refused := 0.0
	for i, code := range f.codes {
		switch code {
		case "":
			accepted = accepted.Plus(limiter.Load{Bytes: float64(len(p.batch.Record(i))), Records: 1})
		case "ServiceUnavailableException":
			refused++
		}
	}
	r.Accepted = r.Accepted.Plus(accepted)
	// Repeated refusals of a record are about the record, not about the rate.
	if accepted.Records > 0 || p.attempts < rateAttempts {
		r.Refused += refused
	}
}

// failed enters the result of a request that failed as a whole.
func (d *delivery) failed(slot *Slot, f *Failure, started time.Time) {
	if f.Class == Credentials {
		d.renew(f, started)
	}
	d.finish(slot, limiter.Result{Outcome: f.outcome()}, f)
}

// settle settles what of a part was accepted, and says how long to wait until
// the rest is sent again.
func (d *delivery) settle(p *part, ft fate) (backoff time.Duration, err error) {
	switch {
	case ft.later:
		return strandedWait, nil
	case ft.unsent:
		return 0, nil
	case ft.failure != nil:
		return d.suffer(p, ft)
	}
	p.attempts++
	b := p.batch
	records, bytes, values := b.Len(), b.Bytes(), b.Values()
	var billed int64
	for i := range b.Len() {
		if code := ft.code(i); code == "" {
			billed += Billed(len(b.Record(i)))
		} else {
			d.metrics.Retried(reason(code), 1)
		}
	}
	b.Retain(func(i int) bool { return ft.code(i) != "" })
	if accepted, acceptedBytes := records-b.Len(), bytes-b.Bytes(); accepted > 0 {
		d.metrics.Accepted.Add(float64(accepted))
		d.metrics.AcceptedBytes.Add(float64(acceptedBytes))
		d.metrics.Values.Add(float64(values - b.Values()))
		d.metrics.Billed.Add(float64(billed))
		d.metrics.BilledRatio.Set(d.account.enter(Bill{Records: int64(accepted), Bytes: int64(acceptedBytes), Billed: billed}).Ratio())
		d.softened(p)
		p.progress, p.attempts, p.resends = time.Now(), 0, 0
	}
	p.tell()
	if b.Len() == 0 {
		return 0, nil
	}
	d.harden(p)
	return d.backoff(p), nil
}

// suffer deals with the failure of a whole request.
func (d *delivery) suffer(p *part, ft fate) (time.Duration, error) {
	f := ft.failure
	if d.ctx.Err() != nil {
		if ft.slot != nil {
			ft.slot.end()
		}
		return 0, context.Cause(d.ctx)
	}
	if f.Class == canceled { // the one we rode with gave up, and we know no more than it did
		f = &Failure{Class: Ambiguous, Code: "canceled"}
	}
	p.attempts++
	d.again(p.batch.Len(), f)
	if f.Class == TooLarge {
		if ft.crowded {
			p.alone = true
			return 0, nil
		}
		return d.tooLarge(p, ft.slot, f)
	}
	p.tell()
	return d.backoff(p), nil
}

// finish enters a result and logs the change of state that it made.
func (d *delivery) finish(slot *Slot, result limiter.Result, f *Failure) {
	before, after := slot.finish(result, f)
	d.announce(before, after, f)
	switch {
	case before.Halvings == 0 && after.Halvings > 0:
		d.log.Warn("answers don't come: sending smaller requests until they do", "class", f.Class, "code", f.Code, "error", f.Message)
	case before.Halvings > 0 && after.Halvings == 0:
		d.log.Info("answers come: sending requests of full size again")
	}
	switch {
	case before.SizeLimit == 0 && after.SizeLimit > 0:
		d.log.Warn("requests are refused for their size: sending smaller ones, and larger ones now and then", "code", f.Code, "error", f.Message, "refused_bytes", int(slot.size.Bytes), "max_bytes", int(after.SizeLimit))
	case before.SizeLimit > 0 && after.SizeLimit == 0:
		d.log.Info("requests of full size are accepted again")
	}
	if before.Unlimited && !after.Unlimited {
		d.log.Warn("throttled: slowing down to what the stream takes", "bytes_per_second", int(after.Rate.Bytes))
	}
}
