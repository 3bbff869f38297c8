package jsonschema

import (
	"bytes"
	"math/big"
	"strconv"
)

// decimal is an exact number: 0.DIGITS times ten to the power of exp.
type decimal struct {
	negative bool
	digits   []byte // without zeros at either end; none for zero
	exp      int
}

// parseDecimal reads a JSON number. The digits may be part of b, or appended to scratch.
func parseDecimal(b, scratch []byte) decimal {
	var d decimal
	if b[0] == '-' {
		d.negative, b = true, b[1:]
	}
	if at := bytes.IndexAny(b, "eE"); at >= 0 {
		d.exp, _ = strconv.Atoi(string(b[at+1:])) // a countable one
		b = b[:at]
	}
	whole := b
	if at := bytes.IndexByte(b, '.'); at >= 0 {
		whole = b[:at]
		b = append(append(scratch[:0], whole...), b[at+1:]...)
	}
	d.exp += len(whole)
	trimmed := bytes.TrimLeft(b, "0")
	d.exp -= len(b) - len(trimmed)
	if d.digits = bytes.TrimRight(trimmed, "0"); len(d.digits) == 0 {
		return decimal{}
	}
	return d
}

// isWhole reports whether d has no fraction.
func (d decimal) isWhole() bool { return len(d.digits) <= d.exp || len(d.digits) == 0 }

func (d decimal) compareTo(e decimal) int {
	switch {
	case d.negative != e.negative:
		if d.negative {
			return -1
		}
		return 1
	case d.negative:
		d, e = e, d
	}
	switch {
	case len(d.digits) == 0 || len(e.digits) == 0:
		return len(d.digits) - len(e.digits)
	case d.exp != e.exp:
		return d.exp - e.exp
	default:
		return bytes.Compare(d.digits, e.digits)
	}
}

// multipleOf reports whether d is e times a whole number; e is above zero.
func (d decimal) multipleOf(e decimal) bool {
	if len(d.digits) == 0 {
		return true
	}
	if multiple, ok := d.smallMultipleOf(e); ok {
		return multiple
	}
	n, _ := new(big.Int).SetString(string(d.digits), 10)
	m, _ := new(big.Int).SetString(string(e.digits), 10)
	ten := big.NewInt(10)
	switch power := (d.exp - len(d.digits)) - (e.exp - len(e.digits)); {
	case power >= 0:
		n.Mul(n, ten.Exp(ten, big.NewInt(int64(power)), m))
	case -power > len(d.digits)+len(e.digits):
		return false // it would have to end in more zeros than it has digits
	default:
		m.Mul(m, ten.Exp(ten, big.NewInt(int64(-power)), nil))
	}
	return n.Rem(n, m).Sign() == 0
}

// smallMultipleOf is multipleOf for numbers that are an int64 in the unit of the last digit
// of either; it is not ok for others.
func (d decimal) smallMultipleOf(e decimal) (multiple, ok bool) {
	unit := min(d.exp-len(d.digits), e.exp-len(e.digits))
	if d.exp-unit > maxSmallDigits || e.exp-unit > maxSmallDigits {
		return false, false
	}
	return d.unitsOf(unit)%e.unitsOf(unit) == 0, true
}

// maxSmallDigits is the number of digits that an int64 has room for, whatever they are.
const maxSmallDigits = 18

// unitsOf is the magnitude of d in units of ten to the power of unit.
func (d decimal) unitsOf(unit int) (n int64) {
	for _, c := range d.digits {
		n = n*10 + int64(c-'0')
	}
	for range d.exp - len(d.digits) - unit {
		n *= 10
	}
	return n
}

// limit is a number in a schema.
type limit struct {
	decimal
	small int64 // its value, if it is an int64
	isInt bool
}

func newLimit(r *big.Rat) *limit {
	if r == nil {
		return nil
	}
	digits, _ := r.FloatPrec() // exact: it was written as a decimal
	l := &limit{decimal: parseDecimal([]byte(r.FloatString(digits)), nil)}
	if l.isInt = r.IsInt() && r.Num().IsInt64(); l.isInt {
		l.small = r.Num().Int64()
	}
	return l
}

// smallInt is the value of a number without a fraction and an exponent that is far below
// the range of an int64.
func smallInt(b []byte) (n int64, ok bool) {
	digits := b
	if b[0] == '-' {
		digits = b[1:]
	}
	if len(digits) > maxSmallDigits {
		return 0, false
	}
	for _, c := range digits {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	if len(digits) < len(b) {
		n = -n
	}
	return n, true
}
