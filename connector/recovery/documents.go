package recovery

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
)

// maxMember is the most bytes of a member's name or value that are kept: an id has 249 characters for the topic
// and 31 for the partition and the offset.
const maxMember = 512

// document holds the kept members of one JSON object. Its slices are valid until the next one.
type document struct {
	id        []byte // JSON of the member with the id; nil without one, or if it is too long to be one
	timestamp []byte // JSON of the member with the record's timestamp, empty if it has none
}

// documentScanner finds the JSON objects of a stream that are not inside of others, whether lines, control
// characters or nothing is between them. It keeps two members of each and passes over the rest, so memory does not
// grow with the size of a document. Input that is no object is skipped up to the end of its line. An object that is cut off ends where
// the next one begins: where its own grammar has no place for an object.
type documentScanner struct {
	id, timestamp string // names of the members; empty for none
	visit         func(document) error

	documents int64 // objects that were complete
	foreign   int64 // pieces that are no object, or are cut off or malformed

	depth   int  // of objects and arrays
	text    bool // inside of a string
	escaped bool // behind a backslash
	skip    bool // up to the end of the line
	key     bool // the next string of the outermost object is a name
	last    byte // the last structural byte, or that of a value behind it
	token   token
	name    []byte // of the current member
	found   [2]member
}

type token int

const (
	ignored   token = iota
	nameToken       // a string that is a name
	textToken       // a string that is kept
	bareToken       // a number or a word that is kept
)

type member struct {
	json []byte
	set  bool
	long bool
}

func (m *member) appendBytes(b []byte) {
	if m.long = m.long || len(m.json)+len(b) > maxMember; !m.long {
		m.json = append(m.json, b...)
	}
}

func (m *member) memberValue() []byte {
	if !m.set || m.long {
		return nil
	}
	return m.json
}

// stops are the bytes that the scanner has to look at inside of a string (text), and outside of one (structure).
var stops = func() (s struct{ text, structure [256]bool }) {
	for c := range 0x20 {
		s.text[c] = true
	}
	for _, c := range `"\` {
		s.text[c] = true
	}
	for _, c := range `"{}[]:,` {
		s.structure[c] = true
	}
	return s
}()

// readAll scans r to its end. The error is that of r, or of visit.
func (s *documentScanner) readAll(r io.Reader, buffer []byte) error {
	for {
		n, err := r.Read(buffer)
		if scanErr := s.scanPiece(buffer[:n]); scanErr != nil {
			return scanErr
		}
		switch {
		case errors.Is(err, io.EOF):
			s.endDocument()
			return nil
		case err != nil:
			return err
		}
	}
}

// endDocument is the end of the stream.
func (s *documentScanner) endDocument() {
	if s.depth > 0 || s.skip {
		s.foreign++
	}
	s.depth, s.text, s.skip = 0, false, false
}

func (s *documentScanner) scanPiece(b []byte) error {
	for i := 0; i < len(b); {
		switch {
		case s.skip:
			n := bytes.IndexByte(b[i:], '\n')
			if n < 0 {
				return nil
			}
			i += n
			s.skip = false
			s.foreign++
		case s.depth == 0:
			i = s.skipBetween(b, i)
		case s.text:
			i = s.inText(b, i)
		default:
			var err error
			if i, err = s.inStructure(b, i); err != nil {
				return err
			}
		}
	}
	return nil
}

// skipBetween skips the bytes between objects.
func (s *documentScanner) skipBetween(b []byte, i int) int {
	for ; i < len(b); i++ {
		switch c := b[i]; {
		case c <= ' ':
		case c == '{':
			s.beginDocument()
			return i + 1
		default:
			s.skip = true
			return i
		}
	}
	return i
}

func (s *documentScanner) beginDocument() {
	s.depth, s.key, s.token, s.escaped, s.last = 1, true, ignored, false, '{'
	s.found[0], s.found[1] = member{json: s.found[0].json[:0]}, member{json: s.found[1].json[:0]}
}

// bareValue stands for a number or a word in documentScanner.last.
const bareValue = 'x'

// takesObject reports whether an object may begin behind the last byte: as a value of a member or of a list.
func (s *documentScanner) takesObject() bool {
	return s.last == ':' || s.last == '[' || s.last == ',' && (s.depth > 1 || !s.key)
}

// longText is the length of strings for which searches pay, in bytes.
const longText = 32

// inText scans up to the end of a string.
func (s *documentScanner) inText(b []byte, i int) int {
	begin := i
	if end := bytes.IndexByte(b[i:], '"'); end > longText && !s.escaped &&
		bytes.IndexByte(b[i:i+end], '\\') < 0 && bytes.IndexByte(b[i:i+end], '\n') < 0 {
		i += end // most strings; three searches of the standard library are faster than one look at each byte
	}
	for ; i < len(b); i++ {
		switch c := b[i]; {
		case s.escaped:
			s.escaped = false
		case !stops.text[c]:
		case c == '\\':
			s.escaped = true
		case c == '"':
			i++
			s.keepBytes(b[begin:i])
			s.text = false
			s.endToken()
			return i
		default: // JSON has no control characters in strings
			s.setMalformed()
			return i
		}
	}
	s.keepBytes(b[begin:i])
	return i
}

// setMalformed discards the current object. Scanning resumes at the next line.
func (s *documentScanner) setMalformed() { s.depth, s.text, s.skip = 0, false, true }

// inStructure scans up to the next structural byte outside of a string.
func (s *documentScanner) inStructure(b []byte, i int) (int, error) {
	begin := i
	for i < len(b) && !stops.structure[b[i]] {
		i++
	}
	if s.token == bareToken {
		s.keepBytes(b[begin:i])
	}
	if bytes.ContainsFunc(b[begin:i], func(c rune) bool { return c > ' ' }) {
		s.last = bareValue // a number or a word is before the structural byte
	}
	if i == len(b) {
		return i, nil
	}
	outermost := s.depth == 1
	if b[i] == '{' && !s.takesObject() {
		s.foreign++
		s.beginDocument()
		return i + 1, nil
	}
	s.last = b[i]
	switch c := b[i]; c {
	case '"':
		s.text = true
		s.beginText(outermost)
		s.keepBytes(b[i : i+1])
	case '{', '[':
		s.depth++
		s.token = ignored
	case '}', ']':
		s.endToken()
		if s.depth--; s.depth > 0 {
			return i + 1, nil
		}
		if c == ']' {
			s.setMalformed()
			return i + 1, nil
		}
		s.documents++
		return i + 1, s.visit(document{id: s.found[0].memberValue(), timestamp: s.found[1].memberValue()})
	case ':':
		if outermost {
			s.key = false
			s.beginValue()
		}
	case ',':
		if outermost {
			s.endToken()
			s.key = true
		}
	}
	return i + 1, nil
}

func (s *documentScanner) beginText(outermost bool) {
	switch {
	case outermost && s.key:
		s.token = nameToken
		s.name = s.name[:0]
	case s.token == bareToken && outermost:
		s.token = textToken
		m := s.wantedMember()
		m.json = m.json[:0] // of blanks
	default:
		s.token = ignored
	}
}

// beginValue is behind a name: the value is kept if it is wanted, and is the first of its name.
func (s *documentScanner) beginValue() {
	s.token = ignored
	if m := s.wantedMember(); m != nil && !m.set {
		s.token = bareToken
	}
}

// wantedMember is the member that the current name stands for, nil for none.
func (s *documentScanner) wantedMember() *member {
	switch name := s.name; {
	case s.id != "" && quotesText(name, s.id):
		return &s.found[0]
	case s.timestamp != "" && quotesText(name, s.timestamp):
		return &s.found[1]
	}
	return nil
}

// quotesText reports whether the JSON string is this text.
func quotesText(quoted []byte, text string) bool {
	if len(quoted) == len(text)+2 && string(quoted[1:len(quoted)-1]) == text {
		return true
	}
	var unquoted string
	return bytes.IndexByte(quoted, '\\') >= 0 && json.Unmarshal(quoted, &unquoted) == nil && unquoted == text
}

// keepBytes adds bytes to the current token.
func (s *documentScanner) keepBytes(b []byte) {
	switch s.token {
	case nameToken:
		if len(s.name)+len(b) <= maxMember {
			s.name = append(s.name, b...)
		}
	case textToken, bareToken:
		if m := s.wantedMember(); m != nil {
			m.appendBytes(b)
		}
	case ignored:
	}
}

func (s *documentScanner) endToken() {
	if s.token == textToken || s.token == bareToken {
		if m := s.wantedMember(); m != nil {
			m.set = true
		}
	}
	s.token = ignored
}
