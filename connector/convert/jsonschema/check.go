package jsonschema

import (
	"fmt"
	"hash/maphash"
)

// machine checks one document. Each part of the work costs steps, so that the time that
// a document takes is bounded whatever its schema says; they depend on the document and
// the schema alone, and so does the verdict.
type machine struct {
	document
	steps   int // that are left; below zero, all that it finds means nothing
	frames  []frame
	matcher matcher
	buf     []byte
	digits  [MaxDigits]byte // of the number that is looked at
	seed    maphash.Seed
	undone  error // why the document can't be compared
}

// give ends the comparison without a verdict.
func (m *machine) give(err error) { m.undone, m.steps = err, -1 }

// frame is a rule that is being checked, and the part that it is checked for.
type frame struct {
	rule *rule
	at   int
}

// maxFrames limits the rules that are being checked at a time, each inside of the one
// before: 512 levels of JSON, and 20 rules for each.
const maxFrames = 10_000

// fault is a keyword that a document does not agree with; the zero fault is none.
type fault struct {
	rule    *rule
	keyword string
}

func (f fault) String() string {
	if f.keyword == "" {
		return "#" + f.rule.location
	}
	return "#" + f.rule.location + "/" + f.keyword
}

// exhausted is the fault of a document that took too many steps.
var exhausted = fault{rule: &rule{}}

// check returns the first fault that r finds in the part at. If seen is not nil, it gets the
// marks of the evaluated parts, which are valid only without a fault.
func (m *machine) check(r *rule, at int, seen marks) fault {
	if m.steps--; m.steps < 0 {
		return exhausted
	}
	switch {
	case r.missing != "":
		m.give(fmt.Errorf("%w: %s", ErrPart, r.missing))
		return exhausted
	case r.always:
		return fault{}
	case r.never:
		return fault{rule: r}
	case len(m.frames) == maxFrames:
		m.steps = -1
		return exhausted
	case r.cyclic && m.circles(r, at):
		return fault{r, ""}
	}
	m.frames = append(m.frames, frame{r, at})
	own := seen
	p := &m.parts[at]
	unevaluated := p.kind == object && r.unevaluatedProperties != nil || p.kind == list && r.unevaluatedItems != nil
	if unevaluated {
		own = m.marks(at)
	}
	f := m.apply(r, at, own)
	if unevaluated && f.rule == nil {
		f = m.unevaluated(r, at, own)
		if seen != nil {
			seen.all()
		}
	}
	m.frames = m.frames[:len(m.frames)-1]
	return f
}

// circles reports whether r is being checked for the same part already.
func (m *machine) circles(r *rule, at int) bool {
	for i := len(m.frames) - 1; i >= 0 && m.frames[i].at == at; i-- {
		m.steps--
		if m.frames[i].rule == r {
			return true
		}
	}
	return false
}

func (m *machine) apply(r *rule, at int, seen marks) fault {
	if f := m.value(r, at); f.rule != nil {
		return f
	}
	if r.ref != nil {
		if f := m.check(r.ref, at, seen); f.rule != nil || r.alone {
			return f
		}
	}
	var f fault
	switch m.parts[at].kind {
	case object:
		f = m.object(r, at, seen)
	case list:
		f = m.list(r, at, seen)
	case text:
		f = m.textual(r, at)
	case number:
		f = m.number(r, at)
	default: // there is one null, and two booleans
	}
	if f.rule != nil {
		return f
	}
	if r.recursive != nil || r.dynamic != nil {
		if f := m.references(r, at, seen); f.rule != nil {
			return f
		}
	}
	return m.conditions(r, at, seen)
}

// conditions checks the rules that are made of other rules.
func (m *machine) conditions(r *rule, at int, seen marks) fault {
	if r.not != nil && m.check(r.not, at, m.fresh(at, seen)).rule == nil {
		return fault{r, "not"}
	}
	for _, each := range r.allOf {
		if f := m.check(each, at, seen); f.rule != nil {
			return f
		}
	}
	if r.anyOf != nil {
		if f := m.anyOf(r, at, seen); f.rule != nil {
			return f
		}
	}
	if r.oneOf != nil {
		if f := m.oneOf(r, at, seen); f.rule != nil {
			return f
		}
	}
	if r.whether == nil {
		return fault{}
	}
	then := r.otherwise
	if m.try(r.whether, at, seen).rule == nil {
		then = r.then
	}
	if then == nil || m.steps < 0 {
		return fault{}
	}
	return m.check(then, at, seen)
}

// try is check where a fault is no fault of the rule that asks.
func (m *machine) try(r *rule, at int, seen marks) fault {
	own := m.fresh(at, seen)
	f := m.check(r, at, own)
	if f.rule == nil && seen != nil {
		m.merge(seen, own)
	}
	return f
}

func (m *machine) anyOf(r *rule, at int, seen marks) (first fault) {
	matched := false
	for i, each := range r.anyOf {
		f := m.try(each, at, seen)
		switch {
		case m.steps < 0:
			return exhausted
		case f.rule == nil:
			if matched = true; seen == nil {
				return fault{}
			}
		case i == 0:
			first = f
		}
	}
	if matched {
		return fault{}
	}
	return first
}

func (m *machine) oneOf(r *rule, at int, seen marks) (first fault) {
	matched := false
	for i, each := range r.oneOf {
		f := m.try(each, at, seen)
		switch {
		case m.steps < 0:
			return exhausted
		case f.rule == nil && matched:
			return fault{r, "oneOf"}
		case f.rule == nil:
			matched = true
		case i == 0:
			first = f
		}
	}
	if matched {
		return fault{}
	}
	return first
}

// references checks the rules that $recursiveRef and $dynamicRef lead to: the outermost
// of those that are being checked decides.
func (m *machine) references(r *rule, at int, seen marks) fault {
	if to := r.recursive; to != nil {
		if to.anchored {
			to = m.outermost(to, func(f *frame) *rule {
				if s := f.rule.scope; s != nil && s.root.anchored {
					return f.rule
				}
				return nil
			})
		}
		if f := m.check(to, at, seen); f.rule != nil {
			return f
		}
	}
	if to := r.dynamic; to != nil {
		if name := r.dynamicAnchor; name != "" && to.anchor == name {
			to = m.outermost(to, func(f *frame) *rule {
				if f.rule.scope == nil {
					return nil
				}
				return f.rule.scope.anchors[name]
			})
		}
		return m.check(to, at, seen)
	}
	return fault{}
}

func (m *machine) outermost(otherwise *rule, find func(*frame) *rule) *rule {
	for i := range m.frames {
		m.steps--
		if r := find(&m.frames[i]); r != nil {
			return r
		}
	}
	return otherwise
}
