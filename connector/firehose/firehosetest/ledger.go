package firehosetest

import (
	"maps"
	"slices"
	"time"
)

// Stored is one record that a stream accepted.
type Stored struct {
	Stream    string
	Data      []byte // nil unless the ledger keeps data
	RecordID  string
	RequestID string
	Call      int // the request's Request.Call
	Index     int // within the request, from 0
	Time      time.Time
	// Signed is when the client signed the request, by its own clock and to the
	// second. On a slow network a request can be old when it arrives.
	Signed time.Time
	// Answered is false if the client was not told: the answer was destroyed, cut
	// or empty, did not name the record, or the client had left. Such a copy is
	// the ambiguous kind, which a client has to send again.
	Answered bool
}

// Request is an entry of the log: one HTTP request.
type Request struct {
	Call      int    // counts requests of all kinds, from 1
	Operation string // PutRecordBatch and so on, as far as known
	Stream    string // as far as known
	RequestID string
	Records   int   // that it brought
	Bytes     int   // of data, before base64, that it brought
	WireBytes int64 // of HTTP body; 0 if it was not read
	Stored    int   // records that were stored
	Refused   int   // records that were refused inside a 200
	Status    int   // HTTP status; 0 if no answer left
	Code      string
	Faults    []Effect // that struck
	Start     time.Time
	End       time.Time
	InFlight  int // requests inside the service when this one came, itself included
}

// Stats are counters since the service was made.
type Stats struct {
	Requests     int                    `json:"requests"`
	InFlight     int                    `json:"inFlight"`
	PeakInFlight int                    `json:"peakInFlight"`
	Outcomes     map[string]int         `json:"outcomes"` // :: error code, "200", or "none" for no answer -> requests
	Streams      map[string]StreamStats `json:"streams"`  // :: name -> its counters
}

// StreamStats are the counters of one stream.
type StreamStats struct {
	Requests   int   `json:"requests"`   // puts that reached the stream's quota
	Records    int   `json:"records"`    // stored
	Bytes      int64 `json:"bytes"`      // stored, before base64
	Billed     int64 `json:"billed"`     // bytes, each record rounded up to a multiple of 5,120
	Refused    int   `json:"refused"`    // records refused inside a 200
	Unanswered int   `json:"unanswered"` // stored records whose client was not told
}

// account is what one stream stored. [Service.mu] guards it.
type account struct {
	stats   StreamStats
	entries []Stored
}

// account finds or opens a stream's account. The caller holds mu.
func (s *Service) account(stream string) *account {
	a := s.ledger[stream]
	if a == nil {
		a = &account{}
		s.ledger[stream] = a
	}
	return a
}

// store enters records of one request and returns where in the account they
// are. The caller does not hold mu.
func (s *Service) store(stream string, refused int, recs []Stored) (first int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.account(stream)
	a.stats.Requests++
	a.stats.Refused += refused
	first = len(a.entries)
	for _, r := range recs {
		n := int64(len(r.Data))
		a.stats.Records++
		a.stats.Bytes += n
		a.stats.Billed += (n + billedUnit - 1) / billedUnit * billedUnit
		if !r.Answered {
			a.stats.Unanswered++
		}
		switch s.opt.Keep {
		case KeepEntries:
			r.Data = nil
			a.entries = append(a.entries, r)
		case KeepData:
			a.entries = append(a.entries, r)
		}
	}
	return first
}

// unanswer notes that the client was not told of n records from first on after
// all.
func (s *Service) unanswer(stream string, first int, recs []Stored) {
	s.mu.Lock()
	a := s.account(stream)
	for i, r := range recs {
		if !r.Answered {
			continue
		}
		a.stats.Unanswered++
		if s.opt.Keep != KeepCounts {
			a.entries[first+i].Answered = false
		}
	}
	s.mu.Unlock()
	for _, r := range recs {
		if s.opt.OnUnanswered != nil && r.Answered {
			r.Answered = false
			s.opt.OnUnanswered(r)
		}
	}
}

// Stored returns the records of a stream, in the order in which they were stored. Data
// must not be changed. It is empty with [KeepCounts].
func (s *Service) Stored(stream string) []Stored {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a := s.ledger[stream]; a != nil {
		return slices.Clone(a.entries)
	}
	return nil
}

// Requests returns the newest requests that have ended, oldest first; see
// [Options.KeepRequests].
func (s *Service) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.log)
}

// Stats returns the counters as they are now.
func (s *Service) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := Stats{
		Requests:     s.calls,
		InFlight:     s.inFlight,
		PeakInFlight: s.peak,
		Outcomes:     maps.Clone(s.outcomes),
		Streams:      make(map[string]StreamStats, len(s.ledger)),
	}
	for name, a := range s.ledger {
		st.Streams[name] = a.stats
	}
	return st
}
