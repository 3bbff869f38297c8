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

// Kind is the inspected thing. Programs tell findings apart by it, so that a name never changes.
type Kind string

// The kinds, in the order of a report.
const (
	Setting     Kind = "setting"     // an environment variable
	Broker      Kind = "broker"      // a way to Kafka: name, connection, TLS, login
	Topic       Kind = "topic"       // a topic that is read
	Group       Kind = "group"       // the consumer group
	Offsets     Kind = "offsets"     // where the group stands in a topic
	DeadLetter  Kind = "dead-letter" // the topic for dead letters
	ClaimCheck  Kind = "claim-check" // the bucket for values that are too large
	Registry    Kind = "registry"    // an address of the Schema Registry
	Credentials Kind = "credentials" // what signs requests to Firehose
	Stream      Kind = "stream"      // a delivery stream
	Destination Kind = "destination" // where a delivery stream delivers to
)

// Finding is one thing that was looked at.
type Finding struct {
	Severity Severity `json:"severity"`
	Kind     Kind     `json:"kind"`
	Name     string   `json:"name"`             // which of its kind; may be empty
	Found    string   `json:"found"`            // one line
	Advice   string   `json:"advice,omitempty"` // what to do about it
}

// Findings are those of one step.
type Findings []Finding

// OK adds something that is as it should be.
func (f *Findings) OK(k Kind, name, found string) { f.add(OK, k, name, found, "") }

// Note adds something that is as it should be as far as can be seen, and what else to look at.
func (f *Findings) Note(k Kind, name, found, advice string) { f.add(OK, k, name, found, advice) }

// Warn adds a finding that works and that an operator should know.
func (f *Findings) Warn(k Kind, name, found, advice string) { f.add(Warning, k, name, found, advice) }

// Fail adds something without which the service will not work.
func (f *Findings) Fail(k Kind, name, found, advice string) { f.add(Error, k, name, found, advice) }

func (f *Findings) add(s Severity, k Kind, name, found, advice string) {
	*f = append(*f, Finding{s, k, line(name), line(found), line(advice)})
}

// line makes one of what brokers and others have said.
func line(s string) string {
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r <= ' ' || r == 0x7f }), " ")
}

// Count is a number with its noun.
func Count[T int | int64](n T, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
