package firehosetest

import (
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"time"
)

// What CloudWatch's protocol uses of CBOR (RFC 8949), as values of Go: uint64, string, bool, nil, float64,
// []any, map[string]any, and time.Time for tag 1. Everything else is an error.
const (
	cborUint   = 0
	cborText   = 3
	cborList   = 4
	cborMap    = 5
	cborTag    = 6
	cborSimple = 7

	cborIndefinite = 31 // length of a list or map that ends with cborBreak
	cborBreak      = 0xff
	cborMaxDepth   = 16
)

var errCBOR = errors.New("the body is not CBOR of the kind that this operation takes")

// cborReader reads one value after the other.
type cborReader struct {
	rest  []byte
	depth int
}

// decodeCBOR returns the one value that b holds.
func decodeCBOR(b []byte) (any, error) {
	r := cborReader{rest: b}
	v, err := r.value()
	if err == nil && len(r.rest) > 0 {
		err = errCBOR
	}
	return v, err
}

// head reads the major type and the argument of the next value.
func (r *cborReader) head() (major, info byte, argument uint64, err error) {
	if len(r.rest) == 0 {
		return 0, 0, 0, errCBOR
	}
	major, info = r.rest[0]>>5, r.rest[0]&31
	r.rest = r.rest[1:]
	switch {
	case info < 24:
		return major, info, uint64(info), nil
	case info == cborIndefinite:
		return major, info, 0, nil
	case info > 27 || len(r.rest) < 1<<(info-24):
		return 0, 0, 0, errCBOR
	}
	size := 1 << (info - 24)
	var wide [8]byte
	copy(wide[8-size:], r.rest[:size])
	r.rest = r.rest[size:]
	return major, info, binary.BigEndian.Uint64(wide[:]), nil
}

func (r *cborReader) value() (any, error) {
	if r.depth++; r.depth > cborMaxDepth {
		return nil, errCBOR
	}
	defer func() { r.depth-- }()
	major, info, n, err := r.head()
	switch {
	case err != nil:
		return nil, err
	case major == cborList:
		return r.list(info, n)
	case major == cborMap:
		return r.members(info, n)
	case info == cborIndefinite:
		return nil, errCBOR
	case major == cborUint:
		return n, nil
	case major == cborText && n <= uint64(len(r.rest)):
		text := string(r.rest[:n])
		r.rest = r.rest[n:]
		return text, nil
	case major == cborTag && n == 1:
		return r.timestamp()
	case major == cborSimple:
		return simpleCBOR(info, n)
	}
	return nil, errCBOR
}

func simpleCBOR(info byte, n uint64) (any, error) {
	switch info {
	case 20, 21:
		return info == 21, nil
	case 22:
		return nil, nil
	case 26:
		return float64(math.Float32frombits(uint32(n))), nil
	case 27:
		return math.Float64frombits(n), nil
	}
	return nil, errCBOR
}

func (r *cborReader) timestamp() (any, error) {
	v, err := r.value()
	switch v := v.(type) {
	case uint64:
		return time.Unix(int64(v), 0), err
	case float64:
		return time.UnixMilli(int64(v * 1000)), err
	}
	return nil, errCBOR
}

// more reports whether a list or map has another element.
func (r *cborReader) more(info byte, n uint64, have int) bool {
	if info != cborIndefinite {
		return uint64(have) < n
	}
	if len(r.rest) > 0 && r.rest[0] == cborBreak {
		r.rest = r.rest[1:]
		return false
	}
	return true
}

func (r *cborReader) list(info byte, n uint64) (any, error) {
	all := []any{}
	for r.more(info, n, len(all)) {
		v, err := r.value()
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, nil
}

func (r *cborReader) members(info byte, n uint64) (any, error) {
	all := map[string]any{}
	for r.more(info, n, len(all)) {
		key, err := r.value()
		name, ok := key.(string)
		if _, twice := all[name]; err != nil || !ok || twice {
			return nil, errCBOR
		}
		if all[name], err = r.value(); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// appendCBOR appends a value.
func appendCBOR(b []byte, v any) []byte {
	head := func(major byte, n int) []byte {
		return binary.BigEndian.AppendUint64(append(b, major<<5|27), uint64(n))
	}
	switch v := v.(type) {
	case string:
		return append(head(cborText, len(v)), v...)
	case float64:
		return binary.BigEndian.AppendUint64(append(b, cborSimple<<5|27), math.Float64bits(v))
	case time.Time:
		b = append(b, cborTag<<5|1)
		return appendCBOR(b, float64(v.UnixMilli())/1000)
	case []any:
		b = head(cborList, len(v))
		for _, element := range v {
			b = appendCBOR(b, element)
		}
		return b
	case map[string]any:
		b = head(cborMap, len(v))
		names := make([]string, 0, len(v))
		for name := range v {
			names = append(names, name)
		}
		slices.Sort(names)
		for _, name := range names {
			b = appendCBOR(appendCBOR(b, name), v[name])
		}
		return b
	}
	panic("firehosetest: no CBOR for this value")
}
