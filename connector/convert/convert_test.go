package convert

import (
	"bytes"
	"errors"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

func TestAppend(t *testing.T) {
	f := func(delimiter, value, want string) {
		t.Helper()
		c := New(Config{Delimiter: Delimiter(delimiter), Tombstones: "skip"})
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
		c := New(Config{Delimiter: Delimiter(delimiter)})
		dst := []byte("x")
		got, err := c.Append(dst, &kgo.Record{Value: bytes.Repeat([]byte{'v'}, size)})
		var reject *Reject
		switch {
		case fits && (err != nil || len(got) != 1+size+len(delimiter)):
			t.Errorf("%d bytes: %v", size, err)
		case !fits && (!errors.As(err, &reject) || reject.Reason != TooLarge || reject.Skip || reject.Size != size+len(delimiter) || len(got) != 1):
			t.Errorf("%d bytes: %v, %d appended", size, err, len(got)-1)
		}
	}
	f("\n", MaxRecordBytes-1, true)
	f("\n", MaxRecordBytes, false)
	f("", MaxRecordBytes, true)
	f("", MaxRecordBytes+1, false)
}

func TestTombstones(t *testing.T) {
	for policy, skip := range map[string]bool{"skip": true, "bad": false} {
		var reject *Reject
		_, err := New(Config{Tombstones: policy}).Append(nil, &kgo.Record{})
		if !errors.As(err, &reject) || reject.Reason != Tombstone || reject.Skip != skip {
			t.Errorf("policy %s: %v", policy, err)
		}
	}
}

// BenchmarkAppend is one value of 200 bytes:
//
//	go test ./connector/convert -bench . -benchmem
func BenchmarkAppend(b *testing.B) {
	c, r := New(Config{Delimiter: "\n"}), &kgo.Record{Value: bytes.Repeat([]byte{'x'}, 200)}
	buf := make([]byte, 0, 1<<10)
	b.ReportAllocs()
	b.SetBytes(200)
	for b.Loop() {
		buf, _ = c.Append(buf[:0], r)
	}
}
