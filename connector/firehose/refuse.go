package firehose

import (
	"time"
)

// limitRecord is what the documentation promises for a record: 1,000 KiB of data
// before base64. A larger one is never taken.
const limitRecord = int(maxRecordBytes)

// safeBytes is the largest request under every reading of the service's "4 MB".
const safeBytes = 4_000_000

// aloneWait is the time between two attempts of a record that was refused alone.
const aloneWait = 2 * time.Second

// tooLarge deals with a request that was refused for its size: in halves, until
// it is known which record it is.
//
// A record that is refused alone is bad only if it breaks the documented limit,
// or if another request was accepted between two such refusals. Without that
// proof it may as well be a proxy that answers 413 to everything, and a policy
// that skips bad records would lose the whole stream to it. Then the stream is
// blocked: probes go out slowly, and those that are refused go on being split,
// so that one large record at the head does not hide that the rest passes.
func (d *delivery) tooLarge(p *part, slot *Slot, f *Failure) (time.Duration, error) {
	newest, accepted := d.progress()
	if p.refusedAt == 0 {
		p.refusedAt = newest
	}
	d.learnLimit(p, f)
	switch i := overLimit(p); {
	case i >= 0:
		slot.end()
		return 0, d.refuse(p, i, "limit", f)
	case p.batch.Len() > 1 && slot.probe:
		d.block(slot, f)
		d.split(p)
		return 0, nil
	case p.batch.Len() > 1:
		slot.end()
		d.split(p)
		return 0, nil
	case p.aloneAt != 0 && accepted > p.aloneAt:
		slot.end()
		return 0, d.refuse(p, 0, "service", f)
	case p.aloneAt == 0 && accepted > p.refusedAt:
		// Others pass, so this is no reason to hold them up. The second refusal
		// decides, when there was time for others to be accepted between the two.
		slot.end()
		p.aloneAt = newest
		p.tell()
		return aloneWait, nil
	}
	d.block(slot, f)
	if p.aloneAt == 0 {
		p.aloneAt = newest
	}
	p.tell()
	return d.backoff(p), nil
}

// block enters a refusal for size as one that someone has to look into.
func (d *delivery) block(slot *Slot, f *Failure) {
	f = &Failure{Class: Blocked, Code: f.Code, Message: f.Message, err: f.err}
	d.finish(slot, f, func(now time.Time, g *gate) {
		g.pace.forget(slot.flow)
		g.breaker.failure(now, f, slot.probe)
	})
}

// learnLimit keeps batches below 4,000,000 bytes once a larger request was
// refused as a whole: that "4 MB" is decimal then.
func (d *delivery) learnLimit(p *part, f *Failure) {
	if f.Code != "InvalidArgumentException" || p.batch.Bytes() <= safeBytes {
		return
	}
	g := d.gate
	g.mu.Lock()
	learned := g.most.bytes > safeBytes
	g.most.bytes = min(g.most.bytes, safeBytes)
	g.mu.Unlock()
	if learned {
		d.log.Info("the stream takes less than FIREHOSE_BATCH_MAX_BYTES in a request", "bytes", p.batch.Bytes(), "from_now_on", safeBytes)
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
