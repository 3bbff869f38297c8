package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// cell is a cell of the matrix: connector and floor in the same setup.
type cell struct {
	setup
	connector, floor []sample
}

// row compares one way to run with another.
type row struct {
	what, against string
	format        string // of records; empty for a row that is about something else
	one, other    []sample
	// least and most are what one has to cost and may cost in terms of the other; 0: it is only told.
	least, most float64
}

// results are all that was measured.
type results struct {
	options options
	took    time.Duration
	matrix  []cell
	rows    []row
	memory  []sample // with little memory, and through an outage
	bill    []sample // small values under load
}

// measure does all that o asks for.
func (o options) measure(ctx context.Context, stderr io.Writer) (r *results, err error) {
	dir, err := os.MkdirTemp("", "bench-")
	if err != nil {
		return nil, err
	}
	b := &bench{options: o, dir: dir, progress: func(format string, args ...any) { fmt.Fprintf(stderr, format, args...) }}
	defer func() { err = errors.Join(err, b.close(err != nil)) }()
	if b.certificate, err = newCertificate(dir); err != nil {
		return nil, err
	}
	movers := []mover{moverConnector}
	if o.wants("stock") {
		movers = append(movers, moverStock)
	}
	if err := b.build(ctx, movers...); err != nil {
		return nil, err
	}
	began := time.Now()
	r = &results{options: o}
	for _, part := range []struct {
		name string
		do   func(context.Context, *bench) error
	}{
		{"matrix", r.measureMatrix},
		{"stock", r.measureStock},
		{"formats", r.measureFormats},
		{"tls", r.measureTLS},
		{"bill", r.measureBill},
		{"memory", r.measureMemory},
		{"outage", r.measureOutage},
	} {
		if !o.wants(part.name) {
			continue
		}
		b.progress("%s\n", part.name)
		if err := part.do(ctx, b); err != nil {
			return nil, fmt.Errorf("%w; logs are in %s", err, dir)
		}
	}
	r.took = time.Since(began)
	return r, nil
}

func (r *results) measureMatrix(ctx context.Context, b *bench) error {
	for _, s := range matrix(b.options) {
		samples, err := b.alternate(ctx, s.with(moverFloor), s)
		if err != nil {
			return err
		}
		r.matrix = append(r.matrix, cell{setup: s, floor: samples[0], connector: samples[1]})
	}
	return nil
}

// minStock is how many times as much the serializer of the SDK costs, or more.
const minStock = 3

func (r *results) measureStock(ctx context.Context, b *bench) error {
	s := b.base(1 << 10)
	samples, err := b.alternate(ctx, s.with(moverStock), s, s.with(moverFloor))
	if err == nil {
		r.rows = append(r.rows,
			row{what: "the SDK's own serializer", against: "the connector", one: samples[0], other: samples[1], least: minStock},
			row{what: "the SDK's own serializer", against: "the floor, which is the most there could be", one: samples[0], other: samples[2]})
	}
	return err
}

// measureFormats compares formats and what is done to values with raw records. The bounds leave room for the noise of one round beside the
// figures of deploy/docs/transform.md.
func (r *results) measureFormats(ctx context.Context, b *bench) error {
	// Those that take turns have two sources at most, since there are two brokers at most.
	for _, turns := range [][]row{
		{
			{what: "RECORD_FORMAT=json, the envelope", format: "json", most: 1.5},
			{what: "RECORD_FORMAT=avro, to JSON", format: "avro", most: 1.5},
			{what: "RECORD_FILTER, by a member of the value", format: "filter", most: 1.8},
			{what: "RECORD_MASK, one digest", format: "mask", most: 1.7},
		},
		{{what: "RECORD_FORMAT=avro, AWS Glue's framing", format: "glue", most: 1.6}},
		{{what: "RECORD_UNWRAP=debezium", format: "unwrap", most: 1.6}},
	} {
		setups := []setup{b.base(1 << 10)}
		for _, w := range turns {
			s := b.base(1 << 10)
			s.format = w.format
			setups = append(setups, s)
		}
		samples, err := b.alternate(ctx, setups...)
		if err != nil {
			return err
		}
		for i, w := range turns {
			w.against, w.one, w.other = "raw", samples[i+1], samples[0]
			r.rows = append(r.rows, w)
		}
	}
	return nil
}

func (r *results) measureTLS(ctx context.Context, b *bench) error {
	plain, secure := b.base(1<<10), b.base(1<<10)
	secure.tls = true
	samples, err := b.alternate(ctx, plain, secure, secure.with(moverFloor))
	if err == nil {
		r.rows = append(r.rows,
			row{what: "TLS to Firehose", against: "without", one: samples[1], other: samples[0]},
			row{what: "TLS to Firehose", against: "the floor with TLS", one: samples[1], other: samples[2]})
	}
	return err
}

func (r *results) measureBill(ctx context.Context, b *bench) error {
	s := b.base(smallest)
	s.aggregate = true
	return r.remember(ctx, b, &r.bill, s)
}

// measureMemory takes what grows most when it is decompressed, and what comes from the
// most partitions.
func (r *results) measureMemory(ctx context.Context, b *bench) error {
	for _, buffered := range []int64{32 << 20, 64 << 20, 256 << 20} {
		small, many := b.base(200), b.base(8<<10)
		many.partitions = 1000
		small.buffered, many.buffered = buffered, buffered
		if err := errors.Join(r.remember(ctx, b, &r.memory, small), r.remember(ctx, b, &r.memory, many)); err != nil {
			return err
		}
	}
	return nil
}

func (r *results) measureOutage(ctx context.Context, b *bench) error {
	s := b.base(200)
	s.outage = b.options.outage
	return r.remember(ctx, b, &r.memory, s)
}

// remember measures s once.
func (r *results) remember(ctx context.Context, b *bench, in *[]sample, s setup) error {
	one, err := b.measure(ctx, s)
	if err == nil {
		b.progress("  %-9s  %s: %.0f MB/s, %d MiB\n", s.mover, s, one.rate(), one.peak>>20)
		*in = append(*in, one)
	}
	return err
}
