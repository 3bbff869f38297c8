// Package convert decides what Firehose stores of a Kafka record, or why it can't
// be delivered. It is pure.
package convert

import (
	"bytes"
	"fmt"
	"math"

	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/connector/batch"
	"kafka-firehose/connector/convert/filter"
	"kafka-firehose/connector/convert/mask"
)

// maxUncompressed is the maximum of bytes of one value, delimiter included, that are
// compressed to see whether Firehose takes the result: ten times as much as that,
// which hardly any value fits into, and which bounds the memory for it.
const maxUncompressed = 10 * batch.MaxRecordBytes

// Reason is why a record is not delivered.
type Reason string

// The reasons, which are also the values of the label reason in the metrics.
const (
	Tombstone Reason = "tombstone" // a null value
	TooLarge  Reason = "too_large" // above batch.MaxRecordBytes

	Undecodable   Reason = "undecodable"    // not what its schema says, or the schema can't be used
	Filtered      Reason = "filtered"       // RECORD_FILTER is false
	UnwrapFailed  Reason = "unwrap_failed"  // not in the envelope of RECORD_UNWRAP, or without a row
	FilterFailed  Reason = "filter_failed"  // RECORD_FILTER can't be evaluated
	UnknownSchema Reason = "unknown_schema" // the registry says that it has no such schema
)

// BadRecord says that a record can't be delivered as it is. It carries no payload.
type BadRecord struct {
	Reason Reason
	Size   int    // bytes that Firehose would have counted
	Skip   bool   // the configuration says to leave such records out, not to treat them as bad
	Schema string // the one that can't be used, and with it no record; empty if the record itself is bad
	note   string
	err    error
}

// ErrFiltered is the *BadRecord of all records that RECORD_FILTER leaves out.
var ErrFiltered error = &BadRecord{Reason: Filtered, Skip: true}

// UnusableSchema is the BadRecord for all payloads whose schema can't be used.
func UnusableSchema(ref SchemaRef, reason Reason, err error) *BadRecord {
	return &BadRecord{Reason: reason, Schema: ref.String(), err: err}
}

func (r *BadRecord) Error() string {
	switch {
	case r.Reason == Tombstone:
		return "the value is null"
	case r.Reason == Filtered:
		return "RECORD_FILTER is false for the record"
	case r.err != nil && r.Reason != TooLarge:
		return r.err.Error()
	case r.err != nil:
		return fmt.Sprintf("%v: Firehose takes at most %d bytes", r.err, batch.MaxRecordBytes)
	}
	return fmt.Sprintf("the record has %d bytes with its delimiter, Firehose takes at most %d%s", r.Size, batch.MaxRecordBytes, r.note)
}

// Unwrap returns the reason in full, nil for a reason that says all.
func (r *BadRecord) Unwrap() error { return r.err }

// Converter turns Kafka records into bytes for Firehose. It has no state and is
// safe for concurrent use.
type Converter struct {
	delimiter []byte
	tombstone *BadRecord    // nil if an envelope takes them
	envelope  *envelope     // nil for the value alone
	claim     *envelope     // of records with a claim check
	gzip      bool          // the appended bytes are compressed later
	value     *valueDecoder // nil unless values are decoded
	key       *valueDecoder // of keys; nil if they are not decoded
	unwrap    string        // a value of RECORD_UNWRAP; empty for none
	filter    filter.Filter
	masker    *mask.Masker // nil without a mask
	maskErr   error        // why the key of the mask can't be read: then nothing is sent
}

// New returns the Converter that cfg describes; cfg has been validated. It looks
// schemas up with lookup, which may be nil where cfg needs none.
func New(cfg Config, lookup SchemaLookup) *Converter {
	c := &Converter{delimiter: []byte(cfg.Delimiter), gzip: cfg.Compression == "gzip", filter: cfg.Filter, claim: newClaimEnvelope(cfg)}
	if cfg.Unwraps() {
		c.unwrap = cfg.Unwrap
	}
	if len(cfg.Mask) > 0 {
		var key string
		key, c.maskErr = cfg.MaskSecret.ReadValue()
		c.masker = mask.New(cfg.Mask, key)
	}
	c.value = newDecoder(cfg, cfg.Format, valueHeaders, c.maxDecoded(), lookup)
	c.key = newDecoder(cfg, cfg.KeyFormat, keyHeaders, c.maxBytes(), lookup)
	if cfg.Tombstones != "envelope" {
		c.tombstone = &BadRecord{Reason: Tombstone, Skip: cfg.Tombstones == "skip"}
	}
	if cfg.hasEnvelope() {
		c.envelope = newEnvelope(cfg.envelopeFields())
	}
	return c
}

// SetFraming sets how keys and values name their schema, before the first record. Content says that ids
// before the data are Apicurio's contentId.
func (c *Converter) SetFraming(f Framing, content bool) {
	for _, d := range []*valueDecoder{c.value, c.key} {
		if d != nil {
			d.framing, d.content = f, content
		}
	}
}

// Append appends what Firehose is to store of r, delimiter included, to dst. The
// error, if any, is a *BadRecord, or a *MissingSchema when the schema has to be fetched first,
// and dst is as it was.
func (c *Converter) Append(dst []byte, r *kgo.Record) ([]byte, error) {
	return c.AppendWithin(dst, r, math.MaxInt)
}

// AppendWithin is Append with room for a number of bytes. A record that takes more
// is a *BadRecord then, whether Firehose would take it or not.
func (c *Converter) AppendWithin(dst []byte, r *kgo.Record, room int) ([]byte, error) {
	if r.Value == nil && c.tombstone != nil {
		return dst, c.tombstone
	}
	out, err := c.appendLimited(dst, r, min(room, c.maxBytes()))
	if err != nil {
		return out, err
	}
	return c.requireCompressed(dst, out)
}

// requireCompressed returns out, or dst and an error if the value that was appended to dst does not fit into a compressed
// record of its own. Only a large value has to be compressed to know.
func (c *Converter) requireCompressed(dst, out []byte) ([]byte, error) {
	value := out[len(dst):]
	if !c.gzip || batch.GzipBound(len(value)) <= batch.MaxRecordBytes {
		return out, nil
	}
	if size := batch.GzipSize(value); size > batch.MaxRecordBytes {
		return dst, &BadRecord{Reason: TooLarge, Size: size, note: ", and that is its compressed size"}
	}
	return out, nil
}

// maxBytes is the most bytes that may be appended for a record.
func (c *Converter) maxBytes() int {
	if c.gzip {
		return maxUncompressed
	}
	return batch.MaxRecordBytes
}

func (c *Converter) appendLimited(dst []byte, r *kgo.Record, limit int) ([]byte, error) {
	if c.transforms() {
		return c.appendTransformed(dst, r, limit)
	}
	return c.appendValue(dst, r, nil, limit)
}

// appendValue appends a record with its value, or with one that was made of it. A made one is nil for none.
func (c *Converter) appendValue(dst []byte, r *kgo.Record, made *payload, limit int) ([]byte, error) {
	switch {
	case c.envelope != nil:
		return c.appendEnvelope(dst, r, made, limit)
	case made != nil:
		return c.appendJSON(dst, made, len(r.Value), limit)
	case c.value != nil:
		return c.appendDecoded(dst, r, limit)
	}
	delimiter := c.delimiter
	if len(delimiter) > 0 && bytes.HasSuffix(r.Value, delimiter) {
		delimiter = nil
	}
	if size := len(r.Value) + len(delimiter); size > limit {
		return dst, &BadRecord{Reason: TooLarge, Size: size}
	}
	return append(append(dst, r.Value...), delimiter...), nil
}

func (c *Converter) appendEnvelope(dst []byte, r *kgo.Record, made *payload, limit int) ([]byte, error) {
	var m measuredRecord
	defer m.releasePayloads()
	if err := c.decodeMembers(&m, r, made); err != nil {
		return dst, err
	}
	c.envelope.measureRecord(&m, r)
	room := limit - m.size - len(c.delimiter)
	if room < 0 {
		return dst, &BadRecord{Reason: TooLarge, Size: limit - room}
	}
	out, err := c.envelope.appendRecord(dst, r, &m, room)
	if err != nil {
		return dst, badRecordError(err, len(r.Key)+len(r.Value))
	}
	return append(out, c.delimiter...), nil
}

// appendDecoded appends the value alone. It may only turn out to be too large while it
// is written: then nothing of it is kept.
func (c *Converter) appendDecoded(dst []byte, r *kgo.Record, limit int) ([]byte, error) {
	var p payload
	defer p.releaseBuffers()
	if err := c.value.preparePayload(&p, r.Value, r.Headers); err != nil {
		return dst, err
	}
	return c.appendJSON(dst, &p, len(r.Value), limit)
}

// appendJSON appends a payload of size bytes and the delimiter.
func (c *Converter) appendJSON(dst []byte, p *payload, size, limit int) ([]byte, error) {
	out, err := appendBounded(dst, p, size, limit-len(c.delimiter))
	if err != nil {
		return dst, err
	}
	return append(out, c.delimiter...), nil
}

// decodeMembers prepares the decoded members of a record. The value is made already, or nil.
func (c *Converter) decodeMembers(m *measuredRecord, r *kgo.Record, made *payload) error {
	if made != nil {
		m.value.payload = *made
	} else if c.value != nil && r.Value != nil {
		if err := c.value.preparePayload(&m.value.payload, r.Value, r.Headers); err != nil {
			return err
		}
	}
	return c.decodedKey(m, r, c.envelope)
}

// decodedKey prepares the key if it is decoded for an envelope.
func (c *Converter) decodedKey(m *measuredRecord, r *kgo.Record, e *envelope) error {
	if c.key != nil && r.Key != nil && e.key >= 0 {
		if err := c.key.preparePayload(&m.key.payload, r.Key, r.Headers); err != nil {
			return namedPart("the key", err)
		}
	}
	return nil
}
