package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"kafka-firehose/cmd/bench/broker"
)

// setup is one way to run: what is in Kafka, who moves it, and how.
type setup struct {
	mover      mover
	size       int    // of a value, in bytes
	codec      string // of the batches in Kafka: none or zstd
	aggregate  bool
	partitions int
	format     string // of records: a key of recordSettings
	tls        bool   // to Firehose
	bytes      int64  // of all values
	buffered   int64  // MAX_BUFFERED_BYTES
	outage     time.Duration
}

// mover is the program that is measured.
type mover string

const (
	moverConnector mover = "connector"
	moverStock     mover = "stock SDK" // the connector with the serializer of the SDK
	moverFloor     mover = "floor"
)

// file is its name as that of a file.
func (m mover) file() string { return strings.ReplaceAll(string(m), " ", "-") }

// recordSettings are the environment of each format of records.
func recordSettings() map[string][]string {
	const raw, avro = "RECORD_FORMAT=raw", "RECORD_FORMAT=avro"
	return map[string][]string{
		"raw":    {raw},
		"json":   {"RECORD_FORMAT=json"},
		"avro":   {avro},
		"glue":   {avro, "SCHEMA_REGISTRY_TYPE=glue", "SCHEMA_REGISTRY_REGION=" + broker.GlueRegion},
		"filter": {raw, "RECORD_FILTER=value.user >= 0"}, // true for all
		"mask":   {raw, "RECORD_MASK=user=sha256", "RECORD_MASK_SECRET=0123456789abcdef"},
		"unwrap": {raw, "RECORD_UNWRAP=debezium"},
	}
}

// registry returns the variable that leads to the registry of the broker, nil for a format without one.
func (s setup) registry(url string) []string {
	switch s.format {
	case "avro":
		return []string{"SCHEMA_REGISTRY_URL=" + url}
	case "glue":
		return []string{"AWS_ENDPOINT_URL_GLUE=" + url}
	}
	return nil
}

// source is what has to be in Kafka for it: setups with the same source take turns on one
// broker.
func (s setup) source() setup {
	format := broker.JSON
	switch s.format {
	case "avro":
		format = broker.Avro
	case "glue":
		format = broker.Glue
	case "unwrap":
		format = broker.Debezium
	}
	return setup{size: s.size, codec: s.codec, partitions: s.partitions, bytes: s.bytes, format: format}
}

// records is how many values there are.
func (s setup) records() int64 { return max(s.bytes/int64(s.size), 1) }

// payload is the bytes of all values.
func (s setup) payload() int64 { return s.records() * int64(s.size) }

func (s setup) mode() string {
	if s.aggregate {
		return "aggregated"
	}
	return "raw"
}

func (s setup) String() string {
	text := fmt.Sprintf("%s, %s, %s, %d partitions", sizeText(int64(s.size)), s.codec, s.mode(), s.partitions)
	if s.format != "raw" {
		text += ", " + s.format
	}
	if s.tls {
		text += ", TLS"
	}
	return text
}

// with returns s moved by m.
func (s setup) with(m mover) setup { s.mover = m; return s }

// The matrix.
var (
	sizes      = []int{200, 1 << 10, 8 << 10}
	codecs     = []string{"none", "zstd"}
	modes      = []string{"raw", "aggregated"}
	partitions = []int{1, usual, 100, 1000}
)

// matrix is every combination of what o selects.
func matrix(o options) (cells []setup) {
	for _, size := range o.sizes {
		for _, codec := range o.codecs {
			for _, n := range o.partitions {
				for _, mode := range o.modes {
					s := o.base(size)
					s.codec, s.partitions, s.aggregate = codec, n, mode == "aggregated"
					if !o.quick || s.matters() {
						cells = append(cells, s)
					}
				}
			}
		}
	}
	return cells
}

// matters reports whether a cell is one of those that tell most about all.
func (s setup) matters() bool {
	most := s.partitions == slices.Min(partitions) || s.partitions == slices.Max(partitions)
	return s.partitions == usual || s.size == 1<<10 && most
}

// usual is how many partitions a topic has, where nothing else is said.
const usual = 12

// base is the setup that the others are variations of.
func (o options) base(size int) setup {
	return setup{mover: moverConnector, size: size, codec: "zstd", partitions: usual, format: "raw", bytes: o.bytes, buffered: o.buffered}
}

// sizeText prints a size as it is written on the command line.
func sizeText(n int64) string {
	for _, unit := range []struct {
		name string
		size int64
	}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}} {
		if n >= unit.size && n%unit.size == 0 {
			return fmt.Sprintf("%d %s", n/unit.size, unit.name)
		}
	}
	return fmt.Sprintf("%d B", n)
}

// parseSize reads a number of bytes, or of KiB, MiB or GiB.
func parseSize(text string) (int64, error) {
	var n int64
	unit := int64(1)
	number := strings.TrimSuffix(strings.ReplaceAll(text, " ", ""), "B")
	for suffix, size := range map[string]int64{"Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30} {
		if cut, ok := strings.CutSuffix(number, suffix); ok {
			number, unit = cut, size
		}
	}
	if _, err := fmt.Sscanf(number+"\n", "%d\n", &n); err != nil || n < 1 {
		return 0, fmt.Errorf("%q is no size; want bytes, or KiB, MiB or GiB, such as 200 or 64MiB", text)
	}
	return n * unit, nil
}
