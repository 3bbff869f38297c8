package connector

import (
	"context"
	"errors"
	"fmt"
	"time"

	"kafka-firehose/connector/convert"
	"kafka-firehose/connector/schema"
)

// openRegistry prepares what decodes records, if they are to be.
func (c *Connector) openRegistry(o Options) (err error) {
	if len(c.cfg.Record.SchemaFormats()) == 0 {
		return nil
	}
	compile := func(d convert.Definition) (convert.Schema, error) { return convert.Compile(c.cfg.Record, d) }
	c.schemas, err = schema.New(c.cfg.Schema, schema.Options{Compile: compile, Log: c.log, Metrics: o.Metrics.Schema, Transport: o.Registry})
	return err
}

// lookup is the convert.Lookup of all lanes.
func (c *Connector) lookup(ref convert.Ref) (convert.Schema, error) { return c.schemas.Schema(ref) }

// awaiting says of a record that was not converted whether that is for want of a schema,
// and has that one fetched: nothing else is packed before it is there, so that the
// order of the queue stays what it is and what waits is only what is queued.
func (l *lane) awaiting(ctx context.Context, err error, polled time.Time) bool {
	missing, ok := errors.AsType[*convert.Missing](err)
	if ok {
		l.fetching = l.schemas.FetchFor(ctx, missing.Ref, polled)
	}
	return ok
}

// unready reports whether the schema of the next record is still on its way.
func (l *lane) unready() bool {
	if l.fetching == nil {
		return false
	}
	select {
	case <-l.fetching:
		l.fetching = nil
		return false
	default:
		return true
	}
}

// schemasReady reports why records wait for schemas, nil when they don't, or not for
// long.
func (c *Connector) schemasReady(now time.Time) error {
	if c.schemas == nil {
		return nil
	}
	if t := c.schemas.Trouble(); t != nil && (t.Blocked || now.Sub(t.Since) >= idleFor) {
		return fmt.Errorf("the Schema Registry: %w", t.Err)
	}
	return nil
}
