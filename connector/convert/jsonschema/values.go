package jsonschema

import (
	"bytes"
	"slices"
	"strconv"
)

// checkValue checks what concerns parts of every type.
func (m *validator) checkValue(r *schemaRule, at int) fault {
	p := &m.parts[at]
	if r.types != 0 && r.types&p.kind == 0 && !(p.kind == number && r.types&integer != 0 && m.isWhole(at)) {
		return fault{r, "type"}
	}
	if r.constant != nil && !m.isAmong(r.constant, at) {
		return fault{r, "const"}
	}
	if r.enum != nil && !m.isAmong(r.enum, at) {
		return fault{r, "enum"}
	}
	if r.format != nil && p.kind == text {
		b := m.partBytes(at)
		m.steps -= 5 + len(b)
		if r.format.regex {
			m.steps -= regexSteps(b)
		}
		if m.steps < 0 {
			return exhausted
		}
		if r.format.valid(string(b)) != nil {
			return fault{r, "format"}
		}
	}
	return fault{}
}

func (m *validator) isAmong(v *allowedValues, at int) bool {
	p := &m.parts[at]
	if v.kinds&p.kind == 0 || !m.repeated && int(p.next)-at > v.parts {
		return false
	}
	m.buf = m.appendCanonical(m.buf[:0], at)
	_, ok := v.set[string(m.buf)]
	return ok
}

// regexSteps are those of reading a pattern. A class takes a millisecond if its pattern
// ignores case.
func regexSteps(b []byte) int {
	n := 10 * len(b)
	if bytes.Contains(b, []byte("(?")) {
		n += 20 * len(b) * min(len(b), maxPatternBytes)
	}
	return n
}

// appendCanonical appends a form of the part at that all equal parts have.
func (m *validator) appendCanonical(dst []byte, at int) []byte {
	p := &m.parts[at]
	if m.steps -= 3; m.steps < 0 {
		return dst
	}
	switch p.kind {
	case null:
		return append(dst, 'n')
	case boolean:
		return strconv.AppendBool(dst, p.isTrue)
	case number:
		return m.canonicalNumber(dst, at)
	case text:
		b := m.partBytes(at)
		m.steps -= len(b) / 16
		dst = strconv.AppendInt(append(dst, '"'), int64(len(b)), 10)
		return append(append(dst, ':'), b...)
	case list:
		dst = append(dst, '[')
		for i := at + 1; i < int(p.next); i = int(m.parts[i].next) {
			dst = m.appendCanonical(dst, i)
		}
		return append(dst, ']')
	default:
		return m.canonicalObject(dst, at)
	}
}

func (m *validator) canonicalNumber(dst []byte, at int) []byte {
	b := m.partBytes(at)
	m.steps -= len(b) / 8
	d := parseDecimal(b, m.digits[:0])
	dst = append(dst, 'd')
	if d.negative {
		dst = append(dst, '-')
	}
	dst = append(append(dst, d.digits...), 'e')
	return append(strconv.AppendInt(dst, int64(d.exp), 10), ';')
}

func (m *validator) canonicalObject(dst []byte, at int) []byte {
	var names []int
	for i := at + 1; i < int(m.parts[at].next); i = m.nextPart(i) {
		if !m.parts[i].dropped {
			names = append(names, i)
		}
	}
	m.steps -= 4 * len(names)
	slices.SortFunc(names, func(a, b int) int { return bytes.Compare(m.partBytes(a), m.partBytes(b)) })
	dst = append(dst, '{')
	for _, i := range names {
		dst = m.appendCanonical(m.appendCanonical(dst, i), i+1)
	}
	return append(dst, '}')
}
