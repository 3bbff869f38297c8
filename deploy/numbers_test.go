package deploy_test

import (
	"fmt"
	"html"
	"math"
	"slices"
	"strconv"
	"strings"
)

// thresholdColors are Grafana's names of colors.
var thresholdColors = map[string]string{"green": "#3d8f4f", "orange": "#e0752d", "red": "#c4333f"}

// number is a value of a panel at one moment.
type number struct {
	name  string
	value float64
	none  bool // there is no value
}

// drawNumbers draws a panel of numbers, each in the color of its threshold.
func (a artist) drawNumbers(c *canvas, p panel, b box) {
	a.t.Helper()
	var numbers []number
	for _, q := range p.Targets {
		for _, l := range a.ask(p, q) {
			numbers = append(numbers, number{name: a.legend(q.LegendFormat, l.labels), value: l.values[len(l.values)-1]})
		}
	}
	if len(numbers) == 0 {
		numbers = []number{{none: true}}
	}
	c.drawFrame(b, p.Title)
	inner := box{b.x + 4, b.y + 26, b.w - 8, b.h - 30}
	longest := 0
	for _, n := range numbers {
		longest = max(longest, len(n.name))
	}
	if inner.w/float64(len(numbers)) < 6*float64(longest) && inner.h/float64(len(numbers)) < 40 {
		for i, n := range numbers {
			drawFlatNumber(c, p, n, box{inner.x, inner.y + inner.h*float64(i)/float64(len(numbers)), inner.w, inner.h / float64(len(numbers))})
		}
		return
	}
	for i, n := range numbers {
		part := box{inner.x, inner.y + inner.h*float64(i)/float64(len(numbers)), inner.w, inner.h / float64(len(numbers))}
		if inner.w > 1.6*inner.h {
			part = box{inner.x + inner.w*float64(i)/float64(len(numbers)), inner.y, inner.w / float64(len(numbers)), inner.h}
		}
		drawNumber(c, p, n, part)
	}
}

// ask returns the answers of an instant query, sorted by their legend.
func (a artist) ask(p panel, q target) []series {
	a.t.Helper()
	lines, err := a.server.over(expand(q.Expr, a.job), a.now, a.now)
	if err != nil {
		a.t.Errorf("%s: %v", p.Title, err)
	}
	slices.SortFunc(lines, func(x, y series) int {
		return strings.Compare(a.legend(q.LegendFormat, x.labels), a.legend(q.LegendFormat, y.labels))
	})
	return lines
}

// look returns the text of a number and the color of its threshold.
func (n number) look(p panel) (value, color string) {
	d := p.FieldConfig.Defaults
	value = d.NoValue
	if !n.none {
		value = formatNumber(n.value, d.Unit, d.Decimals)
	}
	for _, s := range d.Thresholds.Steps {
		if s.Value == nil || !n.none && n.value >= *s.Value {
			color = thresholdColors[s.Color]
		}
	}
	return value, color
}

// drawFlatNumber draws the name and the value side by side.
func drawFlatNumber(c *canvas, p panel, n number, b box) {
	value, color := n.look(p)
	size := min(12, b.h*0.75)
	fmt.Fprintf(c, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="%s" stroke="#fff"/>`, b.x, b.y, b.w, b.h, color)
	fmt.Fprintf(c, `<text x="%.1f" y="%.1f" font-size="%.1f" fill="#fff">%s</text>`, b.x+10, b.y+b.h/2+size*0.35, size, html.EscapeString(n.name))
	fmt.Fprintf(c, `<text x="%.1f" y="%.1f" font-size="%.1f" font-weight="bold" fill="#fff" text-anchor="end">%s</text>`+"\n", b.x+b.w-10, b.y+b.h/2+size*0.35, size, html.EscapeString(value))
}

// drawNumber draws the name above the value.
func drawNumber(c *canvas, p panel, n number, b box) {
	value, color := n.look(p)
	size := min(b.h*0.45, 34, (b.w-12)/(0.56*float64(max(len(value), 2))))
	middle := b.y + b.h/2 + size*0.35
	fmt.Fprintf(c, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="%s" stroke="#fff"/>`, b.x, b.y, b.w, b.h, color)
	if p.Options.TextMode == "value_and_name" && n.name != "" {
		name := min(13, (b.w-8)/(0.56*float64(len(n.name))))
		fmt.Fprintf(c, `<text x="%.1f" y="%.1f" font-size="%.1f" fill="#fff" text-anchor="middle">%s</text>`, b.x+b.w/2, b.y+min(18, b.h*0.28), name, html.EscapeString(n.name))
		middle += min(8, b.h*0.12)
	}
	fmt.Fprintf(c, `<text x="%.1f" y="%.1f" font-size="%.1f" font-weight="bold" fill="#fff" text-anchor="middle">%s</text>`+"\n", b.x+b.w/2, middle, size, html.EscapeString(value))
}

// formatNumber returns a value with its unit, by default with three digits, as Grafana does.
func formatNumber(v float64, unit string, decimals *int) string {
	suffix := map[string]string{"s": " s", "cps": " c/s", "decgbytes": " GB"}[unit]
	switch {
	case unit == "s" && v >= 60:
		v, suffix = v/60, " mins"
	case unit == "decgbytes" && v >= 1000:
		v, suffix = v/1000, " TB"
	case unit != "s" && unit != "decgbytes" && v >= 1000:
		v, suffix = v/1000, " K"+strings.TrimSpace(suffix)
	}
	digits := max(0, 2-int(math.Floor(math.Log10(max(math.Abs(v), 1e-9)))))
	if decimals != nil && v < 1000 {
		digits = *decimals
	}
	text := strconv.FormatFloat(v, 'f', min(digits, 3), 64)
	if strings.Contains(text, ".") {
		text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	}
	return text + suffix
}

// drawTable draws a panel with a row for each answer: the alerts that fire.
func (a artist) drawTable(c *canvas, p panel, b box) {
	a.t.Helper()
	c.drawFrame(b, p.Title)
	lines := a.ask(p, p.Targets[0])
	y := b.y + 44
	fmt.Fprintf(c, `<text x="%.0f" y="%.0f" font-weight="bold">Alert</text><text x="%.0f" y="%.0f" font-weight="bold">severity</text>`+"\n", b.x+8, y, b.x+b.w-70, y)
	if len(lines) == 0 {
		fmt.Fprintf(c, `<text x="%.0f" y="%.0f">%s</text>`+"\n", b.x+8, y+24, html.EscapeString(p.FieldConfig.Defaults.NoValue))
	}
	for i, l := range lines {
		at := y + 22*float64(i+1)
		if at > b.y+b.h-6 {
			break
		}
		fmt.Fprintf(c, `<path d="M%.0f %.0fh%.0f" stroke="%s"/><text x="%.0f" y="%.0f" fill="#1f60c4">%s</text><text x="%.0f" y="%.0f">%s</text>`+"\n",
			b.x+8, at-15, b.w-16, gridColor, b.x+8, at, html.EscapeString(l.labels["alertname"]), b.x+b.w-70, at, html.EscapeString(l.labels["severity"]))
	}
}
