package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"

	"sigs.k8s.io/yaml"
)

// swagger takes the kinds out of the API description of Kubernetes.
func swagger(file []byte) (map[string]any, error) {
	var api struct {
		Definitions map[string]map[string]any `json:"definitions"`
	}
	if err := json.Unmarshal(file, &api); err != nil {
		return nil, err
	}
	for name, d := range api.Definitions {
		strict(d)
		switch {
		case strings.HasSuffix(name, ".resource.Quantity"):
			d["type"] = []string{"string", "number"}
		case strings.HasSuffix(name, ".intstr.IntOrString"):
			d["type"] = []string{"string", "integer"}
		}
	}
	schemas := map[string]any{}
	for _, d := range api.Definitions {
		kinds, _ := d["x-kubernetes-group-version-kind"].([]any)
		if len(kinds) != 1 { // those with more are of the API itself, such as DeleteOptions
			continue
		}
		kind, _ := kinds[0].(map[string]any)
		name := fileName(fmt.Sprint(kind["kind"]), fmt.Sprint(kind["group"]), fmt.Sprint(kind["version"]))
		used := map[string]any{}
		collect(d, api.Definitions, used)
		schema := map[string]any{"definitions": used}
		maps.Copy(schema, d)
		schemas[name] = schema
	}
	return schemas, nil
}

// collect puts the definitions that v refers to into used, and those that they refer to.
func collect(v any, all map[string]map[string]any, used map[string]any) {
	switch v := v.(type) {
	case map[string]any:
		ref, _ := v["$ref"].(string)
		name := strings.TrimPrefix(ref, "#/definitions/")
		if _, known := used[name]; ref != "" && !known {
			used[name] = all[name]
			collect(all[name], all, used)
		}
		for _, child := range v {
			collect(child, all, used)
		}
	case []any:
		for _, child := range v {
			collect(child, all, used)
		}
	}
}

// customResource takes each version of a CustomResourceDefinition.
func customResource(file []byte) (map[string]any, error) {
	var crd struct {
		Kind string
		Spec struct {
			Group    string
			Names    struct{ Kind string }
			Versions []struct {
				Name   string
				Schema struct{ OpenAPIV3Schema map[string]any }
			}
		}
	}
	if err := yaml.Unmarshal(file, &crd); err != nil {
		return nil, err
	}
	if crd.Kind != "CustomResourceDefinition" {
		return nil, fmt.Errorf("kind %q, want CustomResourceDefinition", crd.Kind)
	}
	schemas := map[string]any{}
	for _, v := range crd.Spec.Versions {
		schema := v.Schema.OpenAPIV3Schema
		strict(schema)
		if properties, ok := schema["properties"].(map[string]any); ok {
			properties["metadata"] = map[string]any{"type": "object"} // the API server's business
		}
		schemas[fileName(crd.Spec.Names.Kind, crd.Spec.Group, v.Name)] = schema
	}
	return schemas, nil
}

// strict refuses fields that are not listed, and allows numbers where a string or a number may stand.
func strict(v any) {
	switch v := v.(type) {
	case map[string]any:
		_, listed := v["properties"].(map[string]any)
		if listed && v["additionalProperties"] == nil && v["x-kubernetes-preserve-unknown-fields"] != true {
			v["additionalProperties"] = false
		}
		if v["x-kubernetes-int-or-string"] == true {
			delete(v, "anyOf")
			v["type"] = []string{"string", "integer"}
		}
		for _, child := range v {
			strict(child)
		}
	case []any:
		for _, child := range v {
			strict(child)
		}
	}
}
