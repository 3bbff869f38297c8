package connector

import (
	"kafka-firehose/connector/convert"
	"kafka-firehose/connector/schema"
)

// openSchemas returns nil unless records are decoded with schemas.
func openSchemas(cfg Config, o Options) (*schema.Registry, error) {
	formats := cfg.schemaFormats()
	if len(formats) == 0 {
		return nil, nil
	}
	compile := func(d convert.SchemaDefinition) (convert.Schema, error) {
		if o.BeforeCompile != nil {
			o.BeforeCompile(d)
		}
		return convert.CompileFor(cfg.Record, formats, d)
	}
	return schema.New(cfg.Schema, schema.Options{Compile: compile, Log: o.Log, Metrics: o.Metrics.Schema, Transport: o.Registry, Glue: o.Glue})
}

// newConverter returns a converter of records with these settings.
func (c Config) newConverter(record convert.Config, lookup convert.SchemaLookup) *convert.Converter {
	made := convert.New(record, lookup)
	made.SetFraming(c.Schema.Framing(), c.Schema.ByContent())
	return made
}

// schemaLookup returns the lookup of all pipelines. before may be nil, and is called first.
func (c *Connector) schemaLookup(before func(convert.SchemaRef)) convert.SchemaLookup {
	return func(ref convert.SchemaRef) (convert.Schema, error) {
		if before != nil {
			before(ref)
		}
		return c.schemas.LookupSchema(ref)
	}
}

// setAsideUntil sets a partition aside until the schema of its next record, the first of rest, was
// asked for, or its upload to the claim-check bucket has ended: then ready is closed. The other
// partitions of the pipeline continue meanwhile, the order within each stays, and only queued records wait.
//
// The goroutine ends with the attempt to fetch, which has a limit, or the upload, which is canceled when the
// partition is revoked. Each partition has one at most that it waits for.
func (b *batcher) setAsideUntil(rest fetchedRecords, ready <-chan struct{}) {
	b.parallel.leaveOut(rest.lease)
	waiting := b.queue.setAside(rest)
	go func() {
		<-ready
		b.queue.readmit(waiting)
		b.wakeBatcher()
	}()
}
