package connector

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/connector/batch"
	"kafka-firehose/connector/claimcheck"
	"kafka-firehose/connector/convert"
	"kafka-firehose/connector/deadletter"
	"kafka-firehose/connector/destination"
	"kafka-firehose/connector/firehose"
	"kafka-firehose/connector/kafka"
	"kafka-firehose/connector/kafka/auth"
	"kafka-firehose/connector/offset"
	"kafka-firehose/connector/pool"
	"kafka-firehose/connector/schema"
	"kafka-firehose/connector/schema/glue"
	"kafka-firehose/connector/status"
	"kafka-firehose/metrics"
)

// Connector is one running bridge: one member of the group, one pipeline for each
// stream.
type Connector struct {
	cfg       Config
	log       *slog.Logger
	metrics   *metrics.Set
	source    *kafka.Source
	pipelines map[string]*pipeline // by stream
	budget    budget
	pool      *pool.Pool[byte] // of all pipelines' buffers
	poller    *poller
	watches   []*destination.Watch    // one for each client; none unless DESTINATION_WATCH is true
	letters   *deadletter.Writer      // nil unless bad records become dead letters
	uploader  *claimcheck.Uploader    // nil without a CLAIM_CHECK_URL
	schemas   *schema.Registry        // nil unless records are decoded
	fail      context.CancelCauseFunc // ends polling with an error
	phase     atomic.Int32            // how far Run has come
	clients   firehose.Clients
	unusable  *badSchemas // nil unless bad records are skipped, or sent to the dead-letter topic
	broker    *kafka.Connection
	events    *status.Events                       // the newest lines of the log
	runtime   *runtimeControl                      // nil without RUNTIME_SETTINGS_FILE
	began     atomic.Pointer[map[string]time.Time] // when watchFaults first saw each fault that lasts, by its subject; nil before its first look
	abandoned chan struct{}                        // closed when a stop no longer waits for the pipelines
}

// Options are what a Connector needs beside its configuration.
type Options struct {
	Log     *slog.Logger
	Metrics *metrics.Set
	// KafkaDial makes connections to Kafka, and Kafka and Firehose change the clients, in
	// tests.
	KafkaDial auth.DialFunc
	Kafka     []kgo.Opt
	Firehose  []firehose.ClientOption
	// LogLevel is the level of Log, for the runtime settings; nil if it can't change.
	LogLevel *slog.LevelVar
	// Registry replaces the network to the Schema Registry, in tests.
	Registry http.RoundTripper
	Glue     []glue.ClientOption // for requests to AWS Glue
	// BeforeLookup is called before each lookup of a record's schema, by the goroutine that converts
	// the record, in tests.
	BeforeLookup func(convert.SchemaRef)
	// BeforeCompile is called before a schema is compiled, by the goroutine that compiles it, in tests.
	BeforeCompile func(convert.SchemaDefinition)
	CloudWatch    []destination.ClientOption // for requests to CloudWatch
	S3            []claimcheck.ClientOption  // for requests to the claim-check bucket
}

// ErrUndelivered says that a stop ran out of time, or that a partition is stopped in front of records that were accepted.
type ErrUndelivered struct {
	Records int64 // polled, perhaps accepted, and not committed
}

func (e *ErrUndelivered) Error() string {
	return fmt.Sprintf("not all that was sent is committed: %d records will be delivered again", e.Records)
}

// New makes the clients. The one of Kafka begins to join the group.
func New(ctx context.Context, cfg Config, o Options) (*Connector, error) {
	c, err := newPipelines(ctx, cfg, o)
	if err != nil {
		return nil, err
	}
	if err := c.openWatches(ctx, o); err != nil {
		return nil, err
	}
	if err := c.openRuntimeSettings(o.LogLevel); err != nil {
		return nil, err
	}
	c.source, err = kafka.Open(cfg.Kafka, kafka.Options{
		Handler: c, Metrics: o.Metrics.Kafka, Log: c.log, Bytes: c.budget.fetch, Connection: c.broker, Client: o.Kafka,
		Routed:  func(topic string) bool { _, ok := cfg.Firehose.StreamFor(topic); return ok },
		Exclude: cfg.DeadLetter.Topic, Unwanted: c.runtime.pausesTopic(),
	})
	if err != nil {
		return nil, err
	}
	c.poller.source = c.source
	c.runtime.applyFirst(c.source)
	o.Metrics.Pipeline.WatchBuffered(int64(cfg.MaxBufferedBytes), c.bufferedBytes, c.oldestAge)
	return c, nil
}

// newPipelines makes everything of a Connector but its source.
func newPipelines(ctx context.Context, cfg Config, o Options) (*Connector, error) {
	events := &status.Events{}
	o.Log = slog.New(events.LogHandler(o.Log.Handler(), summaryMessage))
	c := &Connector{cfg: cfg, log: o.Log, metrics: o.Metrics, events: events, pipelines: map[string]*pipeline{}, abandoned: make(chan struct{}), unusable: newBadSchemas(cfg)}
	var err error
	if c.clients, err = firehose.NewClients(ctx, cfg.Firehose, o.Log, o.Firehose...); err != nil {
		return nil, err
	}
	c.budget = cfg.budget(runtime.GOMAXPROCS(0))
	c.pool = pool.New[byte](c.budget.buffers, batch.Looseness)
	c.poller = &poller{
		pipelines: c.pipelines, state: map[*pipeline]*pipelineState{}, budget: c.budget, streamOf: cfg.streamOf,
		backpressure: o.Metrics.Pipeline.Backpressure, log: o.Log, freed: make(chan struct{}, 1),
	}
	if c.broker, err = cfg.Kafka.NewConnection(o.KafkaDial, o.Log, o.Metrics.Kafka); err != nil {
		return nil, err
	}
	if err := c.openLetters(ctx, o); err != nil {
		return nil, err
	}
	if err := c.openClaimChecks(ctx, o); err != nil {
		return nil, err
	}
	if c.schemas, err = openSchemas(cfg, o); err != nil {
		return nil, err
	}
	lookup := c.schemaLookup(o.BeforeLookup)
	checks := map[*firehose.Client]int{}
	for _, name := range cfg.Firehose.StreamNames() {
		client := c.clients.ForStream(name)
		l := c.newPipeline(client, name, lookup)
		c.newStreamCheck(l, client, name, checks[client])
		c.warnOfOrder(name)
		checks[client]++
		c.pipelines[name] = l
		c.poller.state[l] = &pipelineState{waiting: map[*offset.Lease]time.Time{}}
	}
	return c, nil
}

func (c *Connector) newPipeline(client *firehose.Client, stream string, lookup convert.SchemaLookup) *pipeline {
	record := c.cfg.recordFor(stream)
	l := &pipeline{
		format:        record.Summary(),
		convert:       c.cfg.newConverter(record, lookup),
		policy:        c.cfg.fallbackPolicy(),
		skipCommand:   c.cfg.skipCommand,
		stopPartition: func(lease *offset.Lease, offset int64, reason error) { c.source.StopPartition(lease, offset, reason) },
		letters:       c.letters,
		countUnusable: c.countUnusable,
		uploader:      c.uploader,
		limits:        batch.Limits{Records: c.cfg.Firehose.BatchMaxRecords, Bytes: int(c.cfg.Firehose.BatchMaxBytes), Linger: c.cfg.Firehose.BatchLinger},
		metrics:       c.metrics.Pipeline,
		log:           c.log.With("stream", stream),
		wake:          make(chan struct{}, 1),
		batcherCalls:  make(chan batcherCall, maxCalls),
		ending:        make(chan struct{}, 1),
		due:           make(chan struct{}, 1),
		ended:         make(chan struct{}),
		sealed:        make(chan *batch.Batch),
		freed:         c.poller.wakePoller,
	}
	l.batcher = &batcher{pipeline: l, builder: batch.NewBuilder(l.limits, aggregationOf(record)), claims: map[*offset.Lease]*claimUpload{}}
	l.batcher.builder.SetPool(c.pool)
	if cores := runtime.GOMAXPROCS(0); record.ConversionCores() > 0 && cores >= record.ConversionCores() {
		l.batcher.parallel = newParallelConverter(l.convert, l.hasCalls, cores, c.budget.ahead)
	}
	if len(record.SchemaFormats()) > 0 {
		l.schemas = c.schemas
	}
	l.share.Store(c.budget.pipeline)
	l.maxQueue = c.budget.queue
	if l.schemas != nil || l.uploader != nil {
		// All queued records may turn out to wait for a schema or an upload: then the other partitions can
		// queue as much again.
		l.maxQueue = min(l.maxQueue, schemaQueueShare.of(c.budget.pipeline-l.batchReserve()))
	}
	l.stream = firehose.NewStream(stream, client, c.cfg.Firehose.ForStream(stream),
		firehose.WithLogger(c.log), firehose.WithMetrics(c.metrics.Firehose), firehose.WithPool(c.pool), firehose.OnRefused(l.handleRefusal), c.billHint(stream))
	return l
}

// aggregationOf is how values become Firehose records.
func aggregationOf(record convert.Config) batch.Aggregation {
	if !record.Aggregate {
		return batch.Aggregation{Values: 1}
	}
	return batch.Aggregation{Values: record.AggregateMaxRecords, Bytes: int(record.AggregateMaxBytes), Gzip: record.Compression == "gzip"}
}

// endGrace is how long goroutines may take to end after their context has ended. They do so
// within milliseconds unless a library hangs.
const endGrace = 500 * time.Millisecond

// Run moves records until ctx ends or a fault ends the connector, and then drains: it
// stops polling, sends the open batches, waits for the answers, commits and
// leaves the group, within SHUTDOWN_TIMEOUT. It is nil after a clean drain that
// ctx asked for.
//
// Each wait has a limit, whatever hangs: the pipelines have until commitReserve before the end,
// and everything else has the rest. Goroutines that did not end by then are named in the log.
func (c *Connector) Run(ctx context.Context) error {
	soft, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	c.fail = fail
	hard, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()

	var pipelines, upkeep, polling taskGroup
	for _, l := range c.pipelines {
		l.start(hard, &pipelines, fail)
	}
	committing, stopCommitting := context.WithCancel(context.WithoutCancel(ctx))
	defer stopCommitting()
	upkeep.startTask("committing and asking for lag", func() { c.source.Run(committing) })
	if c.letters != nil {
		upkeep.startTask("writing dead letters", func() { c.letters.Run(committing) })
	}
	upkeep.startTask("watching the pipelines", func() { c.watchPipelines(committing) })
	upkeep.startTask("watching for faults", func() { c.watchFaults(committing) })
	c.watchDestinations(committing, upkeep.startTask)
	upkeep.startTask("watching the runtime settings", func() { c.runtime.run(committing) })
	upkeep.startTask("keeping history", func() { c.keepHistory(committing) })
	upkeep.startTask("summing up", func() { c.logSummaries(committing, c.cfg.LogSummaryInterval) })
	upkeep.startTask("watching for fatal errors of Kafka", func() {
		select {
		case <-c.source.Failed():
			fail(c.source.Err())
		case <-soft.Done():
		}
	})
	polling.startTask("polling", func() { c.pollLoop(soft) })
	c.checkStreams(soft, polling.startTask)
	c.phase.Store(running)
	<-soft.Done()

	// The drain does not wait for the poller: a poll does not return while a
	// partition is revoked, which may take longer than there is time. Records that it
	// returns now are dropped like queued ones.
	begin := time.Now()
	c.phase.Store(draining)
	c.log.Info("draining: sending what has begun", "timeout", c.cfg.ShutdownTimeout.String())
	drain := c.cfg.ShutdownTimeout - commitReserve
	timeout := time.AfterFunc(drain, cut)
	defer timeout.Stop()
	for _, l := range c.pipelines {
		l.signalEnd()
	}
	left := pipelines.waitTasks(drain + endGrace)
	if left != nil {
		close(c.abandoned) // a revoke does not wait for them either
	}
	if c.letters != nil {
		c.letters.FlushLetters(hard)
	}
	stopCommitting()
	left = append(left, upkeep.waitTasks(endGrace)...)
	err := c.leaveGroup(ctx, begin)
	// Leaving the group has ended the poll, or the poller is parked in a client that did not
	// end in time.
	if left = append(left, polling.waitTasks(endGrace)...); len(left) > 0 {
		c.log.Error("the stop left goroutines behind that did not end in time", "goroutines", strings.Join(left, ", "))
	}
	if cause := context.Cause(soft); cause != nil && !errors.Is(cause, context.Canceled) {
		err = errors.Join(cause, err)
	}
	return err
}

// start starts the goroutines of the pipeline. They end with ctx or after the pipeline's end.
func (l *pipeline) start(ctx context.Context, pipelines *taskGroup, fail func(error)) {
	pipelines.startTask("converting for stream "+l.stream.StreamName(), func() { l.batcher.runBatcher(ctx, fail) })
	pipelines.startTask("sending to stream "+l.stream.StreamName(), func() { l.stream.Run(ctx, l.sealed, endConnector(fail)) })
}

// pollLoop hands records to the pipelines until ctx ends.
func (c *Connector) pollLoop(ctx context.Context) {
	for {
		n := c.poller.waitForRoom(ctx)
		if n == 0 {
			return
		}
		polling, cancel := ctx, context.CancelFunc(func() {})
		if c.poller.anyPaused() {
			polling, cancel = context.WithTimeout(ctx, fullFor)
		}
		err := c.source.Poll(polling, n)
		cancel()
		if err != nil {
			c.fail(err)
			return
		}
	}
}

// leaveGroup commits accepted records and leaves the group, in the rest of
// SHUTDOWN_TIMEOUT: at least the reserve that the drain has kept for it.
func (c *Connector) leaveGroup(ctx context.Context, begin time.Time) error {
	ctx, cancel := context.WithDeadline(context.WithoutCancel(ctx), begin.Add(c.cfg.ShutdownTimeout))
	defer cancel()
	half, cancelHalf := context.WithTimeout(ctx, time.Until(begin.Add(c.cfg.ShutdownTimeout))/2)
	err := c.source.CommitLast(half)
	cancelHalf()
	again := c.source.CountOutstanding()
	if again > 0 {
		err = errors.Join(&ErrUndelivered{Records: again}, err)
	} else {
		err = nil
	}
	if left := c.source.LeaveGroup(ctx); left != nil {
		c.log.Warn("the group was not told in time; it gives the partitions to others after KAFKA_SESSION_TIMEOUT", "error", left)
	}
	if err == nil {
		c.log.Info("drained: everything that was sent is committed", "took", time.Since(begin).Round(time.Millisecond).String())
	}
	return err
}
