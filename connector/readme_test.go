package connector_test

import (
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"kafka-firehose/connector"
)

var update = flag.Bool("update", false, "write what is generated into README.md instead of comparing it")

// The table of the README is the one that the program reads.
func TestReadmeConfig(t *testing.T) {
	const file, begin, end = "../README.md", "<!-- config:begin -->\n", "<!-- config:end -->\n"
	const regenerate = "go test ./connector -run TestReadmeConfig -update"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v; it needs a line %sand a line %sfor %s to write the table between", err, begin, end, regenerate)
	}
	before, rest, hasBegin := strings.Cut(string(text), begin)
	table, after, hasEnd := strings.Cut(rest, end)
	if !hasBegin || !hasEnd {
		t.Fatalf("%s has no line %sfollowed by a line %s", file, begin, end)
	}
	want := "\n" + connector.ConfigMarkdown() + "\n"
	if *update {
		if err := os.WriteFile(file, []byte(before+begin+want+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want, table); diff != "" {
		t.Errorf("the table of variables is not the program's; run: %s\n%s", regenerate, diff)
	}
}
