package retry

import "time"

// Outage is why the attempts of a client have failed since some time. It is never changed: a later failure makes another.
type Outage struct {
	Since    time.Time
	Failures int   // attempts since then
	Err      error // of the last one
	// Blocked says that only an operator can end it, for instance by granting a permission.
	Blocked bool
}

// ExtendOutage returns the outage after another failure. Before is nil if the attempt before has succeeded.
func ExtendOutage(before *Outage, err error, blocked bool) *Outage {
	after := &Outage{Since: time.Now(), Failures: 1, Err: err, Blocked: blocked}
	if before != nil {
		after.Since, after.Failures = before.Since, before.Failures+1
	}
	return after
}

// ShouldReport reports whether there is an outage that doesn't pass by itself, or that has lasted for patience.
func (o *Outage) ShouldReport(now time.Time, patience time.Duration) bool {
	return o != nil && (o.Blocked || now.Sub(o.Since) >= patience)
}
