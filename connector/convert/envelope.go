package convert

import (
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/connector/convert/jsontext"
)

// envelope writes a record as one line of JSON, the fields in their order:
//
//	{"id":"orders-3-42","topic":"orders","partition":3,"offset":42,
//	 "timestamp":"2026-01-31T08:00:00.123Z","key":"k",
//	 "headers":[{"key":"h","value":"v"}],"value":{"a":1}}
//
// It is measured before anything is written, so that a record that is too large
// costs no memory. Nothing is allocated for a record.
type envelope struct {
	members []envelopeMember
	key     int // the place of the key among the members, -1 without
}

// envelopeMember is a Field that is ready to be written.
type envelopeMember struct {
	source string
	form   textForm
	open   string // {"name": or ,"name":
	marker string // ,"name_encoding":"base64"
	header string // the name of the header, with the source "header"
	text   []byte // a JSON string, with the source "const"
}

const (
	headerOpen   = `{"key":`
	headerValue  = `,"value":`
	headerMarker = `,"value_encoding":"base64"`
)

// timestampLayout is RFC 3339 with milliseconds, which is what Kafka keeps.
const timestampLayout = "2006-01-02T15:04:05.000Z07:00"

// noTimestamp is what Kafka says, in ms, of a record without one.
const noTimestamp = -1

func newEnvelope(fields Fields) *envelope {
	forms := map[string]textForm{"json": asJSON, "text": asText, "base64": asBase64}
	e := &envelope{key: -1}
	for i, f := range fields {
		name := `"` + f.Name + `":`
		m := envelopeMember{source: f.Source, form: forms[f.Form], open: "," + name, marker: `,"` + f.Name + markerSuffix + `":"base64"`}
		if i == 0 {
			m.open = "{" + name
		}
		if f.Source == "key" {
			e.key = i
		}
		if f.Form == "date" || f.Form == "hour" {
			m.source = f.Form
		}
		if name, ok := argumentOf(f.Source, "header"); ok {
			m.source, m.header = "header", name
		}
		if text, ok := argumentOf(f.Source, "const"); ok {
			m.source, m.text = "const", jsontext.AppendText(nil, []byte(text))
		}
		e.members = append(e.members, m)
	}
	return e
}

// measuredRecord is what the envelope of one record needs.
type measuredRecord struct {
	size       int // without decoded members, and without the delimiter
	key, value memberPiece
}

func (m *measuredRecord) releasePayloads() {
	m.key.releaseBuffers()
	m.value.releaseBuffers()
}

// memberPiece is a key or a value: with a shape or, if its schema is there, to be decoded.
type memberPiece struct {
	textShape
	payload
}

// measureRecord sets the shapes and the size of r's envelope. Decoded members have no size
// before they are written.
func (e *envelope) measureRecord(m *measuredRecord, r *kgo.Record) {
	m.size = len("}")
	for i := range e.members {
		f := &e.members[i]
		m.size += len(f.open)
		switch f.source {
		case "key":
			m.size += f.measureBytes(&m.key, r.Key)
		case "value":
			m.size += f.measureBytes(&m.value, r.Value)
		case "headers":
			m.size += measureHeaders(r.Headers, f.form)
		case "header":
			m.size += f.measureBytes(&memberPiece{}, f.headerOf(r))
		default:
			m.size += f.factSize(r)
		}
	}
}

func (f *envelopeMember) measureBytes(p *memberPiece, b []byte) int {
	if p.decode != nil {
		return 0
	}
	p.textShape = shapeOf(b, f.form)
	if p.form == asBase64 {
		return p.size + len(f.marker)
	}
	return p.size
}

// appendRecord appends the envelope of r, which m has measured. room is the room
// for decoded members. The error is that of a Schema.
func (e *envelope) appendRecord(dst []byte, r *kgo.Record, m *measuredRecord, room int) (_ []byte, err error) {
	for i := range e.members {
		f := &e.members[i]
		dst = append(dst, f.open...)
		switch f.source {
		case "key":
			dst, err = f.appendMember(dst, r.Key, &m.key, &room)
		case "value":
			dst, err = f.appendMember(dst, r.Value, &m.value, &room)
		case "headers":
			dst = appendHeaders(dst, r.Headers, f.form)
		case "header":
			value := f.headerOf(r)
			dst, err = f.appendMember(dst, value, &memberPiece{textShape: shapeOf(value, f.form)}, &room)
		default:
			dst = f.appendFact(dst, r)
		}
		if err != nil {
			return dst, err
		}
	}
	return append(dst, '}'), nil
}

func (f *envelopeMember) appendMember(dst, b []byte, p *memberPiece, room *int) ([]byte, error) {
	if p.decode != nil {
		out, err := p.payload.appendJSON(dst, *room)
		if *room -= len(out) - len(dst); err == nil && *room < 0 {
			err = jsontext.ErrTooLong
		}
		return out, err
	}
	dst = p.textShape.appendText(dst, b)
	if p.form == asBase64 {
		dst = append(dst, f.marker...)
	}
	return dst, nil
}

// headerOf returns the last header of the member's name, nil without one.
func (f *envelopeMember) headerOf(r *kgo.Record) []byte {
	value, _ := lastHeader(r.Headers, f.header)
	return value
}

// factSize is the size of what appendFact appends.
func (f *envelopeMember) factSize(r *kgo.Record) int {
	switch f.source {
	case "id":
		return len(`"--"`) + len(r.Topic) + countDigits(int64(r.Partition)) + countDigits(r.Offset)
	case "topic":
		return len(`""`) + len(r.Topic)
	case "partition":
		return countDigits(int64(r.Partition))
	case "offset":
		return countDigits(r.Offset)
	case "const":
		return len(f.text)
	case "tombstone":
		if r.Value == nil {
			return len("true")
		}
		return len("false")
	case claimedValue:
		return len("null")
	default:
		ms := r.Timestamp.UnixMilli()
		switch {
		case ms == noTimestamp:
			return len("null")
		case f.source == "timestamp_ms":
			return countDigits(ms)
		case f.source == "date":
			return len(`"2006-01-02"`)
		case f.source == "hour":
			return len(`"15"`)
		default: // the client's clock ends in 2262, so that years have four digits
			return len(`"2006-01-02T15:04:05.000Z"`)
		}
	}
}

// countDigits is the length of n as strconv.AppendInt writes it.
func countDigits(n int64) int {
	var digits [20]byte
	return len(strconv.AppendInt(digits[:0], n, 10))
}

// appendFact appends a property of a record other than its own bytes.
func (f *envelopeMember) appendFact(dst []byte, r *kgo.Record) []byte {
	switch f.source {
	case "id":
		// Partition and offset are digits, so that it can be taken apart from its end
		// whatever the topic's name is.
		dst = append(append(dst, '"'), r.Topic...)
		dst = strconv.AppendInt(append(dst, '-'), int64(r.Partition), 10)
		dst = strconv.AppendInt(append(dst, '-'), r.Offset, 10)
		return append(dst, '"')
	case "topic":
		return append(append(append(dst, '"'), r.Topic...), '"') // Kafka allows a-z A-Z 0-9 . _ - alone
	case "partition":
		return strconv.AppendInt(dst, int64(r.Partition), 10)
	case "offset":
		return strconv.AppendInt(dst, r.Offset, 10)
	case "const":
		return append(dst, f.text...)
	case "timestamp":
		return appendTimestamp(dst, r.Timestamp, timestampLayout)
	case "date":
		return appendTimestamp(dst, r.Timestamp, time.DateOnly)
	case "hour":
		return appendTimestamp(dst, r.Timestamp, "15")
	case "timestamp_ms":
		if ms := r.Timestamp.UnixMilli(); ms != noTimestamp {
			return strconv.AppendInt(dst, ms, 10)
		}
		return append(dst, "null"...)
	case claimedValue:
		return append(dst, "null"...)
	default:
		return strconv.AppendBool(dst, r.Value == nil)
	}
}

// appendTimestamp appends null for a record without a timestamp.
func appendTimestamp(dst []byte, t time.Time, layout string) []byte {
	if t.UnixMilli() == noTimestamp {
		return append(dst, "null"...)
	}
	dst = append(dst, '"')
	dst = t.UTC().AppendFormat(dst, layout)
	return append(dst, '"')
}

// measureHeaders is the size of what appendHeaders appends.
func measureHeaders(headers []kgo.RecordHeader, want textForm) int {
	n := len("[]") + max(len(headers)-1, 0)
	for i := range headers {
		value := shapeOf(headers[i].Value, want)
		n += len(headerOpen) + jsontext.NameSize(headers[i].Key) + len(headerValue) + value.size + len("}")
		if value.form == asBase64 {
			n += len(headerMarker)
		}
	}
	return n
}

// appendHeaders appends an array, because a name may be there twice and the order
// may mean something. A value that is null stays null.
func appendHeaders(dst []byte, headers []kgo.RecordHeader, want textForm) []byte {
	dst = append(dst, '[')
	for i := range headers {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, headerOpen...)
		dst = jsontext.AppendName(dst, headers[i].Key)
		dst = append(dst, headerValue...)
		value := shapeOf(headers[i].Value, want)
		dst = value.appendText(dst, headers[i].Value)
		if value.form == asBase64 {
			dst = append(dst, headerMarker...)
		}
		dst = append(dst, '}')
	}
	return append(dst, ']')
}
