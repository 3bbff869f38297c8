package kafka

import (
	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/connector/pool"
)

// recordPool gives the client the memory again that records were in: a kgo.Record is nearly
// as large as a small value, and the collector has to look at each of them. The client
// puts the records of a batch back when the last of them was recycled. Those that never
// are go to the collector, as all of them do without a pool.
//
// Decompressed batches are not pooled: their size is not known when the client
// asks for room.
type recordPool struct{ *pool.Pool[kgo.Record] }

const (
	// recordsLeast is how many are worth it. A fetch takes the memory of all its batches
	// before any comes back: of small ones there are more than the pool has places for.
	recordsLeast = 64
	// recordsLoose: batches of the log differ more than requests do, and each is one
	// among many.
	recordsLoose = 4
)

// newRecords keeps at most that many bytes.
func newRecords(bytes int64) recordPool {
	return recordPool{pool.New[kgo.Record](int(bytes/RecordBytes), recordsLoose)}
}

// GetRecords implements kgo.PoolRecords.
func (p recordPool) GetRecords(n int) []kgo.Record {
	if n < recordsLeast {
		return nil // the client makes them
	}
	return p.Get(n)
}

// PutRecords implements kgo.PoolRecords. The client has cleared the records that it handed over. But
// where reading begins in the middle of a batch, as it does after most restarts, those
// before are here as they were decoded, and each would keep the whole batch alive.
func (p recordPool) PutRecords(r []kgo.Record) {
	if r = r[:cap(r)]; len(r) >= recordsLeast {
		clear(r)
		p.Put(r)
	}
}
