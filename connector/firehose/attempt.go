package firehose

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/aws/aws-sdk-go-v2/service/firehose/types"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"kafka-firehose/connector/firehose/limiter"
)

// rider is a part that may share the request of another one. While it does, its
// batch belongs to the goroutine of that one.
type rider struct {
	part *part
	fate chan fate // has room for one
}

// fate is what became of a part in one request.
type fate struct {
	all     bool     // each record was accepted
	codes   []string // :: index of a record -> its error code, "" if it was accepted; nil with all
	failure *Failure // of the whole request
	slot    *Slot    // to be given back by the part, after a refusal for size
	crowded bool     // the request had records of other parts
	unsent  bool     // there was no request
	later   bool     // and there may be none for a moment
}

// code is the error code of a record, "" if it was accepted.
func (f *fate) code(i int) string {
	if f.all {
		return ""
	}
	return f.codes[i]
}

// drive makes one request of the part and of those that ride with it, and hands
// each what became of it.
func (d *delivery) drive(p *part, slot *Slot) fate {
	var group []*part
	aboard, riders := slot.riders, map[*part]*rider{}
	slot.riders = nil
	if p.batch.Len() > 0 {
		group = append(group, p)
	}
	for _, r := range aboard {
		if d.fence(r.part.batch); r.part.batch.Len() == 0 {
			r.fate <- fate{unsent: true}
			continue
		}
		group = append(group, r.part)
		riders[r.part] = r
	}
	own := fate{unsent: true}
	tell := func(member *part, ft fate) {
		if r := riders[member]; r != nil {
			r.fate <- ft
		} else {
			own = ft
		}
	}
	sent := d.inFlight.send(group)
	for _, member := range group {
		if !slices.Contains(sent, member) {
			tell(member, fate{unsent: true, later: true})
		}
	}
	if len(sent) == 0 {
		slot.Release()
		return own
	}
	for i, ft := range d.request(sent, slot) {
		tell(sent[i], ft)
	}
	return own
}

// request makes one request of some parts and enters its result.
func (d *delivery) request(group []*part, slot *Slot) []fate {
	var size limiter.Load
	for _, p := range group {
		size = size.Plus(sizeOf(p.batch))
	}
	slot.start(size)
	number, started := d.number(), time.Now()
	a, f := d.put(group, slot)
	d.metrics.Duration.Observe(time.Since(started).Seconds())
	d.metrics.BatchRecords.Observe(size.Records)
	d.metrics.BatchBytes.Observe(size.Bytes)

	fates := make([]fate, len(group))
	if f != nil {
		d.metrics.Request(string(f.Class))
		if f.Class == TooLarge {
			d.sizeRefused(d.bodySize(group...))
		}
		for i := range fates {
			fates[i] = fate{failure: f, crowded: len(group) > 1}
		}
		if f.Class == TooLarge && len(group) == 1 {
			fates[0].slot = slot // what it means is for the part to find out
		} else {
			d.failed(slot, f, started)
		}
		return fates
	}
	d.sizePassed(d.bodySize(group...))
	codes := a.failed
	for i, p := range group {
		if fates[i].all = a.all; !a.all {
			fates[i].codes, codes = codes[:p.batch.Len()], codes[p.batch.Len():]
		}
	}
	d.answered(group, fates, slot, a, number, started)
	return fates
}

// put is one request, and one more if the first died with a connection that the
// service had closed while it was idle.
func (d *delivery) put(group []*part, slot *Slot) (*answer, *Failure) {
	in := d.input()
	defer d.reuse(in)
	for _, p := range group {
		for i := range p.batch.Len() {
			// An empty record in an empty buffer is nil, which the SDK takes for missing.
			data := p.batch.Record(i)
			if data == nil {
				data = []byte{}
			}
			in.Records = append(in.Records, types.Record{Data: data})
		}
	}
	a, f, stale := d.call(in, slot.timeout)
	if stale && d.ctx.Err() == nil {
		d.metrics.Request(string(f.Class))
		d.again(len(in.Records), f)
		a, f, _ = d.call(in, slot.timeout)
	}
	return a, f
}

// input is what a call is given, with no records yet.
func (d *delivery) input() *firehose.PutRecordBatchInput {
	if in, ok := d.inputs.Get().(*firehose.PutRecordBatchInput); ok {
		return in
	}
	return &firehose.PutRecordBatchInput{DeliveryStreamName: &d.name, Records: make([]types.Record, 0, d.cfg.BatchMaxRecords)}
}

// reuse keeps the input of a call that has returned: the SDK looked at it only to
// write the request. The records go, or they would keep a batch alive.
func (d *delivery) reuse(in *firehose.PutRecordBatchInput) {
	clear(in.Records)
	in.Records = in.Records[:0]
	d.inputs.Put(in)
}

func (d *delivery) call(in *firehose.PutRecordBatchInput, timeout time.Duration) (a *answer, f *Failure, stale bool) {
	x := &exchange{pool: d.pool}
	defer x.end()
	ctx, cancel := context.WithTimeout(x.in(d.ctx), timeout)
	defer cancel()
	out, err := d.api.PutRecordBatch(ctx, in)
	if err == nil {
		a, f = x.read(out, len(in.Records))
		return a, f, false
	}
	sent := x.sent()
	if !x.passed.Load() { // not our HTTP client
		var send *smithyhttp.RequestSendError
		sent = errors.As(err, &send)
	}
	f = classify(d.ctx, err, sent)
	return nil, f, f.Class == Ambiguous && f.Code == "connection" && x.stale()
}

// again counts records that have to be sent once more because of a request that
// failed as a whole.
func (d *delivery) again(records int, f *Failure) {
	d.metrics.Retried(string(f.Class), records)
	if f.Class == Ambiguous {
		d.metrics.Ambiguous.Add(float64(records))
	}
}
