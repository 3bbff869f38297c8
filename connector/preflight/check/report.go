package check

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"
)

// Report is everything that was found.
type Report struct {
	Findings Findings
	Took     time.Duration
}

// CountSeverity counts the findings of a severity.
func (r Report) CountSeverity(s Severity) (n int) {
	for _, f := range r.Findings {
		if f.Severity == s {
			n++
		}
	}
	return n
}

// WorstSeverity is the severity of the worst finding.
func (r Report) WorstSeverity() (worst Severity) {
	for _, f := range r.Findings {
		worst = max(worst, f.Severity)
	}
	return worst
}

// WriteTable writes the findings in three columns: the severity, the thing that was looked at, and the finding. Advice has
// lines of its own under the finding. Lines have width characters at most; 0 is for no limit. The last line counts the findings.
func (r Report) WriteTable(w io.Writer, width int) error {
	severity, thing := 0, 0
	for _, f := range r.Findings {
		severity, thing = max(severity, len(f.Severity.String())), max(thing, utf8.RuneCountInString(f.thing()))
	}
	indent := severity + thing + 2*columnGap
	var text strings.Builder
	for _, f := range r.Findings {
		fmt.Fprintf(&text, "%-*s%-*s", severity+columnGap, f.Severity, thing+columnGap, f.thing())
		writeWrapped(&text, f.Found, indent, width)
		if f.Advice != "" {
			text.WriteString(strings.Repeat(" ", indent) + adviceMark)
			writeWrapped(&text, f.Advice, indent+len(adviceMark), width)
		}
	}
	fmt.Fprintf(&text, "%s, %s: %s looked at in %s\n", CountNoun(r.CountSeverity(Error), "error"), CountNoun(r.CountSeverity(Warning), "warning"),
		CountNoun(len(r.Findings), "thing"), r.Took.Round(time.Millisecond))
	_, err := io.WriteString(w, text.String())
	return err
}

const (
	columnGap    = 2     // characters between two columns
	adviceMark   = "-> " // begins advice
	minTextWidth = 30    // characters of a line of text, on a terminal that is too narrow for the columns
)

// thing is the kind and the name of the thing that was looked at.
func (f Finding) thing() string { return strings.TrimSpace(string(f.Kind) + " " + f.Name) }

// writeWrapped writes the rest of a line that begins with indent characters, and further lines where it exceeds
// width. A word that is longer than a line, such as an ARN, stays whole.
func writeWrapped(w *strings.Builder, text string, indent, width int) {
	limit := max(width-indent, minTextWidth)
	at := 0
	for i, word := range strings.Split(text, " ") {
		n := utf8.RuneCountInString(word)
		switch {
		case i == 0:
		case width > 0 && at+1+n > limit:
			w.WriteString("\n" + strings.Repeat(" ", indent))
			at = 0
		default:
			w.WriteByte(' ')
			at++
		}
		w.WriteString(word)
		at += n
	}
	w.WriteByte('\n')
}

// WriteJSON writes one object: result, the worst severity; how many errors and warnings; took_seconds;
// and findings, each with severity, kind, name, found and, where there is one, advice. Members are
// added to it and neither renamed nor removed.
func (r Report) WriteJSON(w io.Writer) error {
	return encodeIndented(w, r.members())
}

// reportMembers are the members of a report's JSON.
type reportMembers struct {
	Result   Severity `json:"result"`
	Errors   int      `json:"errors"`
	Warnings int      `json:"warnings"`
	Took     float64  `json:"took_seconds"`
	Findings Findings `json:"findings"`
}

func (r Report) members() reportMembers {
	findings := r.Findings
	if findings == nil {
		findings = Findings{} // a list, whatever is in it
	}
	return reportMembers{r.WorstSeverity(), r.CountSeverity(Error), r.CountSeverity(Warning), float64(r.Took.Milliseconds()) / 1000, findings}
}

func encodeIndented(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}
