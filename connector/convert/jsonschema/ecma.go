package jsonschema

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Patterns of JSON Schema are those of ECMA 262. They are translated into those of package regexp, whose time is
// linear in the text. Lookarounds and references to groups have no such form, but for lookaheads at the begin
// of a pattern, which are patterns of their own. What only package regexp and Java have, as (?i) and \A, stays.

// errNoForm is the error for a pattern that is valid and has no form in package regexp.
var errNoForm = errors.New("it takes a regular expression that can need exponential time")

// translatedPattern is a pattern in the syntax of package regexp.
type translatedPattern struct {
	text  string
	ahead []lookahead
}

// lookahead is a pattern that has to match where another begins, or must not.
type lookahead struct {
	text    string
	negated bool
}

// The contents of classes for ECMA's \s, and for its complement.
const (
	spaces   = `\t-\r \x{A0}\x{1680}\x{2000}-\x{200A}\x{2028}\x{2029}\x{202F}\x{205F}\x{3000}\x{FEFF}`
	noSpaces = `\x{0}-\x{8}\x{E}-\x{1F}!-\x{9F}\x{A1}-\x{167F}\x{1681}-\x{1FFF}\x{200B}-\x{2027}\x{202A}-\x{202E}\x{2030}-\x{205E}\x{2060}-\x{2FFF}\x{3001}-\x{FEFE}\x{FF00}-\x{10FFFF}`
	anything = `\x{0}-\x{10FFFF}`
)

// translatePattern translates a pattern.
func translatePattern(s string) (all translatedPattern, err error) {
	rest, begin := strings.CutPrefix(s, "^")
	for begin && (strings.HasPrefix(rest, "(?=") || strings.HasPrefix(rest, "(?!")) {
		end := closingBracket(rest)
		if end < 0 {
			return all, errors.New("a parenthesis is not closed")
		}
		text, err := translateOne("^(?:"+rest[3:end]+")", false)
		if err != nil {
			return all, err
		}
		all.ahead = append(all.ahead, lookahead{text, rest[2] == '!'})
		if rest = rest[end+1:]; rest != "" && strings.IndexByte("*+?{", rest[0]) >= 0 {
			return all, errNoForm
		}
	}
	if len(all.ahead) > 0 {
		s = "^" + rest
	}
	all.text, err = translateOne(s, len(all.ahead) > 0)
	return all, err
}

// closingBracket is the place of the parenthesis that closes the one at the begin, -1 without one.
func closingBracket(s string) int {
	depth, class := 0, false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\':
			i++
		case class:
			class = c != ']'
		case c == '[':
			class = true
		case c == '(':
			depth++
		case c == ')':
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return -1
}

// patternTranslator reads a pattern from its start.
type patternTranslator struct {
	s      string
	i      int
	out    []byte
	atom   int   // where in out the part begins that a quantifier would be for, -1 for none
	groups []int // where groups begin that are open
	flags  bool  // it has flags, which ECMA does not know: the dot depends on them
}

func translateOne(s string, single bool) (string, error) {
	t := patternTranslator{s: s, atom: -1, flags: inlineFlags.MatchString(s)}
	for t.i < len(t.s) {
		if single && t.s[t.i] == '|' && len(t.groups) == 0 {
			return "", errNoForm // the lookaheads are for the first alternative alone
		}
		if err := t.translateNext(); err != nil {
			return "", err
		}
		if len(t.out) > maxPatternBytes*16 {
			return "", errors.New("its repetitions are too many")
		}
	}
	return string(t.out), nil
}

var inlineFlags = regexp.MustCompile(`\(\?[imsU-]+[:)]`)

// translateNext translates an atom, an assertion or a quantifier.
func (t *patternTranslator) translateNext() error {
	start := len(t.out)
	switch c := t.s[t.i]; c {
	case '\\':
		return t.translateEscape()
	case '[':
		return t.translateClass()
	case '(':
		return t.openGroup()
	case ')':
		t.copyRaw(1)
		t.atom = -1
		if n := len(t.groups); n > 0 {
			t.atom, t.groups = t.groups[n-1], t.groups[:n-1]
		}
	case '|', '^', '$':
		t.copyRaw(1)
		t.atom = -1
	case '*', '+', '?':
		t.copyRaw(1)
	case '{':
		return t.translateRepeat()
	case '.':
		t.i++
		t.atom = start
		if t.flags {
			t.out = append(t.out, '.')
		} else {
			t.out = append(t.out, `[^\n\r\x{2028}\x{2029}]`...)
		}
	default:
		r, size := utf8.DecodeRuneInString(t.s[t.i:])
		t.i += size
		t.writeLiteral(r)
	}
	return nil
}

// copyRaw copies syntax that both languages share.
func (t *patternTranslator) copyRaw(n int) {
	t.out = append(t.out, t.s[t.i:t.i+n]...)
	t.i += n
}

func (t *patternTranslator) writeLiteral(r rune) {
	t.atom = len(t.out)
	t.out = append(t.out, regexp.QuoteMeta(string(r))...)
}

func (t *patternTranslator) openGroup() error {
	rest := t.s[t.i:]
	start := len(t.out)
	t.atom = -1
	switch {
	case !strings.HasPrefix(rest, "(?"):
		t.i++
	case strings.HasPrefix(rest, "(?:"):
		t.i += 3
	case strings.HasPrefix(rest, "(?="), strings.HasPrefix(rest, "(?!"), strings.HasPrefix(rest, "(?<="), strings.HasPrefix(rest, "(?<!"), strings.HasPrefix(rest, "(?>"):
		return errNoForm
	case strings.HasPrefix(rest, "(?<"), strings.HasPrefix(rest, "(?P<"):
		end := strings.IndexByte(rest, '>')
		if end < 0 {
			return errors.New("the name of a group has no end")
		}
		t.i += end + 1
	default: // flags
		end := strings.IndexAny(rest, ":)")
		if end < 0 {
			return errors.New("a parenthesis is not closed")
		}
		if rest[end] == ':' {
			t.groups = append(t.groups, start)
		}
		t.copyRaw(end + 1)
		return nil
	}
	t.groups = append(t.groups, start)
	t.out = append(t.out, "(?:"...)
	return nil
}

// maxRepeat is the largest number that package regexp takes in a quantifier.
const maxRepeat = 1000

var quantifier = regexp.MustCompile(`^\{(\d{1,9})(?:(,)(\d{1,9})?)?\}`)

// translateRepeat translates a quantifier in braces. Others than quantifiers stand for themselves.
func (t *patternTranslator) translateRepeat() error {
	found := quantifier.FindStringSubmatch(t.s[t.i:])
	if found == nil {
		t.i++
		t.writeLiteral('{')
		return nil
	}
	least, _ := strconv.Atoi(found[1])
	most, _ := strconv.Atoi(found[3])
	switch {
	case found[2] == "":
		most = least
	case found[3] == "":
		most = -1
	}
	if max(least, most) <= maxRepeat || t.atom < 0 {
		t.copyRaw(len(found[0]))
		return nil
	}
	if most >= 0 && most < least {
		return errors.New("a quantifier ends before it begins")
	}
	if max(least, most) > maxPatternSize {
		return fmt.Errorf("a part is repeated %d times, at most %d are taken", max(least, most), maxPatternSize)
	}
	t.i += len(found[0])
	if strings.HasPrefix(t.s[t.i:], "?") { // whether it is greedy has no effect
		t.i++
	}
	atom := string(t.out[t.atom:])
	t.out = append(append(append(t.out[:t.atom], "(?:"...), writeRepetition(atom, least, most)...), ')')
	return nil
}

// writeRepetition writes a quantifier with numbers above maxRepeat as several ones. Each length of the text is matched
// in one way, so that matching takes no more steps than without a limit.
func writeRepetition(atom string, least, most int) string {
	const block = maxRepeat
	switch {
	case most < 0 && least <= block:
		return fmt.Sprintf("%s{%d,}", atom, least)
	case most >= 0 && most <= block:
		return fmt.Sprintf("%s{%d,%d}", atom, least, most)
	case least >= block:
		return fmt.Sprintf("%s{%d}%s", atom, block, writeRepetition(atom, least-block, max(most-block, min(most, -1))))
	}
	return fmt.Sprintf("(?:%s{%d,%d}|%s{%d}%s)", atom, least, block-1, atom, block, writeRepetition(atom, 0, most-block))
}
