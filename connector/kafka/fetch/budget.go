package fetch

import (
	"errors"
	"fmt"
	"hash/maphash"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/connector/env"
)

// Budget bounds the memory of fetched records. The client decodes a whole response
// before anything can be polled, one response of each broker at a time, and a few KB can
// stand for millions of records: so batches are counted before the client makes records
// of them (watchedConn), and when they are decompressed (decompressor).
//
// All fetched and not yet polled records together take at most max bytes. A batch that
// finds no room is fetched again later. So that every batch has its turn, one response at
// a time may exceed the maximum with its first batch. A batch that needs more than max
// bytes by itself is never decoded.
//
// A response is held from its arrival to the next fetch request to the same broker, which
// the client sends when it holds nothing of the response any more.
type Budget struct {
	bytes    Bytes
	max      int64        // bytes.Max
	buffered func() int64 // records that the client holds; nil for one that holds none for long
	seed     maphash.Seed

	mu        sync.Mutex
	used      int64                  // bytes of all responses, without the excess
	excess    *response              // that which exceeds max, nil for none
	responses map[string]*response   // by broker address
	packed    map[uint64]packedBatch // compressed batches that the client has not decompressed yet, by their hash
	refused   map[topicPartition]*BatchError
}

// response is the memory of one broker's response. It belongs to the budget's lock.
type response struct {
	held     int64 // bytes of used
	counted  bool  // has records that were not compressed
	unpacked bool  // has a batch that was decompressed
	ended    bool  // nothing is counted any more
	packed   []uint64
	closed   time.Time // when its connection was; zero for one that is open
}

// packedBatch is what the header of a compressed batch says.
type packedBatch struct {
	response *response
	offset   int64
	records  int64 // or inMessageSet, or unknownRecords
}

// A message set has no count of its messages.
const (
	inMessageSet   = -1
	unknownRecords = -2
)

// topicPartition names a partition as a response does: by id since version 13, by name before.
type topicPartition struct {
	topic     string
	id        [16]byte
	partition int32
}

const (
	// MaxFetched is the largest Bytes.Max: the largest response that the client can read.
	MaxFetched = 1 << 30
	// closedTime after the end of a connection its last response has been polled: a caller that
	// needs room polls, and records are polled in the order in which they came.
	closedTime = time.Minute
	// HeaderBytes is the size of a kgo.RecordHeader in memory, beside its key and value.
	HeaderBytes = 40
	// messageBytes is the memory of a message of a set (formats 0 and 1) beside its kgo.Record,
	// its key and its value: the client collects all before it makes records of them.
	messageBytes = 320
)

// RecordBytes is what a kgo.Record weighs in memory beside its key, value and
// headers: itself, a pointer to it, and what records has too much on average.
const RecordBytes = 160 + 8 + 160/recordsLoose/2

// BatchBytes is what each batch of the log weighs beside its records: its header, and what
// the client needs to know of it to get their memory back. It counts where producers send
// records one by one.
const BatchBytes = 200

// Bytes is the memory of fetched records that were not polled yet, in bytes. The connector divides
// MAX_BUFFERED_BYTES.
type Bytes struct {
	Setting       int64 // MAX_BUFFERED_BYTES, for messages
	SettingPerMax int64 // how much larger it has to be for each byte of Max, for messages
	Aim           int64 // fetches of all brokers together aim at this
	PooledRecords int64 // memory of records that is kept for the next fetches, beside Aim
	PooledBatches int64 // likewise, of decompressed batches
	Max           int64 // of all records together, and of one batch
	Response      int64 // a response that is not larger is read without asking for room
	Uncompressed  int64 // of Max, for records that are not compressed
}

// Pooled is the memory that is kept for the next fetches, beside Aim.
func (b Bytes) Pooled() int64 { return b.PooledRecords + b.PooledBatches }

// NewBudget returns the budget of one client.
func NewBudget(bytes Bytes) *Budget {
	return &Budget{
		bytes: bytes, max: bytes.Max, seed: maphash.MakeSeed(),
		responses: map[string]*response{},
		packed:    map[uint64]packedBatch{},
		refused:   map[topicPartition]*BatchError{},
	}
}

// BatchError is a batch that is not handed to the client.
type BatchError struct {
	Topic     string
	Partition int32
	Offset    int64 // of the first record of the batch, -1 if unknown
	// TooLarge: a larger MAX_BUFFERED_BYTES would help. Otherwise the batch is malformed.
	TooLarge bool
	text     string
	later    bool // there is no room at the moment
}

func (e *BatchError) Error() string {
	if e.Offset < 0 {
		return "batch " + e.text
	}
	return fmt.Sprintf("batch at offset %d %s", e.Offset, e.text)
}

// ErrNoRoom is the refusal of a batch that there is no room for at the moment.
var ErrNoRoom = &BatchError{Offset: -1, later: true, text: "is fetched again when other records have left memory"}

// malformedBatch is an error about a batch that contradicts itself.
func malformedBatch(offset int64, format string, args ...any) *BatchError {
	return &BatchError{Offset: offset, text: fmt.Sprintf(format, args...)}
}

// tooLarge is the error about a batch that needs bytes of memory. format says why.
func (b *Budget) tooLarge(offset, bytes int64, format string, args ...any) *BatchError {
	text := fmt.Sprintf(format, args...) + fmt.Sprintf(": MAX_BUFFERED_BYTES=%s allows a batch of %s; ", env.Bytes(b.bytes.Setting), formatMebibytes(b.max))
	if bytes > MaxFetched {
		text += "no setting allows one of more than " + formatMebibytes(MaxFetched) + ": have producers write smaller batches"
	} else {
		text += "set MAX_BUFFERED_BYTES to " + formatMebibytes(bytes*b.bytes.SettingPerMax) + " or more, or have producers write smaller batches"
	}
	return &BatchError{Offset: offset, TooLarge: true, text: text}
}

// formatMebibytes rounds a size up, in the form of a setting.
func formatMebibytes(n int64) string {
	const unit = int64(env.MiB)
	return fmt.Sprintf("%dMiB", (n+unit-1)/unit)
}

// Max is the largest memory of all fetched records together, in bytes.
func (b *Budget) Max() int64 { return b.max }

// ClientOptions returns the options that keep a client, which connects by dial, to the budget. p is the pool of a client whose records are recycled.
func (b *Budget) ClientOptions(dial dialFunc, p Pool) []kgo.Opt {
	return []kgo.Opt{
		kgo.Dialer(b.wrapDialer(dial)),
		kgo.BrokerMaxReadBytes(int32(b.maxResponse())),
		kgo.WithDecompressor(NewDecompressor(b, p)),
	}
}

// WatchBuffered makes the number of records known that the client holds.
func (b *Budget) WatchBuffered(buffered func() int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.buffered = buffered
}

// maxResponse is the largest response that the client has to read, in bytes.
func (b *Budget) maxResponse() int { return max(maxOtherResponse, int(b.max)) }

// beginResponse begins a response of size bytes, which ends the one before of the same broker. It
// returns nil when there is no room for it.
func (b *Budget) beginResponse(broker string, size int64) *response {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.endResponse(broker)
	r := &response{}
	if size <= b.bytes.Response {
		r.held = size
		b.used += size
	} else if !b.takeBytes(r, size, b.max, true) {
		return nil
	}
	b.responses[broker] = r
	return r
}

// countRequest is called for each fetch request to a broker.
func (b *Budget) countRequest(broker string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.endResponse(broker)
}

// closeBroker is called when a connection ends. The client may still hold its last response.
func (b *Budget) closeBroker(broker string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if r := b.responses[broker]; r != nil {
		r.closed = time.Now()
	}
}

// endResponse forgets the response of a broker. It needs b.mu.
func (b *Budget) endResponse(broker string) {
	r := b.responses[broker]
	if r == nil {
		return
	}
	delete(b.responses, broker)
	r.ended = true
	b.used -= r.held
	if b.excess == r {
		b.excess = nil
	}
	for _, hash := range r.packed {
		if b.packed[hash].response == r {
			delete(b.packed, hash)
		}
	}
}

// takeBytes reports whether r may take n bytes more, which are no more than most together with
// all others, or exceed that as the first of r. It needs b.mu.
func (b *Budget) takeBytes(r *response, n, most int64, first bool) bool {
	if b.used+n > most {
		b.endClosed(r)
	}
	switch {
	case r.ended:
		return b.used+n <= most
	case b.used+n <= most:
		r.held += n
		b.used += n
		return true
	case first && (b.excess == nil || b.excess == r) && n <= b.max:
		b.excess = r
		return true
	}
	return false
}

// endClosed ends responses, but for r, whose broker has no connection any more: no further
// request says that the client holds nothing of them. It needs b.mu.
func (b *Budget) endClosed(r *response) {
	none := b.buffered == nil || b.buffered() == 0
	for broker, old := range b.responses {
		if !old.closed.IsZero() && old != r && (none || time.Since(old.closed) > closedTime) {
			b.endResponse(broker)
		}
	}
}

// countBytes takes n bytes for records of r that are not compressed. They leave the rest of
// the maximum to those that are.
func (b *Budget) countBytes(r *response, n int64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	first := !r.counted && b.excess != r
	r.counted = true
	return b.takeBytes(r, n, b.bytes.Uncompressed, first)
}

// unpackBatch takes n bytes for a decompressed batch of r.
func (b *Budget) unpackBatch(r *response, n int64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	first := !r.unpacked
	r.unpacked = true
	return b.takeBytes(r, n, b.max, first)
}

// packBatch remembers a compressed batch of r, which the client will have decompressed.
func (b *Budget) packBatch(r *response, src []byte, offset, records int64) {
	hash := maphash.Bytes(b.seed, src)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.packed[hash] = packedBatch{r, offset, records}
	r.packed = append(r.packed, hash)
}

// batchHeader returns the header of a compressed batch. If the response has ended, because its
// connection broke meanwhile, the batch is bounded and not counted.
func (b *Budget) batchHeader(src []byte) packedBatch {
	hash := maphash.Bytes(b.seed, src)
	b.mu.Lock()
	defer b.mu.Unlock()
	if p, ok := b.packed[hash]; ok {
		return p
	}
	return packedBatch{&response{ended: true}, -1, unknownRecords}
}

// refusePartition remembers why a partition is answered with an error, for explain.
func (b *Budget) refusePartition(p topicPartition, err *BatchError) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.refused[p] = err
}

// ExplainFetches puts the BatchErrors of their partitions into fetches. It takes out those of
// batches that only wait for room, and reports whether there were any.
func (b *Budget) ExplainFetches(fetches kgo.Fetches) (waiting bool) {
	for _, f := range fetches {
		for _, t := range f.Topics {
			for i := range t.Partitions {
				p := &t.Partitions[i]
				if p.Err == nil {
					continue
				}
				err := b.refusalReason(t, p)
				switch {
				case err == nil:
				case err.later:
					p.Err, waiting = nil, true
				default:
					err.Topic, err.Partition = t.Topic, p.Partition
					p.Err = err
				}
			}
		}
	}
	return waiting
}

// refusalReason returns a copy of the BatchError behind the error of a partition, nil if it is
// another one.
func (b *Budget) refusalReason(t kgo.FetchTopic, p *kgo.FetchPartition) *BatchError {
	var err *BatchError
	if !errors.As(p.Err, &err) && errors.Is(p.Err, errBatchRefused) {
		b.mu.Lock()
		defer b.mu.Unlock()
		for _, k := range []topicPartition{{id: t.TopicID, partition: p.Partition}, {topic: t.Topic, partition: p.Partition}} {
			if found := b.refused[k]; found != nil {
				delete(b.refused, k)
				err = found
			}
		}
	}
	if err == nil {
		return nil
	}
	own := *err
	return &own
}
