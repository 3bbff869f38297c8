// Package chart checks what the chart's own tools don't.
package chart

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
	sigsyaml "sigs.k8s.io/yaml"
)

var update = flag.Bool("update", false, "write the generated files instead of comparing them")

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
	if at != "" && !acceptsNull(schema) {
		w.t.Errorf("%s: the schema refuses a null, which --reuse-values keeps and the templates take for the default", at)
	}
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
		// A chart that has this one as a dependency may switch it off by enabled.
		if _, ok := object[key]; !ok && !optional(at) && join(at, key) != "enabled" {
			w.t.Errorf("%s: the schema knows it, values.yaml doesn't", join(at, key))
		}
	}
}

// acceptsNull reports whether a value may be left empty.
func acceptsNull(schema map[string]any) bool {
	types, _ := schema["type"].([]any)
	enum, _ := schema["enum"].([]any)
	switch {
	case schema["oneOf"] != nil:
		return slices.ContainsFunc(schema["oneOf"].([]any), func(one any) bool { return one.(map[string]any)["type"] == "null" })
	case enum != nil:
		return slices.Contains(enum, nil)
	default:
		return slices.Contains(types, any("null"))
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
		err = sigsyaml.Unmarshal(text, &content)
	}
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// The templates can't read values.yaml, so they have the defaults in a file of their own: a value for
// each that is explained there.
func TestDefaults(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(directory, "values.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err != nil {
		t.Fatal(err)
	}
	defaults := map[string]any{}
	collectDefaults(t, "", document.Content[0], defaults)
	if len(defaults) < 90 {
		t.Errorf("found %d values, there are more", len(defaults))
	}
	var want bytes.Buffer
	encoder := json.NewEncoder(&want)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(defaults); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(directory, "files", "defaults.json")
	if *update {
		if err := os.WriteFile(file, want.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if got, err := os.ReadFile(file); err != nil || string(got) != want.String() {
		t.Errorf("%s differs from values.yaml (%v); run: make chart-generated", file, err)
	}
}

// collectDefaults puts the value of each key that has a comment of its own into defaults, by its path.
func collectDefaults(t *testing.T, at string, mapping *yaml.Node, defaults map[string]any) {
	t.Helper()
	for i := 0; i < len(mapping.Content); i += 2 {
		key, value := mapping.Content[i], mapping.Content[i+1]
		path := join(at, key.Value)
		if !strings.Contains(key.HeadComment, "# -- ") {
			if value.Kind != yaml.MappingNode {
				t.Errorf("%s has no comment that begins with # --", path)
				continue
			}
			collectDefaults(t, path, value, defaults)
			continue
		}
		var content any
		if err := value.Decode(&content); err != nil {
			t.Fatal(err)
		}
		defaults[path] = content
	}
}

// Each template fills in the defaults and refuses values that can't work, before it renders anything.
func TestEveryTemplateIsPrepared(t *testing.T) {
	t.Parallel()
	var files []string
	for _, pattern := range []string{"*.yaml", "*.txt", "tests/*.yaml"} {
		found, err := filepath.Glob(filepath.Join(directory, "templates", pattern))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	if len(files) < 15 {
		t.Errorf("found %d templates, there are more", len(files))
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if want := "{{- include \"kafka-firehose.prepare\" . -}}\n"; err != nil || !strings.HasPrefix(string(text), want) {
			t.Errorf("%s does not begin with %s(%v)", file, want, err)
		}
	}
}
