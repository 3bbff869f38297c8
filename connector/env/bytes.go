package env

import (
	"errors"
	"math"
	"strconv"
	"strings"
)

// Bytes is a size in bytes. In the environment it is a plain number or a number of KiB, MiB or GiB.
type Bytes int64

// The units that Bytes reads. Only powers of two: a size that says MB leaves open which one is meant.
const (
	KiB Bytes = 1 << 10
	MiB Bytes = 1 << 20
	GiB Bytes = 1 << 30
)

// units is ordered from the largest, which is how String picks one.
var units = []struct {
	suffix string
	size   Bytes
}{{"GiB", GiB}, {"MiB", MiB}, {"KiB", KiB}}

var errBytes = errors.New("want a size: plain bytes such as 4000000, or KiB, MiB or GiB such as 256MiB")

// Decode reads s; envconfig calls it.
func (b *Bytes) Decode(s string) error {
	digits, unit := s, Bytes(1)
	for _, u := range units {
		short := strings.TrimSuffix(u.suffix, "B")
		if d, ok := strings.CutSuffix(strings.TrimSuffix(s, "B"), short); ok {
			digits, unit = d, u.size
			break
		}
	}
	// Digits alone, so that neither a sign nor an underscore passes.
	if digits == "" || strings.Trim(digits, "0123456789") != "" {
		return errBytes
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n > math.MaxInt64/int64(unit) {
		return errors.New("is more than 8 EiB: " + errBytes.Error())
	}
	*b = Bytes(n) * unit
	return nil
}

// String returns b in the largest unit that divides it, in a form that Decode reads.
func (b Bytes) String() string {
	for _, u := range units {
		if b != 0 && b%u.size == 0 {
			return strconv.FormatInt(int64(b/u.size), 10) + u.suffix
		}
	}
	return strconv.FormatInt(int64(b), 10)
}
