package deploy_test

import (
	"fmt"
	"html"
	"math"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// pictured are the panels of docs/dashboard.md, by the names of their files.
var pictured = map[string]string{
	"lag":       "Lag",
	"under-way": "The oldest record under way",
	"refused":   "Refused and sent again",
	"requests":  "Requests",
	"billed":    "Billed and delivered",
	"letters":   "Dead letters that wait",
}

// drawAll draws panels of the dashboard from what their queries have returned of the bridge.
func drawAll(t *testing.T, s *server, dir string, phases []phase, from, to time.Time) {
	t.Helper()
	panels := map[string]panel{}
	for _, p := range readDashboard(t).Panels {
		if p.Type != "row" && len(p.Targets) > 0 {
			if _, taken := panels[p.Title]; !taken {
				panels[p.Title] = p
			}
		}
	}
	for file, title := range pictured {
		p, ok := panels[title]
		if !ok {
			t.Errorf("there is no panel %q", title)
			continue
		}
		c := chart{title: p.Title, unit: p.FieldConfig.Defaults.Unit, phases: phases, from: from, to: to}
		for _, q := range p.Targets {
			lines, err := s.over(expand(q.Expr, "bridge"), from, to)
			if err != nil {
				t.Errorf("%s: %v", title, err)
			}
			for _, l := range lines {
				c.add(legend(q.LegendFormat, l.labels), l)
			}
		}
		write(t, filepath.Join(dir, file+".svg"), c.svg())
	}
}

// legend puts the labels into Grafana's template. The port of an instance is of this run.
func legend(format string, labels map[string]string) string {
	return regexp.MustCompile(`\{\{(\w+)\}\}`).ReplaceAllStringFunc(format, func(m string) string {
		value := labels[strings.Trim(m, "{}")]
		if strings.HasPrefix(value, "127.0.0.1:") {
			return "bridge"
		}
		return value
	})
}

// chart is a panel, drawn.
type chart struct {
	title, unit string
	names       []string
	lines       []series
	phases      []phase
	from, to    time.Time
}

// add leaves out what is 0 all the time.
func (c *chart) add(name string, l series) {
	for _, v := range l.values {
		if v != 0 && !math.IsNaN(v) {
			c.names, c.lines = append(c.names, name), append(c.lines, l)
			return
		}
	}
}

const (
	width, height            = 760, 300
	left, top, right, bottom = 62, 46, 12, 62
	plotWidth, plotHeight    = width - left - right, height - top - bottom
	textColor, gridColor     = "#444", "#ddd"
	bandColor, bandTextColor = "#f2e9e4", "#9a6a4f"
)

var colors = []string{"#1f77b4", "#d62728", "#2ca02c", "#ff7f0e", "#9467bd", "#8c564b", "#17becf", "#7f7f7f"}

func (c *chart) svg() string {
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="11" fill="%s">`+"\n", width, height, textColor)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="#fff"/><text x="8" y="16" font-size="13" font-weight="bold">%s</text>`+"\n", width, height, html.EscapeString(c.title))
	for i, p := range c.phases {
		x, end := c.x(float64(p.from.UnixMilli())/1000), c.x(float64(p.to.UnixMilli())/1000)
		fmt.Fprintf(&b, `<rect x="%.0f" y="%d" width="%.0f" height="%d" fill="%s"/>`, x, top, max(end-x, 2), plotHeight, bandColor)
		fmt.Fprintf(&b, `<path d="M%.0f %dv%d" stroke="%s" stroke-width="0.5"/>`, x, top, plotHeight, bandTextColor)
		fmt.Fprintf(&b, `<text x="%.0f" y="%d" font-size="9" fill="%s">%d</text>`+"\n", x, top-3, bandTextColor, i+1)
	}
	most, step := c.scale()
	for v := 0.0; v <= most*1.0001; v += step {
		y := top + plotHeight*(1-v/most)
		fmt.Fprintf(&b, `<path d="M%d %.1fh%d" stroke="%s"/><text x="%d" y="%.1f" text-anchor="end">%s</text>`+"\n", left, y, plotWidth, gridColor, left-5, y+4, html.EscapeString(amount(v, c.unit)))
	}
	for s := 0; s <= int(c.to.Sub(c.from).Seconds()); s += 30 {
		fmt.Fprintf(&b, `<text x="%.0f" y="%d" text-anchor="middle">%d:%02d</text>`, c.x(float64(c.from.Unix()+int64(s))), top+plotHeight+15, s/60, s%60)
	}
	b.WriteByte('\n')
	x := 8.0
	y := top + plotHeight + 34
	for i, l := range c.lines {
		color := colors[i%len(colors)]
		fmt.Fprintf(&b, `<path d="%s" fill="none" stroke="%s" stroke-width="1.5"/>`+"\n", c.path(l, most), color)
		if x+20+6.2*float64(len(c.names[i])) > width {
			x, y = 8, y+15
		}
		fmt.Fprintf(&b, `<rect x="%.0f" y="%d" width="10" height="3" fill="%s"/><text x="%.0f" y="%d">%s</text>`+"\n", x, y-5, color, x+14, y, html.EscapeString(c.names[i]))
		x += 30 + 6.2*float64(len(c.names[i]))
	}
	b.WriteString("</svg>\n")
	return b.String()
}

func (c *chart) x(at float64) float64 {
	begin := float64(c.from.UnixMilli()) / 1000
	return left + plotWidth*(at-begin)/c.to.Sub(c.from).Seconds()
}

// path is a line, interrupted where there is no number.
func (c *chart) path(l series, most float64) string {
	var b strings.Builder
	pen := "M"
	before := 0.0
	for i, v := range l.values {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			pen = "M"
			continue
		}
		if l.times[i]-before > 1.5 {
			pen = "M"
		}
		before = l.times[i]
		fmt.Fprintf(&b, "%s%.1f %.1f", pen, c.x(l.times[i]), top+plotHeight*(1-v/most))
		pen = "L"
	}
	return b.String()
}

// scale is the end of the axis, and the distance of its marks: 1, 2 or 5 times a power of ten.
func (c *chart) scale() (most, step float64) {
	for _, l := range c.lines {
		for _, v := range l.values {
			if !math.IsNaN(v) && !math.IsInf(v, 0) {
				most = max(most, v)
			}
		}
	}
	if most == 0 {
		most = 1
	}
	power := math.Pow(10, math.Floor(math.Log10(most/4)))
	step = 10 * power
	for _, m := range []float64{1, 2, 5} {
		if m*power*5 >= most {
			step = m * power
			break
		}
	}
	return math.Ceil(most/step) * step, step
}

// amount is a number of the axis with its unit.
func amount(v float64, unit string) string {
	text := func(v float64, suffix string) string {
		return strconv.FormatFloat(math.Round(v*1e6)/1e6, 'f', -1, 64) + suffix
	}
	suffix := map[string]string{"s": " s", "Bps": "B/s", "bytes": "B", "cps": "/s", "reqps": "/s"}[unit]
	switch {
	case unit == "percentunit":
		return text(v*100, " %")
	case v >= 1e6:
		return text(v/1e6, " M"+strings.TrimSpace(suffix))
	case v >= 1e4 || v >= 1e3 && strings.HasPrefix(suffix, "B"):
		return text(v/1e3, " k"+strings.TrimSpace(suffix))
	}
	return text(v, suffix)
}
