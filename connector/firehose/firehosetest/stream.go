package firehosetest

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Stream is one delivery stream.
type Stream struct {
	// Name has 1 to 64 of the characters a-z A-Z 0-9 _ . -
	Name string `json:"name"`
	// Type is where the stream's records come from. Default DirectPut; puts to a
	// stream of any other type are refused.
	Type string `json:"type,omitempty"`
	// Status is default ACTIVE; puts to a stream that is not are refused.
	Status string `json:"status,omitempty"`
	// Encrypted is what answers report: whether server-side encryption is on.
	Encrypted bool `json:"encrypted,omitempty"`
	// Key is the ARN of the customer managed key of KMS that encrypts the stream at rest, as
	// DescribeDeliveryStream reports it. It implies Encrypted. [RefuseKey] makes it unusable.
	Key string `json:"key,omitempty"`
	// Quota is the stream's limit per second. Default: none.
	Quota Quota `json:"quota,omitzero"`
	// Refusal, if set, is the code of the error that every put gets, such as
	// InvalidKMSResourceException, InvalidSourceException or
	// AccessDeniedException (which then comes before validation, and answers
	// DescribeDeliveryStream too: the one of IAM and not the one of KMS, which is RefuseKey's).
	Refusal string `json:"refusal,omitempty"`
	// Processors are only reported, by DescribeDeliveryStream.
	Processors []Processor `json:"processors,omitempty"`
}

// Processor is a step of a stream's ProcessingConfiguration, such as
// RecordDeAggregation or AppendDelimiterToRecord.
type Processor struct {
	Type       string            `json:"type"`
	Parameters map[string]string `json:"parameters,omitempty"`
}

// directPut is the one source type that takes puts.
const directPut = "DirectPut"

var (
	streamTypes    = []string{directPut, "KinesisStreamAsSource", "MSKAsSource", "DatabaseAsSource"}
	streamStatuses = []string{"ACTIVE", "CREATING", "CREATING_FAILED", "DELETING", "DELETING_FAILED"}
)

// keyARN is the form of a stream's own key. Since 2026 the service takes no alias for one.
var keyARN = regexp.MustCompile(`^arn:[a-z-]+:kms:[a-z0-9-]+:\d{12}:key/[A-Za-z0-9-]+$`)

// withDefaults fills in empty fields.
func (st Stream) withDefaults() Stream {
	if st.Type == "" {
		st.Type = directPut
	}
	if st.Status == "" {
		st.Status = "ACTIVE"
	}
	st.Encrypted = st.Encrypted || st.Key != ""
	return st
}

// Validate reports everything that [Service.AddStream] would panic over.
func (st Stream) Validate() error {
	var errs []error
	if st.Name == "" || len(st.Name) > maxNameLength || !nameCharacters(st.Name) {
		errs = append(errs, fmt.Errorf("stream name is %q; it must be 1 to %d characters of a-z A-Z 0-9 _ . -", st.Name, maxNameLength))
	}
	if st.Type != "" && !slices.Contains(streamTypes, st.Type) {
		errs = append(errs, fmt.Errorf("type of stream %q is %q; it must be one of %s", st.Name, st.Type, strings.Join(streamTypes, ", ")))
	}
	if st.Status != "" && !slices.Contains(streamStatuses, st.Status) {
		errs = append(errs, fmt.Errorf("status of stream %q is %q; it must be one of %s", st.Name, st.Status, strings.Join(streamStatuses, ", ")))
	}
	if st.Key != "" && !keyARN.MatchString(st.Key) {
		errs = append(errs, fmt.Errorf("key of stream %q is %q; it must be the ARN of a key and no alias, such as arn:aws:kms:us-east-1:123456789012:key/ID", st.Name, st.Key))
	}
	if err := st.Quota.Validate(); err != nil {
		errs = append(errs, fmt.Errorf("quota of stream %q: %w", st.Name, err))
	}
	return errors.Join(errs...)
}

// nameCharacters reports whether s holds only what the model's pattern
// [a-zA-Z0-9_.-]+ allows.
func nameCharacters(s string) bool {
	for _, c := range []byte(s) {
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		if !letter && (c < '0' || c > '9') && c != '_' && c != '.' && c != '-' {
			return false
		}
	}
	return s != ""
}

// streamState is an existing Stream, with the rest of its quota.
type streamState struct {
	Stream
	created time.Time
	meter   meter
}

// AddStream adds a stream, or replaces the one of that name and refills its
// quota. It panics if st is not valid.
func (s *Service) AddStream(st Stream) {
	if err := st.Validate(); err != nil {
		panic("firehosetest: " + err.Error())
	}
	st = st.withDefaults()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.streams[st.Name] = &streamState{Stream: st, created: time.Now(), meter: newMeter(st.Quota)}
}

// DeleteStream removes a stream and reports whether it existed. Its stored
// records stay in the ledger.
func (s *Service) DeleteStream(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.streams[name]
	delete(s.streams, name)
	return ok
}

// SetQuota gives a stream a new, full quota and reports whether the stream is
// there. It panics if q is not valid.
func (s *Service) SetQuota(name string, q Quota) bool {
	if err := q.Validate(); err != nil {
		panic("firehosetest: " + err.Error())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	st, ok := s.streams[name]
	if ok {
		st.Quota, st.meter = q, newMeter(q)
	}
	return ok
}

// Streams returns the streams that are there, sorted by name.
func (s *Service) Streams() []Stream {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]Stream, 0, len(s.streams))
	for _, st := range s.streams {
		out = append(out, st.Stream)
	}
	slices.SortFunc(out, func(a, b Stream) int { return strings.Compare(a.Name, b.Name) })
	return out
}
