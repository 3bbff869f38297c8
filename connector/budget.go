package connector

import (
	"kafka-firehose/connector/batch"
	"kafka-firehose/connector/kafka/fetch"
)

// fraction is a part of a number of bytes.
type fraction struct{ n, d int64 }

func (f fraction) of(bytes int64) int64 { return bytes/f.d*f.n + bytes%f.d*f.n/f.d }

// budgetShare is a row of the budget.
type budgetShare struct {
	fraction
	name   string
	within string // the row that it is a part of; empty for MAX_BUFFERED_BYTES
	use    string
	// overlap is why the share is no part of the sum: its bytes are counted in other shares as well,
	// or seldom spent. Empty for a share that is one of the sum.
	overlap string
}

// The budget has every fraction of MAX_BUFFERED_BYTES that something spends. The shares of the whole that
// don't overlap sum to 1. Minimums, maximums and the rest of a share are in Config.budget.
var (
	fetchedShare   = budgetShare{fraction{13, 64}, "fetched records", "", "fetches aim at it: records that the Kafka client holds until they are polled, of all brokers", ""}
	recordsShare   = budgetShare{fraction{1, 64}, "pooled records", "", "memory of Kafka records for the next fetches, 8 MiB at most; fetched records have the rest", ""}
	batchesShare   = budgetShare{fraction{2, 64}, "pooled batches", "", "memory of decompressed batches for the next fetches, 8 MiB at most; fetched records have the rest", ""}
	pipelinesShare = budgetShare{fraction{40, 64}, "pipelines", "", "queues, open batches, requests in flight with their bodies, pending dead letters; divided evenly among the streams, with all that the next two shares leave", ""}
	aheadShare     = budgetShare{fraction{4, 64}, "converted ahead", "", "converted records that are not in a batch yet, where all cores convert; of the bytes above the minimum of MAX_BUFFERED_BYTES", ""}
	buffersShare   = budgetShare{fraction{4, 64}, "pooled buffers", "", "buffers for the next batches and requests; of the bytes above the minimum of MAX_BUFFERED_BYTES", ""}

	fetchedMaxShare = budgetShare{fraction{1, 2}, "maximum of fetched records", "", "the same records when batches are large, and any one batch; 16 MiB at least, 1 GiB at most", "what fetched records are expected to take beyond their shares is taken off the pipelines"}
	rereadShare     = budgetShare{fraction{1, 2}, "maximum of a record that is read again", "", "the batch around a record that is read again for its dead letter, one at a time; bounds as above", "it is rare and short: 64 KiB, or one batch as large as the topic has"}

	responseShare     = budgetShare{fraction{1, 8}, "fetch response", fetchedMaxShare.name, "a response of this size is read without asking for room", ""}
	uncompressedShare = budgetShare{fraction{3, 4}, "uncompressed fetched records", fetchedMaxShare.name, "the rest is left to compressed batches", ""}
	queueShare        = budgetShare{fraction{1, 8}, "queue of the only pipeline", pipelinesShare.name, "or 16 MiB if that is more and the pipeline has as much; each of several pipelines may fill its part with its queue", ""}
	schemaQueueShare  = budgetShare{fraction{1, 2}, "queue of a pipeline whose records may wait", pipelinesShare.name, "with schemas or claim checks, and no more than the row above: less the room for one batch; records that wait for a schema or an upload may take as much again", ""}
	batchShare        = budgetShare{fraction{1, 5}, "batch", pipelinesShare.name, "largest batch of a stream, of its part; FIREHOSE_BATCH_MAX_BYTES at most, 1,024,000 bytes at least", ""}
	lentShare         = budgetShare{fraction{1, 2}, "lent to fetched records", pipelinesShare.name, "maximum that a pipeline gives up while large batches are fetched", ""}
)

const (
	// maxPooledRecords and maxPooledBatches bytes are enough for many fetches.
	maxPooledRecords = 8 << 20
	maxPooledBatches = 8 << 20
	// minFetchedMax bytes are allowed with any setting, so that batches of 10 MB are read.
	minFetchedMax = 16 << 20
	// minQueue is the least that may be queued for the only pipeline, in bytes: a quarter of a second
	// of 64 MB/s.
	minQueue = 16 << 20
)

// budget is MAX_BUFFERED_BYTES as it is divided, in bytes.
type budget struct {
	fetch    fetch.Bytes
	reread   fetch.Bytes // of the client that reads records again
	buffers  int         // pooled, of all pipelines
	ahead    int         // of each pipeline
	pipeline int64       // of each
	queue    int64       // of each, within pipeline
}

// budget divides MAX_BUFFERED_BYTES for a process with a number of cores.
func (c Config) budget(cores int) budget {
	setting, streams := int64(c.MaxBufferedBytes), int64(len(c.Firehose.StreamNames()))
	above := max(setting-int64(c.minBuffered()), 0)
	b := budget{
		fetch:   fetchBytes(setting, fetchedMaxShare),
		reread:  fetchBytes(setting, rereadShare),
		buffers: int(buffersShare.of(above)),
	}
	if least := c.convertingCores(); least > 0 && cores >= least {
		b.ahead = int(min(aheadShare.of(above)/streams, int64(cores*batch.MaxRecordBytes)))
	}
	b.pipeline = (setting-b.fetch.Aim-b.fetch.Pooled()-int64(b.buffers))/streams - int64(b.ahead)
	b.queue = queueBytes(b.pipeline, int(streams))
	return b
}

// fetchBytes is the part of a Kafka client whose fetched records take at most a share of setting.
func fetchBytes(setting int64, maximum budgetShare) fetch.Bytes {
	records, batches := recordsShare.of(setting), batchesShare.of(setting)
	pooledRecords, pooledBatches := min(records, maxPooledRecords), min(batches, maxPooledBatches)
	most := min(max(maximum.of(setting), minFetchedMax), fetch.MaxFetched)
	return fetch.Bytes{
		Setting: setting, SettingPerMax: maximum.d / maximum.n,
		Aim:           fetchedShare.of(setting) + records - pooledRecords + batches - pooledBatches,
		PooledRecords: pooledRecords, PooledBatches: pooledBatches,
		Max: most, Response: responseShare.of(most), Uncompressed: uncompressedShare.of(most),
	}
}

// queueBytes is how much may be queued for each of some pipelines, of the bytes that it has. With
// several of them that is all: the more goes into the queue of one that is slow, the later it has
// to be paused for the others. With one, records that are read earlier are sent no sooner, and have left
// the CPU's caches by then.
func queueBytes(pipeline int64, pipelines int) int64 {
	if pipelines > 1 {
		return pipeline
	}
	return min(max(queueShare.of(pipeline), minQueue), pipeline)
}
