package convert

import (
	"errors"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/connector/convert/jsontext"
)

// valueDecoder prepares the keys, or the values, of one format.
type valueDecoder struct {
	format  string
	framing Framing
	content bool // ids before the data are Apicurio's contentId
	headers headerNames
	indexed bool // the type of the message is in the payload
	limit   int  // of decompressed bytes
	lookup  SchemaLookup
}

// newDecoder returns nil for a format that is not decoded.
func newDecoder(cfg Config, format string, headers headerNames, limit int, lookup SchemaLookup) *valueDecoder {
	switch {
	case !slices.Contains(decoded, format):
		return nil
	case !cfg.needsSchema(format):
		lookup = func(SchemaRef) (Schema, error) { return plainJSON{}, nil }
	}
	return &valueDecoder{format: format, framing: Confluent, headers: headers, indexed: format == formatProtobuf, limit: limit, lookup: lookup}
}

// preparePayload takes data apart and finds its schema. The error is that of a SchemaLookup. The caller releases p,
// also after an error.
func (d *valueDecoder) preparePayload(p *payload, data []byte, headers []kgo.RecordHeader) error {
	if err := d.parseFraming(p, data, headers); err != nil {
		return badRecordError(err, len(data))
	}
	schema, err := d.lookup(p.ref)
	if err != nil {
		return d.refusedPayload(err, data, headers)
	}
	if s, ok := schema.(guardedSchema); ok && s.kind != d.format { // keys, or another stream, may be in that format
		return &BadRecord{Reason: Undecodable, Size: len(data), err: fmt.Errorf("schema %s: %w", p.ref, errKind(s.kind, d.format))}
	}
	p.decode = schema
	return nil
}

// refusedPayload is the error of a SchemaLookup for data. Where there is no such schema, data may be in another framing.
func (d *valueDecoder) refusedPayload(err error, data []byte, headers []kgo.RecordHeader) error {
	bad, ok := errors.AsType[*BadRecord](err)
	if !ok {
		return err
	}
	sized := &BadRecord{Reason: bad.Reason, Size: len(data), Schema: bad.Schema, err: bad.err}
	if hint := d.framingHint(data, headers); hint != "" && bad.Reason == UnknownSchema {
		sized.err = fmt.Errorf("%w%s", bad.err, hint)
	}
	return sized
}

// badRecordError is the BadRecord for an error in size bytes.
func badRecordError(err error, size int) *BadRecord {
	reason := Undecodable
	if _, inflated := errors.AsType[errInflated](err); inflated {
		reason = TooLarge
	} else if errors.Is(err, jsontext.ErrTooLong) {
		reason, err = TooLarge, fmt.Errorf("%d bytes that become too many as JSON", size)
	}
	return &BadRecord{Reason: reason, Size: size, err: err}
}

// namedPart tells which part of a record it is that can't be used.
func namedPart(part string, err error) error {
	if bad, ok := errors.AsType[*BadRecord](err); ok {
		return &BadRecord{Reason: bad.Reason, Size: bad.Size, Schema: bad.Schema, err: fmt.Errorf("%s: %w", part, bad)}
	}
	return err
}
