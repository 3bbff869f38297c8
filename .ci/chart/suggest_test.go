package chart

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A setting with a slip in its name is refused, and the one that was meant is named.
func TestSuggestions(t *testing.T) {
	t.Parallel()
	helm, err := exec.LookPath("helm")
	if err != nil {
		t.Skip("no helm in PATH; .ci/run chart has one")
	}
	text, err := os.ReadFile(filepath.Join(directory, "files", "settings.json"))
	if err != nil {
		t.Fatal(err)
	}
	var known struct{ Settings map[string]any }
	if err := json.Unmarshal(text, &known); err != nil {
		t.Fatal(err)
	}
	slips := []func(name string, i int) string{
		func(name string, i int) string { return name[:i] + name[i+1:] },                                  // a character fewer
		func(name string, i int) string { return name[:i] + name[i:i+1] + name[i:] },                      // one twice
		func(name string, i int) string { return name[:i] + name[i+1:i+2] + name[i:i+1] + name[i+2:] },    // two changed places
		func(name string, _ int) string { return strings.TrimPrefix(strings.ToLower(name), "firehose_") }, // small, and without its first word
	}
	meant, config := map[string]string{}, map[string]string{}
	n := 0
	for _, name := range slices.Sorted(maps.Keys(known.Settings)) {
		if n++; len(name) < 8 {
			continue // too short to be known by what is left of it
		}
		slip := slips[n%len(slips)](name, len(name)/2)
		if _, ok := known.Settings[slip]; ok {
			continue
		}
		meant[slip], config[slip] = name, "x"
	}
	values, err := json.Marshal(map[string]any{"config": config, "image": map[string]string{"repository": "x"}})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "values.yaml")
	if err := os.WriteFile(file, values, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), helm, "template", "r", directory, "--values", file).CombinedOutput()
	if err == nil {
		t.Fatal("names that are no settings are rendered")
	}
	wrong := 0
	for slip, name := range meant {
		if want := fmt.Sprintf("config.%s is not a setting; did you mean %s?\n", slip, name); !strings.Contains(string(out), want) {
			wrong++
			t.Logf("not there: %s", want)
		}
	}
	if len(meant) < 80 || wrong > len(meant)/20 {
		t.Errorf("%d of %d slips are not found, want one in twenty at most\n%s", wrong, len(meant), out)
	}
}
