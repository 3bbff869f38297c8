package connector

import (
	"fmt"
	"strings"

	"kafka-firehose/connector/convert"
)

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

// BeforeEach has do called before each record is converted, by the goroutine that converts it.
// It is for formats with schemas, and is called before Run.
func (c *Connector) BeforeEach(do func(convert.SchemaRef)) {
	for stream, l := range c.pipelines {
		l.convert = c.cfg.newConverter(c.cfg.recordFor(stream), func(ref convert.SchemaRef) (convert.Schema, error) {
			do(ref)
			return c.lookupSchema(ref)
		})
		if l.parallel != nil {
			l.parallel.convert = l.convert
		}
	}
}

// MeantSettings are the names that other programs have for settings, with the settings.
func MeantSettings() map[string]string { return meant }
