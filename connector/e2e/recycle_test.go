package e2e_test

import (
	"bytes"
	"sync/atomic"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/connector"
	"kafka-firehose/connector/batch"
)

// lent counts the records that the client has taken memory for, and the decompressed bytes that come back. What
// comes back has something else in it at once, which whoever still reads it delivers.
type lent struct{ out, back, bytes atomic.Int64 }

func (l *lent) GetRecords(n int) []kgo.Record {
	l.out.Add(int64(n))
	return make([]kgo.Record, n)
}

func (l *lent) PutRecords(records []kgo.Record) {
	l.back.Add(int64(len(records)))
	for i := range records {
		records[i] = kgo.Record{Topic: "recycled", Partition: -1, Offset: -1, Value: []byte("recycled")}
	}
}

func (l *lent) GetDecompressBytes([]byte, kgo.CompressionCodecType) []byte { return nil }

func (l *lent) PutDecompressBytes(b []byte) {
	l.bytes.Add(int64(len(b)))
	for i := range b {
		b[i] = '0'
	}
}

// TestRecordsGoBack: the client gets the memory of each record again that was packed, or
// skipped, or went to the dead-letter topic, and of its bytes, and nobody looks at it any more.
func TestRecordsGoBack(t *testing.T) { bubble(t, recordsGoBack) }

func recordsGoBack(w *world) {
	const n = 3000
	records := &lent{}
	w.records = records
	w.topic(w.name("dead"), 1)
	w.produceWith(0, n, func(i int) *kgo.Record {
		r := w.numbered(i)
		switch {
		case i%100 == 7:
			r.Value = nil
		case i%500 == 11:
			r.Value = bytes.Repeat([]byte("x"), batch.MaxRecordBytes)
		}
		return r
	})
	m := w.start(func(c *connector.Config) {
		c.BadRecordPolicy, c.DeadLetter.Topic = "dead-letter", w.name("dead")
	})
	w.untilCommitted(n)
	m.mustStop()
	if lost, copies := w.judge.count(n); lost != n/100+n/500 || copies > 0 {
		w.t.Errorf("%d records were not delivered and %d came twice, want %d and 0", lost, copies, n/100+n/500)
	}
	if out, back := records.out.Load(), records.back.Load(); out < n || back != out {
		w.t.Errorf("%d of %d records came back", back, out)
	}
	if bytes := records.bytes.Load(); bytes < n/500*batch.MaxRecordBytes {
		w.t.Errorf("%d decompressed bytes came back, want those of %d large records at least", bytes, n/500)
	}
}
