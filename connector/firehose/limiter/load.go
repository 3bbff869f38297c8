package limiter

import "math"

// Load is an amount of data in both units of a quota: bytes of data before
// base64, and records. A rate is a Load per second.
type Load struct{ Bytes, Records float64 }

// unlimited stands for no limit in a Load. It is finite because 0 times infinity
// is not a number, and far above the rate of any process.
const unlimited = 1e15

// Plus returns the sum of both loads.
func (a Load) Plus(b Load) Load { return Load{a.Bytes + b.Bytes, a.Records + b.Records} }

func (a Load) minus(b Load) Load { return Load{a.Bytes - b.Bytes, a.Records - b.Records} }

// Times returns f times the load.
func (a Load) Times(f float64) Load { return Load{a.Bytes * f, a.Records * f} }

// AtMost returns the load, or max in the units in which it is above max.
func (a Load) AtMost(max Load) Load {
	return Load{min(a.Bytes, max.Bytes), min(a.Records, max.Records)}
}

// AtLeast returns the load, or min in the units in which it is below min.
func (a Load) AtLeast(min Load) Load {
	return Load{max(a.Bytes, min.Bytes), max(a.Records, min.Records)}
}

// Exceeds reports whether the load is above max in one of its units.
func (a Load) Exceeds(max Load) bool { return a.Bytes > max.Bytes || a.Records > max.Records }

func (a Load) zeroIsUnlimited() Load { return Load{orUnlimited(a.Bytes), orUnlimited(a.Records)} }
func (a Load) unlimitedIsInf() Load  { return Load{orInf(a.Bytes), orInf(a.Records)} }

func orUnlimited(v float64) float64 {
	if v <= 0 {
		return unlimited
	}
	return min(v, unlimited)
}

func orInf(v float64) float64 {
	// A share of unlimited is no limit either.
	if v >= unlimited/1e6 {
		return math.Inf(1)
	}
	return v
}
