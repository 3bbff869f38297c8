package firehosetest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"
)

// A scanner reads one JSON document without copying it. encoding/json is not
// used for requests because it matches member names in any case, replaces
// invalid UTF-8 in silence, lets base64 contain line breaks, and is ten times
// slower on megabytes of base64.
type scanner struct {
	b     []byte
	i     int // next byte to read
	depth int // of arrays and objects that are open
}

// maxDepth bounds recursion. A valid request is three deep.
const maxDepth = 100

// newScanner refuses what no JSON text may contain anywhere.
func newScanner(b []byte) (*scanner, error) {
	if !utf8.Valid(b) {
		return nil, fail(codeSerialization, "the body is not UTF-8")
	}
	return &scanner{b: b}, nil
}

// wrong is the error for an unexpected byte. The service's own words for each
// case are not known in public; these name the fault and its position.
func (c *scanner) wrong(want string) error {
	if c.i >= len(c.b) {
		return fail(codeSerialization, "the body ends at byte %d where %s was expected", len(c.b), want)
	}
	return fail(codeSerialization, "byte %d of the body is %q where %s was expected", c.i, c.b[c.i], want)
}

// peek skips space and returns the next byte, 0 at the end.
func (c *scanner) peek() byte {
	for ; c.i < len(c.b); c.i++ {
		switch ch := c.b[c.i]; ch {
		case ' ', '\t', '\r', '\n':
		default:
			return ch
		}
	}
	return 0
}

func (c *scanner) expect(ch byte) error {
	if c.peek() != ch || c.i >= len(c.b) {
		return c.wrong(fmt.Sprintf("%q", ch))
	}
	c.i++
	return nil
}

// end checks that nothing follows the document.
func (c *scanner) end() error {
	if c.peek() != 0 || c.i < len(c.b) {
		return c.wrong("the end")
	}
	return nil
}

// null consumes a null if it is next.
func (c *scanner) null() bool {
	if c.peek() == 'n' && bytes.HasPrefix(c.b[c.i:], []byte("null")) {
		c.i += len("null")
		return true
	}
	return false
}

// object calls member for each name, to read the value.
func (c *scanner) object(member func(name string) error) error {
	return c.list('{', '}', func() error {
		name, err := c.text()
		if err != nil {
			return err
		}
		if err := c.expect(':'); err != nil {
			return err
		}
		return member(name)
	})
}

// array calls item to read each element.
func (c *scanner) array(item func() error) error { return c.list('[', ']', item) }

// list reads items separated by commas between two brackets.
func (c *scanner) list(open, closing byte, item func() error) error {
	if err := c.expect(open); err != nil {
		return err
	}
	if c.depth++; c.depth > maxDepth {
		return fail(codeSerialization, "the body nests deeper than %d", maxDepth)
	}
	defer func() { c.depth-- }()
	if c.peek() == closing {
		c.i++
		return nil
	}
	for {
		if err := item(); err != nil {
			return err
		}
		switch c.peek() {
		case ',':
			c.i++
		case closing:
			c.i++
			return nil
		default:
			return c.wrong(fmt.Sprintf("',' or %q", closing))
		}
	}
}

// literal reads a string and returns the text between the quotes, and whether
// that contains escapes. It does not look for control characters.
func (c *scanner) literal() (raw []byte, escaped bool, err error) {
	if err := c.expect('"'); err != nil {
		return nil, false, err
	}
	start, from, quote := c.i, c.i, c.i-1
	for {
		if quote < from { // look for a quote once, however many escapes precede it
			n := bytes.IndexByte(c.b[from:], '"')
			if n < 0 {
				c.i = len(c.b)
				return nil, false, c.wrong(`'"'`)
			}
			quote = from + n
		}
		n := bytes.IndexByte(c.b[from:quote], '\\')
		if n < 0 {
			c.i = quote + 1
			return c.b[start:quote], escaped, nil
		}
		escaped = true
		if from += n + 2; from > len(c.b) {
			c.i = len(c.b)
			return nil, false, c.wrong(`'"'`)
		}
	}
}

// text reads a string.
func (c *scanner) text() (string, error) {
	c.peek()
	start := c.i
	raw, escaped, err := c.literal()
	if err != nil {
		return "", err
	}
	if string(raw) == "Data" { // the one name that comes 500 times: no allocation
		return "Data", nil
	}
	if !escaped && bytes.IndexFunc(raw, func(r rune) bool { return r < ' ' }) < 0 {
		return string(raw), nil
	}
	var s string
	if json.Unmarshal(c.b[start:c.i], &s) != nil {
		c.i = start
		return "", c.wrong("a valid string")
	}
	return s, nil
}

// skip reads a value of any kind.
func (c *scanner) skip() error {
	switch c.peek() {
	case '"':
		_, err := c.text()
		return err
	case '{':
		return c.object(func(string) error { return c.skip() })
	case '[':
		return c.array(c.skip)
	}
	start := c.i
	for c.i < len(c.b) && strings.IndexByte(" \t\r\n,]}:\"[{", c.b[c.i]) < 0 {
		c.i++
	}
	if !json.Valid(c.b[start:c.i]) { // a number, true, false, null
		c.i = start
		return c.wrong("a value")
	}
	return nil
}
