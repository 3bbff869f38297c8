package firehosetest

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"time"
)

// Quota is the limit of a stream per second. Zero rates are unlimited.
type Quota struct {
	RecordsPerSecond  float64 `json:"recordsPerSecond,omitempty"`
	RequestsPerSecond float64 `json:"requestsPerSecond,omitempty"`
	BytesPerSecond    float64 `json:"bytesPerSecond,omitempty"` // of data, before base64
	// BurstSeconds is how many seconds' worth an idle stream saves up. Default 1;
	// the real service's value is not published.
	BurstSeconds float64 `json:"burstSeconds,omitempty"`
	// Scatter spreads the refused records of a partly refused request over it.
	// Without it the head is accepted and the tail refused.
	Scatter bool `json:"scatter,omitempty"`
	// WholeRequest answers 503 when requests run out, or when no record of a
	// request fits. Without it such a request gets the 200 with every entry
	// failed that is seen in practice.
	WholeRequest bool `json:"wholeRequest,omitempty"`
}

// DefaultQuota is what AWS gives a new Direct PUT stream in a region.
func DefaultQuota(region string) Quota {
	switch region {
	case "us-east-1", "us-west-2", "eu-west-1":
		return Quota{RecordsPerSecond: 500_000, RequestsPerSecond: 2_000, BytesPerSecond: 5 << 20}
	}
	return Quota{RecordsPerSecond: 100_000, RequestsPerSecond: 1_000, BytesPerSecond: 1 << 20}
}

// Validate reports every rate that is not a number of 0 or more.
func (q Quota) Validate() error {
	var errs []error
	for _, row := range []struct {
		name string
		v    float64
	}{
		{"recordsPerSecond", q.RecordsPerSecond},
		{"requestsPerSecond", q.RequestsPerSecond},
		{"bytesPerSecond", q.BytesPerSecond},
		{"burstSeconds", q.BurstSeconds},
	} {
		if row.v < 0 || math.IsNaN(row.v) || math.IsInf(row.v, 0) {
			errs = append(errs, fmt.Errorf("%s is %v; it must be 0 (the default) or more", row.name, row.v))
		}
	}
	return errors.Join(errs...)
}

// bucket is a token bucket. It fills with time, up to its size; the zero rate
// never runs out.
type bucket struct {
	rate, size, tokens float64
	last               time.Time // when tokens was right
}

func newBucket(rate, burstSeconds float64) bucket {
	if burstSeconds == 0 {
		burstSeconds = 1
	}
	size := max(rate*burstSeconds, 1) // at least one request or record ever
	return bucket{rate: rate, size: size, tokens: size}
}

// fill adds the tokens since the last call. A clock that went backwards,
// as between the outside and the inside of a synctest bubble, adds nothing.
func (b *bucket) fill(now time.Time) {
	if !b.last.IsZero() && now.After(b.last) {
		b.tokens = min(b.size, b.tokens+b.rate*now.Sub(b.last).Seconds())
	}
	b.last = now
}

// has reports whether n tokens may be taken. More tokens than the whole
// bucket holds may be taken from a full one, which then owes the rest: otherwise a
// quota below one record's size would be a deadlock.
func (b *bucket) has(n float64) bool {
	// Rounding: 0.1 s at 10 tokens a second may fill 0.9999999.
	const slack = 1e-9
	return b.rate == 0 || b.tokens+slack >= min(n, b.size)
}

// take removes n tokens.
func (b *bucket) take(n float64) {
	if b.rate != 0 {
		b.tokens -= n
	}
}

// meter is the rest of a stream's quota. [Service.mu] guards it.
type meter struct {
	quota                    Quota
	records, requests, bytes bucket
}

func newMeter(q Quota) meter {
	return meter{
		quota:    q,
		records:  newBucket(q.RecordsPerSecond, q.BurstSeconds),
		requests: newBucket(q.RequestsPerSecond, q.BurstSeconds),
		bytes:    newBucket(q.BytesPerSecond, q.BurstSeconds),
	}
}

// admit takes one request from the quota and, while they last, the records in
// order. sizes are those records' bytes, as (index, bytes); it returns the
// indexes that did not fit, which cost nothing.
func (m *meter) admit(now time.Time, order []int, size func(i int) int) (refused []int) {
	m.records.fill(now)
	m.requests.fill(now)
	m.bytes.fill(now)
	if !m.requests.has(1) {
		return slices.Clone(order)
	}
	m.requests.take(1)
	for _, i := range order {
		n := float64(size(i))
		if !m.records.has(1) || !m.bytes.has(n) {
			refused = append(refused, i)
			continue
		}
		m.records.take(1)
		m.bytes.take(n)
	}
	return refused
}
