package limiter

import (
	"math/rand/v2"
	"testing"
	"time"
)

// proxied sends requests, one after another, through something that refuses bodies
// above a limit, and returns how many were refused and the largest that passed.
func proxied(s *sizeRefusals, requests int, limit float64) (refused int, largest float64) {
	const configured = 4_000_000
	for range requests {
		bytes := s.maxBytes(configured)
		trial, lowered := s.startTrial(bytes), s.lowered
		s.endTrial(trial)
		if bytes > limit {
			refused++
			s.refuseSize(bytes, lowered, trial)
		} else {
			largest = max(largest, bytes)
			s.passSize(bytes, configured)
		}
	}
	return refused, largest
}

// Behind any limit between 10 kB and 4 MB, at most one request in 20 is refused once
// the limit is found, requests use most of it, and they are as large as before soon
// after it is gone.
func TestSizeRefusals(t *testing.T) {
	t.Parallel()
	for limit := 10_000.0; limit < 4_000_000; limit *= 1.17 {
		var s sizeRefusals
		proxied(&s, 100, limit)
		refused, largest := proxied(&s, 2000, limit)
		if refused > 2000/20 {
			t.Errorf("limit %.0f: %d of 2000 requests refused", limit, refused)
		}
		if largest < closeEnough*limit {
			t.Errorf("limit %.0f: the largest request has %.0f bytes", limit, largest)
		}
		proxied(&s, 2*maxTrialAnswers, 1e9)
		if s.limit != 0 {
			t.Errorf("limit %.0f: still %.0f after it is gone", limit, s.limit)
		}
	}
}

// A service whose "4 MB" is decimal is found with the first refusal.
func TestSizeOfService(t *testing.T) {
	t.Parallel()
	var s sizeRefusals
	s.refuseSize(4_194_304, 0, false)
	if s.limit != documentedBytes {
		t.Errorf("limit %.0f", s.limit)
	}
}

// Many refusals of requests that were in flight together lower the limit once, and a
// lone record above the limit changes nothing.
func TestSizeOfRequestsInFlight(t *testing.T) {
	t.Parallel()
	var s sizeRefusals
	for range 16 {
		s.refuseSize(1_000_000, 0, false)
	}
	if s.limit != 500_000 {
		t.Errorf("limit %.0f after a wave of refusals", s.limit)
	}
	s.refuseSize(900_000, s.lowered, false)
	if s.limit != 500_000 {
		t.Errorf("limit %.0f after a larger record was refused", s.limit)
	}
}

// Where records are large, the next size that is tried holds one more of them.
func TestSizeOfLargeRecords(t *testing.T) {
	t.Parallel()
	const record = 8192
	var s sizeRefusals
	pump := func(requests int, limit float64) {
		for range requests {
			bytes := max(1, float64(int(s.maxBytes(4_000_000)/record))) * record
			trial, lowered := s.startTrial(bytes), s.lowered
			if s.endTrial(trial); bytes > limit {
				s.refuseSize(bytes, lowered, trial)
			} else {
				s.passSize(bytes, 4_000_000)
			}
		}
	}
	pump(200, 15_000)
	if s.limit < record || s.limit >= 2*record {
		t.Errorf("limit %.0f, a record has %d bytes and two don't pass", s.limit, record)
	}
	if pump(1000, 1e9); s.limit != 0 {
		t.Errorf("limit %.0f after it is gone", s.limit)
	}
}

// Chance that loses 5 % of the requests of every size doesn't lower the size in a million
// requests, which are eleven hours at 25 requests per second.
func TestChanceLosses(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(3, 3))
	l := lostAnswers{timeout: 10 * time.Second}
	permitted := Load{Bytes: 100_000, Records: 500}
	for i := range 1_000_000 {
		size := permitted.Times(0.1 + 0.9*random.Float64())
		if random.Float64() < 0.05 {
			l.countLost(size, permitted, l.halvings)
		} else {
			l.countAnswer(size, permitted, l.halvings, 50*time.Millisecond)
		}
		if l.halvings > 0 {
			t.Fatalf("lowered after %d requests", i)
		}
	}
}

// Requests that hold too much for their way are never answered: the size is lowered
// until they pass, few are lost afterwards, and it is as before when the way is clear.
func TestLostAnswers(t *testing.T) {
	t.Parallel()
	l := lostAnswers{timeout: 10 * time.Second}
	max := Load{Bytes: 4_000_000, Records: 500}
	pump := func(requests int, passes float64) (lost int) {
		for range requests {
			size := l.limitLoad(max)
			if size.Bytes > passes {
				lost++
				l.countLost(size, size, l.halvings)
			} else {
				l.countAnswer(size, size, l.halvings, 100*time.Millisecond)
			}
		}
		return lost
	}
	if lost := pump(100, 300_000); lost > 30 {
		t.Errorf("%d of the first 100 requests lost", lost)
	}
	if lost := pump(2000, 300_000); lost > 40 {
		t.Errorf("%d of 2000 requests lost", lost)
	}
	if got := l.limitLoad(max).Bytes; got != 250_000 && got != 500_000 {
		t.Errorf("limit %.0f", got)
	}
	if pump(2000, 1e9); l.limitLoad(max) != max {
		t.Errorf("limit %+v after the way is clear", l.limitLoad(max))
	}
}

// Small requests that are lost, too, show that the size is not the reason.
func TestSmallRequestsLost(t *testing.T) {
	t.Parallel()
	l := lostAnswers{timeout: 10 * time.Second}
	permitted := Load{Bytes: 100_000, Records: 500}
	for range 100 {
		l.countLost(permitted, permitted, 0)
		l.countLost(permitted.Times(0.1), permitted, 0)
	}
	if l.halvings > 0 {
		t.Errorf("%d halvings", l.halvings)
	}
}

// The time limit grows with the size and with each halving; that of a full request
// stays above what slowestUplink needs.
func TestTimeLimit(t *testing.T) {
	t.Parallel()
	l := lostAnswers{timeout: 9 * time.Second}
	for halvings, seconds := range []int{9 + 4, 12 + 8, 15 + 16, 18 + 32, 21 + 60} {
		want := time.Duration(seconds) * time.Second
		l.halvings = halvings
		if got := l.timeLimit(1 << 20); got != want {
			t.Errorf("%v for 1 MiB after %d halvings, want %v", got, halvings, want)
		}
	}
}
