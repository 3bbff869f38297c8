package connector

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/connector/batch"
	"kafka-firehose/connector/kafka"
	"kafka-firehose/connector/recovery"
)

// errMaxLetters ends the reading: the request wants no more.
var errMaxLetters = errors.New("as many letters were chosen as the request wants")

// run reads the letters, sends their records and commits until all are done or ctx ends.
func (d *redrive) run(ctx context.Context) error {
	d.c.log.Info("redrive: sending the records of dead letters", "topic", d.result.Topic, "progress_group", d.group, "partitions", len(d.parts), "dry_run", d.DryRun)
	running, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	ready, done := make(chan *openFeed), make(chan struct{})
	b := newBoundedRun(d.c, d.streamReads(running, ready, done))
	if d.DryRun {
		b.dryRun = func(*batch.Batch) {}
	}
	for _, f := range b.feeds {
		f.pipeline.leftOut = d.noteLeftOut
	}
	stopCommitting := commitUntilStopped(ctx, d.cfg.Kafka.CommitInterval, d.commit, fail)
	var readErr error
	go func() {
		defer close(done)
		for range len(b.feeds) {
			f := <-ready
			d.mu.Lock()
			d.feeds[f.pipeline.stream.StreamName()] = f
			d.mu.Unlock()
		}
		if readErr = d.readLetters(running); readErr == nil {
			readErr = waitSettled(running, func() bool { return d.open.Load() == 0 })
		}
	}()
	stopProgress := recovery.ShowProgress(d.Progress, d.Terminal, d.progressLine)
	err := b.run(running)
	<-done
	stopProgress()
	commitErr := stopCommitting()
	for _, n := range slices.Sorted(maps.Keys(d.parts)) {
		if p := d.parts[n]; p.stopped.Load() {
			d.result.Stopped = append(d.result.Stopped, recovery.StoppedPartition{Partition: n, Offset: p.read})
		}
	}
	d.result.Done = readErr == nil && err == nil && len(d.result.Stopped) == 0
	return errors.Join(err, readErr, commitErr)
}

// streamReads returns what each feed does: it is ready for letters until all are done.
func (d *redrive) streamReads(running context.Context, ready chan<- *openFeed, done <-chan struct{}) map[string]func(context.Context, *pipelineFeed) error {
	reads := map[string]func(context.Context, *pipelineFeed) error{}
	for name := range d.c.pipelines {
		reads[name] = func(ctx context.Context, f *pipelineFeed) error {
			ready <- &openFeed{f, ctx}
			select {
			case <-done:
				return nil
			case <-ctx.Done():
				if running.Err() == nil { // the stream alone was given up
					d.failPipeline(f, "stream")
				}
				return context.Cause(ctx)
			}
		}
	}
	return reads
}

// readLetters reads the dead-letter topic up to its end at the start, or up to the wanted number of letters.
func (d *redrive) readLetters(ctx context.Context) error {
	var ranges []kafka.OffsetRange
	for _, p := range d.parts {
		g := p.OffsetRange
		g.OnExpired = func(int64, int64) {} // letters that retention takes are gone
		g.Next = p.nextOffset
		ranges = append(ranges, g)
	}
	err := d.reader.ReadRanges(ctx, ranges, func(records []*kgo.Record) error {
		p := d.parts[records[0].Partition]
		for _, r := range records {
			if err := d.takeLetter(ctx, p, r); err != nil {
				return err
			}
		}
		return nil
	})
	if errors.Is(err, errMaxLetters) {
		return nil
	}
	if err == nil {
		for _, p := range d.parts {
			if !p.stopped.Load() {
				p.passTo(p.End)
			}
		}
	}
	return err
}

// commit moves the progress behind the settled letters and commits it.
func (d *redrive) commit(ctx context.Context) error {
	var commits []kafka.RangeCommit
	for _, p := range d.parts {
		d.advance(p)
		p.mu.Lock()
		offset, metadata, err := p.progress.Commit()
		p.mu.Unlock()
		if err != nil { // the last commit stays
			p.stopped.Store(true)
			continue
		}
		commit := kafka.RangeCommit{Topic: p.Topic, Partition: p.Partition, Offset: offset, Metadata: metadata}
		if commit != p.committed {
			commits = append(commits, commit)
		}
	}
	if len(commits) == 0 || d.DryRun {
		return nil
	}
	if err := d.reader.CommitProgress(ctx, d.group, commits); err != nil {
		return err
	}
	for _, c := range commits {
		d.parts[c.Partition].committed = c
	}
	return nil
}
