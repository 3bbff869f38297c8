package kafka

import (
	"context"
	"fmt"
	"time"

	"kafka-firehose/connector/offset"
)

// answers finds the offsets of starts. A time after the last record is the end of the log, and so is one whose
// first record has a timestamp that can't be: nothing was written at that time. The end is asked for before the time, or
// a record that is written between the two questions would be passed over.
func (s *Source) answers(ctx context.Context, view topicView, decided map[id]start) map[id]answeredStart {
	at, ends := make(map[id]int64, len(decided)), map[id]int64{}
	for k, d := range decided {
		at[k] = d.question()
		if d.from == fromTime {
			ends[k] = logEnd
		}
	}
	ended := s.findOffsets(ctx, view, ends, s.isolation())
	listed := s.findOffsets(ctx, view, at, s.isolation())
	for k, end := range ended {
		l := listed[k]
		none := l.offset < 0 || s.cfg.AutoOffsetReset.Mode != "time" && l.at > time.Now().Add(farFuture).UnixMilli()
		if l.err == nil && (end.err != nil || none) {
			listed[k] = end
		}
	}
	answered := make(map[id]answeredStart, len(decided))
	for k, d := range decided {
		answered[k] = answeredStart{d, offset.Mark{Offset: listed[k].offset, Epoch: -1}, listed[k].err}
	}
	return answered
}

type answeredStart struct {
	start
	at  offset.Mark
	err error
}

// startAt makes the starts the first marks of their leases. From then on they don't change: the end of
// the log would be another one at the next attempt. With earliest the next attempt has the same answer, so
// nothing has to be committed first: such a partition is read at once, and confirmStarts must let it be.
func (s *Source) startAt(open map[id]*partition, answered map[id]answeredStart) {
	earliest := s.cfg.AutoOffsetReset.Mode == "earliest"
	s.mu.Lock()
	defer s.mu.Unlock()
	for k, a := range answered {
		p := open[k]
		if !s.waits(k, p) {
			continue
		}
		if a.err != nil {
			s.unplaced(k, a.err)
			continue
		}
		p.identify(a.marker)
		p.begin = a.at.Offset
		if earliest && !a.recreated {
			s.found(p, a.at)
			continue
		}
		p.lease.Start(a.at)
	}
}

// confirmStarts commits the starts and has those partitions read whose start Kafka has acknowledged.
func (s *Source) confirmStarts(ctx context.Context, open map[id]*partition) error {
	starting := s.starting(open)
	if len(starting) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, finalCommit)
	defer cancel()
	err := s.Commit(ctx)
	refusals := refusedPartitions(err)
	s.mu.Lock()
	defer s.mu.Unlock()
	for k, p := range starting {
		if !s.waits(k, p) {
			continue
		}
		if _, pending := p.lease.Mark(); !pending {
			s.found(p, offset.Mark{Offset: p.begin, Epoch: -1})
			continue
		}
		if refused := refusals[k]; refused != nil {
			s.unplaced(k, fmt.Errorf("commit where it starts: %w", refused))
			err = nil // the fault reports it
		}
	}
	if moving(err) {
		return nil
	}
	return err
}

// starting are those of the partitions whose start is to be committed.
func (s *Source) starting(open map[id]*partition) map[id]*partition {
	s.mu.Lock()
	defer s.mu.Unlock()
	starting := map[id]*partition{}
	for k, p := range open {
		if s.waits(k, p) && p.begin >= 0 {
			starting[k] = p
		}
	}
	return starting
}
