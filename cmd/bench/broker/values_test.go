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
		for framing, b := range map[int][]byte{5: newValues(1, max(size, 200)).avro(), 18: newValues(1, max(size, 200)).glue()} {
			var decoded map[string]any
			if rest, err := schema.Decode(b[framing:], &decoded); err != nil || len(rest) > 0 || len(b) != max(size, 200) || decoded["user"] == nil {
				t.Errorf("%d bytes of Avro, %d left over: %v %v", len(b), len(rest), err, decoded)
			}
		}
		var change struct {
			Op     string
			After  struct{ User int64 }
			Source struct{ Table string }
		}
		if b := newValues(1, max(size, 600)).debezium(); json.Unmarshal(b, &change) != nil || len(b) != max(size, 600) || change.Op != "c" || change.After.User == 0 || change.Source.Table == "" {
			t.Errorf("%d bytes of a change event: %s", len(b), b)
		}
	}
}
