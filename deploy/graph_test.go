package deploy_test

import (
	"fmt"
	"html"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// canvas is an SVG picture that is being drawn.
type canvas struct {
	strings.Builder
	width, height int
}

const (
	textColor, gridColor     = "#444", "#e4e4e4"
	bandColor, bandTextColor = "#f2e9e4", "#9a6a4f"
)

var lineColors = []string{"#1f77b4", "#d62728", "#2ca02c", "#ff7f0e", "#9467bd", "#8c564b", "#17becf", "#7f7f7f", "#bcbd22", "#e377c2"}

func newCanvas(width, height int) *canvas {
	c := &canvas{width: width, height: height}
	fmt.Fprintf(c, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="11" fill="%s">`+"\n", width, height, textColor)
	return c
}

func (c *canvas) finish() string {
	c.WriteString("</svg>\n")
	return c.String()
}

// box is a part of a canvas.
type box struct{ x, y, w, h float64 }

// drawFrame draws the border and the title of a panel.
func (c *canvas) drawFrame(b box, title string) {
	fmt.Fprintf(c, `<rect x="%g" y="%g" width="%g" height="%g" fill="#fff" stroke="#d8d9da"/><text x="%g" y="%g" font-size="13" font-weight="bold">%s</text>`+"\n",
		b.x+.5, b.y+.5, b.w-1, b.h-1, b.x+8, b.y+18, html.EscapeString(title))
}

// graph is a panel with lines over time.
type graph struct {
	artist
	panel panel
	plot  box
	lines []line
	axes  [2]axis // left and right
}

// line is a series of a graph.
type line struct {
	series
	name  string
	right bool // its axis is the right one
}

// axis is a scale from 0 to high, with a mark every step.
type axis struct {
	unit       string
	high, step float64
	used       bool
}

// drawGraph draws a panel with lines. Lines that are 0 all the time are left out.
func (a artist) drawGraph(c *canvas, p panel, b box) {
	a.t.Helper()
	g := &graph{artist: a, panel: p}
	for _, q := range p.Targets {
		answers, err := a.server.over(expand(q.Expr, a.job), a.from, a.to)
		if err != nil {
			a.t.Errorf("%s: %v", p.Title, err)
		}
		slices.SortFunc(answers, func(x, y series) int {
			return strings.Compare(a.legend(q.LegendFormat, x.labels), a.legend(q.LegendFormat, y.labels))
		})
		for _, l := range answers {
			g.add(a.legend(q.LegendFormat, l.labels), l)
		}
	}
	if p.FieldConfig.Defaults.Custom.Stacking.Mode == "normal" {
		g.stack()
	}
	g.scale()
	c.drawFrame(b, p.Title)
	rows := g.drawLegend(c, b)
	margin := 12.0
	if g.axes[1].used {
		margin = 62
	}
	g.plot = box{b.x + 62, b.y + 40, b.w - 62 - margin, b.h - 40 - 34 - 15*float64(rows)}
	g.drawBackground(c)
	g.drawLines(c)
}

func (g *graph) add(name string, s series) {
	if !slices.ContainsFunc(s.values, func(v float64) bool { return v != 0 && !math.IsNaN(v) && !math.IsInf(v, 0) }) {
		return
	}
	l := line{series: s, name: name}
	for _, o := range g.panel.FieldConfig.Overrides {
		matches := o.Matcher.ID == "byName" && name == o.Matcher.Options ||
			o.Matcher.ID == "byRegexp" && regexp.MustCompile("^"+strings.Trim(o.Matcher.Options, "/")+"$").MatchString(name)
		for _, property := range o.Properties {
			switch {
			case matches && property.ID == "custom.axisPlacement" && property.Value == "right":
				l.right = true
			case matches && property.ID == "unit":
				g.axes[1].unit, _ = property.Value.(string)
			}
		}
	}
	g.lines = append(g.lines, l)
}

// stack puts each line on top of the ones before.
func (g *graph) stack() {
	sums := map[float64]float64{}
	for _, l := range g.lines {
		for i, at := range l.times {
			if !math.IsNaN(l.values[i]) {
				sums[at] += l.values[i]
				l.values[i] = sums[at]
			}
		}
	}
}

// scale chooses the axes: marks are 1, 2 or 5 times a power of ten.
func (g *graph) scale() {
	d := g.panel.FieldConfig.Defaults
	g.axes[0].unit = d.Unit
	for _, l := range g.lines {
		a := &g.axes[0]
		if l.right {
			a = &g.axes[1]
		}
		a.used = true
		for _, v := range l.values {
			if !math.IsNaN(v) && !math.IsInf(v, 0) {
				a.high = max(a.high, v)
			}
		}
	}
	if d.Max != nil {
		g.axes[0].high = *d.Max
	}
	for i := range g.axes {
		a := &g.axes[i]
		if a.high == 0 {
			a.high = 1
		}
		unit := 1.0
		switch {
		case a.unit == "s" && a.high >= 2*3600:
			unit = 3600
		case a.unit == "s" && a.high >= 3*60:
			unit = 60
		}
		power := unit * math.Pow(10, math.Floor(math.Log10(a.high/unit/4)))
		a.step = 10 * power
		for _, m := range []float64{1, 2, 5} {
			if m*power*5 >= a.high {
				a.step = m * power
				break
			}
		}
		a.high = math.Ceil(a.high/a.step-1e-9) * a.step
	}
}

// drawLegend writes the names of the lines at the bottom, and returns the number of its rows.
func (g *graph) drawLegend(c *canvas, b box) (rows int) {
	type entry struct {
		x   float64
		row int
	}
	var places []entry
	x := b.x + 8
	for _, l := range g.lines {
		w := 26 + 5.9*float64(len(l.name))
		if x+w > b.x+b.w && x > b.x+8 {
			x = b.x + 8
			rows++
		}
		places = append(places, entry{x, rows})
		x += w
	}
	for i, p := range places {
		y := b.y + b.h - 10 - 15*float64(rows-p.row)
		fmt.Fprintf(c, `<rect x="%.0f" y="%.0f" width="10" height="3" fill="%s"/><text x="%.0f" y="%.0f">%s</text>`, p.x, y-5, lineColor(i), p.x+14, y, html.EscapeString(g.lines[i].name))
	}
	c.WriteByte('\n')
	return rows + 1
}

func lineColor(i int) string { return lineColors[i%len(lineColors)] }

// drawBackground draws the times of trouble with their numbers, the axes, and the marks of the annotations.
func (g *graph) drawBackground(c *canvas) {
	p := g.plot
	free := p.x // where the next number may stand
	for i, phase := range g.phases {
		if !phase.from.Before(g.to) {
			break
		}
		x, end := g.x(float64(phase.from.UnixMilli())/1000), g.x(float64(phase.to.UnixMilli())/1000)
		fmt.Fprintf(c, `<rect x="%.0f" y="%.0f" width="%.0f" height="%.0f" fill="%s"/>`, x, p.y, max(end-x, 2), p.h, bandColor)
		fmt.Fprintf(c, `<path d="M%.0f %.0fv%.0f" stroke="%s" stroke-width="0.5"/>`, x, p.y, p.h, bandTextColor)
		fmt.Fprintf(c, `<text x="%.0f" y="%.0f" font-size="9" fill="%s">%d</text>`+"\n", max(x, free), p.y-3, bandTextColor, i+1)
		free = max(x, free) + 6
	}
	left := &g.axes[0]
	for v := 0.0; v <= left.high*1.0001; v += left.step {
		y := g.y(v, left)
		fmt.Fprintf(c, `<path d="M%.0f %.1fh%.0f" stroke="%s"/><text x="%.0f" y="%.1f" text-anchor="end">%s</text>`, p.x, y, p.w, gridColor, p.x-5, y+4, html.EscapeString(left.amount(v)))
	}
	if right := &g.axes[1]; right.used {
		for v := 0.0; v <= right.high*1.0001; v += right.step {
			fmt.Fprintf(c, `<text x="%.0f" y="%.1f">%s</text>`, p.x+p.w+5, g.y(v, right)+4, html.EscapeString(right.amount(v)))
		}
	}
	total := g.to.Sub(g.from).Seconds()
	every := 30
	for float64(every)*p.w/total < 40 {
		every *= 2
	}
	for s := 0; s <= int(total); s += every {
		fmt.Fprintf(c, `<text x="%.0f" y="%.0f" text-anchor="middle">%d:%02d</text>`, g.x(float64(g.from.Unix()+int64(s))), p.y+p.h+21, s/60, s%60)
	}
	c.WriteByte('\n')
	for i, m := range g.marks {
		g.drawMark(c, m, p.y+p.h+1+2.5*float64(i))
	}
	if d := g.panel.FieldConfig.Defaults; d.Custom.ThresholdsStyle.Mode == "line" {
		for _, s := range d.Thresholds.Steps {
			if s.Value != nil {
				fmt.Fprintf(c, `<path d="M%.0f %.1fh%.0f" stroke="%s" stroke-dasharray="6 4"/>`+"\n", p.x, g.y(*s.Value, left), p.w, thresholdColors[s.Color])
			}
		}
	}
}

// drawMark draws the times of an annotation as bars under the plot.
func (g *graph) drawMark(c *canvas, m mark, y float64) {
	var path strings.Builder
	times := slices.Compact(slices.Sorted(slices.Values(m.times)))
	for i := 0; i < len(times); {
		end := i
		for end+1 < len(times) && times[end+1]-times[end] < 1.5 {
			end++
		}
		x := g.x(times[i])
		fmt.Fprintf(&path, "M%.0f %.1fh%.0f", x, y, max(g.x(times[end])-x, 2))
		i = end + 1
	}
	if path.Len() > 0 {
		fmt.Fprintf(c, `<path d="%s" stroke="%s" stroke-width="2"/>`+"\n", path.String(), m.color)
	}
}

func (g *graph) drawLines(c *canvas) {
	for i, l := range g.lines {
		a := &g.axes[0]
		if l.right {
			a = &g.axes[1]
		}
		for _, stretch := range g.stretches(l, a) {
			if g.panel.FieldConfig.Defaults.Custom.Stacking.Mode == "normal" {
				base := g.plot.y + g.plot.h
				area := append(slices.Clone(stretch), point{stretch[len(stretch)-1].x, base}, point{stretch[0].x, base})
				fmt.Fprintf(c, `<path d="%sz" fill="%s" fill-opacity="0.15"/>`+"\n", svgPath(area), lineColor(i))
			}
			fmt.Fprintf(c, `<path d="%s" fill="none" stroke="%s" stroke-width="1.3"/>`+"\n", svgPath(stretch), lineColor(i))
		}
	}
}

type point struct{ x, y float64 }

// stretches are the parts of a line that have numbers.
func (g *graph) stretches(l line, a *axis) (all [][]point) {
	before := math.Inf(-1)
	for i, v := range l.values {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			continue
		}
		if l.times[i]-before > 1.5 {
			all = append(all, nil)
		}
		before = l.times[i]
		last := &all[len(all)-1]
		*last = append(*last, point{g.x(l.times[i]), g.y(v, a)})
	}
	return all
}

// svgPath returns a line in the language of SVG, in tenths of a pixel, without the points in the middle of a level part.
func svgPath(points []point) string {
	tenth := func(v float64) int { return int(math.Round(v * 10)) }
	var b strings.Builder
	write := func(n int) {
		text := strconv.FormatFloat(math.Abs(float64(n))/10, 'f', -1, 64)
		if text = strings.TrimPrefix(text, "0"); text == "" {
			text = "0"
		}
		if n < 0 {
			text = "-" + text
		} else if b.Len() > 0 && b.String()[b.Len()-1] != 'l' {
			text = " " + text
		}
		b.WriteString(text)
	}
	x, y := tenth(points[0].x), tenth(points[0].y)
	fmt.Fprintf(&b, "M%g %g", float64(x)/10, float64(y)/10)
	for i, p := range points[1:] {
		nextX, nextY := tenth(p.x), tenth(p.y)
		if nextY == y && i+2 < len(points) && tenth(points[i+2].y) == y {
			continue
		}
		b.WriteByte('l')
		write(nextX - x)
		write(nextY - y)
		x, y = nextX, nextY
	}
	return b.String()
}

func (g *graph) x(at float64) float64 {
	begin := float64(g.from.UnixMilli()) / 1000
	return g.plot.x + g.plot.w*(at-begin)/g.to.Sub(g.from).Seconds()
}

// y returns the height of a value. A value outside of the axis lies on its end, as nothing may be drawn over the title.
func (g *graph) y(v float64, a *axis) float64 {
	return g.plot.y + g.plot.h*(1-min(max(v/a.high, 0), 1))
}

// amount is a number of the axis with its unit.
func (a *axis) amount(v float64) string {
	text := func(v float64, suffix string) string {
		return strconv.FormatFloat(math.Round(v*1e6)/1e6, 'f', -1, 64) + suffix
	}
	suffix := map[string]string{"s": " s", "Bps": " B/s", "bytes": " B", "cps": "/s", "reqps": "/s"}[a.unit]
	switch {
	case a.unit == "s" && a.high >= 2*3600:
		return text(v/3600, " h")
	case a.unit == "s" && a.high >= 3*60:
		return text(v/60, " min")
	case a.unit == "percentunit":
		return text(v*100, " %")
	case v >= 1e6:
		return text(v/1e6, " M"+strings.TrimSpace(suffix))
	case v >= 1e4 || v >= 1e3 && strings.HasPrefix(suffix, " B"):
		return text(v/1e3, " k"+strings.TrimSpace(suffix))
	}
	return text(v, suffix)
}
