package deploy_test

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// dashboard is what is looked at of Grafana's model.
type dashboard struct {
	UID        string
	Editable   bool
	Templating struct{ List []variable }
	Panels     []panel
	// Annotations are the moments that every panel shows.
	Annotations struct{ List []annotation }
}

type annotation struct {
	Name, Expr, TitleFormat, IconColor string
	Enable                             bool
	Datasource                         source
}

type variable struct {
	Name, Type, Definition, AllValue string
	Query                            any
	Datasource                       source
}

type source struct{ Type, UID string }

type panel struct {
	ID                       int
	Type, Title, Description string
	Datasource               source
	GridPos                  struct{ X, Y, W, H int }
	FieldConfig              fieldConfig
	Options                  struct{ TextMode string }
	Targets                  []target
}

// fieldConfig says how the values of a panel look.
type fieldConfig struct {
	Defaults struct {
		Unit, NoValue string
		Decimals      *int
		Max           *float64
		Thresholds    struct{ Steps []threshold }
		Custom        struct {
			Stacking, ThresholdsStyle struct{ Mode string }
		}
	}
	Overrides []struct {
		Matcher    struct{ ID, Options string }
		Properties []struct {
			ID    string
			Value any
		}
	}
}

// threshold is the value from which on a color holds; the first one has none.
type threshold struct {
	Color string
	Value *float64
}

type target struct {
	RefID, Expr, LegendFormat string
	Datasource                source
}

func readDashboard(t *testing.T) (d dashboard) {
	t.Helper()
	if err := json.Unmarshal([]byte(read(t, "dashboard.json")), &d); err != nil {
		t.Fatal(err)
	}
	return d
}

// What somebody needs at night comes first, and every panel says what it shows.
func TestDashboardPanels(t *testing.T) {
	t.Parallel()
	d := readDashboard(t)
	var rows []string
	seen := map[int]bool{}
	queries := 0
	for i, p := range d.Panels {
		if seen[p.ID] || p.ID == 0 {
			t.Errorf("%s: its id is 0 or another's", p.Title)
		}
		seen[p.ID] = true
		for _, other := range d.Panels[:i] {
			if a, b := p.GridPos, other.GridPos; a.X < b.X+b.W && b.X < a.X+a.W && a.Y < b.Y+b.H && b.Y < a.Y+a.H {
				t.Errorf("%s lies over %s", p.Title, other.Title)
			}
		}
		if p.Type == "row" {
			rows = append(rows, p.Title)
			continue
		}
		queries += len(p.Targets)
		if p.Title == "" || len(p.Description) < 10 || p.FieldConfig.Defaults.Unit == "" || len(p.Targets) == 0 {
			t.Errorf("panel %d %q wants a title, a description, a unit and a query", p.ID, p.Title)
		}
		if want := (source{"prometheus", "${datasource}"}); p.Datasource != want {
			t.Errorf("%s has the data source %+v, want that of the variable", p.Title, p.Datasource)
		}
		for _, q := range p.Targets {
			if q.Expr == "" || q.LegendFormat == "" || q.Datasource != p.Datasource {
				t.Errorf("%s: a query wants an expression, a legend, and the panel's data source: %+v", p.Title, q)
			}
		}
	}
	want := []string{"Is it up and delivering now?", "Did I lose anything?", "How late am I?", "What does it cost?", "Who throttles me?", "Pipeline", "Kafka", "Firehose", "Dead letters and schemas", "Process"}
	if diff := cmp.Diff(want, rows); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	if queries < 50 {
		t.Errorf("found %d queries; there are more", queries)
	}
	if d.Editable || d.UID != "kafka-firehose" {
		t.Error("it has to keep its uid, by which it is linked, and what is changed in Grafana would be lost")
	}
}

var (
	selector = regexp.MustCompile(`\b([a-z]+(?:_[a-z0-9]+)+)\b(\{[^}]*\})?(\[[^\]]*\])?`)
	words    = []string{"histogram_quantile", "group_left", "max_over_time", "last_over_time"} // of the language
)

// Every selector is narrowed by the variables, looks at a metric that is there, and asks for a
// rate over a time that fits the zoom and the scrapes.
func TestDashboardQueries(t *testing.T) {
	t.Parallel()
	// Of each family of metrics: its labels, by METRICS.md.
	labels := map[string]string{"kafka_firehose_build_info": ""}
	for _, row := range regexp.MustCompile("(?m)^\\| `(kafka_firehose_\\w+)` \\| (\\w+) \\| (.*?) \\|").FindAllStringSubmatch(read(t, "../METRICS.md"), -1) {
		labels[row[1]] = row[3]
		if row[2] == "histogram" {
			for _, suffix := range []string{"_bucket", "_sum", "_count"} {
				labels[row[1]+suffix] = row[3]
			}
		}
	}
	// Those of Prometheus's client; what a real server has of them is looked at in TestPrometheus.
	foreign := regexp.MustCompile(`^(process|go)_`)
	asked := map[string]bool{}
	d := readDashboard(t)
	panels := d.Panels
	for _, a := range d.Annotations.List {
		panels = append(panels, panel{Title: "the annotation " + a.Name, Targets: []target{{Expr: a.Expr}}})
	}
	for _, p := range panels {
		for _, q := range p.Targets {
			for _, m := range selector.FindAllStringSubmatch(q.Expr, -1) {
				name, matchers, window := m[1], m[2], m[3]
				of, known := labels[name]
				switch {
				case slices.Contains(words, name):
					continue
				case !known && !foreign.MatchString(name):
					t.Errorf("%s: there is no metric %s in %s", p.Title, name, q.Expr)
					continue
				}
				asked[name] = true
				if !strings.Contains(matchers, `namespace=~"$namespace",job=~"$job",instance=~"$instance"`) {
					t.Errorf("%s: %s%s is not narrowed by namespace, job and instance", p.Title, name, matchers)
				}
				if has, want := strings.Contains(matchers, `stream=~"$stream"`), strings.Contains(of, "`stream`"); has != want {
					t.Errorf("%s: %s%s is narrowed by stream: %v, want %v", p.Title, name, matchers, has, want)
				}
				if has, want := strings.Contains(matchers, `topic=~"$topic"`), strings.Contains(of, "`topic`"); has != want {
					t.Errorf("%s: %s%s is narrowed by topic: %v, want %v", p.Title, name, matchers, has, want)
				}
				if window != "" && window != "[$__rate_interval]" && window != "[$__range]" {
					t.Errorf("%s: %s over %s", p.Title, name, window)
				}
			}
		}
	}
	for name := range labels {
		family := regexp.MustCompile(`_(bucket|sum|count)$`).ReplaceAllString(name, "")
		shown := asked[family] || asked[family+"_bucket"] || asked[family+"_sum"]
		if shown == slices.Contains(unseen, family) {
			t.Errorf("%s has a panel: %v; give it one, or a reason not to have one", family, shown)
		}
	}
}

// unseen are the metrics that have no panel.
var unseen = []string{
	"kafka_firehose_records_filtered_total",                            // kafka_firehose_records_skipped_total has them as one of its reasons
	"kafka_firehose_encrypted",                                         // it changes once, if ever; the status page shows it
	"kafka_firehose_peak_second_bytes",                                 // the status page draws it beside the quota; bytes a second over a minute have a panel
	"kafka_firehose_peak_second_records",                               // likewise
	"kafka_firehose_peak_second_requests",                              // likewise
	"kafka_firehose_billed_ratio",                                      // the ratio of the two counters, which a restart doesn't forget, is there
	"kafka_firehose_bytes_in_flight",                                   // requests on their way, in another unit
	"kafka_firehose_records_in_flight",                                 // likewise
	"kafka_firehose_claim_check_uploads_total",                         // it is there with BAD_RECORD_POLICY=claim-check alone; what waits and fails has a panel
	"kafka_firehose_claim_check_bytes_total",                           // likewise
	"kafka_firehose_claim_check_duration_seconds",                      // likewise
	"kafka_firehose_dead_letters_pending_bytes",                        // letters that wait, in another unit
	"kafka_firehose_pace_records_per_second",                           // the pace in bytes stands for both
	"kafka_firehose_quota_part_records_per_second",                     // likewise
	"kafka_firehose_kafka_topic_paused",                                // /status, the page and the alerts show what an operator has paused
	"kafka_firehose_runtime_settings_fault",                            // an alert, /readyz and the page show it
	"kafka_firehose_runtime_settings_applied_timestamp_seconds",        // likewise
	"kafka_firehose_destination_dropped_timestamp_seconds",             // an alert tells, and /status and the page have the command beside it
	"kafka_firehose_kafka_committed_offset",                            // it means nothing without the end of the log: that is the lag
	"kafka_firehose_kafka_client_certificate_expiry_timestamp_seconds", // an alert tells a week before
}

// The variables follow one another from the data source to the stream.
func TestDashboardVariables(t *testing.T) {
	t.Parallel()
	var names []string
	before := ""
	for _, v := range readDashboard(t).Templating.List {
		names = append(names, v.Name)
		if v.Type == "query" && before != "" && !strings.Contains(v.Definition, before) {
			t.Errorf("the choice of %s does not depend on that of %s: %s", v.Name, before, v.Definition)
		}
		if v.Type == "query" && v.Name != "stream" { // topics don't depend on streams, which may have several
			before = "$" + v.Name
		}
		// Where nothing has the label, All has to be more than the empty list.
		if slices.Contains([]string{"namespace", "topic"}, v.Name) && v.AllValue != ".*" {
			t.Errorf("All of %s is %q, want .*", v.Name, v.AllValue)
		}
	}
	if diff := cmp.Diff([]string{"datasource", "namespace", "job", "instance", "stream", "topic", "runbooks"}, names); diff != "" {
		t.Errorf("variables (-want +got):\n%s", diff)
	}
}

// TestDashboardLinks: an alert that fires leads to its runbook, at an address that the chart has in one value; changes
// of state are marked.
func TestDashboardLinks(t *testing.T) {
	t.Parallel()
	text := read(t, "dashboard.json")
	if n := strings.Count(text, "RUNBOOK_BASE_URL"); n != 1 || !strings.Contains(text, `"${runbooks}/${__value.text}.md"`) {
		t.Errorf("the address of the runbooks is there %d times, want once, in the variable that the links use", n)
	}
	marks := readDashboard(t).Annotations.List
	if len(marks) < 4 {
		t.Errorf("%d annotations", len(marks))
	}
	for _, a := range marks {
		if !a.Enable || a.TitleFormat == "" || a.Datasource != (source{"prometheus", "${datasource}"}) {
			t.Errorf("%+v", a)
		}
	}
}

// What the compose file mounts into Grafana is there.
func TestComposeHasTheDashboard(t *testing.T) {
	t.Parallel()
	mounts := all(`(?m)^ +- \./(\S+?):/`, read(t, "compose.yaml"))
	for _, want := range []string{"dashboard.json", "grafana/datasource.yaml", "grafana/dashboards.yaml", "alerts.yaml", "prometheus.yaml"} {
		if !slices.Contains(mounts, want) {
			t.Errorf("%s is not mounted; found %q", want, mounts)
		}
		read(t, want)
	}
}
