package convert

import (
	"encoding/base64"
	"unicode/utf8"

	"kafka-firehose/connector/convert/jsontext"
)

const hexDigits = "0123456789abcdef"

// textSize is the length of s as a JSON string, quotes included.
func textSize(s []byte) int {
	n := len(s) + 2
	for i := jsontext.IndexSpecial(s, 0); i < len(s); i = jsontext.IndexSpecial(s, i+1) {
		if shortEscape(s[i]) != 0 {
			n++
		} else {
			n += len(`\u0000`) - 1
		}
	}
	return n
}

// appendText appends s, which is UTF-8, as a JSON string. Only what JSON asks for is
// escaped.
func appendText(dst, s []byte) []byte {
	dst = append(dst, '"')
	for {
		i := jsontext.IndexSpecial(s, 0)
		dst = append(dst, s[:i]...)
		if i == len(s) {
			return append(dst, '"')
		}
		if c := shortEscape(s[i]); c != 0 {
			dst = append(dst, '\\', c)
		} else {
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[s[i]>>4], hexDigits[s[i]&15])
		}
		s = s[i+1:]
	}
}

// shortEscape is the letter of the short escape for c, 0 if it has none.
func shortEscape(c byte) byte {
	switch c {
	case '"', '\\':
		return c
	case '\n':
		return 'n'
	case '\r':
		return 'r'
	case '\t':
		return 't'
	case '\b':
		return 'b'
	case '\f':
		return 'f'
	}
	return 0
}

// base64Size is the length of n bytes in base64 as a JSON string.
func base64Size(n int) int { return base64.StdEncoding.EncodedLen(n) + 2 }

func appendBase64(dst, b []byte) []byte {
	dst = append(dst, '"')
	dst = base64.StdEncoding.AppendEncode(dst, b)
	return append(dst, '"')
}

// textShape is how bytes are written into an envelope, and how long that is.
type textShape struct {
	form textForm
	size int  // without the name, with the quotes
	pack bool // JSON with blanks in it
}

type textForm uint8

const (
	null   textForm = iota
	asJSON          // as it is: it is JSON
	asText          // a string: it is UTF-8
	asBase64
)

// shapeOf finds the first of want, asText and asBase64 that b can have.
func shapeOf(b []byte, want textForm) textShape {
	switch {
	case b == nil:
		return textShape{form: null, size: len("null")}
	case want == asBase64 || !utf8.Valid(b):
		return textShape{form: asBase64, size: base64Size(len(b))}
	case want == asJSON:
		if blanks, ok := jsontext.ScanDocument(b); ok {
			return textShape{form: asJSON, size: len(b) - blanks, pack: blanks > 0}
		}
	}
	return textShape{form: asText, size: textSize(b)}
}

// appendText appends b, whose shape s is.
func (s textShape) appendText(dst, b []byte) []byte {
	switch s.form {
	case null:
		return append(dst, "null"...)
	case asText:
		return appendText(dst, b)
	case asBase64:
		return appendBase64(dst, b)
	default:
		if s.pack {
			return jsontext.AppendCompact(dst, b)
		}
		return append(dst, b...)
	}
}
