package avro

import (
	"encoding/binary"
	"math/big"
	"strconv"
	"time"

	"kafka-firehose/connector/convert/jsontext"
)

// readLogical writes a value as what its logical type says it is. A moment that RFC 3339
// has no form for stays the number it is.
func (r *valueReader) readLogical(t *schemaType) error {
	switch t.kind {
	case kindDecimal, kindDecimalFixed:
		return r.readDecimal(t)
	case kindUUID:
		b, err := r.takeBytes(int64(t.size))
		if err == nil {
			r.dst = append(jsontext.AppendUUID(append(r.dst, '"'), b), '"')
		}
		return err
	case kindDuration:
		return r.readDuration()
	default:
		return r.readTime(t)
	}
}

func (r *valueReader) readTime(t *schemaType) error {
	n, err := r.readLong(t)
	if err != nil {
		return err
	}
	switch t.kind {
	case kindDate:
		r.writeMoment(n, time.Unix(0, 0).UTC().AddDate(0, 0, int(n)), "2006-01-02", n > -1e6 && n < 1e7)
	case kindTimeMillis:
		r.writeClock(n, time.Millisecond, "15:04:05.000")
	case kindTimeMicros:
		r.writeClock(n, time.Microsecond, "15:04:05.000000")
	case kindTimestampMillis:
		r.writeMoment(n, time.UnixMilli(n), "2006-01-02T15:04:05.000Z", true)
	case kindTimestampMicros:
		r.writeMoment(n, time.UnixMicro(n), "2006-01-02T15:04:05.000000Z", true)
	case kindTimestampNanos:
		r.writeMoment(n, time.Unix(0, n), "2006-01-02T15:04:05.000000000Z", true)
	// With a blank, which is the form without a zone that Hive's types, and so Parquet and ORC by Firehose, read.
	case kindLocalMillis:
		r.writeMoment(n, time.UnixMilli(n), "2006-01-02 15:04:05.000", true)
	case kindLocalMicros:
		r.writeMoment(n, time.UnixMicro(n), "2006-01-02 15:04:05.000000", true)
	default:
		r.writeMoment(n, time.Unix(0, n), "2006-01-02 15:04:05.000000000", true)
	}
	return nil
}

// writeMoment writes t, or n, which stands for it, when the layout has no room for its
// year.
func (r *valueReader) writeMoment(n int64, t time.Time, layout string, known bool) {
	t = t.UTC()
	if year := t.Year(); !known || year < 0 || year > 9999 {
		r.dst = strconv.AppendInt(r.dst, n, 10)
		return
	}
	r.dst = append(t.AppendFormat(append(r.dst, '"'), layout), '"')
}

// writeClock writes a time of day.
func (r *valueReader) writeClock(n int64, unit time.Duration, layout string) {
	known := n >= 0 && n < int64(24*time.Hour/unit)
	r.writeMoment(n, time.Unix(0, n%int64(24*time.Hour/unit)*int64(unit)), layout, known)
}

// maxDigits limits the scale of a decimal, and half of it the bytes of its digits: the time to convert them to text grows
// with the square of their number.
const maxDigits = 1000

// readDecimal writes the exact digits as a number: 12.50 stays 12.50.
func (r *valueReader) readDecimal(t *schemaType) error {
	var b []byte
	var err error
	if t.kind == kindDecimalFixed {
		b, err = r.takeBytes(int64(t.size))
	} else {
		b, err = r.readSized()
	}
	if err != nil {
		return err
	}
	return r.writeDigits(b, t.scale)
}

// writeDigits writes the decimal whose unscaled value b is.
func (r *valueReader) writeDigits(b []byte, scale int) error {
	if len(b) > maxDigits/2 || scale > maxDigits {
		return errLongDecimal
	}
	r.dst = appendDecimal(r.dst, b, scale)
	return nil
}

// appendDecimal appends the number whose unscaled value b is, as two's complement
// with the highest byte first.
func appendDecimal(dst, b []byte, scale int) []byte {
	var digits []byte
	negative := false
	if len(b) <= 8 { // most are, and need no big number
		var n int64
		for i, c := range b {
			if i == 0 {
				n = int64(int8(c))
			} else {
				n = n<<8 | int64(c)
			}
		}
		var scratch [24]byte
		digits = strconv.AppendInt(scratch[:0], n, 10)
	} else {
		n := new(big.Int).SetBytes(b)
		if b[0] >= 0x80 {
			n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(len(b))*8))
		}
		digits = n.Append(nil, 10)
	}
	if digits[0] == '-' {
		negative, digits = true, digits[1:]
	}
	if negative {
		dst = append(dst, '-')
	}
	if scale <= 0 {
		return append(dst, digits...)
	}
	if len(digits) <= scale {
		dst = append(dst, '0', '.')
		for range scale - len(digits) {
			dst = append(dst, '0')
		}
		return append(dst, digits...)
	}
	whole := len(digits) - scale
	return append(append(append(dst, digits[:whole]...), '.'), digits[whole:]...)
}

// readDuration is three numbers of 32 bits that can't be added up: a month has no length.
func (r *valueReader) readDuration() error {
	b, err := r.takeBytes(12)
	if err != nil {
		return err
	}
	for i, name := range []string{`{"months":`, `,"days":`, `,"milliseconds":`} {
		r.dst = append(r.dst, name...)
		r.dst = strconv.AppendUint(r.dst, uint64(binary.LittleEndian.Uint32(b[4*i:])), 10)
	}
	r.dst = append(r.dst, '}')
	return nil
}
