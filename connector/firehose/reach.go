package firehose

import "time"

const (
	// missingInARow answers, with none that came between, are taken as a sign of too
	// large requests. One alone is an accident.
	missingInARow = 2
	// mostHalvings leave 62 KB and 7 records of a full request: what is wrong then is
	// not the size.
	mostHalvings = 6
	// timeHalvings is after how many halvings a request has twice FIREHOSE_REQUEST_TIMEOUT.
	timeHalvings = 3
	// slowestUplink is what a request's body may be sent at, in bytes of data a second,
	// without running into the timeout: 4 MB get 16 seconds more. Each halving halves it,
	// so that a full request always has as long, and mostForSize bounds what a single
	// large record gets.
	slowestUplink = 256 << 10
	mostForSize   = time.Minute
	// mostNeeded is how many answers it takes to try more after this has failed again and
	// again: then one attempt in so many comes to nothing.
	mostNeeded = 64
)

// reach is how large a request may be for its answer to come back. On an uplink that
// is too slow for a full request, or behind something that ends what is too large or
// takes too long, the same four megabytes would be sent for ever: nobody knows whether
// they arrived, each time they may have, and no commit moves.
//
// So answers that are missing halve what a request may hold, in bytes and in records, and
// how many there may be at once, and give the service a little more time. All that is
// taken back when a request that used all of it is answered in so short a time that twice
// as much would have been in time as well: on a slow link it comes to rest, and after an
// outage it is as before after six answers. Where it is not time that decides, more is
// tried and fails, and each time it takes twice as many answers until it is tried again.
//
// It is a pure state machine.
type reach struct {
	halvings int
	missing  int    // answers in a row
	good     int    // answers after which more may be tried
	needed   int    // of them
	tried    bool   // more is being tried: no full request was answered since
	smallest amount // of the requests that were not answered; zero when there is none
}

// limit is what a request may hold where most is what it could.
func (r *reach) limit(most amount) amount {
	l := most.times(1 / float64(int(1)<<r.halvings))
	return amount{max(1, l.bytes), max(1, l.records)}
}

// atOnce is how many requests there may be where most is how many there could.
func (r *reach) atOnce(most int) int { return max(1, most>>r.halvings) }

// lost enters that nobody knows what became of a request of a size, which was started
// after so many halvings. Many that were in flight together halve once.
func (r *reach) lost(halvings int, size amount) {
	r.missing++
	if r.smallest == (amount{}) {
		r.smallest = size
	}
	r.smallest = r.smallest.least(size)
	if halvings < r.halvings || r.missing < missingInARow && !r.tried {
		return
	}
	if r.tried {
		r.needed = min(2*max(1, r.needed), mostNeeded)
	}
	r.halvings = min(r.halvings+1, mostHalvings)
	r.good, r.tried = 0, false
}

// answered enters that an answer came after that time. full says that the request was
// at least half as large as the limit.
func (r *reach) answered(halvings int, size amount, full bool, took, timeout time.Duration) {
	r.missing = 0
	if !r.smallest.exceeds(size) { // it is not as it was
		r.needed, r.smallest = 1, amount{}
	}
	if !full || halvings != r.halvings {
		return
	}
	r.tried = false
	if r.halvings == 0 || took > patience(r.halvings-1, timeout)/2 {
		return
	}
	if r.good++; r.good >= r.needed {
		r.halvings--
		r.good, r.tried = 0, true
	}
}

// patience is how long a request without a body would have.
func patience(halvings int, timeout time.Duration) time.Duration {
	return timeout * time.Duration(timeHalvings+halvings) / timeHalvings
}

// timeLimit is how long a request of so many bytes has.
func timeLimit(halvings int, timeout time.Duration, bytes float64) time.Duration {
	forSize := bytes / slowestUplink * float64(int(1)<<halvings) * float64(time.Second)
	return patience(halvings, timeout) + min(time.Duration(forSize), mostForSize)
}
