package firehosetest

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
)

// record is one entry of a put: its data, or that it had none.
type record struct {
	data []byte
	null bool // Data, or the whole entry, was null or missing
}

// putInput is a decoded PutRecordBatch or PutRecord.
type putInput struct {
	stream  *string // nil: null or missing
	records []record
	null    bool // Records, or Record, was null or missing
}

// strictBase64 is the standard alphabet, padded, with no stray bits at the end.
var strictBase64 = base64.StdEncoding.Strict()

// putDecoder decodes the data of all records into one buffer, which the ledger
// then keeps: one allocation a request.
type putDecoder struct {
	*scanner
	arena []byte
	in    putInput
}

// decodePut parses the body of an operation. Unknown members are read over, as
// the service does; of a repeated member the last counts. The error is always a
// SerializationException, and the members decoded before it are returned with it.
func decodePut(op string, body []byte) (putInput, error) {
	c, err := newScanner(body)
	if err != nil {
		return putInput{null: true}, err
	}
	d := &putDecoder{scanner: c, in: putInput{null: true}}
	err = d.object(func(name string) error {
		switch {
		case name == "DeliveryStreamName":
			return d.name()
		case name == "Records" && op == opPutRecordBatch:
			return d.batch()
		case name == "Record" && op == opPutRecord:
			return d.single()
		}
		return d.skip()
	})
	if err == nil {
		err = d.end()
	}
	return d.in, err
}

func (d *putDecoder) name() error {
	d.in.stream = nil
	if d.null() {
		return nil
	}
	s, err := d.text()
	if err == nil {
		d.in.stream = &s
	}
	return err
}

func (d *putDecoder) batch() error {
	d.in.records, d.in.null = d.in.records[:0], true
	if d.null() {
		return nil
	}
	d.in.null = false
	return d.array(func() error {
		r, err := d.entry()
		d.in.records = append(d.in.records, r)
		return err
	})
}

func (d *putDecoder) single() error {
	d.in.records, d.in.null = d.in.records[:0], true
	if d.null() {
		return nil
	}
	r, err := d.entry()
	d.in.records, d.in.null = append(d.in.records, r), false
	return err
}

// entry reads {"Data": "…"}.
func (d *putDecoder) entry() (record, error) {
	r := record{null: true}
	if d.null() {
		return r, nil
	}
	err := d.object(func(name string) (err error) {
		if name != "Data" {
			return d.skip()
		}
		if d.null() {
			r = record{null: true}
			return nil
		}
		r.data, err = d.blob()
		r.null = false
		return err
	})
	return r, err
}

// blob reads a string of base64. The decoder of the standard library passes
// over line breaks, which are not base64, so they are looked for first.
func (d *putDecoder) blob() ([]byte, error) {
	d.peek()
	start := d.i
	raw, escaped, err := d.literal()
	if err != nil {
		return nil, err
	}
	if escaped { // some encoders write "\/"
		var s string
		if json.Unmarshal(d.b[start:d.i], &s) != nil {
			return nil, fail(codeSerialization, "the string at byte %d of the body is not valid", start)
		}
		raw = []byte(s)
	}
	if d.arena == nil {
		d.arena = make([]byte, 0, base64.StdEncoding.DecodedLen(len(d.b)))
	}
	from := len(d.arena)
	n := -1
	if len(raw)%4 == 0 && bytes.IndexByte(raw, '\n') < 0 && bytes.IndexByte(raw, '\r') < 0 {
		n, err = strictBase64.Decode(d.arena[from:cap(d.arena)], raw)
	}
	if n < 0 || err != nil {
		return nil, fail(codeSerialization, "the string at byte %d of the body is not base64", start)
	}
	d.arena = d.arena[:from+n]
	return d.arena[from : from+n : from+n], nil
}
