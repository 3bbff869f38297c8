package kafka

import (
	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/connector/pool"
)

// records gives the client the memory again that records were in: a kgo.Record is nearly
// as large as a small value, and the collector has to look at each of them. The client
// puts the records of a batch back when the last of them was recycled. Those that never
// are go to the collector, as all of them do without a pool.
//
// What is decompressed is not pooled: how large it becomes is not known when the client
// asks for room.
type records struct{ *pool.Pool[kgo.Record] }

const (
	// recordsShare of MAX_BUFFERED_BYTES is kept for records that are to come, as a part
	// of what fetches may take.
	recordsShare = 64
	// recordsLeast is how many are worth it.
	recordsLeast = 8
	// recordsLoose: batches of the log differ more than requests do, and each is one
	// among many.
	recordsLoose = 4
)

func newRecords(buffer int64) records {
	return records{pool.New[kgo.Record](int(buffer/recordsShare/RecordBytes), recordsLoose)}
}

// GetRecords implements kgo.PoolRecords.
func (p records) GetRecords(n int) []kgo.Record {
	if n < recordsLeast {
		return nil // the client makes them
	}
	return p.Get(n)
}

// PutRecords implements kgo.PoolRecords. The client has cleared them.
func (p records) PutRecords(r []kgo.Record) {
	if cap(r) >= recordsLeast {
		p.Put(r)
	}
}
