package convert

import (
	"errors"
	"fmt"
	"sync"
	"unicode/utf8"

	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/connector/convert/filter"
	"kafka-firehose/connector/convert/jsontext"
	"kafka-firehose/connector/convert/mask"
)

// transformation is one record in the filter. It implements filter.Source. The value is decoded once,
// and only if it is needed.
type transformation struct {
	c      *Converter
	record *kgo.Record
	schema payload // of a value that has a schema
	made   payload // the value that is sent, if it is not the record's
	loaded bool
	json   []byte // the value, once it is loaded; nil for null
	err    error  // why it can't be loaded
	value  []byte // the buffer of a decoded value
	key    []byte // the buffer of a decoded key
}

// keepTransformed is the capacity above which a buffer is not kept, in bytes.
const keepTransformed = 64 << 10

var transformations sync.Pool // of *transformation

// errMaskJSON is the error for the value of a record without a schema.
var errMaskJSON = fmt.Errorf("RECORD_MASK can't be applied to the value: %w", errNotJSON)

// release makes t ready for another record.
func (t *transformation) release() {
	t.schema.releaseBuffers()
	value, key := t.value[:0], t.key[:0]
	if cap(value) > keepTransformed {
		value = nil
	}
	if cap(key) > keepTransformed {
		key = nil
	}
	*t = transformation{value: value, key: key}
	transformations.Put(t)
}

// transforms reports whether records are filtered or masked.
func (c *Converter) transforms() bool { return c.filter.IsSet() || c.masker != nil }

// appendTransformed is appendLimited for records that are filtered or masked.
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
	return c.appendValue(dst, r, made, limit)
}

// output returns the value that is sent, nil for the record's own. A value under a mask is never the record's own, and an
// error if it can't be masked.
func (t *transformation) output() (*payload, error) {
	switch {
	case t.record.Value == nil:
		return nil, nil
	case t.c.masker != nil:
		if t.c.maskErr != nil {
			return nil, t.c.maskErr
		}
		json, err := t.Value()
		if err != nil {
			return nil, err
		}
		t.made = payload{decode: maskedValue{t.c.masker}, data: json}
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

func (t *transformation) load() ([]byte, error) {
	r, d := t.record, t.c.value
	if r.Value == nil {
		return nil, nil
	}
	if d == nil {
		if _, ok := jsontext.ScanDocument(r.Value); !ok || !utf8.Valid(r.Value) {
			return nil, &BadRecord{Reason: Undecodable, Size: len(r.Value), err: errMaskJSON}
		}
		return jsontext.TrimSpace(r.Value), nil
	}
	if err := d.preparePayload(&t.schema, r.Value, r.Headers); err != nil {
		return nil, err
	}
	var err error
	t.value, err = appendBounded(t.value[:0], &t.schema, len(r.Value), t.c.maxBytes())
	return t.value, err
}

// appendBounded appends a payload of size bytes as JSON. The error is a *BadRecord.
func appendBounded(dst []byte, p *payload, size, limit int) ([]byte, error) {
	out, err := p.appendJSON(dst, limit)
	if err == nil && len(out)-len(dst) > limit {
		err = errTooLong
	}
	if err != nil {
		return dst, rejectedError(err, size)
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
		return dst, errTooLong
	}
	return append(dst, json...), nil
}

// maskedValue writes a value that is valid, trimmed JSON with its mask.
type maskedValue struct{ masker *mask.Masker }

// AppendJSON implements Schema.
func (m maskedValue) AppendJSON(dst, json []byte, _ MessageIndex, limit int) ([]byte, error) {
	out, err := m.masker.AppendMasked(dst, json, limit)
	if errors.Is(err, mask.ErrTooLong) {
		err = errTooLong
	}
	return out, err
}
