package connector

import (
	"sync"
	"sync/atomic"

	"kafka-firehose/connector/kafka"
	"kafka-firehose/connector/offset"
	"kafka-firehose/connector/recovery"
)

// replayPart is one partition of a replay. The embedded state belongs to the goroutine that commits, which moves it
// behind the settled records.
type replayPart struct {
	*recovery.ReplayPartition
	lease *offset.Lease
	read  atomic.Bool // all of the range was read and queued
	// uncommitted: the progress has moved and is not committed.
	uncommitted bool

	mu      sync.Mutex
	bad     []leftOutRecord     // that Reached has not passed; guarded by mu
	named   recovery.BadOffsets // those of all bad records of this start; guarded by mu
	removed [][2]int64          // offsets that retention has removed from under the reader; guarded by mu
}

// leftRange is the part of the range that is to be read.
func (p *replayPart) leftRange(allowGaps bool) kafka.OffsetRange {
	left := p.RemainingRange()
	if allowGaps {
		left.OnExpired = func(from, to int64) {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.removed = append(p.removed, [2]int64{from, to})
		}
	}
	return left
}

// noteBad notes a record that can't be delivered, before it settles.
func (p *replayPart) noteBad(r leftOutRecord) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.bad = append(p.bad, r)
	p.named.AddRecord(r.offset, r.values)
}

// badOffsets is for the report.
func (p *replayPart) badOffsets() recovery.BadOffsets {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.named.Topic, p.named.Partition = p.Topic, p.Partition
	return p.named
}

// isSettled reports whether the whole range is done. The order of the two questions matters: nothing is queued
// any more when the first is true.
func (p *replayPart) isSettled() bool { return p.read.Load() && p.lease.Unsettled() == 0 }

// advanceMark moves Reached behind the settled records and counts the bad ones before it. It reports whether that changed
// anything.
//
// A bad record is noted before it settles, so when the mark is read first, all bad records before it are noted.
func (p *replayPart) advanceMark() (moved bool) {
	before := p.Reached
	if p.isSettled() {
		p.Reached = p.End
	} else if mark, ok := p.lease.CommitMark(); ok {
		p.Reached = max(p.Reached, mark.Offset)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	kept := p.bad[:0]
	for _, r := range p.bad {
		if r.offset < p.Reached {
			p.Bad += int64(r.values)
		} else {
			kept = append(kept, r)
		}
	}
	p.bad = kept
	for len(p.removed) > 0 && p.removed[0][0] < p.Reached {
		p.Removed += p.CountOffsets(p.removed[0][0], p.removed[0][1])
		p.removed = p.removed[1:]
	}
	return p.Reached > before
}

// replayCounts are what a replay counts besides its progress.
type replayCounts struct {
	bytes, billed atomic.Int64 // of a dry run

	mu           sync.Mutex
	leftOut, bad map[string]int64 // :: reason -> records; guarded by mu
}

// addLeftOut counts a record that is not delivered.
func (c *replayCounts) addLeftOut(r leftOutRecord) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if r.bad {
		c.bad[r.reason] += int64(r.values)
	} else {
		c.leftOut[r.reason] += int64(r.values)
	}
}
