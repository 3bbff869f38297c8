package putbatch

import (
	"bytes"
	"encoding/binary"
)

// scanUsual reads an answer in the form that nearly all have: an object with
// RequestResponses, a list of entries that hold a RecordId and nothing else, and
// perhaps with Encrypted and a FailedPutCount of 0, in any order. It returns how many
// entries there are, each of them a record that was accepted, and whether they are said to be
// encrypted at rest.
//
// ok is false for everything else, however right it may be: the SDK has to read that.
// So this errs on one side only, and has to know no more of JSON than it takes. A text
// with an escape or a letter that is not ASCII is not usual, either.
func scanUsual(answer []byte) (entries int, encrypted, ok bool) {
	s := answerScanner{text: answer}
	var told, count, responses bool
	once := func(seen *bool) bool {
		first := !*seen
		*seen = true
		return first
	}
	ok = s.scanList('{', '}', func() bool {
		name, ok := s.scanString()
		if !ok || !s.eatToken(":") {
			return false
		}
		switch string(name) {
		case "RequestResponses":
			return once(&responses) && s.scanList('[', ']', func() bool {
				entries++
				return s.scanEntry()
			})
		case "FailedPutCount":
			return once(&count) && s.eatToken("0")
		case "Encrypted":
			if !once(&told) {
				return false
			}
			encrypted = s.eatToken("true")
			return encrypted || s.eatToken("false")
		}
		return false
	})
	s.skipBlank()
	return entries, encrypted, ok && responses && s.atEnd()
}

// answerScanner reads JSON from left to right. Its methods leave text that they don't expect. It
// keeps an index, as a slice of the rest would be a pointer to write each time.
type answerScanner struct {
	text []byte
	at   int
}

// scanEntry is that of a record that was accepted. Most have no blanks.
func (s *answerScanner) scanEntry() bool {
	if !s.eatToken(`{"RecordId":`) && (!s.eatToken("{") || !s.eatToken(`"RecordId"`) || !s.eatToken(":")) {
		return false
	}
	id, ok := s.scanString()
	return ok && len(id) > 0 && s.eatByte('}')
}

// scanList reads an object or a list, element by element.
func (s *answerScanner) scanList(begin, end byte, element func() bool) bool {
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

// eatToken passes over the next bytes if they are token.
func (s *answerScanner) eatToken(token string) bool {
	s.skipBlank()
	end := s.at + len(token)
	if end > len(s.text) || string(s.text[s.at:end]) != token {
		return false
	}
	s.at = end
	return true
}

func (s *answerScanner) eatByte(c byte) bool {
	s.skipBlank()
	if s.atEnd() || s.text[s.at] != c {
		return false
	}
	s.at++
	return true
}

func (s *answerScanner) skipBlank() {
	for ; s.at < len(s.text) && s.text[s.at] <= ' '; s.at++ {
		if c := s.text[s.at]; c != ' ' && c != '\n' && c != '\r' && c != '\t' {
			return
		}
	}
}

// atEnd reports whether there is no more.
func (s *answerScanner) atEnd() bool { return s.at == len(s.text) }

// scanString reads a string without its quotes.
func (s *answerScanner) scanString() (text []byte, ok bool) {
	if !s.eatByte('"') {
		return nil, false
	}
	n := bytes.IndexByte(s.text[s.at:], '"')
	if n < 0 || !isPlain(s.text[s.at:s.at+n]) {
		return nil, false
	}
	text, s.at = s.text[s.at:s.at+n], s.at+n+1
	return text, true
}

// isPlain reports whether text is ASCII with neither a backslash nor a control character. It
// looks at eight bytes at a time, as ids are long.
func isPlain(text []byte) bool {
	const tops = 0x8080808080808080
	var found uint64
	for ; len(text) >= 32; text = text[32:] {
		found |= oddBytes(text[0:8]) | oddBytes(text[8:16]) | oddBytes(text[16:24]) | oddBytes(text[24:32])
	}
	for ; len(text) >= 8; text = text[8:] {
		found |= oddBytes(text)
	}
	for _, c := range text {
		if c < 0x20 || c >= 0x80 || c == '\\' {
			return false
		}
	}
	return found&tops == 0
}

// oddBytes has the top bit set of each of eight bytes that is below 0x20, a backslash, or
// beyond ASCII. A borrow can set that of the byte above another such one, and then it is
// right all the same.
func oddBytes(text []byte) uint64 {
	const ones = 0x0101010101010101
	v := binary.LittleEndian.Uint64(text)
	return (v - ones*0x20) | ((v ^ ones*'\\') - ones) | v
}
