package avro

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strconv"
	"unicode/utf8"

	"kafka-firehose/connector/convert/jsontext"
)

// valueReader reads a payload from its start and appends it as JSON. It never
// allocates by a length that the payload claims: lengths are compared with the rest
// of the payload, and an array of values that take no bytes ends at most.
type valueReader struct {
	b     []byte // the rest of the payload
	dst   []byte
	most  int // length that dst may have
	depth int
}

var (
	errCut     = errors.New("it ends too early")
	errVarint  = errors.New("a number has too many bytes")
	errLength  = errors.New("a length is negative")
	errNotUTF8 = errors.New("a string is not UTF-8")
	errBoolean = errors.New("a boolean is neither 0 nor 1")
	errInt     = errors.New("an int has more than 32 bits")

	errLongDecimal = errors.New("a decimal has too many digits")
)

func (r *valueReader) readValue(t *schemaType) (err error) {
	if len(r.dst) > r.most {
		return jsontext.ErrTooLong
	}
	switch t.kind {
	case kindNull:
		r.dst = append(r.dst, "null"...)
	case kindBoolean:
		return r.readBoolean()
	case kindInt, kindLong:
		var n int64
		if n, err = r.readLong(t); err == nil {
			r.dst = strconv.AppendInt(r.dst, n, 10)
		}
	case kindFloat, kindDouble:
		return r.readFloat(t.kind)
	case kindString:
		return r.readText()
	case kindBytes:
		var b []byte
		if b, err = r.readSized(); err == nil {
			err = r.writeBase64(b)
		}
	case kindEnum:
		return r.readSymbol(t)
	case kindFixed:
		var b []byte
		if b, err = r.takeBytes(int64(t.size)); err == nil {
			err = r.writeBase64(b)
		}
	case kindRecord, kindArray, kindMap, kindUnion:
		if r.depth == jsontext.MaxDepth {
			return jsontext.ErrDeep
		}
		r.depth++
		err = r.readNested(t)
		r.depth--
	default:
		return r.readLogical(t)
	}
	return err
}

func (r *valueReader) readNested(t *schemaType) error {
	switch t.kind {
	case kindRecord:
		return r.readRecord(t)
	case kindUnion:
		n, err := r.readLong(t)
		if err != nil {
			return err
		}
		if n < 0 || n >= int64(len(t.options)) {
			return fmt.Errorf("a union of %d types has no type %d", len(t.options), n)
		}
		return r.readValue(t.options[n]) // bare, without the name of the type
	default:
		return r.readBlocks(t)
	}
}

func (r *valueReader) readRecord(t *schemaType) error {
	if len(t.fields) == 0 {
		r.dst = append(r.dst, "{}"...)
		return nil
	}
	for i := range t.fields {
		f := &t.fields[i]
		r.dst = append(r.dst, f.open...)
		if err := r.readValue(f.typ); err != nil {
			if errors.Is(err, jsontext.ErrTooLong) || errors.Is(err, jsontext.ErrDeep) || r.depth > jsontext.NamedDepth {
				return err
			}
			return fmt.Errorf("%s: %w", f.name, err)
		}
	}
	r.dst = append(r.dst, '}')
	return nil
}

// readBlocks reads an array or a map: blocks of entries, each with their number before
// them, up to one of none.
func (r *valueReader) readBlocks(t *schemaType) error {
	opening, closing := byte('['), byte(']')
	if t.kind == kindMap {
		opening, closing = '{', '}'
	}
	r.dst = append(r.dst, opening)
	for first := true; ; {
		n, err := r.readVarint()
		if err != nil {
			return err
		}
		if n == 0 {
			r.dst = append(r.dst, closing)
			return nil
		}
		if n < 0 { // the size of the block in bytes follows
			if n = -n; n < 0 {
				return errLength
			}
			if size, err := r.readVarint(); err != nil || size < 0 {
				return errors.Join(errLength, err)
			}
		}
		for ; n > 0; n-- {
			if !first {
				r.dst = append(r.dst, ',')
			}
			first = false
			if t.kind == kindMap {
				if err := r.readText(); err != nil {
					return err
				}
				r.dst = append(r.dst, ':')
			}
			if err := r.readValue(t.items); err != nil {
				return err
			}
		}
	}
}

func (r *valueReader) readBoolean() error {
	b, err := r.takeBytes(1)
	switch {
	case err != nil:
		return err
	case b[0] > 1:
		return errBoolean
	}
	r.dst = strconv.AppendBool(r.dst, b[0] == 1)
	return nil
}

// readFloat writes what JSON has no number for as a string.
func (r *valueReader) readFloat(kind typeKind) error {
	if kind == kindFloat {
		b, err := r.takeBytes(4)
		if err == nil {
			r.dst = jsontext.AppendFloat(r.dst, float64(math.Float32frombits(binary.LittleEndian.Uint32(b))), 32)
		}
		return err
	}
	b, err := r.takeBytes(8)
	if err == nil {
		r.dst = jsontext.AppendFloat(r.dst, math.Float64frombits(binary.LittleEndian.Uint64(b)), 64)
	}
	return err
}

func (r *valueReader) readText() error {
	b, err := r.readSized()
	switch {
	case err != nil:
		return err
	case len(r.dst)+len(b) > r.most:
		return jsontext.ErrTooLong
	case !utf8.Valid(b):
		return errNotUTF8
	}
	r.dst = jsontext.AppendText(r.dst, b)
	return nil
}

func (r *valueReader) writeBase64(b []byte) error {
	if len(r.dst)+jsontext.Base64Size(len(b)) > r.most {
		return jsontext.ErrTooLong
	}
	r.dst = jsontext.AppendBase64(r.dst, b)
	return nil
}

func (r *valueReader) readSymbol(t *schemaType) error {
	n, err := r.readLong(t)
	if err != nil {
		return err
	}
	if n < 0 || n >= int64(len(t.symbols)) {
		return fmt.Errorf("an enum of %d symbols has no symbol %d", len(t.symbols), n)
	}
	r.dst = append(r.dst, t.symbols[n]...)
	return nil
}

// readSized takes bytes that have their length before them.
func (r *valueReader) readSized() ([]byte, error) {
	n, err := r.readVarint()
	switch {
	case err != nil:
		return nil, err
	case n < 0:
		return nil, errLength
	}
	return r.takeBytes(n)
}

func (r *valueReader) takeBytes(n int64) ([]byte, error) {
	if n > int64(len(r.b)) {
		return nil, errCut
	}
	b := r.b[:n]
	r.b = r.b[n:]
	return b, nil
}

// readLong reads the number of an int, which has 32 bits, or of anything else.
func (r *valueReader) readLong(t *schemaType) (int64, error) {
	n, err := r.readVarint()
	if err == nil && (t.kind == kindInt || t.kind == kindDate || t.kind == kindTimeMillis) && int64(int32(n)) != n {
		return 0, errInt
	}
	return n, err
}

func (r *valueReader) readVarint() (int64, error) {
	n, used := binary.Varint(r.b)
	switch {
	case used > 0:
		r.b = r.b[used:]
		return n, nil
	case used == 0:
		return 0, errCut
	default:
		return 0, errVarint
	}
}
