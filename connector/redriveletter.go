package connector

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/connector/deadletter"
	"kafka-firehose/connector/kafka"
	"kafka-firehose/connector/offset"
	"kafka-firehose/connector/recovery"
)

// takeLetter skips, restores or refuses a record of the dead-letter topic. The error ends the reading.
func (d *redrive) takeLetter(ctx context.Context, p *redrivePart, letter *kgo.Record) error {
	if p.stopped.Load() {
		return nil
	}
	restored, err := deadletter.RestoreRecord(letter)
	if isOurs := err == nil && restored.Group == d.cfg.Kafka.GroupID; !isOurs {
		d.mu.Lock()
		d.result.Foreign++
		d.mu.Unlock()
		p.passTo(letter.Offset + 1)
		return nil
	}
	topic := restored.Record.Topic
	if topic == d.Topic {
		d.ofTopic.Store(true)
	}
	if !d.Matches(topic, restored.Reason) || p.progress.IsDone(letter.Offset, topic, restored.Reason) {
		p.passTo(letter.Offset + 1)
		return nil
	}
	if fits, err := d.waitForProgress(ctx, p, letter.Offset); err != nil || !fits {
		return err
	}
	if n := d.started.Add(1); d.Max > 0 && n > d.Max {
		return errMaxLetters
	}
	return d.sendLetter(ctx, p, &redriveLetter{offset: letter.Offset, reason: restored.Reason}, restored)
}

// waitForProgress waits until the progress of a partition has room for the result of the next letter, so that every record that is
// accepted can be committed as done. It stops the partition and returns false if all letters before it are done and there is none. The
// error is ctx's.
func (d *redrive) waitForProgress(ctx context.Context, p *redrivePart, offset int64) (fits bool, err error) {
	for advanced := false; ; advanced = true {
		p.mu.Lock()
		pending := len(p.letters)
		fits := p.progress.HasRoom(pending+1, offset)
		p.mu.Unlock()
		switch {
		case fits:
			return true, nil
		case pending == 0 && advanced:
			p.stopped.Store(true)
			return false, nil
		case advanced:
			if err := waitSettled(ctx, func() bool { return d.pendingLetters(p) < pending }); err != nil {
				return false, err
			}
		default:
			d.advance(p)
		}
	}
}

// pendingLetters returns how many letters of a partition the progress can't pass yet.
func (d *redrive) pendingLetters(p *redrivePart) int {
	d.advance(p)
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.letters)
}

// sendLetter queues the record of a letter for its stream, or gives the letter its outcome. The error is of Kafka or ctx.
func (d *redrive) sendLetter(ctx context.Context, p *redrivePart, l *redriveLetter, restored deadletter.Restored) error {
	record := restored.Record
	stream, routed := d.cfg.Firehose.StreamFor(record.Topic)
	var err error
	if restored.IsDigest() {
		if record, err = d.fetchOriginal(ctx, restored); err != nil {
			return err
		}
	}
	switch {
	case record == nil:
		d.mu.Lock()
		d.lettersOf(l.reason).Gone++
		d.mu.Unlock()
		p.passTo(l.offset + 1)
		return nil
	case restored.Values > 1:
		d.failLetter(p, l, "several_values_in_one")
		return nil
	case !routed:
		d.failLetter(p, l, "no_stream")
		return nil
	}
	feed := d.feeds[stream]
	l.lease = offset.NewLease(record.Topic, record.Partition)
	d.mu.Lock()
	d.byLease[l.lease] = l
	d.mu.Unlock()
	d.open.Add(1)
	p.addLetter(l)
	if err := feed.queueRecords(feed.ctx, l.lease, []*kgo.Record{record}); err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		d.noteFailed(l.lease, "stream") // the stream was given up; the others continue
	}
	return nil
}

// failLetter gives a letter that was not queued its outcome.
func (d *redrive) failLetter(p *redrivePart, l *redriveLetter, why string) {
	l.failed = why
	d.open.Add(1)
	p.addLetter(l)
}

// fetchOriginal reads the record of a digest from its topic, nil if that does not have it any more.
func (d *redrive) fetchOriginal(ctx context.Context, restored deadletter.Restored) (original *kgo.Record, err error) {
	at := restored.Record
	begin, end := wholeLog()
	ranges, _, err := d.originals.FindRanges(ctx, []string{at.Topic}, begin, end)
	if errors.Is(err, kafka.ErrNoTopic) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	for _, g := range ranges {
		if g.Partition != at.Partition || at.Offset < g.LogStart || at.Offset >= g.End {
			continue
		}
		g.Begin, g.End = at.Offset, at.Offset+1
		err = d.originals.ReadRanges(ctx, []kafka.OffsetRange{g}, func(records []*kgo.Record) error {
			original = records[0]
			return nil
		})
	}
	switch {
	case errors.Is(err, kafka.ErrRangeExpired):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("read the record of a digest: %w", err)
	case original == nil || !restored.IsOriginal(original):
		return nil, nil
	}
	return original, nil
}

// noteLeftOut notes that records are not delivered, before they settle. Those that the settings leave out are done.
func (d *redrive) noteLeftOut(r leftOutRecord) {
	for _, lease := range r.leases {
		if r.bad {
			d.noteFailed(lease, r.reason)
			continue
		}
		d.mu.Lock()
		if l := d.byLease[lease]; l != nil {
			l.leftOut = true
		}
		d.mu.Unlock()
	}
}

// noteFailed notes why a letter in a pipeline fails again.
func (d *redrive) noteFailed(lease *offset.Lease, why string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if l := d.byLease[lease]; l != nil {
		l.failed = why
	}
}

// failPipeline notes that the letters in a pipeline that was given up fail again, unless they have settled.
func (d *redrive) failPipeline(f *pipelineFeed, why string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for lease, l := range d.byLease {
		if d.feeds[d.cfg.streamOf(lease.Topic)].pipelineFeed == f && lease.Unsettled() > 0 {
			l.failed = why
		}
	}
}

// passTo says that reading has come to an offset.
func (p *redrivePart) passTo(offset int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.read = max(p.read, offset)
}

// addLetter adds a letter without or before its outcome.
func (p *redrivePart) addLetter(l *redriveLetter) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.letters = append(p.letters, l)
	p.read = max(p.read, l.offset+1)
}

// advance moves the progress of a partition behind the letters that have an outcome.
func (d *redrive) advance(p *redrivePart) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.letters) > 0 {
		l := p.letters[0]
		settled := l.lease == nil || l.lease.Unsettled() == 0 && l.lease.Settled() > 0
		failed := d.countOutcome(l, settled)
		switch {
		case failed:
			p.progress.Fail(l.offset)
		case settled:
			p.progress.Pass(l.offset + 1)
		default:
			p.progress.Pass(l.offset) // all letters before it have an outcome
			return
		}
		p.letters = p.letters[1:]
		d.open.Add(-1)
	}
	p.progress.Pass(p.read)
}

// countOutcome counts a letter if it has an outcome, and reports whether it has failed again.
func (d *redrive) countOutcome(l *redriveLetter, settled bool) (failed bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !settled && l.failed == "" {
		return false
	}
	delete(d.byLease, l.lease)
	switch {
	case l.failed != "":
		d.result.Failures[l.failed]++
		d.lettersOf(l.reason).FailedAgain++
	case l.leftOut:
		d.result.LeftOut++
	default:
		d.lettersOf(l.reason).Sent++
	}
	return l.failed != ""
}

// lettersOf returns the counts of a reason. d.mu is held.
func (d *redrive) lettersOf(reason string) *recovery.LetterCounts {
	if d.result.Letters[reason] == nil {
		d.result.Letters[reason] = &recovery.LetterCounts{}
	}
	return d.result.Letters[reason]
}

// progressLine is for people who wait.
func (d *redrive) progressLine(since time.Duration) string {
	var read, all int64
	for _, p := range d.parts {
		p.mu.Lock()
		read += p.read - p.Begin
		p.mu.Unlock()
		all += p.End - p.Begin
	}
	return fmt.Sprintf("redrive: %s; %d letters wait for their records to be accepted", recovery.ProgressBar(d.Terminal, 0, doneShare(read, all), since), d.open.Load())
}
