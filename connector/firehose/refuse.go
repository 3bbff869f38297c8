package firehose

import (
	"time"

	"kafka-firehose/connector/firehose/limiter"
)

// limitRecord is what the documentation promises for a record: 1,000 KiB of data
// before base64. A larger one is never taken.
const limitRecord = int(maxRecordBytes)

const (
	// The wait between two attempts of a lone record that is refused for its size while
	// others pass: a tenth of the time since the first refusal, within these bounds.
	minLoneWait, maxLoneWait = 2 * time.Second, 10 * time.Second
	// maxResends is how many times in a row a request is sent again as it is, after a
	// refusal for size although a request as large was accepted lately. Then it is split
	// in any case: one record in it may be the reason.
	maxResends = 3
)

// tooLarge deals with a request that was refused for its size: in halves, until it is
// known which record is the reason. Where a request as large was accepted lately, size
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
func (d *delivery) tooLarge(p *part, slot *Slot, f *Failure) (time.Duration, error) {
	e := d.sizeEvidence(p, f)
	if p.refusedAt == 0 {
		p.refusedAt, p.refusedSince = e.newest, e.now
	}
	single := p.batch.Len() == 1
	others := e.accepted > p.refusedAt && e.lately
	switch i := overLimit(p); {
	case i >= 0:
		slot.end()
		return 0, d.refuse(p, i, "limit", f)
	case e.passes && p.resends < maxResends:
		p.resends++
		d.finish(slot, limiter.Result{Outcome: limiter.Failed}, f) // the way to the service fails
		p.tell()
		return d.backoff(p), nil
	case !single:
		d.endRefused(slot, f, e, others, slot.probe)
		d.split(p)
		return 0, nil
	case e.proved && p.batch.RecordValues(0) == 1:
		slot.end()
		return 0, d.refuse(p, 0, "service", f)
	}
	d.endRefused(slot, f, e, others, true)
	p.tell()
	if !others {
		return d.backoff(p), nil
	}
	d.harden(p)
	return min(max(e.now.Sub(p.refusedSince)/10, minLoneWait), maxLoneWait), nil
}

// endRefused gives the slot back. Where others pass, the refusal is no reason to hold
// them up. Else it may block the stream. Where the size passes, it says nothing about the
// limit for requests.
func (d *delivery) endRefused(slot *Slot, f *Failure, e sizeEvidence, others, block bool) {
	switch {
	case !others && block:
		blocked := &Failure{Class: Blocked, Code: f.Code, Message: f.Message, err: f.err}
		d.finish(slot, limiter.Result{Outcome: limiter.Blocked}, blocked)
	case !e.passes:
		d.finish(slot, limiter.Result{Outcome: limiter.TooLarge}, f)
	case slot.probe:
		d.finish(slot, limiter.Result{Outcome: limiter.Failed}, f)
	default:
		slot.end()
	}
}

// sizeEvidence is all that a verdict on a refusal for size rests on.
type sizeEvidence struct {
	now      time.Time
	newest   int64 // number of the newest request
	accepted int64 // the highest number of a request of which something was accepted
	lately   bool  // something was accepted lately
	passes   bool  // a request of this size, too
	proved   bool  // that size is the reason
}

func (d *delivery) sizeEvidence(p *part, f *Failure) sizeEvidence {
	s, size, now := d.Stream, d.bodySize(p), time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	return sizeEvidence{
		now: now, newest: s.starts, accepted: s.accepted, lately: now.Sub(s.acceptedAt) < passing,
		passes: s.sizes.passes(now, size),
		proved: p.batch.Len() == 1 && s.sizes.proves(&p.proof, now, size, proofTime(f)),
	}
}

// overLimit is the first record that breaks the documented limit, -1 for none.
func overLimit(p *part) int {
	for i := range p.batch.Len() {
		if len(p.batch.Record(i)) > limitRecord {
			return i
		}
	}
	return -1
}

// refuse gives up record i of a part and settles it if that is the policy.
func (d *delivery) refuse(p *part, i int, reason string, f *Failure) error {
	lease, data := p.batch.Lease(i), p.batch.Record(i)
	r := Refusal{
		Topic: lease.Topic, Partition: lease.Partition, Offset: p.batch.Offset(i), Leases: p.batch.Leases(i),
		Size: len(data), Values: p.batch.RecordValues(i), Data: data, Code: f.Code, Message: f.Message,
	}
	d.metrics.Refused(reason)
	p.attempts = 0
	if err := d.onRefused(d.wait, r); err != nil {
		return err
	}
	p.batch.Retain(func(j int) bool { return j != i })
	return nil
}
