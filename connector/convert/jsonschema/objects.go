package jsonschema

import "fmt"

func (m *machine) object(r *rule, at int, seen marks) fault {
	p := &m.parts[at]
	n := int(p.from)
	switch {
	case r.minMembers != nil && n < *r.minMembers:
		return fault{r, "minProperties"}
	case r.maxMembers != nil && n > *r.maxMembers:
		return fault{r, "maxProperties"}
	case r.required > n:
		return fault{r, "required"}
	}
	if seen != nil && r.allMembersEvaluated {
		seen.all()
	}
	required := 0
	if len(r.members) > 0 || r.patterns != nil || r.additional != nil || r.names != nil {
		for i, place := at+1, 0; i < int(p.next); i, place = m.behind(i), place+1 {
			if m.parts[i].dropped {
				continue
			}
			known := r.members[string(m.bytes(i))]
			if f := m.member(r, known, at, i, place, seen); f.rule != nil {
				return f
			}
			if known != nil && known.required {
				required++
			}
		}
	}
	if required < r.required {
		return fault{r, "required"}
	}
	return fault{}
}

// member checks the member of the object at whose name is at i; known is what r says of
// its name.
func (m *machine) member(r *rule, known *member, at, i, place int, seen marks) fault {
	if m.steps -= 2; m.steps < 0 {
		return exhausted
	}
	evaluated := false
	if known != nil && known.rule != nil {
		evaluated = true
		if f := m.check(known.rule, i+1, nil); f.rule != nil {
			return f
		}
	}
	for _, p := range r.patterns {
		if m.matches(p.pattern, i) {
			evaluated = true
			if f := m.check(p.rule, i+1, nil); f.rule != nil {
				return f
			}
		}
	}
	switch {
	case evaluated:
		seen.set(place)
	case r.additional == nothing:
		return fault{r, "additionalProperties"}
	case r.additional != nil:
		if f := m.check(r.additional, i+1, nil); f.rule != nil {
			return f
		}
	}
	if r.names != nil {
		if f := m.check(r.names, i, nil); f.rule != nil {
			return f
		}
	}
	if known == nil {
		return fault{}
	}
	return m.needs(r, known.needs, at, seen)
}

// needs checks the rules that hold for the object at because one of its members is there.
func (m *machine) needs(r *rule, needs []need, at int, seen marks) fault {
	for _, n := range needs {
		if n.rule != nil {
			if f := m.check(n.rule, at, seen); f.rule != nil {
				return f
			}
		}
		for _, name := range n.names {
			if !m.has(at, name) {
				return fault{r, n.keyword}
			}
		}
	}
	return fault{}
}

func (m *machine) has(at int, name string) bool {
	for i := at + 1; i < int(m.parts[at].next) && m.steps >= 0; i = m.behind(i) {
		m.steps--
		if string(m.bytes(i)) == name {
			return true
		}
	}
	return false
}

func (m *machine) matches(p *pattern, at int) bool {
	if p.refused != nil {
		m.give(fmt.Errorf("%w: the pattern %.100q: %w", ErrPart, p.text, p.refused))
		return false
	}
	const perStep = 3
	ok, n := m.matcher.match(p, m.bytes(at), perStep*max(m.steps, 0))
	m.steps -= 3 + n/perStep
	return ok
}
