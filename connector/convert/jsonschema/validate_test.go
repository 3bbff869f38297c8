package jsonschema

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"math/rand/v2"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// pair is a schema as it is compared here, and as the library compares it.
type pair struct {
	own     *Schema
	library *jsonschema.Schema
}

func compilePair(t testing.TB, text string) pair {
	t.Helper()
	own, err := CompileSchema(text, nil)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft7)
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.AddResource(schemaURL, doc); err != nil {
		t.Fatal(err)
	}
	library, err := c.Compile(schemaURL)
	if err != nil {
		t.Fatal(err)
	}
	return pair{own, library}
}

// check compares doc on both ways.
func (p pair) check(t *testing.T, schema string, doc []byte) {
	t.Helper()
	err := p.own.Validate(doc)
	if err != nil && !errors.Is(err, ErrDiffers) {
		return
	}
	v, libraryErr := jsonschema.UnmarshalJSON(bytes.NewReader(doc))
	if libraryErr == nil {
		libraryErr = p.library.Validate(v)
	}
	if (err == nil) != (libraryErr == nil) {
		t.Errorf("%s\n%s\n%v, and the library says: %v", schema, doc, err, libraryErr)
	}
}

const draft2020, draft2019, draft4 = `"$schema":"https://json-schema.org/draft/2020-12/schema"`, `"$schema":"https://json-schema.org/draft/2019-09/schema"`, `"$schema":"http://json-schema.org/draft-04/schema#"`

// keywords are schemas that have all keywords among them, of all drafts.
var keywords = []string{
	`true`, `false`, `{}`,
	`{"type":["integer","null"]}`, `{"type":"number","minimum":-1.5,"maximum":1e2,"exclusiveMinimum":-1.5,"multipleOf":0.25}`,
	`{"exclusiveMaximum":7,"multipleOf":3}`, `{` + draft4 + `,"minimum":1,"exclusiveMinimum":true,"maximum":5,"exclusiveMaximum":true}`,
	`{"enum":[1,"a",null,[1.0,{"b":2}],{"a":[]}],"not":{"const":1}}`, `{"const":{"a":1,"b":[true]}}`,
	`{"minLength":2,"maxLength":3}`, `{"pattern":"^a.*[0-9]$"}`, `{"pattern":"b"}`, `{"format":"date"}`, `{"format":"regex"}`, `{"format":"ipv4"}`,
	`{"items":{"type":"integer"},"minItems":1,"maxItems":3,"uniqueItems":true}`, `{"items":[{"type":"integer"},true],"additionalItems":false}`,
	`{"items":[{"type":"integer"}],"additionalItems":{"type":"string"}}`, `{"contains":{"const":1}}`,
	`{` + draft2019 + `,"contains":{"const":1},"minContains":2,"maxContains":3}`, `{` + draft2020 + `,"contains":{"const":1},"minContains":0}`,
	`{` + draft2020 + `,"prefixItems":[{"type":"integer"}],"items":{"type":"string"}}`,
	`{` + draft2020 + `,"prefixItems":[true],"contains":{"type":"string"},"unevaluatedItems":false}`,
	`{` + draft2019 + `,"items":[true],"anyOf":[{"items":[true,{"type":"null"}]},{"items":[true,{"type":"string"}]}],"unevaluatedItems":{"type":"integer"}}`,
	`{"properties":{"a":{"type":"integer"},"b":{"type":"string"}},"required":["a"],"additionalProperties":false}`,
	`{"patternProperties":{"^a":{"type":"integer"},"b$":{"minimum":2}},"additionalProperties":{"type":"string"},"minProperties":1,"maxProperties":3}`,
	`{"propertyNames":{"maxLength":1},"dependencies":{"a":["b"],"b":{"required":["a"]}}}`,
	`{` + draft2019 + `,"dependentRequired":{"a":["b"]},"dependentSchemas":{"b":{"properties":{"a":{"type":"integer"}}}},"unevaluatedProperties":false}`,
	`{` + draft2020 + `,"properties":{"a":true},"anyOf":[{"properties":{"b":{"const":1}},"required":["b"]},{"patternProperties":{"^c":true},"required":["c"]}],"unevaluatedProperties":false}`,
	`{` + draft2020 + `,"if":{"properties":{"a":{"const":1}},"required":["a"]},"then":{"properties":{"b":true}},"else":{"properties":{"c":true}},"unevaluatedProperties":{"type":"null"}}`,
	`{"if":{"type":"integer"},"then":{"minimum":5},"else":{"type":"string"}}`,
	`{"allOf":[{"type":"object"},{"required":["a"]}]}`, `{"oneOf":[{"type":"integer"},{"minimum":2}]}`, `{"anyOf":[{"type":"integer"},{"minLength":2}]}`,
	`{"$ref":"#/definitions/a","type":"string","definitions":{"a":{"type":["array","integer"],"items":{"$ref":"#"}}}}`,
	`{"anyOf":[{"$ref":"#"},{"type":"object"}]}`, `{"not":{"anyOf":[{"$ref":"#/definitions/a"},{"type":"null"}]},"definitions":{"a":{"$ref":"#/definitions/a"}}}`,
	`{` + draft2020 + `,"$ref":"#/$defs/a","required":["a"],"$defs":{"a":{"properties":{"a":{"type":"integer"}}}},"unevaluatedProperties":false}`,
	`{` + draft2019 + `,"$id":"http://x/tree","$recursiveAnchor":true,"properties":{"a":{"$recursiveRef":"#"}},"$ref":"other","$defs":{"o":{"$id":"other","$recursiveAnchor":true,"type":"object","properties":{"b":{"$recursiveRef":"#"}}}},"required":["a"]}`,
	`{` + draft2020 + `,"$id":"http://x/list","$ref":"generic","$defs":{"i":{"$dynamicAnchor":"item","type":"integer"},"g":{"$id":"generic","items":{"$dynamicRef":"#item"},"$defs":{"d":{"$dynamicAnchor":"item"}}}}}`,
	`{` + draft2020 + `,"$ref":"https://json-schema.org/draft/2020-12/schema"}`, `{` + draft2019 + `,"$ref":"https://json-schema.org/draft/2019-09/schema"}`,
}

var documents = []string{
	`null`, `true`, `0`, `1`, `1.0`, `-1.5`, `2`, `3`, `4.75`, `5`, `6`, `1e2`, `100.25`, `0.1e1`, `-0`, `7.5e-1`, `""`, `"a"`, `"ab"`, `"a1"`, `"é€"`, `"\u0061\n1"`, `"\ud83d\ude00x"`, `"2026-11-29"`, `"("`, `"1.2.3.4"`, `"abba"`,
	`[]`, `[1]`, `[1,1.0]`, `[1,"a"]`, `[1,1,1,1]`, `[1,2,3]`, `["a",1]`, `[1,"a",null,7]`, `[1.0,{"b":2}]`, `[[1],[1]]`, `[{"a":1,"b":2},{"b":2.0,"a":1}]`, `[1,null]`, `["x","y"]`,
	`{}`, `{"a":1}`, `{"a":"x"}`, `{"b":"x"}`, `{"a":1,"b":"x"}`, `{"a":1,"b":1}`, `{"a":1,"c":null}`, `{"a":[]}`, `{"a":1,"b":[true]}`, `{"b":[true],"a":1.0}`, `{"ab":3,"b":2}`, `{"ab":1}`, `{"x":"s"}`, `{"x":1}`, `{"c":1}`,
	`{"a":"x","a":1}`, `{"a":1,"\u0061":"x"}`, `{"a":1,"b":1,"c":1,"d":1}`, `{"a":{"a":{}}}`, `{"a":{"a":{"b":{"a":1}}}}`, `{"a":{"b":7}}`, `{"type":"object"}`, `{"type":1}`, `{"$defs":{"a":{"type":1}}}`, `{"properties":{"a":{"minLength":-1}}}`,
}

// TestLikeLibrary: the verdict is the library's, keyword by keyword.
func TestLikeLibrary(t *testing.T) {
	t.Parallel()
	for _, schema := range keywords {
		p := compilePair(t, schema)
		for _, doc := range documents {
			p.check(t, schema, []byte(doc))
			p.check(t, schema, []byte(`[ `+doc+` ,7]`))
			p.check(t, schema, []byte(`{ "a" : `+doc+` , "b" : [ ] } `))
		}
	}
}

func FuzzLikeLibrary(f *testing.F) {
	for _, doc := range documents {
		f.Add([]byte(doc))
	}
	var pairs []pair
	for _, schema := range keywords {
		pairs = append(pairs, compilePair(f, schema))
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		if len(doc) > 2000 || !json.Valid(doc) || !utf8.Valid(doc) || strings.Count(string(doc), "[")+strings.Count(string(doc), "{") > 100 {
			return
		}
		for i, p := range pairs {
			if !strings.Contains(keywords[i], `"regex"`) { // the library asks Go's, and JSON Schema says ECMA 262
				p.check(t, keywords[i], doc)
			}
		}
	})
}

// FuzzPattern: a pattern matches what its translation matches in package regexp.
func FuzzPattern(f *testing.F) {
	for _, p := range []string{``, `a`, `^a`, `a$`, `^a*b?$`, `(a|b)+c{2,3}`, `\bx\B`, `(?i)é+`, `(?m)^a$`, `[^a-c]\d`, `.{3}`, `(?s).b`, `a|^b|c$`, `\pL`, `(a*)*b`, `[^\x00-\x{10FFFF}]`, `^(?=.*b)(?!c)a`, `^a{3,1500}$`, `[^]`, `[]`, `[\s\S-]\cA\u0041`} {
		for _, s := range []string{``, `a`, `ab`, `xabcc`, "a\nb", `É`, `x y`, "\xff"} {
			f.Add(p, s)
		}
	}
	f.Fuzz(func(t *testing.T, pattern, s string) {
		p := compilePattern(pattern)
		if p.refused != nil || len(pattern) > 100 || len(s) > 1000 {
			return
		}
		form, err := translatePattern(pattern)
		if err != nil {
			t.Fatal(err)
		}
		if re, err := parseTranslated(form.text); err != nil || programSize(re) < len(p.prog.Inst)-2 {
			t.Errorf("%q: %v, %d instructions", pattern, err, len(p.prog.Inst))
		}
		want := regexp.MustCompile(form.text).MatchString(s)
		for _, other := range form.ahead {
			want = want && regexp.MustCompile(other.text).MatchString(s) != other.negated
		}
		if got := p.MatchString(s); got != want {
			t.Errorf("%q matches %q: %v", pattern, s, got)
		}
	})
}

// TestDecimals: numbers are compared exactly, in all the forms that they have.
func TestDecimals(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	number := func() string {
		s := []string{"", "-"}[random.IntN(2)] + []string{"0", "1", "10", "70", "123456789", "99999999999999999999"}[random.IntN(6)]
		s += []string{"", ".0", ".5", ".25", ".0100"}[random.IntN(5)]
		return s + []string{"", "", "e0", "E+2", "e-3", "e19"}[random.IntN(6)]
	}
	for range 20_000 {
		a, b := number(), number()
		x, _ := new(big.Rat).SetString(a)
		y, _ := new(big.Rat).SetString(b)
		d, e := parseDecimal([]byte(a), nil), newLimit(y)
		if got := d.compareTo(e.decimal); (got < 0) != (x.Cmp(y) < 0) || (got > 0) != (x.Cmp(y) > 0) {
			t.Fatalf("%s and %s are compared to %d", a, b, got)
		}
		if d.isWhole() != x.IsInt() {
			t.Fatalf("%s is whole: %v", a, d.isWhole())
		}
		if y.Sign() > 0 && d.multipleOf(e.decimal) != new(big.Rat).Quo(x, y).IsInt() {
			t.Fatalf("%s is a multiple of %s: %v", a, b, d.multipleOf(e.decimal))
		}
	}
}

// many are n pieces of JSON, with commas between.
func many(n int, f func(i int) string) string {
	all := make([]string, n)
	for i := range all {
		all[i] = f(i)
	}
	return strings.Join(all, ",")
}

// doubling is a schema whose evaluation doubles with each level.
func doubling(keyword string, levels int) string {
	return fmt.Sprintf(`{"$ref":"#/definitions/a%d","definitions":{"a0":{"type":"object"},%s}}`, levels, many(levels, func(i int) string {
		return fmt.Sprintf(`"a%d":{"%s":[{"$ref":"#/definitions/a%d"},{"$ref":"#/definitions/a%d"}]}`, i+1, keyword, i, i)
	}))
}

// hostile are schemas with documents that make much more work than they are worth.
func hostile() map[string]struct{ schema, doc string } {
	ones := "[" + many(20_000, func(int) string { return "1" }) + "]"
	objects := "[" + many(5_000, func(i int) string { return fmt.Sprintf(`{"a":%d.5}`, i) }) + "]"
	members := "{" + many(20_000, func(i int) string { return fmt.Sprintf(`"a%d":1`, i) }) + "}"
	allOf := func(n int, f func(i int) string) string { return `{"allOf":[` + many(n, f) + `]}` }
	const levels = 22 // so that it ends without steps, too
	return map[string]struct{ schema, doc string }{
		"allOf": {doubling("allOf", levels), `{}`},
		"anyOf": {doubling("anyOf", levels), `[]`},
		"oneOf": {doubling("oneOf", levels), `{}`},
		"levels of a value": {
			`{"anyOf":[{"type":"array","items":{"$ref":"#"}},{"type":"array","items":{"$ref":"#"}},{"const":1}]}`,
			strings.Repeat("[", levels) + "2" + strings.Repeat("]", levels),
		},
		"members by two rules": {
			`{"patternProperties":{".":{"$ref":"#"}},"properties":{"a":{"$ref":"#"}}}`,
			strings.Repeat(`{"a":`, levels) + "2" + strings.Repeat("}", levels),
		},
		"a pattern":          {`{"pattern":"(.*a){1,300}b"}`, `"` + strings.Repeat("a", 100_000) + `"`},
		"patterns of names":  {`{"patternProperties":{` + many(500, func(i int) string { return fmt.Sprintf(`"a%d$":{}`, i) }) + `}}`, members},
		"uniqueItems":        {allOf(1000, func(i int) string { return fmt.Sprintf(`{"uniqueItems":true,"minItems":%d}`, i) }), objects},
		"equal values":       {`{"items":` + allOf(1000, func(i int) string { return fmt.Sprintf(`{"not":{"const":{"a":%d}}}`, -i) }) + `}`, objects},
		"fractions":          {`{"items":{"additionalProperties":` + allOf(1000, func(i int) string { return fmt.Sprintf(`{"minimum":-%d.5}`, i) }) + `}}`, objects},
		"multiples":          {`{"items":{"multipleOf":1e-900}}`, ones},
		"contains":           {allOf(500, func(int) string { return `{"not":{"contains":{"const":8}}}` }), ones},
		"needs":              {`{"dependencies":{` + many(1000, func(i int) string { return fmt.Sprintf(`"a%d":["a19999"]`, i) }) + `}}`, members},
		"lengths":            {allOf(1000, func(i int) string { return fmt.Sprintf(`{"minLength":%d}`, i) }), `"` + strings.Repeat("é", 50_000) + `"`},
		"formats":            {allOf(1000, func(i int) string { return fmt.Sprintf(`{"format":"json-pointer","minLength":%d}`, i%9) }), `"` + strings.Repeat("/é", 2_000) + `"`},
		"regular expression": {`{"items":{"format":"regex"}}`, "[" + many(100, func(int) string { return `"(?i)` + strings.Repeat(`[B-\\x{1e942}]`, 30) + `"` }) + "]"},
		"marks":              {`{` + draft2020 + `,"unevaluatedItems":true,` + allOf(1000, func(i int) string { return fmt.Sprintf(`{"anyOf":[{"minItems":%d},true]}`, 100_000+i) })[1:], ones},
	}
}

// TestSteps: no schema makes a document take more than its steps, and the same document
// takes the same steps each time.
func TestSteps(t *testing.T) {
	t.Parallel()
	for name, c := range hostile() {
		s, err := CompileSchema(c.schema, nil)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		const budget, piece = 200_000, 5_000_000 // a piece of work may take more than there is
		var left [2]int
		for again := range left {
			m := newMachine()
			if err := m.parseDocument([]byte(c.doc)); err != nil {
				t.Fatal(err)
			}
			m.steps = budget
			m.checkRule(s.root, 0, nil)
			left[again] = m.steps
		}
		if left[0] >= 0 || left[0] < -piece || left[0] != left[1] {
			t.Errorf("%s: of %d steps %d are left, and then %d", name, budget, left[0], left[1])
		}
	}
}

// TestDeepRules: rules in one another end, too, where each leads to the next one.
func TestDeepRules(t *testing.T) {
	t.Parallel()
	levels := 1500
	schema := fmt.Sprintf(`{"$ref":"#/definitions/a0","definitions":{"a%d":{"items":{"$ref":"#"}},%s}}`, levels, many(levels, func(i int) string {
		return fmt.Sprintf(`"a%d":{"allOf":[{"$ref":"#/definitions/a%d"}]}`, i, i+1)
	}))
	s, err := CompileSchema(schema, nil)
	if err != nil {
		t.Fatal(err)
	}
	m := newMachine()
	if err := m.parseDocument([]byte(strings.Repeat("[", 400) + strings.Repeat("]", 400))); err != nil {
		t.Fatal(err)
	}
	m.steps = 10 * maxFrames
	if m.checkRule(s.root, 0, nil); m.steps >= 0 || cap(m.frames) > 2*maxFrames {
		t.Errorf("%d steps are left, and %d rules were in one another, want %d", m.steps, cap(m.frames), maxFrames)
	}
}

// TestBounds: a schema beyond a bound is refused with the bound and how much it held, and
// one within it is not.
func TestBounds(t *testing.T) {
	t.Parallel()
	object := func(i int) string { return fmt.Sprintf(`"a%d":{"type":"object"}`, i) }
	for name, c := range map[string]struct{ schema, want string }{
		"levels":       {strings.Repeat(`{"not":`, 300) + `{}` + strings.Repeat(`}`, 300), "nested more than 250 levels"},
		"values":       {`{"x":[` + many(200_000, func(int) string { return "1" }) + `]}`, "200003 values and names, at most 150000"},
		"objects":      {`{"definitions":{` + many(13_000, object) + `}}`, "12001 objects or more, at most 12000"},
		"addresses":    {`{"definitions":{"` + strings.Repeat("x", 100_000) + `":{"properties":{` + many(200, object) + `}}}}`, "addresses of its parts"},
		"references":   {`{"x":{` + many(5000, object) + `},"properties":{` + many(3000, func(i int) string { return fmt.Sprintf(`"a%d":{"$ref":"#/x/a%d"}`, i, i) }) + `}}`, "3000 references"},
		"an address":   {`{"$id":"http://x/` + strings.Repeat("x", 3_000) + `"}`, "3009 bytes, at most 2000"},
		"all patterns": {`{"allOf":[` + many(100, func(i int) string { return fmt.Sprintf(`{"pattern":"a{1,900}%d"}`, i) }) + `]}`, "at most 50000"},
		"folding":      {`{"allOf":[` + many(10, func(i int) string { return fmt.Sprintf(`{"pattern":"(?i)%s%d"}`, strings.Repeat("[a-z]", 50), i) }) + `]}`, "character classes"},
		"a number":     {`{"minimum":-1e999999}`, "1000 digits"},
		"a fraction":   {`{"multipleOf":1e-999999}`, "1000 digits"},
		"a draft":      {`{"$schema":"https://evil.example/meta.json"}`, "want one of the drafts"},
		"no JSON":      {`{`, "not JSON"},
	} {
		if _, err := CompileSchema(c.schema, []Reference{{"https://evil.example/meta.json", doubling("allOf", 60)}}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %.300v, want %s", name, err, c.want)
		}
	}
}

// TestReferenceIsCountedEachTime: a reference that is loaded for many addresses is not
// read without an end.
func TestReferenceIsCountedEachTime(t *testing.T) {
	t.Parallel()
	other := `{"definitions":{` + many(600, func(i int) string { return fmt.Sprintf(`"a%d":{"type":"object"}`, i) }) + `}}`
	schema := func(n int) string {
		return `{"allOf":[` + many(n, func(i int) string { return fmt.Sprintf(`{"$ref":"http://host%d/other.json"}`, i) }) + `]}`
	}
	if _, err := CompileSchema(schema(3), []Reference{{"other.json", other}}); err != nil {
		t.Error(err)
	}
	if _, err := CompileSchema(schema(30), []Reference{{"other.json", other}}); err == nil || !strings.Contains(err.Error(), "at most") {
		t.Errorf("%v, want a bound", err)
	}
}

// TestLongestReference: a reference whose name ends in another's is not taken for that, whichever comes first.
func TestLongestReference(t *testing.T) {
	t.Parallel()
	references := []Reference{{"common.json", `{"required":["id"]}`}, {"orders/common.json", `{"required":["sku"]}`}}
	for range 2 {
		s, err := CompileSchema(`{"properties":{"item":{"$ref":"orders/common.json"},"id":{"$ref":"common.json"}}}`, references)
		if err != nil {
			t.Fatal(err)
		}
		for doc, good := range map[string]bool{`{"item":{"sku":"x"}}`: true, `{"item":{"id":1}}`: false, `{"id":{"id":1}}`: true, `{"id":{"sku":"x"}}`: false} {
			if err := s.Validate([]byte(doc)); good && err != nil || !good && !errors.Is(err, ErrDiffers) {
				t.Errorf("%s: %v, %v comes first", doc, err, references[0].Name)
			}
		}
		slices.Reverse(references)
	}
}

// catalog is a schema of many definitions, each of some fields of the usual kinds.
func catalog(definitions int) string {
	return fmt.Sprintf(`{"type":"array","items":{"oneOf":[%s]},"definitions":{%s}}`,
		many(20, func(i int) string { return fmt.Sprintf(`{"$ref":"#/definitions/event%d"}`, i) }),
		many(definitions, func(i int) string {
			return fmt.Sprintf(`"event%d":{"type":"object","title":"Event %d","required":["kind","id","at"],"properties":{
 "kind":{"const":"event%d"},"id":{"type":"string","pattern":"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"},"at":{"type":"string","format":"date-time"},
 "mail":{"type":"string","pattern":"^[a-zA-Z0-9._%%+-]+@[a-zA-Z0-9.-]+\\.[a-zA-Z]{2,}$"},"amount":{"type":"number","minimum":0,"multipleOf":0.01},
 "state":{"enum":["new","paid","sent","back"]},"tags":{"type":"array","items":{"type":"string","maxLength":40},"uniqueItems":true},
 "next":{"$ref":"#/definitions/event%d"}},"additionalProperties":{"type":["string","number","boolean","null"]}}`, i, i, i, (i+1)%definitions)
		}))
}

func event(i int) string {
	return fmt.Sprintf(`{"kind":"event%d","id":"01234567-89ab-cdef-0123-4567%08x","at":"2026-11-29T10:11:12.345Z","mail":"john.doe%d@mail.example.com","amount":%d.25,"state":"paid","tags":["a","b","c%d"],"note":"some words of text that say nothing","vip":true}`, i%20, i, i, i, i)
}

// TestLargeSchemas: schemas and documents as large as people write them are within the
// bounds, by far.
func TestLargeSchemas(t *testing.T) {
	t.Parallel()
	s, err := CompileSchema(catalog(500), nil)
	if err != nil {
		t.Fatal(err)
	}
	doc := []byte("[" + many(1_000_000/len(event(1000)), event) + "]")
	m := newMachine()
	if err := m.parseDocument(doc); err != nil {
		t.Fatal(err)
	}
	most := s.maxSteps(len(doc))
	m.steps = most
	if f := m.checkRule(s.root, 0, nil); f.rule != nil {
		t.Fatal(f)
	}
	used := most - m.steps
	t.Logf("%d bytes, each event one of 20: %d of %d steps", len(doc), used, most)
	if used > most/2 {
		t.Errorf("%d of %d steps", used, most)
	}
}

// TestMemory: 10 MB of small objects take a few times their size.
func TestMemory(t *testing.T) {
	s, err := CompileSchema(`{"items":{"type":"object"}}`, nil)
	if err != nil {
		t.Fatal(err)
	}
	doc := []byte("[" + strings.Repeat(`{"a":1},`, 1_250_000) + "1]")
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	err = s.Validate(doc)
	runtime.ReadMemStats(&after)
	if !errors.Is(err, ErrDiffers) {
		t.Error(err)
	}
	if took := after.TotalAlloc - before.TotalAlloc; took > 80<<20 {
		t.Errorf("%d bytes took %d MiB", len(doc), took>>20)
	}
}

// BenchmarkValidate compares a record with its schema, here and by the library:
//
//	go test ./connector/convert/jsonschema -run '^$' -bench Validate -benchmem
func BenchmarkValidate(b *testing.B) {
	schema := catalog(20)
	p := compilePair(b, schema)
	for name, doc := range map[string]string{"one": "[" + event(3) + "]", "fifty": "[" + many(50, event) + "]"} {
		b.Run(name+"/own", func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(doc)))
			for b.Loop() {
				if err := p.own.Validate([]byte(doc)); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(name+"/library", func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(doc)))
			for b.Loop() {
				v, err := jsonschema.UnmarshalJSON(strings.NewReader(doc))
				if err == nil {
					err = p.library.Validate(v)
				}
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// TestPatternsHaveAnOrder: the steps of a document, and so the verdict on it, do not depend
// on the order of a map.
func TestPatternsHaveAnOrder(t *testing.T) {
	t.Parallel()
	s, err := CompileSchema(`{"patternProperties":{`+many(50, func(i int) string { return fmt.Sprintf(`"a%02d":{}`, i) })+`}}`, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range s.root.patterns {
		if p.pattern.text != fmt.Sprintf("a%02d", i) {
			t.Fatalf("patterns are in the order of a map: %s is at %d", p.pattern.text, i)
		}
	}
}

// BenchmarkHostile is the longest that a document can take:
//
//	go test ./connector/convert/jsonschema -run '^$' -bench Hostile
func BenchmarkHostile(b *testing.B) {
	for name, c := range hostile() {
		s, err := CompileSchema(c.schema, nil)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if err := s.Validate([]byte(c.doc)); err != nil && !errors.Is(err, ErrSteps) && !errors.Is(err, ErrDiffers) {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(s.maxSteps(len(c.doc))), "ns/step")
		})
	}
}
