package connector

import (
	"bytes"
	"compress/gzip"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/connector/convert"
)

// TestRecordAtTheOffset: the record that is read again for a letter is the one that was
// sent, or its letter has what was sent. A topic that was created again has another
// record at the offset.
func TestRecordAtTheOffset(t *testing.T) {
	l := &pipeline{convert: convert.New(convert.Config{Format: "raw", Delimiter: "\n"}, nil)}
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	_, _ = z.Write([]byte("value\n"))
	_ = z.Close()
	for _, tt := range []struct {
		value string
		sent  []byte
		want  bool
	}{
		{"value", []byte("value\n"), true},
		{"value", zipped.Bytes(), true},
		{"other", []byte("value\n"), false},
		{"valu", []byte("value\n"), false},
		{"other", zipped.Bytes(), false},
		{"val", zipped.Bytes(), false},
		{"value", zipped.Bytes()[:15], false},
	} {
		if got := l.matchesSent(&kgo.Record{Value: []byte(tt.value)}, tt.sent); got != tt.want {
			t.Errorf("a record %q became %q: %v, want %v", tt.value, tt.sent, got, tt.want)
		}
	}
	if l.matchesSent(&kgo.Record{}, []byte("\n")) {
		t.Error("a record without a value became something")
	}
}
