package convert

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/connector/batch"
	"kafka-firehose/connector/convert/jsonschema"
)

// orderSchema refers to another under a name, from an address of its own.
const orderSchema = `{"$id":"https://shop.example/schemas/order.json","type":"object","required":["id"],"additionalProperties":false,
 "properties":{"id":{"type":"string"},"n":{"type":"integer","maximum":10},"by":{"$ref":"people/customer.json"},"mail":{"type":"string","format":"email"}}}`

var customerSchema = SchemaReference{"people/customer.json", `{"type":"object","properties":{"name":{"type":"string"}}}`}

func TestJSONSchema(t *testing.T) {
	s, err := compileSchema(Config{Format: "json-schema", Validated: true}, SchemaDefinition{Kind: "json-schema", Text: orderSchema, References: []SchemaReference{customerSchema}})
	if err != nil {
		t.Fatal(err)
	}
	const secret = "hunter2"
	f := func(value, validated, plain string) {
		t.Helper()
		for _, test := range []struct {
			validate bool
			want     string
		}{{true, validated}, {false, plain}} {
			cfg := configForValidate()
			cfg.Format, cfg.Validated = "json-schema", test.validate
			lookup := lookupOf(map[uint64]Schema{1: s})
			if !test.validate {
				lookup = nil // none is needed
			}
			got, err := New(cfg, lookup).Append([]byte("x"), &kgo.Record{Value: confluent(1, []byte(value))})
			if err != nil {
				got = append(got, " error "+err.Error()...)
			}
			if string(got) != test.want || strings.Contains(string(got), secret) && err != nil {
				t.Errorf("%s, validated %v: %s, want %s", value, test.validate, got, test.want)
			}
		}
	}
	const id = `x{"id":"a"}` + "\n"
	f(`{"id":"a"}`, id, id)
	f(" {\n\"id\" : \"a\"\n}\n", id, id)
	f(`{"id":"a","n":10,"by":{"name":"b"}}`, `x{"id":"a","n":10,"by":{"name":"b"}}`+"\n", `x{"id":"a","n":10,"by":{"name":"b"}}`+"\n")
	f(`{"id":"a","n":10.0}`, `x{"id":"a","n":10.0}`+"\n", `x{"id":"a","n":10.0}`+"\n")
	f(`{"id":7}`, "x error it is not what its schema says at #/properties/id/type", `x{"id":7}`+"\n")
	f(`{"id":"a","n":11}`, "x error it is not what its schema says at #/properties/n/maximum", `x{"id":"a","n":11}`+"\n")
	f(`{"id":"a","hunter2":11}`, "x error it is not what its schema says at #/additionalProperties", `x{"id":"a","hunter2":11}`+"\n")
	f(`{"id":"a","mail":"hunter2"}`, "x error it is not what its schema says at #/properties/mail/format", `x{"id":"a","mail":"hunter2"}`+"\n")
	f(`{}`, "x error it is not what its schema says at #/required", "x{}\n")
	f(`{"id":"a","by":{"name":1}}`, "x error it is not what its schema says at #/properties/name/type", `x{"id":"a","by":{"name":1}}`+"\n")
	f(`{"id":`, "x error "+errNotJSON.Error(), "x error "+errNotJSON.Error())
	f("\"\xff\"", "x error "+errNotJSON.Error(), "x error "+errNotJSON.Error())
	f(strings.Repeat("[", 600)+strings.Repeat("]", 600), "x error "+errNotJSON.Error(), "x error "+errNotJSON.Error())
}

// TestJSONSchemaPatterns: a pattern of ECMA 262 makes no record bad that has nothing to match with it, and is matched where one has.
func TestJSONSchemaPatterns(t *testing.T) {
	t.Parallel()
	for pattern, c := range map[string]struct{ good, bad string }{
		`^(?=.*[0-9]).{8,}$`: {"passw0rds", "passwords"}, `^(?!foo-)[a-z]+$`: {"bar", "foo-bar"}, `^[\\u0041-\\u005A]+$`: {"AZ", "az"}, `^.{0,2000}$`: {"é", strings.Repeat("a", 2001)},
		`^(a)\\1$`: {"", ""}, // takes more than linear time
	} {
		s, err := compileSchema(Config{Format: "json-schema", Validated: true}, SchemaDefinition{Kind: "json-schema", Text: `{"type":"object","properties":{"pw":{"type":"string","pattern":"` + pattern + `"}}}`})
		if err != nil {
			t.Errorf("%s: %v", pattern, err)
			continue
		}
		convert := New(Config{Format: "json-schema", Validated: true}, lookupOf(map[uint64]Schema{1: s}))
		for value, good := range map[string]bool{`{"a":1}`: true, `{"pw":"` + c.good + `"}`: c.good != "", `{"pw":"` + c.bad + `","x":1}`: false} {
			got, err := convert.Append(nil, &kgo.Record{Value: confluent(1, []byte(value))})
			if good && (err != nil || string(got) != value) || !good && err == nil {
				t.Errorf("%s: %.60s becomes %.60s, %v", pattern, value, got, err)
			}
		}
	}
}

// TestJSONSchemaAsksNobody: no schema makes us read a file or dial.
func TestJSONSchemaAsksNobody(t *testing.T) {
	for _, ref := range []string{"file:///etc/passwd", "http://127.0.0.1:1/x.json", "https://example.com/x.json", "other.json", "people/customer.jso"} {
		s, err := compileSchema(Config{Format: "json-schema", Validated: true}, SchemaDefinition{Kind: "json-schema", Text: `{"$ref":"` + ref + `"}`, References: []SchemaReference{customerSchema}})
		if err == nil {
			_, err = s.AppendJSON(nil, []byte("{}"), MessageIndex{}, 100)
		}
		if err == nil || !strings.Contains(err.Error(), "which is not among its references") {
			t.Errorf("%s: %v", ref, err)
		}
	}
	for _, text := range []string{``, `{`, `7`, `{"type":"nothing"}`} {
		if _, err := compileSchema(Config{Format: "json-schema", Validated: true}, SchemaDefinition{Kind: "json-schema", Text: text}); err == nil {
			t.Errorf("%s is a schema", text)
		}
	}
}

// numbers is a schema that calculates with what is in a record.
const numbers = `{"$schema":"https://json-schema.org/draft/2020-12/schema","type":["array","number","object"],"minimum":-5,"multipleOf":0.5,"not":{"const":7},
 "uniqueItems":true,"items":{"$ref":"#"},"additionalProperties":{"$ref":"#"},"maxProperties":3}`

func numbersSchema(t testing.TB) Schema {
	t.Helper()
	s, err := compileSchema(Config{Format: "json-schema", Validated: true}, SchemaDefinition{Kind: "json-schema", Text: numbers})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestJSONSchemaNumbers: a number that nobody can calculate with makes its record bad. It
// takes neither the process down nor its time.
func TestJSONSchemaNumbers(t *testing.T) {
	s := numbersSchema(t)
	for value, want := range map[string]error{
		`1.5`:                      nil,
		`1e1000`:                   nil,
		`1E-0001`:                  jsonschema.ErrDiffers, // 0.1
		`1.25`:                     jsonschema.ErrDiffers,
		`1e1001`:                   jsonschema.ErrNumber,
		`1e-1001`:                  jsonschema.ErrNumber,
		`[{"a":-0E+999999999999}]`: jsonschema.ErrNumber,
		`1e2000000`:                jsonschema.ErrNumber,
		strings.Repeat("1", jsonschema.MaxDigits):   nil,
		strings.Repeat("1", jsonschema.MaxDigits+1): jsonschema.ErrNumber,
		`[` + many("1e2000000", 30) + `]`:           jsonschema.ErrNumber, // enough of them to be hashed
		`[` + many("1e999999", 9_000) + `]`:         jsonschema.ErrNumber, // hours
	} {
		if out, err := s.AppendJSON([]byte("x"), []byte(value), MessageIndex{}, 1_000_000); !errors.Is(err, want) || err != nil && string(out) != "x" {
			t.Errorf("%.40s: %.40s %v, want %v", value, out, err, want)
		}
	}
}

// many is the same n times, with commas between.
func many(what string, n int) string { return strings.Repeat(what+",", n-1) + what }

// TestJSONSchemaMemory: to find a record bad takes no more memory when what is wrong with
// it is deep inside. To say why, 400 levels deep, it would be 2 GB for these 700 KB.
func TestJSONSchemaMemory(t *testing.T) {
	s := numbersSchema(t)
	const depth = 400
	deep := strings.Repeat("[", depth) + many("[null]", 100_000) + strings.Repeat("]", depth)
	for name, value := range map[string]string{"deep": deep, "flat": "[" + many("[null]", 100_000) + "]"} {
		took := allocated(func() {
			if _, err := s.AppendJSON(nil, []byte(value), MessageIndex{}, 1_000_000); !errors.Is(err, jsonschema.ErrDiffers) {
				t.Errorf("%s: %v", name, err)
			}
		})
		t.Logf("%s: %d bytes took %d", name, len(value), took)
		if took > 250<<20 {
			t.Errorf("%s: %d bytes took %d", name, len(value), took)
		}
	}
}

// BenchmarkJSONSchema is one small record, compared with its schema and not:
//
//	go test ./connector/convert -run '^$' -bench JSONSchema -benchmem
func BenchmarkJSONSchema(b *testing.B) {
	compared, err := compileSchema(Config{Format: "json-schema", Validated: true}, SchemaDefinition{Kind: "json-schema", Text: orderSchema, References: []SchemaReference{customerSchema}})
	if err != nil {
		b.Fatal(err)
	}
	payload, buf := []byte(`{"id":"a-17","n":10,"by":{"name":"Jürgen"},"mail":"j@example.com"}`), make([]byte, 0, 4<<10)
	for name, s := range map[string]Schema{"compared": compared, "plain": plainJSON{}} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(payload)))
			for b.Loop() {
				if buf, err = s.AppendJSON(buf[:0], payload, MessageIndex{}, batch.MaxRecordBytes); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func FuzzJSONSchema(f *testing.F) {
	order, err := compileSchema(Config{Format: "json-schema", Validated: true}, SchemaDefinition{Kind: "json-schema", Text: orderSchema, References: []SchemaReference{customerSchema}})
	if err != nil {
		f.Fatal(err)
	}
	for _, v := range []string{``, `{`, `{"a":1,}`, `[1.5,-0e0,"\u0000",true,null,{"":""}]`, `{"a":{"b":[{},[],{"c":[[]]}]}} `, `{"a":1,"a":2}`, "\"\xff\"", `{"id":"a","n":10,"by":{"name":"b"}}`, `{"id":"a","n":1e400}`, `1e2000000`, `[1,1.0,[-3e5]]`} {
		f.Add([]byte(v), true)
		f.Add([]byte(v), false)
	}
	schemas := map[bool]Schema{true: order, false: numbersSchema(f)}
	f.Fuzz(func(t *testing.T, payload []byte, which bool) {
		const most = 500
		got, err := schemas[which].AppendJSON([]byte("["), payload, MessageIndex{}, most)
		switch {
		case err != nil && string(got) != "[":
			t.Fatalf("%q after %v", got, err)
		case err == nil && (len(got) > most+1 || !json.Valid(append(got, ']'))):
			t.Fatalf("%d bytes: %s", len(got), got)
		}
	})
}
