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

// queriesOf returns the queries of the dashboard, docs/monitoring.md and METRICS.md.
func queriesOf(t *testing.T) (all []query) {
	t.Helper()
	for _, p := range readDashboard(t).Panels {
		for _, q := range p.Targets {
			all = append(all, query{"dashboard.json, " + p.Title, q.Expr})
		}
	}
	ofDashboard := len(all)
	watch, _, _ := strings.Cut(read(t, "docs/monitoring.md"), "\n## ")
	for row := range strings.Lines(watch) {
		cells := strings.SplitN(row, "|", 4)
		if len(cells) < 4 {
			continue
		}
		for _, span := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(cells[2], -1) {
			if strings.Contains(span[1], "kafka_firehose_") {
				all = append(all, query{"monitoring.md," + cells[1], span[1]})
			}
		}
	}
	ofPage := len(all)
	// Those of METRICS.md are the paragraphs that are indented.
	for paragraph := range strings.SplitSeq(read(t, "../METRICS.md"), "\n\n") {
		if strings.HasPrefix(paragraph, "    ") {
			all = append(all, query{"METRICS.md", paragraph})
		}
	}
	if ofDashboard < 50 || ofPage-ofDashboard < 15 || len(all)-ofPage < 10 {
		t.Fatalf("found %d queries in dashboard.json, %d in monitoring.md, %d in METRICS.md; there are more", ofDashboard, ofPage-ofDashboard, len(all)-ofPage)
	}
	return all
}

// expand puts values into the place of Grafana's variables.
func expand(expr, job string) string {
	return strings.NewReplacer("$namespace", ".+", "$job", job, "$instance", ".+", "$stream", ".+", "$topic", ".+",
		"$__rate_interval", "5s", "$__range_s", "600", "$__range", "10m").Replace(expr)
}

// hastened are the rules of alerts.yaml in a world in which a minute takes less. The
// expressions stay the same but for the times in them.
func hastened(t *testing.T, minute time.Duration) string {
	t.Helper()
	rules := regexp.MustCompile(`\b(\d+)([mhd])\b`).ReplaceAllStringFunc(read(t, "alerts.yaml"), func(span string) string {
		n, err := strconv.Atoi(span[:len(span)-1])
		if err != nil {
			t.Fatal(err)
		}
		minutes := map[byte]int{'m': 1, 'h': 60, 'd': 24 * 60}[span[len(span)-1]]
		return fmt.Sprintf("%ds", int((time.Duration(n*minutes) * minute).Seconds()))
	})
	// Thresholds that are seconds.
	for alert, seconds := range map[string]int{"NoProgress": 300, "Late": 300, "DeliveryDelay": 300, "LagGrowing": 900, "DeadLettersPending": 60} {
		before, rule, found := strings.Cut(rules, "- alert: KafkaFirehose"+alert+"\n")
		expr, rest, hasFor := strings.Cut(rule, "\n        for: ")
		threshold := fmt.Sprintf("> %d", seconds)
		if !found || !hasFor || !strings.HasSuffix(expr, threshold) {
			t.Fatalf("the expression of KafkaFirehose%s does not end in %s", alert, threshold)
		}
		expr = fmt.Sprintf("%s> %g", strings.TrimSuffix(expr, threshold), float64(seconds)*minute.Minutes())
		rules = before + "- alert: KafkaFirehose" + alert + "\n" + expr + "\n        for: " + rest
	}
	return rules
}
