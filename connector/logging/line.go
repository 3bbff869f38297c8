package logging

import (
	"strings"
	"unicode"
)

// mostLine keeps a log line a line. A validation error about 501 records is tens of
// kilobytes long.
const mostLine = 200

// Line makes foreign text fit for a log line: no control characters, one
// blank for many, at most 200 characters.
func Line(message string) string {
	message = strings.Join(strings.FieldsFunc(strings.ToValidUTF8(message, "?"), func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r)
	}), " ")
	if r := []rune(message); len(r) > mostLine {
		message = string(r[:mostLine]) + "…"
	}
	return message
}
