package firehose

import (
	"time"

	"kafka-firehose/connector/firehose/putbatch"
)

// A refusal for size is a claim about the request, and nothing more: one broken proxy of
// three answers 413 to a record of five bytes. Two claims are distinguished.
const (
	// A limit of something between here and the service is a setting that people change,
	// by mistake as well. A record is reported as stuck after stuckAfter, and
	// people have ten minutes more before it counts as bad.
	pathProofTime = 15 * time.Minute
	// The service's own error on the size of a request.
	serviceProofTime = 30 * time.Second
	// proofRounds is how many times a lone record must be refused, with something accepted
	// before each. Were half of all requests refused by chance, twelve rounds would come
	// about in one case of 16 million.
	proofRounds = 12
	// knownRounds is how many times it is where a smaller record was proved too large.
	knownRounds = 2
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
	epoch    int           // counts the contradictions
	last     time.Time     // of the newest refusal
	refused  int           // the smallest size that was refused; 0 without one
	accepted int           // the largest size that was accepted
	answers  int64         // requests that were accepted
	proved   int           // the smallest size of a record that was proved too large; 0 without one
	least    time.Duration // by evidence of at least so long a time

	passed   int // the largest size that was accepted lately,
	passedAt time.Time
}

// loneProof is the part of the evidence that is about one record.
type loneProof struct {
	epoch   int       // of the sizeProof
	since   time.Time // of the record's first refusal in it; zero without one
	answers int64     // of the sizeProof at the newest refusal
	rounds  int       // refusals with something accepted before them
}

// acceptSize enters an answer that proves that a request of the size passes.
func (p *sizeProof) acceptSize(now time.Time, size int) {
	if p.refused > 0 && size >= p.refused {
		p.restartProof()
	}
	p.accepted = max(p.accepted, size)
	p.answers++
	if size >= p.passed || now.Sub(p.passedAt) >= passedLately {
		p.passed, p.passedAt = size, now
	}
}

// refuseSize enters a refusal for size.
func (p *sizeProof) refuseSize(now time.Time, size int) {
	if size <= p.accepted || now.Sub(p.last) > proofGap {
		p.restartProof()
	}
	if p.refused == 0 || size < p.refused {
		p.refused = size
	}
	p.last = now
}

// restartProof begins the next epoch. It keeps the sizes that passed lately.
func (p *sizeProof) restartProof() {
	*p = sizeProof{epoch: p.epoch + 1, answers: p.answers, passed: p.passed, passedAt: p.passedAt}
}

// provesTooLarge enters a refusal of a lone record, which refuse knows of, and reports whether
// size is proved to be the reason, by evidence of at least so long a time. A refusal of a
// larger record is no evidence against this one.
func (p *sizeProof) provesTooLarge(own *loneProof, now time.Time, size int, least time.Duration) bool {
	switch {
	case own.since.IsZero() || own.epoch != p.epoch:
		*own = loneProof{epoch: p.epoch, since: now}
	case p.answers > own.answers:
		own.rounds++
	}
	own.answers = p.answers
	known := p.proved > 0 && size >= p.proved && p.least >= least
	if known {
		return own.rounds >= knownRounds
	}
	if own.rounds < proofRounds || now.Sub(own.since) < least {
		return false
	}
	p.proved, p.least = size, least
	return true
}

// sizePasses reports whether a request of the size, or a larger one, was accepted lately.
func (p *sizeProof) sizePasses(now time.Time, size int) bool {
	return size <= p.passed && now.Sub(p.passedAt) < passedLately
}

// proofTime is how long the evidence for a refusal must last.
func proofTime(f *putbatch.RequestError) time.Duration {
	if f.Code == "InvalidArgumentException" {
		return serviceProofTime
	}
	return pathProofTime
}
