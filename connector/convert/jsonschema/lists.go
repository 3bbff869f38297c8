package jsonschema

import (
	"bytes"
	"cmp"
	"hash/maphash"
	"slices"
)

func (m *validator) checkList(r *schemaRule, at int, seen evaluatedMarks) fault {
	p := &m.parts[at]
	n := int(p.from)
	switch {
	case r.minItems != nil && n < *r.minItems:
		return fault{r, "minItems"}
	case r.maxItems != nil && n > *r.maxItems:
		return fault{r, "maxItems"}
	case r.unique && n > 1 && m.hasRepeats(at, n):
		return fault{r, "uniqueItems"}
	}
	if seen != nil {
		if r.allItemsEvaluated {
			seen.markAll()
		}
		for i := range min(n, len(r.first)) {
			seen.markPart(i)
		}
	}
	for i, place := at+1, 0; i < int(p.next) && (r.rest != nil || place < len(r.first)); place++ {
		each := r.rest
		if place < len(r.first) {
			each = r.first[place]
		}
		if each == nothing {
			return fault{r, "additionalItems"}
		}
		if f := m.checkRule(each, i, nil); f.rule != nil {
			return f
		}
		i = int(m.parts[i].next)
	}
	if r.contains != nil {
		return m.checkContains(r, at, seen)
	}
	return fault{}
}

func (m *validator) checkContains(r *schemaRule, at int, seen evaluatedMarks) fault {
	matched := 0
	var first fault
	for i, place := at+1, 0; i < int(m.parts[at].next); i, place = int(m.parts[i].next), place+1 {
		f := m.checkRule(r.contains, i, nil)
		if m.steps < 0 {
			return exhausted
		}
		if f.rule != nil {
			if first.rule == nil {
				first = f
			}
			continue
		}
		matched++
		if seen != nil && r.marksContained {
			seen.markPart(place)
		} else if matched >= r.minContains && r.maxContains < 0 {
			return fault{}
		}
	}
	switch {
	case matched < r.minContains && first.rule != nil:
		return first
	case matched < r.minContains:
		return fault{r, "contains"}
	case r.maxContains >= 0 && matched > r.maxContains:
		return fault{r, "maxContains"}
	}
	return fault{}
}

// hasRepeats reports whether two of the n items of the list at are equal.
func (m *validator) hasRepeats(at, n int) bool {
	type item struct {
		hash uint64
		at   int
	}
	if m.steps -= 6 * n; m.steps < 0 {
		return false
	}
	items := make([]item, 0, n)
	for i := at + 1; i < int(m.parts[at].next) && m.steps >= 0; i = int(m.parts[i].next) {
		m.buf = m.appendCanonical(m.buf[:0], i)
		items = append(items, item{maphash.Bytes(m.seed, m.buf), i})
	}
	slices.SortFunc(items, func(a, b item) int { return cmp.Compare(a.hash, b.hash) })
	for i := 1; i < len(items); i++ {
		if items[i-1].hash == items[i].hash && bytes.Equal(m.appendCanonical(nil, items[i-1].at), m.appendCanonical(nil, items[i].at)) {
			return true
		}
	}
	return false
}
