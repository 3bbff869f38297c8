package logging

import (
	"strings"
	"unicode"
)

// maxLine keeps a log line a line. A validation error about 501 records is tens of
// kilobytes long.
const maxLine = 200

// SingleLine makes foreign text fit for a log line: no control characters, one
// blank for many, at most 200 characters.
func SingleLine(message string) string {
	message = strings.Join(strings.FieldsFunc(strings.ToValidUTF8(message, "?"), func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r)
	}), " ")
	if r := []rune(message); len(r) > maxLine {
		message = string(r[:maxLine]) + "…"
	}
	return message
}
