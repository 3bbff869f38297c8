package kafka

import (
	"context"
	"fmt"
	"time"

	"kafka-firehose/connector/offset"
)

// answerStarts finds the offsets of starts. A time after the last record is the end of the log, and so is one whose
// first record has a timestamp that can't be: nothing was written at that time. The end is asked for before the time, or
// a record that is written between the two questions would be passed over.
func (s *Source) answerStarts(ctx context.Context, view topicView, decided map[partitionID]startDecision) map[partitionID]answeredStart {
	at, ends := make(map[partitionID]int64, len(decided)), map[partitionID]int64{}
	for k, d := range decided {
		at[k] = d.unanswered()
		if d.from == fromTime {
			ends[k] = logEnd
		}
	}
	ended := s.findOffsets(ctx, view, ends, s.cfg.isolationLevel())
	listed := s.findOffsets(ctx, view, at, s.cfg.isolationLevel())
	for k, end := range ended {
		l := listed[k]
		none := l.offset < 0 || s.cfg.AutoOffsetReset.Mode != "time" && l.at > time.Now().Add(farFuture).UnixMilli()
		if l.err == nil && (end.err != nil || none) {
			listed[k] = end
		}
	}
	answered := make(map[partitionID]answeredStart, len(decided))
	for k, d := range decided {
		answered[k] = answeredStart{d, offset.Mark{Offset: listed[k].offset, Epoch: -1}, listed[k].err}
	}
	return answered
}

type answeredStart struct {
	startDecision
	at  offset.Mark
	err error
}

// startAt makes the starts the first marks of their leases. From then on they don't change: the end of
// the log would be another one at the next attempt. With earliest the next attempt has the same answer, so
// nothing has to be committed first: such a partition is read at once, and confirmStarts must let it be.
func (s *Source) startAt(open map[partitionID]*partition, answered map[partitionID]answeredStart) {
	earliest := s.cfg.AutoOffsetReset.Mode == "earliest"
	s.mu.Lock()
	defer s.mu.Unlock()
	for k, a := range answered {
		p := open[k]
		if !s.isWaiting(k, p) {
			continue
		}
		if a.err != nil {
			s.noteUnplaced(k, a.err)
			continue
		}
		p.setIdentity(a.marker)
		p.begin = a.at.Offset
		if earliest && !a.recreated {
			s.setFound(p, a.at)
			continue
		}
		p.lease.StartAt(a.at)
	}
}

// confirmStarts commits the starts and has those partitions read whose start Kafka has acknowledged.
func (s *Source) confirmStarts(ctx context.Context, open map[partitionID]*partition) error {
	starting := s.startingPartitions(open)
	if len(starting) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, finalCommit)
	defer cancel()
	err := s.CommitMarks(ctx)
	refusals := refusedPartitions(err)
	s.mu.Lock()
	defer s.mu.Unlock()
	for k, p := range starting {
		if !s.isWaiting(k, p) {
			continue
		}
		if _, pending := p.lease.CommitMark(); !pending {
			s.setFound(p, offset.Mark{Offset: p.begin, Epoch: -1})
			continue
		}
		if refused := refusals[k]; refused != nil {
			s.noteUnplaced(k, fmt.Errorf("commit where it starts: %w", refused))
			err = nil // the fault reports it
		}
	}
	if isMoving(err) {
		return nil
	}
	return err
}

// startingPartitions are those of the partitions whose start is to be committed.
func (s *Source) startingPartitions(open map[partitionID]*partition) map[partitionID]*partition {
	s.mu.Lock()
	defer s.mu.Unlock()
	starting := map[partitionID]*partition{}
	for k, p := range open {
		if s.isWaiting(k, p) && p.begin >= 0 {
			starting[k] = p
		}
	}
	return starting
}
