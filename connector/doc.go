// Package connector moves records from Kafka topics to Amazon Data Firehose
// delivery streams, at least once.
//
//	kafka ──poll──> convert ──append──> batch ──full or due──> firehose ──accepted──> offset ──commit──> kafka
//
// One goroutine polls. It registers the polled records with the leases of the
// partitions (package offset) and puts them into the queue of the stream that the
// topic is routed to; it never waits for a stage behind that queue.
//
// Each stream has a pipeline. The pipeline converts the records (package convert), packs
// them into batches (package batch) and hands a batch to the stream (package
// firehose) when it is full, when its first record has lingered long enough, or
// when a partition in it is about to go. The stream retries by index, limits
// its rate and breaks the circuit. The span of a partition in a batch settles with
// the last of its records, and the mark of the lease moves.
//
// From the sealed batch to the settled offset a record passes seven functions. PutBatches runs in a
// worker, the others in the loop of its stream:
//
//	sender.acceptBatch     takes over the batch                       firehose/sender.go
//	sender.composeRequest  chooses the records of the next request    firehose/compose.go
//	sender.startRequest    enters it in the limiter                   firehose/sender.go
//	Caller.PutBatches      makes the call                             firehose/putbatch/call.go
//	sender.finishRequest   reads its result                           firehose/finish.go
//	sender.settleDelivery  keeps refused records for a retry          firehose/finish.go
//	Batch.RetainRecords    settles accepted records with their lease  batch/batch.go
//
// A record that can't be delivered is skipped, ends the connector, or goes to the dead-letter
// topic (package deadletter). Then its span settles when that topic has it.
//
// A partition whose next record has a schema that is not here yet is set aside while package
// schema fetches it; the other partitions of the pipeline continue. Once it has half of the queue,
// its fetches are paused. Where it pays, all cores convert the records that are next in the
// queue, a round at a time, and the pipeline packs the output in their order (parallelconverter.go).
//
// Between two records the pipeline checks for a call: a revoke, a stop, the linger, or
// the liveness check of /livez.
//
// The source (package kafka) commits the marks every interval, at every revoke
// and at the end. That is the only way an offset gets to Kafka.
//
// # Goroutines
//
//	polling                 the poller: pauses of topics, how much to poll        pollLoop, connector.go; poller.go
//	converting, one each    the open batch and the sealed ones that wait          batcher.runBatcher, batcher.go
//	sending, one each       limiter, breaker, retry queue, requests in flight     Stream.Run, firehose/stream.go
//	workers of a stream     one request at a time                                 sender.runWorker, firehose/sender.go
//	committing              the commit of marks, every interval                   Source.watchCommits, kafka/commitloop.go
//	finding positions       partitions without a position, re-created topics      Source.watchPositions, kafka/positions.go
//	asking for lag          lag and headroom of the metrics                       Source.watchLag, kafka/lag.go
//	revokes and losses      a callback of the Kafka client, which waits for it    Source.onRevoked, kafka/group.go
//	writing dead letters    the producer's answers                                Writer.Run, deadletter/run.go
//	fetching schemas        one schema each, and its compilation                  Registry.runFetch, schema/registry.go
//	watching                faults, pipelines, destinations, runtime settings     Connector.Run, connector.go
//
// The comment at a field that two of them share says what guards it.
//
// # Memory
//
// MAX_BUFFERED_BYTES bounds it, and budget.go divides it: a part for what the Kafka client has
// fetched, for pooled records and buffers, and for records that are converted in parallel; the rest is
// shared by the pipelines, less what large batches make the client hold beyond its part.
// The poller polls only while every pipeline has room, and a pipeline that is the only one has
// little in its queue. So a stream that is slow, throttled or down makes lag grow and
// nothing else. Beside others that take records, its topics are paused.
//
// # Before a record is sent
//
// Package preflight describes each stream at a start (preflight.StreamCheck), beside the group's join; the records of a stream that has
// not passed are held (streamcheck.go). The command check runs a preflight.Inspection of everything that the settings name
// (inspect.go), and with a sample record the conversion of the pipeline (sample.go).
//
// # Records that are sent again
//
// Replay sends a range of the topics once more through the same pipelines (boundedRun). In the place of the source, a RangeReader
// reads to the end of the range, and the marks of the leases are committed to a group without members. Redrive does so with the records of dead letters, each
// with a lease of its own.
//
// # How it stops
//
// Every way to stop is a drain: no more polls; queued records are dropped; open
// batches are sealed and sent; the last commit; leaving the group. A signal asks
// for one, and so does a record that must not be skipped. kill -9 at any moment
// delivers some records again and loses none. Each wait of a stop has a limit, so that
// SHUTDOWN_TIMEOUT holds whatever hangs; the log names goroutines that are left behind.
package connector
