package firehose

import (
	"slices"
	"sync"
	"time"

	"kafka-firehose/connector/batch"
	"kafka-firehose/connector/offset"
)

// inFlight are the parts whose records are in a request, from before it is sent until its
// result has settled them, and the leases that are revoked.
type inFlight struct {
	mu       sync.Mutex
	parts    map[*part]*batch.Batch
	revoked  []revoked
	stranded []*offset.Lease // records of these are not sent any more
}

// revoked is a lease that is about to end.
type revoked struct {
	lease    *offset.Lease
	stranded chan struct{} // closed when nothing of it is about to settle
}

// strandedWait is how long a part with records of a stranded lease waits before it is tried
// again. The lease ends when the last commit was answered, within milliseconds mostly, and its
// records are left out then.
const strandedWait = 50 * time.Millisecond

// send notes parts that are about to be sent together, and returns those that may be sent.
func (f *inFlight) send(group []*part) (sent []*part) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.parts == nil {
		f.parts = map[*part]*batch.Batch{}
	}
	f.stranded = slices.DeleteFunc(f.stranded, (*offset.Lease).Closed)
	for _, p := range group {
		if !slices.ContainsFunc(f.stranded, p.batch.Holds) {
			f.parts[p] = p.batch
			sent = append(sent, p)
		}
	}
	return sent
}

// settled notes that the result of a request has been applied to a part of it. The part may never
// have been in flight. The breaker has had the result before.
func (s *Stream) settled(p *part) {
	f := &s.inFlight
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.parts, p)
	if len(f.revoked) > 0 && !s.gate.isClosed() { // else the waiting parts are about to be sent and accepted
		f.strand()
	}
}

// strand ends the wait for leases that no request in flight holds. It needs f.mu.
func (f *inFlight) strand() {
	f.revoked = slices.DeleteFunc(f.revoked, func(r revoked) bool {
		if f.holds(r.lease) {
			return false
		}
		close(r.stranded)
		f.stranded = append(f.stranded, r.lease)
		return true
	})
}

// holds reports whether a request holds records of a lease. It needs f.mu.
func (f *inFlight) holds(lease *offset.Lease) bool {
	for _, b := range f.parts {
		if b.Holds(lease) {
			return true
		}
	}
	return false
}

// Stranded tells the stream that a lease is about to end. It returns a channel that is closed
// when the stream accepts nothing and no request in flight holds records of the lease: the
// others would be waited for in vain, and from then on none of them is sent.
//
// Requests in flight are another matter, also while the breaker is open. They may well be
// accepted, and records that are accepted after the lease has ended are sent a second time by the
// next owner of the partition. The same goes for a probe that starts when the last of them ends.
func (s *Stream) Stranded(lease *offset.Lease) <-chan struct{} {
	f := &s.inFlight
	f.mu.Lock()
	defer f.mu.Unlock()
	f.revoked = slices.DeleteFunc(f.revoked, func(r revoked) bool { return r.lease.Closed() })
	r := revoked{lease, make(chan struct{})}
	f.revoked = append(f.revoked, r)
	if !s.gate.isClosed() {
		f.strand()
	}
	return r.stranded
}
