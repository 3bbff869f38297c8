package jsonschema

import (
	"cmp"
	"unicode/utf8"
)

// isWhole reports whether a number has no fraction.
func (m *validator) isWhole(at int) bool {
	b := m.partBytes(at)
	if _, ok := smallInt(b); ok {
		return true
	}
	m.steps -= 2 + len(b)/8
	return parseDecimal(b, m.digits[:0]).isWhole()
}

func (m *validator) checkText(r *schemaRule, at int) fault {
	if r.minLength != nil || r.maxLength != nil {
		b := m.partBytes(at)
		m.steps -= len(b) / 8
		n := utf8.RuneCount(b)
		switch {
		case r.minLength != nil && n < *r.minLength:
			return fault{r, "minLength"}
		case r.maxLength != nil && n > *r.maxLength:
			return fault{r, "maxLength"}
		}
	}
	if r.pattern != nil && !m.matchesPattern(r.pattern, at) {
		return fault{r, "pattern"}
	}
	return fault{}
}

func (m *validator) checkNumber(r *schemaRule, at int) fault {
	if r.minimum == nil && r.maximum == nil && r.above == nil && r.below == nil && r.multiple == nil {
		return fault{}
	}
	n := numeral{small: 0, b: m.partBytes(at)}
	n.small, n.isSmall = smallInt(n.b)
	switch {
	case r.minimum != nil && m.compareLimit(&n, r.minimum) < 0:
		return fault{r, "minimum"}
	case r.maximum != nil && m.compareLimit(&n, r.maximum) > 0:
		return fault{r, "maximum"}
	case r.above != nil && m.compareLimit(&n, r.above) <= 0:
		return fault{r, "exclusiveMinimum"}
	case r.below != nil && m.compareLimit(&n, r.below) >= 0:
		return fault{r, "exclusiveMaximum"}
	case r.multiple != nil && !m.isMultiple(&n, r.multiple):
		return fault{r, "multipleOf"}
	}
	return fault{}
}

// numeral is a number of the document that is compared with those of a rule.
type numeral struct {
	b       []byte
	small   int64
	isSmall bool
	exact   decimal
	parsed  bool
}

func (m *validator) exactDecimal(n *numeral) decimal {
	if !n.parsed {
		m.steps -= 5 + len(n.b)/8
		n.exact, n.parsed = parseDecimal(n.b, m.digits[:0]), true
	}
	return n.exact
}

func (m *validator) compareLimit(n *numeral, l *limit) int {
	if !n.isSmall || !l.isInt {
		m.steps -= min(len(n.b), len(l.digits)) / 8
		return m.exactDecimal(n).compareTo(l.decimal)
	}
	return cmp.Compare(n.small, l.small)
}

func (m *validator) isMultiple(n *numeral, l *limit) bool {
	if n.isSmall && l.isInt {
		return n.small%l.small == 0
	}
	d := m.exactDecimal(n)
	digits := len(d.digits) + len(l.digits) + abs(d.exp) + abs(l.exp)
	m.steps -= 2
	if digits > maxSmallDigits {
		m.steps -= 100 + digits*digits/64
	}
	return d.multipleOf(l.decimal)
}

func abs(n int) int { return max(n, -n) }
