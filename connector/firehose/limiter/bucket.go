package limiter

import (
	"math"
	"time"
)

// maxWait is the longest wait in seconds. A large record at a small rate is a debt of
// hours, but the rate may rise meanwhile: the caller asks again.
const maxWait = 60

// tokenBucket is a token bucket in both units. A request may take more than the bucket
// holds; the requests after it wait until the debt is paid.
type tokenBucket struct {
	tokens Load
	filled time.Time
}

// addTokens adds the tokens of the time that has passed, up to size seconds of the rate, or to the saved
// load if that is more.
func (b *tokenBucket) addTokens(now time.Time, rate Load, size float64, saved Load) {
	if b.filled.IsZero() {
		b.filled, b.tokens = now, rate.Times(size)
	}
	b.tokens = b.tokens.Plus(rate.Times(now.Sub(b.filled).Seconds())).AtMost(rate.Times(size).AtLeast(saved))
	b.filled = now
}

// dropSaved leaves up to size seconds of the rate.
func (b *tokenBucket) dropSaved(rate Load, size float64) {
	b.tokens = b.tokens.AtMost(rate.Times(size))
}

// waitForTokens returns the time until the bucket holds something.
func (b *tokenBucket) waitForTokens(rate Load) time.Duration {
	seconds := max(-b.tokens.Bytes/rate.Bytes, -b.tokens.Records/rate.Records)
	if seconds < 0 {
		return 0
	}
	// A microsecond more, so that rounding leaves no empty bucket at that time.
	return time.Duration(math.Ceil((min(seconds, maxWait) + 1e-6) * float64(time.Second)))
}

func (b *tokenBucket) takeTokens(size Load) { b.tokens = b.tokens.minus(size) }

// limitTokens empties the bucket and takes that many seconds of the rate from it.
func (b *tokenBucket) limitTokens(rate Load, seconds float64) {
	b.tokens = b.tokens.AtMost(Load{}).minus(rate.Times(seconds))
}

// meterStep is the shortest time that a meter looks back; the longest is twice
// that. A stream's bucket holds one second, so a longer look would mix the saved
// burst with the quota.
const meterStep = 500 * time.Millisecond

// sentMeter measures the load that was started per second.
type sentMeter struct {
	since      time.Time
	last, open Load
}

func (m *sentMeter) addSent(now time.Time, size Load) {
	m.rollWindow(now)
	m.open = m.open.Plus(size)
}

func (m *sentMeter) perSecond(now time.Time) Load {
	m.rollWindow(now)
	return m.last.Plus(m.open).Times(1 / (meterStep + now.Sub(m.since)).Seconds())
}

func (m *sentMeter) rollWindow(now time.Time) {
	switch age := now.Sub(m.since); {
	case age >= 2*meterStep:
		m.since, m.last, m.open = now.Add(-meterStep), Load{}, Load{}
	case age >= meterStep:
		m.since, m.last, m.open = m.since.Add(meterStep), m.open, Load{}
	}
}
