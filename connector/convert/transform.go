package convert

import (
	"errors"
	"fmt"
	"sync"
	"unicode/utf8"

	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/connector/batch"
	"kafka-firehose/connector/convert/filter"
	"kafka-firehose/connector/convert/jsontext"
	"kafka-firehose/connector/convert/mask"
	"kafka-firehose/connector/convert/unwrap"
)

// transformation is one record that is unwrapped, filtered and masked, in this order. It implements filter.Source. The
// value is decoded and unwrapped once, and only if it is needed.
type transformation struct {
	c      *Converter
	record *kgo.Record
	schema payload    // of a value that has a schema
	made   payload    // the value that is sent, if it is not the record's
	null   kgo.Record // the record without its value, whose payload is null
	loaded bool
	json   []byte // the value, once it is loaded; nil for null
	err    error  // why it can't be loaded
	value  []byte // the buffer of a decoded or compacted value
	row    []byte // the buffer of a row
	key    []byte // the buffer of a decoded key
}

// keepTransformed is the capacity above which a buffer is not kept, in bytes.
const keepTransformed = 64 << 10

var transformations sync.Pool // of *transformation

// errMaskJSON is the error for the value of a record without a schema.
var errMaskJSON = fmt.Errorf("RECORD_MASK can't be applied to the value: %w", errNotJSON)

// maxUntransformed is the maximum of bytes of a value as JSON without blanks, before it is unwrapped, filtered and masked: a change event
// holds a row before and after the change, and facts about the change, and a mask may drop what makes a value too large.
const maxUntransformed = 3 * batch.MaxRecordBytes

// maxDecoded is the maximum of bytes of a value before the changes that the settings ask for, if they ask for any.
func (c *Converter) maxDecoded() int {
	if c.transforms() {
		return max(c.maxBytes(), maxUntransformed)
	}
	return c.maxBytes()
}

// release makes t ready for another record.
func (t *transformation) release() {
	t.schema.releaseBuffers()
	*t = transformation{value: reusable(t.value), row: reusable(t.row), key: reusable(t.key)}
	transformations.Put(t)
}

// reusable returns an empty buffer for another record, nil if its capacity is too large to be kept.
func reusable(buffer []byte) []byte {
	if cap(buffer) > keepTransformed {
		return nil
	}
	return buffer[:0]
}

// transforms reports whether records are unwrapped, filtered or masked.
func (c *Converter) transforms() bool {
	return c.unwraps() || c.filter.IsSet() || c.masker != nil
}

// unwraps reports whether values are taken out of an envelope.
func (c *Converter) unwraps() bool { return c.unwrap != "" }

// appendTransformed is appendLimited for records that are unwrapped, filtered or masked.
func (c *Converter) appendTransformed(dst []byte, r *kgo.Record, limit int) ([]byte, error) {
	t, ok := transformations.Get().(*transformation)
	if !ok {
		t = new(transformation)
	}
	t.c, t.record = c, r
	defer t.release()
	if err := t.applyFilter(); err != nil {
		return dst, err
	}
	made, err := t.output()
	if err != nil {
		return dst, err
	}
	if made == nil && c.unwraps() && r.Value != nil { // its payload is null
		t.null = *r
		t.null.Value = nil
		r = &t.null
	}
	return c.appendValue(dst, r, made, limit)
}

// output returns the value that is sent, nil for the record's own and for one that unwrapping has made null. A value under a mask is
// never the record's own, and an error if it can't be masked.
func (t *transformation) output() (*payload, error) {
	switch {
	case t.record.Value == nil:
		return nil, nil
	case t.c.maskErr != nil:
		return nil, t.c.maskErr
	case t.c.unwraps() || t.c.masker != nil:
		json, err := t.Value()
		if err != nil {
			return nil, err
		}
		if json == nil {
			return nil, nil
		}
		t.made = payload{decode: jsonValue{}, data: json}
		if t.c.masker != nil {
			t.made.decode = maskedValue{t.c.masker}
		}
	case t.json == nil || t.c.value == nil:
		return nil, nil
	default:
		t.made = payload{decode: jsonValue{}, data: t.json}
	}
	return &t.made, nil
}

// applyFilter returns ErrFiltered for a record that is not sent.
func (t *transformation) applyFilter() error {
	if !t.c.filter.IsSet() {
		return nil
	}
	matches, err := t.c.filter.MatchesRecord(t)
	source, unread := errors.AsType[*filter.SourceError](err)
	switch {
	case unread && errors.Is(source.Err, errMaskJSON):
		return &BadRecord{Reason: FilterFailed, Size: len(t.record.Value), err: fmt.Errorf("RECORD_FILTER reads the value, but %w", errNotJSON)}
	case unread:
		return source.Err
	case err != nil:
		return &BadRecord{Reason: FilterFailed, Size: len(t.record.Key) + len(t.record.Value), err: fmt.Errorf("RECORD_FILTER: %w", err)}
	case !matches:
		return ErrFiltered
	}
	return nil
}

// Record implements filter.Source.
func (t *transformation) Record() *kgo.Record { return t.record }

// Value implements filter.Source. Its error is a *BadRecord or a *MissingSchema.
func (t *transformation) Value() ([]byte, error) {
	if !t.loaded {
		t.loaded = true
		t.json, t.err = t.load()
	}
	return t.json, t.err
}

// load returns the value that the filter and the mask see.
func (t *transformation) load() ([]byte, error) {
	switch {
	case t.record.Value == nil:
		return nil, nil
	case t.c.unwraps():
		return t.loadUnwrapped()
	case t.c.value != nil:
		return t.decode(t.c.maxDecoded())
	}
	json, _, ok := readJSON(t.record.Value)
	if !ok {
		return nil, &BadRecord{Reason: Undecodable, Size: len(t.record.Value), err: errMaskJSON}
	}
	return json, nil
}

// readJSON returns a value as valid, trimmed JSON, and the number of its blanks.
func readJSON(value []byte) (json []byte, blanks int, ok bool) {
	if blanks, ok = jsontext.ScanDocument(value); !ok || !utf8.Valid(value) {
		return nil, 0, false
	}
	return jsontext.TrimSpace(value), blanks, true
}

// decode returns a value that has a schema as JSON.
func (t *transformation) decode(limit int) ([]byte, error) {
	r := t.record
	if err := t.c.value.preparePayload(&t.schema, r.Value, r.Headers); err != nil {
		return nil, err
	}
	var err error
	t.value, err = appendBounded(t.value[:0], &t.schema, len(r.Value), limit)
	return t.value, err
}

// loadUnwrapped returns the unwrapped value without blanks, nil for one that is null and is sent as such.
func (t *transformation) loadUnwrapped() ([]byte, error) {
	json, err := t.wrapped()
	if err != nil {
		return nil, err
	}
	if t.c.unwrap == unwrap.Connect {
		json, err = unwrap.Payload(json)
	} else {
		t.row, err = unwrap.AppendRow(t.row[:0], json, t.record.Offset)
		json = t.row
	}
	switch {
	case err == nil:
		return json, nil
	case !errors.Is(err, unwrap.ErrNull):
		return nil, &BadRecord{Reason: UnwrapFailed, Size: len(t.record.Value), err: fmt.Errorf("RECORD_UNWRAP: %w", err)}
	case t.c.tombstone != nil:
		return nil, t.c.tombstone
	default:
		return nil, nil
	}
}

// wrapped returns the value as JSON without blanks, before it is unwrapped.
func (t *transformation) wrapped() ([]byte, error) {
	limit := t.c.maxDecoded()
	if t.c.value != nil {
		return t.decode(limit)
	}
	json, blanks, ok := readJSON(t.record.Value)
	switch {
	case !ok:
		return nil, &BadRecord{Reason: UnwrapFailed, Size: len(t.record.Value), err: fmt.Errorf("RECORD_UNWRAP: %w", errNotJSON)}
	case len(t.record.Value)-blanks > limit:
		return nil, badRecordError(jsontext.ErrTooLong, len(t.record.Value))
	case blanks > 0:
		t.value = jsontext.AppendCompact(t.value[:0], json)
		return t.value, nil
	}
	return json, nil
}

// appendBounded appends a payload of size bytes as JSON. The error is a *BadRecord.
func appendBounded(dst []byte, p *payload, size, limit int) ([]byte, error) {
	out, err := p.appendJSON(dst, limit)
	if err == nil && len(out)-len(dst) > limit {
		err = jsontext.ErrTooLong
	}
	if err != nil {
		return dst, badRecordError(err, size)
	}
	return out, nil
}

// SchemaKeys implements filter.Source.
func (t *transformation) SchemaKeys() bool { return t.c.key != nil }

// Key implements filter.Source. Its error is a *BadRecord or a *MissingSchema.
func (t *transformation) Key() ([]byte, error) {
	r := t.record
	if r.Key == nil {
		return nil, nil
	}
	var p payload
	defer p.releaseBuffers()
	if err := t.c.key.preparePayload(&p, r.Key, r.Headers); err != nil {
		return nil, namedPart("the key", err)
	}
	var err error
	if t.key, err = appendBounded(t.key[:0], &p, len(r.Key), t.c.maxBytes()); err != nil {
		return nil, namedPart("the key", err)
	}
	return t.key, nil
}

// jsonValue writes a value that is valid JSON already.
type jsonValue struct{}

// AppendJSON implements Schema.
func (jsonValue) AppendJSON(dst, json []byte, _ MessageIndex, limit int) ([]byte, error) {
	if len(json) > limit {
		return dst, jsontext.ErrTooLong
	}
	return append(dst, json...), nil
}

// maskedValue writes a value that is valid, trimmed JSON with its mask.
type maskedValue struct{ masker *mask.Masker }

// AppendJSON implements Schema.
func (m maskedValue) AppendJSON(dst, json []byte, _ MessageIndex, limit int) ([]byte, error) {
	return m.masker.AppendMasked(dst, json, limit)
}
