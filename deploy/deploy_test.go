// Package deploy_test checks that what is deployed fits what is built.
package deploy_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.FromSlash(path))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// all returns what the only group of the expression matches in text.
func all(expression, text string) (found []string) {
	for _, m := range regexp.MustCompile(expression).FindAllStringSubmatch(text, -1) {
		found = append(found, m[1])
	}
	return found
}

func alerts(t *testing.T) []string {
	t.Helper()
	names := all(`(?m)^ +- alert: (\w+)$`, read(t, "alerts.yaml"))
	if len(names) < 20 {
		t.Fatalf("found the alerts %q; there are more", names)
	}
	return names
}

// The chart can read no file outside of it, so it has copies.
func TestChartHasTheSameFiles(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"alerts.yaml", "dashboard.json"} {
		if diff := cmp.Diff(read(t, name), read(t, "../helm/kafka-firehose/files/"+name)); diff != "" {
			t.Errorf("cp deploy/%[1]s helm/kafka-firehose/files/%[1]s\n%[2]s", name, diff)
		}
	}
}

// Whoever is woken finds a page, which the alert itself names, and every page has an alert.
func TestEveryAlertHasARunbook(t *testing.T) {
	t.Parallel()
	names := alerts(t)
	for i, rule := range strings.Split(read(t, "alerts.yaml"), "- alert: ")[1:] {
		if want := "\n          runbook: deploy/runbooks/" + names[i] + ".md\n"; !strings.Contains(rule, want) {
			t.Errorf("%s has no annotation%s", names[i], want)
		}
	}
	for _, name := range names {
		headings := all(`(?m)^#+ (.+)$`, read(t, "runbooks/"+name+".md"))
		if want := []string{name, "Meaning", "Impact", "What to look at", "What to do"}; !slices.Equal(headings, want) {
			t.Errorf("the runbook of %s has the headings %q, want %q", name, headings, want)
		}
	}
	pages, err := filepath.Glob("runbooks/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range pages {
		if name := strings.TrimSuffix(filepath.Base(page), ".md"); !slices.Contains(names, name) {
			t.Errorf("%s is of no alert", page)
		}
		for _, link := range all(`\]\((\w+)\.md\)`, read(t, filepath.ToSlash(page))) {
			if !slices.Contains(names, link) {
				t.Errorf("%s links to %s, which isn't there", page, link)
			}
		}
	}
}

// Each alert is seen firing and not firing. promtool runs the tests; this looks
// that there are some.
func TestEveryAlertIsTested(t *testing.T) {
	t.Parallel()
	tests := read(t, "alerts_test.yaml")
	firing, silent := all(`- alertname: (\w+)\n +eval_time: \w+\n +exp_alerts:`, tests), all(`\{alertname: (\w+), eval_time`, tests)
	for _, name := range alerts(t) {
		if !slices.Contains(firing, name) || !slices.Contains(silent, name) {
			t.Errorf("%s has to be tested at a time when it fires and at one when it doesn't", name)
		}
	}
}

// A metric that is renamed would leave an alert silent for ever.
func TestMetricsExist(t *testing.T) {
	t.Parallel()
	document := read(t, "../METRICS.md")
	known := append(all("(?m)^\\| `(kafka_firehose_\\w+)`", document), "kafka_firehose_build_info")
	if len(known) < 40 {
		t.Fatalf("found the metrics %q; there are more", known)
	}
	pages, err := filepath.Glob("[dr]*s/*.md") // docs and runbooks
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range append(pages, "alerts.yaml", "../METRICS.md", "../README.md", "../helm/kafka-firehose/templates/scaledobject.yaml") {
		for _, name := range all(`\b(kafka_firehose_[a-z_]+)\b`, read(t, filepath.ToSlash(file))) {
			if !slices.Contains(known, name) && !slices.Contains(known, strings.TrimSuffix(name, "_bucket")) {
				t.Errorf("%s: there is no metric %s", file, name)
			}
		}
	}
}

// The chart narrows each selector to its release by this part of it.
func TestAlertsSelectByJob(t *testing.T) {
	t.Parallel()
	selectors := all(`(\b(?:(?:kafka_firehose|process|go)_[a-z_]+|up(?: ==|\{)).{0,20})`, read(t, "alerts.yaml"))
	if len(selectors) < 30 {
		t.Fatalf("found the selectors %q; there are more", selectors)
	}
	for _, s := range selectors {
		if !strings.Contains(s, `{job=~".+"`) {
			t.Errorf("%s... has no {job=~\".+\"}", s)
		}
	}
}

// The chart puts the labels of several clusters in the place of the first one.
func TestAlertsAreGroupedByCluster(t *testing.T) {
	t.Parallel()
	groupings := all(`\b(?:by|on) (\(.{0,24})`, read(t, "alerts.yaml"))
	if len(groupings) < 60 {
		t.Fatalf("found %d groupings; there are more", len(groupings))
	}
	for _, g := range groupings {
		if !strings.HasPrefix(g, "(cluster, namespace, job") {
			t.Errorf("a grouping begins with %s, want (cluster, namespace, job", g)
		}
	}
}

// The chart takes the number at the end of an expression for its threshold. On the right of an unless it
// would change when the alert is silent.
func TestThresholdsOfAlerts(t *testing.T) {
	t.Parallel()
	names := alerts(t)
	silencer, number := regexp.MustCompile(`(?m)^ {10}unless`), regexp.MustCompile(` [0-9.]+$`)
	for i, rule := range strings.Split(read(t, "alerts.yaml"), "- alert: ")[1:] {
		expr := all(`(?s)\n        expr: (.*?)\n        [a-z]`, rule)
		if len(expr) != 1 {
			t.Fatalf("%s has the expressions %q, want one", names[i], expr)
		}
		if number.MatchString(expr[0]) && silencer.MatchString(expr[0]) {
			t.Errorf("the expression of %s ends in a number that belongs to its unless: put it in parentheses", names[i])
		}
	}
}

// The page about permissions and the policy for IAM agree.
func TestPolicy(t *testing.T) {
	t.Parallel()
	var policy struct {
		Statement []struct{ Action []string }
	}
	if err := json.Unmarshal([]byte(read(t, "iam-policy.json")), &policy); err != nil {
		t.Fatal(err)
	}
	page := read(t, "docs/security.md")
	var actions []string
	for _, statement := range policy.Statement {
		actions = append(actions, statement.Action...)
	}
	for _, action := range actions {
		if !strings.Contains(page, `"`+action+`"`) {
			t.Errorf("docs/security.md doesn't name the action %s", action)
		}
	}
	if n := len(all(`"((?:firehose|kms|glue|cloudwatch|s3):\w+)"`, page)); n != len(actions) || n < 7 {
		t.Errorf("docs/security.md names %d actions, the policy %d", n, len(actions))
	}
}

// The settings of the compose file are settings.
func TestComposeSettings(t *testing.T) {
	t.Parallel()
	known := all("(?m)^\\| `([A-Z_]+)` \\|", read(t, "docs/settings.md"))
	_, service, _ := strings.Cut(read(t, "compose.yaml"), "\n  bridge:\n")
	service, _, _ = strings.Cut(service, "\n\n")
	settings := all(`(?m)^ +((?:KAFKA|FIREHOSE|RECORD)_[A-Z_]+): `, service)
	if len(settings) < 5 {
		t.Fatalf("found the settings %q; there are more", settings)
	}
	for _, name := range settings {
		if !slices.Contains(known, name) {
			t.Errorf("the bridge has no setting %s", name)
		}
	}
}
