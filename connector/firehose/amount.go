package firehose

import (
	"math"
	"time"
)

// amount is a quantity in both of the units that a quota is given in: bytes of
// data before base64, and records.
type amount struct{ bytes, records float64 }

func (a amount) plus(b amount) amount   { return amount{a.bytes + b.bytes, a.records + b.records} }
func (a amount) times(f float64) amount { return amount{a.bytes * f, a.records * f} }
func (a amount) least(b amount) amount {
	return amount{min(a.bytes, b.bytes), min(a.records, b.records)}
}

func (a amount) most(b amount) amount {
	return amount{max(a.bytes, b.bytes), max(a.records, b.records)}
}
func (a amount) exceeds(b amount) bool       { return a.bytes > b.bytes || a.records > b.records }
func (a amount) over(d time.Duration) amount { return a.times(1 / d.Seconds()) }

var unlimited = amount{math.Inf(1), math.Inf(1)}
