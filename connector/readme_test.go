package connector_test

import (
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"kafka-firehose/connector"
)

var update = flag.Bool("update", false, "write what is generated into the documentation instead of comparing it")

// The table of settings is the one that the program reads.
func TestReadmeConfig(t *testing.T) {
	generated(t, "../deploy/docs/settings.md", "config", settingsPage(connector.ConfigMarkdown()))
}

// The table of the budget in the documentation is the program's.
func TestBoundsBudget(t *testing.T) {
	generated(t, "../deploy/docs/bounds.md", "budget", connector.BudgetMarkdown())
}

// generated compares the part of a file between two comments with what the program has, or writes it.
func generated(t *testing.T, file, part, want string) {
	t.Helper()
	begin, end := "<!-- "+part+":begin -->\n", "<!-- "+part+":end -->\n"
	regenerate := "go test ./connector -run " + t.Name() + " -update"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v; it needs a line %sand a line %sfor %s to write the table between", err, begin, end, regenerate)
	}
	before, rest, hasBegin := strings.Cut(string(text), begin)
	table, after, hasEnd := strings.Cut(rest, end)
	if !hasBegin || !hasEnd {
		t.Fatalf("%s has no line %sfollowed by a line %s", file, begin, end)
	}
	want = "\n" + want + "\n"
	if *update {
		if err := os.WriteFile(file, []byte(before+begin+want+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want, table); diff != "" {
		t.Errorf("the table of %s is not the program's; run: %s\n%s", file, regenerate, diff)
	}
}
