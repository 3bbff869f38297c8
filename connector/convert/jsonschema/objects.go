package jsonschema

import "fmt"

func (m *validator) checkObject(r *schemaRule, at int, seen evaluatedMarks) fault {
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
		seen.markAll()
	}
	required := 0
	if len(r.members) > 0 || r.patterns != nil || r.additional != nil || r.names != nil {
		for i, place := at+1, 0; i < int(p.next); i, place = m.nextPart(i), place+1 {
			if m.parts[i].dropped {
				continue
			}
			known := r.members[string(m.partBytes(i))]
			if f := m.checkMember(r, known, at, i, place, seen); f.rule != nil {
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

// checkMember checks the member of the object at whose name is at i; known is what r says of
// its name.
func (m *validator) checkMember(r *schemaRule, known *member, at, i, place int, seen evaluatedMarks) fault {
	if m.steps -= 2; m.steps < 0 {
		return exhausted
	}
	evaluated := false
	if known != nil && known.rule != nil {
		evaluated = true
		if f := m.checkRule(known.rule, i+1, nil); f.rule != nil {
			return f
		}
	}
	for _, p := range r.patterns {
		if m.matchesPattern(p.pattern, i) {
			evaluated = true
			if f := m.checkRule(p.rule, i+1, nil); f.rule != nil {
				return f
			}
		}
	}
	switch {
	case evaluated:
		seen.markPart(place)
	case r.additional == nothing:
		return fault{r, "additionalProperties"}
	case r.additional != nil:
		if f := m.checkRule(r.additional, i+1, nil); f.rule != nil {
			return f
		}
	}
	if r.names != nil {
		if f := m.checkRule(r.names, i, nil); f.rule != nil {
			return f
		}
	}
	if known == nil {
		return fault{}
	}
	return m.checkNeeds(r, known.needs, at, seen)
}

// checkNeeds checks the rules that hold for the object at because one of its members is there.
func (m *validator) checkNeeds(r *schemaRule, needs []need, at int, seen evaluatedMarks) fault {
	for _, n := range needs {
		if n.rule != nil {
			if f := m.checkRule(n.rule, at, seen); f.rule != nil {
				return f
			}
		}
		for _, name := range n.names {
			if !m.hasMember(at, name) {
				return fault{r, n.keyword}
			}
		}
	}
	return fault{}
}

func (m *validator) hasMember(at int, name string) bool {
	for i := at + 1; i < int(m.parts[at].next) && m.steps >= 0; i = m.nextPart(i) {
		m.steps--
		if string(m.partBytes(i)) == name {
			return true
		}
	}
	return false
}

func (m *validator) matchesPattern(p *pattern, at int) bool {
	if p.refused != nil {
		m.giveUp(fmt.Errorf("%w: the pattern %.100q: %w", ErrPart, p.text, p.refused))
		return false
	}
	const perStep = 3
	ok, n := m.matcher.matchText(p, m.partBytes(at), perStep*max(m.steps, 0))
	m.steps -= 3 + n/perStep
	return ok
}
