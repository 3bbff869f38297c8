package connector

import (
	"log/slog"
	"maps"
	"regexp"
	"slices"
	"strings"

	"kafka-firehose/connector/convert"
	"kafka-firehose/connector/env"
	"kafka-firehose/connector/preflight"
)

// recordFor returns the record settings of a stream: its options in FIREHOSE_STREAM_OPTIONS, and those of the
// environment for all that it has no option for.
func (c Config) recordFor(stream string) convert.Config {
	record, _ := c.setRecord(stream)
	return record
}

// setRecord is recordFor, with the faults of options that can't be read.
func (c Config) setRecord(stream string) (record convert.Config, faults []*env.Fault) {
	record = c.Record
	own := c.Firehose.StreamOptions.Of[stream].Record
	for _, name := range slices.Sorted(maps.Keys(own)) {
		if f := env.Set(&record, name, own[name]); f != nil {
			faults = append(faults, f)
		}
	}
	return record, faults
}

// recordStreams are the streams, with an unnamed one in their place while none is set.
func (c Config) recordStreams() []string {
	if streams := c.Firehose.StreamNames(); len(streams) > 0 {
		return streams
	}
	return []string{""}
}

// validateRecords checks the record settings of each stream. A fault of the environment is reported once, if any stream has
// it; a setting of the environment without effect only if it has none for all streams.
func (c Config) validateRecords(check *env.Check) {
	shared := map[string]bool{} // faults of the environment alone, by their text; true if reported
	for _, f := range env.FaultsOf(c.Record.Conflicts()) {
		shared[f.Error()] = false
	}
	streams, unused := c.recordStreams(), map[string]int{}
	for _, stream := range streams {
		record, faults := c.setRecord(stream)
		own := c.Firehose.StreamOptions.Of[stream].Record
		for _, f := range append(faults, env.FaultsOf(record.Conflicts())...) {
			reported, known := shared[f.Error()]
			switch {
			case !known || own[f.Variable] != "":
				check.AddFault(c.streamFault(stream, f))
			case !reported:
				shared[f.Error()] = true
				check.AddFault(f)
			}
		}
		counted := map[string]bool{}
		for _, f := range env.FaultsOf(record.Unused()) {
			switch {
			case own[f.Variable] != "":
				check.AddFault(c.streamFault(stream, f))
			case !counted[f.Variable]:
				counted[f.Variable] = true
				if unused[f.Variable]++; unused[f.Variable]+c.countOverrides(f.Variable) == len(streams) {
					check.AddFault(f)
				}
			}
		}
	}
}

// countOverrides is the number of streams with an option in the place of a variable.
func (c Config) countOverrides(variable string) (streams int) {
	for _, stream := range c.recordStreams() {
		if c.Firehose.StreamOptions.Of[stream].Record[variable] != "" {
			streams++
		}
	}
	return streams
}

var recordVariable = regexp.MustCompile(`RECORD_([A-Z_]+)`)

// streamFault is a fault of a stream's record settings, in the names of its options where it has them.
func (c Config) streamFault(stream string, f *env.Fault) *env.Fault {
	own := c.Firehose.StreamOptions.Of[stream].Record
	text := recordVariable.ReplaceAllStringFunc(f.Error(), func(name string) string {
		if own[name] == "" {
			return name
		}
		return strings.ToLower(strings.TrimPrefix(name, "RECORD_"))
	})
	return c.Firehose.OptionFault(stream, text, append(f.Others, f.Variable)...)
}

// schemaFormats are the formats of values and keys of all streams that can't be converted without a registry.
func (c Config) schemaFormats() (formats []string) {
	for _, stream := range c.recordStreams() {
		for _, f := range c.recordFor(stream).SchemaFormats() {
			if !slices.Contains(formats, f) {
				formats = append(formats, f)
			}
		}
	}
	return formats
}

// describeSchemaFormats is schemaFormats as a text, with the name of each stream whose own options ask for one.
func (c Config) describeSchemaFormats() string {
	var texts []string
	for _, stream := range c.recordStreams() {
		of := ""
		if len(c.Firehose.StreamOptions.Of[stream].Record) > 0 {
			of = " of stream " + stream
		}
		for _, f := range c.recordFor(stream).SchemaFormats() {
			if text := f + of; !slices.Contains(texts, text) {
				texts = append(texts, text)
			}
		}
	}
	return strings.Join(texts, " and ")
}

// decodesAny reports whether records of any stream are in a format whose serializers name a schema.
func (c Config) decodesAny() bool {
	return slices.ContainsFunc(c.recordStreams(), func(stream string) bool { return c.recordFor(stream).NeedsSchema() })
}

// convertingCores is the least number of cores for which it pays to convert the records of some stream on all of
// them, 0 where it never does.
func (c Config) convertingCores() (least int) {
	for _, stream := range c.recordStreams() {
		if n := c.recordFor(stream).ConversionCores(); n > 0 && (least == 0 || n < least) {
			least = n
		}
	}
	return least
}

// sentRecords describes the records that a stream gets.
func (c Config) sentRecords(stream string) preflight.SentRecords {
	record := c.recordFor(stream)
	return preflight.SentRecords{
		Delimiter: string(record.Delimiter), Aggregate: record.Aggregate,
		Gzip: record.Compression == "gzip", Raw: record.SendsAsIs(), Changes: record.SendsChanges(),
		Own: len(c.Firehose.StreamOptions.Of[stream].Record) > 0,
	}
}

const orderWarning = preflight.OrderWarning

// warnOfOrder logs that the records of a stream are not in order, if they are changes of rows.
func (c *Connector) warnOfOrder(stream string) {
	if c.cfg.recordFor(stream).SendsChanges() {
		c.log.Warn(orderWarning, "stream", stream, "hint", preflight.OrderHint)
	}
}

// formatPlan is an attribute of the start line: the format of all streams, or of each where they differ.
func (c Config) formatPlan() slog.Attr {
	var of []any
	differ := false
	for _, stream := range c.recordStreams() {
		differ = differ || len(c.Firehose.StreamOptions.Of[stream].Record) > 0
		of = append(of, slog.String(stream, c.recordFor(stream).Summary()))
	}
	if differ {
		return slog.Group("formats", of...)
	}
	if c.Record.Unwraps() {
		return slog.String("format", c.Record.Summary())
	}
	return slog.String("format", c.Record.Format)
}
