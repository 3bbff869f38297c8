package jsonschema

// marks are the members, by their place, or items that some rule was applied to. They
// are kept where "unevaluated" asks for them, and nil elsewhere.
type marks []uint64

func (m *machine) marks(at int) marks {
	n := int(m.parts[at].next-uint32(at))/64 + 1
	m.steps -= n
	return make(marks, min(n, max(m.steps, 0)+1))
}

func (s marks) set(i int) {
	if word := i / 64; word < len(s) {
		s[word] |= 1 << (i % 64)
	}
}

func (s marks) has(i int) bool { return i/64 < len(s) && s[i/64]&(1<<(i%64)) != 0 }

func (s marks) all() {
	for i := range s {
		s[i] = ^uint64(0)
	}
}

func (m *machine) merge(s, from marks) {
	m.steps -= len(from)
	for i := range min(len(s), len(from)) {
		s[i] |= from[i]
	}
}

func (m *machine) fresh(at int, seen marks) marks {
	if seen == nil {
		return nil
	}
	return m.marks(at)
}

// unevaluated checks what no rule was applied to.
func (m *machine) unevaluated(r *rule, at int, seen marks) fault {
	p := &m.parts[at]
	for i, place := at+1, 0; i < int(p.next); place++ {
		value := i
		each := r.unevaluatedItems
		if p.kind == object {
			value, each = i+1, r.unevaluatedProperties
		}
		if !seen.has(place) && !m.parts[i].dropped {
			if f := m.check(each, value, nil); f.rule != nil {
				return f
			}
		} else {
			m.steps--
		}
		i = int(m.parts[value].next)
	}
	return fault{}
}
