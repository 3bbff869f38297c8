package jsonschema

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// schemaRule is a subschema, ready to be checked. Rules may be in themselves.
type schemaRule struct {
	location string // the fragment of its address
	missing  string // why it is not there: nothing can be compared with it
	always   bool   // it agrees with everything
	never    bool

	types    kinds // 0 for any
	constant *allowedValues
	enum     *allowedValues
	format   *format
	ref      *schemaRule
	alone    bool // the reference is all that counts, as before draft 2019-09
	cyclic   bool // it may lead to itself without going into the value
	scope    *resource

	recursive     *schemaRule // of $recursiveRef
	dynamic       *schemaRule // of $dynamicRef
	dynamicAnchor string
	anchor        string // its own $dynamicAnchor
	anchored      bool   // its own $recursiveAnchor

	not, contains            *schemaRule
	allOf, anyOf, oneOf      []*schemaRule
	whether, then, otherwise *schemaRule
	unevaluatedProperties    *schemaRule
	unevaluatedItems         *schemaRule
	minContains, maxContains int // -1 for no maximum
	marksContained           bool

	members              map[string]*member
	required             int // members that are
	minMembers, maxItems *int
	maxMembers, minItems *int
	patterns             []patternRule
	additional           *schemaRule // nil for anything
	names                *schemaRule
	allMembersEvaluated  bool

	first             []*schemaRule // of the first items, one each
	rest              *schemaRule   // of the others, nil for anything
	unique            bool
	allItemsEvaluated bool

	minLength, maxLength *int
	pattern              *pattern

	minimum, maximum, above, below, multiple *limit
}

// member is all that a rule says of the member of one name.
type member struct {
	rule     *schemaRule
	required bool
	needs    []need
}

// need is all that has to hold where a member is there.
type need struct {
	keyword string
	names   []string
	rule    *schemaRule
}

type patternRule struct {
	pattern *pattern
	rule    *schemaRule
}

// fragmentOf is the part of an address behind its #.
func fragmentOf(address string) string {
	_, after, _ := strings.Cut(address, "#")
	return after
}

// resource is a schema with an address of its own, by which $dynamicRef and
// $recursiveRef find where they lead.
type resource struct {
	root    *schemaRule
	anchors map[string]*schemaRule
}

// allowedValues are constants in a schema.
type allowedValues struct {
	kinds kinds
	parts int                 // that the largest has
	set   map[string]struct{} // in their canonical form
}

func newValues(all []any) (*allowedValues, error) {
	v := &allowedValues{set: map[string]struct{}{}}
	for _, value := range all {
		b, err := json.Marshal(value)
		if err != nil {
			return nil, err
		}
		m := validator{steps: maxCompileSteps}
		if err := m.document.parseDocument(b); err != nil {
			return nil, err
		}
		v.kinds |= m.parts[0].kind
		v.parts = max(v.parts, len(m.parts))
		v.set[string(m.appendCanonical(nil, 0))] = struct{}{}
	}
	return v, nil
}

// ruleBuilder makes rules of the schemas that the library has compiled.
type ruleBuilder struct {
	rules  map[*jsonschema.Schema]*schemaRule
	scopes map[*jsonschema.Schema]*resource
	all    []*schemaRule
	absent map[string]string // addresses of schemas that are missing, with the reason
	err    error
}

func (b *ruleBuilder) buildRule(s *jsonschema.Schema) *schemaRule {
	if s == nil {
		return nil
	}
	if r := b.rules[s]; r != nil {
		return r
	}
	r := &schemaRule{location: fragmentOf(s.Location)}
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
	b.addGeneral(r, s)
	b.addObject(r, s)
	b.addList(r, s)
	r.minLength, r.maxLength = s.MinLength, s.MaxLength
	r.pattern, _ = s.Pattern.(*pattern)
	r.minimum, r.maximum, r.multiple = newLimit(s.Minimum), newLimit(s.Maximum), newLimit(s.MultipleOf)
	r.above, r.below = newLimit(s.ExclusiveMinimum), newLimit(s.ExclusiveMaximum)
	return r
}

func (b *ruleBuilder) buildRules(schemas []*jsonschema.Schema) (rules []*schemaRule) {
	for _, s := range schemas {
		rules = append(rules, b.buildRule(s))
	}
	return rules
}

func (b *ruleBuilder) addGeneral(r *schemaRule, s *jsonschema.Schema) {
	if s.Types != nil {
		for _, name := range s.Types.ToStrings() {
			r.types |= map[string]kinds{"null": null, "boolean": boolean, "number": number, "integer": integer, "string": text, "array": list, "object": object}[name]
		}
	}
	if s.Const != nil {
		r.constant = b.buildValues([]any{*s.Const})
	}
	if s.Enum != nil {
		r.enum = b.buildValues(s.Enum.Values)
	}
	if s.Format != nil && hasFormat(s.DraftVersion, s.Format.Name) {
		r.format = &format{valid: s.Format.Validate}
		if s.Format.Name == "regex" {
			r.format = &format{validRegex, true}
		}
	}
	r.ref, r.alone = b.buildRule(s.Ref), s.Ref != nil && s.DraftVersion < 2019
	r.not, r.allOf, r.anyOf, r.oneOf = b.buildRule(s.Not), b.buildRules(s.AllOf), b.buildRules(s.AnyOf), b.buildRules(s.OneOf)
	r.whether, r.then, r.otherwise = b.buildRule(s.If), b.buildRule(s.Then), b.buildRule(s.Else)
	r.recursive, r.anchored, r.anchor = b.buildRule(s.RecursiveRef), s.RecursiveAnchor, s.DynamicAnchor
	if s.DynamicRef != nil {
		r.dynamic, r.dynamicAnchor = b.buildRule(s.DynamicRef.Ref), s.DynamicRef.Anchor
	}
	r.unevaluatedProperties, r.unevaluatedItems = b.buildRule(s.UnevaluatedProperties), b.buildRule(s.UnevaluatedItems)
	for _, extension := range s.Extensions {
		if e, ok := extension.(*scopeOf); ok {
			r.scope = b.addScope(e)
		}
	}
}

func (b *ruleBuilder) addScope(e *scopeOf) *resource {
	if s := b.scopes[e.root]; s != nil {
		return s
	}
	s := &resource{anchors: map[string]*schemaRule{}}
	b.scopes[e.root] = s
	s.root = b.buildRule(e.root)
	for name, schema := range e.anchors {
		if schema.DynamicAnchor == name {
			s.anchors[name] = b.buildRule(schema)
		}
	}
	return s
}

func (b *ruleBuilder) buildValues(all []any) *allowedValues {
	v, err := newValues(all)
	if err != nil {
		b.err = err
	}
	return v
}

func (b *ruleBuilder) addObject(r *schemaRule, s *jsonschema.Schema) {
	r.minMembers, r.maxMembers = s.MinProperties, s.MaxProperties
	r.members = map[string]*member{}
	named := func(name string) *member {
		if r.members[name] == nil {
			r.members[name] = new(member)
		}
		return r.members[name]
	}
	for name, property := range s.Properties {
		named(name).rule = b.buildRule(property)
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
			named(name).needs = append(named(name).needs, need{rule: b.buildRule(d)})
		}
	}
	for name, names := range s.DependentRequired {
		named(name).needs = append(named(name).needs, need{keyword: "dependentRequired", names: names})
	}
	for name, schema := range s.DependentSchemas {
		named(name).needs = append(named(name).needs, need{rule: b.buildRule(schema)})
	}
	for re, schema := range s.PatternProperties {
		if p, ok := re.(*pattern); ok {
			r.patterns = append(r.patterns, patternRule{p, b.buildRule(schema)})
		}
	}
	// In one order, so that the steps are the same in each process.
	slices.SortFunc(r.patterns, func(a, b patternRule) int { return strings.Compare(a.pattern.text, b.pattern.text) })
	r.additional, r.allMembersEvaluated = b.buildAdditional(s.AdditionalProperties), s.AdditionalProperties != nil
	r.names = b.buildRule(s.PropertyNames)
}

// buildAdditional makes a rule of a schema, or of a bool, nil for true.
func (b *ruleBuilder) buildAdditional(v any) *schemaRule {
	switch v := v.(type) {
	case *jsonschema.Schema:
		return b.buildRule(v)
	case bool:
		if !v {
			return nothing
		}
	}
	return nil
}

// nothing is the rule for a part that must not exist. A fault names the rule that forbids the part.
var nothing = &schemaRule{never: true}

func (b *ruleBuilder) addList(r *schemaRule, s *jsonschema.Schema) {
	r.minItems, r.maxItems, r.unique = s.MinItems, s.MaxItems, s.UniqueItems
	if s.DraftVersion < 2020 {
		switch items := s.Items.(type) {
		case *jsonschema.Schema:
			r.rest, r.allItemsEvaluated = b.buildRule(items), true
		case []*jsonschema.Schema:
			r.first = b.buildRules(items)
			r.rest, r.allItemsEvaluated = b.buildAdditional(s.AdditionalItems), s.AdditionalItems != nil
		}
	} else {
		r.first, r.rest, r.allItemsEvaluated = b.buildRules(s.PrefixItems), b.buildRule(s.Items2020), s.Items2020 != nil
	}
	r.contains, r.marksContained = b.buildRule(s.Contains), s.DraftVersion >= 2020
	r.minContains, r.maxContains = 1, -1
	if s.MinContains != nil {
		r.minContains = *s.MinContains
	}
	if s.MaxContains != nil {
		r.maxContains = *s.MaxContains
	}
}

// inPlace calls f for each rule that is checked for the same value as r.
func (r *schemaRule) inPlace(f func(*schemaRule)) {
	for _, rules := range [][]*schemaRule{{r.ref, r.recursive, r.dynamic, r.not, r.whether, r.then, r.otherwise}, r.allOf, r.anyOf, r.oneOf} {
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
func (b *ruleBuilder) markCycles() {
	const begun, done = 1, 2
	state := map[*schemaRule]int{}
	var walk func(r *schemaRule)
	walk = func(r *schemaRule) {
		state[r] = begun
		r.inPlace(func(next *schemaRule) {
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
