package main

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"
)

const reportHead = `# What it costs

Broker, emulated Firehose, connector and floor are processes of their own on one machine. The **floor** does only what can't be
left out, with the same libraries: fetch, decompress, one copy into a batch, base64, SHA-256, one write, the answer read to
its end (%s). Connector and floor take turns, and what counts is the
ratio of their medians; in parentheses stand the least and the most of two runs that followed each other. Seconds are of that
machine; CPU is the process's own, so broker and emulator don't count in it, but they share the cores, and so bound MB/s.
CPU is that of a whole run. MB/s are those between a quarter and 95 %% of it, when all batches are full: not the start, in which
the connector finds out what the stream takes, and not the last batches, which linger.

`

// markdown is the report.
func (r *results) markdown() string {
	var t strings.Builder
	fmt.Fprintf(&t, reportHead, "`cmd/bench/floor`")
	fmt.Fprintf(&t, "* Command: `%s`, in %s\n", r.options.command, r.took.Round(time.Second))
	fmt.Fprintf(&t, "* Machine: %d cores, %s, %s, %s/%s\n", runtime.NumCPU(), processor(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	kafka := "kfake, in Go"
	if r.options.apache {
		kafka = "Apache Kafka; what a start costs is measured, too"
	}
	fmt.Fprintf(&t, "* Each run: %s of values in batches of %s, like JSON; %d rounds; %d requests in flight of %s; one member; Kafka is %s\n",
		sizeText(r.options.bytes), sizeText(r.options.batch), r.options.rounds, r.options.inFlight, r.options.latency, kafka)
	r.matrixTable(&t)
	r.rowsTable(&t)
	r.billTable(&t)
	r.memoryTable(&t)
	t.WriteString("\n## Outside of its bound\n\n")
	if out := r.outside(); len(out) > 0 {
		fmt.Fprintf(&t, "* %s\n", strings.Join(out, "\n* "))
	} else {
		t.WriteString("Nothing.\n")
	}
	return t.String()
}

func (r *results) matrixTable(t *strings.Builder) {
	if len(r.matrix) == 0 {
		return
	}
	t.WriteString("\n## Matrix\n\n| value | codec | records | partitions | CPU s/GB | floor's | ratio | CPU s/million records | MB/s | floor's | ratio | records/s | peak memory | requests | full | billed |\n" +
		"|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|\n")
	for _, c := range r.matrix {
		st := c.connector[len(c.connector)-1].stored
		rate := median(c.connector, sample.rate)
		fmt.Fprintf(t, "| %s | %s | %s | %d | %.2f | %.2f | %s | %.2f | %.0f | %.0f | %s | %.0f | %d MiB | %d | %.0f %% | %.2f |\n",
			sizeText(int64(c.size)), c.codec, c.mode(), c.partitions, median(c.connector, sample.cost), median(c.floor, sample.cost),
			compare(c.connector, c.floor, sample.cost), median(c.connector, sample.each), rate, median(c.floor, sample.rate), compare(c.connector, c.floor, sample.rate), rate*1e6/float64(c.size),
			peak(c.connector)>>20, st.Requests, 100*full(st), billed(st))
	}
	for _, g := range r.growth() {
		fmt.Fprintf(t, "\nFrom %d to %d partitions, %s: %.2f times the CPU for a GB.\n", g.from.partitions, g.to.partitions, g.what, g.times)
	}
}

// growth is what more partitions cost.
type growth struct {
	what     string
	from, to cell
	times    float64
}

func (r *results) growth() (all []growth) {
	for _, to := range r.matrix {
		if to.partitions != slices.Max(partitions) {
			continue
		}
		for _, from := range r.matrix {
			if same := from.setup; from.partitions == slices.Min(partitions) && same.mode() == to.mode() && same.size == to.size && same.codec == to.codec {
				what := fmt.Sprintf("%s, %s, %s", sizeText(int64(to.size)), to.codec, to.mode())
				all = append(all, growth{what, from, to, median(to.connector, sample.cost) / median(from.connector, sample.cost)})
			}
		}
	}
	return all
}

func (r *results) rowsTable(t *strings.Builder) {
	if len(r.rows) == 0 {
		return
	}
	t.WriteString("\n## One beside the other\n\nAll with 1 KiB, zstd, one value a record, 12 partitions.\n\n" +
		"| what | against | CPU s/million records | the other's | ratio | peak memory |\n|---|---|---|---|---|---|\n")
	for _, w := range r.rows {
		fmt.Fprintf(t, "| %s | %s | %.2f | %.2f | %s | %d MiB |\n", w.what, w.against,
			median(w.one, sample.each), median(w.other, sample.each), compare(w.one, w.other, sample.each), peak(w.one)>>20)
	}
}

func (r *results) billTable(t *strings.Builder) {
	for _, s := range r.bill {
		fmt.Fprintf(t, "\n## The bill\n\nValues of %s, aggregated, under load: %.3f bytes are billed for each byte.\n", sizeText(int64(s.setup.size)), billed(s.stored))
	}
}

func (r *results) memoryTable(t *strings.Builder) {
	if len(r.memory) == 0 {
		return
	}
	t.WriteString("\n## Memory\n\n| `MAX_BUFFERED_BYTES` | value | codec | partitions | outage | peak memory | beside the setting |\n|---|---|---|---|---|---|---|\n")
	for _, m := range r.memory {
		outage := "–"
		if m.setup.outage > 0 {
			outage = m.setup.outage.String()
		}
		fmt.Fprintf(t, "| %s | %s | %s | %d | %s | %d MiB | %+d MiB |\n", sizeText(m.setup.buffered), sizeText(int64(m.setup.size)), m.setup.codec, m.setup.partitions,
			outage, m.peak>>20, (m.peak-m.setup.buffered)>>20)
	}
}

// processor is the name of the machine's.
func processor() string {
	file, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return "of unknown make"
	}
	defer func() { _ = file.Close() }()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if name, value, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "of unknown make"
}
