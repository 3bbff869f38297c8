package firehose

import (
	"context"
	"time"

	"kafka-firehose/connector/batch"
)

// answered enters the result of a request that was answered.
func (d *delivery) answered(group []*part, fates []fate, slot *Slot, a *answer, size amount, number int64, started time.Time) {
	outcome := "accepted"
	if a.left > 0 {
		outcome = "partial"
	}
	d.metrics.Request(outcome)
	var accepted amount
	pacing := 0
	for i, p := range group {
		taken, failed := fates[i].count(p.batch)
		accepted = accepted.plus(taken)
		// A record that is refused again and again tells of itself, not of the pace.
		if taken.records > 0 || p.attempts < paceAttempts {
			pacing += failed
		}
	}
	if accepted.records > 0 {
		d.fed(number)
	}
	d.healed(started)
	d.finish(slot, nil, func(now time.Time, g *gate) {
		g.pace.result(now, slot.flow, size, accepted, float64(pacing))
		full := size.times(2).exceeds(g.reach.limit(g.most))
		g.reach.answered(slot.halvings, size, full, now.Sub(started), d.cfg.RequestTimeout)
		if accepted.records > 0 {
			g.breaker.success(slot.probe)
		} else {
			g.breaker.answered(slot.probe)
		}
	})
}

// count is what of a part was accepted, and how many records were not.
func (f *fate) count(b *batch.Batch) (accepted amount, failed int) {
	if f.all {
		return sizeOf(b), 0
	}
	for i, code := range f.codes {
		if code == "" {
			accepted = accepted.plus(amount{float64(len(b.Record(i))), 1})
		} else {
			failed++
		}
	}
	return accepted, failed
}

// failed enters the result of a request that failed as a whole.
func (d *delivery) failed(slot *Slot, size amount, f *Failure, started time.Time) {
	if f.Class == canceled || f.Class == TooLarge {
		slot.end()
		return
	}
	if f.Class == Credentials {
		d.renew(f, started)
	}
	d.finish(slot, f, func(now time.Time, g *gate) {
		slow := f.Class == Throttled || f.Class == Unavailable
		g.breaker.failure(now, f, slot.probe)
		if f.Class == Ambiguous {
			g.reach.lost(slot.halvings, size)
		}
		switch {
		case g.breaker.state != closed: // no matter of pace after all
			g.pace.forget(slot.flow)
			g.pace.calm(now)
		case slow:
			g.pace.whole(now, slot.flow, size)
		default:
			g.pace.forget(slot.flow)
		}
	})
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
	b, values := p.batch, p.batch.Values()
	accepted, _ := ft.count(b)
	var billed int64
	for i := range b.Len() {
		if code := ft.code(i); code == "" {
			billed += Billed(len(b.Record(i)))
		} else {
			d.metrics.Retried(reason(code), 1)
		}
	}
	b.Retain(func(i int) bool { return ft.code(i) != "" })
	if accepted.records > 0 {
		d.metrics.Accepted.Add(accepted.records)
		d.metrics.AcceptedBytes.Add(accepted.bytes)
		d.metrics.Values.Add(float64(values - b.Values()))
		d.metrics.Billed.Add(float64(billed))
		d.metrics.BilledRatio.Set(d.account.enter(Bill{Records: int64(accepted.records), Bytes: int64(accepted.bytes), Billed: billed}).Ratio())
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

// finish enters a result and tells of the change of state that it made.
func (d *delivery) finish(slot *Slot, f *Failure, enter func(time.Time, *gate)) {
	var before, after condition
	var since time.Time
	var slowed bool
	var halved, halvings int
	slot.finish(func(now time.Time, g *gate) {
		before, since = g.breaker.state, g.breaker.since
		pace := g.pace.rate
		halved = g.reach.halvings
		enter(now, g)
		after = g.breaker.state
		halvings = g.reach.halvings
		slowed = pace == g.pace.cap && g.pace.rate != g.pace.cap
	})
	d.announce(before, after, since, f)
	switch {
	case halved == 0 && halvings > 0:
		d.log.Warn("answers don't come: sending smaller requests until they do", "class", f.Class, "code", f.Code, "error", f.Message)
	case halved > 0 && halvings == 0:
		d.log.Info("answers come: sending requests of full size again")
	}
	if slowed {
		_, bytes := d.Limits()
		d.log.Warn("throttled: slowing down to what the stream takes", "bytes_per_second", int(float64(bytes)/batchShare))
	}
}
