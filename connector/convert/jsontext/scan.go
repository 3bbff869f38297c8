// Package jsontext reads JSON as it is written: it checks, compacts and walks through texts, and builds nothing.
package jsontext

import (
	"bytes"
	"encoding/binary"
	"math/bits"
)

// MaxDepth is how deep JSON may be nested to be embedded as JSON. Readers have
// limits of their own, 1,000 levels in Jackson's, and the envelope is one more.
const MaxDepth = 512

// ScanDocument reports whether b is one JSON value, with blanks around it or not, and
// how many bytes of b are blanks between its tokens. Names that come twice, numbers
// of any size and escaped halves of surrogate pairs are JSON; whether the bytes are
// UTF-8 is for the caller to see. It builds nothing.
func ScanDocument(b []byte) (blanks int, ok bool) {
	blanks, _, ok = scanDocument(b)
	return blanks, ok
}

// CountValues reports whether b is JSON, and how many values and names are in it.
func CountValues(b []byte) (values int, ok bool) {
	_, values, ok = scanDocument(b)
	return values + bytes.Count(b, []byte{':'}), ok
}

func scanDocument(b []byte) (blanks, values int, ok bool) {
	for s := (documentScanner{b: b}); ; {
		values++
		opened, ok := s.beginValue()
		if !ok {
			return 0, values, false
		}
		if opened {
			continue // the first value inside is next
		}
		if more, ok := s.endValue(); !more || !ok {
			return s.blanks, values, ok
		}
	}
}

// documentScanner reads b from i on.
type documentScanner struct {
	b      []byte
	i      int
	blanks int // skipped so far
	depth  int
	object [MaxDepth / 64]uint64 // a bit for each level that is an object
}

// beginValue reads a value to its end. Of an object or a list with elements it reads only up to the first value inside,
// and opened is true.
func (s *documentScanner) beginValue() (opened, ok bool) {
	switch s.skipSpace() {
	case '{':
		if !s.pushLevel(1) {
			return false, false
		}
		if s.skipSpace() == '}' {
			s.popLevel()
			return false, true
		}
		return true, s.scanName()
	case '[':
		if !s.pushLevel(0) {
			return false, false
		}
		if s.skipSpace() == ']' {
			s.popLevel()
			return false, true
		}
		return true, true
	case '"':
		return false, s.scanText()
	case 't':
		return false, s.scanWord("true")
	case 'f':
		return false, s.scanWord("false")
	case 'n':
		return false, s.scanWord("null")
	default:
		return false, s.scanNumber()
	}
}

// endValue reads what follows a value: to the start of the next one, or to the end of
// everything, where more is false.
func (s *documentScanner) endValue() (more, ok bool) {
	for {
		c := s.skipSpace()
		if s.depth == 0 {
			return false, s.i == len(s.b)
		}
		top := s.depth - 1
		object := s.object[top/64]>>(top%64)&1 == 1
		switch {
		case c == ',':
			s.i++
			if !object {
				return true, true
			}
			s.skipSpace()
			return true, s.scanName()
		case c == '}' && object, c == ']' && !object:
			s.popLevel()
		default:
			return false, false
		}
	}
}

// skipSpace passes over blanks and returns the byte behind them, 0 at the end: no token
// begins with that.
func (s *documentScanner) skipSpace() byte {
	for ; s.i < len(s.b); s.i++ {
		switch c := s.b[s.i]; c {
		case ' ', '\n', '\t', '\r':
			s.blanks++
		default:
			return c
		}
	}
	return 0
}

func (s *documentScanner) pushLevel(object uint64) bool {
	if s.depth == MaxDepth {
		return false
	}
	word, bit := s.depth/64, s.depth%64
	s.object[word] = s.object[word]&^(1<<bit) | object<<bit
	s.depth++
	s.i++
	return true
}

func (s *documentScanner) popLevel() {
	s.depth--
	s.i++
}

// scanName reads the name of a member and the colon behind it.
func (s *documentScanner) scanName() bool {
	if s.i == len(s.b) || s.b[s.i] != '"' || !s.scanText() || s.skipSpace() != ':' {
		return false
	}
	s.i++
	return true
}

func (s *documentScanner) scanWord(w string) bool {
	if len(s.b)-s.i < len(w) || string(s.b[s.i:s.i+len(w)]) != w {
		return false
	}
	s.i += len(w)
	return true
}

// scanText reads a string whose opening quote is at i.
func (s *documentScanner) scanText() bool {
	for i := s.i + 1; ; {
		i = IndexSpecial(s.b, i)
		if i+1 >= len(s.b) && (i >= len(s.b) || s.b[i] != '"') {
			return false
		}
		switch s.b[i] {
		case '"':
			s.i = i + 1
			return true
		case '\\':
			n := escapeLength(s.b[i+1:])
			if n == 0 {
				return false
			}
			i += 1 + n
		default: // a control character has to be escaped
			return false
		}
	}
}

// escapeLength is the length of the escape behind a backslash, 0 if it is none.
func escapeLength(b []byte) int {
	switch b[0] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 1
	case 'u':
		if len(b) < 5 {
			return 0
		}
		for _, c := range b[1:5] {
			if !(c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'f') {
				return 0
			}
		}
		return 5
	}
	return 0
}

func (s *documentScanner) scanNumber() bool {
	if s.i < len(s.b) && s.b[s.i] == '-' {
		s.i++
	}
	if s.i < len(s.b) && s.b[s.i] == '0' {
		s.i++ // no other digit may follow
	} else if !s.scanDigits() {
		return false
	}
	if s.i < len(s.b) && s.b[s.i] == '.' {
		s.i++
		if !s.scanDigits() {
			return false
		}
	}
	if s.i < len(s.b) && s.b[s.i]|0x20 == 'e' {
		s.i++
		if s.i < len(s.b) && (s.b[s.i] == '+' || s.b[s.i] == '-') {
			s.i++
		}
		return s.scanDigits()
	}
	return true
}

// scanDigits reads one digit or more.
func (s *documentScanner) scanDigits() bool {
	from := s.i
	for s.i < len(s.b) && s.b[s.i] >= '0' && s.b[s.i] <= '9' {
		s.i++
	}
	return s.i > from
}

// IndexSpecial is the place of the first byte of b, from i on, that means something in a
// JSON string: a quote, a backslash or a control character. It is len(b) without one.
func IndexSpecial(b []byte, i int) int {
	// Eight bytes at a time: each of the three tests sets the top bit of the bytes
	// that pass it. Above the lowest such byte a borrow may set too many, which is
	// why the lowest is what counts.
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	for ; i+8 <= len(b); i += 8 {
		w := binary.LittleEndian.Uint64(b[i:])
		quote, backslash := w^ones*'"', w^ones*'\\'
		if m := ((w-ones*0x20)&^w | (quote-ones)&^quote | (backslash-ones)&^backslash) & tops; m != 0 {
			return i + bits.TrailingZeros64(m)/8
		}
	}
	for ; i < len(b); i++ {
		if c := b[i]; c < 0x20 || c == '"' || c == '\\' {
			break
		}
	}
	return i
}

// AppendCompact appends b, which is JSON, without the blanks between its tokens: a
// newline there would end the line that the envelope has to be.
func AppendCompact(dst, b []byte) []byte {
	for len(b) > 0 {
		n := 0
		for n < len(b) && b[n] > ' ' && b[n] != '"' {
			n++
		}
		dst = append(dst, b[:n]...)
		if n == len(b) || b[n] != '"' {
			b = b[min(n+1, len(b)):]
			continue
		}
		end := n + 1
		for b[end] != '"' {
			if b[end] == '\\' {
				end++
			}
			end = IndexSpecial(b, end+1)
		}
		dst, b = append(dst, b[n:end+1]...), b[end+1:]
	}
	return dst
}
