package jsonschema

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// translateEscape translates an escape outside of a class.
func (t *patternTranslator) translateEscape() error {
	if t.i+1 == len(t.s) {
		return errors.New("it ends in a backslash")
	}
	start := len(t.out)
	switch c := t.s[t.i+1]; {
	case c == 'b' || c == 'B' || c == 'A' || c == 'z':
		t.copyRaw(2)
		t.atom = -1
		return nil
	case c >= '1' && c <= '9' || c == 'k':
		return errNoForm
	case c == 'Q': // up to \E
		text, rest, _ := strings.Cut(t.s[t.i+2:], `\E`)
		t.i = len(t.s) - len(rest)
		for _, r := range text {
			t.writeLiteral(r)
		}
		return nil
	}
	r, set, err := t.readEscape()
	switch {
	case err != nil:
		return err
	case set == "":
		t.writeLiteral(r)
		return nil
	}
	t.atom = start
	t.out = append(append(append(t.out, '['), set...), ']')
	return nil
}

// readEscape reads an escape: a character, or the contents of a class.
func (t *patternTranslator) readEscape() (r rune, set string, err error) {
	t.i++
	r, size := utf8.DecodeRuneInString(t.s[t.i:])
	t.i += size
	switch r {
	case 'd', 'D', 'w', 'W':
		return 0, `\` + string(r), nil
	case 's', 'S':
		switch {
		case t.flags: // to ignore the case of all characters takes milliseconds
			return 0, `\` + string(r), nil
		case r == 's':
			return 0, spaces, nil
		}
		return 0, noSpaces, nil
	case 'n', 'r', 't', 'f', 'v', 'a':
		return rune("\n\r\t\f\v\a"[strings.IndexRune("nrtfva", r)]), "", nil
	case 'p', 'P':
		return t.readProperty(r)
	case 'x', 'u':
		return t.readNumber(r)
	case 'c':
		if t.i < len(t.s) && unicode.IsLetter(rune(t.s[t.i])) {
			t.i++
			return rune(t.s[t.i-1]) % 32, "", nil
		}
	case '0', '1', '2', '3', '4', '5', '6', '7':
		r -= '0'
		for n := 1; n < 3 && t.i < len(t.s) && t.s[t.i] >= '0' && t.s[t.i] <= '7'; n++ {
			r, t.i = 8*r+rune(t.s[t.i]-'0'), t.i+1
		}
	}
	return r, "", nil
}

// readProperty reads the name of a property of Unicode.
func (t *patternTranslator) readProperty(letter rune) (rune, string, error) {
	rest := t.s[t.i:]
	if !strings.HasPrefix(rest, "{") {
		if rest == "" {
			return 0, "", errors.New("a property has no name")
		}
		t.i++
		return 0, `\` + string(letter) + rest[:1], nil
	}
	end := strings.IndexByte(rest, '}')
	if end < 0 {
		return 0, "", errors.New("the name of a property has no end")
	}
	t.i += end + 1
	name := rest[1:end]
	if key, value, ok := strings.Cut(name, "="); ok {
		switch key {
		case "Script", "sc", "Script_Extensions", "scx", "General_Category", "gc":
			name = value
		}
	}
	return 0, `\` + string(letter) + "{" + name + "}", nil
}

// readNumber reads the number of a character behind \x or \u. Two halves of a surrogate pair are one character.
func (t *patternTranslator) readNumber(letter rune) (rune, string, error) {
	digits := map[rune]int{'x': 2, 'u': 4}[letter]
	rest := t.s[t.i:]
	if strings.HasPrefix(rest, "{") {
		end := strings.IndexByte(rest, '}')
		n, err := strconv.ParseUint(rest[1:max(end, 1)], 16, 32)
		if end < 0 || err != nil || n > unicode.MaxRune {
			return 0, "", errors.New("the number of a character is none")
		}
		t.i += end + 1
		return rune(n), "", nil
	}
	if len(rest) < digits {
		return letter, "", nil
	}
	n, err := strconv.ParseUint(rest[:digits], 16, 32)
	if err != nil {
		return letter, "", nil //nolint:nilerr // it stands for itself
	}
	t.i += digits
	r := rune(n)
	if utf16.IsSurrogate(r) && strings.HasPrefix(t.s[t.i:], `\u`) && len(t.s) >= t.i+6 {
		if low, err := strconv.ParseUint(t.s[t.i+2:t.i+6], 16, 32); err == nil {
			if pair := utf16.DecodeRune(r, rune(low)); pair != unicode.ReplacementChar {
				t.i += 6
				return pair, "", nil
			}
		}
	}
	return r, "", nil
}

// translateClass translates a class.
func (t *patternTranslator) translateClass() error {
	start := len(t.out)
	t.i++
	negated := strings.HasPrefix(t.s[t.i:], "^")
	if negated {
		t.i++
	}
	var set []byte
	for {
		if t.i >= len(t.s) {
			return errors.New("a class is not closed")
		}
		if t.s[t.i] == ']' {
			t.i++
			break
		}
		var err error
		if set, err = t.classPart(set); err != nil {
			return err
		}
	}
	t.atom = start
	if len(set) == 0 { // nothing, or without the sign anything
		negated, set = !negated, append(set, anything...)
	}
	t.out = append(t.out, '[')
	if negated {
		t.out = append(t.out, '^')
	}
	t.out = append(append(t.out, set...), ']')
	return nil
}

var posixClass = regexp.MustCompile(`^\[:\^?[a-z]+:\]`)

// classPart appends a character, a range, or the contents of another class.
func (t *patternTranslator) classPart(set []byte) ([]byte, error) {
	if name := posixClass.FindString(t.s[t.i:]); name != "" {
		t.i += len(name)
		return append(set, name...), nil
	}
	from, inner, err := t.readMember()
	if err != nil || inner != "" {
		return append(set, inner...), err
	}
	if rest := t.s[t.i:]; len(rest) < 2 || rest[0] != '-' || rest[1] == ']' {
		return appendRange(set, from, from), nil
	}
	t.i++
	to, inner, err := t.readMember()
	switch {
	case err != nil:
		return set, err
	case inner != "":
		return append(appendRange(appendRange(set, from, from), '-', '-'), inner...), nil
	case to < from:
		return set, errors.New("a range of characters ends before it begins")
	}
	return appendRange(set, from, to), nil
}

func appendRange(set []byte, from, to rune) []byte {
	if from == to {
		return fmt.Appendf(set, `\x{%X}`, from)
	}
	return fmt.Appendf(set, `\x{%X}-\x{%X}`, from, to)
}

// readMember reads a character in a class, or a class of its own.
func (t *patternTranslator) readMember() (rune, string, error) {
	if t.s[t.i] != '\\' {
		r, size := utf8.DecodeRuneInString(t.s[t.i:])
		t.i += size
		return r, "", nil
	}
	if t.i+1 == len(t.s) {
		return 0, "", errors.New("it ends in a backslash")
	}
	if t.s[t.i+1] == 'b' {
		t.i += 2
		return '\b', "", nil
	}
	return t.readEscape()
}
