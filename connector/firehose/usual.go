package firehose

import (
	"bytes"
	"encoding/binary"
)

// usual reads an answer in the form that nearly all have: an object with
// RequestResponses, a list of entries that hold a RecordId and nothing else, and
// perhaps with Encrypted and a FailedPutCount of 0, in any order. It returns how many
// entries there are, each of them a record that was accepted.
//
// ok is false for everything else, however right it may be: the SDK has to read that.
// So this errs on one side only, and has to know no more of JSON than it takes. A text
// with an escape or a letter that is not ASCII is not usual, either.
func usual(answer []byte) (entries int, ok bool) {
	s := scanner{answer}
	var encrypted, count, responses bool
	once := func(seen *bool) bool {
		first := !*seen
		*seen = true
		return first
	}
	ok = s.list('{', '}', func() bool {
		name, ok := s.text()
		if !ok || !s.eat(":") {
			return false
		}
		switch string(name) {
		case "RequestResponses":
			return once(&responses) && s.list('[', ']', func() bool {
				entries++
				return s.entry()
			})
		case "FailedPutCount":
			return once(&count) && s.eat("0")
		case "Encrypted":
			return once(&encrypted) && (s.eat("false") || s.eat("true"))
		}
		return false
	})
	return entries, ok && responses && s.over()
}

// scanner reads JSON from left to right. What its methods don't find, they leave.
type scanner struct{ left []byte }

// entry is that of a record that was accepted.
func (s *scanner) entry() bool {
	if !s.eat("{") || !s.eat(`"RecordId"`) || !s.eat(":") {
		return false
	}
	id, ok := s.text()
	return ok && len(id) > 0 && s.eat("}")
}

// list reads an object or a list, element by element.
func (s *scanner) list(begin, end byte, element func() bool) bool {
	if !s.eatByte(begin) {
		return false
	}
	if s.eatByte(end) {
		return true
	}
	for element() {
		if s.eatByte(end) {
			return true
		}
		if !s.eatByte(',') {
			return false
		}
	}
	return false
}

// eat passes over what comes next if it is token.
func (s *scanner) eat(token string) bool {
	s.blank()
	rest, ok := bytes.CutPrefix(s.left, []byte(token))
	s.left = rest
	return ok
}

func (s *scanner) eatByte(c byte) bool {
	s.blank()
	if len(s.left) == 0 || s.left[0] != c {
		return false
	}
	s.left = s.left[1:]
	return true
}

func (s *scanner) blank() {
	for len(s.left) > 0 && (s.left[0] == ' ' || s.left[0] == '\n' || s.left[0] == '\r' || s.left[0] == '\t') {
		s.left = s.left[1:]
	}
}

// over reports whether there is no more.
func (s *scanner) over() bool {
	s.blank()
	return len(s.left) == 0
}

// text reads a string without its quotes.
func (s *scanner) text() (text []byte, ok bool) {
	if !s.eatByte('"') {
		return nil, false
	}
	n := bytes.IndexByte(s.left, '"')
	if n < 0 || !plain(s.left[:n]) {
		return nil, false
	}
	text, s.left = s.left[:n], s.left[n+1:]
	return text, true
}

// plain reports whether text is ASCII with neither a backslash nor a control character. It
// looks at eight bytes at a time, as ids are long.
func plain(text []byte) bool {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	for ; len(text) >= 8; text = text[8:] {
		v := binary.LittleEndian.Uint64(text)
		slash := v ^ ones*'\\'
		// The top bit of a byte that is below 0x20, a backslash, or beyond ASCII. A
		// borrow can set that of the byte above another such one, and then it is
		// right all the same.
		if ((v-ones*0x20)|(slash-ones)|v)&tops != 0 {
			return false
		}
	}
	for _, c := range text {
		if c < 0x20 || c >= 0x80 || c == '\\' {
			return false
		}
	}
	return true
}
