package jsontext

import (
	"encoding/base64"
	"errors"
	"math"
	"strconv"
	"unicode/utf8"
)

var (
	// ErrTooLong ends the conversion of a value that is too large for Firehose anyway, however
	// large it would have become.
	ErrTooLong = errors.New("as JSON it is too large")
	// ErrDeep ends the conversion of a value that is nested deeper than MaxDepth.
	ErrDeep = errors.New("it is nested too deep")
)

// NamedDepth is the number of levels of a value whose fields an error names.
const NamedDepth = 10

const hexDigits = "0123456789abcdef"

// TextSize is the length of s as a JSON string, quotes included.
func TextSize(s []byte) int {
	n := len(s) + 2
	for i := IndexSpecial(s, 0); i < len(s); i = IndexSpecial(s, i+1) {
		if shortEscapes[s[i]] != 0 {
			n++
		} else {
			n += len(`\u0000`) - 1
		}
	}
	return n
}

// AppendText appends s, which is UTF-8, as a JSON string. Only what JSON asks for is
// escaped.
func AppendText(dst, s []byte) []byte {
	dst = append(dst, '"')
	for {
		i := IndexSpecial(s, 0)
		dst = append(dst, s[:i]...)
		if i == len(s) {
			return append(dst, '"')
		}
		if c := shortEscapes[s[i]]; c != 0 {
			dst = append(dst, '\\', c)
		} else {
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[s[i]>>4], hexDigits[s[i]&15])
		}
		s = s[i+1:]
	}
}

// shortEscapes has the letter of the short escape for each byte that has one.
var shortEscapes = [256]byte{'"': '"', '\\': '\\', '\n': 'n', '\r': 'r', '\t': 't', '\b': 'b', '\f': 'f'}

// Base64Size is the length of n bytes in base64 as a JSON string.
func Base64Size(n int) int { return base64.StdEncoding.EncodedLen(n) + 2 }

// AppendBase64 appends b in base64 as a JSON string.
func AppendBase64(dst, b []byte) []byte {
	dst = append(dst, '"')
	dst = base64.StdEncoding.AppendEncode(dst, b)
	return append(dst, '"')
}

// NameSize is the length of what AppendName appends.
func NameSize(name string) int { return TextSize([]byte(validName(name))) }

// AppendName appends a name as a JSON string. Bytes that are not UTF-8 become U+FFFD.
func AppendName(dst []byte, name string) []byte { return AppendText(dst, []byte(validName(name))) }

// validName returns a name with U+FFFD in the place of each byte that is not UTF-8.
func validName(name string) string {
	if utf8.ValidString(name) {
		return name
	}
	return string([]rune(name))
}

// AppendUUID appends 16 bytes as 8-4-4-4-12 hexadecimal digits, without quotes.
func AppendUUID(dst, b []byte) []byte {
	for i, c := range b {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			dst = append(dst, '-')
		}
		dst = append(dst, hexDigits[c>>4], hexDigits[c&15])
	}
	return dst
}

// AppendFloat appends a number of 32 or 64 bits. A value that JSON has no number for is a string.
func AppendFloat(dst []byte, v float64, bits int) []byte {
	switch {
	case math.IsNaN(v):
		return append(dst, `"NaN"`...)
	case math.IsInf(v, 1):
		return append(dst, `"Infinity"`...)
	case math.IsInf(v, -1):
		return append(dst, `"-Infinity"`...)
	}
	form := byte('f')
	if abs := math.Abs(v); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		form = 'e'
	}
	return strconv.AppendFloat(dst, v, form, -1, bits)
}
