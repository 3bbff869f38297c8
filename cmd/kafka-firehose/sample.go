package main

import (
	"context"
	"encoding/base64"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"kafka-firehose/connector"
	"kafka-firehose/connector/env"
	"kafka-firehose/connector/preflight/check"
)

// maxSampleBytes is far above any value that Kafka takes by default, and bounds the memory for one.
const maxSampleBytes = 64 * env.MiB

// sampleFlags are the flags of check that describe a sample record.
type sampleFlags struct {
	file      string // of the value; - is stdin
	tombstone bool   // there is no value
	topic     string
	key       string
	keyFile   string
	headers   []connector.SampleHeader
	partition int
	offset    int64
	timestamp string
	given     map[string]bool // flags of the command line
}

// recordFlags are the flags that have no effect without a record.
var recordFlags = []string{"topic", "key", "key-file", "header", "header-base64", "partition", "offset", "timestamp"}

func (a *sampleFlags) declareFlags(flags *flag.FlagSet) {
	flags.StringVar(&a.file, "record", "", "show what becomes of a record whose value is the content of a `file`; - is standard input")
	flags.BoolVar(&a.tombstone, "tombstone", false, "show what becomes of a record whose value is null")
	flags.StringVar(&a.topic, "topic", "", "`topic` of the record (default the one that the service reads, if it reads one)")
	flags.StringVar(&a.key, "key", "", "`text` of the record's key (default none: the key is null)")
	flags.StringVar(&a.keyFile, "key-file", "", "`file` with the key, in the place of -key")
	flags.Func("header", "header of the record, `name=value`, or name alone for a null; can be repeated", a.addHeader)
	flags.Func("header-base64", "header whose value is binary, `name=base64`; can be repeated", a.addBinaryHeader)
	flags.IntVar(&a.partition, "partition", 0, "`partition` of the record")
	flags.Int64Var(&a.offset, "offset", 0, "`offset` of the record")
	flags.StringVar(&a.timestamp, "timestamp", "", "`time` of the record, RFC 3339 or milliseconds since 1970 (default now)")
}

func (a *sampleFlags) addHeader(text string) error {
	name, value, valued := strings.Cut(text, "=")
	h := connector.SampleHeader{Name: name}
	if valued {
		h.Value = []byte(value)
	}
	a.headers = append(a.headers, h)
	return nil
}

func (a *sampleFlags) addBinaryHeader(text string) error {
	name, digits, valued := strings.Cut(text, "=")
	value, err := base64.StdEncoding.DecodeString(digits)
	if !valued || err != nil {
		return errors.New("want name=base64")
	}
	a.headers = append(a.headers, connector.SampleHeader{Name: name, Value: value})
	return nil
}

// wanted reports whether there is a record to look at.
func (a *sampleFlags) wanted() bool { return a.given["record"] || a.tombstone }

func (a *sampleFlags) validate(flags *flag.FlagSet) error {
	a.given = map[string]bool{}
	flags.Visit(func(f *flag.Flag) { a.given[f.Name] = true })
	if !a.wanted() {
		for _, name := range recordFlags {
			if a.given[name] {
				return fmt.Errorf("-%s describes a record, and there is none; want -record FILE or -tombstone, too", name)
			}
		}
		return nil
	}
	switch {
	case a.given["record"] && a.tombstone:
		return errors.New("-tombstone is a record without a value, and -record names one; want one of them")
	case a.given["record"] && a.file == "":
		return errors.New("-record is empty; want the path of a file with the value, or - for standard input")
	case a.given["key"] && a.given["key-file"]:
		return errors.New("-key and -key-file are both given; want one of them")
	case a.file == "-" && a.keyFile == "-":
		return errors.New("-record and -key-file are both -; standard input is one of them")
	case a.partition < 0 || int(int32(a.partition)) != a.partition:
		return fmt.Errorf("-partition is %d; want 0 to 2147483647", a.partition)
	case a.offset < 0:
		return fmt.Errorf("-offset is %d; want 0 or more", a.offset)
	}
	_, err := a.parseTimestamp(time.Time{})
	return err
}

// parseTimestamp returns now without a flag. Kafka keeps milliseconds.
func (a *sampleFlags) parseTimestamp(now time.Time) (time.Time, error) {
	if a.timestamp == "" {
		return now.Truncate(time.Millisecond), nil
	}
	if ms, err := strconv.ParseInt(a.timestamp, 10, 64); err == nil {
		return time.UnixMilli(ms), nil
	}
	t, err := time.Parse(time.RFC3339, a.timestamp)
	if err != nil {
		return t, fmt.Errorf("-timestamp is %q; want a time such as 2026-01-31T08:00:00Z, or milliseconds since 1970", a.timestamp)
	}
	return t.Truncate(time.Millisecond), nil
}

// readRecord reads the files of the record. It returns an error when ctx ends before they do.
func (a *sampleFlags) readRecord(ctx context.Context, stdin io.Reader) (r connector.Sample, err error) {
	r = connector.Sample{Topic: a.topic, Partition: int32(a.partition), Offset: a.offset, Headers: a.headers}
	if r.Timestamp, err = a.parseTimestamp(time.Now()); err != nil {
		return r, err
	}
	if a.given["key"] {
		r.Key = []byte(a.key)
	}
	if a.keyFile != "" {
		if r.Key, err = readSample(ctx, a.keyFile, stdin); err != nil {
			return r, fmt.Errorf("-key-file %w", err)
		}
	}
	if !a.tombstone {
		if r.Value, err = readSample(ctx, a.file, stdin); err != nil {
			return r, fmt.Errorf("-record %w", err)
		}
	}
	return r, nil
}

// readSample reads all of a file, or of stdin for -. A pipe may never end, so that ctx bounds the wait, and the goroutine that
// still reads ends with the process.
func readSample(ctx context.Context, name string, stdin io.Reader) ([]byte, error) {
	type content struct {
		data []byte
		err  error
	}
	read := make(chan content, 1)
	go func() {
		data, err := readBounded(name, stdin)
		read <- content{data, err}
	}()
	select {
	case c := <-read:
		return c.data, c.err
	case <-ctx.Done():
		return nil, fmt.Errorf("%s: its end did not come in time: %w", name, context.Cause(ctx))
	}
}

// readBounded returns at most maxSampleBytes, and never nil without an error: an empty value is not null.
func readBounded(name string, stdin io.Reader) ([]byte, error) {
	in := stdin
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			if path, ok := errors.AsType[*os.PathError](err); ok {
				err = path.Err
			}
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		defer f.Close()
		if info, err := f.Stat(); err == nil && info.IsDir() {
			return nil, fmt.Errorf("%s: it is a directory; want a file with the value of one record", name)
		}
		in = f
	}
	data, err := io.ReadAll(io.LimitReader(in, int64(maxSampleBytes)+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s: %w", name, err)
	case len(data) > int(maxSampleBytes):
		return nil, fmt.Errorf("%s: it has more than %s; want a file with one record of Kafka", name, maxSampleBytes)
	case data == nil:
		data = []byte{}
	}
	return data, nil
}

// inspectSample reads the record and follows it until its end is known, time is up or a signal comes.
func (p process) inspectSample(ctx context.Context, a *sampleFlags, timeout time.Duration) (check.SampleReport, error) {
	ctx, cancel := p.boundInspection(ctx, timeout)
	defer cancel()
	record, err := a.readRecord(ctx, p.stdin)
	if err != nil {
		return check.SampleReport{}, err
	}
	cfg, warnings, faults := connector.LoadEnvironment()
	return connector.InspectSample(ctx, cfg, warnings, faults, record, connector.Options{}), nil
}
