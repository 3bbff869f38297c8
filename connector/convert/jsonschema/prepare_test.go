package jsonschema

import (
	"strings"
	"testing"
)

// TestReferences: references are found as serializers find them, and identifiers do no harm.
func TestReferences(t *testing.T) {
	t.Parallel()
	const text, a = `{"type":"string"}`, `"properties":{"a":`
	ref := func(to string) string { return `{` + a + `{"$ref":"` + to + `"}}}` }
	with := func(id, to string) string { return `{"$id":"` + id + `",` + a + `{"$ref":"` + to + `"}}}` }
	for name, c := range map[string]struct {
		schema     string
		references []Reference
	}{
		"here":                      {ref("./c.json"), []Reference{{"./c.json", text}}},
		"above":                     {ref("../c.json"), []Reference{{"../c.json", text}}},
		"above, with an address":    {with("http://e.com/x/y/z.json", "../c.json"), []Reference{{"../c.json", text}}},
		"an empty fragment":         {ref("http://e.com/c.json#"), []Reference{{"http://e.com/c.json#", text}}},
		"an empty fragment more":    {ref("c.json#"), []Reference{{"c.json", text}}},
		"a part":                    {ref("c.json#/definitions/s"), []Reference{{"c.json", `{"definitions":{"s":` + text + `}}`}}},
		"a part's name":             {ref("c.json#/definitions/s"), []Reference{{"c.json#/definitions/s", `{"definitions":{"s":` + text + `}}`}}},
		"a blank":                   {ref("a b.json"), []Reference{{"a b.json", text}}},
		"an escaped blank":          {ref("a%20b.json"), []Reference{{"a b.json", text}}},
		"by its identifier":         {ref("http://e.com/c.json"), []Reference{{"common", `{"$id":"http://e.com/c.json","type":"string"}`}}},
		"by that of draft 4":        {ref("http://e.com/c.json#"), []Reference{{"common", `{` + draft4 + `,"id":"http://e.com/c.json#","type":"string"}`}}},
		"by a short identifier":     {ref("c.json"), []Reference{{"c", `{"$id":"c.json","type":"string"}`}}},
		"in a URN":                  {with("urn:x:y", "c.json"), []Reference{{"c.json", text}}},
		"in a URN, in a folder":     {with("urn:x:y", "d/c.json"), []Reference{{"d/c.json", `{"$ref":"e.json"}`}, {"d/e.json", text}, {"e.json", `false`}}},
		"a URN":                     {`{` + draft4 + `,"id":"urn:jsonschema:com:e:A","properties":{"b":{"id":"urn:jsonschema:com:e:B","type":"string"},"a":{"$ref":"urn:jsonschema:com:e:B"}}}`, nil},
		"a path from the root":      {with("http://e.com/x/r.json", "/c.json"), []Reference{{"/c.json", text}}},
		"the identifier of another": {with("http://e.com/r.json", "c.json"), []Reference{{"c.json", `{"$id":"http://e.com/r.json","type":"string"}`}}},
		"an identifier that is #":   {`{"$id":"#",` + a + `{"$ref":"#/definitions/s"}},"definitions":{"s":` + text + `}}`, nil},
		"one of nothing":            {`{"$id":"",` + a + `{"$ref":"#/definitions/s"}},"definitions":{"s":` + text + `}}`, nil},
		"one that ends in #":        {`{"$id":"http://e.com/r.json#",` + a + `{"$ref":"#/definitions/s"}},"definitions":{"s":` + text + `}}`, nil},
		"one that is an anchor":     {`{` + a + `{"$ref":"#s"}},"definitions":{"s":{"$id":"#s","type":"string"}}}`, nil},
		"an anchor in draft 2019":   {`{` + draft2019 + `,` + a + `{"$ref":"#s"}},"$defs":{"s":{"$id":"#s","type":"string"}}}`, nil},
		"a path":                    {`{"$id":"http://e.com/r.json",` + a + `{"$id":"#/properties/a","type":"string"}}}`, nil},
		"a path in draft 2019":      {`{` + draft2019 + `,"$id":"http://e.com/r.json",` + a + `{"$id":"#/properties/a","type":"string"}}}`, nil},
		"with a fragment in 2020":   {`{` + draft2020 + `,"$id":"http://e.com/r.json#foo",` + a + text + `}}`, nil},
		"one that is no address":    {`{"$id":"http://[bad/%zz",` + a + text + `}}`, nil},
		"one that comes twice":      {`{"$id":"http://e.com/r.json",` + a + `{"$id":"x","type":"string"},"b":{"$id":"x","type":"string"}}}`, nil},
		"a property":                {`{"properties":{"$id":{"type":"integer"},"a":` + text + `}}`, nil},
		"one that is missing":       {`{` + a + text + `,"z":{"$ref":"gone.json#/definitions/z"}}}`, nil},
	} {
		s, err := CompileSchema(c.schema, c.references)
		if err != nil {
			t.Errorf("%s: %.300v", name, err)
			continue
		}
		if err := s.Validate([]byte(`{"a":"x"}`)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if s.Validate([]byte(`{"a":1}`)) == nil {
			t.Errorf("%s: a number is no string", name)
		}
	}
}

// TestMissingReference: a reference that leads nowhere is an error of the documents that need it.
func TestMissingReference(t *testing.T) {
	t.Parallel()
	s, err := CompileSchema(`{"properties":{"a":{"anyOf":[{"$ref":"gone.json#/x"},{}]}},"additionalProperties":{"not":{"$ref":"http://e.com/other.json"}}}`, nil)
	if err != nil {
		t.Fatal(err)
	}
	for doc, want := range map[string]string{
		`{}`:      "",
		`{"a":1}`: "it refers to gone.json#/x, which is not among its references",
		`{"b":1}`: "it refers to http://e.com/other.json, which is not among its references",
	} {
		err := s.Validate([]byte(doc))
		if (err == nil) != (want == "") || err != nil && !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%s: %v, want %q", doc, err, want)
		}
	}
}

// TestFormatsOfDrafts: a format that a draft does not have is no rule.
func TestFormatsOfDrafts(t *testing.T) {
	t.Parallel()
	for schema, good := range map[string]bool{
		`{"format":"uuid"}`: true, `{"format":"duration"}`: true, `{"format":"semver"}`: true, `{"format":"date"}`: false,
		`{` + draft4 + `,"format":"date"}`: true, `{` + draft4 + `,"format":"ipv4"}`: false, `{` + draft2020 + `,"format":"uuid"}`: true,
	} {
		s, err := CompileSchema(schema, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Validate([]byte(`"x"`)); (err == nil) != good {
			t.Errorf("%s: %v", schema, err)
		}
	}
}
