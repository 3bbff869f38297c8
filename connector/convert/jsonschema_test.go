package convert

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

// orderSchema refers to another under a name, from an address of its own.
const orderSchema = `{"$id":"https://shop.example/schemas/order.json","type":"object","required":["id"],"additionalProperties":false,
 "properties":{"id":{"type":"string"},"n":{"type":"integer","maximum":10},"by":{"$ref":"people/customer.json"},"mail":{"type":"string","format":"email"}}}`

var customerSchema = Reference{"people/customer.json", `{"type":"object","properties":{"name":{"type":"string"}}}`}

func TestJSONSchema(t *testing.T) {
	s, err := Compile(Config{Format: "json-schema", Validated: true}, Definition{Kind: "json-schema", Text: orderSchema, References: []Reference{customerSchema}})
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
			lookup := lookupOf(map[uint32]Schema{1: s})
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

// TestJSONSchemaAsksNobody: no schema makes us read a file or dial.
func TestJSONSchemaAsksNobody(t *testing.T) {
	for _, ref := range []string{"file:///etc/passwd", "http://127.0.0.1:1/x.json", "https://example.com/x.json", "other.json", "people/customer.jso"} {
		_, err := Compile(Config{Format: "json-schema", Validated: true}, Definition{Kind: "json-schema", Text: `{"$ref":"` + ref + `"}`, References: []Reference{customerSchema}})
		if err == nil || !strings.Contains(err.Error(), "which is not among its references") {
			t.Errorf("%s: %v", ref, err)
		}
	}
	for _, text := range []string{``, `{`, `7`, `{"type":"nothing"}`, `{"pattern":"("}`} {
		if _, err := Compile(Config{Format: "json-schema", Validated: true}, Definition{Kind: "json-schema", Text: text}); err == nil {
			t.Errorf("%s is a schema", text)
		}
	}
}

func FuzzJSONSchema(f *testing.F) {
	s, err := Compile(Config{Format: "json-schema", Validated: true}, Definition{Kind: "json-schema", Text: orderSchema, References: []Reference{customerSchema}})
	if err != nil {
		f.Fatal(err)
	}
	for _, v := range append(jsonSeeds, `{"id":"a","n":10,"by":{"name":"b"}}`, `{"id":"a","n":1e400}`) {
		f.Add([]byte(v))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		const most = 500
		got, err := s.Append([]byte("["), payload, Index{}, most)
		switch {
		case err != nil && string(got) != "[":
			t.Fatalf("%q after %v", got, err)
		case err == nil && (len(got) > most+1 || !json.Valid(append(got, ']'))):
			t.Fatalf("%d bytes: %s", len(got), got)
		}
	})
}
