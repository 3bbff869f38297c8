package connector

import (
	"fmt"
	"strings"

	"kafka-firehose/connector/env"
)

// ConfigMarkdown is the table of all variables for the documentation.
func ConfigMarkdown() string { return MarkdownTable(env.ListVariables(new(Config))) }

// MarkdownTable is a table of variables for the documentation.
func MarkdownTable(all []env.Variable) string {
	// A bar would end the cell, even in code; a backslash in text would take the next character along.
	code := strings.NewReplacer("|", `\|`)
	text := strings.NewReplacer("|", `\|`, `\`, `\\`)
	var b strings.Builder
	b.WriteString("| variable | default | meaning |\n|---|---|---|\n")
	for _, v := range all {
		def := text.Replace(v.Unset)
		if v.Default != "" {
			def = "`" + code.Replace(v.Default) + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", v.Name, def, text.Replace(v.Desc))
	}
	return b.String()
}

// budgetShares are all rows of the budget, in the order of the documentation.
func budgetShares() []budgetShare {
	return []budgetShare{
		fetchedShare, recordsShare, batchesShare, pipelinesShare, aheadShare, buffersShare, fetchedMaxShare, rereadShare,
		responseShare, uncompressedShare, queueShare, schemaQueueShare, batchShare, lentShare,
	}
}

// BudgetMarkdown is the budget as a table of the documentation.
func BudgetMarkdown() string {
	var t strings.Builder
	t.WriteString("| share | of | used for | counted in the sum |\n|---|---|---|---|\n")
	for _, s := range budgetShares() {
		of, counted := fmt.Sprintf("%d/%d of ", s.n, s.d), "yes"
		switch {
		case s.within != "":
			of, counted = of+s.within, "within "+s.within
		case s.overlap != "":
			counted = "no: " + s.overlap
		}
		fmt.Fprintf(&t, "| %s | %s | %s | %s |\n", s.name, strings.TrimSuffix(of, " of "), s.use, counted)
	}
	return t.String()
}

// MeantSettings are the names that other programs have for settings, with the settings.
func MeantSettings() map[string]string { return meant }
