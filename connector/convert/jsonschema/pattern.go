package jsonschema

import (
	"errors"
	"fmt"
	"regexp/syntax"
	"strings"
	"unicode/utf8"
)

const (
	// maxPatternBytes limits the text of one pattern.
	maxPatternBytes = 4 << 10
	// maxPatternSize limits the instructions of one pattern: "(a{1,900}){1,900}" has
	// 800,000, of 40 bytes each.
	maxPatternSize = 10_000
	// maxFoldedClasses limits the character classes in the patterns of a schema that ignore
	// case: each may take a millisecond to compile.
	maxFoldedClasses = 200
)

// pattern is a regular expression whose matching is counted, step by step. The
// instructions are those of package regexp, which has no way to stop it.
type pattern struct {
	text     string
	prog     *syntax.Prog
	anchored bool             // matches at the start of a text only
	empties  syntax.EmptyOp   // all that it asks for of its surroundings, as with ^ and \b
	ascii    [][2]uint64      // the characters of ASCII that an instruction takes, a bit each
	ahead    []lookaheadState // patterns that have to match, too, or must not
	refused  error            // why it can't be matched: those who need it can't be compared
}

// lookaheadState is a pattern that has to match where another one begins, or must not.
type lookaheadState struct {
	*pattern
	negated bool
}

// compilePattern compiles a pattern. One that can't be matched says so itself: it may not be needed.
func compilePattern(s string) *pattern {
	p, err := compileAll(s)
	if err != nil {
		return &pattern{text: s, refused: err}
	}
	return p
}

func compileAll(s string) (*pattern, error) {
	if len(s) > maxPatternBytes {
		return nil, fmt.Errorf("it has %d bytes, at most %d are taken", len(s), maxPatternBytes)
	}
	t, err := translatePattern(s)
	if err != nil {
		return nil, err
	}
	p, err := compileTranslated(s, t.text)
	if err != nil {
		return nil, err
	}
	for _, other := range t.ahead {
		also, err := compileTranslated(s, other.text)
		if err != nil {
			return nil, err
		}
		p.ahead = append(p.ahead, lookaheadState{also, other.negated})
	}
	return p, nil
}

// programSize is how many instructions p has.
func (p *pattern) programSize() int {
	if p.prog == nil {
		return 0
	}
	n := len(p.prog.Inst)
	for _, other := range p.ahead {
		n += len(other.prog.Inst)
	}
	return n
}

// compileTranslated compiles the form of a pattern, or of a part of it, in package regexp.
func compileTranslated(s, form string) (*pattern, error) {
	re, err := parseTranslated(form)
	if err != nil {
		return nil, err
	}
	prog, err := syntax.Compile(re.Simplify())
	if err != nil {
		return nil, err
	}
	p := &pattern{text: s, prog: prog, anchored: prog.StartCond()&syntax.EmptyBeginText != 0}
	p.ascii = make([][2]uint64, len(prog.Inst))
	for i := range prog.Inst {
		inst := &prog.Inst[i]
		if inst.Op == syntax.InstEmptyWidth {
			p.empties |= syntax.EmptyOp(inst.Arg)
		}
		for r := range rune(utf8.RuneSelf) {
			if matchesRune(inst, r) {
				p.ascii[i][r/64] |= 1 << (r % 64)
			}
		}
	}
	return p, nil
}

// parseTranslated reads a pattern that can be compiled.
func parseTranslated(s string) (*syntax.Regexp, error) {
	re, err := syntax.Parse(s, syntax.Perl)
	if err != nil {
		return nil, errors.New(strings.ToValidUTF8(fmt.Sprintf("%.200s", err.Error()), ""))
	}
	if n := programSize(re) + classSize(re); n > maxPatternSize {
		return nil, fmt.Errorf("it has %d instructions or more, at most %d are taken; want fewer repetitions", n, maxPatternSize)
	}
	return re, nil
}

// foldedClasses counts the character classes in a pattern that may ignore case.
func foldedClasses(s string) int {
	if !inlineFlags.MatchString(s) {
		return 0
	}
	return strings.Count(s, "[") + strings.Count(s, `\p`) + strings.Count(s, `\P`)
}

// classSize is the memory of the ranges of characters in re, in terms of instructions. Repeated classes share it.
func classSize(re *syntax.Regexp) int {
	n := 0
	if re.Op == syntax.OpCharClass {
		n = len(re.Rune) / 8
	}
	for _, sub := range re.Sub {
		n += classSize(sub)
	}
	return n
}

// programSize is how many instructions re is compiled to, or more; it ends soon behind
// maxPatternSize.
func programSize(re *syntax.Regexp) int {
	n := 2
	switch re.Op {
	case syntax.OpLiteral:
		n = max(len(re.Rune), 1)
	case syntax.OpCharClass:
		n = 1
	case syntax.OpConcat:
		n = 0
	case syntax.OpAlternate:
		n = len(re.Sub)
	case syntax.OpRepeat:
		n = 1
	default:
	}
	for _, sub := range re.Sub {
		if n += programSize(sub); n > maxPatternSize {
			return n
		}
	}
	if re.Op == syntax.OpRepeat {
		n *= max(re.Min, re.Max) + 1
	}
	return n
}

// String implements jsonschema.Regexp.
func (p *pattern) String() string { return p.text }

// MatchString implements jsonschema.Regexp. Only the patterns of meta-schemas are matched
// with it.
func (p *pattern) MatchString(s string) bool {
	if p.refused != nil {
		return false
	}
	var m patternMatcher
	ok, _ := m.matchText(p, []byte(s), 1<<40)
	return ok
}

// patternMatcher is the state of a match. It is used again, so that matching takes no memory.
type patternMatcher struct {
	seen   []uint32 // instructions that were reached at this place of the text, each once
	sparse []uint32 // where in seen an instruction is
	runes  []uint32 // those in seen that take a rune
	seeds  []uint32 // where the instructions lead that the last rune agreed with
	stack  []uint32
}

// matchText reports whether p matches a part of s, and how many instructions that took, of
// some 10 ns each. It ends when these are more than most.
func (m *patternMatcher) matchText(p *pattern, s []byte, most int) (matched bool, steps int) {
	matched, steps = m.matchOne(p, s, most)
	for _, other := range p.ahead {
		if !matched || steps > most {
			break
		}
		found, more := m.matchOne(other.pattern, s, most-steps)
		matched, steps = found != other.negated, steps+more
	}
	return matched, steps
}

func (m *patternMatcher) matchOne(p *pattern, s []byte, most int) (matched bool, steps int) {
	if n := len(p.prog.Inst); len(m.sparse) < n {
		m.sparse = make([]uint32, n)
	}
	m.seeds = append(m.seeds[:0], uint32(p.prog.Start))
	before := rune(-1)
	for i := 0; ; {
		r, width := rune(-1), 0
		if i < len(s) {
			if r, width = rune(s[i]), 1; r >= utf8.RuneSelf {
				r, width = utf8.DecodeRune(s[i:])
			}
		}
		around := p.emptyOps(before, r)
		m.seen, m.runes = m.seen[:0], m.runes[:0]
		for _, seed := range m.seeds {
			if m.reachState(p, seed, around) {
				return true, steps + len(m.seen)
			}
		}
		steps += len(m.seen) + len(m.runes)
		if width == 0 || steps > most {
			return false, steps
		}
		m.seeds = m.seeds[:0]
		for _, pc := range m.runes {
			if r < utf8.RuneSelf && p.ascii[pc][r/64]>>(r%64)&1 == 1 || r >= utf8.RuneSelf && matchesRune(&p.prog.Inst[pc], r) {
				m.seeds = append(m.seeds, p.prog.Inst[pc].Out)
			}
		}
		if !p.anchored {
			m.seeds = append(m.seeds, uint32(p.prog.Start))
		} else if len(m.seeds) == 0 {
			return false, steps
		}
		before, i = r, i+width
	}
}

// emptyOps is what holds between two runes, -1 for none, as far as p asks for it.
func (p *pattern) emptyOps(before, after rune) (op syntax.EmptyOp) {
	if p.empties&^(syntax.EmptyBeginText|syntax.EmptyEndText) != 0 {
		return syntax.EmptyOpContext(before, after)
	}
	if before < 0 {
		op = syntax.EmptyBeginText
	}
	if after < 0 {
		op |= syntax.EmptyEndText
	}
	return op
}

// reachState adds the instructions that are reached from pc without a rune. It reports whether
// the end of the pattern is among them.
func (m *patternMatcher) reachState(p *pattern, pc uint32, around syntax.EmptyOp) bool {
	m.stack = append(m.stack[:0], pc)
	for len(m.stack) > 0 {
		pc = m.stack[len(m.stack)-1]
		m.stack = m.stack[:len(m.stack)-1]
		if at := m.sparse[pc]; int(at) < len(m.seen) && m.seen[at] == pc {
			continue
		}
		m.sparse[pc] = uint32(len(m.seen))
		m.seen = append(m.seen, pc)
		switch inst := &p.prog.Inst[pc]; inst.Op {
		case syntax.InstMatch:
			return true
		case syntax.InstAlt, syntax.InstAltMatch:
			m.stack = append(m.stack, inst.Arg, inst.Out)
		case syntax.InstCapture, syntax.InstNop:
			m.stack = append(m.stack, inst.Out)
		case syntax.InstEmptyWidth:
			if syntax.EmptyOp(inst.Arg)&^around == 0 {
				m.stack = append(m.stack, inst.Out)
			}
		case syntax.InstFail:
		default:
			m.runes = append(m.runes, pc)
		}
	}
	return false
}

// matchesRune reports whether inst takes r.
func matchesRune(inst *syntax.Inst, r rune) bool {
	switch inst.Op {
	case syntax.InstRune1:
		return r == inst.Rune[0]
	case syntax.InstRuneAny:
		return true
	case syntax.InstRuneAnyNotNL:
		return r != '\n'
	case syntax.InstRune:
		return inst.MatchRune(r)
	default:
		return false
	}
}
