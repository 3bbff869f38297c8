package retry

import "time"

// Outage is why the attempts of a client have failed since some time. It is never changed: a later failure makes another.
type Outage struct {
	Since time.Time
	Err   error
	// Blocked says that only an operator can end it, for instance by granting a permission.
	Blocked bool
}

// ExtendOutage returns the outage after another failure. Before is nil if the attempt before has succeeded.
func ExtendOutage(before *Outage, err error, blocked bool) *Outage {
	after := &Outage{Since: time.Now(), Err: err, Blocked: blocked}
	if before != nil {
		after.Since = before.Since
	}
	return after
}

// ShouldReport reports whether there is an outage that doesn't pass by itself, or that has lasted for patience.
func (o *Outage) ShouldReport(now time.Time, patience time.Duration) bool {
	return o != nil && (o.Blocked || now.Sub(o.Since) >= patience)
}
