package broker

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/twmb/avro"
)

// Values have the size that was asked for, are what they say, and shrink as data does.
func TestValues(t *testing.T) {
	t.Parallel()
	schema := avro.MustParse(Schema)
	for _, size := range []int{100, 200, 1 << 10, 8 << 10} {
		v, again := newValues(1, size), newValues(1, size)
		var all []byte
		for len(all) < 128<<10 {
			b := v.json()
			if len(b) != size || !json.Valid(b) || !bytes.Equal(b, again.json()) {
				t.Fatalf("want %d bytes of JSON, the same each time, got %d: %s", size, len(b), b)
			}
			all = append(all, b...)
		}
		encoder, err := zstd.NewWriter(nil)
		if err != nil {
			t.Fatal(err)
		}
		if shrinks := float64(len(all)) / float64(len(encoder.EncodeAll(all, nil))); shrinks < 3 || shrinks > 4.2 {
			t.Errorf("%d bytes shrink to a %.1fth", size, shrinks)
		}
		var decoded map[string]any
		b := newValues(1, max(size, 200)).avro()
		if rest, err := schema.Decode(b[5:], &decoded); err != nil || len(rest) > 0 || len(b) != max(size, 200) || decoded["user"] == nil {
			t.Errorf("%d bytes of Avro, %d left over: %v %v", len(b), len(rest), err, decoded)
		}
	}
}
