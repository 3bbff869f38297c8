package status

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"
)

// shownPartitions is how many partitions the page lists, those with the largest lag first. The JSON has all.
const shownPartitions = 100

var (
	//go:embed page.html
	pageText string
	//go:embed page.css
	pageStyle string
	page      = template.Must(template.New("page").Funcs(template.FuncMap{
		"why": Partition.why, "lines": (*Runtime).lines,
		"ago": formatAgo, "left": left, "ended": ended, "bytes": FormatBytes, "number": numberText, "percent": formatPercent, "seconds": secondsText, "line": drawSparkline,
		"style": func() template.CSS { return template.CSS(pageStyle) }, //nolint:gosec // it is a file of this package
	}).Parse(pageText))
	// policy lets the page show itself and nothing else: no script, no other host, no frame.
	policy = fmt.Sprintf("default-src 'none'; style-src 'sha256-%s'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'", styleHash())
)

func styleHash() string {
	sum := sha256.Sum256([]byte(pageStyle))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// PageHandler serves the snapshot that take returns: the page at /, and JSON at /status. Every other path is next's.
func PageHandler(take func() Snapshot, next http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", next)
	slots := make(chan struct{}, maxAnswers)
	limited := func(answer http.HandlerFunc) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			select {
			case slots <- struct{}{}:
				defer func() { <-slots }()
				answer(w, r)
			default:
				http.Error(w, fmt.Sprintf("%d answers are under way already", maxAnswers), http.StatusServiceUnavailable)
			}
		}
	}
	mux.HandleFunc("GET /status", limited(func(w http.ResponseWriter, _ *http.Request) {
		setHeaders(w.Header(), "application/json")
		_ = json.NewEncoder(w).Encode(take())
	}))
	mux.HandleFunc("GET /{$}", limited(func(w http.ResponseWriter, _ *http.Request) {
		setHeaders(w.Header(), "text/html; charset=utf-8")
		_ = page.Execute(w, pageViewOf(take()))
	}))
	return mux
}

// maxAnswers is how many answers are under way at a time. Each is in memory until its client has it, about 200 bytes for a
// partition and 20 KiB for a stream.
const maxAnswers = 4

func setHeaders(h http.Header, contentType string) {
	h.Set("Content-Type", contentType)
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
}

// pageView is a snapshot as the page shows it.
type pageView struct {
	Snapshot
	Lag    int64 // of all partitions
	Owned  int   // partitions
	Hidden int   // of them, those that are not listed
}

func pageViewOf(s Snapshot) pageView {
	v := pageView{Snapshot: s, Owned: len(s.Partitions)}
	for _, p := range s.Partitions {
		v.Lag += p.Lag
	}
	v.Partitions = slices.Clone(s.Partitions)
	slices.SortStableFunc(v.Partitions, func(a, b Partition) int { return int(min(max(b.Lag-a.Lag, -1), 1)) })
	v.Hidden = max(len(v.Partitions)-shownPartitions, 0)
	v.Partitions = v.Partitions[:len(v.Partitions)-v.Hidden]
	return v
}

// formatAgo is how long before now something was.
func formatAgo(now, at time.Time) string {
	if at.IsZero() {
		return "never"
	}
	return now.Sub(at).Round(time.Second).String() + " ago"
}

// left is how long credentials that end then are valid.
func left(now, end time.Time) string {
	if ended(now, end) {
		return "ended " + formatAgo(now, end)
	}
	return "in " + end.Sub(now).Round(time.Second).String()
}

// ended reports whether credentials with an end are not valid any more.
func ended(now, end time.Time) bool { return !end.IsZero() && !now.Before(end) }

// FormatBytes prints bytes, or bytes a second, as people read them.
func FormatBytes(n any) string {
	v := toFloat(n)
	for _, unit := range []string{"B", "KiB", "MiB", "GiB"} {
		if math.Abs(v) < 1024 {
			return strings.TrimSuffix(fmt.Sprintf("%.1f", v), ".0") + " " + unit
		}
		v /= 1024
	}
	return fmt.Sprintf("%.1f TiB", v)
}

// numberText groups the digits of a whole number.
func numberText(n any) string {
	v := toFloat(n)
	digits := fmt.Sprintf("%.0f", math.Abs(v))
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "\u202f" + digits[i:] // a narrow space that breaks no line
	}
	if v < 0 {
		return "−" + digits
	}
	return digits
}

// toFloat takes the kinds of numbers that a snapshot has.
func toFloat(n any) float64 {
	switch n := n.(type) {
	case int:
		return float64(n)
	case int64:
		return float64(n)
	case float64:
		return n
	}
	return math.NaN()
}

// secondsText prints seconds as a duration.
func secondsText(n float64) string {
	return (time.Duration(n) * time.Second).String()
}

func formatPercent(share float64) string { return fmt.Sprintf("%.1f %%", 100*share) }

// linePicture has the lines in a box of 240 by 40, as paths of an SVG; a path is empty if there is nothing to draw.
type linePicture struct {
	Path  string  // the mean
	Peaks string  // the highest second
	Quota float64 // the height at which the quota is, -1 without one
}

const lineWidth, lineHeight = 240.0, 40.0

// drawSparkline draws the accepted bytes a second, their mean and the highest second, on the scale of the quota or of the
// highest of them.
func drawSparkline(s Stream) (line linePicture) {
	line.Quota = -1
	means := make([]float64, 0, len(s.History))
	for _, p := range s.History {
		means = append(means, p.AcceptedBytes)
	}
	top := max(s.QuotaBytes, slices.Max(append(means, 0)), slices.Max(append(s.PeakBytes, 0)))
	if top == 0 || len(means) < 2 {
		return line
	}
	if s.QuotaBytes > 0 {
		line.Quota = lineHeight - lineHeight*s.QuotaBytes/top
	}
	line.Path, line.Peaks = svgPath(means, top), svgPath(s.PeakBytes, top)
	return line
}

// svgPath draws values of the last ten minutes; the newest is at the right edge.
func svgPath(values []float64, top float64) string {
	const points = historySeconds / pointSeconds
	var path strings.Builder
	for i, v := range values {
		command := "L"
		if i == 0 {
			command = "M"
		}
		fmt.Fprintf(&path, "%s%.1f %.1f", command, lineWidth*float64(points-len(values)+i)/(points-1), lineHeight-lineHeight*v/top)
	}
	return path.String()
}
