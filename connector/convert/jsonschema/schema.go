// Package jsonschema compares JSON with a JSON Schema, in a bounded time and memory.
//
// Schemas come from outside. The library compiles them: it knows the drafts, and resolves
// references. It can also compare documents with them, but the time for that may double with
// each level of a schema, and nothing can stop it. So that part is written here, over the
// schemas that the library has compiled: each piece of work costs a step, and a document has
// a limited number of steps, which depends on its length. The verdict depends on the document
// and the schema alone, never on the time.
package jsonschema

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// Bounds of a schema, its references included. The library takes a time that grows with
// the square of some of them.
const (
	maxDepth        = 250        // levels of objects and lists
	maxSchemaParts  = 150_000    // values and names: some 20 MiB while they are compiled
	maxObjects      = 12_000     // each may be a subschema
	maxPathBytes    = 8 << 20    // of the addresses of all objects
	maxAddresses    = 10_000_000 // references and identifiers, times objects
	maxAddressBytes = 2_000      // of a reference or an identifier, which others are resolved against
	maxProgramSizes = 50_000     // instructions of all patterns, of 40 bytes each
	maxCompileSteps = 1 << 30    // a schema's own constants are bounded by their parts
)

// The work that a document is worth. A step takes some 20 ns, so that one of 1 MB takes a
// tenth of a second at most; few schemas need a tenth of that.
const (
	baseSteps    = 500_000
	stepsPerByte = 4
)

// Reference is a schema that others refer to by its name.
type Reference = struct{ Name, Text string }

// Schema is ready to compare documents with. It has no state and is safe for concurrent
// use.
type Schema struct {
	root   *schemaRule
	weight int
}

// ErrDiffers is the error for a document that does not agree with its schema.
var ErrDiffers = errors.New("it is not what its schema says")

// ErrSteps is the error for a document whose schema makes more work than it is worth.
var ErrSteps = errors.New("to compare it with its schema takes too many steps")

// ErrPart is the error for a document that needs a part of its schema that can't be used.
var ErrPart = errors.New("it can't be compared with a part of its schema")

// Weight estimates the memory that s holds, in bytes.
func (s *Schema) Weight() int { return s.weight }

// machines are used again, with as much memory as most documents need.
var machines = sync.Pool{New: func() any { return newMachine() }}

func newMachine() *validator { return &validator{seed: maphash.MakeSeed()} }

const (
	keepParts = 16 << 10
	keepBytes = 64 << 10
)

// Validate compares doc, which is JSON, with s. Its error names a rule of the schema and
// holds nothing of the document.
func (s *Schema) Validate(doc []byte) error {
	m, _ := machines.Get().(*validator)
	defer m.releaseBuffers()
	if err := m.parseDocument(doc); err != nil {
		return err
	}
	most := s.maxSteps(len(doc))
	m.steps = most
	f := m.checkRule(s.root, 0, nil)
	switch {
	case m.undone != nil:
		return m.undone
	case m.steps < 0:
		return fmt.Errorf("%w: more than %d for its %d bytes; want a schema with fewer alternatives and references in one another", ErrSteps, most, len(doc))
	case f.rule != nil:
		return fmt.Errorf("%w at %s", ErrDiffers, f)
	}
	return nil
}

// maxSteps is the limit for a document of this length.
func (s *Schema) maxSteps(bytes int) int { return baseSteps + stepsPerByte*bytes }

// releaseBuffers has m used for another document, without the memory that a large one took.
func (m *validator) releaseBuffers() {
	if cap(m.parts) > keepParts {
		m.parts = nil
	}
	if cap(m.extra) > keepBytes {
		m.extra = nil
	}
	if cap(m.buf) > keepBytes {
		m.buf = nil
	}
	if cap(m.names) > keepParts {
		m.names = nil
	}
	m.text, m.frames, m.undone = nil, m.frames[:0], nil
	machines.Put(m)
}

// schemaURL is the address of a schema that has no $id.
const schemaURL = "registry:///schema.json"

// CompileSchema reads a schema and those that it refers to. Its error says why it can't be used,
// or which bound it exceeds.
func CompileSchema(text string, references []Reference) (*Schema, error) {
	l := newLoader(references)
	if err := l.countParts(text); err != nil {
		return nil, err
	}
	if l.draft != nil {
		return nil, l.draft
	}
	for i, r := range references {
		if err := l.countParts(r.Text); err != nil {
			return nil, fmt.Errorf("the schema that it refers to as %s: %w", r.Name, err)
		}
		l.drafts[i] = l.draft
		l.names, l.ids = append(l.names, plainName(r.Name)), append(l.ids, identifierOf(r.Text))
	}
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		return nil, err
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft7) // where $schema says nothing, as the serializers have it
	c.UseLoader(l)
	c.UseRegexpEngine(l.compileRegexp)
	if l.dynamic {
		c.RegisterVocabulary(&jsonschema.Vocabulary{URL: "registry:///scope", Compile: l.compileScope})
		c.AssertVocabs()
	}
	if err := c.AddResource(schemaURL, l.prepareDocument(doc, schemaURL)); err != nil {
		return nil, err
	}
	compiled, err := c.Compile(schemaURL)
	switch {
	case err != nil && l.refused != nil:
		return nil, l.refused // the library's error has the whole pattern in it, and the reason at its end
	case err != nil:
		return nil, err
	}
	b := ruleBuilder{rules: map[*jsonschema.Schema]*schemaRule{}, scopes: map[*jsonschema.Schema]*resource{}, absent: l.missing}
	s := &Schema{root: b.buildRule(compiled)}
	if b.err != nil {
		return nil, b.err
	}
	b.markCycles()
	const ruleBytes, instructionBytes = 1000, 40
	s.weight = len(b.all)*ruleBytes + l.sizes*instructionBytes + 4*l.bytes
	return s, nil
}

// countParts adds a schema to those that are to be compiled, if it is within the bounds with
// them.
func (l *schemaLoader) countParts(text string) error {
	if !json.Valid([]byte(text)) || !utf8.ValidString(text) {
		return errors.New("it is not JSON in UTF-8, or nested too deep")
	}
	var d document
	if err := d.parseDocument([]byte(text)); err != nil {
		return err
	}
	l.draft, l.longest = nil, 0
	l.bytes += len(text)
	l.parts += len(d.parts)
	if l.parts > maxSchemaParts {
		return exceedsLimit(l.parts, "values and names", maxSchemaParts)
	}
	if err := l.inspectPart(&d, 0, 1, 0, true); err != nil {
		return err
	}
	if l.longest > maxAddressBytes {
		return fmt.Errorf("a reference or an identifier has %d bytes, at most %d are taken", l.longest, maxAddressBytes)
	}
	if n := len(l.addresses) * l.objects; n > maxAddresses {
		return fmt.Errorf("it has %d references and identifiers and %d objects, at most a product of %d is taken", len(l.addresses), l.objects, maxAddresses)
	}
	return nil
}

func exceedsLimit(n int, parts string, limit int) error {
	return fmt.Errorf("it has %d %s, at most %d are taken", n, parts, limit)
}

// inspectPart counts what the part at and its contents hold; path is the length of its
// address. Constants are no schemas.
func (l *schemaLoader) inspectPart(d *document, at, depth, path int, schema bool) error {
	p := d.parts[at]
	if p.kind != object && p.kind != list {
		return nil
	}
	if p.kind == object {
		l.objects++
		l.paths += path
	}
	switch {
	case depth > maxDepth:
		return fmt.Errorf("it is nested more than %d levels deep", maxDepth)
	case l.objects > maxObjects:
		return exceedsLimit(l.objects, "objects or more", maxObjects)
	case l.paths > maxPathBytes:
		return exceedsLimit(l.paths, "bytes or more in the addresses of its parts", maxPathBytes)
	}
	for i := at + 1; i < int(p.next); {
		value, longer, constant := i, path+8, false
		if p.kind == object {
			name := string(d.partBytes(i))
			value, longer = i+1, path+1+escapedLength(name)
			constant = isConstant(name)
			if schema && d.parts[value].kind == text {
				l.inspectKeyword(name, string(d.partBytes(value)))
			}
		}
		if err := l.inspectPart(d, value, depth+1, longer, schema && !constant); err != nil {
			return err
		}
		i = int(d.parts[value].next)
	}
	return nil
}

// inspectKeyword looks at a keyword whose value is a text.
func (l *schemaLoader) inspectKeyword(name, value string) {
	switch name {
	case "$ref", "$dynamicRef", "$recursiveRef", "$id", "id", "$anchor", "$dynamicAnchor":
		l.longest = max(l.longest, len(value))
		l.addresses[name+" "+value] = true
		switch name {
		case "$dynamicAnchor":
			l.anchors[value] = true
		case "$dynamicRef", "$recursiveRef":
			l.dynamic = true
		case "$ref":
			if strings.Contains(value, "json-schema.org/") { // the meta-schemas have such references
				l.dynamic, l.anchors["meta"] = true, true
			}
		}
	case "$schema":
		// Others would be loaded, and the schema compared with them.
		draft := strings.TrimSuffix(value, "#")
		draft = strings.TrimPrefix(strings.TrimPrefix(draft, "http://"), "https://")
		switch draft {
		case "json-schema.org/schema", "json-schema.org/draft/2020-12/schema", "json-schema.org/draft/2019-09/schema",
			"json-schema.org/draft-07/schema", "json-schema.org/draft-06/schema", "json-schema.org/draft-04/schema":
		default:
			l.draft = fmt.Errorf("its $schema is %.100q; want one of the drafts 4, 6, 7, 2019-09 and 2020-12 at json-schema.org", value)
		}
	}
}

// escapedLength is the length of a name in an address, or more.
func escapedLength(name string) int {
	n := len(name)
	for _, c := range []byte(name) {
		if !(c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' || c == '_' || c == '-' || c == '.' || c == '$') {
			n += 4
		}
	}
	return n
}

// compileRegexp implements jsonschema.RegexpEngine. Once the patterns are too many no other is
// compiled: the library asks for all of them.
func (l *schemaLoader) compileRegexp(s string) (jsonschema.Regexp, error) {
	if p := l.patterns[s]; p != nil {
		return p, nil
	}
	p, err := l.compilePattern(s)
	if err != nil {
		if l.refused == nil {
			l.refused = fmt.Errorf("the pattern %.100q: %w", s, err)
		}
		return nil, err
	}
	l.sizes += p.programSize()
	l.patterns[s] = p
	return p, nil
}

func (l *schemaLoader) compilePattern(s string) (*pattern, error) {
	if t, err := translatePattern(s); err == nil {
		l.classes += foldedClasses(t.text)
		for _, other := range t.ahead {
			l.classes += foldedClasses(other.text)
		}
	}
	switch {
	case l.classes > maxFoldedClasses:
		return nil, exceedsLimit(l.classes, "character classes in patterns with flags", maxFoldedClasses)
	case l.sizes > maxProgramSizes:
		return nil, exceedsLimit(l.sizes, "instructions or more in its patterns", maxProgramSizes)
	}
	return compilePattern(s), nil
}

// scopeOf says which resource a schema is in, and where the dynamic anchors of that one
// are. The library keeps both to itself, and has an extension find them.
type scopeOf struct {
	root    *jsonschema.Schema
	anchors map[string]*jsonschema.Schema
}

// Validate implements jsonschema.SchemaExt. The library compares nothing with the schema.
func (*scopeOf) Validate(*jsonschema.ValidatorContext, any) {}

func (l *schemaLoader) compileScope(ctx *jsonschema.CompilerContext, _ map[string]any) (jsonschema.SchemaExt, error) {
	root, err := ctx.EnqueueRef("#")
	if err != nil {
		return nil, err
	}
	s := &scopeOf{root, map[string]*jsonschema.Schema{}}
	for name := range l.anchors {
		if at, err := ctx.EnqueueRef("#" + name); err == nil {
			s.anchors[name] = at
		}
	}
	return s, nil
}
