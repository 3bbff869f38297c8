package jsonschema

import (
	"fmt"
	"maps"
	"net/url" //nolint:depguard // it takes addresses apart; no one is asked
	"slices"
	"strings"
)

// schemaPreparer changes a schema so that the library can compile it: identifiers that the library refuses have no
// effect, and references that lead nowhere are errors of the documents that reach them.
type schemaPreparer struct {
	l     *schemaLoader
	draft int
	ids   map[string]bool // addresses with a schema of their own
}

// missingURL begins the addresses of schemas that are missing.
const missingURL = "registry:///missing/"

// prepareDocument prepares the schema at an address.
func (l *schemaLoader) prepareDocument(doc any, address string) any {
	p := schemaPreparer{l: l, draft: draftOf(doc), ids: map[string]bool{address: true}}
	base, err := url.Parse(address)
	if err != nil {
		return doc
	}
	p.walkSchema(doc, base, true, p.prepareIdentifier)
	p.walkSchema(doc, base, true, p.prepareReference)
	return doc
}

// draftOf is the draft that a schema names, as a number.
func draftOf(doc any) int {
	const unknown = 7
	m, _ := doc.(map[string]any)
	name, _ := m["$schema"].(string)
	for text, draft := range map[string]int{"draft-04": 4, "draft-06": 6, "2019-09": 2019, "2020-12": 2020, "json-schema.org/schema": 2020} {
		if strings.Contains(name, text) {
			return draft
		}
	}
	return unknown
}

// keywordID is the keyword for an identifier.
func (p *schemaPreparer) keywordID() string {
	if p.draft == 4 {
		return "id"
	}
	return "$id"
}

// walkSchema calls do for each object that may be a schema, with the address that its references are relative to.
func (p *schemaPreparer) walkSchema(v any, base *url.URL, root bool, do func(of map[string]any, base *url.URL, root bool)) {
	switch v := v.(type) {
	case []any:
		for _, each := range v {
			p.walkSchema(each, base, false, do)
		}
	case map[string]any:
		do(v, base, root)
		if own := p.ownBase(v, base); own != nil {
			base = own
		}
		for _, name := range slices.Sorted(maps.Keys(v)) {
			if !isConstant(name) {
				p.walkSchema(v[name], base, false, do)
			}
		}
	}
}

// isConstant reports whether the value of a keyword is no schema.
func isConstant(name string) bool {
	return name == "const" || name == "enum" || name == "default" || name == "examples"
}

// ownBase is the address that a schema gives itself, nil for none.
func (p *schemaPreparer) ownBase(of map[string]any, base *url.URL) *url.URL {
	id, ok := of[p.keywordID()].(string)
	if _, ref := of["$ref"].(string); !ok || ref && p.draft < 2019 || strings.HasPrefix(id, "#") {
		return nil
	}
	u, err := base.Parse(id)
	if err != nil {
		return nil
	}
	u.Fragment = ""
	return u
}

// prepareIdentifier drops an identifier that is no address, or that another schema has. From draft 2019-09 on, a
// fragment in one is an anchor.
func (p *schemaPreparer) prepareIdentifier(of map[string]any, base *url.URL, root bool) {
	id, ok := of[p.keywordID()].(string)
	if !ok {
		return
	}
	if address, fragment, cut := strings.Cut(id, "#"); cut && fragment != "" && p.draft >= 2019 {
		of["$id"] = address
		if address == "" {
			delete(of, "$id")
		}
		if _, other := of["$anchor"]; !other && !strings.Contains(fragment, "/") {
			of["$anchor"] = fragment
		}
	}
	if _, err := base.Parse(id); err != nil {
		delete(of, p.keywordID())
		return
	}
	own := p.ownBase(of, base)
	if own == nil {
		return
	}
	if p.ids[own.String()] && !root {
		delete(of, p.keywordID())
	}
	p.ids[own.String()] = true
}

// prepareReference changes a reference that the library would not find.
func (p *schemaPreparer) prepareReference(of map[string]any, base *url.URL, _ bool) {
	ref, ok := of["$ref"].(string)
	if !ok || strings.HasPrefix(ref, "#") {
		return
	}
	if own := p.ownBase(of, base); own != nil {
		base = own
	}
	name, fragment, _ := strings.Cut(ref, "#")
	u, err := base.Parse(name)
	switch {
	case err == nil && (p.ids[u.String()] || strings.Contains(u.Host, "json-schema.org")):
		return
	case err == nil && p.l.findResource(u.String()) >= 0:
		of["$ref"] = u.String() + "#" + fragment
		return
	}
	if i := p.l.findResource(name); i >= 0 {
		plain := url.URL{Scheme: "registry", Path: "/" + p.l.names[i]}
		of["$ref"] = plain.String() + "#" + fragment
		return
	}
	address := missingURL + fmt.Sprint(len(p.l.missing))
	p.l.missing[address] = fmt.Sprintf("it refers to %.200s, which is not among its references", ref)
	of["$ref"] = address
}

// plainName is the name or the address of a reference in the form in which they are compared.
func plainName(name string) string {
	name, _, _ = strings.Cut(name, "#")
	if plain, err := url.PathUnescape(name); err == nil {
		name = plain
	}
	for {
		rest := strings.TrimPrefix(strings.TrimPrefix(strings.TrimPrefix(name, "../"), "./"), "/")
		if rest == name {
			return name
		}
		name = rest
	}
}
