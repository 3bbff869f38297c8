package kafka

import (
	"context"
	"errors"
	"fmt"
	"time"

	"kafka-firehose/connector/offset"
)

const (
	// beyondAfter is for how long a log must end before a position until the position counts
	// as lost. The high watermark of a new leader is behind for a moment.
	beyondAfter = 10 * time.Second
	// lookBack is how far before the last record reading begins again when a log was cut at
	// an unknown offset.
	lookBack = time.Minute
)

// doubtPosition has the position of a partition compared with its log. A fetch out of range proves nothing: a
// leader that was just elected may be behind.
func (s *Source) doubtPosition(k partitionID) {
	s.mu.Lock()
	p := s.partitions[k]
	if p != nil && p.reading && !p.outOfRange {
		p.outOfRange, p.beyond = true, time.Time{}
	}
	s.mu.Unlock()
	s.wakePositions()
}

// locateDoubted compares positions that were out of range with their logs.
func (s *Source) locateDoubted(ctx context.Context) error {
	asks, times := map[partitionID]int64{}, map[partitionID]int64{}
	doubtful := map[partitionID]*partition{}
	s.mu.Lock()
	for k, p := range s.partitions {
		if p.outOfRange && p.seekTo < 0 {
			doubtful[k] = p
			asks[k] = logStart
			times[k] = logStart
			if !p.lastTime.IsZero() {
				times[k] = max(p.lastTime.Add(-lookBack).UnixMilli(), 0)
			}
		}
	}
	s.mu.Unlock()
	if len(doubtful) == 0 {
		return nil
	}
	view, err := s.describeTopics(ctx, topicsOf(doubtful))
	if err != nil {
		return err
	}
	starts := s.findOffsets(ctx, view, asks, readUncommitted)
	for k := range asks {
		asks[k] = logEnd
	}
	ends := s.findOffsets(ctx, view, asks, readUncommitted)
	again := s.findOffsets(ctx, view, times, readUncommitted)
	for k, p := range doubtful {
		start, end, before := starts[k], ends[k], again[k]
		if err := errors.Join(start.err, end.err, before.err); err != nil {
			s.faults.beginFault(k, partitionFault{reason: "out_of_range", message: "the next offset is not in the log, and the leader can't be asked why", err: err, offset: -1})
			continue
		}
		if before.offset < 0 {
			before.offset = end.offset
		}
		s.relocatePartition(k, p, start.offset, end.offset, before.offset)
	}
	return nil
}

// relocatePartition moves a position that is not in its log. before is where reading begins again if the log was cut.
func (s *Source) relocatePartition(k partitionID, p *partition, start, end, before int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.partitions[k] != p || p.seekTo >= 0 || !p.outOfRange {
		return
	}
	at := p.expected
	switch {
	case at < start:
		p.outOfRange, p.beyond = false, time.Time{}
		if s.cfg.AutoOffsetReset.Mode == "none" {
			s.failWith(fmt.Errorf("topic %s partition %d: offset %d is not in the log any more, which begins at %d, and KAFKA_AUTO_OFFSET_RESET is none: commit an offset that is there, or choose another value", k.topic, k.partition, at, start))
			return
		}
		s.skipExpired(k, p, at, start)
	case at <= end:
		p.outOfRange, p.beyond = false, time.Time{} // it was the leader's moment
	case p.beyond.IsZero():
		p.beyond = time.Now()
	case time.Since(p.beyond) >= beyondAfter:
		p.outOfRange, p.beyond = false, time.Time{}
		if s.cfg.AutoOffsetReset.Mode == "none" {
			s.failWith(fmt.Errorf("topic %s partition %d: offset %d is beyond the end of the log, %d, and KAFKA_AUTO_OFFSET_RESET is none: commit an offset that is there, or choose another value", k.topic, k.partition, at, end))
			return
		}
		to := s.restartPartition(k, p, max(min(before, end), start))
		s.log.Error("the log ends before the group's position: it was cut, or the group's offsets are from elsewhere; reading again from an earlier offset, and records accepted since then come twice",
			"topic", k.topic, "partition", k.partition, "offset", at, "log_end", end, "again_from", to)
	}
}

// skipExpired moves the position to the start of a log from which retention has removed it. The group's offset
// follows, although no record may ever come. It needs s.mu.
func (s *Source) skipExpired(k partitionID, p *partition, at, start int64) {
	if at >= 0 {
		s.metrics.Expired.WithLabelValues(k.topic).Add(float64(start - at))
		s.log.Error("records were removed from Kafka before they were read: retention has passed the group's position; reading on at the start of the log",
			"topic", k.topic, "partition", k.partition, "expected", at, "log_start", start, "offsets", start-at)
	}
	p.lease.SkipRecords(offset.Mark{Offset: start, Epoch: -1}, 0)
	if p.begin < 0 {
		p.begin = start
	}
	s.setFound(p, offset.Mark{Offset: start, Epoch: -1})
}

// restartPartition begins a partition again whose log was cut: the offsets above hold other records now, so
// the marks of its lease no longer mean anything. Records of the old lease that were not accepted are
// dropped, so reading begins at the group's offset at the latest. The new position is committed at
// once. It returns where that is. It needs s.mu.
func (s *Source) restartPartition(k partitionID, p *partition, to int64) int64 {
	if from := max(p.committed, p.begin); from >= 0 {
		to = min(to, from)
	}
	stopped := p.lease.Stopped() != nil
	p.lease.Close()
	p.lease = offset.NewLease(k.topic, k.partition)
	p.lease.StartAt(offset.Mark{Offset: to, Epoch: -1})
	p.begin, p.committed = to, min(p.committed, to)
	p.samples = nil
	s.setFound(p, offset.Mark{Offset: to, Epoch: -1})
	if stopped {
		s.resumeFetching(k, p)
	}
	return to
}
