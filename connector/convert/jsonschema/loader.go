package jsonschema

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// schemaLoader gives the library the schemas that another refers to, and nothing else: no file
// is read and no address asked because a schema says so. It counts their values.
type schemaLoader struct {
	references []Reference
	names      []string          // of the references, in the form in which they are compared
	ids        []string          // what the references call themselves
	missing    map[string]string // addresses of schemas that are missing, with the reason
	loaded     map[int]bool      // the references that were loaded, by their place
	drafts     map[int]error     // those that are of no known draft
	draft      error             // of the schema that was counted last
	longest    int               // bytes of an address, of the schema that was counted last

	dynamic bool // a reference depends on where it is reached from

	bytes, parts, objects, paths int
	sizes, classes               int // of all patterns: instructions, and classes that ignore case
	patterns                     map[string]*pattern
	refused                      error           // why a pattern could not be compiled, of the first one
	addresses                    map[string]bool // references, identifiers and anchors
	anchors                      map[string]bool // the names of $dynamicAnchor
}

func newLoader(references []Reference) *schemaLoader {
	return &schemaLoader{
		references: references, missing: map[string]string{}, loaded: map[int]bool{}, drafts: map[int]error{}, patterns: map[string]*pattern{},
		addresses: map[string]bool{}, anchors: map[string]bool{},
	}
}

// Load implements jsonschema.URLLoader.
func (l *schemaLoader) Load(address string) (any, error) {
	if l.missing[address] != "" {
		return map[string]any{}, nil
	}
	found := l.findResource(address)
	if found < 0 {
		return nil, fmt.Errorf("it refers to %s, which is not among its references", address)
	}
	r := l.references[found]
	err := l.drafts[found]
	if err == nil && l.loaded[found] { // for another address
		err = l.countParts(r.Text)
	}
	if err != nil {
		return nil, fmt.Errorf("the schema that it refers to as %s: %w", r.Name, err)
	}
	l.loaded[found] = true
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(r.Text))
	if err != nil {
		return nil, err
	}
	return l.prepareDocument(doc, address), nil
}

// findResource finds a reference by the name that it was registered with, whatever the address is that this was
// taken to be relative to: the longest name counts that the address ends in. Where there is none, the
// identifier of a reference counts. It returns -1 if there is none.
func (l *schemaLoader) findResource(address string) int {
	if address = plainName(address); address == "" {
		return -1
	}
	found, longest := -1, 0
	for i, name := range l.names {
		if name != "" && (address == name || strings.HasSuffix(address, "/"+name)) && len(name) > longest {
			found, longest = i, len(name)
		}
	}
	if found >= 0 {
		return found
	}
	return slices.Index(l.ids, address)
}

// identifierOf is what a schema calls itself, in the form in which addresses are compared.
func identifierOf(text string) string {
	var schema struct {
		ID  any `json:"$id"`
		Old any `json:"id"`
	}
	if err := json.Unmarshal([]byte(text), &schema); err != nil {
		return ""
	}
	id, ok := schema.ID.(string)
	if !ok {
		id, _ = schema.Old.(string)
	}
	return plainName(id)
}
