package connector

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/connector/batch"
	"kafka-firehose/connector/firehose"
	"kafka-firehose/connector/kafka"
	"kafka-firehose/connector/offset"
	"kafka-firehose/connector/recovery"
)

// runAll reads, sends and commits until the range is done or ctx ends. The progress is committed in any case.
func (p *replayRun) runAll(ctx context.Context) error {
	p.c.log.Info("replay: sending the range again", "range", p.String(), "progress_group", p.group, "shard", p.Shard.String(), "partitions", len(p.parts), "dry_run", p.DryRun, "done_percent", math.Floor(100*p.start))
	running, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	b := newBoundedRun(p.c, p.streamReads())
	if p.DryRun {
		b.dryRun = p.countBatch
	}
	byLease := make(map[*offset.Lease]*replayPart, len(p.parts))
	for _, part := range p.parts {
		byLease[part.lease] = part
	}
	for _, f := range b.feeds {
		f.pipeline.leftOut = func(r leftOutRecord) {
			p.counts.addLeftOut(r)
			if r.bad {
				byLease[r.leases[0]].noteBad(r)
			}
		}
	}
	commit := func(ctx context.Context) error { return p.commitMarks(ctx, false) }
	stopCommitting := commitUntilStopped(ctx, p.cfg.Kafka.CommitInterval, commit, fail)
	stopProgress := recovery.ShowProgress(p.Progress, p.Terminal, p.progressLine)
	err := b.run(running)
	stopProgress()
	return errors.Join(err, stopCommitting())
}

// streamReads returns the function that reads the partitions of each stream.
func (p *replayRun) streamReads() map[string]func(context.Context, *pipelineFeed) error {
	parts := map[string][]*replayPart{}
	for _, part := range p.parts {
		name := p.cfg.streamOf(part.Topic)
		parts[name] = append(parts[name], part)
	}
	reads := map[string]func(context.Context, *pipelineFeed) error{}
	for name, of := range parts {
		reader := p.readers[len(reads)]
		reads[name] = func(ctx context.Context, f *pipelineFeed) error { return p.readRanges(ctx, f, reader, of) }
	}
	return reads
}

// readRanges queues the rest of some partitions, and waits until all of it has settled.
func (p *replayRun) readRanges(ctx context.Context, f *pipelineFeed, reader *kafka.RangeReader, parts []*replayPart) error {
	type place struct {
		topic     string
		partition int32
	}
	leases := map[place]*offset.Lease{}
	var ranges []kafka.OffsetRange
	for _, part := range parts {
		leases[place{part.Topic, part.Partition}] = part.lease
		ranges = append(ranges, part.leftRange(p.AllowGaps))
	}
	err := reader.ReadRanges(ctx, ranges, func(records []*kgo.Record) error {
		return f.queueRecords(ctx, leases[place{records[0].Topic, records[0].Partition}], records)
	})
	if errors.Is(err, kafka.ErrRangeExpired) {
		err = fmt.Errorf("%w; -allow-gaps replays the rest", err)
	}
	if err != nil {
		return err
	}
	for _, part := range parts {
		part.read.Store(true)
	}
	open := func(part *replayPart) bool { return !part.isSettled() }
	return waitSettled(ctx, func() bool { return !slices.ContainsFunc(parts, open) })
}

// commitMarks moves the progress behind the settled records and commits it, that of all partitions with all. A dry run only moves it.
func (p *replayRun) commitMarks(ctx context.Context, all bool) error {
	var commits []kafka.RangeCommit
	for _, part := range p.parts {
		if part.advanceMark() || all || part.uncommitted {
			part.uncommitted = true
			commits = append(commits, kafka.RangeCommit{Topic: part.Topic, Partition: part.Partition, Offset: part.Reached, Metadata: part.Metadata()})
		}
	}
	p.reached.Store(math.Float64bits(p.doneShare()))
	if len(commits) == 0 || p.DryRun {
		return nil
	}
	if err := p.reader.CommitProgress(ctx, p.group, commits); err != nil {
		return err
	}
	for _, part := range p.parts {
		part.uncommitted = false
	}
	return nil
}

// doneShare is how much of the range is done, from 0 to 1.
func (p *replayRun) doneShare() float64 {
	var reached, all int64
	for _, part := range p.parts {
		reached += part.Reached - part.Begin
		all += part.End - part.Begin
	}
	return doneShare(reached, all)
}

// settledRecords is how many records of this start have settled, those that were left out among them.
func (p *replayRun) settledRecords() (n int64) {
	for _, part := range p.parts {
		n += part.lease.Settled()
	}
	return n
}

// countBatch is for a dry run.
func (p *replayRun) countBatch(b *batch.Batch) {
	p.counts.bytes.Add(int64(b.Bytes()))
	for i := range b.Len() {
		p.counts.billed.Add(firehose.BilledBytes(len(b.Record(i))))
	}
}

// sumTotals are the bytes that were accepted and are billed.
func (p *replayRun) sumTotals() (bytes, billed int64) {
	if p.DryRun {
		return p.counts.bytes.Load(), p.counts.billed.Load()
	}
	for _, l := range p.c.pipelines {
		t := l.stream.State().Totals
		bytes += t.Accepted.Bytes
		billed += t.Billed
	}
	return bytes, billed
}

// progressLine is for people who wait.
func (p *replayRun) progressLine(since time.Duration) string {
	bytes, _ := p.sumTotals()
	return fmt.Sprintf("replay: %s; %d records, %.1f MB, %.2f MB/s",
		recovery.ProgressBar(p.Terminal, p.start, math.Float64frombits(p.reached.Load()), since), p.settledRecords(), float64(bytes)/1e6, float64(bytes)/1e6/max(since.Seconds(), 0.001))
}

// buildReport is for after the last commit.
func (p *replayRun) buildReport() recovery.ReplayReport {
	r := recovery.ReplayReport{
		Range: p.String(), Group: p.group, Shard: p.Shard, Partitions: len(p.parts),
		Records: p.settledRecords(), LeftOut: maps.Clone(p.counts.leftOut), Bad: maps.Clone(p.counts.bad),
		Done: p.doneShare() == 1, DryRun: p.DryRun, Empty: true,
	}
	r.Bytes, r.Billed = p.sumTotals()
	for _, counts := range []map[string]int64{r.LeftOut, r.Bad} {
		for _, n := range counts {
			r.Records -= n
		}
	}
	for _, part := range p.parts {
		r.AllBad += part.Bad
		r.Removed += part.Removed
		r.Empty = r.Empty && part.Begin == part.End && part.Removed == 0
		if named := part.badOffsets(); !named.IsEmpty() {
			r.BadOffsets = append(r.BadOffsets, named)
		}
	}
	return r
}
