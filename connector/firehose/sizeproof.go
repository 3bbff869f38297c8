package firehose

import "time"

// A refusal for size is a claim about the request, and nothing more: one broken proxy of
// three answers 413 to a record of five bytes. Two claims are told apart.
const (
	// A limit of something between here and the service is a setting that people change,
	// by mistake as well. A record is reported as stubborn after stubbornAfter, and
	// people have ten minutes more before it is given up.
	pathProofTime = 15 * time.Minute
	// The service's own error on the size of a request.
	serviceProofTime = 30 * time.Second
	// proofRounds is how many times a lone record must be refused, with something smaller
	// accepted between any two of them. Were half of all requests refused by chance, twelve
	// rounds would come about in one case of 16 million.
	proofRounds = 12
	// proofGap is the longest time between two refusals of a proof: a limit that nothing
	// has met for longer may be gone.
	proofGap = 5 * time.Minute
	// passedLately is how long an accepted request shows that a request of its size passes.
	passedLately = time.Minute
)

// sizeProof collects the evidence that requests above some size are refused, and that
// their size is the reason. It holds only while all answers agree with one limit: each
// request that was refused is larger than each that was accepted. One answer that
// contradicts this starts the proof again.
//
// Sizes are those of the HTTP request's body, which is the size that a proxy limits.
//
// It is a pure state machine: the time is passed in. Stream.mu is held for its methods.
type sizeProof struct {
	since    time.Time // of the first refusal; zero without one
	last     time.Time // of the newest refusal
	refused  int       // the smallest size that was refused; 0 without one
	accepted int       // the largest size that was accepted
	rounds   int       // refusals of lone records with an acceptance in front of them
	fed      bool      // something was accepted since the newest of these

	passed   int // the largest size that was accepted lately,
	passedAt time.Time
}

// accept enters an answer that proves that a request of the size passes.
func (p *sizeProof) accept(now time.Time, size int) {
	if p.refused > 0 && size >= p.refused {
		p.restart()
	}
	p.accepted, p.fed = max(p.accepted, size), true
	if size >= p.passed || now.Sub(p.passedAt) >= passedLately {
		p.passed, p.passedAt = size, now
	}
}

// refuse enters a refusal for size. alone says that the request held a single record.
func (p *sizeProof) refuse(now time.Time, size int, alone bool) {
	if size <= p.accepted || now.Sub(p.last) > proofGap {
		p.restart()
	}
	if p.refused == 0 {
		p.since, p.refused = now, size
	}
	p.refused, p.last = min(p.refused, size), now
	if alone && p.fed {
		p.rounds++
		p.fed = false
	}
}

// restart forgets everything but the sizes that passed lately.
func (p *sizeProof) restart() { *p = sizeProof{passed: p.passed, passedAt: p.passedAt} }

// passes reports whether a request of the size, or a larger one, was accepted lately.
func (p *sizeProof) passes(now time.Time, size int) bool {
	return size <= p.passed && now.Sub(p.passedAt) < passedLately
}

// proved reports whether size is the reason for the refusals, by evidence of so long a time.
func (p *sizeProof) proved(least time.Duration) bool {
	return p.rounds >= proofRounds && p.last.Sub(p.since) >= least
}

// proofTime is how long the evidence for a refusal must last.
func proofTime(f *Failure) time.Duration {
	if f.Code == "InvalidArgumentException" {
		return serviceProofTime
	}
	return pathProofTime
}
