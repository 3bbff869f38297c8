package deadletter

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"

	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	// overhead is what a letter weighs beside its record: our headers, the structs,
	// the client's books.
	overhead = 3 << 10
	// batchOverhead is what a batch of one record takes beside the record's parts:
	// 61 bytes of header and the varints of the record, at their longest.
	batchOverhead = 128
	// headerOverhead are the two lengths of a header, at their longest.
	headerOverhead = 10
)

// recordSize is what a record's key, value and headers weigh, in bytes.
func recordSize(r *kgo.Record) int {
	n := len(r.Key) + len(r.Value)
	for i := range r.Headers {
		n += len(r.Headers[i].Key) + len(r.Headers[i].Value)
	}
	return n
}

// RecordWeight is the memory that a letter of r keeps alive, in bytes: its copy, and the
// request that is made of it.
func RecordWeight(r *kgo.Record) int64 { return int64(2*recordSize(r) + overhead) }

// maxBytes is the most that the letter can be in a batch of its own, in bytes, as the
// topic's max.message.bytes counts them. Compression would make it less; the client
// looks at the size before it.
func (l *queuedLetter) maxBytes() int {
	return recordSize(l.record) + headerOverhead*len(l.record.Headers) + batchOverhead
}

// shrinkToDigest leaves out of the letter what makes it too large for the topic and puts a
// digest in its place: of the value first, then of the key and all headers that are
// not ours. It is false when nothing is left to leave out.
func (l *queuedLetter) shrinkToDigest() bool {
	r := l.record
	add := func(name, value string) {
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: name, Value: []byte(value)})
	}
	switch {
	case len(r.Value) > 0:
		add(headerDigest, digestText(r.Value))
		add(headerSize, strconv.Itoa(len(r.Value)))
		r.Value = nil
	case len(r.Key) > 0 || l.own > 0:
		headers := 0
		for _, h := range r.Headers[:l.own] {
			headers += len(h.Key) + len(h.Value)
		}
		r.Headers = append([]kgo.RecordHeader(nil), r.Headers[l.own:]...)
		l.own = 0
		add(headerKeyDigest, digestText(r.Key))
		add(headerKeySize, strconv.Itoa(len(r.Key)))
		add(headerHeaders, strconv.Itoa(headers))
		r.Key = nil
	default:
		return false
	}
	return true
}

func digestText(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
