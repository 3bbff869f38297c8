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

// size is what a record's key, value and headers weigh, in bytes.
func size(r *kgo.Record) int {
	n := len(r.Key) + len(r.Value)
	for i := range r.Headers {
		n += len(r.Headers[i].Key) + len(r.Headers[i].Value)
	}
	return n
}

// Weight is the memory that a letter of r keeps alive, in bytes: its copy, and the
// request that is made of it.
func Weight(r *kgo.Record) int64 { return int64(2*size(r) + overhead) }

// bound is the most that the letter can be in a batch of its own, in bytes, as the
// topic's max.message.bytes counts them. Compression would make it less; the client
// looks at the size before it.
func (l *letter) bound() int {
	return size(l.record) + headerOverhead*len(l.record.Headers) + batchOverhead
}

// shrink leaves out of the letter what makes it too large for the topic and puts a
// digest in its place: of the value first, then of the key and all headers that are
// not ours. It is false when nothing is left to leave out.
func (l *letter) shrink() bool {
	r := l.record
	add := func(name, value string) {
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: name, Value: []byte(value)})
	}
	switch {
	case len(r.Value) > 0:
		add(headerDigest, digest(r.Value))
		add(headerSize, strconv.Itoa(len(r.Value)))
		r.Value = nil
	case len(r.Key) > 0 || l.own > 0:
		headers := 0
		for _, h := range r.Headers[:l.own] {
			headers += len(h.Key) + len(h.Value)
		}
		r.Headers = append([]kgo.RecordHeader(nil), r.Headers[l.own:]...)
		l.own = 0
		add(headerKeyDigest, digest(r.Key))
		add(headerKeySize, strconv.Itoa(len(r.Key)))
		add(headerHeaders, strconv.Itoa(headers))
		r.Key = nil
	default:
		return false
	}
	return true
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
