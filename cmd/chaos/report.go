package main

import (
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"
)

// report prints the table that a person reads, in Markdown, so that it can be kept.
func report(w io.Writer, outcomes []*outcome) {
	head := []string{"seed"}
	for _, o := range outcomes {
		head = append(head, fmt.Sprint(o.run.seed))
	}
	row := func(name string, cell func(o *outcome) any) {
		cells := []string{name}
		for _, o := range outcomes {
			text := "–"
			if o.verdict != nil || name == resultRow {
				text = fmt.Sprint(cell(o))
			}
			cells = append(cells, text)
		}
		fmt.Fprintf(w, "| %s |\n", strings.Join(cells, " | "))
	}
	fmt.Fprintf(w, "| %s |\n|%s\n", strings.Join(head, " | "), strings.Repeat("---|", len(head)))
	row("group", func(o *outcome) any { return o.run.protocol + map[bool]string{true: ", static members"}[o.run.static] })
	row("aggregation", func(o *outcome) any { return o.run.aggregate })
	row("trouble for", func(o *outcome) any { return o.run.duration })
	row("records a second", func(o *outcome) any { return o.run.rate })
	row("events of trouble", func(o *outcome) any { return len(o.events) })
	row("records in the topic", func(o *outcome) any { return o.verdict.records })
	row("of these, oversized and skipped by policy", func(o *outcome) any { return o.verdict.oversized })
	row("aborted or not written, so not to be seen", func(o *outcome) any { return o.verdict.aborted })
	row("**lost**", func(o *outcome) any { return len(o.verdict.lost) })
	row("commits", func(o *outcome) any { return o.verdict.commits })
	row("**commits ahead of what was accepted**", func(o *outcome) any { return len(o.verdict.ahead) })
	row("commits that went backwards", func(o *outcome) any { return len(o.verdict.back) })
	row("copies too many", func(o *outcome) any { return o.verdict.twice })
	row("the bound for them", func(o *outcome) any { return o.verdict.bound })
	for _, why := range causes(outcomes) {
		row(string(why), func(o *outcome) any { return o.verdict.reasons[why] })
	}
	row("**copies without a reason**", func(o *outcome) any { return len(o.verdict.puzzling) })
	row("static members that ended, to be started again, because the coordinator moved while they joined", func(o *outcome) any { return o.unnamed })
	row("all delivered and committed after the last trouble within", func(o *outcome) any { return o.caughtUp.Round(100 * time.Millisecond) })
	row(resultRow, func(o *outcome) any {
		f := o.failures()
		switch {
		case o.world != nil:
			return "no verdict, the world broke: " + firstLine(o.world.Error())
		case len(f) > 0:
			return "FAILED: " + firstLine(strings.Join(f, "; "))
		}
		return "held"
	})
}

const resultRow = "result"

// firstLine is as much of a text as fits into a cell.
func firstLine(text string) string {
	line, _, _ := strings.Cut(strings.ReplaceAll(text, "|", "/"), "\n")
	return line
}

// The lines between which a document has the table.
const (
	tableBegin = "<!-- the table of make chaos begins -->\n"
	tableEnd   = "<!-- the table of make chaos ends -->\n"
)

// insert replaces the table in a document.
func insert(file, table string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	before, rest, begins := strings.Cut(string(text), tableBegin)
	_, after, ends := strings.Cut(rest, tableEnd)
	if !begins || !ends {
		return fmt.Errorf("%s has no place for the table: want the lines %q and %q", file, strings.TrimSpace(tableBegin), strings.TrimSpace(tableEnd))
	}
	return os.WriteFile(file, []byte(before+tableBegin+table+tableEnd+after), 0o600) //nolint:gosec // the user of the command names the file
}

func causes(outcomes []*outcome) []reason {
	seen := map[reason]bool{}
	for _, o := range outcomes {
		if o.verdict == nil {
			continue
		}
		for why := range o.verdict.reasons {
			seen[why] = true
		}
	}
	return slices.Sorted(maps.Keys(seen))
}

// examples shows the first of what went wrong.
func examples(w io.Writer, o *outcome) {
	const most = 5
	show := func(what string, lines []string) {
		for _, l := range lines[:min(len(lines), most)] {
			fmt.Fprintf(w, "\nseed %d: %s: %s\n", o.run.seed, what, l)
		}
	}
	v := o.verdict
	var lost []string
	for _, id := range v.lost {
		lost = append(lost, fmt.Sprintf("record %d", id))
	}
	show("lost", lost)
	show("ahead", v.ahead)
	show("back", v.back)
	show("no reason", v.puzzling)
}
