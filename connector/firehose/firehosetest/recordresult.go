package firehosetest

import (
	"encoding/json"
	"slices"
	"strconv"
)

// recordResult is the result of one record of a put.
type recordResult struct {
	code, message string // why it is refused; "" if it is not
	id            string // RecordId; "" if it is refused
	hidden        bool   // the answer won't tell
	dropped       bool   // nothing refused it, but a fault keeps it from being stored
	blank, double bool   // its entry has neither id nor code, or both
}

// hide applies the faults after which the answer does not contain the result of a
// record.
func (x *exchange) hide(results []recordResult) {
	conceal := func(i int, f *armed) {
		results[i].hidden = true
		results[i].dropped = results[i].dropped || !f.Stored
	}
	decisive := x.decisive()
	for _, f := range x.hits {
		switch {
		case f == decisive:
			for i := range results {
				conceal(i, f)
			}
		case f.Effect == ShortAnswer:
			for i := max(0, len(results)-max(f.Count, 1)); i < len(results); i++ {
				conceal(i, f)
			}
		case f.Effect == BlankEntries || f.Effect == DoubleEntries:
			for i, picked := range x.picks(f, len(results)) {
				if picked {
					conceal(i, f)
					results[i].blank = results[i].blank || f.Effect == BlankEntries
					results[i].double = results[i].double || f.Effect == DoubleEntries
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
func (x *exchange) refuse(results []recordResult, records []record) {
	for _, f := range x.hits {
		if f.Effect != RefuseRecords {
			continue
		}
		picked := x.picks(f, len(results))
		for i := range results {
			code := f.Code
			if code == "" {
				code = codeUnavailable
			}
			if f.Refuse != nil {
				code = f.Refuse(x.log.Call, i, records[i].data)
			}
			if picked[i] && code != "" && results[i].code == "" {
				results[i].code, results[i].message = code, f.Message
				if f.Message == "" {
					results[i].message = messageOf(code)
				}
			}
		}
	}
}

// batchBody writes the answer of a PutRecordBatch.
func (x *exchange) batchBody(results []recordResult, encrypted bool) []byte {
	failed := x.log.Refused
	for _, f := range x.hits {
		switch f.Effect {
		case ShortAnswer:
			results = results[:max(0, len(results)-max(f.Count, 1))]
		case LongAnswer:
			n := max(f.Count, 1)
			results = slices.Clip(results)
			for _, id := range x.s.newRecordIDs(n) {
				results = append(results, recordResult{id: id})
			}
		case WrongCount:
			failed = f.Count
		}
	}
	b := make([]byte, 0, 100+len(results)*(224+16))
	b = append(b, `{"Encrypted":`...)
	b = strconv.AppendBool(b, encrypted)
	b = append(b, `,"FailedPutCount":`...)
	b = strconv.AppendInt(b, int64(failed), 10)
	b = append(b, `,"RequestResponses":[`...)
	for i, f := range results {
		if i > 0 {
			b = append(b, ',')
		}
		b = f.append(b)
	}
	return append(b, "]}"...)
}

// append writes the entry of one record.
func (f recordResult) append(b []byte) []byte {
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
