package protobufjson

import (
	"math"
	"strconv"
	"time"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"

	"kafka-firehose/connector/convert/jsontext"
)

// readValue reads one value of f, and tells whether it is its kind's zero.
func (r *protoReader) readValue(f *protoField, typ protowire.Type, b []byte) (rest []byte, zero bool, err error) {
	switch {
	case typ != f.wire:
		return nil, false, errLibrary
	case len(r.dst) > r.most:
		return nil, false, jsontext.ErrTooLong
	}
	switch typ {
	case protowire.VarintType:
		v, n := protowire.ConsumeVarint(b)
		if n < 0 {
			return nil, false, errLibrary
		}
		return b[n:], v == 0, r.writeVarint(f, v)
	case protowire.Fixed32Type:
		v, n := protowire.ConsumeFixed32(b)
		if n < 0 {
			return nil, false, errLibrary
		}
		r.writeFixed32(f.kind, v)
		return b[n:], v == 0, nil
	case protowire.Fixed64Type:
		v, n := protowire.ConsumeFixed64(b)
		if n < 0 {
			return nil, false, errLibrary
		}
		r.writeFixed64(f, v)
		return b[n:], v == 0, nil
	case protowire.BytesType:
		v, n := protowire.ConsumeBytes(b)
		if n < 0 {
			return nil, false, errLibrary
		}
		return b[n:], len(v) == 0, r.readSized(f, v)
	default:
		return nil, false, errLibrary
	}
}

func (r *protoReader) writeVarint(f *protoField, v uint64) error {
	switch f.kind {
	case protoreflect.BoolKind:
		r.dst = strconv.AppendBool(r.dst, v != 0)
	case protoreflect.Int64Kind:
		r.dst = appendLong(r.dst, int64(v), f.bare)
	case protoreflect.Sint64Kind:
		r.dst = appendLong(r.dst, protowire.DecodeZigZag(v), f.bare)
	case protoreflect.Uint64Kind:
		r.dst = appendUlong(r.dst, v, f.bare)
	default:
		return r.writeVarint32(f, v)
	}
	return nil
}

// writeVarint32 writes a number of 32 bits, which may have more on the wire.
func (r *protoReader) writeVarint32(f *protoField, v uint64) error {
	if v != 0 && uint32(v) == 0 { // it is zero in the end
		return errLibrary
	}
	switch f.kind {
	case protoreflect.EnumKind:
		return r.writeSymbol(f, protoreflect.EnumNumber(int32(v)))
	case protoreflect.Int32Kind:
		r.dst = strconv.AppendInt(r.dst, int64(int32(v)), 10)
	case protoreflect.Sint32Kind:
		r.dst = strconv.AppendInt(r.dst, int64(int32(protowire.DecodeZigZag(v&math.MaxUint32))), 10)
	default:
		r.dst = strconv.AppendUint(r.dst, uint64(uint32(v)), 10)
	}
	return nil
}

// appendLong appends a number of 64 bits, in quotes unless it is to be a number.
func appendLong(dst []byte, v int64, bare bool) []byte {
	if bare {
		return strconv.AppendInt(dst, v, 10)
	}
	return append(strconv.AppendInt(append(dst, '"'), v, 10), '"')
}

// appendUlong is appendLong for one without a sign.
func appendUlong(dst []byte, v uint64, bare bool) []byte {
	if bare {
		return strconv.AppendUint(dst, v, 10)
	}
	return append(strconv.AppendUint(append(dst, '"'), v, 10), '"')
}

func (r *protoReader) writeSymbol(f *protoField, n protoreflect.EnumNumber) error {
	name, known := f.symbols[n]
	switch {
	case f.typ != nil, !known && f.closed:
		return errLibrary
	case known:
		r.dst = append(r.dst, name...)
	default:
		r.dst = strconv.AppendInt(r.dst, int64(n), 10)
	}
	return nil
}

func (r *protoReader) writeFixed32(k protoreflect.Kind, v uint32) {
	switch k {
	case protoreflect.FloatKind:
		r.dst = jsontext.AppendFloat(r.dst, float64(math.Float32frombits(v)), 32)
	case protoreflect.Sfixed32Kind:
		r.dst = strconv.AppendInt(r.dst, int64(int32(v)), 10)
	default:
		r.dst = strconv.AppendUint(r.dst, uint64(v), 10)
	}
}

func (r *protoReader) writeFixed64(f *protoField, v uint64) {
	switch f.kind {
	case protoreflect.DoubleKind:
		r.dst = jsontext.AppendFloat(r.dst, math.Float64frombits(v), 64)
	case protoreflect.Sfixed64Kind:
		r.dst = appendLong(r.dst, int64(v), f.bare)
	default:
		r.dst = appendUlong(r.dst, v, f.bare)
	}
}

func (r *protoReader) readSized(f *protoField, v []byte) error {
	if len(r.dst)+len(v) > r.most && f.kind != protoreflect.MessageKind {
		return jsontext.ErrTooLong
	}
	switch f.kind {
	case protoreflect.MessageKind:
		return r.readMessage(f.typ, v)
	case protoreflect.StringKind:
		if !utf8.Valid(v) {
			return errLibrary
		}
		r.dst = jsontext.AppendText(r.dst, v)
	default:
		r.dst = jsontext.AppendBase64(r.dst, v)
	}
	return nil
}

// readAll writes a message that has one field, a list or a map, as what that holds.
func (r *protoReader) readAll(f *protoField, b []byte, nothing string) error {
	if len(b) == 0 {
		r.dst = append(r.dst, nothing...)
		return nil
	}
	if _, _, ok := moreFields(1, b); !ok {
		return errLibrary
	}
	rest, _, err := r.readField(f, b)
	if err == nil && len(rest) > 0 {
		return errLibrary
	}
	return err
}

// readDynamic writes the one of the fields of a google.protobuf.Value that is there.
func (r *protoReader) readDynamic(t *protoType, b []byte) error {
	const null, number = 1, 2
	tag, typ, n := protowire.ConsumeTag(b)
	f := t.fields[max(tag, 0)]
	if n < 0 || f == nil {
		return errLibrary
	}
	from := len(r.dst)
	if tag == null {
		if typ != protowire.VarintType || len(b) != n+1 || b[n] != 0 {
			return errLibrary
		}
		r.dst = append(r.dst, "null"...)
		return nil
	}
	rest, _, err := r.readValue(f, typ, b[n:])
	if err == nil && (len(rest) > 0 || tag == number && r.dst[from] == '"') { // NaN or infinite
		return errLibrary
	}
	return err
}

// readMoment reads the two fields of a Timestamp or a Duration.
func readMoment(b []byte) (seconds, nanos int64, err error) {
	var parts [2]int64
	for last := protowire.Number(0); len(b) > 0; {
		number, typ, n := protowire.ConsumeTag(b)
		if n < 0 || number <= last || number > 2 || typ != protowire.VarintType {
			return 0, 0, errLibrary
		}
		v, size := protowire.ConsumeVarint(b[n:])
		if size < 0 {
			return 0, 0, errLibrary
		}
		parts[number-1], last, b = int64(v), number, b[n+size:]
	}
	return parts[0], parts[1], nil
}

func (r *protoReader) momentText(b []byte, write func([]byte, int64, int64) ([]byte, bool)) error {
	seconds, nanos, err := readMoment(b)
	if err != nil {
		return err
	}
	out, ok := write(r.dst, seconds, nanos)
	if !ok {
		return errLibrary
	}
	r.dst = out
	return nil
}

// appendProtoTimestamp appends a Timestamp that is in its range, which begins with the year 1 and ends with
// the year 9999. It reports whether it is.
func appendProtoTimestamp(dst []byte, seconds, nanos int64) ([]byte, bool) {
	const least, most = -62135596800, 253402300799
	if seconds < least || seconds > most || nanos < 0 || nanos >= 1e9 {
		return dst, false
	}
	dst = time.Unix(seconds, 0).UTC().AppendFormat(append(dst, '"'), "2006-01-02T15:04:05")
	return append(appendNanos(dst, nanos), 'Z', '"'), true
}

// appendProtoDuration appends a Duration that is in its range, of some 10,000 years, whose two parts have
// one sign. It reports whether it is.
func appendProtoDuration(dst []byte, seconds, nanos int64) ([]byte, bool) {
	const most = 315_576_000_000
	if seconds < -most || seconds > most || nanos <= -1e9 || nanos >= 1e9 || seconds > 0 && nanos < 0 || seconds < 0 && nanos > 0 {
		return dst, false
	}
	dst = append(dst, '"')
	if seconds < 0 || nanos < 0 {
		dst, seconds, nanos = append(dst, '-'), -seconds, -nanos
	}
	return append(appendNanos(strconv.AppendInt(dst, seconds, 10), nanos), 's', '"'), true
}

// appendNanos appends a fraction of 3, 6 or 9 digits, or none.
func appendNanos(dst []byte, nanos int64) []byte {
	if nanos == 0 {
		return dst
	}
	at := len(dst)
	dst = strconv.AppendInt(dst, nanos+1e9, 10)
	dst[at] = '.'
	for nanos%1e3 == 0 {
		dst, nanos = dst[:len(dst)-3], nanos/1e3
	}
	return dst
}
