package jsonschema

import (
	"fmt"
	"hash/maphash"
)

// validator checks one document. Each part of the work costs steps, so that the time that
// a document takes is bounded whatever its schema says; they depend on the document and
// the schema alone, and so does the verdict.
type validator struct {
	document
	steps   int // that are left; below zero, all that it finds means nothing
	frames  []frame
	matcher patternMatcher
	buf     []byte
	digits  [MaxDigits]byte // of the number that is looked at
	seed    maphash.Seed
	undone  error // why the document can't be compared
}

// giveUp ends the comparison without a verdict.
func (m *validator) giveUp(err error) { m.undone, m.steps = err, -1 }

// frame is a rule that is being checked, and the part that it is checked for.
type frame struct {
	rule *schemaRule
	at   int
}

// maxFrames limits the rules that are being checked at a time, each inside of the one
// before: 512 levels of JSON, and 20 rules for each.
const maxFrames = 10_000

// fault is a keyword that a document does not agree with; the zero fault is none.
type fault struct {
	rule    *schemaRule
	keyword string
}

func (f fault) String() string {
	if f.keyword == "" {
		return "#" + f.rule.location
	}
	return "#" + f.rule.location + "/" + f.keyword
}

// exhausted is the fault of a document that took too many steps.
var exhausted = fault{rule: &schemaRule{}}

// checkRule returns the first fault that r finds in the part at. If seen is not nil, it gets the
// marks of the evaluated parts, which are valid only without a fault.
func (m *validator) checkRule(r *schemaRule, at int, seen evaluatedMarks) fault {
	if m.steps--; m.steps < 0 {
		return exhausted
	}
	switch {
	case r.missing != "":
		m.giveUp(fmt.Errorf("%w: %s", ErrPart, r.missing))
		return exhausted
	case r.always:
		return fault{}
	case r.never:
		return fault{rule: r}
	case len(m.frames) == maxFrames:
		m.steps = -1
		return exhausted
	case r.cyclic && m.isCircular(r, at):
		return fault{r, ""}
	}
	m.frames = append(m.frames, frame{r, at})
	own := seen
	p := &m.parts[at]
	unevaluated := p.kind == object && r.unevaluatedProperties != nil || p.kind == list && r.unevaluatedItems != nil
	if unevaluated {
		own = m.newMarks(at)
	}
	f := m.applyRule(r, at, own)
	if unevaluated && f.rule == nil {
		f = m.checkUnevaluated(r, at, own)
		if seen != nil {
			seen.markAll()
		}
	}
	m.frames = m.frames[:len(m.frames)-1]
	return f
}

// isCircular reports whether r is being checked for the same part already.
func (m *validator) isCircular(r *schemaRule, at int) bool {
	for i := len(m.frames) - 1; i >= 0 && m.frames[i].at == at; i-- {
		m.steps--
		if m.frames[i].rule == r {
			return true
		}
	}
	return false
}

func (m *validator) applyRule(r *schemaRule, at int, seen evaluatedMarks) fault {
	if f := m.checkValue(r, at); f.rule != nil {
		return f
	}
	if r.ref != nil {
		if f := m.checkRule(r.ref, at, seen); f.rule != nil || r.alone {
			return f
		}
	}
	var f fault
	switch m.parts[at].kind {
	case object:
		f = m.checkObject(r, at, seen)
	case list:
		f = m.checkList(r, at, seen)
	case text:
		f = m.checkText(r, at)
	case number:
		f = m.checkNumber(r, at)
	default: // there is one null, and two booleans
	}
	if f.rule != nil {
		return f
	}
	if r.recursive != nil || r.dynamic != nil {
		if f := m.checkReferences(r, at, seen); f.rule != nil {
			return f
		}
	}
	return m.checkConditions(r, at, seen)
}

// checkConditions checks the rules that are made of other rules.
func (m *validator) checkConditions(r *schemaRule, at int, seen evaluatedMarks) fault {
	if r.not != nil && m.checkRule(r.not, at, m.freshMarks(at, seen)).rule == nil {
		return fault{r, "not"}
	}
	for _, each := range r.allOf {
		if f := m.checkRule(each, at, seen); f.rule != nil {
			return f
		}
	}
	if r.anyOf != nil {
		enough := 1
		if seen != nil {
			enough = len(r.anyOf) // each of them marks parts
		}
		if n, first := m.countMatches(r.anyOf, at, seen, enough); n == 0 {
			return first
		}
	}
	if r.oneOf != nil {
		switch n, first := m.countMatches(r.oneOf, at, seen, 2); n {
		case 0:
			return first
		case 2:
			return fault{r, "oneOf"}
		}
	}
	if r.whether == nil {
		return fault{}
	}
	then := r.otherwise
	if m.tryRule(r.whether, at, seen).rule == nil {
		then = r.then
	}
	if then == nil || m.steps < 0 {
		return fault{}
	}
	return m.checkRule(then, at, seen)
}

// tryRule is checkRule where a fault is no fault of the rule that asks.
func (m *validator) tryRule(r *schemaRule, at int, seen evaluatedMarks) fault {
	own := m.freshMarks(at, seen)
	f := m.checkRule(r, at, own)
	if f.rule == nil && seen != nil {
		m.mergeMarks(seen, own)
	}
	return f
}

// countMatches counts the rules that agree with the part at, as far as enough of them, and returns the fault of the first rule.
func (m *validator) countMatches(rules []*schemaRule, at int, seen evaluatedMarks, enough int) (matched int, first fault) {
	for i, each := range rules {
		f := m.tryRule(each, at, seen)
		switch {
		case m.steps < 0:
			return 0, exhausted
		case f.rule == nil:
			if matched++; matched == enough {
				return matched, fault{}
			}
		case i == 0:
			first = f
		}
	}
	return matched, first
}

// checkReferences checks the rules that $recursiveRef and $dynamicRef lead to: the outermost
// of those that are being checked decides.
func (m *validator) checkReferences(r *schemaRule, at int, seen evaluatedMarks) fault {
	if to := r.recursive; to != nil {
		if to.anchored {
			to = m.outermostRule(to, func(r *schemaRule) *schemaRule {
				if r.scope.root.anchored {
					return r
				}
				return nil
			})
		}
		if f := m.checkRule(to, at, seen); f.rule != nil {
			return f
		}
	}
	if to := r.dynamic; to != nil {
		if name := r.dynamicAnchor; name != "" && to.anchor == name {
			to = m.outermostRule(to, func(r *schemaRule) *schemaRule { return r.scope.anchors[name] })
		}
		return m.checkRule(to, at, seen)
	}
	return fault{}
}

// outermostRule returns what find returns for the outermost rule with a scope for which that is not nil.
func (m *validator) outermostRule(otherwise *schemaRule, find func(*schemaRule) *schemaRule) *schemaRule {
	for _, f := range m.frames {
		m.steps--
		if f.rule.scope == nil {
			continue
		}
		if r := find(f.rule); r != nil {
			return r
		}
	}
	return otherwise
}
