package jsonschema

import "unicode/utf8"

// whole reports whether a number has no fraction.
func (m *machine) whole(at int) bool {
	b := m.bytes(at)
	if _, ok := smallInt(b); ok {
		return true
	}
	m.steps -= 2 + len(b)/8
	return parseDecimal(b, m.digits[:0]).whole()
}

func (m *machine) textual(r *rule, at int) fault {
	if r.minLength != nil || r.maxLength != nil {
		b := m.bytes(at)
		m.steps -= len(b) / 8
		n := utf8.RuneCount(b)
		switch {
		case r.minLength != nil && n < *r.minLength:
			return fault{r, "minLength"}
		case r.maxLength != nil && n > *r.maxLength:
			return fault{r, "maxLength"}
		}
	}
	if r.pattern != nil && !m.matches(r.pattern, at) {
		return fault{r, "pattern"}
	}
	return fault{}
}

func (m *machine) number(r *rule, at int) fault {
	if r.minimum == nil && r.maximum == nil && r.above == nil && r.below == nil && r.multiple == nil {
		return fault{}
	}
	n := numeral{small: 0, b: m.bytes(at)}
	n.small, n.isSmall = smallInt(n.b)
	switch {
	case r.minimum != nil && m.compare(&n, r.minimum) < 0:
		return fault{r, "minimum"}
	case r.maximum != nil && m.compare(&n, r.maximum) > 0:
		return fault{r, "maximum"}
	case r.above != nil && m.compare(&n, r.above) <= 0:
		return fault{r, "exclusiveMinimum"}
	case r.below != nil && m.compare(&n, r.below) >= 0:
		return fault{r, "exclusiveMaximum"}
	case r.multiple != nil && !m.multiple(&n, r.multiple):
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

func (m *machine) exact(n *numeral) decimal {
	if !n.parsed {
		m.steps -= 5 + len(n.b)/8
		n.exact, n.parsed = parseDecimal(n.b, m.digits[:0]), true
	}
	return n.exact
}

func (m *machine) compare(n *numeral, l *limit) int {
	if !n.isSmall || !l.isInt {
		m.steps -= min(len(n.b), len(l.digits)) / 8
		return m.exact(n).compare(l.decimal)
	}
	switch {
	case n.small < l.small:
		return -1
	case n.small > l.small:
		return 1
	}
	return 0
}

func (m *machine) multiple(n *numeral, l *limit) bool {
	if n.isSmall && l.isInt {
		return n.small%l.small == 0
	}
	d := m.exact(n)
	digits := len(d.digits) + len(l.digits) + abs(d.exp) + abs(l.exp)
	m.steps -= 2
	if digits > maxSmallDigits {
		m.steps -= 100 + digits*digits/64
	}
	return d.multipleOf(l.decimal)
}

func abs(n int) int { return max(n, -n) }
