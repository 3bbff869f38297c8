package main

import (
	"reflect"
	"testing"
)

const crd = `
kind: CustomResourceDefinition
spec:
  group: example.io
  names: {kind: Thing}
  versions:
    - name: v1
      schema:
        openAPIV3Schema:
          type: object
          properties:
            metadata: {type: object, properties: {name: {type: string}}}
            size: {x-kubernetes-int-or-string: true, anyOf: [{type: integer}, {type: string}]}
            free: {type: object, properties: {a: {type: string}}, x-kubernetes-preserve-unknown-fields: true}
`

func TestCustomResource(t *testing.T) {
	t.Parallel()
	got, err := customResource([]byte(crd))
	if err != nil {
		t.Fatal(err)
	}
	thing, ok := got["thing-example-v1.json"].(map[string]any)
	if !ok || thing["additionalProperties"] != false {
		t.Fatalf("got %v, want a schema that refuses unknown fields", got)
	}
	properties, _ := thing["properties"].(map[string]any)
	size, _ := properties["size"].(map[string]any)
	if !reflect.DeepEqual(size["type"], []string{"string", "integer"}) || size["anyOf"] != nil {
		t.Errorf("size is %v, want a string or an integer", size)
	}
	if free, _ := properties["free"].(map[string]any); free["additionalProperties"] != nil {
		t.Errorf("free is %v, want it to stay open", free)
	}
	if metadata, _ := properties["metadata"].(map[string]any); metadata["properties"] != nil {
		t.Errorf("metadata is %v, want it left to the API server", metadata)
	}
	if _, err := customResource([]byte("kind: Thing")); err == nil {
		t.Error("another kind of object passes for a definition")
	}
}

const api = `{"definitions": {
	"io.k8s.api.core.v1.Thing": {"type": "object",
		"properties": {"size": {"$ref": "#/definitions/io.k8s.apimachinery.pkg.api.resource.Quantity"}, "part": {"$ref": "#/definitions/Part"}},
		"x-kubernetes-group-version-kind": [{"group": "", "kind": "Thing", "version": "v1"}]},
	"Part": {"type": "object", "properties": {"part": {"$ref": "#/definitions/Part"}}},
	"Other": {"type": "object"},
	"io.k8s.apimachinery.pkg.api.resource.Quantity": {"type": "string"}
}}`

func TestSwagger(t *testing.T) {
	t.Parallel()
	got, err := swagger([]byte(api))
	if err != nil || len(got) != 1 {
		t.Fatalf("got %v, %v; want the one kind", got, err)
	}
	thing, _ := got["thing-v1.json"].(map[string]any)
	used, _ := thing["definitions"].(map[string]any)
	part, _ := used["Part"].(map[string]any)
	if part["additionalProperties"] != false {
		t.Errorf("part is %v, want it to refuse unknown fields", part)
	}
	quantity, _ := used["io.k8s.apimachinery.pkg.api.resource.Quantity"].(map[string]any)
	if !reflect.DeepEqual(quantity["type"], []string{"string", "number"}) {
		t.Errorf("a quantity is %v, want a string or a number", quantity)
	}
	if len(used) != 2 {
		t.Errorf("it brings %v, want what it refers to and nothing else", used)
	}
}
