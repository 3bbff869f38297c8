package fetch

import (
	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/connector/pool"
)

// Pool keeps the memory of fetched batches for the next ones: their records, because a kgo.Record is nearly as
// large as a small value, and the collector has to look at each of them, and their decompressed bytes. The client
// puts both back when the last record of a batch was recycled. Those that never are go to the collector, as all of
// them do without a pool.
//
// Who keeps the bytes of a record beyond that, as an upload or a letter does, has a copy of them, or keeps the record
// from being recycled.
type Pool struct {
	records *pool.Pool[kgo.Record]
	batches *pool.Pool[byte] // decompressed
}

const (
	// minPooledRecords is how many are worth it. A fetch takes the memory of all its batches
	// before any comes back: of small ones there are more than the pool has places for.
	minPooledRecords = 64
	// minPooledBatch bytes are worth it, for the same reason.
	minPooledBatch = 16 << 10
	// recordsLoose: batches of the log differ more than requests do, and each is one
	// among many.
	recordsLoose = 4
	batchesLoose = 8
)

// NewPool returns the pool of a client whose records are recycled.
func NewPool(bytes Bytes) Pool {
	return Pool{
		records: pool.New[kgo.Record](int(bytes.PooledRecords/RecordBytes), recordsLoose),
		batches: pool.New[byte](int(bytes.PooledBatches), batchesLoose),
	}
}

// GetRecords implements kgo.PoolRecords.
func (p Pool) GetRecords(n int) []kgo.Record {
	if n < minPooledRecords {
		return nil // the client makes them
	}
	return p.records.Get(n)
}

// PutRecords implements kgo.PoolRecords. The client has cleared the records that it handed over. But
// where reading begins in the middle of a batch, as it does after most restarts, those
// before are here as they were decoded, and each would keep the whole batch alive.
func (p Pool) PutRecords(r []kgo.Record) {
	if r = r[:cap(r)]; len(r) >= minPooledRecords {
		clear(r)
		p.records.Put(r)
	}
}

// GetDecompressBytes implements kgo.PoolDecompressBytes. The client has a decompressor that calls getBatch.
func (p Pool) GetDecompressBytes([]byte, kgo.CompressionCodecType) []byte { return nil }

// PutDecompressBytes implements kgo.PoolDecompressBytes.
func (p Pool) PutDecompressBytes(b []byte) {
	if cap(b) >= minPooledBatch {
		p.batches.Put(b)
	}
}

// getBatch returns empty memory for n bytes, and not much more.
func (p Pool) getBatch(n int) []byte {
	if n < minPooledBatch {
		return make([]byte, 0, n)
	}
	return p.batches.Get(n)
}
