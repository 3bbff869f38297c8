package jsonschema

import (
	"bytes"
	"errors"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// kinds is a set of the types that JSON Schema knows.
type kinds uint8

const (
	null kinds = 1 << iota
	boolean
	number
	integer // in a set of types; a part is a number
	text
	list
	object
)

// documentPart is a value of a document, or the name of a member. The parts of a list or an
// object follow their own; each member is a name and a value.
type documentPart struct {
	from, to uint32 // bytes of the document: without quotes for a text; from is the length of a list or an object
	next     uint32 // the index of the part behind this one and its contents
	kind     kinds
	escaped  bool // a text whose bytes are in extra, without its escapes
	dropped  bool // the name of a member that comes again later
	isTrue   bool
}

// document is JSON taken apart: 16 bytes for each part.
type document struct {
	text  []byte // the JSON
	extra []byte // the texts that have escapes, without these
	parts []documentPart
	names []uint32 // of the object that is looked at

	repeated bool // an object has two members of one name
}

const (
	// MaxParts limits the values and names in a document: 64 MiB for their parts. JSON of
	// a Firehose record, 1,024,000 bytes, holds at most half a million.
	MaxParts = 4_000_000
	// MaxDigits limits the digits and the exponent of a number: the time to calculate with
	// one grows with the square of its length.
	MaxDigits = 1000
)

var (
	// ErrNumber is the error for a document with a number that is too long to calculate with.
	ErrNumber = errors.New("a number has more than " + strconv.Itoa(MaxDigits) + " digits, or an exponent above " + strconv.Itoa(MaxDigits) + ", and can't be compared with a schema")
	errParts  = errors.New("it has more than " + strconv.Itoa(MaxParts) + " values and names, too many to be compared with a schema")
)

// parseDocument takes valid JSON apart, and keeps b.
func (d *document) parseDocument(b []byte) error {
	d.text, d.extra, d.parts, d.repeated = b, d.extra[:0], d.parts[:0], false
	if n := maxParts(b); cap(d.parts) < n {
		d.parts = make([]documentPart, 0, n)
	}
	_, err := d.parseValue(0)
	return err
}

// maxParts is how many parts valid JSON has, or a few more: there is a sign before each
// but the first.
func maxParts(b []byte) int {
	n := 1
	for _, sign := range []byte{',', ':', '[', '{'} {
		n += bytes.Count(b, []byte{sign})
	}
	return min(n, MaxParts)
}

// skipSpace returns the place of the next byte that is no blank.
func (d *document) skipSpace(i int) int {
	for i < len(d.text) && d.text[i] <= ' ' {
		i++
	}
	return i
}

// parseValue adds the value that begins at or behind i, and returns the place behind it.
func (d *document) parseValue(i int) (int, error) {
	if len(d.parts) >= MaxParts {
		return 0, errParts
	}
	i = d.skipSpace(i)
	at := len(d.parts)
	switch c := d.text[i]; c {
	case '{', '[':
		return d.parseContainer(i, c)
	case '"':
		return d.parseString(i), nil
	case 't', 'f', 'n':
		return d.parseWord(i, c), nil
	default:
		from := i
		for i < len(d.text) && (d.text[i] >= '0' && d.text[i] <= '9' || d.text[i] == '-' || d.text[i] == '+' || d.text[i] == '.' || d.text[i]|0x20 == 'e') {
			i++
		}
		d.parts = append(d.parts, documentPart{kind: number, from: uint32(from), to: uint32(i), next: uint32(at + 1)})
		if !isCountable(d.text[from:i]) {
			return 0, ErrNumber
		}
		return i, nil
	}
}

// parseWord adds true, false or null, which begins with c.
func (d *document) parseWord(i int, c byte) int {
	p := documentPart{kind: boolean, next: uint32(len(d.parts) + 1), isTrue: c == 't'}
	word := "true"
	switch c {
	case 'f':
		word = "false"
	case 'n':
		word, p.kind = "null", null
	}
	d.parts = append(d.parts, p)
	return i + len(word)
}

// parseContainer adds a list or an object that begins at i.
func (d *document) parseContainer(i int, opening byte) (_ int, err error) {
	at, n := len(d.parts), 0
	p := documentPart{kind: list}
	closing := byte(']')
	if opening == '{' {
		p.kind, closing = object, '}'
	}
	d.parts = append(d.parts, p)
	for i = d.skipSpace(i + 1); d.text[i] != closing; n++ {
		if d.text[i] == ',' {
			i = d.skipSpace(i + 1)
		}
		if p.kind == object {
			i = d.skipSpace(d.parseString(i)) + 1 // behind the colon
		}
		if i, err = d.parseValue(i); err != nil {
			return 0, err
		}
		i = d.skipSpace(i)
	}
	d.parts[at].from, d.parts[at].next = uint32(n), uint32(len(d.parts))
	if p.kind == object {
		d.dropRepeated(at, n)
	}
	return i + 1, nil
}

// parseString adds a text whose opening quote is at i.
func (d *document) parseString(i int) int {
	from := i + 1
	i = from + bytes.IndexByte(d.text[from:], '"')
	p := documentPart{kind: text, from: uint32(from), to: uint32(i), next: uint32(len(d.parts) + 1)}
	if bytes.IndexByte(d.text[from:i], '\\') >= 0 {
		for i = from; d.text[i] != '"'; i++ {
			if d.text[i] == '\\' {
				i++
			}
		}
		p.escaped, p.from = true, uint32(len(d.extra))
		d.extra = appendUnescaped(d.extra, d.text[from:i])
		p.to = uint32(len(d.extra))
	}
	d.parts = append(d.parts, p)
	return i + 1
}

// appendUnescaped appends the text that s, the inside of a JSON string, stands for.
func appendUnescaped(dst, s []byte) []byte {
	for {
		i := bytes.IndexByte(s, '\\')
		if i < 0 {
			return append(dst, s...)
		}
		dst = append(dst, s[:i]...)
		c := s[i+1]
		s = s[i+2:]
		if c != 'u' {
			if at := strings.IndexByte("bfnrt", c); at >= 0 {
				c = "\b\f\n\r\t"[at]
			}
			dst = append(dst, c)
			continue
		}
		r := parseHex(s)
		s = s[4:]
		if utf16.IsSurrogate(r) {
			low := rune(utf8.RuneError)
			if len(s) >= 6 && s[0] == '\\' && s[1] == 'u' {
				low = parseHex(s[2:])
			}
			// Half of a pair alone is the replacement character, as in encoding/json.
			if r = utf16.DecodeRune(r, low); r != utf8.RuneError {
				s = s[6:]
			}
		}
		dst = utf8.AppendRune(dst, r)
	}
}

// parseHex is the number of four hexadecimal digits.
func parseHex(s []byte) rune {
	n, _ := strconv.ParseUint(string(s[:4]), 16, 16)
	return rune(n)
}

// fewMembers is a number of members whose names are compared with one another faster
// than they are sorted.
const fewMembers = 12

// dropRepeated marks the members of the object at that come again later: the last one of
// a name counts.
func (d *document) dropRepeated(at, n int) {
	if n < 2 {
		return
	}
	d.names = d.names[:0]
	for i := at + 1; i < int(d.parts[at].next); i = d.nextPart(i) {
		d.names = append(d.names, uint32(i))
	}
	if n > fewMembers {
		slices.SortFunc(d.names, func(a, b uint32) int {
			if c := bytes.Compare(d.partBytes(int(a)), d.partBytes(int(b))); c != 0 {
				return c
			}
			return int(a) - int(b)
		})
		for i := 1; i < n; i++ {
			if bytes.Equal(d.partBytes(int(d.names[i-1])), d.partBytes(int(d.names[i]))) {
				d.dropPart(at, d.names[i-1])
			}
		}
		return
	}
	for i, earlier := range d.names {
		name := d.partBytes(int(earlier))
		for _, later := range d.names[i+1:] {
			if other := d.partBytes(int(later)); len(name) == len(other) && bytes.Equal(name, other) {
				d.dropPart(at, earlier)
				break
			}
		}
	}
}

func (d *document) dropPart(at int, name uint32) {
	d.parts[name].dropped, d.repeated = true, true
	d.parts[at].from--
}

// nextPart is the index of the name that follows the member whose name is at i.
func (d *document) nextPart(i int) int { return int(d.parts[i+1].next) }

// partBytes are those of a text, a name or a number.
func (d *document) partBytes(at int) []byte {
	p := &d.parts[at]
	if p.escaped {
		return d.extra[p.from:p.to]
	}
	return d.text[p.from:p.to]
}

// isCountable reports whether a number has a size that one can calculate with.
func isCountable(n []byte) bool {
	if len(n) > MaxDigits {
		return false
	}
	at := bytes.IndexAny(n, "eE")
	if at < 0 {
		return true
	}
	exponent, err := strconv.Atoi(string(n[at+1:]))
	return err == nil && exponent >= -MaxDigits && exponent <= MaxDigits
}
