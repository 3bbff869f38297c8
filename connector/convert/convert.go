// Package convert decides what Firehose stores of a Kafka record, or why it can't
// be delivered. It is pure.
package convert

import (
	"bytes"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/connector/batch"
)

// MaxRecordBytes is the most data that Firehose takes in one record: 1,000 KiB
// before base64, delimiter included.
// https://docs.aws.amazon.com/firehose/latest/dev/limits.html
const MaxRecordBytes = int(maxRecordBytes)

// maxUncompressed is the most bytes of one value, delimiter included, that are
// compressed to see whether Firehose takes what comes out: ten times as much as that,
// which hardly any value fits into, and what bounds the memory for it.
const maxUncompressed = 10 * MaxRecordBytes

// Reason is why a record is not delivered.
type Reason string

// The reasons, which are also the values of the label reason in the metrics.
const (
	Tombstone Reason = "tombstone" // a null value
	TooLarge  Reason = "too_large" // above MaxRecordBytes
)

// Reject says that a record can't be delivered as it is. It carries no payload.
type Reject struct {
	Reason Reason
	Size   int  // bytes that Firehose would have counted
	Skip   bool // the configuration says to leave such records out, not to treat them as bad
	note   string
}

func (r *Reject) Error() string {
	if r.Reason == Tombstone {
		return "the value is null"
	}
	return fmt.Sprintf("the record has %d bytes with its delimiter, Firehose takes at most %d%s", r.Size, MaxRecordBytes, r.note)
}

// Converter turns Kafka records into bytes for Firehose. It has no state and is
// safe for concurrent use.
type Converter struct {
	delimiter []byte
	tombstone *Reject   // nil if an envelope takes them
	envelope  *envelope // nil for the value alone
	gzip      bool      // what is appended is compressed later
}

// New returns the Converter that cfg describes; cfg has been validated.
func New(cfg Config) *Converter {
	c := &Converter{delimiter: []byte(cfg.Delimiter), gzip: cfg.Compression == "gzip"}
	if cfg.Tombstones != "envelope" {
		c.tombstone = &Reject{Reason: Tombstone, Skip: cfg.Tombstones == "skip"}
	}
	if cfg.envelope() {
		fields := cfg.Fields
		if len(fields) == 0 {
			if err := fields.Decode(defaultFields); err != nil {
				panic("convert: " + err.Error())
			}
		}
		c.envelope = newEnvelope(fields)
	}
	return c
}

// Append appends what Firehose is to store of r, delimiter included, to dst. The
// error, if any, is a *Reject, and dst is as it was.
func (c *Converter) Append(dst []byte, r *kgo.Record) ([]byte, error) {
	if r.Value == nil && c.tombstone != nil {
		return dst, c.tombstone
	}
	out, err := c.append(dst, r)
	if err == nil && c.gzip {
		if reject := compressible(out[len(dst):]); reject != nil {
			return dst, reject
		}
	}
	return out, err
}

// compressible says whether a value fits into a record of its own. Only one that is
// large has to be compressed to know.
func compressible(value []byte) *Reject {
	if batch.GzipBound(len(value)) <= MaxRecordBytes {
		return nil
	}
	if size := batch.GzipSize(value); size > MaxRecordBytes {
		return &Reject{Reason: TooLarge, Size: size, note: ", and that is its compressed size"}
	}
	return nil
}

// limit is the most bytes that may be appended for a record.
func (c *Converter) limit() int {
	if c.gzip {
		return maxUncompressed
	}
	return MaxRecordBytes
}

func (c *Converter) append(dst []byte, r *kgo.Record) ([]byte, error) {
	if c.envelope != nil {
		return c.appendEnvelope(dst, r)
	}
	delimiter := c.delimiter
	if len(delimiter) > 0 && bytes.HasSuffix(r.Value, delimiter) {
		delimiter = nil
	}
	if size := len(r.Value) + len(delimiter); size > c.limit() {
		return dst, &Reject{Reason: TooLarge, Size: size}
	}
	return append(append(dst, r.Value...), delimiter...), nil
}

func (c *Converter) appendEnvelope(dst []byte, r *kgo.Record) ([]byte, error) {
	m := c.envelope.measure(r)
	if size := m.size + len(c.delimiter); size > c.limit() {
		return dst, &Reject{Reason: TooLarge, Size: size}
	}
	return append(c.envelope.append(dst, r, &m), c.delimiter...), nil
}
