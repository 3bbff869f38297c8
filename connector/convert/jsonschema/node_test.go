package jsonschema

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestNodePatterns compares random patterns with those of a JavaScript engine. PATTERNS_NODE is its program;
// .ci/run formats has one.
func TestNodePatterns(t *testing.T) {
	node := os.Getenv("PATTERNS_NODE")
	if node == "" {
		t.Skip("PATTERNS_NODE names no program; .ci/run formats does")
	}
	command := exec.CommandContext(t.Context(), node, filepath.Join("testdata", "patterns.mjs"), "4000")
	command.Stderr = t.Output()
	out, err := command.Output()
	if err != nil {
		t.Fatal(err)
	}
	patterns, compared, refused, differences := 0, 0, 0, 0
	for line := range bytes.Lines(out) {
		var c struct {
			Pattern string
			Texts   []string
			Matches []bool
		}
		if err := json.Unmarshal(line, &c); err != nil {
			t.Fatal(err)
		}
		p := compilePattern(c.Pattern)
		if p.refused != nil {
			refused++
			continue
		}
		patterns++
		for i, text := range c.Texts {
			if strings.Contains(c.Pattern, `\B`) && strings.Contains(text, "\U0001F600") {
				continue // the engine finds one between the halves of a surrogate pair
			}
			if got := p.MatchString(text); got != c.Matches[i] {
				t.Errorf("%s matches %.50q: %v", c.Pattern, text, got)
				differences++
			}
			compared++
		}
	}
	t.Logf("%d texts compared with %d patterns, %d differences; %d patterns are refused", compared, patterns, differences, refused)
	if patterns < 3000 || refused > patterns/10 {
		t.Errorf("%d patterns, and %d are refused", patterns, refused)
	}
}
