// Package unwrap takes payloads out of the envelopes of Kafka Connect, and rows out of the change events of Debezium. It
// copies their bytes and is pure.
package unwrap

import (
	"errors"
	"fmt"

	"kafka-firehose/connector/convert/jsontext"
)

// The values of RECORD_UNWRAP.
const (
	None     = "none"     // values are sent as they are
	Connect  = "connect"  // {"schema":...,"payload":...} becomes its payload
	Debezium = "debezium" // a change event becomes its row and members that tell the change
)

// Modes are the values of RECORD_UNWRAP.
func Modes() []string { return []string{None, Connect, Debezium} }

// ErrNull says that the payload, or the whole value, is null.
var ErrNull = errors.New("the payload is null")

// maxName is the length of the longest name that is looked for, as JSON with each character escaped.
const maxName = len(`"`) + len(`__source`)*len(`\u0000`) + len(`"`)

// nameOf returns the text of a member's name, nil for one that is too long to be looked for. Names with escapes are other
// spellings of the same name.
func nameOf(quoted []byte) []byte {
	if len(quoted) > maxName {
		return nil
	}
	return jsontext.UnquoteText(quoted)
}

// isNull reports whether a member is absent or null.
func isNull(json []byte) bool { return len(json) == 0 || json[0] == 'n' }

// isObject reports whether a member is an object.
func isObject(json []byte) bool { return len(json) > 0 && json[0] == '{' }

// envelope is an object with the members that Kafka Connect's JSON converter writes. If a name comes twice, the last one
// counts.
type envelope struct {
	schema, payload []byte // nil if absent
	others          bool   // it has other members
}

func readEnvelope(object []byte) (e envelope) {
	for quoted, value := range jsontext.ObjectMembers(object) {
		switch string(nameOf(quoted)) {
		case "schema":
			e.schema = value
		case "payload":
			e.payload = value
		default:
			e.others = true
		}
	}
	return e
}

// Payload returns the payload in an envelope of Kafka Connect, which is a part of value. The value has to be valid, trimmed
// JSON. The error is ErrNull for a payload that is null; no error repeats the value.
func Payload(value []byte) ([]byte, error) {
	const not = "not an envelope of Kafka Connect: "
	switch {
	case isNull(value):
		return nil, ErrNull
	case !isObject(value):
		return nil, errors.New(not + "the value is no object")
	}
	switch e := readEnvelope(value); {
	case e.schema == nil:
		return nil, errors.New(not + "it has no member schema")
	case e.payload == nil:
		return nil, errors.New(not + "it has no member payload")
	case e.others:
		return nil, errors.New(not + "it has a member beside schema and payload")
	case !isNull(e.schema) && !isObject(e.schema):
		return nil, errors.New(not + "schema is neither an object nor null")
	case isNull(e.payload):
		return nil, ErrNull
	default:
		return e.payload, nil
	}
}

// errNoEvent is the beginning of errors for values that are no change events.
const errNoEvent = "not a change event of Debezium: "

// errorf is an error for a value that is no change event.
func errorf(format string, args ...any) error { return fmt.Errorf(errNoEvent+format, args...) }
