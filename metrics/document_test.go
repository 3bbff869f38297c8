package metrics

import (
	"cmp"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

var update = flag.Bool("update", false, "write METRICS.md instead of comparing it")

// everything is a registry in which each collector has a series, as in a connector
// that has seen all there is to see.
func everything(t *testing.T) *prometheus.Registry {
	t.Helper()
	r := prometheus.NewPedanticRegistry()
	seen := &names{Registerer: r, of: map[string]bool{}}
	m := New(seen)
	m.Pipeline.WatchBuffered(1, func() int64 { return 0 }, func() float64 { return 0 })
	m.Pipeline.Filtered.WithLabelValues("t")
	m.Firehose.ForStream("s")
	m.Destination.Stream("s")
	m.Kafka.WatchRefusals(func(string) int { return 0 })
	m.Kafka.WatchFaulty(func(string) int { return 0 })
	m.Kafka.ExpectTopic("t")
	m.DeadLetter.ExpectTopic("t")
	m.Schema.ExpectTopic("t")
	m.ClaimCheck.ExpectTopic("t")
	m.Kafka.SetLag("t", 1, 2)
	m.Kafka.SetCommitted("t", 1, 2)
	m.Kafka.SetUncommitted("t", 1, 2)
	m.Kafka.SetHeadroom("t", 1, 2)
	m.Kafka.SetOpenTransaction("t", 1, 2)
	m.Kafka.SetTopicPaused("t", false)
	for _, f := range gather(t, r) {
		delete(seen.of, f.GetName())
	}
	if len(seen.of) > 0 {
		t.Fatalf("no series of %q: give each one in this function", slices.Sorted(maps.Keys(seen.of)))
	}
	return r
}

// names notes the names of what is registered.
type names struct {
	prometheus.Registerer
	of map[string]bool
}

func (n *names) MustRegister(collectors ...prometheus.Collector) {
	for _, c := range collectors {
		all := make(chan *prometheus.Desc, 10)
		c.Describe(all)
		close(all)
		for d := range all {
			_, after, _ := strings.Cut(d.String(), `fqName: "`)
			name, _, _ := strings.Cut(after, `"`)
			n.of[name] = true
		}
	}
	n.Registerer.MustRegister(collectors...)
}

func gather(t *testing.T, g prometheus.Gatherer) []*dto.MetricFamily {
	t.Helper()
	families, err := g.Gather()
	if err != nil {
		t.Fatal(err)
	}
	return families
}

// The table of METRICS.md is what the program serves.
func TestDocument(t *testing.T) {
	const file, begin, end = "../METRICS.md", "<!-- metrics:begin -->\n", "<!-- metrics:end -->\n"
	const regenerate = "go test ./metrics -run TestDocument -update"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, hasBegin := strings.Cut(string(text), begin)
	table, after, hasEnd := strings.Cut(rest, end)
	if !hasBegin || !hasEnd {
		t.Fatalf("%s has no line %sfollowed by a line %s", file, begin, end)
	}
	want := "\n" + document(gather(t, everything(t))) + "\n"
	switch {
	case *update:
		if err := os.WriteFile(file, []byte(before+begin+want+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
	case table != want:
		t.Errorf("the table of metrics is not the program's; run: %s\ngot:\n%s\nwant:\n%s", regenerate, table, want)
	}
}

// document is a table of the families, in their order.
func document(families []*dto.MetricFamily) string {
	var b strings.Builder
	b.WriteString("| metric | type | labels | meaning |\n|---|---|---|---|\n")
	for _, f := range families {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", f.GetName(), strings.ToLower(f.GetType().String()), labels(f), f.GetHelp())
	}
	return b.String()
}

// labels lists the names of a family's labels; those with known values, with them.
func labels(f *dto.MetricFamily) string {
	values := map[string][]string{}
	for _, m := range f.GetMetric() {
		for _, l := range m.GetLabel() {
			if !slices.Contains(values[l.GetName()], l.GetValue()) {
				values[l.GetName()] = append(values[l.GetName()], l.GetValue())
			}
		}
	}
	free := map[string]bool{"stream": true, "topic": true, "partition": true}
	var all []string
	for _, name := range slices.SortedFunc(maps.Keys(values), func(a, b string) int {
		return cmp.Or(cmp.Compare(len(values[a]), len(values[b])), cmp.Compare(b, a))
	}) {
		if text := "`" + name + "`"; free[name] {
			all = append(all, text)
		} else {
			all = append(all, text+": "+strings.Join(values[name], ", "))
		}
	}
	return cmp.Or(strings.Join(all, "; "), "–")
}
