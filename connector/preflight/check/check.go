// Package check holds the findings of an inspection of the process's surroundings, and prints them:
// to people as a table, to programs as JSON, to the caller of the process as an exit code.
package check

import (
	"fmt"
	"strings"
)

// Severity is how bad a finding is. The order is that of badness.
type Severity int

// The severities.
const (
	OK      Severity = iota // it works, or will
	Warning                 // it works, and an operator should know
	Error                   // the service will not work like this
)

// String is ok, warning or error.
func (s Severity) String() string { return [...]string{"ok", "warning", "error"}[s] }

// MarshalText implements encoding.TextMarshaler.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// FindingKind is the inspected thing. Programs tell findings apart by it, so that a name never changes.
type FindingKind string

// The kinds, in the order of a report.
const (
	Setting     FindingKind = "setting"     // an environment variable
	Broker      FindingKind = "broker"      // a way to Kafka: name, connection, TLS, login
	Topic       FindingKind = "topic"       // a topic that is read
	Group       FindingKind = "group"       // the consumer group
	Offsets     FindingKind = "offsets"     // where the group stands in a topic
	DeadLetter  FindingKind = "dead-letter" // the topic for dead letters
	ClaimCheck  FindingKind = "claim-check" // the bucket for values that are too large
	Registry    FindingKind = "registry"    // an address of the Schema Registry
	Credentials FindingKind = "credentials" // what signs requests to Firehose
	Stream      FindingKind = "stream"      // a delivery stream
	Destination FindingKind = "destination" // where a delivery stream delivers to

	// These are steps of a sample record.

	Route    FindingKind = "route"    // the stream of its topic
	Value    FindingKind = "value"    // what its value is read as
	Unwrap   FindingKind = "unwrap"   // the result of RECORD_UNWRAP
	Filter   FindingKind = "filter"   // the result of RECORD_FILTER
	Mask     FindingKind = "mask"     // a rule of RECORD_MASK
	Envelope FindingKind = "envelope" // the members that its value is among
	Record   FindingKind = "record"   // what becomes of it
)

// Finding is one thing that was looked at.
type Finding struct {
	Severity Severity    `json:"severity"`
	Kind     FindingKind `json:"kind"`
	Name     string      `json:"name"`             // which of its kind; may be empty
	Found    string      `json:"found"`            // one line
	Advice   string      `json:"advice,omitempty"` // what to do about it
}

// Findings are those of one step.
type Findings []Finding

// AddOK adds something that is as it should be.
func (f *Findings) AddOK(k FindingKind, name, found string) { f.addFinding(OK, k, name, found, "") }

// AddNote adds something that is as it should be as far as can be seen, and what else to look at.
func (f *Findings) AddNote(k FindingKind, name, found, advice string) {
	f.addFinding(OK, k, name, found, advice)
}

// AddWarning adds a finding that works and that an operator should know.
func (f *Findings) AddWarning(k FindingKind, name, found, advice string) {
	f.addFinding(Warning, k, name, found, advice)
}

// AddError adds something without which the service will not work.
func (f *Findings) AddError(k FindingKind, name, found, advice string) {
	f.addFinding(Error, k, name, found, advice)
}

func (f *Findings) addFinding(s Severity, k FindingKind, name, found, advice string) {
	*f = append(*f, Finding{s, k, singleLine(name), singleLine(found), singleLine(advice)})
}

// singleLine makes one of what brokers and others have said.
func singleLine(s string) string {
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r <= ' ' || r == 0x7f }), " ")
}

// CountNoun is a number with its noun.
func CountNoun[T int | int64](n T, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
