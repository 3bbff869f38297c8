package env_test

import (
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"kafka-firehose/connector/env"
)

func TestBytesDecode(t *testing.T) {
	tests := []struct {
		in   string
		want env.Bytes
	}{
		{"0", 0},
		{"1", 1},
		{"4000000", 4_000_000},
		{"4194304", 4 * env.MiB},
		{"1KiB", 1024},
		{"1Ki", 1024},
		{"256MiB", 256 << 20},
		{"256Mi", 256 << 20},
		{"2GiB", 2 << 30},
		{"2Gi", 2 << 30},
		{"9223372036854775807", math.MaxInt64},
		{"8589934591GiB", 8589934591 << 30},
	}
	for _, test := range tests {
		var got env.Bytes
		if err := got.Decode(test.in); err != nil || got != test.want {
			t.Errorf("%q: %d, %v; want %d", test.in, got, err, test.want)
		}
	}
}

func TestBytesDecodeRefuses(t *testing.T) {
	for _, in := range []string{
		"", " ", "1 ", " 1", "-1", "+1", "1_000", "0x10", "1.5GiB", "1e6", "KiB", "Ki", "B", "1B", "1K", "1M", "1MB", "1mib",
		"1 MiB", "1MiBB", "1KiKi", "-1KiB", "9223372036854775808", "8589934592GiB", "99999999999999999999KiB", "²", "１",
	} {
		b := env.Bytes(7)
		if err := b.Decode(in); err == nil || !strings.Contains(err.Error(), "want a size") || b != 7 {
			t.Errorf("%q: %d, %v; want a fault and the value as it was", in, b, err)
		}
	}
}

func TestBytesRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := env.Bytes(rapid.Int64Min(0).Draw(t, "bytes"))
		var got env.Bytes
		if err := got.Decode(want.String()); err != nil || got != want {
			t.Fatalf("%s reads as %d, %v; want %d", want, got, err, int64(want))
		}
	})
	for b, want := range map[env.Bytes]string{0: "0", 1: "1", 1000: "1000", env.KiB: "1KiB", 1536 * env.KiB: "1536KiB", env.GiB: "1GiB", 4_000_000: "4000000"} {
		if got := b.String(); got != want {
			t.Errorf("%d prints as %s, want %s", int64(b), got, want)
		}
	}
}
