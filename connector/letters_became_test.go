package connector

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/connector/convert"
	"kafka-firehose/connector/offset"
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
		if got, err := l.matchesSent(t.Context(), nil, &kgo.Record{Value: []byte(tt.value)}, tt.sent); err != nil || got != tt.want {
			t.Errorf("a record %q became %q: %v, %v, want %v", tt.value, tt.sent, got, err, tt.want)
		}
	}
	if got, err := l.matchesSent(t.Context(), nil, &kgo.Record{}, []byte("\n")); err != nil || got {
		t.Errorf("a record without a value became something: %v", err)
	}
}

// TestRecordWhoseSchemaIsNotKept: that the schema of a record is not in memory says nothing about which record it is.
func TestRecordWhoseSchemaIsNotKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newRig(t, "exit", 0)
		open, closed := l.leases[:1], []*offset.Lease{offset.NewLease("t", 0)}
		closed[0].Close()
		record := func(schema byte) *kgo.Record {
			return &kgo.Record{Value: append([]byte{0, 0, 0, 0, schema}, "0 number"...)}
		}
		if got, err := l.matchesSent(t.Context(), closed, record(1), []byte("number\n")); err != nil || got {
			t.Errorf("a record of a partition that was revoked: %v, %v", got, err)
		}
		if got, err := l.matchesSent(t.Context(), open, record(1), []byte("number\n")); err != nil || !got {
			t.Errorf("a record whose schema has to be fetched is another one: %v, %v", got, err)
		}
		if got, err := l.matchesSent(t.Context(), open, record(2), []byte("another\n")); err != nil || got {
			t.Errorf("another record is the one that was sent: %v, %v", got, err)
		}
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := l.matchesSent(ended, open, record(3), []byte("number\n")); !errors.Is(err, context.Canceled) {
			t.Errorf("after the end: %v", err)
		}
		time.Sleep(time.Minute) // requests that are under way end
	})
}
