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

// part is a value of a document, or the name of a member. The parts of a list or an
// object follow their own; each member is a name and a value.
type part struct {
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
	parts []part
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

// parse takes valid JSON apart, and keeps b.
func (d *document) parse(b []byte) error {
	d.text, d.extra, d.parts, d.repeated = b, d.extra[:0], d.parts[:0], false
	if n := mostParts(b); cap(d.parts) < n {
		d.parts = make([]part, 0, n)
	}
	_, err := d.value(0)
	return err
}

// mostParts is how many parts valid JSON has, or a few more: there is a sign before each
// but the first.
func mostParts(b []byte) int {
	n := 1
	for _, sign := range []byte{',', ':', '[', '{'} {
		n += bytes.Count(b, []byte{sign})
	}
	return min(n, MaxParts)
}

// skip returns the place of the next byte that is no blank.
func (d *document) skip(i int) int {
	for i < len(d.text) && d.text[i] <= ' ' {
		i++
	}
	return i
}

// value adds the value that begins at or behind i, and returns the place behind it.
func (d *document) value(i int) (int, error) {
	if len(d.parts) >= MaxParts {
		return 0, errParts
	}
	i = d.skip(i)
	at := len(d.parts)
	switch c := d.text[i]; c {
	case '{', '[':
		return d.container(i, c)
	case '"':
		return d.string(i), nil
	case 't', 'f', 'n':
		return d.word(i, c), nil
	default:
		from := i
		for i < len(d.text) && (d.text[i] >= '0' && d.text[i] <= '9' || d.text[i] == '-' || d.text[i] == '+' || d.text[i] == '.' || d.text[i]|0x20 == 'e') {
			i++
		}
		d.parts = append(d.parts, part{kind: number, from: uint32(from), to: uint32(i), next: uint32(at + 1)})
		if !countable(d.text[from:i]) {
			return 0, ErrNumber
		}
		return i, nil
	}
}

// word adds true, false or null, which begins with c.
func (d *document) word(i int, c byte) int {
	p := part{kind: boolean, next: uint32(len(d.parts) + 1), isTrue: c == 't'}
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

// container adds a list or an object that begins at i.
func (d *document) container(i int, opening byte) (_ int, err error) {
	at, n := len(d.parts), 0
	p := part{kind: list}
	closing := byte(']')
	if opening == '{' {
		p.kind, closing = object, '}'
	}
	d.parts = append(d.parts, p)
	for i = d.skip(i + 1); d.text[i] != closing; n++ {
		if d.text[i] == ',' {
			i = d.skip(i + 1)
		}
		if p.kind == object {
			i = d.skip(d.string(i)) + 1 // behind the colon
		}
		if i, err = d.value(i); err != nil {
			return 0, err
		}
		i = d.skip(i)
	}
	d.parts[at].from, d.parts[at].next = uint32(n), uint32(len(d.parts))
	if p.kind == object {
		d.dropRepeated(at, n)
	}
	return i + 1, nil
}

// string adds a text whose opening quote is at i.
func (d *document) string(i int) int {
	from := i + 1
	i = from + bytes.IndexByte(d.text[from:], '"')
	p := part{kind: text, from: uint32(from), to: uint32(i), next: uint32(len(d.parts) + 1)}
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
		r := hex(s)
		s = s[4:]
		if utf16.IsSurrogate(r) {
			low := rune(utf8.RuneError)
			if len(s) >= 6 && s[0] == '\\' && s[1] == 'u' {
				low = hex(s[2:])
			}
			// Half of a pair alone is the replacement character, as in encoding/json.
			if r = utf16.DecodeRune(r, low); r != utf8.RuneError {
				s = s[6:]
			}
		}
		dst = utf8.AppendRune(dst, r)
	}
}

// hex is the number of four hexadecimal digits.
func hex(s []byte) (r rune) {
	for _, c := range s[:4] {
		switch {
		case c <= '9':
			c -= '0'
		default:
			c = c | 0x20 - 'a' + 10
		}
		r = r<<4 | rune(c)
	}
	return r
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
	for i := at + 1; i < int(d.parts[at].next); i = d.behind(i) {
		d.names = append(d.names, uint32(i))
	}
	if n > fewMembers {
		slices.SortFunc(d.names, func(a, b uint32) int {
			if c := bytes.Compare(d.bytes(int(a)), d.bytes(int(b))); c != 0 {
				return c
			}
			return int(a) - int(b)
		})
		for i := 1; i < n; i++ {
			if bytes.Equal(d.bytes(int(d.names[i-1])), d.bytes(int(d.names[i]))) {
				d.drop(at, d.names[i-1])
			}
		}
		return
	}
	for i, earlier := range d.names {
		name := d.bytes(int(earlier))
		for _, later := range d.names[i+1:] {
			if other := d.bytes(int(later)); len(name) == len(other) && bytes.Equal(name, other) {
				d.drop(at, earlier)
				break
			}
		}
	}
}

func (d *document) drop(at int, name uint32) {
	d.parts[name].dropped, d.repeated = true, true
	d.parts[at].from--
}

// behind is the index of the name that follows the member whose name is at i.
func (d *document) behind(i int) int { return int(d.parts[i+1].next) }

// bytes are those of a text, a name or a number.
func (d *document) bytes(at int) []byte {
	p := &d.parts[at]
	if p.escaped {
		return d.extra[p.from:p.to]
	}
	return d.text[p.from:p.to]
}

// countable reports whether a number has a size that one can calculate with.
func countable(n []byte) bool {
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
