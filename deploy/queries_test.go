package deploy_test

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// query is one that somebody is told to ask.
type query struct{ where, expr string }

// queriesOf are all of the dashboard, the README and METRICS.md.
func queriesOf(t *testing.T) (all []query) {
	t.Helper()
	for _, p := range readDashboard(t).Panels {
		for _, q := range p.Targets {
			all = append(all, query{"dashboard.json, " + p.Title, q.Expr})
		}
	}
	ofDashboard := len(all)
	_, watch, _ := strings.Cut(read(t, "../README.md"), "\n## Watch it\n")
	watch, _, _ = strings.Cut(watch, "\n## ")
	for row := range strings.Lines(watch) {
		cells := strings.SplitN(row, "|", 4)
		if len(cells) < 4 {
			continue
		}
		for _, span := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(cells[2], -1) {
			if strings.Contains(span[1], "kafka_firehose_") {
				all = append(all, query{"README.md," + cells[1], span[1]})
			}
		}
	}
	ofReadme := len(all)
	// Those of METRICS.md are the paragraphs that are indented.
	for paragraph := range strings.SplitSeq(read(t, "../METRICS.md"), "\n\n") {
		if strings.HasPrefix(paragraph, "    ") {
			all = append(all, query{"METRICS.md", paragraph})
		}
	}
	if ofDashboard < 50 || ofReadme-ofDashboard < 15 || len(all)-ofReadme < 10 {
		t.Fatalf("found %d queries in dashboard.json, %d in README.md, %d in METRICS.md; there are more", ofDashboard, ofReadme-ofDashboard, len(all)-ofReadme)
	}
	return all
}

// expand puts values into the place of Grafana's variables.
func expand(expr, job string) string {
	return strings.NewReplacer("$namespace", ".+", "$job", job, "$instance", ".+", "$stream", ".+",
		"$__rate_interval", "5s", "$__range", "10m").Replace(expr)
}

// hastened are the rules of alerts.yaml in a world in which a minute is a second. The
// expressions stay what they are, but for the times in them.
func hastened(t *testing.T) string {
	t.Helper()
	rules := regexp.MustCompile(`\b(\d+)([mhd])\b`).ReplaceAllStringFunc(read(t, "alerts.yaml"), func(span string) string {
		n, err := strconv.Atoi(span[:len(span)-1])
		if err != nil {
			t.Fatal(err)
		}
		unit := map[byte]time.Duration{'m': time.Second, 'h': time.Minute, 'd': 24 * time.Minute}[span[len(span)-1]]
		return fmt.Sprintf("%ds", int((time.Duration(n) * unit).Seconds()))
	})
	// Thresholds that are seconds.
	for _, c := range []struct{ alert, from, to string }{
		{"NoProgress", "> 300", "> 5"},
		{"Late", "> 300", "> 5"},
		{"DeliveryDelay", "> 300", "> 5"},
		{"LagGrowing", "> 900", "> 15"},
		{"DeadLettersPending", "> 60", "> 1"},
	} {
		before, rule, found := strings.Cut(rules, "- alert: KafkaFirehose"+c.alert+"\n")
		expr, rest, hasFor := strings.Cut(rule, "\n        for: ")
		if !found || !hasFor || !strings.HasSuffix(expr, c.from) {
			t.Fatalf("the expression of KafkaFirehose%s does not end in %s", c.alert, c.from)
		}
		rules = before + "- alert: KafkaFirehose" + c.alert + "\n" + strings.TrimSuffix(expr, c.from) + c.to + "\n        for: " + rest
	}
	return rules
}
