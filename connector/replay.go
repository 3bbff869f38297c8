package connector

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"kafka-firehose/connector/env"
	"kafka-firehose/connector/firehose"
	"kafka-firehose/connector/kafka"
	"kafka-firehose/connector/offset"
	"kafka-firehose/connector/recovery"
	"kafka-firehose/metrics"
)

// ErrNotStarted is wrapped by the errors of runs that have sent nothing, because something about the request, the settings or the
// access is wrong.
var ErrNotStarted = errors.New("nothing was sent")

// IsOutage reports whether a run has sent nothing because Kafka or AWS could not be reached, or could not answer, or because
// transactions are open in its range: the same request may succeed later.
func IsOutage(err error) bool { return errors.Is(err, ErrNotStarted) && kafka.IsOutage(err) }

// Replay sends a range of the topics that a process with this environment reads once more. It joins no group, and
// leaves the offsets of the service's group alone: its progress is committed to a group of its own, so that the same
// request continues where an earlier one has ended. The error wraps ErrNotStarted, or the progress is committed and the rest of
// the range is left. It is recovery.ErrIncomplete if all of the range is done, but for records that can't be delivered.
func Replay(ctx context.Context, cfg Config, r recovery.ReplayRequest, o Options) (recovery.ReplayReport, error) {
	begin := time.Now()
	p, err := openReplay(ctx, cfg, r, o)
	if err != nil {
		return recovery.ReplayReport{}, fmt.Errorf("%w: %w", ErrNotStarted, err)
	}
	defer p.closeClients()
	err = p.runAll(ctx)
	report := p.buildReport()
	report.Took = time.Since(begin)
	if err == nil {
		err = report.Err()
	}
	return report, err
}

// replayRun is one run. Its partitions belong to the goroutine of commitMarks, except for the fields named at replayPart.
type replayRun struct {
	recovery.ReplayRequest
	cfg     Config
	c       *Connector
	reader  *kafka.RangeReader // for questions and commits; each stream's records have another
	readers []*kafka.RangeReader
	group   string
	parts   []*replayPart
	counts  replayCounts
	start   float64       // how much was done at the start, from 0 to 1
	reached atomic.Uint64 // how much is done now, as bits of a float64
}

// openReplay makes everything that the run needs, and commits where it begins and ends in partitions that are new to it.
func openReplay(ctx context.Context, cfg Config, r recovery.ReplayRequest, o Options) (_ *replayRun, err error) {
	if err := r.Validate(time.Now()); err != nil {
		return nil, err
	}
	o.useDefaults()
	p := &replayRun{ReplayRequest: r, group: r.ProgressGroup(cfg.Kafka.GroupID), counts: replayCounts{leftOut: map[string]int64{}, bad: map[string]int64{}}}
	defer func() {
		if err != nil {
			p.closeClients()
		}
	}()
	connection, err := cfg.Kafka.NewConnection(o.KafkaDial, o.Log, o.Metrics.Kafka)
	if err != nil {
		return nil, err
	}
	if p.reader, err = cfg.openRangeReader(connection, 1, o); err != nil {
		return nil, err
	}
	plan, err := p.planPartitions(ctx, cfg)
	if err != nil {
		return nil, err
	}
	p.cfg = cfg.boundedConfig(r)
	if p.c, err = newPipelines(ctx, p.cfg, o); err != nil {
		return nil, err
	}
	for range p.c.pipelines {
		reader, err := p.cfg.openRangeReader(connection, len(p.c.pipelines), o)
		if err != nil {
			return nil, err
		}
		p.readers = append(p.readers, reader)
	}
	for _, one := range plan {
		p.parts = append(p.parts, &replayPart{ReplayPartition: one, lease: offset.NewLease(one.Topic, one.Partition)})
	}
	p.start = p.doneShare()
	if r.DryRun {
		return p, nil
	}
	if err := p.c.checkStreamsFirst(ctx, p.targetStreams()); err != nil {
		return nil, err
	}
	return p, p.commitMarks(ctx, true)
}

// targetStreams are the streams that get records of the range, sorted.
func (p *replayRun) targetStreams() []string {
	streams := map[string]bool{}
	for _, part := range p.parts {
		streams[p.cfg.streamOf(part.Topic)] = true
	}
	return slices.Sorted(maps.Keys(streams))
}

// useDefaults sets the options that may be left out.
func (o *Options) useDefaults() {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Metrics == nil {
		o.Metrics = metrics.New(metrics.NewRegistry("", "")) // that nobody reads
	}
}

// planPartitions finds the range, and the progress of earlier starts.
func (p *replayRun) planPartitions(ctx context.Context, cfg Config) ([]*recovery.ReplayPartition, error) {
	asked := p.Topics
	if len(asked) == 0 && p.Offsets != nil {
		asked = p.Offsets.Topics()
	}
	topics, err := cfg.chosenTopics(ctx, asked, p.reader)
	if err != nil {
		return nil, err
	}
	from, to, find := p.From, p.To, p.reader.FindStableRanges
	if p.Offsets != nil {
		from, to = wholeLog()
		find = p.reader.FindRanges // transactions behind the offsets of the file don't matter
	}
	ranges, cluster, err := find(ctx, topics, from, to)
	if err != nil {
		return nil, err
	}
	var progress []kafka.RangeCommit
	if !p.DryRun {
		if progress, err = p.reader.FetchProgress(ctx, p.group); err != nil {
			return nil, err
		}
	}
	return recovery.PlanReplay(p.ReplayRequest, cluster, ranges, progress)
}

// wholeLog returns times that all records of a log are between.
func wholeLog() (from, to time.Time) { return time.UnixMilli(0), time.Now().AddDate(100, 0, 0) }

const (
	// quotaPerReplay is the part of a stream's quota that a replay takes by default, as a divisor: the service
	// keeps the rest.
	quotaPerReplay = 4
	// minQuotaBytes and minQuotaRecords a second are the smallest quota of a region, for a stream whose quota is not set.
	// https://docs.aws.amazon.com/firehose/latest/dev/limits.html
	minQuotaBytes, minQuotaRecords = 1 << 20, 100_000
)

// boundedConfig is the configuration of a run that sends what the request names beside the service: bad records are counted and
// left out, but for those that a claim check helps, and each stream has a limit.
func (c Config) boundedConfig(r recovery.ReplayRequest) Config {
	c.BadRecordPolicy, c.DeadLetter.Topic = "skip", ""
	if r.Stream != "" {
		c.Firehose.Routes, c.Firehose.Stream = nil, r.Stream
	}
	if r.DryRun {
		c.ClaimCheck.URL = "" // nothing is uploaded: values that are too large can't be delivered
		c.Firehose.StartupCheck = false
	}
	c.Firehose.Yields = true
	c.limitStreams(r.MaxBytesPerSecond, r.Shard.Count)
	return c
}

// limitStreams gives each stream a limit: bytes a second, or a part of its quota with 0, divided among the processes. The
// limit of records keeps the proportion of the quotas. Limits of the settings that are lower stay.
func (c *Config) limitStreams(bytes int64, processes int) {
	options := make(map[string]firehose.StreamOption, len(c.Firehose.StreamNames()))
	for _, name := range c.Firehose.StreamNames() {
		settings := c.Firehose.ForStream(name)
		quotaBytes := cmp.Or(int64(settings.QuotaBytesPerSecond), minQuotaBytes)
		quotaRecords := cmp.Or(int64(settings.QuotaRecordsPerSecond), minQuotaRecords)
		limit := max(cmp.Or(bytes, quotaBytes/quotaPerReplay)/int64(max(processes, 1)), 1)
		records := max(int64(float64(quotaRecords)*float64(limit)/float64(quotaBytes)), 1)
		option := c.Firehose.StreamOptions.Of[name]
		option.MaxBytesPerSecond = new(env.Bytes(min(limit, cmp.Or(int64(settings.MaxBytesPerSecond), limit)))) // 0 is unlimited
		option.MaxRecordsPerSecond = new(int(min(records, cmp.Or(int64(settings.MaxRecordsPerSecond), records))))
		options[name] = option
	}
	c.Firehose.StreamOptions.Of = options
}

// openRangeReader makes one of the readers that share the memory for fetched records.
func (c Config) openRangeReader(connection *kafka.Connection, readers int, o Options) (*kafka.RangeReader, error) {
	c.MaxBufferedBytes /= env.Bytes(readers)
	return c.Kafka.OpenRangeReader(connection, c.budget(1).fetch, o.Kafka...)
}

func (p *replayRun) closeClients() {
	for _, r := range append(p.readers, p.reader) {
		r.Close()
	}
}
