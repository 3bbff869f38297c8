package jsonschema

import (
	"bytes"
	"hash/maphash"
	"slices"
	"strconv"
	"unicode/utf8"
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
}

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

// check is the first fault that the part at has by r. Seen gets the marks of what was
// evaluated, if it is not nil; they mean something without a fault only.
func (m *machine) check(r *rule, at int, seen marks) fault {
	if m.steps--; m.steps < 0 {
		return exhausted
	}
	switch {
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

// value checks what concerns parts of every type.
func (m *machine) value(r *rule, at int) fault {
	p := &m.parts[at]
	if r.types != 0 && r.types&p.kind == 0 && !(p.kind == number && r.types&integer != 0 && m.whole(at)) {
		return fault{r, "type"}
	}
	if r.constant != nil && !m.among(r.constant, at) {
		return fault{r, "const"}
	}
	if r.enum != nil && !m.among(r.enum, at) {
		return fault{r, "enum"}
	}
	if r.format != nil && p.kind == text {
		b := m.bytes(at)
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

// whole reports whether a number has no fraction.
func (m *machine) whole(at int) bool {
	b := m.bytes(at)
	if _, ok := smallInt(b); ok {
		return true
	}
	m.steps -= 2 + len(b)/8
	return parseDecimal(b, m.digits[:0]).whole()
}

func (m *machine) among(v *values, at int) bool {
	p := &m.parts[at]
	if v.kinds&p.kind == 0 || !m.repeated && int(p.next)-at > v.parts {
		return false
	}
	m.buf = m.canonical(m.buf[:0], at)
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

// canonical appends a form of the part at that all equal parts have.
func (m *machine) canonical(dst []byte, at int) []byte {
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
		b := m.bytes(at)
		m.steps -= len(b) / 16
		dst = strconv.AppendInt(append(dst, '"'), int64(len(b)), 10)
		return append(append(dst, ':'), b...)
	case list:
		dst = append(dst, '[')
		for i := at + 1; i < int(p.next); i = int(m.parts[i].next) {
			dst = m.canonical(dst, i)
		}
		return append(dst, ']')
	default:
		return m.canonicalObject(dst, at)
	}
}

func (m *machine) canonicalNumber(dst []byte, at int) []byte {
	b := m.bytes(at)
	m.steps -= len(b) / 8
	d := parseDecimal(b, m.digits[:0])
	dst = append(dst, 'd')
	if d.negative {
		dst = append(dst, '-')
	}
	dst = append(append(dst, d.digits...), 'e')
	return append(strconv.AppendInt(dst, int64(d.exp), 10), ';')
}

func (m *machine) canonicalObject(dst []byte, at int) []byte {
	var names []int
	for i := at + 1; i < int(m.parts[at].next); i = m.behind(i) {
		if !m.parts[i].dropped {
			names = append(names, i)
		}
	}
	m.steps -= 4 * len(names)
	slices.SortFunc(names, func(a, b int) int { return bytes.Compare(m.bytes(a), m.bytes(b)) })
	dst = append(dst, '{')
	for _, i := range names {
		dst = m.canonical(m.canonical(dst, i), i+1)
	}
	return append(dst, '}')
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

func (m *machine) fresh(at int, seen marks) marks {
	if seen == nil {
		return nil
	}
	return m.marks(at)
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
	const perStep = 3
	ok, n := m.matcher.match(p, m.bytes(at), perStep*max(m.steps, 0))
	m.steps -= 3 + n/perStep
	return ok
}

func (m *machine) list(r *rule, at int, seen marks) fault {
	p := &m.parts[at]
	n := int(p.from)
	switch {
	case r.minItems != nil && n < *r.minItems:
		return fault{r, "minItems"}
	case r.maxItems != nil && n > *r.maxItems:
		return fault{r, "maxItems"}
	case r.unique && n > 1 && m.repeats(at, n):
		return fault{r, "uniqueItems"}
	}
	if seen != nil {
		if r.allItemsEvaluated {
			seen.all()
		}
		for i := range min(n, len(r.first)) {
			seen.set(i)
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
		if f := m.check(each, i, nil); f.rule != nil {
			return f
		}
		i = int(m.parts[i].next)
	}
	if r.contains != nil {
		return m.containing(r, at, seen)
	}
	return fault{}
}

func (m *machine) containing(r *rule, at int, seen marks) fault {
	matched := 0
	var first fault
	for i, place := at+1, 0; i < int(m.parts[at].next); i, place = int(m.parts[i].next), place+1 {
		f := m.check(r.contains, i, nil)
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
			seen.set(place)
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

// repeats reports whether two of the n items of the list at are equal.
func (m *machine) repeats(at, n int) bool {
	type item struct {
		hash uint64
		at   int
	}
	if m.steps -= 6 * n; m.steps < 0 {
		return false
	}
	items := make([]item, 0, n)
	for i := at + 1; i < int(m.parts[at].next) && m.steps >= 0; i = int(m.parts[i].next) {
		m.buf = m.canonical(m.buf[:0], i)
		items = append(items, item{maphash.Bytes(m.seed, m.buf), i})
	}
	slices.SortFunc(items, func(a, b item) int {
		switch {
		case a.hash < b.hash:
			return -1
		case a.hash > b.hash:
			return 1
		}
		return 0
	})
	for i := 1; i < len(items); i++ {
		if items[i-1].hash == items[i].hash && bytes.Equal(m.canonical(nil, items[i-1].at), m.canonical(nil, items[i].at)) {
			return true
		}
	}
	return false
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
