package jsonschema

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// rule is a subschema, ready to be checked. Rules may be in themselves.
type rule struct {
	location string // the fragment of its address
	missing  string // why it is not there: nothing can be compared with it
	always   bool   // it agrees with everything
	never    bool

	types    kinds // 0 for any
	constant *values
	enum     *values
	format   *format
	ref      *rule
	alone    bool // the reference is all that counts, as before draft 2019-09
	cyclic   bool // it may lead to itself without going into the value
	scope    *resource

	recursive     *rule // of $recursiveRef
	dynamic       *rule // of $dynamicRef
	dynamicAnchor string
	anchor        string // its own $dynamicAnchor
	anchored      bool   // its own $recursiveAnchor

	not, contains            *rule
	allOf, anyOf, oneOf      []*rule
	whether, then, otherwise *rule
	unevaluatedProperties    *rule
	unevaluatedItems         *rule
	minContains, maxContains int // -1 for no maximum
	marksContained           bool

	members              map[string]*member
	required             int // members that are
	minMembers, maxItems *int
	maxMembers, minItems *int
	patterns             []patternRule
	additional           *rule // nil for anything
	names                *rule
	allMembersEvaluated  bool

	first             []*rule // of the first items, one each
	rest              *rule   // of the others, nil for anything
	unique            bool
	allItemsEvaluated bool

	minLength, maxLength *int
	pattern              *pattern

	minimum, maximum, above, below, multiple *limit
}

// member is all that a rule says of the member of one name.
type member struct {
	rule     *rule
	required bool
	needs    []need
}

// need is all that has to hold where a member is there.
type need struct {
	keyword string
	names   []string
	rule    *rule
}

type patternRule struct {
	pattern *pattern
	rule    *rule
}

// fragment is the part of an address behind its #.
func fragment(address string) string {
	_, after, _ := strings.Cut(address, "#")
	return after
}

// resource is a schema with an address of its own, by which $dynamicRef and
// $recursiveRef find where they lead.
type resource struct {
	root    *rule
	anchors map[string]*rule
}

// values are constants in a schema.
type values struct {
	kinds kinds
	parts int                 // that the largest has
	set   map[string]struct{} // in their canonical form
}

func newValues(all []any) (*values, error) {
	v := &values{set: map[string]struct{}{}}
	for _, value := range all {
		b, err := json.Marshal(value)
		if err != nil {
			return nil, err
		}
		m := machine{steps: maxCompileSteps}
		if err := m.document.parse(b); err != nil {
			return nil, err
		}
		v.kinds |= m.parts[0].kind
		v.parts = max(v.parts, len(m.parts))
		v.set[string(m.canonical(nil, 0))] = struct{}{}
	}
	return v, nil
}

// builder makes rules of the schemas that the library has compiled.
type builder struct {
	rules  map[*jsonschema.Schema]*rule
	scopes map[*jsonschema.Schema]*resource
	all    []*rule
	absent map[string]string // addresses of schemas that are missing, with the reason
	err    error
}

func (b *builder) build(s *jsonschema.Schema) *rule {
	if s == nil {
		return nil
	}
	if r := b.rules[s]; r != nil {
		return r
	}
	r := &rule{location: fragment(s.Location)}
	b.rules[s] = r // before its parts, which may refer to it
	b.all = append(b.all, r)
	if address, _, _ := strings.Cut(s.Location, "#"); b.absent[address] != "" {
		r.missing = b.absent[address]
		return r
	}
	if s.Bool != nil {
		r.always, r.never = *s.Bool, !*s.Bool
		return r
	}
	b.general(r, s)
	b.object(r, s)
	b.list(r, s)
	r.minLength, r.maxLength = s.MinLength, s.MaxLength
	r.pattern, _ = s.Pattern.(*pattern)
	r.minimum, r.maximum, r.multiple = newLimit(s.Minimum), newLimit(s.Maximum), newLimit(s.MultipleOf)
	r.above, r.below = newLimit(s.ExclusiveMinimum), newLimit(s.ExclusiveMaximum)
	return r
}

func (b *builder) each(schemas []*jsonschema.Schema) (rules []*rule) {
	for _, s := range schemas {
		rules = append(rules, b.build(s))
	}
	return rules
}

func (b *builder) general(r *rule, s *jsonschema.Schema) {
	if s.Types != nil {
		for _, name := range s.Types.ToStrings() {
			r.types |= map[string]kinds{"null": null, "boolean": boolean, "number": number, "integer": integer, "string": text, "array": list, "object": object}[name]
		}
	}
	if s.Const != nil {
		r.constant = b.values([]any{*s.Const})
	}
	if s.Enum != nil {
		r.enum = b.values(s.Enum.Values)
	}
	if s.Format != nil && hasFormat(s.DraftVersion, s.Format.Name) {
		r.format = &format{valid: s.Format.Validate}
		if s.Format.Name == "regex" {
			r.format = &format{validRegex, true}
		}
	}
	r.ref, r.alone = b.build(s.Ref), s.Ref != nil && s.DraftVersion < 2019
	r.not, r.allOf, r.anyOf, r.oneOf = b.build(s.Not), b.each(s.AllOf), b.each(s.AnyOf), b.each(s.OneOf)
	r.whether, r.then, r.otherwise = b.build(s.If), b.build(s.Then), b.build(s.Else)
	r.recursive, r.anchored, r.anchor = b.build(s.RecursiveRef), s.RecursiveAnchor, s.DynamicAnchor
	if s.DynamicRef != nil {
		r.dynamic, r.dynamicAnchor = b.build(s.DynamicRef.Ref), s.DynamicRef.Anchor
	}
	r.unevaluatedProperties, r.unevaluatedItems = b.build(s.UnevaluatedProperties), b.build(s.UnevaluatedItems)
	for _, extension := range s.Extensions {
		if e, ok := extension.(*scopeOf); ok {
			r.scope = b.scope(e)
		}
	}
}

func (b *builder) scope(e *scopeOf) *resource {
	if s := b.scopes[e.root]; s != nil {
		return s
	}
	s := &resource{anchors: map[string]*rule{}}
	b.scopes[e.root] = s
	s.root = b.build(e.root)
	for name, schema := range e.anchors {
		if schema.DynamicAnchor == name {
			s.anchors[name] = b.build(schema)
		}
	}
	return s
}

func (b *builder) values(all []any) *values {
	v, err := newValues(all)
	if err != nil {
		b.err = err
	}
	return v
}

func (b *builder) object(r *rule, s *jsonschema.Schema) {
	r.minMembers, r.maxMembers = s.MinProperties, s.MaxProperties
	r.members = map[string]*member{}
	named := func(name string) *member {
		if r.members[name] == nil {
			r.members[name] = new(member)
		}
		return r.members[name]
	}
	for name, property := range s.Properties {
		named(name).rule = b.build(property)
	}
	for _, name := range s.Required {
		if m := named(name); !m.required {
			m.required = true
			r.required++
		}
	}
	for name, dependency := range s.Dependencies {
		switch d := dependency.(type) {
		case []string:
			named(name).needs = append(named(name).needs, need{keyword: "dependencies", names: d})
		case *jsonschema.Schema:
			named(name).needs = append(named(name).needs, need{rule: b.build(d)})
		}
	}
	for name, names := range s.DependentRequired {
		named(name).needs = append(named(name).needs, need{keyword: "dependentRequired", names: names})
	}
	for name, schema := range s.DependentSchemas {
		named(name).needs = append(named(name).needs, need{rule: b.build(schema)})
	}
	for re, schema := range s.PatternProperties {
		if p, ok := re.(*pattern); ok {
			r.patterns = append(r.patterns, patternRule{p, b.build(schema)})
		}
	}
	// In one order, so that the steps are the same in each process.
	slices.SortFunc(r.patterns, func(a, b patternRule) int { return strings.Compare(a.pattern.text, b.pattern.text) })
	r.additional, r.allMembersEvaluated = b.additional(s.AdditionalProperties), s.AdditionalProperties != nil
	r.names = b.build(s.PropertyNames)
}

// additional makes a rule of a schema, or of a bool, nil for true.
func (b *builder) additional(v any) *rule {
	switch v := v.(type) {
	case *jsonschema.Schema:
		return b.build(v)
	case bool:
		if !v {
			return nothing
		}
	}
	return nil
}

// nothing is the rule for a part that must not exist. A fault names the rule that forbids the part.
var nothing = &rule{never: true}

func (b *builder) list(r *rule, s *jsonschema.Schema) {
	r.minItems, r.maxItems, r.unique = s.MinItems, s.MaxItems, s.UniqueItems
	if s.DraftVersion < 2020 {
		switch items := s.Items.(type) {
		case *jsonschema.Schema:
			r.rest, r.allItemsEvaluated = b.build(items), true
		case []*jsonschema.Schema:
			r.first = b.each(items)
			r.rest, r.allItemsEvaluated = b.additional(s.AdditionalItems), s.AdditionalItems != nil
		}
	} else {
		r.first, r.rest, r.allItemsEvaluated = b.each(s.PrefixItems), b.build(s.Items2020), s.Items2020 != nil
	}
	r.contains, r.marksContained = b.build(s.Contains), s.DraftVersion >= 2020
	r.minContains, r.maxContains = 1, -1
	if s.MinContains != nil {
		r.minContains = *s.MinContains
	}
	if s.MaxContains != nil {
		r.maxContains = *s.MaxContains
	}
}

// inPlace calls f for each rule that is checked for the same value as r.
func (r *rule) inPlace(f func(*rule)) {
	for _, rules := range [][]*rule{{r.ref, r.recursive, r.dynamic, r.not, r.whether, r.then, r.otherwise}, r.allOf, r.anyOf, r.oneOf} {
		for _, next := range rules {
			if next != nil {
				f(next)
			}
		}
	}
	for _, m := range r.members {
		for _, n := range m.needs {
			if n.rule != nil {
				f(n.rule)
			}
		}
	}
}

// markCycles finds the rules that may lead to themselves without going into the value.
// A dynamic reference may lead anywhere.
func (b *builder) markCycles() {
	const begun, done = 1, 2
	state := map[*rule]int{}
	var walk func(r *rule)
	walk = func(r *rule) {
		state[r] = begun
		r.inPlace(func(next *rule) {
			switch state[next] {
			case begun:
				next.cyclic = true
			case done:
			default:
				walk(next)
			}
		})
		state[r] = done
	}
	for _, r := range b.all {
		if r.recursive != nil || r.dynamic != nil {
			for _, each := range b.all {
				each.cyclic = true
			}
			return
		}
	}
	for _, r := range b.all {
		if state[r] == 0 {
			walk(r)
		}
	}
}
