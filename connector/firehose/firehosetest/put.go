package firehosetest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// put is PutRecordBatch and PutRecord after authentication and parsing.
func (x *exchange) put(op string, in putInput, wire int) answer {
	if err := x.s.checkPut(op, in, wire); err != nil {
		return err.answer()
	}
	if err := x.refuseKey(); err != nil {
		return err.answer()
	}
	results := make([]recordResult, len(in.records))
	x.hide(results)
	x.refuse(results, in.records)
	whole, encrypted := x.throttle(results, in.records)
	if whole {
		return fail(codeUnavailable, "%s", messageOf(codeUnavailable)).answer()
	}
	x.keep(results, in.records)
	a := answer{contentType: amzJSON}
	if op == opPutRecord {
		if f := results[0]; f.code != "" {
			return fail(f.code, "%s", f.message).answer()
		}
		a.body = fmt.Appendf(nil, `{"Encrypted":%t,"RecordId":"%s"}`, encrypted, results[0].id)
		return a
	}
	a.body = x.batchBody(results, encrypted)
	return a
}

// checkPut is all that can refuse the whole request, in the service's order.
func (s *Service) checkPut(op string, in putInput, wire int) *apiError {
	if err := s.authorize(op, in.stream); err != nil {
		return err
	}
	if err := validatePut(op, in); err != nil {
		return err
	}
	if err := s.checkStream(*in.stream); err != nil {
		return err
	}
	size := wire
	if !s.opt.CountWire {
		size = 0
		for _, r := range in.records {
			size += len(r.data)
		}
	}
	if size > s.opt.RequestLimitBytes {
		return fail(codeInvalidArgument, "Records size exceeds 4 MB limit")
	}
	return nil
}

// refuseKey is the error of a RefuseKey fault, nil without one or when the stream has no key of its own.
func (x *exchange) refuseKey() *apiError {
	i := slices.IndexFunc(x.hits, func(f *armed) bool { return f.Effect == RefuseKey })
	if i < 0 {
		return nil
	}
	x.s.mu.Lock()
	defer x.s.mu.Unlock()
	st := x.s.streams[x.log.Stream]
	switch {
	case st == nil || st.Key == "":
		return nil
	case x.hits[i].Code == codeAccessDenied:
		return x.s.denied("kms:GenerateDataKey", st.Key)
	}
	return fail(codeInvalidKey, "%s", messageOf(codeInvalidKey))
}

// throttle takes what no fault refused from the stream's quota, and reports
// whether the whole request is to be refused, and whether the stream encrypts.
func (x *exchange) throttle(results []recordResult, records []record) (whole, encrypted bool) {
	var order []int
	for i, f := range results {
		if f.code == "" {
			order = append(order, i)
		}
	}
	x.s.mu.Lock()
	defer x.s.mu.Unlock()
	st := x.s.streams[x.log.Stream]
	if st == nil { // deleted since checkStream
		return false, false
	}
	if st.Quota.Scatter {
		rand.New(x.s.random).Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	}
	over := st.meter.admit(time.Now(), order, func(i int) int { return len(records[i].data) })
	for _, i := range over {
		results[i].code, results[i].message = codeUnavailable, messageOf(codeUnavailable)
	}
	whole = st.Quota.WholeRequest && len(over) > 0 && len(over) == len(order)
	return whole, st.Encrypted
}

// keep stores the remaining records, gives them ids, and calls Options.OnStored and Options.OnUnanswered.
func (x *exchange) keep(results []recordResult, records []record) {
	ids := x.s.newRecordIDs(len(results))
	now := time.Now()
	signed, _ := time.Parse(sigTime, x.r.Header.Get("X-Amz-Date")) // it is well-formed: authentication has looked
	recs := make([]Stored, 0, len(results))
	for i := range results {
		f := &results[i]
		if f.code != "" {
			x.log.Refused++
			continue
		}
		f.id = ids[i]
		if f.dropped {
			continue
		}
		recs = append(recs, Stored{
			Stream: x.log.Stream, Data: records[i].data, RecordID: f.id, RequestID: x.log.RequestID,
			Call: x.log.Call, Index: i, Time: now, Signed: signed, Answered: !f.hidden,
		})
	}
	x.log.Stored = len(recs)
	x.first = x.s.store(x.log.Stream, x.log.Refused, recs)
	x.recs = recs
	for _, r := range recs {
		if x.s.opt.OnStored != nil {
			x.s.opt.OnStored(r)
		}
		if x.s.opt.OnUnanswered != nil && !r.Answered {
			x.s.opt.OnUnanswered(r)
		}
	}
}
