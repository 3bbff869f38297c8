package convert

import (
	"errors"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"
)

// decoder prepares the keys, or the values, of one format.
type decoder struct {
	header  string
	indexed bool // the index of a message is in the payload
	lookup  Lookup
}

// newDecoder returns nil for a format that is not decoded.
func newDecoder(cfg Config, format, header string, lookup Lookup) *decoder {
	switch {
	case !slices.Contains(decoded, format):
		return nil
	case !cfg.needsSchema(format):
		lookup = func(Ref) (Schema, error) { return plainJSON{}, nil }
	}
	return &decoder{header: header, indexed: format == formatProtobuf, lookup: lookup}
}

// prepare takes data apart and finds its schema. The error is that of a Lookup.
func (d *decoder) prepare(p *payload, data []byte, headers []kgo.RecordHeader) error {
	if err := p.parse(data, headers, d.header, d.indexed); err != nil {
		return rejected(err, len(data))
	}
	schema, err := d.lookup(p.ref)
	if err != nil {
		return sized(err, len(data))
	}
	p.decode = schema
	return nil
}

// rejected is the Reject for what went wrong with size bytes.
func rejected(err error, size int) *Reject {
	reason := Undecodable
	if errors.Is(err, errTooLong) {
		reason, err = TooLarge, fmt.Errorf("%d bytes that become too many as JSON", size)
	}
	return &Reject{Reason: reason, Size: size, err: err}
}

// sized tells the size of a record whose schema can't be used.
func sized(err error, size int) error {
	if reject, ok := errors.AsType[*Reject](err); ok {
		return &Reject{Reason: reject.Reason, Size: size, err: reject.err}
	}
	return err
}

// named tells which part of a record it is that can't be used.
func named(part string, err error) error {
	if reject, ok := errors.AsType[*Reject](err); ok {
		return &Reject{Reason: reject.Reason, Size: reject.Size, err: fmt.Errorf("%s: %w", part, reject)}
	}
	return err
}
