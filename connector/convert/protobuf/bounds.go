package protobuf

import "fmt"

// The memory, in bytes, that it takes to compile a part of a .proto file, or more.
const (
	statementBytes   = 2500 // a field, a value of an enum, a message
	parenthesisBytes = 6000 // an option with a name of its own, or a method
	textBytes        = 1000 // a string
	wordBytes        = 300  // a name, a number or a sign
	commentBytes     = 250
)

// maxCompileBytes limits the memory that it takes to compile a file with all that it
// imports: some 18,000 fields.
const maxCompileBytes = 64 << 20

// descriptorFactor is the memory that it takes to compile a descriptor, in terms of its weight, or more.
const descriptorFactor = 3

// maxLevels limits how deep braces may be nested. Messages may have 32 levels, the values
// of options any number, which takes a time that grows with the square of it.
const maxLevels = 100

// maxNameBytes limits a name with all that it is in: each part of a file repeats it.
const maxNameBytes = 1000

// boundError is the error for files that exceed one of the bounds.
type boundError struct{ error }

func boundExceeded(format string, args ...any) error { return boundError{fmt.Errorf(format, args...)} }

// textCosts adds up the memory that it takes to compile files, before that is done. It reads
// them as far as that needs, and counts a sign that it does not know as a word.
type textCosts struct {
	bytes  int
	scopes []int // lengths of the names of the messages around
	path   int   // their sum
	angles int   // < that are open
	name   int   // the length of the last name
}

// addText counts a file.
func (c *textCosts) addText(text string) error {
	c.scopes, c.path, c.angles, c.name = c.scopes[:0], 0, 0, 0
	c.bytes += 4 * len(text)
	pkg := false
	for i := 0; i < len(text) && c.bytes <= maxCompileBytes && len(c.scopes)+c.angles <= maxLevels; {
		from := i
		switch b := text[i]; {
		case isLetter(b):
			for i < len(text) && (isLetter(text[i]) || text[i] == '.') {
				i++
			}
			c.bytes += wordBytes
			if c.name = i - from; c.name > maxNameBytes {
				return boundExceeded("a name has %d bytes, at most %d are taken", c.name, maxNameBytes)
			}
			if pkg {
				c.path += c.name
			}
			pkg = text[from:i] == "package"
		case b == '"' || b == '\'':
			i = behindText(text, i)
			c.bytes += textBytes
		case b == '/':
			i = behindComment(text, i)
			c.bytes += commentBytes
		default:
			i++
			c.addSign(b)
		}
	}
	if len(c.scopes)+c.angles > maxLevels {
		return boundExceeded("it is nested more than %d levels deep", maxLevels)
	}
	if c.bytes > maxCompileBytes {
		return boundExceeded("to compile it takes more than %d MiB; want fewer messages, fields and options, or shorter names", maxCompileBytes>>20)
	}
	return nil
}

func (c *textCosts) addSign(b byte) {
	switch b {
	case ' ', '\n', '\t', '\r':
	case '{':
		c.bytes += statementBytes + 8*(c.path+c.name)
		c.scopes = append(c.scopes, c.name)
		c.path += c.name
	case '}':
		if n := len(c.scopes); n > 0 {
			c.path -= c.scopes[n-1]
			c.scopes = c.scopes[:n-1]
		}
	case '<':
		c.bytes += wordBytes
		c.angles++
	case '>':
		c.angles = max(c.angles-1, 0)
	case ';':
		c.bytes += statementBytes + 8*(c.path+c.name)
	case '(':
		c.bytes += parenthesisBytes
	default:
		c.bytes += wordBytes
	}
}

func isLetter(b byte) bool {
	return b == '_' || b|0x20 >= 'a' && b|0x20 <= 'z' || b >= '0' && b <= '9'
}

// behindText is the place behind the string that begins at i.
func behindText(s string, i int) int {
	quote := s[i]
	for i++; i < len(s) && s[i] != quote && s[i] != '\n'; i++ {
		if s[i] == '\\' {
			i++
		}
	}
	return i + 1
}

// behindComment is the place behind the comment that begins at i, or behind the slash.
func behindComment(s string, i int) int {
	switch {
	case i+1 < len(s) && s[i+1] == '/':
		for i < len(s) && s[i] != '\n' {
			i++
		}
		return i
	case i+1 < len(s) && s[i+1] == '*':
		for i += 2; i+1 < len(s) && (s[i] != '*' || s[i+1] != '/'); {
			i++
		}
		return i + 2
	}
	return i + 1
}
