package convert

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/connector/batch"
)

// compileSchema makes d usable for records of cfg alone.
func compileSchema(cfg Config, d SchemaDefinition) (Schema, error) {
	return CompileFor(cfg, cfg.SchemaFormats(), d)
}

func TestAppend(t *testing.T) {
	f := func(delimiter, value, want string) {
		t.Helper()
		c := New(Config{Delimiter: Delimiter(delimiter), Tombstones: "skip"}, nil)
		got, err := c.Append([]byte("before "), &kgo.Record{Value: []byte(value)})
		if err != nil || string(got) != "before "+want {
			t.Errorf("delimiter %q, value %q: %q, %v; want %q", delimiter, value, got, err, want)
		}
	}
	f("\n", "a", "a\n")
	f("\n", "a\n", "a\n")
	f("\n", "a\n\n", "a\n\n")
	f("\n", "", "\n")
	f("", "a", "a")
	f("", "", "")
	f("\r\n", "a\n", "a\n\r\n")
	f("\r\n", "a\r\n", "a\r\n")
	f("\x00", "\xff\xfe", "\xff\xfe\x00")
}

// TestSize puts values at the limit and one above it, the delimiter included.
func TestSize(t *testing.T) {
	f := func(delimiter string, size int, fits bool) {
		t.Helper()
		c := New(Config{Delimiter: Delimiter(delimiter)}, nil)
		dst := []byte("x")
		got, err := c.Append(dst, &kgo.Record{Value: bytes.Repeat([]byte{'v'}, size)})
		var bad *BadRecord
		switch {
		case fits && (err != nil || len(got) != 1+size+len(delimiter)):
			t.Errorf("%d bytes: %v", size, err)
		case !fits && (!errors.As(err, &bad) || bad.Reason != TooLarge || bad.Skip || bad.Size != size+len(delimiter) || len(got) != 1):
			t.Errorf("%d bytes: %v, %d appended", size, err, len(got)-1)
		}
	}
	f("\n", batch.MaxRecordBytes-1, true)
	f("\n", batch.MaxRecordBytes, false)
	f("", batch.MaxRecordBytes, true)
	f("", batch.MaxRecordBytes+1, false)
}

// TestSizeCompressed: what counts is what is left of a value.
func TestSizeCompressed(t *testing.T) {
	noise := make([]byte, batch.MaxRecordBytes)
	rng := rand.New(rand.NewPCG(1, 1))
	for i := range noise {
		noise[i] = byte(rng.Uint32())
	}
	f := func(name string, value []byte, fits bool, least, most int) {
		t.Helper()
		for format, want := range map[string]int{"raw": len(value) + 1, "json": 0} {
			cfg := configForValidate()
			cfg.Format, cfg.Aggregate, cfg.Compression = format, true, "gzip"
			got, err := New(cfg, nil).Append([]byte("x"), &kgo.Record{Value: value})
			var bad *BadRecord
			switch {
			case fits && (err != nil || want > 0 && len(got) != 1+want):
				t.Errorf("%s as %s: %d bytes, %v", name, format, len(got), err)
			case !fits && (!errors.As(err, &bad) || bad.Reason != TooLarge || bad.Size < least || format == "raw" && bad.Size > most || string(got) != "x"):
				t.Errorf("%s as %s: %v", name, format, err)
			}
		}
	}
	f("noise that is stored", noise[:700_000], true, 0, 0)
	f("noise", noise, false, batch.MaxRecordBytes+1, batch.GzipBound(batch.MaxRecordBytes+1))
	f("blanks", bytes.Repeat([]byte{' '}, 9*batch.MaxRecordBytes), true, 0, 0)
	f("too many blanks", bytes.Repeat([]byte{' '}, 10*batch.MaxRecordBytes), false, 10*batch.MaxRecordBytes, 10*batch.MaxRecordBytes+1)
}

func TestTombstones(t *testing.T) {
	for policy, skip := range map[string]bool{"skip": true, "bad": false} {
		var bad *BadRecord
		_, err := New(Config{Tombstones: policy}, nil).Append(nil, &kgo.Record{})
		if !errors.As(err, &bad) || bad.Reason != Tombstone || bad.Skip != skip {
			t.Errorf("policy %s: %v", policy, err)
		}
	}
}

// BenchmarkAppend is one value of 200 bytes:
//
//	go test ./connector/convert -bench . -benchmem
func BenchmarkAppend(b *testing.B) {
	c, r := New(Config{Delimiter: "\n"}, nil), &kgo.Record{Value: bytes.Repeat([]byte{'x'}, 200)}
	buf := make([]byte, 0, 1<<10)
	b.ReportAllocs()
	b.SetBytes(200)
	for b.Loop() {
		buf, _ = c.Append(buf[:0], r)
	}
}
