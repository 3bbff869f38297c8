package jsonschema

// evaluatedMarks are the members, by their place, or items that some rule was applied to. They
// are kept where "unevaluated" asks for them, and nil elsewhere.
type evaluatedMarks []uint64

func (m *validator) newMarks(at int) evaluatedMarks {
	n := int(m.parts[at].next-uint32(at))/64 + 1
	m.steps -= n
	return make(evaluatedMarks, min(n, max(m.steps, 0)+1))
}

func (s evaluatedMarks) markPart(i int) {
	if word := i / 64; word < len(s) {
		s[word] |= 1 << (i % 64)
	}
}

func (s evaluatedMarks) isMarked(i int) bool { return i/64 < len(s) && s[i/64]&(1<<(i%64)) != 0 }

func (s evaluatedMarks) markAll() {
	for i := range s {
		s[i] = ^uint64(0)
	}
}

func (m *validator) mergeMarks(s, from evaluatedMarks) {
	m.steps -= len(from)
	for i := range min(len(s), len(from)) {
		s[i] |= from[i]
	}
}

func (m *validator) freshMarks(at int, seen evaluatedMarks) evaluatedMarks {
	if seen == nil {
		return nil
	}
	return m.newMarks(at)
}

// checkUnevaluated checks what no rule was applied to.
func (m *validator) checkUnevaluated(r *schemaRule, at int, seen evaluatedMarks) fault {
	p := &m.parts[at]
	for i, place := at+1, 0; i < int(p.next); place++ {
		value := i
		each := r.unevaluatedItems
		if p.kind == object {
			value, each = i+1, r.unevaluatedProperties
		}
		if !seen.isMarked(place) && !m.parts[i].dropped {
			if f := m.checkRule(each, value, nil); f.rule != nil {
				return f
			}
		} else {
			m.steps--
		}
		i = int(m.parts[value].next)
	}
	return fault{}
}
