package convert

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Delimiter is the bytes themselves that end a value; empty for none. Convert it with string or
// []byte to use it: String returns it escaped, for people.
type Delimiter string

// maxDelimiter is far above any delimiter that a reader of files splits at.
const maxDelimiter = 16

var (
	errEscape        = errors.New(`want text with no other escapes than \n \r \t \0 \xHH and \\, or none`)
	errLongDelimiter = fmt.Errorf("want %d bytes or fewer", maxDelimiter)
)

// Decode reads a delimiter with its escapes; envconfig calls it.
func (d *Delimiter) Decode(s string) error {
	switch s {
	case "none":
		*d = ""
		return nil
	case "n", "r", "t", "0":
		// RECORD_DELIMITER=\n without quotes arrives like this, and every record would end in an n.
		return fmt.Errorf(`a shell has eaten the backslash of '\%s'; put it in quotes`, s)
	}
	var out []byte
	for len(s) > 0 {
		b, rest, err := unescapeByte(s)
		if err != nil {
			return err
		}
		out, s = append(out, b), rest
	}
	if len(out) > maxDelimiter {
		return errLongDelimiter
	}
	*d = Delimiter(out)
	return nil
}

// unescapeByte takes the first byte off s, which is not empty.
func unescapeByte(s string) (b byte, rest string, err error) {
	if s[0] != '\\' {
		return s[0], s[1:], nil
	}
	if len(s) < 2 {
		return 0, "", errEscape
	}
	rest = s[2:]
	switch s[1] {
	case 'n', 'r', 't', '\\':
		return "\n\r\t\\"[strings.IndexByte(`nrt\`, s[1])], rest, nil
	case '0':
		// \012 is a newline elsewhere; here it would be three bytes.
		if rest != "" && rest[0] >= '0' && rest[0] <= '9' {
			return 0, "", errEscape
		}
		return 0, rest, nil
	case 'x':
		if len(rest) < 2 {
			return 0, "", errEscape
		}
		n, err := strconv.ParseUint(rest[:2], 16, 8)
		if err != nil {
			return 0, "", errEscape
		}
		return byte(n), rest[2:], nil
	}
	return 0, "", errEscape
}

// isInJSON reports whether compact JSON can contain a character of d. It contains no control characters.
func (d Delimiter) isInJSON() bool {
	return strings.ContainsFunc(string(d), func(r rune) bool { return r >= ' ' })
}

// String returns d in a form that Decode reads, without any byte that a terminal can't show.
func (d Delimiter) String() string {
	if d == "" {
		return "none"
	}
	var out strings.Builder
	for _, b := range []byte(d) {
		switch {
		case b == '\n':
			out.WriteString(`\n`)
		case b == '\r':
			out.WriteString(`\r`)
		case b == '\t':
			out.WriteString(`\t`)
		case b == '\\':
			out.WriteString(`\\`)
		case b < ' ' || b > '~':
			fmt.Fprintf(&out, `\x%02x`, b)
		default:
			out.WriteByte(b)
		}
	}
	// A delimiter that Decode would read as a word of its own is marked by one escape.
	if text := out.String(); text == "none" || len(text) == 1 && strings.Contains("nrt0", text) {
		return fmt.Sprintf(`\x%02x%s`, text[0], text[1:])
	}
	return out.String()
}
