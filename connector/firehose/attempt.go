package firehose

import (
	"context"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/aws/aws-sdk-go-v2/service/firehose/types"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"kafka-firehose/connector/batch"
)

// slowestUplink is what a request's body may be sent at, in bytes of data a
// second, without running into the timeout: 4 MB get 16 seconds more.
const slowestUplink = 256 << 10

// billedUnit is what each record is rounded up to on the bill, in bytes.
const billedUnit = 5120

// attempt makes one request of the part, settles what was accepted, and says how
// long to wait before the next one.
func (d *delivery) attempt(p *part, slot *Slot) (backoff time.Duration, err error) {
	size := sizeOf(p.batch)
	slot.start(size)
	number := d.number()
	started := time.Now()
	a, f := d.put(p.batch)
	d.metrics.Duration.Observe(time.Since(started).Seconds())
	d.metrics.BatchRecords.Observe(size.records)
	d.metrics.BatchBytes.Observe(size.bytes)
	p.attempts++
	if f != nil {
		d.metrics.Request(string(f.Class))
		return d.failed(p, slot, f, started)
	}
	d.answered(p, slot, a, number)
	return d.backoff(p), nil
}

// put is one request, and one more if the first died with a connection that the
// service had closed while it was idle.
func (d *delivery) put(b *batch.Batch) (*answer, *Failure) {
	in := &firehose.PutRecordBatchInput{DeliveryStreamName: &d.name, Records: make([]types.Record, b.Len())}
	for i := range in.Records {
		// An empty record in an empty buffer is nil, which the SDK takes for missing.
		if in.Records[i].Data = b.Record(i); in.Records[i].Data == nil {
			in.Records[i].Data = []byte{}
		}
	}
	a, f, stale := d.call(in, b.Bytes())
	if f != nil && f.Class == Ambiguous && stale && d.ctx.Err() == nil {
		d.metrics.Request(string(f.Class))
		d.again(b.Len(), f)
		a, f, _ = d.call(in, b.Bytes())
	}
	return a, f
}

func (d *delivery) call(in *firehose.PutRecordBatchInput, bytes int) (a *answer, f *Failure, stale bool) {
	var w wire
	timeout := d.cfg.RequestTimeout + time.Duration(float64(bytes)/slowestUplink*float64(time.Second))
	ctx, cancel := context.WithTimeout(w.watch(d.ctx), timeout)
	defer cancel()
	out, err := d.api.PutRecordBatch(ctx, in)
	if err == nil {
		a, f = read(out, len(in.Records))
		return a, f, false
	}
	sent := w.sent()
	if !w.passed.Load() { // not our HTTP client
		var send *smithyhttp.RequestSendError
		sent = errors.As(err, &send)
	}
	f = classify(d.ctx, err, sent)
	return nil, f, w.stale() && f.Code == "connection"
}

// again counts records that have to be sent once more because of a request that
// failed as a whole.
func (d *delivery) again(records int, f *Failure) {
	d.metrics.Retried(string(f.Class), records)
	if f.Class == Ambiguous {
		d.metrics.Ambiguous.Add(float64(records))
	}
}

// answered settles what an answer proves to be accepted.
func (d *delivery) answered(p *part, slot *Slot, a *answer, number int64) {
	b := p.batch
	var accepted amount
	var billed, values int
	values = b.Values()
	for i, code := range a.failed {
		if code != "" {
			d.metrics.Retried(reason(code), 1)
			continue
		}
		n := len(b.Record(i))
		accepted = accepted.plus(amount{float64(n), 1})
		billed += (n + billedUnit - 1) / billedUnit * billedUnit
	}
	size := sizeOf(b)
	b.Retain(func(i int) bool { return !a.accepted(i) })
	p.tell()
	if a.left == 0 {
		d.metrics.Request("accepted")
	} else {
		d.metrics.Request("partial")
	}
	pacing := float64(a.left)
	if accepted.records > 0 {
		d.metrics.Accepted.Add(accepted.records)
		d.metrics.AcceptedBytes.Add(accepted.bytes)
		d.metrics.Billed.Add(float64(billed))
		d.metrics.Values.Add(float64(values - b.Values()))
		d.fed(number)
		d.softened(p)
		p.progress, p.attempts = time.Now(), 0
	} else if p.attempts > paceAttempts {
		pacing = 0
	}
	d.finish(slot, nil, func(now time.Time, g *gate) {
		g.pace.result(now, slot.flow, size, accepted, pacing)
		if accepted.records > 0 {
			g.breaker.success()
		} else {
			g.breaker.answered()
		}
	})
	if b.Len() > 0 {
		d.harden(p)
	}
}

// failed deals with a request that failed as a whole.
func (d *delivery) failed(p *part, slot *Slot, f *Failure, started time.Time) (time.Duration, error) {
	if f.Class == canceled {
		slot.end()
		return 0, context.Cause(d.ctx)
	}
	d.again(p.batch.Len(), f)
	switch f.Class {
	case TooLarge:
		return d.tooLarge(p, slot, f)
	case Credentials:
		d.renew(f, started)
	}
	p.tell()
	size := sizeOf(p.batch)
	d.finish(slot, f, func(now time.Time, g *gate) {
		if g.breaker.state == closed && (f.Class == Throttled || f.Class == Unavailable) {
			g.pace.result(now, slot.flow, size, amount{}, size.records)
		}
		g.breaker.failure(now, f, slot.probe)
	})
	return d.backoff(p), nil
}

// finish enters a result and tells of the change of state that it made.
func (d *delivery) finish(slot *Slot, f *Failure, enter func(time.Time, *gate)) {
	var before, after condition
	var since time.Time
	var slowed bool
	slot.finish(func(now time.Time, g *gate) {
		before, since = g.breaker.state, g.breaker.since
		pace := g.pace.rate
		enter(now, g)
		after = g.breaker.state
		slowed = pace == g.pace.cap && g.pace.rate != g.pace.cap
	})
	if f == nil {
		d.healed()
	}
	d.announce(before, after, since, f)
	if slowed {
		_, bytes := d.Limits()
		d.log.Warn("throttled: slowing down to what the stream takes", "bytes_per_second", int(float64(bytes)/batchShare))
	}
}
