package check

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
	"time"
)

// Report is everything that was found.
type Report struct {
	Findings Findings
	Took     time.Duration
}

// Of counts the findings of a severity.
func (r Report) Of(s Severity) (n int) {
	for _, f := range r.Findings {
		if f.Severity == s {
			n++
		}
	}
	return n
}

// Worst is the severity of the worst finding.
func (r Report) Worst() (worst Severity) {
	for _, f := range r.Findings {
		worst = max(worst, f.Severity)
	}
	return worst
}

// Table writes a line for each finding: its severity, the inspected thing, the finding and
// the advice; and one that counts them.
func (r Report) Table(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, f := range r.Findings {
		what := string(f.Kind)
		if f.Name != "" {
			what += " " + f.Name
		}
		found := f.Found
		if f.Advice != "" {
			found += "; " + f.Advice
		}
		fmt.Fprintf(t, "%s\t%s\t%s\n", f.Severity, what, found)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "%s, %s: %s looked at in %s\n", Count(r.Of(Error), "error"), Count(r.Of(Warning), "warning"),
		Count(len(r.Findings), "thing"), r.Took.Round(time.Millisecond))
	return err
}

// JSON writes one object: result, the worst severity; how many errors and warnings; took_seconds;
// and findings, each with severity, kind, name, found and, where there is one, advice. Members are
// added to it and neither renamed nor removed.
func (r Report) JSON(w io.Writer) error {
	findings := r.Findings
	if findings == nil {
		findings = Findings{} // a list, whatever is in it
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(struct {
		Result   Severity `json:"result"`
		Errors   int      `json:"errors"`
		Warnings int      `json:"warnings"`
		Took     float64  `json:"took_seconds"`
		Findings Findings `json:"findings"`
	}{r.Worst(), r.Of(Error), r.Of(Warning), float64(r.Took.Milliseconds()) / 1000, findings})
}
