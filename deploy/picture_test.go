package deploy_test

import (
	"cmp"
	"fmt"
	"html"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// pictured are the panels that docs/dashboard.md explains one by one, by the names of their files.
var pictured = map[string]string{
	"lag":       "Lag",
	"under-way": "The oldest record under way",
	"refused":   "Refused and sent again",
	"requests":  "Requests",
	"billed":    "Billed and delivered",
	"letters":   "Dead letters that wait",
}

// rowPictures are the pictures of whole rows, in the order of the page. A row of numbers shows one moment: the end of the
// trouble that is named, the time before all of them, or the end of the run.
var rowPictures = []struct{ file, row, moment string }{
	{"row-up", "Is it up and delivering now?", beforeTrouble},
	{"row-up-outage", "Is it up and delivering now?", firehoseIsDown},
	{"row-lost", "Did I lose anything?", ""},
	{"row-late", "How late am I?", ""},
	{"row-cost", "What does it cost?", ""},
	{"row-throttles", "Who throttles me?", ""},
	{"row-pipeline", "Pipeline", ""},
	{"row-kafka", "Kafka", ""},
	{"row-firehose", "Firehose", ""},
	{"row-dead-letters", "Dead letters and schemas", ""},
	{"row-process", "Process", ""},
}

// artist draws panels of the dashboard from the answers of a Prometheus to their queries.
type artist struct {
	t        *testing.T
	server   *server
	job      string // a pattern
	phases   []phase
	marks    []mark
	from, to time.Time
	now      time.Time // the moment of numbers and tables
}

// mark holds the times at which an annotation of the dashboard returned data.
type mark struct {
	color string
	times []float64
}

// drawAll writes the pictures into dir: single panels of the job bridge, and whole rows of all jobs.
func drawAll(t *testing.T, s *server, dir string, phases []phase, from, to time.Time) {
	t.Helper()
	d := readDashboard(t)
	single := map[string]panel{}
	for _, p := range d.Panels {
		if _, taken := single[p.Title]; p.Type == "timeseries" && !taken {
			single[p.Title] = p
		}
	}
	// The trouble of destinations lasts as long as all others together, and shows in one row.
	last := phases[len(phases)-1].from
	a := artist{t: t, server: s, job: "bridge", phases: phases, from: from, to: last, now: last}
	for file, title := range pictured {
		p, ok := single[title]
		if !ok {
			t.Errorf("there is no panel %q", title)
			continue
		}
		c := newCanvas(760, 300)
		a.drawGraph(c, p, box{0, 0, 760, 300})
		write(t, filepath.Join(dir, file+".svg"), c.finish())
	}
	a.job = ".+"
	for _, r := range rowPictures {
		of := a
		if r.row == "How late am I?" {
			of.to, of.now = to, to
		}
		for _, q := range d.Annotations.List {
			of.marks = append(of.marks, of.readMark(q))
		}
		write(t, filepath.Join(dir, r.file+".svg"), of.at(r.moment).drawRow(r.row, d.panelsOf(r.row)))
	}
}

// panelsOf returns the panels of a row.
func (d dashboard) panelsOf(row string) (panels []panel) {
	inside := false
	for _, p := range d.Panels {
		switch {
		case p.Type == "row":
			inside = p.Title == row
		case inside:
			panels = append(panels, p)
		}
	}
	return panels
}

// at returns the artist of numbers at a moment.
func (a artist) at(moment string) artist {
	if moment == beforeTrouble {
		a.now = a.phases[0].from
	}
	for _, p := range a.phases {
		if p.name == moment {
			a.now = p.to
		}
	}
	return a
}

func (a artist) readMark(q annotation) mark {
	a.t.Helper()
	m := mark{color: map[string]string{"red": "#d62728", "blue": "#1f77b4", "purple": "#9467bd", "orange": "#ff7f0e"}[q.IconColor]}
	lines, err := a.server.over(expand(q.Expr, a.job), a.from, a.to)
	if err != nil || m.color == "" {
		a.t.Errorf("the annotation %s of the color %s: %v", q.Name, q.IconColor, err)
	}
	for _, l := range lines {
		m.times = append(m.times, l.times...)
	}
	return m
}

const (
	columns               = 24 // of the dashboard's grid
	columnWidth, rowUnit  = 50, 32
	rowTitle, panelMargin = 34, 4
)

// drawRow draws a row with its panels where the dashboard has them.
func (a artist) drawRow(title string, panels []panel) string {
	a.t.Helper()
	first, last := 1<<30, 0
	for _, p := range panels {
		first, last = min(first, p.GridPos.Y), max(last, p.GridPos.Y+p.GridPos.H)
	}
	c := newCanvas(columns*columnWidth, rowTitle+(last-first)*rowUnit)
	fmt.Fprintf(c, `<rect width="%d" height="%d" fill="#f4f5f5"/><text x="8" y="22" font-size="16" font-weight="bold">%s</text>`+"\n", c.width, c.height, html.EscapeString(title))
	for _, p := range panels {
		b := box{
			float64(p.GridPos.X*columnWidth) + panelMargin, rowTitle + float64((p.GridPos.Y-first)*rowUnit),
			float64(p.GridPos.W*columnWidth) - 2*panelMargin, float64(p.GridPos.H*rowUnit) - 2*panelMargin,
		}
		fmt.Fprintf(c, "<g><desc>%s</desc>\n", html.EscapeString(p.outline()))
		switch p.Type {
		case "timeseries":
			a.drawGraph(c, p, b)
		case "stat":
			a.drawNumbers(c, p, b)
		case "table":
			a.drawTable(c, p, b)
		default:
			a.t.Errorf("%s: nothing draws a panel of the type %s", p.Title, p.Type)
		}
		fmt.Fprintln(c, "</g>")
	}
	return c.finish()
}

// outline returns the parts of a panel that its picture shows without data. A picture with another outline is an old one.
func (p panel) outline() string {
	parts := []string{p.Type, p.Title, p.FieldConfig.Defaults.Unit}
	for _, q := range p.Targets {
		parts = append(parts, q.LegendFormat)
	}
	return strings.Join(parts, " | ")
}

// legend puts the labels into Grafana's template. The address of an instance is of this run; its job is the name.
func (a artist) legend(format string, labels map[string]string) string {
	return regexp.MustCompile(`\{\{(\w+)\}\}`).ReplaceAllStringFunc(format, func(m string) string {
		value := labels[strings.Trim(m, "{}")]
		return cmp.Or(a.server.jobs[value], value)
	})
}

// TestDashboardPictures: every row of the dashboard has a picture, with each of its panels as the dashboard has it now, and
// docs/dashboard.md shows the picture.
func TestDashboardPictures(t *testing.T) {
	t.Parallel()
	d, page := readDashboard(t), read(t, "docs/dashboard.md")
	shown := map[string]bool{}
	for _, r := range rowPictures {
		shown[r.row] = true
		text := read(t, "docs/dashboard/"+r.file+".svg")
		var want []string
		for _, p := range d.panelsOf(r.row) {
			want = append(want, p.outline())
		}
		var got []string
		for _, m := range all(`<desc>(.*)</desc>`, text) {
			got = append(got, html.UnescapeString(m))
		}
		if strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("%s.svg has the panels\n%s\nwant\n%s\nmake dashboard-pictures draws them again, in ten minutes", r.file, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		if n := strings.Count(text, `stroke-width="1.3"`); n == 0 && strings.Contains(text, "<desc>timeseries") {
			t.Errorf("%s.svg has graphs without a line", r.file)
		}
		if !strings.Contains(page, "(dashboard/"+r.file+".svg)") {
			t.Errorf("docs/dashboard.md does not show %s.svg", r.file)
		}
	}
	for _, p := range d.Panels {
		if p.Type == "row" && !shown[p.Title] {
			t.Errorf("the row %q has no picture", p.Title)
		}
	}
	for file := range pictured {
		if !strings.Contains(page, "(dashboard/"+file+".svg)") {
			t.Errorf("docs/dashboard.md does not show %s.svg", file)
		}
	}
}
