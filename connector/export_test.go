package connector

import (
	"fmt"
	"strings"

	"kafka-firehose/connector/env"
)

// ConfigMarkdown is the table of all variables for the documentation.
func ConfigMarkdown() string { return env.MarkdownTable(new(Config)) }

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
