package filter

import (
	"strings"

	"cel.dev/cel-go/common/types"
)

// reasons are the beginnings of CEL's errors and their descriptions. CEL's own texts may hold a key or a string of the
// record, and errors go to logs.
var reasons = []struct{ prefix, description string }{
	{"no such key", "the record has no such member; has(...) asks whether it is there"},
	{"no such attribute", "the record has no such member; has(...) asks whether it is there"},
	{"no such overload", "the operation does not exist for values of these types"},
	{"index out of bounds", "the list is too short"},
	{"division by zero", "division by zero"},
	{"modulus by zero", "division by zero"},
	{"integer overflow", "a number is out of range"},
	{"unsigned integer overflow", "a number is out of range"},
	{"range", "a number is out of range"},
	{"type conversion error", "the value can't be converted to that type"},
	{"invalid RFC 3339 timestamp", "the value can't be converted to that type"},
	{"timestamp overflow", "a time is out of range"},
	{"duration overflow", "a time is out of range"},
}

// reasonOf describes CEL's error without anything of the record.
func reasonOf(err *types.Err) string {
	text := err.String()
	for _, r := range reasons {
		if strings.HasPrefix(text, r.prefix) {
			return r.description
		}
	}
	return "the evaluation failed"
}
