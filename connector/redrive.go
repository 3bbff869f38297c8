package connector

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"kafka-firehose/connector/kafka"
	"kafka-firehose/connector/offset"
	"kafka-firehose/connector/recovery"
	"kafka-firehose/metrics"
)

// Redrive sends the records of dead letters to the streams of their topics, as the service would have sent them, up to the
// end of the dead-letter topic at the start. It writes no letter: a record that fails again stays where it is, and the next redrive tries it
// again. It joins no group; the progress is committed to the group KAFKA_GROUP_ID.redrive. The error is as that of Replay.
func Redrive(ctx context.Context, cfg Config, r recovery.RedriveRequest, o Options) (recovery.RedriveReport, error) {
	begin := time.Now()
	d, err := openRedrive(ctx, cfg, r, o)
	if err != nil {
		return recovery.RedriveReport{}, fmt.Errorf("%w: %w", ErrNotStarted, err)
	}
	defer d.close()
	err = d.run(ctx)
	d.result.Took = time.Since(begin)
	if err == nil {
		err = d.checkTopic(ctx)
	}
	if err == nil {
		err = d.result.Err()
	}
	return d.result, err
}

// checkTopic returns an error if the request names a topic that does not exist. A topic that was deleted may have letters, so
// that is an error only if there was none.
func (d *redrive) checkTopic(ctx context.Context) error {
	if d.Topic == "" || d.ofTopic.Load() {
		return nil
	}
	begin, end := wholeLog()
	_, _, err := d.originals.FindRanges(ctx, []string{d.Topic}, begin, end)
	if errors.Is(err, kafka.ErrNoTopic) {
		return fmt.Errorf("%w: -topic: no letter of topic %s is left in topic %s, and %w", ErrNotStarted, d.Topic, d.result.Topic, err)
	}
	return nil
}

// redrive is one run.
type redrive struct {
	recovery.RedriveRequest
	cfg       Config
	c         *Connector
	reader    *kafka.RangeReader // of the dead-letter topic, for questions and commits, too
	originals *kafka.RangeReader // of the topics that the letters come from
	group     string
	parts     map[int32]*redrivePart
	feeds     map[string]*openFeed // by stream
	started   atomic.Int64         // letters that were chosen, of Max
	ofTopic   atomic.Bool          // a letter of the request's topic was read, chosen or not
	open      atomic.Int64         // letters that are not settled

	mu      sync.Mutex
	byLease map[*offset.Lease]*redriveLetter // letters in the pipelines; guarded by mu
	result  recovery.RedriveReport           // guarded by mu while the redrive runs
}

// openFeed is the feed of a stream while it may get letters.
type openFeed struct {
	*pipelineFeed
	ctx context.Context // of the feed
}

// redrivePart is one partition of the dead-letter topic.
type redrivePart struct {
	kafka.OffsetRange
	progress  *recovery.LetterProgress // guarded by mu once the redrive runs, but for IsDone
	committed kafka.RangeCommit        // the last commit; the committing goroutine's alone
	stopped   atomic.Bool              // no more letters are read: the progress has no room for their results

	mu      sync.Mutex
	letters []*redriveLetter // that progress has not passed, in their order; guarded by mu
	read    int64            // the next offset to read; guarded by mu
}

// nextOffset is the Next of the partition's range.
func (p *redrivePart) nextOffset(offset int64) int64 {
	if p.stopped.Load() {
		return p.End
	}
	return offset
}

// redriveLetter is a letter that was looked at.
type redriveLetter struct {
	offset int64 // in the dead-letter topic
	reason string
	lease  *offset.Lease // of its record alone; nil once it has an outcome

	// Written before the lease settles, and guarded by redrive.mu.
	failed  string // why it has failed again; empty otherwise
	leftOut bool   // the settings leave its record out
}

// openRedrive makes everything that the run needs.
func openRedrive(ctx context.Context, cfg Config, r recovery.RedriveRequest, o Options) (_ *redrive, err error) {
	if cfg.DeadLetter.Topic == "" {
		return nil, errors.New("there is no dead-letter topic: want BAD_RECORD_POLICY=dead-letter and DEAD_LETTER_TOPIC, as the service has them")
	}
	if err := r.Validate(time.Now(), metrics.DeadLetterReasons); err != nil {
		return nil, err
	}
	o.useDefaults()
	d := &redrive{
		RedriveRequest: r, group: cfg.Kafka.GroupID + ".redrive", parts: map[int32]*redrivePart{}, feeds: map[string]*openFeed{}, byLease: map[*offset.Lease]*redriveLetter{},
		result: recovery.RedriveReport{Topic: cfg.DeadLetter.Topic, Letters: map[string]*recovery.LetterCounts{}, Failures: map[string]int64{}, DryRun: r.DryRun},
	}
	defer func() {
		if err != nil {
			d.close()
		}
	}()
	connection, err := cfg.Kafka.NewConnection(o.KafkaDial, o.Log, o.Metrics.Kafka)
	if err != nil {
		return nil, err
	}
	for _, reader := range []**kafka.RangeReader{&d.reader, &d.originals} {
		if *reader, err = cfg.openRangeReader(connection, 2, o); err != nil {
			return nil, err
		}
	}
	if err := d.plan(ctx); err != nil {
		return nil, err
	}
	d.cfg = cfg.boundedConfig(recovery.ReplayRequest{DryRun: r.DryRun})
	d.c, err = newPipelines(ctx, d.cfg, o)
	return d, err
}

// plan finds the letters, and the progress of earlier redrives.
func (d *redrive) plan(ctx context.Context) error {
	since, end := wholeLog()
	if !d.Since.IsZero() {
		since = d.Since
	}
	ranges, _, err := d.reader.FindStableRanges(ctx, []string{d.result.Topic}, since, end)
	if err != nil {
		return err
	}
	if err := kafka.CheckHeldBack(ranges); err != nil {
		return err
	}
	progress, err := d.reader.FetchProgress(ctx, d.group)
	if err != nil {
		return err
	}
	for _, g := range ranges {
		begin := int64(0)
		if !d.Since.IsZero() {
			begin = g.Begin
		}
		commit, _ := kafka.FindCommit(progress, g.Topic, g.Partition) // without one all letters are to be done
		p, err := recovery.NewLetterProgress(g.TopicID, d.LetterFilter, commit.Offset, begin, commit.Metadata)
		if err != nil {
			return fmt.Errorf("group %s: topic %s partition %d: %w", d.group, g.Topic, g.Partition, err)
		}
		g.Begin = min(max(p.Begin(), g.LogStart), g.End)
		d.parts[g.Partition] = &redrivePart{OffsetRange: g, progress: p, read: g.Begin}
	}
	return nil
}

func (d *redrive) close() {
	d.reader.Close()
	d.originals.Close()
}
