package firehosetest

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"
)

// fate is what becomes of one record of a put.
type fate struct {
	code, message string // why it is refused; "" if it is not
	id            string // RecordId; "" if it is refused
	hidden        bool   // the answer won't tell
	dropped       bool   // nothing refused it, but a fault keeps it from being stored
	blank, double bool   // its entry has neither id nor code, or both
}

// put is PutRecordBatch and PutRecord after authentication and parsing.
func (x *exchange) put(op string, in putInput, wire int) answer {
	if err := x.s.checkPut(op, in, wire); err != nil {
		return err.answer()
	}
	fates := make([]fate, len(in.records))
	x.hide(fates)
	x.refuse(fates, in.records)
	whole, encrypted := x.throttle(fates, in.records)
	if whole {
		return fail(codeUnavailable, "%s", messageOf(codeUnavailable)).answer()
	}
	x.keep(fates, in.records)
	a := answer{contentType: amzJSON}
	if op == opPutRecord {
		if f := fates[0]; f.code != "" {
			return fail(f.code, "%s", f.message).answer()
		}
		a.body = fmt.Appendf(nil, `{"Encrypted":%t,"RecordId":"%s"}`, encrypted, fates[0].id)
		return a
	}
	a.body = x.batchBody(fates, encrypted)
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

// hide applies the faults after which the answer won't tell what became of a
// record.
func (x *exchange) hide(fates []fate) {
	conceal := func(i int, f *armed) {
		fates[i].hidden = true
		fates[i].dropped = fates[i].dropped || !f.Stored
	}
	decisive := x.decisive()
	for _, f := range x.hits {
		switch {
		case f == decisive:
			for i := range fates {
				conceal(i, f)
			}
		case f.Effect == ShortAnswer:
			for i := max(0, len(fates)-max(f.Count, 1)); i < len(fates); i++ {
				conceal(i, f)
			}
		case f.Effect == BlankEntries || f.Effect == DoubleEntries:
			for i, picked := range x.picks(f, len(fates)) {
				if picked {
					conceal(i, f)
					fates[i].blank = fates[i].blank || f.Effect == BlankEntries
					fates[i].double = fates[i].double || f.Effect == DoubleEntries
				}
			}
		}
	}
}

// picks is [armed.picks] under the lock that guards the dice.
func (x *exchange) picks(f *armed, n int) []bool {
	x.s.mu.Lock()
	defer x.s.mu.Unlock()
	return f.picks(n)
}

// refuse applies the RefuseRecords faults.
func (x *exchange) refuse(fates []fate, records []record) {
	for _, f := range x.hits {
		if f.Effect != RefuseRecords {
			continue
		}
		picked := x.picks(f, len(fates))
		for i := range fates {
			code := f.Code
			if code == "" {
				code = codeUnavailable
			}
			if f.Refuse != nil {
				code = f.Refuse(x.log.Call, i, records[i].data)
			}
			if picked[i] && code != "" && fates[i].code == "" {
				fates[i].code, fates[i].message = code, f.Message
				if f.Message == "" {
					fates[i].message = messageOf(code)
				}
			}
		}
	}
}

// throttle takes what no fault refused from the stream's quota, and reports
// whether the whole request is to be refused, and whether the stream encrypts.
func (x *exchange) throttle(fates []fate, records []record) (whole, encrypted bool) {
	var order []int
	for i, f := range fates {
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
		fates[i].code, fates[i].message = codeUnavailable, messageOf(codeUnavailable)
	}
	whole = st.Quota.WholeRequest && len(over) > 0 && len(over) == len(order)
	return whole, st.Encrypted
}

// keep stores what is left, gives it ids, and tells Options.OnStored.
func (x *exchange) keep(fates []fate, records []record) {
	ids := x.s.newRecordIDs(len(fates))
	now := time.Now()
	recs := make([]Stored, 0, len(fates))
	for i := range fates {
		f := &fates[i]
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
			Call: x.log.Call, Index: i, Time: now, Answered: !f.hidden,
		})
	}
	x.log.Stored = len(recs)
	x.first = x.s.store(x.log.Stream, x.log.Refused, recs)
	x.recs = recs
	if x.s.opt.OnStored != nil {
		for _, r := range recs {
			x.s.opt.OnStored(r)
		}
	}
}

// batchBody writes the answer of a PutRecordBatch.
func (x *exchange) batchBody(fates []fate, encrypted bool) []byte {
	failed := x.log.Refused
	for _, f := range x.hits {
		switch f.Effect {
		case ShortAnswer:
			fates = fates[:max(0, len(fates)-max(f.Count, 1))]
		case LongAnswer:
			n := max(f.Count, 1)
			fates = slices.Clip(fates)
			for _, id := range x.s.newRecordIDs(n) {
				fates = append(fates, fate{id: id})
			}
		case WrongCount:
			failed = f.Count
		}
	}
	b := make([]byte, 0, 100+len(fates)*(224+16))
	b = append(b, `{"Encrypted":`...)
	b = strconv.AppendBool(b, encrypted)
	b = append(b, `,"FailedPutCount":`...)
	b = strconv.AppendInt(b, int64(failed), 10)
	b = append(b, `,"RequestResponses":[`...)
	for i, f := range fates {
		if i > 0 {
			b = append(b, ',')
		}
		b = f.append(b)
	}
	return append(b, "]}"...)
}

// append writes the entry of one record.
func (f fate) append(b []byte) []byte {
	if f.blank {
		return append(b, "{}"...)
	}
	b = append(b, '{')
	if f.id != "" {
		b = append(b, `"RecordId":"`...)
		b = append(b, f.id...)
		if b = append(b, '"'); !f.double {
			return append(b, '}')
		}
		f.code, f.message = codeInternal, messageOf(codeInternal)
		b = append(b, ',')
	}
	entry, _ := json.Marshal(struct{ ErrorCode, ErrorMessage string }{f.code, f.message}) // two strings always encode
	return append(b, entry[1:]...)
}
