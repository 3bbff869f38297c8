// Package chart checks what the chart's own tools don't.
package chart

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

const directory = "../../helm/kafka-firehose"

// Every value has its place in the schema, every place in the schema its value, and nothing else
// passes.
func TestSchemaCoversTheValues(t *testing.T) {
	t.Parallel()
	values, schema := read(t, "values.yaml"), read(t, "values.schema.json")
	definitions, _ := schema["definitions"].(map[string]any)
	w := walk{t: t, definitions: definitions}
	w.compare("", values, schema)
	if w.leaves < 100 {
		t.Errorf("only %d values were compared; there are more", w.leaves)
	}
}

// Every value says what it is for: helm-docs has made a row of each.
func TestEveryValueIsExplained(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(directory, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(text), "\n|-----|------|---------|-------------|\n")
	rows := 0
	for line := range strings.Lines(table) {
		rows++
		cells := strings.Split(strings.Trim(line, "| \n"), " | ")
		if len(cells) < 4 || len(cells[3]) < 10 {
			t.Errorf("no explanation: %s", line)
		}
	}
	if rows < 80 {
		t.Errorf("only %d rows were found; there are more", rows)
	}
}

// walk goes through values and schema side by side.
type walk struct {
	t           *testing.T
	definitions map[string]any
	leaves      int
}

func (w *walk) compare(at string, value any, schema map[string]any) {
	schema = w.resolve(schema)
	properties, listed := schema["properties"].(map[string]any)
	object, isObject := value.(map[string]any)
	if !listed || !isObject {
		w.leaves++
		if schema["type"] == nil && schema["enum"] == nil && schema["oneOf"] == nil {
			w.t.Errorf("%s: the schema says nothing of its type", at)
		}
		return
	}
	// What is global belongs to all charts of a release.
	if schema["additionalProperties"] != false && at != "global" {
		w.t.Errorf("%s: the schema lets any other key pass", at)
	}
	for key, child := range object {
		next, ok := properties[key].(map[string]any)
		if !ok {
			w.t.Errorf("%s: the schema doesn't know it", join(at, key))
			continue
		}
		w.compare(join(at, key), child, next)
	}
	for key := range properties {
		if _, ok := object[key]; !ok && !optional(at) {
			w.t.Errorf("%s: the schema knows it, values.yaml doesn't", join(at, key))
		}
	}
}

// optional tells the objects that are passed on to Kubernetes with the fields that are there.
func optional(at string) bool {
	return at == "resources" || strings.HasPrefix(at, "probes.") || strings.HasSuffix(at, "authenticationRef")
}

func (w *walk) resolve(schema map[string]any) map[string]any {
	ref, ok := schema["$ref"].(string)
	if !ok {
		return schema
	}
	found, ok := w.definitions[strings.TrimPrefix(ref, "#/definitions/")].(map[string]any)
	if !ok {
		w.t.Fatalf("the schema refers to %s, which isn't there", ref)
	}
	return found
}

func join(at, key string) string { return strings.TrimPrefix(at+"."+key, ".") }

func read(t *testing.T, name string) (content map[string]any) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(directory, name))
	if err == nil {
		err = yaml.Unmarshal(text, &content)
	}
	if err != nil {
		t.Fatal(err)
	}
	return content
}
