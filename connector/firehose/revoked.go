package firehose

import (
	"slices"
	"time"

	"kafka-firehose/connector/batch"
	"kafka-firehose/connector/offset"
)

// pendingRevocations are the leases that are about to end.
type pendingRevocations struct {
	waiting []revocation    // for requests in flight
	givenUp []*offset.Lease // records of these are not sent any more
}

// revocation is a lease that is about to end.
type revocation struct {
	lease  *offset.Lease
	inVain chan struct{} // closed when nothing of it is about to settle
}

// strandedWait is the pause before a delivery with records of a given-up lease is looked at
// again. The lease ends when the last commit was answered, within milliseconds mostly, and
// its records are left out then.
const strandedWait = 50 * time.Millisecond

// DropRevoked tells the stream that a lease is about to end. It returns a channel that is closed
// when the stream accepts nothing and no request in flight holds records of the lease: the
// others would be waited for in vain, and from then on none of them is sent.
//
// Requests in flight are another matter, also while the breaker is open. They may well be
// accepted, and records that are accepted after the lease has ended are sent a second time by the
// next owner of the partition. The same goes for a probe that starts when the last of them ends.
func (s *Stream) DropRevoked(lease *offset.Lease) <-chan struct{} {
	inVain := make(chan struct{})
	s.changeSender(func(l *sender) {
		l.revoked.waiting = append(l.revoked.waiting, revocation{lease, inVain})
		l.giveUp()
	})
	return inVain
}

// giveUp ends the wait for leases of which no request in flight holds records, if the stream
// accepts nothing. Otherwise the waiting records are about to be sent and accepted.
func (s *sender) giveUp() {
	v := &s.revoked
	v.waiting = slices.DeleteFunc(v.waiting, func(r revocation) bool { return r.lease.Closed() })
	if s.breakerClosed() {
		return
	}
	v.waiting = slices.DeleteFunc(v.waiting, func(r revocation) bool {
		if s.holdsLease(r.lease) {
			return false
		}
		close(r.inVain)
		v.givenUp = append(v.givenUp, r.lease)
		return true
	})
}

// holdsLease reports whether a request in flight, or a record that OnRefused has been asked about, has
// records of a lease.
func (s *sender) holdsLease(lease *offset.Lease) bool {
	has := func(d *delivery) bool { return d.batch.HoldsLease(lease) }
	return slices.ContainsFunc(s.refused, has) ||
		slices.ContainsFunc(s.flying, func(r *request) bool { return slices.ContainsFunc(r.deliveries, has) })
}

// holdsBatch reports whether a batch has records of a given-up lease that has not ended yet.
func (v *pendingRevocations) holdsBatch(b *batch.Batch) bool {
	v.givenUp = slices.DeleteFunc(v.givenUp, (*offset.Lease).Closed)
	return slices.ContainsFunc(v.givenUp, b.HoldsLease)
}
